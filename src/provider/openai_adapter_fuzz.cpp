/// Whatever body a caller sends: what goes to the provider is JSON, says what we wrote in, and
/// is otherwise the same. Boost.JSON is the second opinion on all three.

#include <boost/json.hpp>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>

#include "exchange/json_edit.h"
#include "provider/openai_adapter.h"

namespace {

namespace json = boost::json;
using claviger::exchange::Delivery;
using claviger::exchange::find_value;
using claviger::exchange::Request;
using claviger::exchange::Span;
using claviger::provider::Edits;
using claviger::provider::Profile;

constexpr std::int64_t bound = 256;
constexpr std::string_view model = "gpt \"x\"";

void require(bool holds) {
  if (!holds) std::abort();
}

std::optional<json::value> parsed(std::string_view text) {
  json::error_code error;
  json::value value = json::parse(text, error);
  if (error) return std::nullopt;
  return value;
}

bool is_null_or_object(const json::value* value) {
  return value == nullptr || value->is_null() || value->is_object();
}
bool is_null_or_count(const json::value* value) {
  return value == nullptr || value->is_null() || value->is_int64();
}

/// As a dialect's reader would have it, for bodies that it would accept. Keys that stand
/// twice are refused there; here the serialised length tells them.
std::optional<Request> request_of(std::string_view body, const json::object& object) {
  const json::value* const name = object.if_contains("model");
  if (name == nullptr || !name->is_string()) return std::nullopt;
  if (!is_null_or_count(object.if_contains("max_tokens"))) return std::nullopt;
  if (!is_null_or_count(object.if_contains("max_completion_tokens"))) return std::nullopt;
  const json::value* const options = object.if_contains("stream_options");
  if (!is_null_or_object(options)) return std::nullopt;
  Request request;
  request.body = body;
  auto& places = request.places;
  places.after_open_brace = body.find('{') + 1;
  places.model_value = find_value(body, "model");
  if (places.model_value.empty()) return std::nullopt;  // Deeper than simdjson goes.
  places.output_max_value = find_value(body, "max_completion_tokens");
  places.output_max_legacy_value = find_value(body, "max_tokens");
  places.stream_options_value = find_value(body, "stream_options");
  if (options != nullptr && options->is_object()) {
    const Span inner =
        find_value(claviger::exchange::at(body, places.stream_options_value), "include_usage");
    if (!inner.empty()) {
      places.include_usage_value = {.begin = inner.begin + places.stream_options_value.begin,
                                    .end = inner.end + places.stream_options_value.begin};
    }
  }
  const json::value* const stream = object.if_contains("stream");
  const bool streamed = stream != nullptr && stream->is_bool() && stream->get_bool();
  request.delivery = streamed ? Delivery::streamed : Delivery::whole;
  return request;
}

std::size_t quotes_before_colons(std::string_view body) {
  std::size_t count = 0;
  for (std::size_t i = 0; i + 1 < body.size(); ++i) count += body[i] == ':' ? 1 : 0;
  return count;
}

std::size_t keys_of(const json::value& value) {
  std::size_t keys = 0;
  if (value.is_object()) {
    for (const auto& field : value.get_object()) keys += 1 + keys_of(field.value());
  } else if (value.is_array()) {
    for (const auto& element : value.get_array()) keys += keys_of(element);
  }
  return keys;
}

json::object expected(json::object object, const Profile& profile, const Request& request) {
  object["model"] = model;
  bool binds = false;
  for (const char* const key : {"max_tokens", "max_completion_tokens"}) {
    json::value* const value = object.if_contains(key);
    if (value == nullptr || value->is_null()) continue;
    *value = bound;
    binds = binds || profile.both_output_max_fields_bind || profile.output_max_field == key;
  }
  if (!binds) object[profile.output_max_field] = bound;
  if (request.delivery == Delivery::streamed && profile.takes_stream_usage) {
    json::value& options = object["stream_options"];
    if (!options.is_object()) options = json::object();
    options.get_object()["include_usage"] = true;
  }
  return object;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto value = parsed(body);
  if (!value || !value->is_object()) return 0;
  // A key that stands twice leaves more colons than keys; so may text, which only costs runs.
  if (quotes_before_colons(body) != keys_of(*value)) return 0;
  const auto request = request_of(body, value->get_object());
  if (!request) return 0;

  Profile profile;
  profile.output_max_field = (data[0] & 1) != 0 ? "max_tokens" : "max_completion_tokens";
  profile.both_output_max_fields_bind = (data[0] & 2) != 0;
  profile.takes_stream_usage = (data[0] & 4) != 0;
  std::string out;
  const Edits edits{.model = model, .output_tokens_max = bound};
  claviger::provider::OpenAiAdapter().write_body(profile, *request, edits, out);
  const auto written = parsed(out);
  require(written.has_value());
  require(*written == json::value(expected(value->get_object(), profile, *request)));
  require(keys_of(*written) == quotes_before_colons(out));
  return 0;
}

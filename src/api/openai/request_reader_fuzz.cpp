/// Whatever is accepted is JSON to another strict parser too, says the same to it, and holds
/// no key twice: else a provider could read another request than the one that was paid for.

#include <boost/json.hpp>
#include <boost/json/basic_parser_impl.hpp>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "api/openai/request_reader.h"

namespace {

namespace json = boost::json;
using claviger::exchange::Operation;
using claviger::exchange::Request;
using claviger::exchange::Span;

void require(bool holds) {
  if (!holds) std::abort();
}

/// Rejects what StrictJson refuses and Boost.JSON takes, except repeated keys: for those,
/// compare the number of keys that were written with the number that were kept.
struct KeyCounter {
  constexpr static std::size_t max_object_size = static_cast<std::size_t>(-1);
  constexpr static std::size_t max_array_size = static_cast<std::size_t>(-1);
  constexpr static std::size_t max_key_size = static_cast<std::size_t>(-1);
  constexpr static std::size_t max_string_size = static_cast<std::size_t>(-1);
  std::size_t keys = 0;
  bool on_document_begin(json::error_code&) { return true; }
  bool on_document_end(json::error_code&) { return true; }
  bool on_array_begin(json::error_code&) { return true; }
  bool on_array_end(std::size_t, json::error_code&) { return true; }
  bool on_object_begin(json::error_code&) { return true; }
  bool on_object_end(std::size_t, json::error_code&) { return true; }
  bool on_string_part(json::string_view, std::size_t, json::error_code&) { return true; }
  bool on_string(json::string_view, std::size_t, json::error_code&) { return true; }
  bool on_key_part(json::string_view, std::size_t, json::error_code&) { return true; }
  bool on_key(json::string_view, std::size_t, json::error_code&) {
    ++keys;
    return true;
  }
  bool on_number_part(json::string_view, json::error_code&) { return true; }
  bool on_int64(std::int64_t, json::string_view, json::error_code&) { return true; }
  bool on_uint64(std::uint64_t, json::string_view, json::error_code&) { return true; }
  bool on_double(double, json::string_view, json::error_code&) { return true; }
  bool on_bool(bool, json::error_code&) { return true; }
  bool on_null(json::error_code&) { return true; }
  bool on_comment_part(json::string_view, json::error_code&) { return true; }
  bool on_comment(json::string_view, json::error_code&) { return true; }
};

std::size_t kept_keys(const json::value& value) {
  std::size_t keys = 0;
  if (value.is_object()) {
    for (const auto& field : value.get_object()) keys += 1 + kept_keys(field.value());
  } else if (value.is_array()) {
    for (const auto& element : value.get_array()) keys += kept_keys(element);
  }
  return keys;
}

/// simdjson lets escaped lone surrogates pass in strings that are only passed on; Boost.JSON
/// does not. Both are within RFC 8259, section 8.2.
bool has_surrogate_escape(std::string_view body) {
  return body.find("\\ud") != std::string_view::npos || body.find("\\uD") != std::string_view::npos;
}

void check(const Request& request, std::string_view body) {
  if (has_surrogate_escape(body)) return;
  json::parse_options options;
  options.max_depth = 1024;
  json::error_code error;
  const json::value value = json::parse(body, error, {}, options);
  require(!error);
  json::basic_parser<KeyCounter> counter(options);
  counter.write_some(false, body.data(), body.size(), error);
  require(counter.handler().keys == kept_keys(value));

  const json::object& object = value.as_object();
  require(object.at("model").as_string() == request.model);
  const auto shows = [&](Span place, const json::value* expected) {
    require(place.empty() == (expected == nullptr));
    if (expected != nullptr) {
      require(json::parse(body.substr(place.begin, place.end - place.begin)) == *expected);
    }
  };
  shows(request.places.model_value, &object.at("model"));
  if (request.operation == Operation::chat) {
    shows(request.places.output_max_value, object.if_contains("max_completion_tokens"));
    shows(request.places.output_max_legacy_value, object.if_contains("max_tokens"));
    shows(request.places.stream_options_value, object.if_contains("stream_options"));
    const json::value* stream = object.if_contains("stream");
    require((request.delivery == claviger::exchange::Delivery::streamed) ==
            (stream != nullptr && stream->is_bool() && stream->get_bool()));
  }
  require(body[request.places.after_open_brace - 1] == '{');
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // A copy of exactly this size plus padding, so that AddressSanitizer sees what lies beyond.
  std::string body(reinterpret_cast<const char*>(data), size);
  body.append(64, '}');
  const std::string_view view = std::string_view(body).substr(0, size);
  for (const Operation operation : {Operation::chat, Operation::embeddings}) {
    const auto request = claviger::api::openai::read_request(operation, view);
    if (request) check(*request, view);
    if (!request) require(!request.error().message.empty());
  }
  return 0;
}

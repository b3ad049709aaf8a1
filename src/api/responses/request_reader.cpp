#include "api/responses/request_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/body_reader.h"
#include "api/openai/request_reader.h"
#include "api/responses/request_fields.h"
#include "exchange/json_writer.h"

namespace claviger::api::responses {
namespace {

using exchange::BadRequest;
using exchange::Operation;
using exchange::Request;
using exchange::Unit;
using simdjson::ondemand::value;
using Kind = StrictJson::Kind;

/// More calls than any answer makes; keeps sums from overflowing.
constexpr std::int64_t tool_calls_limit = 1'000'000;

class RequestReader : private BodyReader {
 public:
  RequestReader(StrictJson& json, Request& request) : BodyReader(json, request) {}

  bool read(simdjson::ondemand::document& document);

 private:
  bool field(std::string_view key, value value);
  bool check_is_complete();
  bool stored(value& value, std::string_view key);
  bool input(value& value);
  bool item(value& value);
  bool parts(value& value, std::string_view name);
  struct Part;
  bool part(value& value, std::string_view name);
  bool part_field(std::string_view key, value& value, Part& part);
  void add_part(const Part& part);
  bool output_max(value& value);
  bool tool_calls_max(value& value);
  bool stream_options(value& value);
  bool tools(value& value);
  bool tool(value& value);
  bool text(value& value);
  void add_tool(std::string_view type);
  void bound_tools();
  bool reasoning(value& value);
  bool service_tier(value& value);

  std::string safety_identifier_;
  std::optional<std::int64_t> tool_calls_max_;
  /// Tools whose calls are billed, with what they are billed by.
  std::vector<std::pair<std::string, Unit>> billed_tools_;
  bool has_input_ = false;
};

bool RequestReader::read(simdjson::ondemand::document& document) {
  const auto each = [this](std::string_view key, value value) { return field(key, value); };
  if (!whole_object(document, "{\"model\": …}", each)) return false;
  if (!check_is_complete()) return false;
  bound_tools();
  if (request_.end_user.empty()) request_.end_user = std::move(safety_identifier_);
  return true;
}

bool RequestReader::check_is_complete() {
  if (request_.model.empty()) {
    return json_.fail(BadRequest::Code::missing_field, "model",
                      "`model` is missing; name one as `provider/model`, or an alias");
  }
  // What a provider keeps may be all that is asked.
  const bool refers = request_.parts.unseen > 0 || !request_.unbounded_fields.empty();
  if (!has_input_ && !refers) {
    return json_.fail(BadRequest::Code::missing_field, "input",
                      "`input` is missing; send a text, or an array of items");
  }
  return true;
}

bool RequestReader::field(std::string_view key, value value) {
  const FieldClass* const known = field_class(key);
  if (known == nullptr) {
    name_unknown(key);
    return json_.skip(value, key);
  }
  switch (*known) {
    case FieldClass::free:
    case FieldClass::content:
      return json_.skip(value, key);
    case FieldClass::unbounded:
      return unbounded(value, key);
    case FieldClass::stored:
      return stored(value, key);
    case FieldClass::model:
      return model(value, openai::model_name_bytes_max);
    case FieldClass::input:
      return input(value);
    case FieldClass::output_max:
      return output_max(value);
    case FieldClass::tool_calls_max:
      return tool_calls_max(value);
    case FieldClass::stream:
      return stream(value);
    case FieldClass::stream_options:
      return stream_options(value);
    case FieldClass::tools:
      return tools(value);
    case FieldClass::text:
      return text(value);
    case FieldClass::reasoning:
      return reasoning(value);
    case FieldClass::service_tier:
      return service_tier(value);
    case FieldClass::end_user:
      return end_user(value, key, openai::end_user_bytes_max, request_.end_user);
    case FieldClass::safety_identifier:
      return end_user(value, key, openai::end_user_bytes_max, safety_identifier_);
  }
  return json_.malformed(key);
}

bool RequestReader::stored(value& value, std::string_view key) {
  bool ok = true;
  if (is_null(value, key, ok) || !ok) return ok;
  add_unseen();
  return json_.skip(value, key);
}

bool RequestReader::input(value& value) {
  bool ok = true;
  if (is_null(value, "input", ok) || !ok) return ok;
  has_input_ = true;
  Kind kind{};
  if (!json_.kind_of(value, kind, "input")) return false;
  if (kind == Kind::string) {
    ++request_.parts.messages;
    return json_.skip(value, "input");
  }
  if (kind != Kind::array) return json_.wrong_type("input", "a string or an array of items");
  return json_.each_element(value, "input", [this](auto& element) { return item(element); });
}

bool RequestReader::item(value& value) {
  if (!expect(value, "input", Kind::object, "an array of objects with a `type`")) return false;
  ++request_.parts.messages;
  std::string_view type;
  bool has_content = false;
  const bool read = json_.each_field(value, "input", [&](std::string_view key, auto inner) {
    Kind kind{};
    if (!json_.kind_of(inner, kind, "input")) return false;
    if (key == "type") return string_or_skip(inner, "input.type", type);
    const bool holds_parts = key == "content" || key == "output";
    has_content = has_content || key == "content";
    if (holds_parts && kind == Kind::array) return parts(inner, "input.content");
    return json_.skip(inner, "input");
  });
  // Where nothing is said, it is a message, or, without content, a reference to what the provider
  // keeps (npm openai 7.57.0, EasyInputMessage and ItemReference, 2026-11).
  const bool is_text = type.empty() ? has_content : is_text_item(type);
  if (read && !is_text) add_unseen();
  return read;
}

bool RequestReader::parts(value& value, std::string_view name) {
  return json_.each_element(value, name, [&](auto& element) { return part(element, name); });
}

/// What a part of an item's content says of itself. Views live as long as the document.
struct RequestReader::Part {
  std::string_view type;
  std::string_view url;        ///< `image_url`
  std::string_view detail;     ///< Of an image.
  std::string_view data;       ///< `file_data`, or `input_audio.data`
  std::string_view format;     ///< `input_audio.format`
  bool has_reference = false;  ///< `file_id`, `file_url`, and whatever this build does not know.
};

bool RequestReader::part(value& value, std::string_view name) {
  if (!expect(value, name, Kind::object, "an array of objects with a `type`")) return false;
  Part part;
  const bool read = json_.each_field(
      value, name, [&](std::string_view key, auto inner) { return part_field(key, inner, part); });
  if (read) add_part(part);
  return read;
}

/// Parts as typed in npm openai 7.57.0, ResponseInputContent and ResponseInputAudio (2026-11).
bool RequestReader::part_field(std::string_view key, value& value, Part& part) {
  constexpr std::string_view name = "input.content";
  if (key == "type") return json_.string(value, "input.content.type", part.type);
  if (key == "image_url") return string_or_skip(value, name, part.url);
  if (key == "detail") return string_or_skip(value, name, part.detail);
  if (key == "file_data") return string_or_skip(value, name, part.data);
  Kind kind{};
  if (!json_.kind_of(value, kind, name)) return false;
  if (key == "input_audio" && kind == Kind::object) {
    return json_.each_field(value, name, [&](std::string_view inner_key, auto inner) {
      if (inner_key == "data") return string_or_skip(inner, name, part.data);
      if (inner_key == "format") return string_or_skip(inner, name, part.format);
      return json_.skip(inner, name);
    });
  }
  constexpr std::string_view texts[] = {"text",     "refusal",  "annotations",
                                        "logprobs", "filename", "prompt_cache_breakpoint"};
  const bool is_text = std::find(std::begin(texts), std::end(texts), key) != std::end(texts);
  if (!is_text && kind != Kind::null) part.has_reference = true;
  return json_.skip(value, name);
}

/// Images, sound, files, references and whatever comes next: their bytes bound nothing, but of
/// some of them a formula knows the most that they cost.
void RequestReader::add_part(const Part& part) {
  if (is_text_part(part.type)) return;
  if (part.type == "input_image" && !part.url.empty() && !part.has_reference) {
    return add_image_at(part.url, part.detail);
  }
  if (part.type == "input_audio" && !part.has_reference) {
    return add_sound_in_base64(part.data, part.format);
  }
  if (part.type == "input_file" && !part.has_reference) return add_document_at(part.data);
  add_unseen();
}

bool RequestReader::output_max(value& value) {
  constexpr std::string_view key = "max_output_tokens";
  Kind kind{};
  if (!json_.kind_of(value, kind, key)) return false;
  if (kind == Kind::null || kind == Kind::number) {
    request_.places.output_max_value = json_.span_of_scalar(value);
  }
  if (kind == Kind::null) return json_.skip(value, key);
  std::int64_t tokens = 0;
  if (!json_.integer(value, key, tokens)) return false;
  if (tokens < 1 || tokens > output_tokens_limit) {
    return json_.fail(BadRequest::Code::out_of_range, key,
                      fmt::format("`{}` must be between 1 and {}; leave it out for as much as "
                                  "the budget and the model allow",
                                  key, output_tokens_limit));
  }
  request_.output_tokens_max = tokens;
  return true;
}

bool RequestReader::tool_calls_max(value& value) {
  constexpr std::string_view key = "max_tool_calls";
  bool ok = true;
  if (is_null(value, key, ok) || !ok) return ok;
  std::int64_t calls = 0;
  if (!json_.integer(value, key, calls)) return false;
  if (calls < 0 || calls > tool_calls_limit) {
    return json_.fail(BadRequest::Code::out_of_range, key,
                      fmt::format("`{}` must be between 0 and {}", key, tool_calls_limit));
  }
  tool_calls_max_ = calls;
  return true;
}

bool RequestReader::stream_options(value& value) {
  bool ok = true;
  if (is_null(value, "stream_options", ok) || !ok) return ok;
  return expect(value, "stream_options", Kind::object, "an object") &&
         json_.skip(value, "stream_options");
}

bool RequestReader::tools(value& value) {
  const std::size_t begin = json_.span_of_scalar(value).begin;
  bool ok = true;
  if (is_null(value, "tools", ok) || !ok) return ok;
  if (!expect(value, "tools", Kind::array, "an array of tools")) return false;
  const bool read =
      json_.each_element(value, "tools", [this](auto& element) { return tool(element); });
  if (read) request_.places.tools_value = {.begin = begin, .end = json_.consumed_end()};
  return read;
}

bool RequestReader::text(value& value) {
  const std::size_t begin = json_.span_of_scalar(value).begin;
  bool ok = true;
  if (is_null(value, "text", ok) || !ok) return ok;
  if (!expect(value, "text", Kind::object, "an object") || !json_.skip(value, "text")) return false;
  request_.places.answer_form_value = {.begin = begin, .end = json_.consumed_end()};
  return true;
}

bool RequestReader::tool(value& value) {
  if (!expect(value, "tools", Kind::object, "an array of objects with a `type`")) return false;
  std::string_view type;
  const bool read = json_.each_field(value, "tools", [&](std::string_view key, auto inner) {
    return key == "type" ? json_.string(inner, "tools.type", type) : json_.skip(inner, "tools");
  });
  if (read) add_tool(type);
  return read;
}

void RequestReader::add_tool(std::string_view type) {
  std::string name = fmt::format("tools.{}", exchange::clipped(type, named_field_bytes_max));
  switch (tool_class(type)) {
    case ToolClass::described_here:
      ++request_.parts.tools;
      return;
    case ToolClass::described_there:
      return add_unseen();
    case ToolClass::web_search:
      billed_tools_.emplace_back(std::move(name), Unit::web_search);
      return;
    case ToolClass::file_search:
      billed_tools_.emplace_back(std::move(name), Unit::file_search);
      return;
    case ToolClass::code_interpreter:
      billed_tools_.emplace_back(std::move(name), Unit::code_session);
      return;
    case ToolClass::unbounded:
      return name_unbounded(name);
  }
}

/// `max_tool_calls` bounds the calls of all built-in tools together (npm openai 7.57.0, 2026-11),
/// so each of them may be called that often. What a call found is read in the next round, and
/// nobody sees it before.
void RequestReader::bound_tools() {
  exchange::Extras& extras = request_.extras;
  for (auto& [name, unit] : billed_tools_) {
    if (!tool_calls_max_) {
      name_unbounded(name + " without max_tool_calls");
      continue;
    }
    ++request_.parts.tools;
    extras.rounds_max = *tool_calls_max_ + 1;
    extras.units_max[unit] = *tool_calls_max_;
    if (extras.priced_fields.size() == exchange::named_fields_max) continue;
    extras.priced_fields.push_back({.field = std::move(name), .needs = unit});
  }
}

/// Reasoning counts as output. `mode` other than the standard one is priced nowhere.
bool RequestReader::reasoning(value& value) {
  bool ok = true;
  if (is_null(value, "reasoning", ok) || !ok) return ok;
  if (!expect(value, "reasoning", Kind::object, "an object")) return false;
  return json_.each_field(value, "reasoning", [this](std::string_view key, auto inner) {
    if (key != "mode") return json_.skip(inner, "reasoning");
    std::string_view mode = "standard";
    if (!string_or_skip(inner, "reasoning.mode", mode)) return false;
    if (mode != "standard") name_unbounded("reasoning.mode");
    return true;
  });
}

/// As in chat completions (api/openai/request_reader.cpp): `auto` leaves it to the account.
bool RequestReader::service_tier(value& value) {
  using enum exchange::ServiceTier;
  bool ok = true;
  if (is_null(value, "service_tier", ok) || !ok) return ok;
  std::string_view word;
  if (!json_.string(value, "service_tier", word)) return false;
  if (word == "auto") return true;
  if (word == "default") {
    request_.extras.service_tier = standard;
    return true;
  }
  service_tier_named(word, "service_tier");
  return true;
}

}  // namespace

std::expected<Request, BadRequest> read_request(Operation operation, std::string_view body) {
  Request request;
  request.operation = operation;
  request.dialect = exchange::DialectId::openai_responses;
  request.wants_usage_event = true;  // Its streams always say what they used.
  return read_body<RequestReader>(std::move(request), body);
}

}  // namespace claviger::api::responses

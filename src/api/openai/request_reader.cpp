#include "api/openai/request_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "api/body_reader.h"
#include "api/openai/request_fields.h"
#include "exchange/json_writer.h"

namespace claviger::api::openai {
namespace {

using exchange::BadRequest;
using exchange::Operation;
using exchange::Request;
using simdjson::ondemand::value;
using Kind = StrictJson::Kind;

class RequestReader : private BodyReader {
 public:
  RequestReader(StrictJson& json, Request& request) : BodyReader(json, request) {}

  bool read(simdjson::ondemand::document& document);

 private:
  bool field(std::string_view key, value value);
  bool messages(value& value);
  bool message(value& value);
  bool content(value& value);
  bool content_part(value& value);
  struct Part;
  bool part_field(std::string_view key, value& value, Part& part);
  void add_part(const Part& part);
  bool embedding_input(value& value);
  bool output_max(value& value, std::string_view key, exchange::Span& place);
  bool choices(value& value, std::string_view key);
  bool prediction(value& value);
  bool web_search_options(value& value);
  bool stream_options(value& value);
  bool tools(value& value);
  bool tool(value& value);
  bool answer_form(value& value);
  bool modalities(value& value);
  bool service_tier(value& value);

  std::string safety_identifier_;
  bool has_messages_ = false;
  bool has_input_ = false;
};

bool RequestReader::read(simdjson::ondemand::document& document) {
  const auto each = [this](std::string_view key, value value) { return field(key, value); };
  if (!whole_object(document, "{\"model\": …}", each)) return false;

  if (request_.model.empty()) {
    return json_.fail(BadRequest::Code::missing_field, "model",
                      "`model` is missing; name one as `provider/model`, or an alias");
  }
  if (request_.operation == Operation::chat && !has_messages_) {
    return json_.fail(BadRequest::Code::missing_field, "messages",
                      "`messages` is missing; send an array with at least one message");
  }
  if (request_.operation == Operation::embeddings && !has_input_) {
    return json_.fail(BadRequest::Code::missing_field, "input",
                      "`input` is missing; send the text to embed");
  }
  if (request_.end_user.empty()) request_.end_user = std::move(safety_identifier_);
  return true;
}

bool RequestReader::field(std::string_view key, value value) {
  const FieldClass* const known = field_class(request_.operation, key);
  if (known == nullptr) {
    name_unknown(key);
    return json_.skip(value, key);
  }
  auto& places = request_.places;
  switch (*known) {
    case FieldClass::free:
    case FieldClass::content:
      return json_.skip(value, key);
    case FieldClass::unbounded:
      return unbounded(value, key);
    case FieldClass::model:
      return model(value, model_name_bytes_max);
    case FieldClass::messages:
      return messages(value);
    case FieldClass::embedding_input:
      return embedding_input(value);
    case FieldClass::output_max:
      return output_max(value, key, places.output_max_value);
    case FieldClass::output_max_legacy:
      return output_max(value, key, places.output_max_legacy_value);
    case FieldClass::choices:
      return choices(value, key);
    case FieldClass::stream:
      return stream(value);
    case FieldClass::stream_options:
      return stream_options(value);
    case FieldClass::tools:
      return tools(value);
    case FieldClass::answer_form:
      return answer_form(value);
    case FieldClass::modalities:
      return modalities(value);
    case FieldClass::prediction:
      return prediction(value);
    case FieldClass::web_search_options:
      return web_search_options(value);
    case FieldClass::service_tier:
      return service_tier(value);
    case FieldClass::end_user:
      return end_user(value, key, end_user_bytes_max, request_.end_user);
    case FieldClass::safety_identifier:
      return end_user(value, key, end_user_bytes_max, safety_identifier_);
  }
  return json_.malformed(key);
}

bool RequestReader::messages(value& value) {
  has_messages_ = true;
  Kind kind{};
  if (!json_.kind_of(value, kind, "messages")) return false;
  if (kind != Kind::array) return json_.wrong_type("messages", "an array of messages");
  return json_.each_element(value, "messages", [this](auto& element) { return message(element); });
}

bool RequestReader::message(value& value) {
  Kind kind{};
  if (!json_.kind_of(value, kind, "messages")) return false;
  if (kind != Kind::object) {
    return json_.wrong_type("messages", "an array of objects with `role` and `content`");
  }
  ++request_.parts.messages;
  return json_.each_field(value, "messages", [this](std::string_view key, auto inner) {
    if (key == "content") return content(inner);
    if (!is_text_message_field(key)) {
      bool ok = true;
      if (is_null(inner, key, ok) || !ok) return ok;
      add_unseen();
    }
    return json_.skip(inner, "messages");
  });
}

bool RequestReader::content(value& value) {
  Kind kind{};
  if (!json_.kind_of(value, kind, "messages.content")) return false;
  if (kind == Kind::string || kind == Kind::null) return json_.skip(value, "messages.content");
  if (kind != Kind::array) {
    return json_.wrong_type("messages.content", "a string or an array of parts");
  }
  return json_.each_element(value, "messages.content",
                            [this](auto& element) { return content_part(element); });
}

/// What a part of a message's content says of itself. Views live as long as the document.
struct RequestReader::Part {
  std::string_view type;
  std::string_view url;        ///< `image_url.url`
  std::string_view detail;     ///< `image_url.detail`
  std::string_view data;       ///< `input_audio.data`, or `file.file_data`
  std::string_view format;     ///< `input_audio.format`
  bool has_reference = false;  ///< `file.file_id`, and whatever else this build does not know.
};

bool RequestReader::content_part(value& value) {
  Kind kind{};
  if (!json_.kind_of(value, kind, "messages.content")) return false;
  if (kind == Kind::string) return json_.skip(value, "messages.content");  // vLLM takes these.
  if (kind != Kind::object) {
    return json_.wrong_type("messages.content", "an array of objects with a `type`");
  }
  Part part;
  const bool read = json_.each_field(
      value, "messages.content",
      [&](std::string_view key, auto inner) { return part_field(key, inner, part); });
  if (read) add_part(part);
  return read;
}

/// Parts as typed in the npm package openai 6.49.0, ChatCompletionContentPart (2026-11).
bool RequestReader::part_field(std::string_view key, value& value, Part& part) {
  if (key == "type") return json_.string(value, "messages.content.type", part.type);
  const bool is_image = key == "image_url";
  const bool has_parts = is_image || key == "input_audio" || key == "file";
  if (!has_parts) {
    if (key != "text" && key != "refusal" && key != "cache_control") part.has_reference = true;
    return json_.skip(value, "messages.content");
  }
  Kind kind{};
  if (!json_.kind_of(value, kind, key)) return false;
  if (kind == Kind::string && is_image) return json_.string(value, key, part.url);
  if (kind != Kind::object) return json_.skip(value, key);
  return json_.each_field(value, key, [&](std::string_view name, auto inner) {
    if (name == "url" && is_image) return string_or_skip(inner, name, part.url);
    if (name == "detail" && is_image) return string_or_skip(inner, name, part.detail);
    if (name == "data" || name == "file_data") return string_or_skip(inner, name, part.data);
    if (name == "format") return string_or_skip(inner, name, part.format);
    if (name != "filename") part.has_reference = true;
    return json_.skip(inner, name);
  });
}

/// Images, sound, files, references and whatever comes next: their bytes bound nothing, but of
/// some of them a formula knows the most that they cost.
void RequestReader::add_part(const Part& part) {
  if (part.type == "text" || part.type == "refusal") return;
  if (part.type == "image_url" && !part.url.empty() && !part.has_reference) {
    return add_image_at(part.url, part.detail);
  }
  if (part.type == "input_audio" && !part.has_reference) {
    return add_sound_in_base64(part.data, part.format);
  }
  if (part.type == "file" && !part.has_reference) return add_document_at(part.data);
  add_unseen();
}

bool RequestReader::embedding_input(value& value) {
  has_input_ = true;
  Kind kind{};
  if (!json_.kind_of(value, kind, "input")) return false;
  if (kind == Kind::string) return json_.skip(value, "input");
  if (kind != Kind::array) {
    return json_.wrong_type("input", "a string, or an array of strings or tokens");
  }
  return json_.each_element(value, "input", [this](auto& element) {
    Kind inner{};
    if (!json_.kind_of(element, inner, "input")) return false;
    // Text and tokens are bounded by their bytes; objects are images or references.
    if (inner == Kind::object) add_unseen();
    return json_.skip(element, "input");
  });
}

bool RequestReader::output_max(value& value, std::string_view key, exchange::Span& place) {
  Kind kind{};
  if (!json_.kind_of(value, kind, key)) return false;
  if (kind == Kind::null || kind == Kind::number) place = json_.span_of_scalar(value);
  if (kind == Kind::null) return json_.skip(value, key);
  std::int64_t tokens = 0;
  if (!json_.integer(value, key, tokens)) return false;
  if (tokens < 1 || tokens > output_tokens_limit) {
    return json_.fail(BadRequest::Code::out_of_range, key,
                      fmt::format("`{}` must be between 1 and {}; leave it out for as much as "
                                  "the budget and the model allow",
                                  key, output_tokens_limit));
  }
  request_.output_tokens_max = std::max(request_.output_tokens_max.value_or(0), tokens);
  return true;
}

bool RequestReader::choices(value& value, std::string_view key) {
  bool ok = true;
  if (is_null(value, key, ok) || !ok) return ok;
  std::int64_t number = 0;
  if (!json_.integer(value, key, number)) return false;
  if (number < 1 || number > choices_max) {
    return json_.fail(BadRequest::Code::out_of_range, key,
                      fmt::format("`{}` must be between 1 and {}", key, choices_max));
  }
  request_.choices = std::max(request_.choices, number);
  return true;
}

bool RequestReader::prediction(value& value) {
  const exchange::Span start = json_.span_of_scalar(value);
  bool ok = true;
  if (is_null(value, "prediction", ok) || !ok) return ok;
  if (!json_.skip(value, "prediction")) return false;
  request_.places.prediction_value = {.begin = start.begin, .end = json_.consumed_end()};
  return true;
}

bool RequestReader::web_search_options(value& value) {
  bool ok = true;
  if (is_null(value, "web_search_options", ok) || !ok) return ok;
  request_.extras.priced_fields.push_back(
      {.field = "web_search_options", .needs = exchange::ModelsOwnSearch{}});
  return json_.skip(value, "web_search_options");
}

bool RequestReader::stream_options(value& value) {
  auto& places = request_.places;
  const exchange::Span start = json_.span_of_scalar(value);
  bool ok = true;
  if (is_null(value, "stream_options", ok) || !ok) {
    places.stream_options_value = start;
    return ok;
  }
  Kind kind{};
  if (!json_.kind_of(value, kind, "stream_options")) return false;
  if (kind != Kind::object) return json_.wrong_type("stream_options", "an object");
  const bool read =
      json_.each_field(value, "stream_options", [&](std::string_view key, auto inner) {
        if (key != "include_usage") return json_.skip(inner, "stream_options");
        places.include_usage_value = json_.span_of_scalar(inner);
        bool good = true;
        if (is_null(inner, "stream_options.include_usage", good) || !good) return good;
        return json_.boolean(inner, "stream_options.include_usage", request_.wants_usage_event);
      });
  if (read) places.stream_options_value = {.begin = start.begin, .end = json_.consumed_end()};
  return read;
}

bool RequestReader::tools(value& value) {
  const std::size_t begin = json_.span_of_scalar(value).begin;
  bool ok = true;
  if (is_null(value, "tools", ok) || !ok) return ok;
  Kind kind{};
  if (!json_.kind_of(value, kind, "tools")) return false;
  if (kind != Kind::array) return json_.wrong_type("tools", "an array of tools");
  const bool whole =
      json_.each_element(value, "tools", [this](auto& element) { return tool(element); });
  if (whole) request_.places.tools_value = {.begin = begin, .end = json_.consumed_end()};
  return whole;
}

bool RequestReader::answer_form(value& value) {
  const std::size_t begin = json_.span_of_scalar(value).begin;
  bool ok = true;
  if (is_null(value, "response_format", ok) || !ok) return ok;
  if (!json_.skip(value, "response_format")) return false;
  request_.places.answer_form_value = {.begin = begin, .end = json_.consumed_end()};
  return true;
}

/// A tool that the caller runs costs its description. One that the provider runs (web search,
/// code execution, connectors) costs per use, as often as the model likes.
bool RequestReader::tool(value& value) {
  Kind kind{};
  if (!json_.kind_of(value, kind, "tools")) return false;
  if (kind != Kind::object) return json_.wrong_type("tools", "an array of objects with a `type`");
  std::string_view type;
  bool has_type = false;
  bool has_function = false;
  const bool read = json_.each_field(value, "tools", [&](std::string_view key, auto inner) {
    if (key == "function") has_function = true;
    if (key != "type") return json_.skip(inner, "tools");
    has_type = true;
    return json_.string(inner, "tools.type", type);
  });
  if (!read) return false;
  const bool runs_here = has_type ? type == "function" || type == "custom" : has_function;
  if (runs_here) {
    ++request_.parts.tools;
  } else {
    name_unbounded(fmt::format("tools.{}", exchange::clipped(type, named_field_bytes_max)));
  }
  return true;
}

bool RequestReader::modalities(value& value) {
  bool ok = true;
  if (is_null(value, "modalities", ok) || !ok) return ok;
  Kind kind{};
  if (!json_.kind_of(value, kind, "modalities")) return false;
  if (kind != Kind::array) return json_.wrong_type("modalities", "an array of strings");
  exchange::Extras& extras = request_.extras;
  extras.has_text_answer_only = true;
  return json_.each_element(value, "modalities", [&](auto& element) {
    std::string_view modality;
    if (!json_.string(element, "modalities", modality)) return false;
    if (modality == "text") return true;
    extras.has_text_answer_only = false;
    std::string name =
        fmt::format("modalities.{}", exchange::clipped(modality, named_field_bytes_max));
    if (modality == "audio") {
      extras.has_spoken_answer = true;
      extras.priced_fields.push_back({.field = std::move(name), .needs = exchange::SpokenAnswer{}});
    } else {
      // Pictures are priced by other units, of which no field says how many there may be.
      name_unbounded(name);
    }
    return true;
  });
}

/// `auto` leaves it to the account, like no word at all
/// (https://platform.openai.com/docs/api-reference/chat/create#chat-create-service_tier, 2026-11).
/// `standard`, `standard_only` and `on_demand` are other providers' words for `default`. What else
/// there is (`scale`, `performance`) is not priced by tokens.
bool RequestReader::service_tier(value& value) {
  using enum exchange::ServiceTier;
  bool ok = true;
  if (is_null(value, "service_tier", ok) || !ok) return ok;
  std::string_view word;
  if (!json_.string(value, "service_tier", word)) return false;
  if (word == "auto") return true;
  if (word == "default" || word == "standard" || word == "standard_only" || word == "on_demand") {
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
  return read_body<RequestReader>(std::move(request), body);
}

}  // namespace claviger::api::openai

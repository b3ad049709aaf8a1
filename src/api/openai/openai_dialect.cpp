#include "api/openai/openai_dialect.h"

#include <fmt/format.h>

#include <iterator>
#include <utility>

#include "api/openai/input_texts.h"
#include "api/openai/request_reader.h"
#include "exchange/json_edit.h"
#include "exchange/json_scratch.h"
#include "exchange/json_writer.h"
#include "exchange/sse.h"

namespace claviger::api {
namespace {

using exchange::append_json_string;
using exchange::Span;

void append_field(std::string& out, std::string_view key, std::string_view text) {
  if (out.back() != '{') out += ',';
  append_json_string(out, key);
  out += ':';
  append_json_string(out, text);
}

void append_raw_field(std::string& out, std::string_view key, std::string_view json) {
  if (out.back() != '{') out += ',';
  append_json_string(out, key);
  out += ':';
  out += json;
}

std::string_view to_string(Retry retry) {
  switch (retry) {
    case Retry::no:
      return "no";
    case Retry::yes:
      return "yes";
    case Retry::after:
      return "after";
  }
  return "no";
}

/// OpenAI's own classes by status, as its SDKs' users know them
/// (https://platform.openai.com/docs/guides/error-codes, 2026-11).
std::string_view type_for(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 402:
      return "insufficient_quota";
    case 403:
      return "permission_error";
    case 429:
      return "rate_limit_error";
    default:
      return status >= 500 ? "server_error" : "invalid_request_error";
  }
}

/// A confidence as JSON: at most three digits behind the point, within 0 and 1.
std::string confidence_json(double confidence) {
  if (!(confidence > 0)) return "0";
  if (confidence >= 1) return "1";
  return fmt::format("{:.3g}", confidence);
}

/// The object `error.claviger` of contract.md, "Errors".
std::string verdict_json(const ErrorAnswer& error) {
  std::string out = "{";
  append_field(out, "request_id", error.request.text());
  append_field(out, "at_fault", error.at_fault);
  append_field(out, "cause", error.code);
  append_raw_field(out, "confidence", confidence_json(error.confidence));
  append_field(out, "say", error.say);
  append_field(out, "remedy", error.remedy);
  append_field(out, "retry", to_string(error.retry));
  if (error.retry == Retry::after) {
    append_raw_field(out, "retry_after_s", fmt::format("{}", error.retry_after_s));
  }
  std::string evidence = "[";
  for (const std::string& item : error.evidence) {
    if (evidence.size() > 1) evidence += ',';
    append_json_string(evidence, item);
  }
  append_raw_field(out, "evidence", evidence + "]");
  return out + "}";
}

std::string error_json(const ErrorAnswer& error, std::string_view message) {
  std::string out = "{\"error\":{";
  append_field(out, "message", message);
  append_field(out, "type",
               error.type.empty() ? type_for(error.status) : std::string_view(error.type));
  append_field(out, "code", error.code);
  if (error.param.empty()) {
    append_raw_field(out, "param", "null");
  } else {
    append_field(out, "param", error.param);
  }
  append_raw_field(out, "claviger", verdict_json(error));
  return out + "}}";
}

std::string model_json(const ListedModel& model) {
  std::string out = "{";
  append_field(out, "id", model.id);
  append_field(out, "object", "model");
  append_raw_field(out, "created", fmt::format("{}", model.created_s));
  append_field(out, "owned_by", model.owned_by);
  return out + "}";
}

/// A JSON string's content; nothing where `json` is no string.
std::string unescaped(std::string_view json) {
  std::string text;
  exchange::with_json(json, exchange::JsonPadding::absent,
                      [&](simdjson::ondemand::document& document, std::string_view) {
                        std::string_view view;
                        if (document.get_string().get(view) == simdjson::SUCCESS) text = view;
                      });
  return text;
}

/// The words of an error body that is not of this dialect: `{"error": "…"}` (Ollama),
/// `{"object": "error", "message": "…"}` (vLLM), `{"detail": "…"}` (FastAPI), or the text.
std::string words_of(std::string_view provider_body) {
  for (const std::string_view key : {"error", "message", "detail"}) {
    const Span place = exchange::find_value(provider_body, key);
    if (place.empty()) continue;
    const std::string words = unescaped(exchange::at(provider_body, place));
    if (!words.empty()) return words;
  }
  return std::string(provider_body);
}

/// `body` with the cost set in the object at `usage`; nothing where that is no object.
std::string cost_added(std::string_view body, Span usage, NanoUsd cost) {
  if (usage.empty() || body[usage.begin] != '{') return {};
  return exchange::with_field_at(body, usage, "cost", to_decimal(cost));
}

}  // namespace

std::expected<exchange::Request, exchange::BadRequest> OpenAiDialect::read(
    exchange::Operation operation, std::string_view body) const {
  return openai::read_request(operation, body);
}

std::vector<InputText> OpenAiDialect::input_texts(const exchange::Request& request) const {
  return openai::input_texts(request);
}

std::string OpenAiDialect::error_body(const ErrorAnswer& error) const {
  return error_json(error, error.message);
}

std::string OpenAiDialect::annotated_error_body(std::string_view provider_body,
                                                const ErrorAnswer& error) const {
  const Span object = exchange::find_value(provider_body, "error");
  if (!object.empty() && provider_body[object.begin] == '{') {
    return exchange::spliced(
        provider_body, object,
        exchange::with_field(exchange::at(provider_body, object), "claviger", verdict_json(error)));
  }
  const std::string words = words_of(provider_body);
  const std::string_view shown = exchange::clipped(words, provider_words_bytes_max);
  const bool says_nothing = shown.find_first_not_of(" \n\r\t") == std::string_view::npos;
  return error_json(error, says_nothing ? std::string_view(error.message) : shown);
}

std::string OpenAiDialect::error_event(const ErrorAnswer& error) const {
  return "data: " + error_body(error) + "\n\n";
}

std::string OpenAiDialect::models_body(const std::vector<ListedModel>& models) const {
  std::string out = R"({"object":"list","data":[)";
  for (const ListedModel& model : models) {
    if (out.back() != '[') out += ',';
    out += model_json(model);
  }
  return out + "]}";
}

std::string OpenAiDialect::model_body(const ListedModel& model) const {
  return model_json(model);
}

std::string OpenAiDialect::with_cost(std::string_view body, exchange::Span usage,
                                     NanoUsd cost) const {
  std::string edited = cost_added(body, usage, cost);
  return edited.empty() ? std::string(body) : edited;
}

std::string OpenAiDialect::event_with_cost(std::string_view event, NanoUsd cost) const {
  std::string joined;
  const std::string_view data = exchange::event_data(event, joined);
  std::string edited = cost_added(data, exchange::find_value(data, "usage"), cost);
  if (edited.empty()) return std::string(event);
  if (joined.empty()) {
    const auto begin = static_cast<std::size_t>(data.data() - event.data());
    return exchange::spliced(event, {.begin = begin, .end = begin + data.size()}, edited);
  }
  // Several data lines: written anew, since the edit may stand in any of them.
  std::string out;
  const std::string_view type = exchange::event_type(event);
  if (!type.empty()) out = fmt::format("event: {}\n", type);
  out += "data: ";
  for (const char c : edited) {
    out += c;
    if (c == '\n') out += "data: ";
  }
  return out + "\n\n";
}

}  // namespace claviger::api

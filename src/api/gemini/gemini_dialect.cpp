#include "api/gemini/gemini_dialect.h"

#include "api/cost_edit.h"
#include "api/error_json.h"
#include "api/gemini/answer_writer.h"
#include "api/gemini/conversation_reader.h"
#include "api/gemini/request_reader.h"
#include "exchange/json_builder.h"
#include "exchange/json_edit.h"
#include "exchange/json_tree.h"

namespace claviger::api {
namespace {

using exchange::JsonBuilder;

/// Source: https://cloud.google.com/apis/design/errors#handling_errors (google.rpc.Code as HTTP,
/// 2026-11).
std::string_view status_for(int status) {
  switch (status) {
    case 400:
    case 413:
    case 422:
      return "INVALID_ARGUMENT";
    case 401:
      return "UNAUTHENTICATED";
    case 402:
    case 429:
      return "RESOURCE_EXHAUSTED";
    case 403:
      return "PERMISSION_DENIED";
    case 404:
      return "NOT_FOUND";
    case 409:
      return "ABORTED";
    case 408:
    case 504:
      return "DEADLINE_EXCEEDED";
    case 499:
      return "CANCELLED";
    case 501:
      return "UNIMPLEMENTED";
    case 502:
    case 503:
      return "UNAVAILABLE";
    default:
      return status >= 500 ? "INTERNAL" : "FAILED_PRECONDITION";
  }
}

std::string error_json(const ErrorAnswer& error, std::string_view message) {
  std::string out;
  JsonBuilder json(out);
  json.open_object().key("error").open_object();
  json.integer_field("code", error.status).field("message", message);
  json.field("status", status_for(error.status));
  json.raw_field("claviger", verdict_json(error)).close_object().close_object();
  return out;
}

void write_model(JsonBuilder& json, const ListedModel& model) {
  json.open_object().field("name", "models/" + model.id).field("displayName", model.id);
  json.key("supportedGenerationMethods").open_array();
  json.string("generateContent").string("countTokens").close_array();
  json.close_object();
}

}  // namespace

std::expected<exchange::Request, exchange::BadRequest> GeminiDialect::read(
    exchange::Operation operation, std::string_view body) const {
  return gemini::read_request(operation, body);
}

std::string GeminiDialect::error_body(const ErrorAnswer& error) const {
  return error_json(error, error.message);
}

std::string GeminiDialect::annotated_error_body(std::string_view provider_body,
                                                const ErrorAnswer& error) const {
  exchange::JsonTree tree;
  tree.read(provider_body);
  const exchange::JsonNode object = tree.root()["error"];
  if (object.is_object() && object["status"].is_string()) {
    const auto begin = static_cast<std::size_t>(object.raw().data() - provider_body.data());
    return exchange::spliced(provider_body, {.begin = begin, .end = begin + object.raw().size()},
                             exchange::with_field(object.raw(), "claviger", verdict_json(error)));
  }
  const std::string words = words_of(provider_body);
  return error_json(error, words.empty() ? error.message : words);
}

std::string GeminiDialect::error_event(const ErrorAnswer& error) const {
  return "data: " + error_body(error) + "\n\n";
}

std::string GeminiDialect::models_body(const std::vector<ListedModel>& models) const {
  std::string out;
  JsonBuilder json(out);
  json.open_object().key("models").open_array();
  for (const ListedModel& model : models) write_model(json, model);
  json.close_array().close_object();
  return out;
}

std::string GeminiDialect::model_body(const ListedModel& model) const {
  std::string out;
  JsonBuilder json(out);
  write_model(json, model);
  return out;
}

std::string GeminiDialect::with_cost(std::string_view body, exchange::Span usage,
                                     NanoUsd cost) const {
  return body_with_cost(body, usage, cost);
}

std::string GeminiDialect::event_with_cost(std::string_view event, NanoUsd cost) const {
  return sse_event_with_cost(event, "usageMetadata", cost);
}

std::expected<exchange::Conversation, exchange::BadRequest> GeminiDialect::read_conversation(
    const exchange::Request& request) const {
  return gemini::read_conversation(request);
}

std::string GeminiDialect::answer_body(const exchange::Answer& answer,
                                       const exchange::Bill& bill) const {
  return gemini::generate_content_response(answer, bill);
}

std::unique_ptr<exchange::EventWriter> GeminiDialect::event_writer(
    const exchange::Request& /*request*/) const {
  return gemini::content_stream_writer();
}

}  // namespace claviger::api

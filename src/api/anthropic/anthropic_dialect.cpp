#include "api/anthropic/anthropic_dialect.h"

#include <utility>

#include "api/anthropic/answer_writer.h"
#include "api/anthropic/conversation_reader.h"
#include "api/anthropic/request_reader.h"
#include "api/cost_edit.h"
#include "api/error_json.h"
#include "exchange/json_builder.h"
#include "exchange/json_edit.h"

namespace claviger::api {
namespace {

using exchange::JsonBuilder;

/// Source: https://platform.claude.com/docs/en/api/errors, as typed in npm @anthropic-ai/sdk
/// 1.14.0, resources/shared.d.ts (2026-11).
std::string_view type_for(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 402:
      return "billing_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 413:
      return "request_too_large";
    case 429:
      return "rate_limit_error";
    case 408:
    case 504:
      return "timeout_error";
    case 503:
    case 529:
      return "overloaded_error";
    default:
      return status >= 500 ? "api_error" : "invalid_request_error";
  }
}

std::string error_json(const ErrorAnswer& error, std::string_view message) {
  std::string out;
  JsonBuilder json(out);
  json.open_object().field("type", "error").key("error").open_object();
  json.field("type", error.type.empty() ? type_for(error.status) : std::string_view(error.type));
  json.field("message", message).field("code", error.code);
  json.field_if("param", error.param);
  json.raw_field("claviger", verdict_json(error)).close_object();
  json.field("request_id", error.request.text()).close_object();
  return out;
}

void write_model(JsonBuilder& json, const ListedModel& model) {
  json.open_object().field("type", "model").field("id", model.id);
  json.field("display_name", model.id);
  // Not known; the SDKs want a date.
  json.field("created_at", "1970-01-01T00:00:00Z").close_object();
}

}  // namespace

std::expected<exchange::Request, exchange::BadRequest> AnthropicDialect::read(
    exchange::Operation operation, std::string_view body) const {
  return anthropic::read_request(operation, body);
}

std::string AnthropicDialect::error_body(const ErrorAnswer& error) const {
  return error_json(error, error.message);
}

std::string AnthropicDialect::annotated_error_body(std::string_view provider_body,
                                                   const ErrorAnswer& error) const {
  exchange::JsonTree tree;
  tree.read(provider_body);
  const exchange::JsonNode root = tree.root();
  if (root["type"].text() == "error" && root["error"].is_object()) {
    const std::string_view object = root["error"].raw();
    const auto begin = static_cast<std::size_t>(object.data() - provider_body.data());
    return exchange::spliced(provider_body, {.begin = begin, .end = begin + object.size()},
                             exchange::with_field(object, "claviger", verdict_json(error)));
  }
  const std::string words = words_of(provider_body);
  return error_json(error, words.empty() ? error.message : words);
}

std::string AnthropicDialect::error_event(const ErrorAnswer& error) const {
  return "event: error\ndata: " + error_body(error) + "\n\n";
}

std::string AnthropicDialect::models_body(const std::vector<ListedModel>& models) const {
  std::string out;
  JsonBuilder json(out);
  json.open_object().key("data").open_array();
  for (const ListedModel& model : models) write_model(json, model);
  json.close_array().raw_field("has_more", "false");
  if (models.empty()) {
    json.raw_field("first_id", "null").raw_field("last_id", "null");
  } else {
    json.field("first_id", models.front().id).field("last_id", models.back().id);
  }
  json.close_object();
  return out;
}

std::string AnthropicDialect::model_body(const ListedModel& model) const {
  std::string out;
  JsonBuilder json(out);
  write_model(json, model);
  return out;
}

std::string AnthropicDialect::with_cost(std::string_view body, exchange::Span usage,
                                        NanoUsd cost) const {
  return body_with_cost(body, usage, cost);
}

std::string AnthropicDialect::event_with_cost(std::string_view event, NanoUsd cost) const {
  return sse_event_with_cost(event, "usage", cost);
}

std::expected<exchange::Conversation, exchange::BadRequest> AnthropicDialect::read_conversation(
    const exchange::Request& request) const {
  return anthropic::read_conversation(request);
}

std::string AnthropicDialect::answer_body(const exchange::Answer& answer,
                                          const exchange::Bill& bill) const {
  return anthropic::message(answer, bill);
}

std::unique_ptr<exchange::EventWriter> AnthropicDialect::event_writer(
    const exchange::Request& /*request*/) const {
  return anthropic::message_stream_writer();
}

}  // namespace claviger::api

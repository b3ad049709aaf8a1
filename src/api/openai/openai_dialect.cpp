#include "api/openai/openai_dialect.h"

#include <utility>

#include "api/cost_edit.h"
#include "api/error_json.h"
#include "api/openai/answer_writer.h"
#include "api/openai/conversation_reader.h"
#include "api/openai/input_texts.h"
#include "api/openai/request_reader.h"
#include "exchange/json_builder.h"
#include "exchange/json_edit.h"

namespace claviger::api {
namespace {

using exchange::JsonBuilder;

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

std::string error_json(const ErrorAnswer& error, std::string_view message) {
  std::string out;
  JsonBuilder json(out);
  json.open_object().key("error").open_object().field("message", message);
  json.field("type", error.type.empty() ? type_for(error.status) : std::string_view(error.type));
  json.field("code", error.code);
  if (error.param.empty()) {
    json.raw_field("param", "null");
  } else {
    json.field("param", error.param);
  }
  json.raw_field("claviger", verdict_json(error)).close_object().close_object();
  return out;
}

void write_model(JsonBuilder& json, const ListedModel& model) {
  json.open_object().field("id", model.id).field("object", "model");
  json.integer_field("created", model.created_s).field("owned_by", model.owned_by);
  json.close_object();
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
  const exchange::Span object = exchange::find_value(provider_body, "error");
  if (!object.empty() && provider_body[object.begin] == '{') {
    return exchange::spliced(
        provider_body, object,
        exchange::with_field(exchange::at(provider_body, object), "claviger", verdict_json(error)));
  }
  const std::string words = words_of(provider_body);
  return error_json(error, words.empty() ? error.message : words);
}

std::string OpenAiDialect::error_event(const ErrorAnswer& error) const {
  return "data: " + error_body(error) + "\n\n";
}

std::string OpenAiDialect::models_body(const std::vector<ListedModel>& models) const {
  std::string out;
  JsonBuilder json(out);
  json.open_object().field("object", "list").key("data").open_array();
  for (const ListedModel& model : models) write_model(json, model);
  json.close_array().close_object();
  return out;
}

std::string OpenAiDialect::model_body(const ListedModel& model) const {
  std::string out;
  JsonBuilder json(out);
  write_model(json, model);
  return out;
}

std::string OpenAiDialect::with_cost(std::string_view body, exchange::Span usage,
                                     NanoUsd cost) const {
  return body_with_cost(body, usage, cost);
}

std::string OpenAiDialect::event_with_cost(std::string_view event, NanoUsd cost) const {
  return sse_event_with_cost(event, "usage", cost);
}

std::expected<exchange::Conversation, exchange::BadRequest> OpenAiDialect::read_conversation(
    const exchange::Request& request) const {
  return openai::read_conversation(request);
}

std::string OpenAiDialect::answer_body(const exchange::Answer& answer,
                                       const exchange::Bill& bill) const {
  return openai::chat_completion(answer, bill);
}

std::unique_ptr<exchange::EventWriter> OpenAiDialect::event_writer(
    const exchange::Request& request) const {
  return openai::chat_stream_writer(request);
}

}  // namespace claviger::api

#include "api/responses/responses_dialect.h"

#include "api/cost_edit.h"
#include "api/error_json.h"
#include "api/responses/answer_writer.h"
#include "api/responses/conversation_reader.h"
#include "api/responses/request_reader.h"
#include "exchange/json_builder.h"
#include "exchange/json_edit.h"

namespace claviger::api {

std::expected<exchange::Request, exchange::BadRequest> ResponsesDialect::read(
    exchange::Operation operation, std::string_view body) const {
  return responses::read_request(operation, body);
}

std::string ResponsesDialect::error_body(const ErrorAnswer& error) const {
  return chat_.error_body(error);
}

std::string ResponsesDialect::annotated_error_body(std::string_view provider_body,
                                                   const ErrorAnswer& error) const {
  using exchange::at;
  using exchange::find_value;
  const bool is_event =
      !find_value(provider_body, "type").empty() && find_value(provider_body, "error").empty();
  if (!is_event) return chat_.annotated_error_body(provider_body, error);
  const exchange::Span response = find_value(provider_body, "response");
  if (response.empty()) {
    return exchange::with_field(provider_body, "claviger", verdict_json(error));
  }
  exchange::Span cause = find_value(at(provider_body, response), "error");
  cause = {.begin = response.begin + cause.begin, .end = response.begin + cause.end};
  if (cause.empty() || provider_body[cause.begin] != '{') {
    return exchange::with_field_at(provider_body, response, "claviger", verdict_json(error));
  }
  return exchange::with_field_at(provider_body, cause, "claviger", verdict_json(error));
}

std::string ResponsesDialect::error_event(const ErrorAnswer& error) const {
  const std::string body = chat_.error_body(error);
  std::string out = "event: error\ndata: ";
  exchange::JsonBuilder json(out);
  json.open_object().field("type", "error").field("code", error.code);
  json.field("message", error.message);
  if (error.param.empty()) {
    json.raw_field("param", "null");
  } else {
    json.field("param", error.param);
  }
  json.raw_field("error", exchange::at(body, exchange::find_value(body, "error")));
  json.close_object();
  return out + "\n\n";
}

std::string ResponsesDialect::models_body(const std::vector<ListedModel>& models) const {
  return chat_.models_body(models);
}

std::string ResponsesDialect::model_body(const ListedModel& model) const {
  return chat_.model_body(model);
}

std::string ResponsesDialect::with_cost(std::string_view body, exchange::Span usage,
                                        NanoUsd cost) const {
  return body_with_cost(body, usage, cost);
}

std::string ResponsesDialect::event_with_cost(std::string_view event, NanoUsd cost) const {
  return sse_event_with_cost(event, "response.usage", cost);
}

std::expected<exchange::Conversation, exchange::BadRequest> ResponsesDialect::read_conversation(
    const exchange::Request& request) const {
  return responses::read_conversation(request);
}

std::string ResponsesDialect::answer_body(const exchange::Answer& answer,
                                          const exchange::Bill& bill) const {
  return responses::response(answer, bill);
}

std::unique_ptr<exchange::EventWriter> ResponsesDialect::event_writer(
    const exchange::Request& /*request*/) const {
  return responses::response_stream_writer();
}

}  // namespace claviger::api

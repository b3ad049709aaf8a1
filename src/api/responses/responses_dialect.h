#pragma once

/// OpenAI's Responses API as callers speak it. Errors of a whole answer and the lists of models are
/// those of chat completions, which the same SDKs read; what differs is the request, the answer and
/// the events of a stream. See api/dialect.h.

#include "api/dialect.h"
#include "api/openai/openai_dialect.h"

namespace claviger::api {

/// Stateless. Threads: any method, from any thread, concurrently.
class ResponsesDialect final : public Dialect, private CallerTranslation {
 public:
  exchange::DialectId id() const override { return exchange::DialectId::openai_responses; }
  const CallerTranslation* translation() const override { return this; }

  std::expected<exchange::Request, exchange::BadRequest> read(exchange::Operation operation,
                                                              std::string_view body) const override;

  std::string error_body(const ErrorAnswer& error) const override;
  /// Also of an event: in `response.failed` the verdict goes into `response.error.claviger`, and
  /// into `claviger` of an event `error`, whose fields stand at the top.
  std::string annotated_error_body(std::string_view provider_body,
                                   const ErrorAnswer& error) const override;
  /// An event `error` as it is documented (npm openai 7.57.0, ResponseErrorEvent, 2026-11), with
  /// the error once more as an object under `error`, as OpenAI itself sends it: by that both SDKs
  /// raise it instead of handing an event to an application that may look for text alone (npm
  /// openai 7.57.0, core/streaming.js; PyPI openai 3.54.0, _streaming.py; 2026-11). Without a
  /// `sequence_number`, since the provider counted what came before.
  std::string error_event(const ErrorAnswer& error) const override;

  std::string models_body(const std::vector<ListedModel>& models) const override;
  std::string model_body(const ListedModel& model) const override;

  std::string with_cost(std::string_view body, exchange::Span usage, NanoUsd cost) const override;
  std::string event_with_cost(std::string_view event, NanoUsd cost) const override;

 private:
  std::expected<exchange::Conversation, exchange::BadRequest> read_conversation(
      const exchange::Request& request) const override;
  std::string answer_body(const exchange::Answer& answer,
                          const exchange::Bill& bill) const override;
  std::unique_ptr<exchange::EventWriter> event_writer(
      const exchange::Request& request) const override;

  OpenAiDialect chat_;
};

}  // namespace claviger::api

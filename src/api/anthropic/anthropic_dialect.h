#pragma once

/// The dialect of Anthropic's SDKs: messages, and the counting of their tokens. See
/// api/dialect.h.

#include "api/dialect.h"

namespace claviger::api {

/// Stateless. Threads: any method, from any thread, concurrently.
class AnthropicDialect final : public Dialect, private CallerTranslation {
 public:
  exchange::DialectId id() const override { return exchange::DialectId::anthropic; }
  const CallerTranslation* translation() const override { return this; }

  std::expected<exchange::Request, exchange::BadRequest> read(exchange::Operation operation,
                                                              std::string_view body) const override;

  /// The SDKs take the exception's class from the status and its `type` from `error.type`
  /// (npm @anthropic-ai/sdk 1.14.0, core/error.ts; PyPI anthropic 2.14.0, _exceptions.py;
  /// 2026-11). `error.claviger` is beside it, where old readers do not look.
  std::string error_body(const ErrorAnswer& error) const override;
  std::string annotated_error_body(std::string_view provider_body,
                                   const ErrorAnswer& error) const override;
  /// Both SDKs raise an error for an event of the type `error` (core/streaming.ts,
  /// _streaming.py). No `message_stop` follows.
  std::string error_event(const ErrorAnswer& error) const override;

  std::string models_body(const std::vector<ListedModel>& models) const override;
  std::string model_body(const ListedModel& model) const override;

  std::string with_cost(std::string_view body, exchange::Span usage, NanoUsd cost) const override;
  /// Only the last event that carries usage, `message_delta`, is given the cost.
  std::string event_with_cost(std::string_view event, NanoUsd cost) const override;

 private:
  std::expected<exchange::Conversation, exchange::BadRequest> read_conversation(
      const exchange::Request& request) const override;
  std::string answer_body(const exchange::Answer& answer,
                          const exchange::Bill& bill) const override;
  std::unique_ptr<exchange::EventWriter> event_writer(
      const exchange::Request& request) const override;
};

}  // namespace claviger::api

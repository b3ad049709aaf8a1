#pragma once

/// The dialect of OpenAI's SDKs: chat completions and embeddings. See api/dialect.h.

#include "api/dialect.h"

namespace claviger::api {

/// Stateless. Threads: any method, from any thread, concurrently.
class OpenAiDialect final : public Dialect, private CallerTranslation {
 public:
  exchange::DialectId id() const override { return exchange::DialectId::openai; }
  const CallerTranslation* translation() const override { return this; }

  std::expected<exchange::Request, exchange::BadRequest> read(exchange::Operation operation,
                                                              std::string_view body) const override;
  std::vector<InputText> input_texts(const exchange::Request& request) const override;

  /// The shape that `openai` for Node and for Python read: the object under `error` becomes
  /// the exception's `error`/`body`, `message`, `type`, `code` and `param` its attributes
  /// (npm openai 6.49.0, src/core/error.ts; PyPI openai 3.54.0, _exceptions.py; 2026-11).
  /// What only Claviger knows stands in `error.claviger`, so that old readers are undisturbed.
  std::string error_body(const ErrorAnswer& error) const override;
  std::string annotated_error_body(std::string_view provider_body,
                                   const ErrorAnswer& error) const override;
  /// Both SDKs raise an error in a stream for an event without a type whose data is an object
  /// with a truthy `error` (npm openai 6.49.0, src/core/streaming.ts, `if (data && data.error)`;
  /// PyPI openai 3.54.0, _streaming.py, `data.get("error")`; 2026-11). No `[DONE]` follows.
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
};

}  // namespace claviger::api

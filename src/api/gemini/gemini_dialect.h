#pragma once

/// The dialect of Google's Gen AI SDKs: generateContent, its stream, countTokens and embeddings.
/// See api/dialect.h.

#include "api/dialect.h"

namespace claviger::api {

/// Stateless. Threads: any method, from any thread, concurrently.
class GeminiDialect final : public Dialect, private CallerTranslation {
 public:
  exchange::DialectId id() const override { return exchange::DialectId::gemini; }
  const CallerTranslation* translation() const override { return this; }

  /// The model, and whether the answer is streamed, stand in the path: whoever serves it sets
  /// both.
  std::expected<exchange::Request, exchange::BadRequest> read(exchange::Operation operation,
                                                              std::string_view body) const override;

  /// The SDKs take message, numeric code and status from `error` (npm @google/genai 2.14.0,
  /// throwErrorIfNotOK; PyPI google-genai 3.8.0, errors.py; 2026-11).
  std::string error_body(const ErrorAnswer& error) const override;
  std::string annotated_error_body(std::string_view provider_body,
                                   const ErrorAnswer& error) const override;
  /// An event whose data has an `error` is raised by both SDKs.
  std::string error_event(const ErrorAnswer& error) const override;

  std::string models_body(const std::vector<ListedModel>& models) const override;
  std::string model_body(const ListedModel& model) const override;

  /// The cost stands in `usageMetadata.cost`.
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

#pragma once

/// Providers that speak the Gemini dialect: Google's own API, and Vertex AI. See
/// provider/adapter.h. The model stands in the path and not in the body.

#include "provider/adapter.h"
#include "provider/gemini/gemini_translation.h"

namespace claviger::provider {

/// Stateless. Threads: any method, from any thread, concurrently.
class GeminiAdapter final : public Adapter {
 public:
  exchange::DialectId dialect() const override { return exchange::DialectId::gemini; }
  const ProviderTranslation* translation() const override { return &translation_; }
  /// The profile's path is the collection of models: `/models`.
  std::string path(const Profile& profile, const exchange::Request& request,
                   std::string_view model) const override;
  void write_body(const Profile& profile, const exchange::Request& request, const Edits& edits,
                  std::string& out) const override;
  AnswerReading read_answer(exchange::Operation operation, std::string_view body) const override;
  /// Counts are cumulative: each event's stand for all so far. Nothing marks the end of a stream
  /// but the reason why the last candidate ended.
  AnswerReading read_event(std::string_view data, const exchange::Usage& before) const override;
  bool is_beginning(std::string_view data) const override;

 private:
  GeminiTranslation translation_;
};

}  // namespace claviger::provider

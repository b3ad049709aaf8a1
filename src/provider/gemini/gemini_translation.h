#pragma once

/// generateContent requests for a request of another dialect, and their answers back. See
/// provider/adapter.h. The shapes are those of npm @google/genai 2.14.0, dist/genai.d.ts, and of
/// https://ai.google.dev/api/generate-content (2026-11).

#include "provider/adapter.h"

namespace claviger::provider {

/// Stateless. Threads: any method, from any thread, concurrently.
class GeminiTranslation final : public ProviderTranslation {
 public:
  exchange::FeatureSet expresses(const Profile& profile) const override;
  std::expected<void, exchange::Untranslatable> write_conversation(
      const Profile& profile, const exchange::Conversation& conversation,
      exchange::Delivery delivery, const Edits& edits, std::string& out) const override;
  std::optional<exchange::Answer> read_whole(std::string_view body) const override;
  std::unique_ptr<exchange::EventReader> event_reader() const override;
};

namespace gemini {

/// Whether a model thinks by level (`thinkingLevel`, from generation 3 on) and not by a budget
/// of tokens (https://ai.google.dev/gemini-api/docs/thinking, 2026-11).
bool takes_thinking_level(std::string_view model);

/// Why a candidate ended, in nobody's words. `has_calls`: the model called tools, for which
/// Gemini has no reason of its own.
exchange::StopReason stop_reason_of(std::string_view finish_reason, bool has_calls);

}  // namespace gemini

}  // namespace claviger::provider

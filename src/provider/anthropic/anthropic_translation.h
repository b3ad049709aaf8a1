#pragma once

/// Messages requests for a request of another dialect, and their answers back. See
/// provider/adapter.h. The shapes are those of npm @anthropic-ai/sdk 1.14.0,
/// resources/messages/messages.d.ts (2026-11), in the API version that the profile sends.

#include "provider/adapter.h"

namespace claviger::provider {

/// Stateless. Threads: any method, from any thread, concurrently.
class AnthropicTranslation final : public ProviderTranslation {
 public:
  exchange::FeatureSet expresses(const Profile& profile) const override;
  std::expected<void, exchange::Untranslatable> write_conversation(
      const Profile& profile, const exchange::Conversation& conversation,
      exchange::Delivery delivery, const Edits& edits, std::string& out) const override;
  std::optional<exchange::Answer> read_whole(std::string_view body) const override;
  std::unique_ptr<exchange::EventReader> event_reader() const override;
};

namespace anthropic {

/// The least budget of thinking that the API takes.
inline constexpr std::int64_t thinking_tokens_min = 1024;

/// Whether a model is told how hard to think by `output_config.effort`, with adaptive thinking;
/// the others by a budget of tokens.
bool takes_effort(std::string_view model);

}  // namespace anthropic

}  // namespace claviger::provider

#pragma once

/// Chat completions for a request of another dialect, and their answers back. See
/// provider/adapter.h. What the many servers of this dialect differ in is data: `also_takes` in
/// data/providers.toml.

#include "provider/adapter.h"

namespace claviger::provider {

/// Stateless. Threads: any method, from any thread, concurrently.
class OpenAiTranslation final : public ProviderTranslation {
 public:
  exchange::FeatureSet expresses(const Profile& profile) const override;
  std::expected<void, exchange::Untranslatable> write_conversation(
      const Profile& profile, const exchange::Conversation& conversation,
      exchange::Delivery delivery, const Edits& edits, std::string& out) const override;
  std::optional<exchange::Answer> read_whole(std::string_view body) const override;
  std::unique_ptr<exchange::EventReader> event_reader() const override;
};

/// OpenRouter's ceiling on rates, as the value of its field `provider`.
std::string openrouter_price_cap(const PriceCap& cap);

}  // namespace claviger::provider

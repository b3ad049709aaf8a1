#pragma once

/// Providers that speak the Anthropic dialect: Anthropic itself, and those with an endpoint like
/// it. See provider/adapter.h.

#include "provider/adapter.h"
#include "provider/anthropic/anthropic_translation.h"

namespace claviger::provider {

/// Stateless. Threads: any method, from any thread, concurrently.
class AnthropicAdapter final : public Adapter {
 public:
  exchange::DialectId dialect() const override { return exchange::DialectId::anthropic; }
  const ProviderTranslation* translation() const override { return &translation_; }
  std::string path(const Profile& profile, const exchange::Request& request,
                   std::string_view model) const override;
  void write_body(const Profile& profile, const exchange::Request& request, const Edits& edits,
                  std::string& out) const override;
  AnswerReading read_answer(exchange::Operation operation, std::string_view body) const override;
  /// The counts of a stream come twice, at its start and at its end, and at some servers only
  /// in part: what an event does not say stays as it was `before`.
  AnswerReading read_event(std::string_view data, const exchange::Usage& before) const override;
  bool is_beginning(std::string_view data) const override;

 private:
  AnthropicTranslation translation_;
};

}  // namespace claviger::provider

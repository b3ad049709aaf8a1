#pragma once

/// Providers that speak the OpenAI dialect: most of them. See provider/adapter.h.

#include "provider/adapter.h"
#include "provider/openai/openai_translation.h"

namespace claviger::provider {

/// A provider's words about a failure inside a 200 are kept up to here.
inline constexpr std::size_t error_message_bytes_max = 1024;
inline constexpr std::size_t error_code_bytes_max = 128;
inline constexpr std::size_t finish_reason_bytes_max = 64;

/// Stateless. Threads: any method, from any thread, concurrently.
class OpenAiAdapter final : public Adapter {
 public:
  exchange::DialectId dialect() const override { return exchange::DialectId::openai; }
  const ProviderTranslation* translation() const override { return &translation_; }
  std::string path(const Profile& profile, const exchange::Request& request,
                   std::string_view model) const override;
  void write_body(const Profile& profile, const exchange::Request& request, const Edits& edits,
                  std::string& out) const override;
  AnswerReading read_answer(exchange::Operation operation, std::string_view body) const override;
  AnswerReading read_event(std::string_view data, const exchange::Usage& before) const override;
  bool is_beginning(std::string_view data) const override;

 private:
  OpenAiTranslation translation_;
};

}  // namespace claviger::provider

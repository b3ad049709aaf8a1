#pragma once

/// Providers that speak OpenAI's Responses API, asked by callers who speak it too: passed through.
/// See provider/adapter.h. There is no translation into it, since whoever speaks it speaks chat
/// completions as well.

#include "provider/adapter.h"

namespace claviger::provider {

/// Stateless. Threads: any method, from any thread, concurrently.
class ResponsesAdapter final : public Adapter {
 public:
  exchange::DialectId dialect() const override { return exchange::DialectId::openai_responses; }
  std::string path(const Profile& profile, const exchange::Request& request,
                   std::string_view model) const override;
  void write_body(const Profile& profile, const exchange::Request& request, const Edits& edits,
                  std::string& out) const override;
  /// The finish reason is the answer's `status`, or the reason of an incomplete one. A `failed`
  /// answer is an error.
  AnswerReading read_answer(exchange::Operation operation, std::string_view body) const override;
  AnswerReading read_event(std::string_view data, const exchange::Usage& before) const override;
  bool is_beginning(std::string_view data) const override;
};

}  // namespace claviger::provider

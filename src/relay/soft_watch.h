#pragma once

/// What of an answer the watch for soft failures sees (fault/soft_failures.h): its text, its tool
/// calls, why it ended. Only answers of providers that speak OpenAI's dialect are watched yet.
///
/// Every success pays for this, so it must stay cheap: of a whole answer one pass over its text,
/// eight and more bytes at a time; of a stream's event two searches and the same; of a request one
/// pass, and one look at its tools or its form where it has them, while the provider is already at
/// work. One object of some hundred bytes for each answer under way.

#include <memory>
#include <string>
#include <string_view>

#include "exchange/request.h"
#include "fault/soft_failures.h"

namespace claviger::relay {

class SoftWatch {
 public:
  /// Null where there is nothing to watch: no chat, or several choices at once.
  static std::unique_ptr<SoftWatch> of(const exchange::Request& request, bool is_own_endpoint);

  /// The data of a stream's event.
  void event(std::string_view data);
  /// A whole answer, and where in it stands what it says.
  void answer(std::string_view body, const exchange::AnswerFacts::Said& said);
  /// At the end: names of what was found, with commas between; empty for nothing.
  std::string found(std::string_view finish_reason, std::int64_t input_tokens_counted);

 private:
  explicit SoftWatch(fault::Expectation expectation) : watch_(std::move(expectation)) {}
  void escaped_text(std::string_view content);
  void delta_with_tools(std::string_view data);

  fault::AnswerWatch watch_;
};

/// What the request leads one to expect of its answer.
fault::Expectation expectation_of(const exchange::Request& request, bool is_own_endpoint);

}  // namespace claviger::relay

#pragma once

/// What of an answer the watch for soft failures sees (fault/soft_failures.h): its text, its tool
/// calls, why it ended. What to expect is read in the caller's dialect and what came in the
/// provider's, each from the bytes as they are: so every pair of dialects is watched alike, and an
/// answer that is translated is watched before it is.
///
/// Every success pays for this, so it must stay cheap: of a whole answer one pass over its text,
/// eight and more bytes at a time; of a stream's event two searches and the same; of a request one
/// pass, and one look at its tools or its form where it has them, while the provider is already at
/// work. One object of some hundred bytes for each answer under way.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "exchange/request.h"
#include "fault/json_glance.h"
#include "fault/soft_failures.h"

namespace claviger::relay {

/// Whose answer is watched.
struct WatchedPlace {
  exchange::DialectId dialect = exchange::DialectId::openai;  ///< Of the provider.
  bool is_own_endpoint = false;
};

class SoftWatch {
 public:
  /// Null where there is nothing to watch: no chat, or several choices at once.
  static std::unique_ptr<SoftWatch> of(const exchange::Request& request, WatchedPlace place);

  /// The data of a stream's event.
  void event(std::string_view data);
  /// A whole answer, and where in it stands what it says, as far as the adapter tells.
  void answer(std::string_view body, const exchange::AnswerFacts::Said& said);
  /// At the end: names of what was found, with commas between; empty for nothing.
  std::string found(std::string_view finish_reason, std::int64_t input_tokens_counted);

 private:
  SoftWatch(fault::Expectation expectation, exchange::DialectId dialect)
      : watch_(std::move(expectation)), dialect_(dialect) {}
  void escaped_text(std::string_view content);
  void call(fault::JsonGlance::Value name, std::string_view arguments);

  void openai_event(std::string_view data);
  void openai_delta_with_tools(std::string_view data);
  void openai_answer(std::string_view body, const exchange::AnswerFacts::Said& said);
  void anthropic_event(std::string_view data);
  void anthropic_answer(std::string_view body);
  void anthropic_block(fault::JsonGlance::Value block);
  void anthropic_arguments(fault::JsonGlance::Value event);
  void responses_event(std::string_view data);
  void responses_answer(std::string_view body);
  void responses_item(fault::JsonGlance::Value item);
  /// A whole answer or an event, which look alike.
  void gemini_answer(std::string_view json);
  void gemini_part(fault::JsonGlance::Value part);

  fault::AnswerWatch watch_;
  exchange::DialectId dialect_;
  bool is_whole_ = false;  ///< No stream: each text is all there.
  std::size_t calls_ = 0;  ///< So far, where the dialect does not number them itself.
  /// Of Anthropic's stream: in which of its blocks each call stands.
  std::vector<std::int64_t> blocks_of_calls_;
};

/// What the request leads one to expect of its answer.
fault::Expectation expectation_of(const exchange::Request& request, bool is_own_endpoint);

}  // namespace claviger::relay

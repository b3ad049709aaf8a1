#pragma once

/// An answer in nobody's dialect, whole or event by event: what a provider's reader gives and a
/// caller's writer takes. See exchange/conversation.h for the request.
///
/// A translated stream is a reader of one dialect and a writer of another, joined by Events.
/// Neither knows the other, so a new dialect brings one reader and one writer, not one pair for
/// every dialect that is already there.

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/money.h"
#include "exchange/conversation.h"
#include "exchange/usage.h"

namespace claviger::exchange {

/// Why a model stopped.
enum class StopReason : std::uint8_t {
  end_of_turn,
  output_bound,  ///< The bound of output tokens.
  context_full,  ///< The model's context limit.
  stop_sequence,
  tool_calls,
  refusal,  ///< A content filter, or the model itself.
  paused,   ///< Not done: the provider wants to be asked to go on.
  unknown,  ///< Given, but not a word that we know.
};

struct Choice {
  std::vector<Part> content;
  StopReason stop = StopReason::end_of_turn;
  std::string_view stop_sequence;  ///< For StopReason::stop_sequence, where it is said.
  std::string_view logprobs;       ///< JSON in OpenAI's form, the only one there is.
};

/// Owns what its views point to, apart from the body that was read, which must outlive it.
struct Answer {
  std::string_view id;
  std::string_view model;
  std::int64_t created_s = 0;  ///< 0 where the dialect does not say.
  std::vector<Choice> choices;

  std::string_view keep(std::string text) { return kept->emplace_back(std::move(text)); }
  std::unique_ptr<JsonTree> tree = std::make_unique<JsonTree>();
  std::unique_ptr<std::deque<std::string>> kept = std::make_unique<std::deque<std::string>>();
};

/// What the provider billed and what that cost, where it is known.
struct Bill {
  std::optional<Usage> usage;
  std::optional<NanoUsd> cost;
};

/// The events of a stream. Views live until the next event. `choice` counts from 0.
namespace event {
struct Start {
  std::string_view id;
  std::string_view model;
  std::int64_t created_s = 0;
};
struct TextPiece {
  std::int64_t choice = 0;
  std::string_view text;
};
struct RefusalPiece {
  std::int64_t choice = 0;
  std::string_view text;
};
struct ThinkingPiece {
  std::int64_t choice = 0;
  std::string_view text;
};
/// Of the thought that came before.
struct ThinkingSigned {
  std::int64_t choice = 0;
  std::string_view signature;
};
struct ThinkingRedacted {
  std::int64_t choice = 0;
  std::string_view data;
};
struct CallStart {
  std::int64_t choice = 0;
  std::int64_t call = 0;  ///< Of this choice, from 0.
  std::string_view id;
  std::string_view name;
};
struct CallPiece {
  std::int64_t choice = 0;
  std::int64_t call = 0;
  std::string_view arguments;  ///< A piece of the JSON text.
};
/// One citation of the text so far, as its dialect writes it.
struct Citation {
  std::int64_t choice = 0;
  std::string_view json;
};
struct Logprobs {
  std::int64_t choice = 0;
  std::string_view json;
};
/// What came before is one part; what follows is another, even of the same kind.
struct PartEnd {
  std::int64_t choice = 0;
};
struct Stop {
  std::int64_t choice = 0;
  StopReason reason = StopReason::end_of_turn;
  std::string_view sequence;
};
/// The provider is alive and has nothing to say yet.
struct Waiting {};
/// The terminal marker. Nothing follows.
struct End {};
}  // namespace event

using Event = std::variant<event::Start, event::TextPiece, event::RefusalPiece,
                           event::ThinkingPiece, event::ThinkingSigned, event::ThinkingRedacted,
                           event::CallStart, event::CallPiece, event::Citation, event::Logprobs,
                           event::PartEnd, event::Stop, event::Waiting, event::End>;

class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void on(const Event& event) = 0;
};

/// Reads the events of one stream of a provider; stateful. Errors and usage are not its matter:
/// provider::Adapter::read_event() tells both.
class EventReader {
 public:
  virtual ~EventReader() = default;
  /// `type` is the event's own (`event:`), often empty. What cannot be read gives no event.
  virtual void read(std::string_view type, std::string_view data, EventSink& sink) = 0;
};

/// Writes one stream for a caller; stateful. What it has written gathers in `out` until it is
/// taken.
class EventWriter : public EventSink {
 public:
  /// The end, with the bill: the last events of the dialect. Only for a stream that ended well.
  virtual void finish(const Bill& bill) = 0;
  /// What cannot be said in this dialect; empty while all is well. The stream must then end
  /// with an error.
  std::string_view problem() const { return problem_; }
  std::string& out() { return out_; }

 protected:
  void fail(std::string problem) {
    if (problem_.empty()) problem_ = std::move(problem);
  }
  std::string out_;

 private:
  std::string problem_;
};

/// The events that a stream of `answer` would have had: for a provider that answers whole
/// where a stream was asked for.
void replay(const Answer& answer, EventSink& sink);

}  // namespace claviger::exchange

#include "exchange/answer.h"

namespace claviger::exchange {
namespace {

/// One part as the pieces of a stream.
class PartReplay {
 public:
  PartReplay(EventSink& sink, std::int64_t choice) : sink_(sink), choice_(choice) {}

  void operator()(const Text& part) {
    sink_.on(event::TextPiece{.choice = choice_, .text = part.text});
    JsonTree citations;
    if (!part.citations.empty() && citations.read(part.citations)) {
      for (const JsonNode citation : citations.root()) {
        sink_.on(event::Citation{.choice = choice_, .json = citation.raw()});
      }
    }
  }
  void operator()(const Refusal& part) {
    sink_.on(event::RefusalPiece{.choice = choice_, .text = part.text});
  }
  void operator()(const Thinking& part) {
    if (!part.redacted.empty()) {
      sink_.on(event::ThinkingRedacted{.choice = choice_, .data = part.redacted});
      return;
    }
    sink_.on(event::ThinkingPiece{.choice = choice_, .text = part.text});
    if (!part.signature.empty()) {
      sink_.on(event::ThinkingSigned{.choice = choice_, .signature = part.signature});
    }
  }
  void operator()(const ToolCall& part) {
    const std::int64_t call = calls_++;
    sink_.on(event::CallStart{.choice = choice_, .call = call, .id = part.id, .name = part.name});
    sink_.on(event::CallPiece{.choice = choice_, .call = call, .arguments = part.arguments});
  }
  // No answer of a chat holds these.
  void operator()(const Media& /*part*/) {}
  void operator()(const ToolResult& /*part*/) {}

 private:
  EventSink& sink_;
  std::int64_t choice_;
  std::int64_t calls_ = 0;
};

}  // namespace

void replay(const Answer& answer, EventSink& sink) {
  sink.on(event::Start{.id = answer.id, .model = answer.model, .created_s = answer.created_s});
  std::int64_t number = 0;
  for (const Choice& choice : answer.choices) {
    PartReplay part_replay(sink, number);
    for (const Part& part : choice.content) {
      std::visit(part_replay, part.what);
      sink.on(event::PartEnd{.choice = number});
    }
    if (!choice.logprobs.empty()) {
      sink.on(event::Logprobs{.choice = number, .json = choice.logprobs});
    }
    sink.on(event::Stop{.choice = number, .reason = choice.stop, .sequence = choice.stop_sequence});
    ++number;
  }
  sink.on(event::End{});
}

}  // namespace claviger::exchange

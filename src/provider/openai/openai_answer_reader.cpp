/// Reads chat completions, whole and streamed, into nobody's dialect: as the many servers of
/// this dialect really write them (src/provider/testdata/README.md names the sources).

#include <map>
#include <utility>

#include "provider/openai/openai_translation.h"

namespace claviger::provider {
namespace {

using namespace exchange;

StopReason stop_reason_of(std::string_view word) {
  constexpr std::pair<std::string_view, StopReason> words[] = {
      {"stop", StopReason::end_of_turn},        {"eos", StopReason::end_of_turn},
      {"end_turn", StopReason::end_of_turn},    {"length", StopReason::output_bound},
      {"max_tokens", StopReason::output_bound}, {"model_length", StopReason::context_full},
      {"tool_calls", StopReason::tool_calls},   {"function_call", StopReason::tool_calls},
      {"content_filter", StopReason::refusal},  {"refusal", StopReason::refusal},
      {"sensitive", StopReason::refusal},
  };
  for (const auto& [name, reason] : words) {
    if (name == word) return reason;
  }
  return StopReason::unknown;
}

/// Some servers say `stop` whatever they stopped for; the calls themselves say more. vLLM names
/// the stop sequence in `stop_reason`, SGLang in `matched_stop`.
StopReason refined(StopReason reason, bool has_calls, std::string_view sequence) {
  if (reason != StopReason::end_of_turn) return reason;
  if (has_calls) return StopReason::tool_calls;
  return sequence.empty() ? reason : StopReason::stop_sequence;
}

std::string_view sequence_of(JsonNode choice) {
  const std::string_view stop = choice["stop_reason"].text();
  return stop.empty() ? choice["matched_stop"].text() : stop;
}

/// Calls `each(Thinking)` for what a message or a delta thought.
template <typename Each>
void each_thought(JsonNode message, Each&& each) {
  bool has_details = false;
  for (const JsonNode detail : message["reasoning_details"]) {
    has_details = true;
    const std::string_view type = detail["type"].text();
    if (type == "reasoning.encrypted") {
      each(Thinking{.text = {}, .signature = {}, .redacted = detail["data"].text()});
    } else {
      each(Thinking{
          .text = type == "reasoning.summary" ? detail["summary"].text() : detail["text"].text(),
          .signature = detail["signature"].text(),
          .redacted = {}});
    }
  }
  if (has_details) return;
  for (const std::string_view key : {"reasoning_content", "reasoning"}) {
    if (message[key].text().empty()) continue;
    each(Thinking{.text = message[key].text(), .signature = {}, .redacted = {}});
    return;
  }
}

/// Calls `text(view)` or `thought(view)` for each piece of a content that is a string or, as
/// Mistral writes it, a list of pieces.
template <typename TextPiece, typename ThoughtPiece>
void each_piece(JsonNode content, TextPiece&& text, ThoughtPiece&& thought) {
  if (content.is_string()) text(content.text());
  if (!content.is_array()) return;
  for (const JsonNode piece : content) {
    if (piece["type"].text() == "text") text(piece["text"].text());
    for (const JsonNode inner : piece["thinking"]) thought(inner["text"].text());
  }
}

class ChatEventReader final : public EventReader {
 public:
  void read(std::string_view type, std::string_view data, EventSink& sink) override;

 private:
  struct ChoiceState {
    std::map<std::int64_t, std::int64_t> calls;  ///< Theirs to ours.
    std::map<std::int64_t, std::string> ids;
    std::int64_t calls_begun = 0;
    bool has_stopped = false;
  };

  void choice(JsonNode from, EventSink& sink);
  void call(JsonNode from, std::int64_t number, ChoiceState& state, EventSink& sink);

  JsonTree tree_;
  /// Bounded: an event with a larger index is no event.
  static constexpr std::int64_t index_max = 4096;
  std::map<std::int64_t, ChoiceState> choices_;
  bool has_started_ = false;
};

void ChatEventReader::read(std::string_view /*type*/, std::string_view data, EventSink& sink) {
  if (data.starts_with("[DONE]")) {
    sink.on(event::End{});
    return;
  }
  if (!tree_.read(data)) return;
  const JsonNode root = tree_.root();
  const JsonNode choices = root["choices"];
  if (!choices.is_array()) return;
  if (!std::exchange(has_started_, true)) {
    sink.on(event::Start{.id = root["id"].text(),
                         .model = root["model"].text(),
                         .created_s = root["created"].integer().value_or(0)});
  }
  for (const JsonNode one : choices) choice(one, sink);
}

void ChatEventReader::choice(JsonNode from, EventSink& sink) {
  const std::int64_t number = from["index"].integer().value_or(0);
  if (number < 0 || number > index_max) return;
  ChoiceState& state = choices_[number];
  const JsonNode delta = from["delta"];
  each_thought(delta, [&](const Thinking& thinking) {
    if (!thinking.redacted.empty()) {
      sink.on(event::ThinkingRedacted{.choice = number, .data = thinking.redacted});
      return;
    }
    if (!thinking.text.empty()) {
      sink.on(event::ThinkingPiece{.choice = number, .text = thinking.text});
    }
    if (!thinking.signature.empty()) {
      sink.on(event::ThinkingSigned{.choice = number, .signature = thinking.signature});
    }
  });
  each_piece(
      delta["content"],
      [&](std::string_view text) {
        if (!text.empty()) sink.on(event::TextPiece{.choice = number, .text = text});
      },
      [&](std::string_view text) {
        sink.on(event::ThinkingPiece{.choice = number, .text = text});
      });
  if (!delta["refusal"].text().empty()) {
    sink.on(event::RefusalPiece{.choice = number, .text = delta["refusal"].text()});
  }
  for (const JsonNode one : delta["tool_calls"]) call(one, number, state, sink);
  if (from["logprobs"].is_object()) {
    sink.on(event::Logprobs{.choice = number, .json = from["logprobs"].raw()});
  }
  const std::string_view reason = from["finish_reason"].text();
  if (reason.empty() || std::exchange(state.has_stopped, true)) return;
  const std::string_view sequence = sequence_of(from);
  const StopReason stop = refined(stop_reason_of(reason), state.calls_begun > 0, sequence);
  sink.on(event::Stop{.choice = number, .reason = stop, .sequence = sequence});
}

/// A call begins with a name; its further pieces carry an index, and at some servers its id
/// again. A new id under an old index is a new call all the same.
void ChatEventReader::call(JsonNode from, std::int64_t number, ChoiceState& state,
                           EventSink& sink) {
  const JsonNode function = from["function"];
  const std::string_view id = from["id"].text();
  const std::string_view name = function["name"].text();
  const std::int64_t index = from["index"].integer().value_or(0);
  if (index < 0 || index > index_max || state.calls_begun > index_max) return;
  const bool is_known = state.calls.contains(index);
  const bool is_new = !is_known || (!id.empty() && !name.empty() && state.ids[index] != id);
  if (is_new) {
    const std::int64_t ours = state.calls_begun++;
    state.calls[index] = ours;
    state.ids[index] = id;
    sink.on(event::CallStart{.choice = number, .call = ours, .id = id, .name = name});
  }
  const std::string_view arguments = function["arguments"].is_object()
                                         ? function["arguments"].raw()
                                         : function["arguments"].text();
  if (!arguments.empty()) {
    sink.on(event::CallPiece{.choice = number, .call = state.calls[index], .arguments = arguments});
  }
}

Choice choice_of(JsonNode from) {
  Choice choice;
  const JsonNode message = from["message"];
  const auto text = [&](std::string_view words) {
    if (!words.empty()) choice.content.push_back({.what = Text{.text = words, .citations = {}}});
  };
  const auto thought = [&](std::string_view words) {
    choice.content.push_back({.what = Thinking{.text = words, .signature = {}, .redacted = {}}});
  };
  each_thought(message,
               [&](const Thinking& thinking) { choice.content.push_back({.what = thinking}); });
  each_piece(message["content"], text, thought);
  if (!message["refusal"].text().empty()) {
    choice.content.push_back({.what = Refusal{.text = message["refusal"].text()}});
  }
  bool has_calls = false;
  for (const JsonNode call : message["tool_calls"]) {
    const JsonNode function = call["function"];
    const JsonNode arguments = function["arguments"];
    has_calls = true;
    choice.content.push_back(
        {.what =
             ToolCall{.id = call["id"].text(),
                      .name = function["name"].text(),
                      .arguments = arguments.is_object() ? arguments.raw() : arguments.text()}});
  }
  choice.stop_sequence = sequence_of(from);
  choice.stop =
      refined(stop_reason_of(from["finish_reason"].text()), has_calls, choice.stop_sequence);
  if (from["logprobs"].is_object()) choice.logprobs = from["logprobs"].raw();
  return choice;
}

}  // namespace

std::optional<Answer> OpenAiTranslation::read_whole(std::string_view body) const {
  Answer answer;
  if (!answer.tree->read(body)) return std::nullopt;
  const JsonNode root = answer.tree->root();
  if (!root["choices"].is_array()) return std::nullopt;
  answer.id = root["id"].text();
  answer.model = root["model"].text();
  answer.created_s = root["created"].integer().value_or(0);
  for (const JsonNode choice : root["choices"]) answer.choices.push_back(choice_of(choice));
  return answer;
}

std::unique_ptr<EventReader> OpenAiTranslation::event_reader() const {
  return std::make_unique<ChatEventReader>();
}

}  // namespace claviger::provider

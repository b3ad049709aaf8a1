/// Reads generateContent answers, whole and streamed, into nobody's dialect.

#include <fmt/format.h>

#include <utility>

#include "provider/gemini/gemini_translation.h"

namespace claviger::provider {
namespace {

using namespace exchange;

/// Gemini names no call; other dialects need an id that is unique in a conversation. An answer's
/// own id and the number of the call in it are.
std::string call_id(std::string_view answer_id, std::int64_t number) {
  return answer_id.empty() ? fmt::format("call_{}", number)
                           : fmt::format("call_{}_{}", answer_id, number);
}

std::string_view arguments_of(JsonNode call) {
  return call["args"].is_object() ? call["args"].raw() : std::string_view("{}");
}

/// Blocked before anything was generated: there is no candidate, and the reason stands apart.
bool is_blocked(JsonNode root) {
  return root["promptFeedback"]["blockReason"].is_string();
}

constexpr std::string_view blocked_words = "The provider's safety rules blocked this request.";

class ContentEventReader final : public EventReader {
 public:
  void read(std::string_view type, std::string_view data, EventSink& sink) override;

 private:
  void candidate(JsonNode candidate, EventSink& sink);
  void part(JsonNode part, std::int64_t choice, EventSink& sink);
  void call(JsonNode call, std::int64_t choice, EventSink& sink);

  static constexpr std::int64_t choices_max = 128;

  JsonTree tree_;
  std::string id_;
  bool has_started_ = false;
  bool has_stopped_ = false;
  std::int64_t calls_ = 0;
};

void ContentEventReader::read(std::string_view /*type*/, std::string_view data, EventSink& sink) {
  if (!tree_.read(data)) return;
  const JsonNode root = tree_.root();
  if (!std::exchange(has_started_, true)) {
    id_ = root["responseId"].text();
    sink.on(event::Start{.id = id_, .model = root["modelVersion"].text()});
  }
  if (is_blocked(root) && !has_stopped_) {
    has_stopped_ = true;
    sink.on(event::RefusalPiece{.text = blocked_words});
    sink.on(event::Stop{.reason = StopReason::refusal});
  }
  for (const JsonNode one : root["candidates"]) candidate(one, sink);
}

void ContentEventReader::candidate(JsonNode candidate, EventSink& sink) {
  const std::int64_t choice = candidate["index"].integer().value_or(0);
  if (choice < 0 || choice >= choices_max) return;
  for (const JsonNode one : candidate["content"]["parts"]) part(one, choice, sink);
  if (!candidate["finishReason"].is_string()) return;
  has_stopped_ = true;
  sink.on(
      event::Stop{.choice = choice,
                  .reason = gemini::stop_reason_of(candidate["finishReason"].text(), calls_ > 0)});
}

void ContentEventReader::part(JsonNode part, std::int64_t choice, EventSink& sink) {
  const bool is_thought = part["thought"].is_true();
  const std::string_view text = part["text"].text();
  const std::string_view signature = part["thoughtSignature"].text();
  if (is_thought && !text.empty()) {
    sink.on(event::ThinkingPiece{.choice = choice, .text = text});
  }
  // The proof of a thought stands on the part that the thought led to.
  if (!signature.empty()) {
    sink.on(event::ThinkingSigned{.choice = choice, .signature = signature});
  }
  if (part["functionCall"].is_object()) {
    call(part["functionCall"], choice, sink);
  } else if (!is_thought && !text.empty()) {
    sink.on(event::TextPiece{.choice = choice, .text = text});
  }
}

void ContentEventReader::call(JsonNode call, std::int64_t choice, EventSink& sink) {
  const std::int64_t number = calls_++;
  const std::string made = call_id(id_, number);
  const std::string_view given = call["id"].text();
  sink.on(event::CallStart{.choice = choice,
                           .call = number,
                           .id = given.empty() ? std::string_view(made) : given,
                           .name = call["name"].text()});
  sink.on(event::CallPiece{.choice = choice, .call = number, .arguments = arguments_of(call)});
  sink.on(event::PartEnd{.choice = choice});
}

void read_part(JsonNode part, Answer& answer, Choice& choice, std::int64_t& calls) {
  const bool is_thought = part["thought"].is_true();
  const std::string_view text = part["text"].text();
  const std::string_view signature = part["thoughtSignature"].text();
  if (is_thought || !signature.empty()) {
    choice.content.push_back({.what = Thinking{.text = is_thought ? text : std::string_view(),
                                               .signature = signature,
                                               .redacted = {}}});
  }
  const JsonNode call = part["functionCall"];
  if (call.is_object()) {
    const std::string_view given = call["id"].text();
    const std::string_view id = given.empty() ? answer.keep(call_id(answer.id, calls)) : given;
    ++calls;
    choice.content.push_back(
        {.what = ToolCall{.id = id, .name = call["name"].text(), .arguments = arguments_of(call)}});
  } else if (!is_thought && !text.empty()) {
    choice.content.push_back({.what = Text{.text = text, .citations = {}}});
  }
}

}  // namespace

/// Source: https://ai.google.dev/api/generate-content#FinishReason (2026-11).
StopReason gemini::stop_reason_of(std::string_view finish_reason, bool has_calls) {
  if (finish_reason == "STOP") return has_calls ? StopReason::tool_calls : StopReason::end_of_turn;
  if (finish_reason == "MAX_TOKENS") return StopReason::output_bound;
  for (const std::string_view refused :
       {"SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII",
        "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION"}) {
    if (finish_reason == refused) return StopReason::refusal;
  }
  return StopReason::unknown;
}

std::optional<Answer> GeminiTranslation::read_whole(std::string_view body) const {
  Answer answer;
  if (!answer.tree->read(body)) return std::nullopt;
  const JsonNode root = answer.tree->root();
  if (!root["candidates"].is_array() && !is_blocked(root)) return std::nullopt;
  answer.id = root["responseId"].text();
  answer.model = root["modelVersion"].text();
  for (const JsonNode candidate : root["candidates"]) {
    Choice choice;
    std::int64_t calls = 0;
    for (const JsonNode part : candidate["content"]["parts"]) {
      read_part(part, answer, choice, calls);
    }
    choice.stop = gemini::stop_reason_of(candidate["finishReason"].text(), calls > 0);
    answer.choices.push_back(std::move(choice));
  }
  if (answer.choices.empty()) {
    Choice refused;
    refused.content.push_back({.what = Refusal{.text = blocked_words}});
    refused.stop = StopReason::refusal;
    answer.choices.push_back(std::move(refused));
  }
  return answer;
}

std::unique_ptr<EventReader> GeminiTranslation::event_reader() const {
  return std::make_unique<ContentEventReader>();
}

}  // namespace claviger::provider

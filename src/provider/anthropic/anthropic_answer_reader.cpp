/// Reads Messages answers, whole and streamed, into nobody's dialect.

#include <map>
#include <utility>

#include "provider/anthropic/anthropic_translation.h"

namespace claviger::provider {
namespace {

using namespace exchange;

StopReason stop_reason_of(std::string_view word) {
  constexpr std::pair<std::string_view, StopReason> words[] = {
      {"end_turn", StopReason::end_of_turn},
      {"max_tokens", StopReason::output_bound},
      {"stop_sequence", StopReason::stop_sequence},
      {"tool_use", StopReason::tool_calls},
      {"refusal", StopReason::refusal},
      {"pause_turn", StopReason::paused},
      {"model_context_window_exceeded", StopReason::context_full},
  };
  for (const auto& [name, reason] : words) {
    if (name == word) return reason;
  }
  return StopReason::unknown;
}

class MessageEventReader final : public EventReader {
 public:
  void read(std::string_view type, std::string_view data, EventSink& sink) override;

 private:
  void block_start(JsonNode event, EventSink& sink);
  void block_delta(JsonNode event, EventSink& sink);
  void block_stop(JsonNode event, EventSink& sink);

  struct Block {
    std::int64_t call = -1;  ///< Of a tool call; else -1.
    bool has_pieces = false;
    std::string input;  ///< What the block began with, for servers that give it whole.
  };
  static constexpr std::int64_t index_max = 4096;

  JsonTree tree_;
  std::map<std::int64_t, Block> open_;
  std::int64_t calls_ = 0;
};

void MessageEventReader::read(std::string_view /*type*/, std::string_view data, EventSink& sink) {
  if (!tree_.read(data)) return;
  const JsonNode event = tree_.root();
  const std::string_view type = event["type"].text();
  if (type == "content_block_delta") return block_delta(event, sink);
  if (type == "content_block_start") return block_start(event, sink);
  if (type == "content_block_stop") return block_stop(event, sink);
  if (type == "message_start") {
    const JsonNode message = event["message"];
    sink.on(event::Start{.id = message["id"].text(), .model = message["model"].text()});
  } else if (type == "message_delta") {
    const JsonNode delta = event["delta"];
    if (!delta["stop_reason"].is_string()) return;
    sink.on(event::Stop{.reason = stop_reason_of(delta["stop_reason"].text()),
                        .sequence = delta["stop_sequence"].text()});
  } else if (type == "message_stop") {
    sink.on(event::End{});
  } else if (type == "ping") {
    sink.on(event::Waiting{});
  }
}

void MessageEventReader::block_start(JsonNode event, EventSink& sink) {
  const std::int64_t index = event["index"].integer().value_or(0);
  if (index < 0 || index > index_max) return;
  const JsonNode block = event["content_block"];
  const std::string_view type = block["type"].text();
  Block& open = open_[index] = {};
  if (type == "tool_use") {
    open.call = calls_++;
    if (block["input"].size() > 0) open.input = block["input"].raw();
    sink.on(event::CallStart{
        .call = open.call, .id = block["id"].text(), .name = block["name"].text()});
  } else if (type == "text") {
    if (!block["text"].text().empty()) sink.on(event::TextPiece{.text = block["text"].text()});
  } else if (type == "thinking") {
    if (!block["thinking"].text().empty()) {
      sink.on(event::ThinkingPiece{.text = block["thinking"].text()});
    }
  } else if (type == "redacted_thinking") {
    sink.on(event::ThinkingRedacted{.data = block["data"].text()});
  }
}

void MessageEventReader::block_delta(JsonNode event, EventSink& sink) {
  const JsonNode delta = event["delta"];
  const std::string_view type = delta["type"].text();
  if (type == "text_delta") {
    sink.on(event::TextPiece{.text = delta["text"].text()});
  } else if (type == "thinking_delta") {
    sink.on(event::ThinkingPiece{.text = delta["thinking"].text()});
  } else if (type == "signature_delta") {
    sink.on(event::ThinkingSigned{.signature = delta["signature"].text()});
  } else if (type == "citations_delta") {
    sink.on(event::Citation{.json = delta["citation"].raw()});
  } else if (type == "input_json_delta") {
    const auto block = open_.find(event["index"].integer().value_or(0));
    if (block == open_.end() || block->second.call < 0) return;
    if (delta["partial_json"].text().empty()) return;
    block->second.has_pieces = true;
    sink.on(
        event::CallPiece{.call = block->second.call, .arguments = delta["partial_json"].text()});
  }
}

void MessageEventReader::block_stop(JsonNode event, EventSink& sink) {
  const auto block = open_.find(event["index"].integer().value_or(0));
  if (block != open_.end()) {
    const Block& open = block->second;
    // A call without arguments has no pieces, and an empty text is no JSON.
    if (open.call >= 0 && !open.has_pieces) {
      sink.on(event::CallPiece{
          .call = open.call,
          .arguments = open.input.empty() ? std::string_view("{}") : std::string_view(open.input)});
    }
    open_.erase(block);
  }
  sink.on(event::PartEnd{});
}

}  // namespace

std::optional<Answer> AnthropicTranslation::read_whole(std::string_view body) const {
  Answer answer;
  if (!answer.tree->read(body)) return std::nullopt;
  const JsonNode root = answer.tree->root();
  if (!root["content"].is_array()) return std::nullopt;
  answer.id = root["id"].text();
  answer.model = root["model"].text();
  Choice choice;
  for (const JsonNode block : root["content"]) {
    const std::string_view type = block["type"].text();
    if (type == "text") {
      choice.content.push_back(
          {.what = Text{.text = block["text"].text(),
                        .citations = block["citations"].is_array() ? block["citations"].raw()
                                                                   : std::string_view()}});
    } else if (type == "thinking") {
      choice.content.push_back({.what = Thinking{.text = block["thinking"].text(),
                                                 .signature = block["signature"].text(),
                                                 .redacted = {}}});
    } else if (type == "redacted_thinking") {
      choice.content.push_back(
          {.what = Thinking{.text = {}, .signature = {}, .redacted = block["data"].text()}});
    } else if (type == "tool_use") {
      choice.content.push_back({.what = ToolCall{.id = block["id"].text(),
                                                 .name = block["name"].text(),
                                                 .arguments = block["input"].raw()}});
    }
  }
  choice.stop = stop_reason_of(root["stop_reason"].text());
  choice.stop_sequence = root["stop_sequence"].text();
  answer.choices.push_back(std::move(choice));
  return answer;
}

std::unique_ptr<EventReader> AnthropicTranslation::event_reader() const {
  return std::make_unique<MessageEventReader>();
}

}  // namespace claviger::provider

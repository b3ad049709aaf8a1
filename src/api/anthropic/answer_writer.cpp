#include "api/anthropic/answer_writer.h"

#include <fmt/format.h>

#include <utility>

#include "exchange/json_builder.h"

namespace claviger::api::anthropic {
namespace {

using namespace exchange;

/// Counts as Anthropic has them: cached tokens beside the input.
void write_usage(JsonBuilder& json, const Bill& bill) {
  const Usage usage = bill.usage.value_or(Usage{});
  json.open_object();
  json.integer_field("input_tokens", usage.input_tokens);
  json.integer_field("cache_creation_input_tokens",
                     usage.cache_write_tokens + usage.cache_write_1h_tokens);
  json.integer_field("cache_read_input_tokens", usage.cached_input_tokens);
  json.integer_field("output_tokens", usage.output_tokens);
  if (usage.reasoning_tokens > 0) {
    json.key("output_tokens_details").open_object();
    json.integer_field("thinking_tokens", usage.reasoning_tokens).close_object();
  }
  if (bill.cost) json.raw_field("cost", to_decimal(*bill.cost));
  json.close_object();
}

void write_stop(JsonBuilder& json, StopReason reason, std::string_view sequence) {
  json.field("stop_reason", stop_reason_of(reason));
  if (reason == StopReason::stop_sequence && !sequence.empty()) {
    json.field("stop_sequence", sequence);
  } else {
    json.raw_field("stop_sequence", "null");
  }
}

void write_text_block(JsonBuilder& json, std::string_view text, std::string_view citations) {
  json.open_object().field("type", "text").field("text", text);
  json.raw_field("citations", citations.empty() ? "null" : citations).close_object();
}

/// The arguments as an object, which is what the SDKs' types promise. A model that wrote
/// something else has its words kept under a key of their own rather than thrown away.
void write_input(JsonBuilder& json, std::string_view arguments) {
  JsonTree tree;
  if (arguments.find_first_not_of(" \n\r\t") == std::string_view::npos) {
    json.raw_field("input", "{}");
  } else if (tree.read(arguments) && tree.root().is_object()) {
    json.raw_field("input", tree.root().raw());
  } else {
    json.key("input").open_object().field("claviger_unparsed_arguments", arguments).close_object();
  }
}

void write_block(JsonBuilder& json, const Part& part) {
  if (const auto* const text = std::get_if<Text>(&part.what)) {
    write_text_block(json, text->text, text->citations);
  } else if (const auto* const refusal = std::get_if<Refusal>(&part.what)) {
    write_text_block(json, refusal->text, {});
  } else if (const auto* const call = std::get_if<ToolCall>(&part.what)) {
    json.open_object().field("type", "tool_use").field("id", call->id).field("name", call->name);
    write_input(json, call->arguments);
    json.close_object();
  } else if (const auto* const thinking = std::get_if<Thinking>(&part.what)) {
    json.open_object();
    if (thinking->redacted.empty()) {
      json.field("type", "thinking").field("thinking", thinking->text);
      json.field("signature", thinking->signature);
    } else {
      json.field("type", "redacted_thinking").field("data", thinking->redacted);
    }
    json.close_object();
  }
}

class MessageStreamWriter final : public EventWriter {
 public:
  void on(const Event& event) override {
    std::visit([this](const auto& one) { write(one); }, event);
  }
  void finish(const Bill& bill) override;

 private:
  enum class Block : std::uint8_t { none, text, thinking, call };

  void write(const event::Start& start);
  void write(const event::TextPiece& piece) { text(piece.choice, piece.text); }
  void write(const event::RefusalPiece& piece) {
    stop_ = StopReason::refusal;
    text(piece.choice, piece.text);
  }
  void write(const event::ThinkingPiece& piece);
  void write(const event::ThinkingSigned& piece);
  void write(const event::ThinkingRedacted& piece);
  void write(const event::CallStart& start);
  void write(const event::CallPiece& piece);
  void write(const event::Citation& citation);
  void write(const event::Logprobs& /*logprobs*/) {}
  void write(const event::PartEnd& /*end*/) { close(); }
  void write(const event::Stop& stop);
  void write(const event::Waiting& /*waiting*/) {
    out_ += "event: ping\ndata: {\"type\":\"ping\"}\n\n";
  }
  void write(const event::End& /*end*/) {}

  void text(std::int64_t choice, std::string_view text);
  bool is_only_choice(std::int64_t choice) {
    if (choice != 0) fail("there were several answers where one was asked for");
    return choice == 0;
  }
  /// Opens a block of this kind where none is open; `what` writes its fields.
  template <typename What>
  void open(Block kind, What&& what);
  void close();
  template <typename Delta>
  void delta(Delta&& delta);
  template <typename Fields>
  void send(std::string_view type, Fields&& fields) {
    out_.append("event: ").append(type).append("\ndata: ");
    JsonBuilder json(out_);
    json.open_object().field("type", type);
    fields(json);
    json.close_object();
    out_ += "\n\n";
  }

  Block open_ = Block::none;
  std::int64_t index_ = -1;
  std::int64_t call_ = -1;
  bool has_started_ = false;
  StopReason stop_ = StopReason::end_of_turn;
  std::string stop_sequence_;
};

void MessageStreamWriter::write(const event::Start& start) {
  has_started_ = true;
  send("message_start", [&](JsonBuilder& json) {
    json.key("message").open_object().field("id", start.id).field("type", "message");
    json.field("role", "assistant").field("model", start.model);
    json.key("content").open_array().close_array();
    json.raw_field("stop_reason", "null").raw_field("stop_sequence", "null");
    // What the input counts is not known yet; the last event says it.
    json.key("usage");
    write_usage(json, {});
    json.close_object();
  });
}

template <typename What>
void MessageStreamWriter::open(Block kind, What&& what) {
  if (open_ == kind && kind != Block::call) return;
  close();
  open_ = kind;
  ++index_;
  send("content_block_start", [&](JsonBuilder& json) {
    json.integer_field("index", index_).key("content_block").open_object();
    what(json);
    json.close_object();
  });
}

void MessageStreamWriter::close() {
  if (open_ == Block::none) return;
  open_ = Block::none;
  send("content_block_stop", [&](JsonBuilder& json) { json.integer_field("index", index_); });
}

template <typename Delta>
void MessageStreamWriter::delta(Delta&& delta) {
  send("content_block_delta", [&](JsonBuilder& json) {
    json.integer_field("index", index_).key("delta").open_object();
    delta(json);
    json.close_object();
  });
}

void MessageStreamWriter::text(std::int64_t choice, std::string_view text) {
  if (text.empty() || !is_only_choice(choice)) return;
  open(Block::text, [](JsonBuilder& json) {
    json.field("type", "text").field("text", "").raw_field("citations", "null");
  });
  delta([&](JsonBuilder& json) { json.field("type", "text_delta").field("text", text); });
}

void MessageStreamWriter::write(const event::Citation& citation) {
  if (open_ != Block::text) return;
  delta([&](JsonBuilder& json) {
    json.field("type", "citations_delta").raw_field("citation", citation.json);
  });
}

void MessageStreamWriter::write(const event::ThinkingPiece& piece) {
  if (!is_only_choice(piece.choice)) return;
  open(Block::thinking, [](JsonBuilder& json) {
    json.field("type", "thinking").field("thinking", "").field("signature", "");
  });
  delta([&](JsonBuilder& json) {
    json.field("type", "thinking_delta").field("thinking", piece.text);
  });
}

void MessageStreamWriter::write(const event::ThinkingSigned& piece) {
  if (!is_only_choice(piece.choice)) return;
  open(Block::thinking, [](JsonBuilder& json) {
    json.field("type", "thinking").field("thinking", "").field("signature", "");
  });
  delta([&](JsonBuilder& json) {
    json.field("type", "signature_delta").field("signature", piece.signature);
  });
  close();
}

void MessageStreamWriter::write(const event::ThinkingRedacted& piece) {
  if (!is_only_choice(piece.choice)) return;
  close();
  open(Block::thinking, [&](JsonBuilder& json) {
    json.field("type", "redacted_thinking").field("data", piece.data);
  });
  close();
}

void MessageStreamWriter::write(const event::CallStart& start) {
  if (!is_only_choice(start.choice)) return;
  call_ = start.call;
  open(Block::call, [&](JsonBuilder& json) {
    json.field("type", "tool_use").field("id", start.id).field("name", start.name);
    json.raw_field("input", "{}");
  });
}

void MessageStreamWriter::write(const event::CallPiece& piece) {
  // Blocks follow one another here, and no provider is known to mix its calls.
  if (open_ != Block::call || piece.call != call_) {
    return fail("pieces of several tool calls were mixed, which this dialect cannot say");
  }
  delta([&](JsonBuilder& json) {
    json.field("type", "input_json_delta").field("partial_json", piece.arguments);
  });
}

void MessageStreamWriter::write(const event::Stop& stop) {
  if (!is_only_choice(stop.choice)) return;
  close();
  const bool has_declined = stop_ == StopReason::refusal && stop.reason == StopReason::end_of_turn;
  if (!has_declined) stop_ = stop.reason;
  stop_sequence_ = stop.sequence;
}

void MessageStreamWriter::finish(const Bill& bill) {
  if (!has_started_) return fail("the answer ended before it began");
  close();
  send("message_delta", [&](JsonBuilder& json) {
    json.key("delta").open_object();
    write_stop(json, stop_, stop_sequence_);
    json.close_object().key("usage");
    write_usage(json, bill);
  });
  send("message_stop", [](JsonBuilder&) {});
}

}  // namespace

std::string_view stop_reason_of(StopReason reason) {
  switch (reason) {
    case StopReason::end_of_turn:
    case StopReason::unknown:
      return "end_turn";
    case StopReason::output_bound:
      return "max_tokens";
    case StopReason::context_full:
      return "model_context_window_exceeded";
    case StopReason::stop_sequence:
      return "stop_sequence";
    case StopReason::tool_calls:
      return "tool_use";
    case StopReason::refusal:
      return "refusal";
    case StopReason::paused:
      return "pause_turn";
  }
  return "end_turn";
}

std::string message(const Answer& answer, const Bill& bill) {
  std::string out;
  JsonBuilder json(out);
  json.open_object().field("id", answer.id).field("type", "message");
  json.field("role", "assistant").field("model", answer.model);
  json.key("content").open_array();
  StopReason stop = StopReason::end_of_turn;
  std::string_view sequence;
  if (!answer.choices.empty()) {
    const Choice& choice = answer.choices.front();
    stop = choice.stop;
    sequence = choice.stop_sequence;
    for (const Part& part : choice.content) {
      write_block(json, part);
      const bool has_declined = std::holds_alternative<Refusal>(part.what);
      if (has_declined && stop == StopReason::end_of_turn) stop = StopReason::refusal;
    }
  }
  json.close_array();
  write_stop(json, stop, sequence);
  json.key("usage");
  write_usage(json, bill);
  json.close_object();
  return out;
}

std::unique_ptr<EventWriter> message_stream_writer() {
  return std::make_unique<MessageStreamWriter>();
}

}  // namespace claviger::api::anthropic

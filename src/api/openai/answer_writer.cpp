#include "api/openai/answer_writer.h"

#include <utility>
#include <vector>

#include "exchange/json_builder.h"

namespace claviger::api::openai {
namespace {

using namespace exchange;

/// Counts as OpenAI has them: cached tokens inside the prompt.
void write_usage(JsonBuilder& json, const Bill& bill) {
  const Usage& usage = *bill.usage;
  json.open_object();
  json.integer_field("prompt_tokens", usage.total_input_tokens());
  json.integer_field("completion_tokens", usage.output_tokens);
  json.integer_field("total_tokens", usage.total_tokens());
  json.key("prompt_tokens_details").open_object();
  json.integer_field("cached_tokens", usage.cached_input_tokens);
  json.integer_field("cache_write_tokens", usage.cache_write_tokens + usage.cache_write_1h_tokens);
  json.close_object();
  json.key("completion_tokens_details").open_object();
  json.integer_field("reasoning_tokens", usage.reasoning_tokens);
  json.close_object();
  if (bill.cost) json.raw_field("cost", to_decimal(*bill.cost));
  json.close_object();
}

void write_thought(JsonBuilder& json, const Thinking& thinking, std::int64_t index) {
  json.open_object();
  if (!thinking.redacted.empty()) {
    json.field("type", "reasoning.encrypted").field("data", thinking.redacted);
  } else {
    json.field("type", "reasoning.text").field("text", thinking.text);
    json.field_if("signature", thinking.signature);
  }
  json.integer_field("index", index).close_object();
}

/// The parts of one choice, gathered by where a message has room for them.
struct Gathered {
  std::string text;
  std::string refusal;
  std::string thought;
  std::vector<Thinking> thinking;
  std::vector<ToolCall> calls;
  bool has_text = false;

  explicit Gathered(const Choice& choice) {
    for (const Part& part : choice.content) {
      if (const auto* const one = std::get_if<Text>(&part.what)) {
        has_text = true;
        text += one->text;
      } else if (const auto* const declined = std::get_if<Refusal>(&part.what)) {
        refusal += declined->text;
      } else if (const auto* const thought_part = std::get_if<Thinking>(&part.what)) {
        thought += thought_part->text;
        thinking.push_back(*thought_part);
      } else if (const auto* const call = std::get_if<ToolCall>(&part.what)) {
        calls.push_back(*call);
      }
    }
  }
};

void write_message(JsonBuilder& json, const Choice& choice) {
  const Gathered parts(choice);
  json.open_object().field("role", "assistant");
  if (parts.has_text) {
    json.field("content", parts.text);
  } else {
    json.raw_field("content", "null");
  }
  if (parts.refusal.empty()) {
    json.raw_field("refusal", "null");
  } else {
    json.field("refusal", parts.refusal);
  }
  if (!parts.thinking.empty()) {
    json.field_if("reasoning_content", parts.thought);
    json.key("reasoning_details").open_array();
    std::int64_t index = 0;
    for (const Thinking& thinking : parts.thinking) write_thought(json, thinking, index++);
    json.close_array();
  }
  if (!parts.calls.empty()) {
    json.key("tool_calls").open_array();
    for (const ToolCall& call : parts.calls) {
      json.open_object().field("id", call.id).field("type", "function");
      json.key("function").open_object();
      json.field("name", call.name).field("arguments", call.arguments);
      json.close_object().close_object();
    }
    json.close_array();
  }
  json.close_object();
}

class ChatStreamWriter final : public EventWriter {
 public:
  explicit ChatStreamWriter(bool wants_usage) : wants_usage_(wants_usage) {}

  void on(const Event& event) override {
    std::visit([this](const auto& one) { write(one); }, event);
  }

  void finish(const Bill& bill) override {
    if (wants_usage_ && bill.usage) {
      JsonBuilder json = begin();
      json.key("choices").open_array().close_array();
      json.key("usage");
      write_usage(json, bill);
      end(json);
    }
    out_ += "data: [DONE]\n\n";
  }

 private:
  void write(const event::Start& start) {
    id_ = start.id;
    model_ = start.model;
    created_s_ = start.created_s;
  }
  void write(const event::TextPiece& piece) {
    // An empty piece says nothing, except that the answer has begun.
    if (piece.text.empty() && has_begun(piece.choice)) return;
    delta(piece.choice, [&](JsonBuilder& json) { json.field("content", piece.text); });
  }
  void write(const event::RefusalPiece& piece) {
    delta(piece.choice, [&](JsonBuilder& json) { json.field("refusal", piece.text); });
  }
  void write(const event::ThinkingPiece& piece) {
    if (piece.text.empty()) return;
    delta(piece.choice, [&](JsonBuilder& json) {
      json.field("reasoning_content", piece.text);
      thought(json, {.text = piece.text, .signature = {}, .redacted = {}}, piece.choice);
    });
  }
  void write(const event::ThinkingSigned& piece) {
    delta(piece.choice, [&](JsonBuilder& json) {
      thought(json, {.text = {}, .signature = piece.signature, .redacted = {}}, piece.choice);
    });
  }
  void write(const event::ThinkingRedacted& piece) {
    delta(piece.choice, [&](JsonBuilder& json) {
      thought(json, {.text = {}, .signature = {}, .redacted = piece.data}, piece.choice);
    });
  }
  void write(const event::CallStart& start) {
    delta(start.choice, [&](JsonBuilder& json) {
      json.key("tool_calls").open_array().open_object();
      json.integer_field("index", start.call).field("id", start.id).field("type", "function");
      json.key("function").open_object().field("name", start.name).field("arguments", "");
      json.close_object().close_object().close_array();
    });
  }
  void write(const event::CallPiece& piece) {
    if (piece.arguments.empty()) return;
    delta(piece.choice, [&](JsonBuilder& json) {
      json.key("tool_calls").open_array().open_object().integer_field("index", piece.call);
      json.key("function").open_object().field("arguments", piece.arguments);
      json.close_object().close_object().close_array();
    });
  }
  // Only callers who ask for citations in their own dialect's words get any.
  void write(const event::Citation& /*citation*/) {}
  void write(const event::Logprobs& logprobs) {
    chunk(logprobs.choice, [](JsonBuilder&) {}, logprobs.json, "null");
  }
  void write(const event::PartEnd& end) { of(end.choice).thought_is_open = false; }
  void write(const event::Stop& stop) {
    std::string reason = "\"";
    reason.append(finish_reason_of(stop.reason)).append("\"");
    chunk(stop.choice, [](JsonBuilder&) {}, "null", reason);
  }
  /// A comment, which every reader of event streams skips.
  void write(const event::Waiting& /*waiting*/) { out_ += ": waiting\n\n"; }
  void write(const event::End& /*end*/) {}

  struct ChoiceState {
    bool has_begun = false;
    bool thought_is_open = false;
    std::int64_t thoughts = 0;
  };
  /// Bounded by what the caller may ask for; an answer with more is not one.
  static constexpr std::int64_t choices_max = 128;

  ChoiceState& of(std::int64_t choice) {
    const bool is_sane = choice >= 0 && choice < choices_max;
    if (!is_sane) fail("an answer has more choices than can be asked for");
    const auto at = static_cast<std::size_t>(is_sane ? choice : 0);
    if (choices_.size() <= at) choices_.resize(at + 1);
    return choices_[at];
  }
  bool has_begun(std::int64_t choice) { return of(choice).has_begun; }

  void thought(JsonBuilder& json, const Thinking& thinking, std::int64_t choice) {
    ChoiceState& state = of(choice);
    if (!std::exchange(state.thought_is_open, true)) ++state.thoughts;
    json.key("reasoning_details").open_array();
    write_thought(json, thinking, state.thoughts - 1);
    json.close_array();
  }

  JsonBuilder begin() {
    out_ += "data: ";
    JsonBuilder json(out_);
    json.open_object().field("id", id_).field("object", "chat.completion.chunk");
    json.integer_field("created", created_s_).field("model", model_);
    return json;
  }
  void end(JsonBuilder& json) {
    json.close_object();
    out_ += "\n\n";
  }
  template <typename Fields>
  void delta(std::int64_t choice, Fields&& fields) {
    chunk(choice, fields, "null", "null");
  }
  template <typename Fields>
  void chunk(std::int64_t choice, Fields&& fields, std::string_view logprobs,
             std::string_view finish_reason) {
    const bool is_first = !std::exchange(of(choice).has_begun, true);
    JsonBuilder json = begin();
    json.key("choices").open_array().open_object().integer_field("index", choice);
    json.key("delta").open_object();
    if (is_first) json.field("role", "assistant");
    fields(json);
    json.close_object();
    json.raw_field("logprobs", logprobs).raw_field("finish_reason", finish_reason);
    json.close_object().close_array();
    if (wants_usage_) json.raw_field("usage", "null");
    end(json);
  }

  bool wants_usage_;
  std::string id_;
  std::string model_;
  std::int64_t created_s_ = 0;
  std::vector<ChoiceState> choices_;
};

}  // namespace

std::string_view finish_reason_of(StopReason reason) {
  switch (reason) {
    case StopReason::end_of_turn:
    case StopReason::stop_sequence:
    case StopReason::unknown:
      return "stop";
    // A paused turn is not done; `stop` would say that it is.
    case StopReason::output_bound:
    case StopReason::context_full:
    case StopReason::paused:
      return "length";
    case StopReason::tool_calls:
      return "tool_calls";
    case StopReason::refusal:
      return "content_filter";
  }
  return "stop";
}

std::string chat_completion(const Answer& answer, const Bill& bill) {
  std::string out;
  JsonBuilder json(out);
  json.open_object().field("id", answer.id).field("object", "chat.completion");
  json.integer_field("created", answer.created_s).field("model", answer.model);
  json.key("choices").open_array();
  std::int64_t index = 0;
  for (const Choice& choice : answer.choices) {
    json.open_object().integer_field("index", index++);
    json.key("message");
    write_message(json, choice);
    json.raw_field("logprobs", choice.logprobs.empty() ? "null" : choice.logprobs);
    json.field("finish_reason", finish_reason_of(choice.stop)).close_object();
  }
  json.close_array();
  if (bill.usage) {
    json.key("usage");
    write_usage(json, bill);
  }
  json.close_object();
  return out;
}

std::unique_ptr<EventWriter> chat_stream_writer(const Request& request) {
  return std::make_unique<ChatStreamWriter>(request.wants_usage_event);
}

}  // namespace claviger::api::openai

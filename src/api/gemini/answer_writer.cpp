#include "api/gemini/answer_writer.h"

#include <map>
#include <utility>

#include "exchange/json_builder.h"

namespace claviger::api::gemini {
namespace {

using namespace exchange;

/// Counts as Google has them: cached tokens inside the prompt, thoughts beside the candidates'.
void write_usage(JsonBuilder& json, const Bill& bill) {
  const Usage usage = bill.usage.value_or(Usage{});
  json.key("usageMetadata").open_object();
  json.integer_field("promptTokenCount", usage.total_input_tokens());
  if (usage.cached_input_tokens > 0) {
    json.integer_field("cachedContentTokenCount", usage.cached_input_tokens);
  }
  json.integer_field("candidatesTokenCount", usage.output_tokens - usage.reasoning_tokens);
  if (usage.reasoning_tokens > 0) {
    json.integer_field("thoughtsTokenCount", usage.reasoning_tokens);
  }
  json.integer_field("totalTokenCount", usage.total_tokens());
  if (bill.cost) json.raw_field("cost", to_decimal(*bill.cost));
  json.close_object();
}

/// The arguments as an object, which is what the SDKs' types promise. A model that wrote
/// something else has its words kept under a key of their own rather than thrown away.
void write_call(JsonBuilder& json, std::string_view id, std::string_view name,
                std::string_view arguments) {
  JsonTree tree;
  json.key("functionCall").open_object().field_if("id", id).field("name", name);
  if (arguments.find_first_not_of(" \n\r\t") == std::string_view::npos) {
    json.raw_field("args", "{}");
  } else if (tree.read(arguments) && tree.root().is_object()) {
    json.raw_field("args", tree.root().raw());
  } else {
    json.key("args").open_object().field("claviger_unparsed_arguments", arguments).close_object();
  }
  json.close_object();
}

/// Writes the parts of one answer; the proof of a thought stands on the part that follows it.
class PartsWriter {
 public:
  explicit PartsWriter(JsonBuilder& json) : json_(json) {}

  void write(const Part& part) {
    if (const auto* const text = std::get_if<Text>(&part.what)) {
      write_text(text->text);
    } else if (const auto* const refusal = std::get_if<Refusal>(&part.what)) {
      write_text(refusal->text);
    } else if (const auto* const call = std::get_if<ToolCall>(&part.what)) {
      json_.open_object();
      write_call(json_, call->id, call->name, call->arguments);
      json_.field_if("thoughtSignature", std::exchange(signature_, {}));
      json_.close_object();
    } else if (const auto* const thinking = std::get_if<Thinking>(&part.what)) {
      if (!thinking->text.empty()) {
        json_.open_object().field("text", thinking->text).raw_field("thought", "true");
        json_.close_object();
      }
      signature_ = thinking->signature;
    }
  }

 private:
  void write_text(std::string_view text) {
    if (text.empty()) return;
    json_.open_object().field("text", text);
    json_.field_if("thoughtSignature", std::exchange(signature_, {}));
    json_.close_object();
  }
  JsonBuilder& json_;
  std::string_view signature_;
};

class ContentStreamWriter final : public EventWriter {
 public:
  void on(const Event& event) override {
    std::visit([this](const auto& one) { write(one); }, event);
  }
  void finish(const Bill& bill) override;

 private:
  struct Candidate {
    std::string signature;  ///< For the part that comes next.
    bool has_call = false;
    std::string call_id;
    std::string call_name;
    std::string call_arguments;
    bool has_declined = false;
    StopReason stop = StopReason::end_of_turn;
  };

  void write(const event::Start& start) {
    id_ = start.id;
    model_ = start.model;
    has_started_ = true;
  }
  void write(const event::TextPiece& piece) { text(piece.choice, piece.text, "false"); }
  void write(const event::RefusalPiece& piece) {
    candidates_[piece.choice].has_declined = true;
    text(piece.choice, piece.text, "false");
  }
  void write(const event::ThinkingPiece& piece) { text(piece.choice, piece.text, "true"); }
  void write(const event::ThinkingSigned& piece) {
    candidates_[piece.choice].signature = piece.signature;
  }
  void write(const event::ThinkingRedacted& /*piece*/) {}
  void write(const event::CallStart& start) {
    end_call(start.choice);
    Candidate& candidate = candidates_[start.choice];
    candidate.has_call = true;
    candidate.call_id = start.id;
    candidate.call_name = start.name;
    call_ = start.call;
  }
  void write(const event::CallPiece& piece) {
    Candidate& candidate = candidates_[piece.choice];
    if (!candidate.has_call || piece.call != call_) {
      return fail("pieces of several tool calls were mixed, which this dialect cannot say");
    }
    candidate.call_arguments += piece.arguments;
  }
  void write(const event::Citation& /*citation*/) {}
  void write(const event::Logprobs& /*logprobs*/) {}
  void write(const event::PartEnd& end) { end_call(end.choice); }
  void write(const event::Stop& stop) {
    end_call(stop.choice);
    Candidate& candidate = candidates_[stop.choice];
    const bool keeps = candidate.has_declined && stop.reason == StopReason::end_of_turn;
    candidate.stop = keeps ? StopReason::refusal : stop.reason;
  }
  // Its SDKs bear no comments between events.
  void write(const event::Waiting& /*waiting*/) {}
  void write(const event::End& /*end*/) {}

  void text(std::int64_t choice, std::string_view text, std::string_view is_thought);
  void end_call(std::int64_t choice);
  /// One event with one candidate; `parts` writes into its open array of parts.
  template <typename Parts>
  void send(std::int64_t choice, Parts&& parts);

  std::string id_;
  std::string model_;
  std::map<std::int64_t, Candidate> candidates_;
  std::int64_t call_ = -1;
  bool has_started_ = false;
};

template <typename Parts>
void ContentStreamWriter::send(std::int64_t choice, Parts&& parts) {
  out_ += "data: ";
  JsonBuilder json(out_);
  json.open_object().key("candidates").open_array().open_object();
  json.key("content").open_object().key("parts").open_array();
  parts(json);
  json.close_array().field("role", "model").close_object();
  json.integer_field("index", choice).close_object().close_array();
  json.field_if("modelVersion", model_).field_if("responseId", id_).close_object();
  out_ += "\n\n";
}

void ContentStreamWriter::text(std::int64_t choice, std::string_view text,
                               std::string_view is_thought) {
  if (text.empty()) return;
  end_call(choice);
  Candidate& candidate = candidates_[choice];
  send(choice, [&](JsonBuilder& json) {
    json.open_object().field("text", text);
    if (is_thought == "true") {
      json.raw_field("thought", is_thought);
    } else {
      json.field_if("thoughtSignature", std::exchange(candidate.signature, {}));
    }
    json.close_object();
  });
}

void ContentStreamWriter::end_call(std::int64_t choice) {
  const auto found = candidates_.find(choice);
  if (found == candidates_.end() || !found->second.has_call) return;
  Candidate& candidate = found->second;
  candidate.has_call = false;
  send(choice, [&](JsonBuilder& json) {
    json.open_object();
    write_call(json, candidate.call_id, candidate.call_name, candidate.call_arguments);
    json.field_if("thoughtSignature", std::exchange(candidate.signature, {}));
    json.close_object();
  });
  candidate.call_arguments.clear();
}

void ContentStreamWriter::finish(const Bill& bill) {
  if (!has_started_) return fail("the answer ended before it began");
  if (candidates_.empty()) candidates_[0] = {};
  out_ += "data: ";
  JsonBuilder json(out_);
  json.open_object().key("candidates").open_array();
  for (const auto& [choice, candidate] : candidates_) {
    json.open_object().key("content").open_object().key("parts").open_array();
    json.open_object().field("text", "").close_object();
    json.close_array().field("role", "model").close_object();
    json.field("finishReason", finish_reason_of(candidate.stop));
    json.integer_field("index", choice).close_object();
  }
  json.close_array();
  write_usage(json, bill);
  json.field_if("modelVersion", model_).field_if("responseId", id_).close_object();
  out_ += "\n\n";
}

}  // namespace

std::string_view finish_reason_of(StopReason reason) {
  switch (reason) {
    case StopReason::end_of_turn:
    case StopReason::stop_sequence:
    case StopReason::tool_calls:
      return "STOP";
    case StopReason::output_bound:
    case StopReason::context_full:
      return "MAX_TOKENS";
    case StopReason::refusal:
      return "SAFETY";
    case StopReason::paused:
    case StopReason::unknown:
      return "OTHER";
  }
  return "OTHER";
}

std::string generate_content_response(const Answer& answer, const Bill& bill) {
  std::string out;
  JsonBuilder json(out);
  json.open_object().key("candidates").open_array();
  std::int64_t number = 0;
  for (const Choice& choice : answer.choices) {
    StopReason stop = choice.stop;
    json.open_object().key("content").open_object().key("parts").open_array();
    PartsWriter parts(json);
    for (const Part& part : choice.content) {
      parts.write(part);
      const bool has_declined = std::holds_alternative<Refusal>(part.what);
      if (has_declined && stop == StopReason::end_of_turn) stop = StopReason::refusal;
    }
    json.close_array().field("role", "model").close_object();
    json.field("finishReason", finish_reason_of(stop));
    json.integer_field("index", number++).close_object();
  }
  json.close_array();
  write_usage(json, bill);
  json.field_if("modelVersion", answer.model).field_if("responseId", answer.id).close_object();
  return out;
}

std::unique_ptr<EventWriter> content_stream_writer() {
  return std::make_unique<ContentStreamWriter>();
}

}  // namespace claviger::api::gemini

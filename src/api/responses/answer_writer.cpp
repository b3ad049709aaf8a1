#include "api/responses/answer_writer.h"

#include <fmt/format.h>

#include <map>
#include <utility>
#include <vector>

#include "api/responses/conversation_reader.h"
#include "exchange/json_builder.h"
#include "exchange/json_writer.h"

namespace claviger::api::responses {
namespace {

using namespace exchange;

/// Counts as OpenAI has them: cached tokens inside the input, reasoning inside the output.
void write_usage(JsonBuilder& json, const Bill& bill) {
  const Usage& usage = *bill.usage;
  json.open_object();
  json.integer_field("input_tokens", usage.total_input_tokens());
  json.key("input_tokens_details").open_object();
  json.integer_field("cached_tokens", usage.cached_input_tokens);
  json.integer_field("cache_write_tokens", usage.cache_write_tokens + usage.cache_write_1h_tokens);
  json.close_object();
  json.integer_field("output_tokens", usage.output_tokens);
  json.key("output_tokens_details").open_object();
  json.integer_field("reasoning_tokens", usage.reasoning_tokens);
  json.close_object();
  json.integer_field("total_tokens", usage.total_tokens());
  if (bill.cost) json.raw_field("cost", to_decimal(*bill.cost));
  json.close_object();
}

enum class Status : std::uint8_t { in_progress, completed, incomplete };

std::string_view word_of(Status status) {
  switch (status) {
    case Status::in_progress:
      return "in_progress";
    case Status::completed:
      return "completed";
    case Status::incomplete:
      return "incomplete";
  }
  return "completed";
}

/// Empty where the answer is complete. A paused turn is not done; to say that it is would be a lie.
std::string_view why_incomplete(StopReason reason) {
  switch (reason) {
    case StopReason::end_of_turn:
    case StopReason::stop_sequence:
    case StopReason::tool_calls:
    case StopReason::unknown:
      return {};
    case StopReason::output_bound:
    case StopReason::context_full:
    case StopReason::paused:
      return "max_output_tokens";
    case StopReason::refusal:
      return "content_filter";
  }
  return {};
}

enum class PartKind : std::uint8_t { none, text, refusal };

/// One item of the output, from its beginning on.
struct Item {
  enum class Kind : std::uint8_t { message, reasoning, call };
  Kind kind = Kind::message;
  std::string id;
  std::string call_id;
  std::string name;
  std::string text;      ///< Of the open part, the thought, or the arguments.
  std::string proof;     ///< `encrypted_content`
  std::string logprobs;  ///< Of the open part: elements, parted by commas.
  std::string parts;     ///< Of a message, those that are closed: JSON, parted by commas.
  std::int64_t parts_count = 0;
  PartKind open_part = PartKind::none;
  bool is_open = true;
};

void write_part(JsonBuilder& json, PartKind kind, std::string_view text,
                std::string_view logprobs) {
  json.open_object();
  if (kind == PartKind::refusal) {
    json.field("type", "refusal").field("refusal", text);
  } else {
    json.field("type", "output_text").raw_field("annotations", "[]");
    json.raw_field("logprobs", fmt::format("[{}]", logprobs)).field("text", text);
  }
  json.close_object();
}

void write_summary(JsonBuilder& json, std::string_view text) {
  json.open_object().field("type", "summary_text").field("text", text).close_object();
}

void write_item(JsonBuilder& json, const Item& item, Status status) {
  json.open_object().field("id", item.id);
  switch (item.kind) {
    case Item::Kind::message:
      json.field("type", "message").field("status", word_of(status)).field("role", "assistant");
      json.raw_field("content", fmt::format("[{}]", item.parts));
      break;
    case Item::Kind::reasoning:
      json.field("type", "reasoning").key("summary").open_array();
      if (!item.text.empty()) write_summary(json, item.text);
      json.close_array();
      if (!item.proof.empty()) json.field("encrypted_content", item.proof);
      break;
    case Item::Kind::call:
      json.field("type", "function_call").field("status", word_of(status));
      json.field("arguments", item.text).field("call_id", item.call_id).field("name", item.name);
      break;
  }
  json.close_object();
}

/// Both forms of an answer come from the same events; a whole one is what the last event says.
enum class Form : std::uint8_t { whole, events };

class ResponseWriter final : public EventWriter {
 public:
  explicit ResponseWriter(Form form) : form_(form) {}

  void on(const Event& event) override {
    std::visit([this](const auto& one) { write(one); }, event);
  }
  void finish(const Bill& bill) override;

 private:
  void write(const event::Start& start);
  void write(const event::TextPiece& piece) { say(piece.choice, PartKind::text, piece.text); }
  void write(const event::RefusalPiece& piece) { say(piece.choice, PartKind::refusal, piece.text); }
  void write(const event::ThinkingPiece& piece);
  void write(const event::ThinkingSigned& piece);
  void write(const event::ThinkingRedacted& piece);
  void write(const event::CallStart& start);
  void write(const event::CallPiece& piece);
  // Only callers who ask for citations in their own dialect's words get any.
  void write(const event::Citation& /*citation*/) {}
  void write(const event::Logprobs& logprobs);
  void write(const event::PartEnd& end);
  void write(const event::Stop& stop);
  /// A comment, which every reader of event streams skips.
  void write(const event::Waiting& /*waiting*/) {
    if (form_ == Form::events) out_ += ": waiting\n\n";
  }
  void write(const event::End& /*end*/) {}

  void say(std::int64_t choice, PartKind kind, std::string_view text);
  std::size_t open_thought(std::int64_t choice);
  std::size_t open(Item::Kind kind, std::string_view prefix);
  void open_part(Item& item, std::size_t index, PartKind kind);
  void close_part(Item& item, std::size_t index);
  void close(std::size_t index, Status status);
  void close_all(Status status);
  void write_response(JsonBuilder& json, Status status, const Bill& bill) const;
  bool is_only_choice(std::int64_t choice) {
    if (choice != 0) fail("there were several answers where one was asked for");
    return choice == 0;
  }
  /// Whether that much more may be kept.
  bool keep(std::size_t bytes) {
    kept_bytes_ += bytes;
    if (kept_bytes_ > answer_bytes_max)
      fail("the answer is longer than can be repeated at its end");
    return kept_bytes_ <= answer_bytes_max;
  }

  template <typename Fields>
  void send(std::string_view type, Fields&& fields) {
    if (form_ == Form::whole) return;
    out_.append("event: ").append(type).append("\ndata: ");
    JsonBuilder json(out_);
    json.open_object().field("type", type).integer_field("sequence_number", sequence_++);
    fields(json);
    json.close_object();
    out_ += "\n\n";
  }
  /// An event about an item, with what most of them say.
  template <typename Fields>
  void send_of(std::string_view type, std::size_t index, Fields&& fields) {
    send(type, [&](JsonBuilder& json) {
      json.field("item_id", items_[index].id);
      json.integer_field("output_index", static_cast<std::int64_t>(index));
      fields(json);
    });
  }

  static constexpr std::size_t none = static_cast<std::size_t>(-1);
  /// Bounded: an answer with more is not one.
  static constexpr std::size_t items_max = 4096;

  Form form_;
  std::string id_;
  std::string model_;
  std::int64_t created_s_ = 0;
  std::int64_t sequence_ = 0;
  std::vector<Item> items_;
  std::map<std::int64_t, std::size_t> calls_;  ///< By their numbers, where they stand in `items_`.
  std::size_t open_ = none;                    ///< The message or the thought that goes on.
  std::size_t kept_bytes_ = 0;
  bool has_started_ = false;
  bool has_refused_ = false;
  StopReason stop_ = StopReason::end_of_turn;
};

void ResponseWriter::write(const event::Start& start) {
  if (std::exchange(has_started_, true)) return;
  id_ = start.id;
  model_ = start.model;
  created_s_ = start.created_s;
  for (const std::string_view type : {"response.created", "response.in_progress"}) {
    send(type, [&](JsonBuilder& json) {
      json.key("response");
      write_response(json, Status::in_progress, {});
    });
  }
}

std::size_t ResponseWriter::open(Item::Kind kind, std::string_view prefix) {
  if (items_.size() == items_max) {
    fail("the answer has more items than can be told");
    return items_max - 1;
  }
  const std::size_t index = items_.size();
  Item& item = items_.emplace_back();
  item.kind = kind;
  item.id = fmt::format("{}_{}_{}", prefix, id_, index);
  return index;
}

void ResponseWriter::say(std::int64_t choice, PartKind kind, std::string_view text) {
  if (text.empty() || !is_only_choice(choice) || !keep(text.size())) return;
  has_refused_ = has_refused_ || kind == PartKind::refusal;
  if (open_ != none && items_[open_].kind != Item::Kind::message) close(open_, Status::completed);
  if (open_ == none) {
    open_ = open(Item::Kind::message, "msg");
    send("response.output_item.added", [&](JsonBuilder& json) {
      json.integer_field("output_index", static_cast<std::int64_t>(open_)).key("item");
      write_item(json, items_[open_], Status::in_progress);
    });
  }
  Item& item = items_[open_];
  if (item.open_part != kind) {
    close_part(item, open_);
    open_part(item, open_, kind);
  }
  item.text += text;
  send_of(kind == PartKind::text ? "response.output_text.delta" : "response.refusal.delta", open_,
          [&](JsonBuilder& json) {
            json.integer_field("content_index", item.parts_count).field("delta", text);
            if (kind == PartKind::text) json.raw_field("logprobs", "[]");
          });
}

void ResponseWriter::open_part(Item& item, std::size_t index, PartKind kind) {
  item.open_part = kind;
  item.text.clear();
  item.logprobs.clear();
  send_of("response.content_part.added", index, [&](JsonBuilder& json) {
    json.integer_field("content_index", item.parts_count).key("part");
    write_part(json, kind, "", "");
  });
}

void ResponseWriter::close_part(Item& item, std::size_t index) {
  const PartKind kind = std::exchange(item.open_part, PartKind::none);
  if (kind == PartKind::none) return;
  const bool is_text = kind == PartKind::text;
  send_of(is_text ? "response.output_text.done" : "response.refusal.done", index,
          [&](JsonBuilder& json) {
            json.integer_field("content_index", item.parts_count);
            json.field(is_text ? "text" : "refusal", item.text);
            if (is_text) json.raw_field("logprobs", fmt::format("[{}]", item.logprobs));
          });
  std::string part;
  JsonBuilder json(part);
  write_part(json, kind, item.text, item.logprobs);
  send_of("response.content_part.done", index, [&](JsonBuilder& inner) {
    inner.integer_field("content_index", item.parts_count).raw_field("part", part);
  });
  if (!item.parts.empty()) item.parts += ',';
  item.parts += part;
  item.text.clear();
  ++item.parts_count;
}

std::size_t ResponseWriter::open_thought(std::int64_t choice) {
  if (!is_only_choice(choice)) return none;
  if (open_ != none && items_[open_].kind == Item::Kind::reasoning) return open_;
  if (open_ != none) close(open_, Status::completed);
  open_ = open(Item::Kind::reasoning, "rs");
  send("response.output_item.added", [&](JsonBuilder& json) {
    json.integer_field("output_index", static_cast<std::int64_t>(open_)).key("item");
    write_item(json, items_[open_], Status::in_progress);
  });
  return open_;
}

void ResponseWriter::write(const event::ThinkingPiece& piece) {
  if (piece.text.empty() || !keep(piece.text.size())) return;
  const std::size_t index = open_thought(piece.choice);
  if (index == none) return;
  Item& item = items_[index];
  if (item.text.empty()) {
    send_of("response.reasoning_summary_part.added", index, [](JsonBuilder& json) {
      json.integer_field("summary_index", 0).key("part");
      write_summary(json, "");
    });
  }
  item.text += piece.text;
  send_of("response.reasoning_summary_text.delta", index, [&](JsonBuilder& json) {
    json.integer_field("summary_index", 0).field("delta", piece.text);
  });
}

void ResponseWriter::write(const event::ThinkingSigned& piece) {
  if (!keep(piece.signature.size())) return;
  const std::size_t index = open_thought(piece.choice);
  if (index == none) return;
  // A signature may come in pieces.
  if (items_[index].proof.empty()) items_[index].proof = signature_mark;
  items_[index].proof += piece.signature;
}

void ResponseWriter::write(const event::ThinkingRedacted& piece) {
  if (!keep(piece.data.size())) return;
  if (open_ != none) close(open_, Status::completed);
  const std::size_t index = open_thought(piece.choice);
  if (index == none) return;
  items_[index].proof = fmt::format("{}{}", redacted_mark, piece.data);
  close(index, Status::completed);
}

void ResponseWriter::write(const event::CallStart& start) {
  if (!is_only_choice(start.choice)) return;
  if (open_ != none) close(open_, Status::completed);
  const std::size_t index = open(Item::Kind::call, "fc");
  items_[index].call_id = start.id.empty() ? items_[index].id : std::string(start.id);
  items_[index].name = start.name;
  calls_[start.call] = index;
  send("response.output_item.added", [&](JsonBuilder& json) {
    json.integer_field("output_index", static_cast<std::int64_t>(index)).key("item");
    write_item(json, items_[index], Status::in_progress);
  });
}

void ResponseWriter::write(const event::CallPiece& piece) {
  const auto found = calls_.find(piece.call);
  if (!is_only_choice(piece.choice) || piece.arguments.empty()) return;
  if (found == calls_.end() || !items_[found->second].is_open) {
    return fail("a piece of a tool call came after its end");
  }
  if (!keep(piece.arguments.size())) return;
  items_[found->second].text += piece.arguments;
  send_of("response.function_call_arguments.delta", found->second,
          [&](JsonBuilder& json) { json.field("delta", piece.arguments); });
}

/// OpenAI's own form, of which the elements are asked for here.
void ResponseWriter::write(const event::Logprobs& logprobs) {
  JsonTree tree;
  if (open_ == none || items_[open_].open_part != PartKind::text || !tree.read(logprobs.json)) {
    return;
  }
  std::string& kept = items_[open_].logprobs;
  for (const JsonNode one : tree.root()["content"]) {
    if (!keep(one.raw().size())) return;
    if (!kept.empty()) kept += ',';
    kept += one.raw();
  }
}

void ResponseWriter::close(std::size_t index, Status status) {
  Item& item = items_[index];
  if (index == open_) open_ = none;
  if (!std::exchange(item.is_open, false)) return;
  if (item.kind == Item::Kind::message) {
    close_part(item, index);
  } else if (item.kind == Item::Kind::reasoning && !item.text.empty()) {
    send_of("response.reasoning_summary_text.done", index, [&](JsonBuilder& json) {
      json.integer_field("summary_index", 0).field("text", item.text);
    });
    send_of("response.reasoning_summary_part.done", index, [&](JsonBuilder& json) {
      json.integer_field("summary_index", 0).key("part");
      write_summary(json, item.text);
    });
  } else if (item.kind == Item::Kind::call) {
    if (item.text.empty()) {  // No arguments, which readers of JSON want to see as an object.
      item.text = "{}";
      send_of("response.function_call_arguments.delta", index,
              [&](JsonBuilder& json) { json.field("delta", item.text); });
    }
    send_of("response.function_call_arguments.done", index, [&](JsonBuilder& json) {
      json.field("arguments", item.text).field("name", item.name);
    });
  }
  send("response.output_item.done", [&](JsonBuilder& json) {
    json.integer_field("output_index", static_cast<std::int64_t>(index)).key("item");
    write_item(json, item, status);
  });
}

/// Whatever is still open; where the answer was cut, its last item is what was cut.
void ResponseWriter::close_all(Status status) {
  for (std::size_t index = 0; index < items_.size(); ++index) {
    close(index, index + 1 == items_.size() ? status : Status::completed);
  }
}

void ResponseWriter::write(const event::PartEnd& end) {
  if (end.choice != 0) return;
  // Two texts that follow one another are parts of one message.
  if (open_ != none && items_[open_].kind == Item::Kind::message) {
    close_part(items_[open_], open_);
  } else if (open_ != none) {
    close(open_, Status::completed);
  } else if (!items_.empty()) {
    close(items_.size() - 1, Status::completed);  // A call; calls are not `open_`.
  }
}

void ResponseWriter::write(const event::Stop& stop) {
  if (!is_only_choice(stop.choice)) return;
  // The model's own words are an answer; a filter's cut is none.
  stop_ =
      has_refused_ && stop.reason == StopReason::refusal ? StopReason::end_of_turn : stop.reason;
}

void ResponseWriter::write_response(JsonBuilder& json, Status status, const Bill& bill) const {
  json.open_object().field("id", fmt::format("resp_{}", id_)).field("object", "response");
  json.integer_field("created_at", created_s_).field("status", word_of(status));
  json.raw_field("background", "false").raw_field("error", "null");
  if (status == Status::incomplete) {
    json.key("incomplete_details").open_object().field("reason", why_incomplete(stop_));
    json.close_object();
  } else {
    json.raw_field("incomplete_details", "null");
  }
  json.raw_field("instructions", "null").raw_field("max_output_tokens", "null");
  json.raw_field("metadata", "{}").field("model", model_).key("output").open_array();
  if (status != Status::in_progress) {
    for (std::size_t index = 0; index < items_.size(); ++index) {
      const bool is_cut = status == Status::incomplete && index + 1 == items_.size();
      write_item(json, items_[index], is_cut ? Status::incomplete : Status::completed);
    }
  }
  json.close_array().raw_field("parallel_tool_calls", "true");
  json.raw_field("previous_response_id", "null");
  json.raw_field("reasoning", R"({"effort":null,"summary":null})").raw_field("store", "false");
  json.raw_field("temperature", "null").raw_field("text", R"({"format":{"type":"text"}})");
  json.field("tool_choice", "auto").raw_field("tools", "[]").raw_field("top_p", "null");
  json.field("truncation", "disabled").key("usage");
  if (bill.usage) {
    write_usage(json, bill);
  } else {
    json.raw("null");
  }
  json.close_object();
}

void ResponseWriter::finish(const Bill& bill) {
  if (!has_started_) return fail("the answer ended before it began");
  const Status status = why_incomplete(stop_).empty() ? Status::completed : Status::incomplete;
  close_all(status);
  if (form_ == Form::whole) {
    JsonBuilder json(out_);
    return write_response(json, status, bill);
  }
  send(status == Status::completed ? "response.completed" : "response.incomplete",
       [&](JsonBuilder& json) {
         json.key("response");
         write_response(json, status, bill);
       });
}

}  // namespace

std::string response(const Answer& answer, const Bill& bill) {
  ResponseWriter writer(Form::whole);
  replay(answer, writer);
  writer.finish(bill);
  return std::move(writer.out());
}

std::unique_ptr<EventWriter> response_stream_writer() {
  return std::make_unique<ResponseWriter>(Form::events);
}

}  // namespace claviger::api::responses

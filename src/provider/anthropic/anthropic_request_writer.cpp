/// Writes Messages requests from a conversation.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "exchange/json_builder.h"
#include "provider/anthropic/anthropic_translation.h"

namespace claviger::provider {
namespace {

using namespace exchange;

using Done = std::expected<void, Untranslatable>;

std::unexpected<Untranslatable> cannot(std::string_view field, std::string why) {
  return std::unexpected(Untranslatable{.field = std::string(field), .why = std::move(why)});
}

std::string_view effort_word(Effort effort) {
  switch (effort) {
    case Effort::unset:
    case Effort::none:
      return {};
    case Effort::minimal:
    case Effort::low:
      return "low";
    case Effort::medium:
      return "medium";
    case Effort::high:
      return "high";
    case Effort::xhigh:
      return "xhigh";
    case Effort::max:
      return "max";
  }
  return {};
}

/// The share of the output bound that thinking may take, as OpenRouter has it
/// (https://openrouter.ai/docs/use-cases/reasoning-tokens, 2026-11).
std::int64_t percent_of(Effort effort) {
  switch (effort) {
    case Effort::minimal:
      return 10;
    case Effort::low:
      return 20;
    case Effort::medium:
      return 50;
    case Effort::xhigh:
    case Effort::max:
      return 95;
    default:
      return 80;
  }
}

/// Ids of calls must match ^[a-zA-Z0-9_-]+$ here. Other dialects' may not (`functions.f:0`); a
/// call and its result are changed alike, and nobody but the provider sees it.
std::string safe_id(std::string_view id) {
  std::string safe(id);
  for (char& c : safe) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (c >= '0' && c <= '9') || c == '_' || c == '-';
    if (!is_plain) c = '_';
  }
  return safe;
}

class Writer {
 public:
  Writer(const Conversation& conversation, std::string& out) : from_(conversation), json_(out) {}

  Done write(Delivery delivery, const Edits& edits);

 private:
  void system();
  Done messages();
  Done part(const Part& part);
  Done media(const Media& media, CacheMark mark);
  Done tool_call(const ToolCall& call, CacheMark mark);
  Done tool_result(const ToolResult& result, CacheMark mark);
  void thinking(const Thinking& thinking);
  void text(std::string_view text, CacheMark mark);
  void cache(CacheMark mark);
  void tools();
  void tool_choice();
  void sampling();
  Done thinking_and_format(std::string_view model, std::int64_t output_tokens_max);

  const Conversation& from_;
  JsonBuilder json_;
};

Done Writer::write(Delivery delivery, const Edits& edits) {
  const std::int64_t bound = edits.output_tokens_max.value_or(from_.output_tokens_max.value_or(0));
  json_.open_object().field("model", edits.model).integer_field("max_tokens", bound);
  system();
  if (auto done = messages(); !done) return done;
  tools();
  tool_choice();
  sampling();
  if (auto done = thinking_and_format(edits.model, bound); !done) return done;
  if (!from_.end_user.empty()) {
    json_.key("metadata").open_object().field("user_id", from_.end_user).close_object();
  }
  if (from_.service_tier == "default") json_.field("service_tier", "standard_only");
  if (from_.cache != CacheMark::none) cache(from_.cache);
  if (delivery == Delivery::streamed) json_.raw_field("stream", "true");
  json_.close_object();
  return {};
}

/// All system messages: a later one is only here where the caller allowed its place to be lost.
void Writer::system() {
  bool is_open = false;
  for (const Message& message : from_.messages) {
    if (message.role != Role::system) continue;
    for (const Part& part : message.content) {
      const auto* const words = std::get_if<Text>(&part.what);
      if (words == nullptr || words->text.empty()) continue;
      if (!std::exchange(is_open, true)) json_.key("system").open_array();
      text(words->text, part.cache);
    }
  }
  if (is_open) json_.close_array();
}

/// Turns alternate here: messages of one role that follow one another are one turn.
Done Writer::messages() {
  json_.key("messages").open_array();
  Role open_role = Role::system;
  for (const Message& message : from_.messages) {
    if (message.role == Role::system) continue;
    const auto says_something = [](const Part& part) {
      const auto* const words = std::get_if<Text>(&part.what);
      return words == nullptr || !words->text.empty();
    };
    if (std::ranges::none_of(message.content, says_something)) continue;
    if (message.role != open_role) {
      if (open_role != Role::system) json_.close_array().close_object();
      open_role = message.role;
      json_.open_object().field("role", message.role == Role::user ? "user" : "assistant");
      json_.key("content").open_array();
    }
    for (const Part& one : message.content) {
      if (auto done = part(one); !done) return done;
    }
  }
  if (open_role != Role::system) json_.close_array().close_object();
  json_.close_array();
  return {};
}

Done Writer::part(const Part& part) {
  if (const auto* const words = std::get_if<Text>(&part.what)) {
    if (!words->text.empty()) text(words->text, part.cache);  // Empty ones are refused there.
  } else if (const auto* const refusal = std::get_if<Refusal>(&part.what)) {
    if (!refusal->text.empty()) text(refusal->text, part.cache);
  } else if (const auto* const one = std::get_if<Media>(&part.what)) {
    return media(*one, part.cache);
  } else if (const auto* const call = std::get_if<ToolCall>(&part.what)) {
    return tool_call(*call, part.cache);
  } else if (const auto* const result = std::get_if<ToolResult>(&part.what)) {
    return tool_result(*result, part.cache);
  } else if (const auto* const thought = std::get_if<Thinking>(&part.what)) {
    thinking(*thought);
  }
  return {};
}

void Writer::text(std::string_view words, CacheMark mark) {
  json_.open_object().field("type", "text").field("text", words);
  cache(mark);
  json_.close_object();
}

void Writer::cache(CacheMark mark) {
  if (mark == CacheMark::none) return;
  json_.raw_field("cache_control", mark == CacheMark::one_hour
                                       ? R"({"type":"ephemeral","ttl":"1h"})"
                                       : R"({"type":"ephemeral"})");
}

Done Writer::media(const Media& media, CacheMark mark) {
  const bool is_document = media.kind == Media::Kind::document;
  if (is_document && media.source == Media::Source::base64 &&
      media.media_type != "application/pdf") {
    return cannot("messages", fmt::format("a document of type {} cannot be sent to this model; "
                                          "send a PDF, or its text",
                                          media.media_type));
  }
  json_.open_object().field("type", is_document ? "document" : "image");
  json_.key("source").open_object();
  switch (media.source) {
    case Media::Source::url:
      json_.field("type", "url").field("url", media.data);
      break;
    case Media::Source::base64:
      json_.field("type", "base64").field("media_type", media.media_type);
      json_.field("data", media.data);
      break;
    case Media::Source::text:
      json_.field("type", "text").field("media_type", "text/plain").field("data", media.data);
      break;
    case Media::Source::file_id:
      json_.field("type", "file").field("file_id", media.data);
      break;
  }
  json_.close_object();
  if (is_document) json_.field_if("title", media.name);
  cache(mark);
  json_.close_object();
  return {};
}

Done Writer::tool_call(const ToolCall& call, CacheMark mark) {
  JsonTree arguments;
  const bool is_empty = call.arguments.find_first_not_of(" \n\r\t") == std::string_view::npos;
  if (!is_empty && (!arguments.read(call.arguments) || !arguments.root().is_object())) {
    return cannot(
        "messages.tool_calls",
        fmt::format("the arguments of the call to \"{}\" are no JSON object; this model's "
                    "provider takes nothing else",
                    call.name));
  }
  json_.open_object().field("type", "tool_use").field("id", safe_id(call.id));
  json_.field("name", call.name);
  json_.raw_field("input", is_empty ? "{}" : arguments.root().raw());
  cache(mark);
  json_.close_object();
  return {};
}

Done Writer::tool_result(const ToolResult& result, CacheMark mark) {
  json_.open_object().field("type", "tool_result").field("tool_use_id", safe_id(result.call_id));
  json_.key("content").open_array();
  for (const Part& one : result.content) {
    if (auto done = part(one); !done) return done;
  }
  json_.close_array();
  if (result.outcome == ToolResult::Outcome::failed) json_.raw_field("is_error", "true");
  cache(mark);
  json_.close_object();
  return {};
}

void Writer::thinking(const Thinking& thinking) {
  if (!thinking.redacted.empty()) {
    json_.open_object().field("type", "redacted_thinking").field("data", thinking.redacted);
    json_.close_object();
  } else if (!thinking.signature.empty()) {
    json_.open_object().field("type", "thinking").field("thinking", thinking.text);
    json_.field("signature", thinking.signature).close_object();
  }
}

void Writer::tools() {
  if (from_.tools.empty()) return;
  json_.key("tools").open_array();
  for (const Tool& tool : from_.tools) {
    json_.open_object().field("name", tool.name).field_if("description", tool.description);
    json_.raw_field("input_schema",
                    tool.schema.empty() ? R"({"type":"object","properties":{}})" : tool.schema);
    if (tool.strict.value_or(false)) json_.raw_field("strict", "true");
    cache(tool.cache);
    json_.close_object();
  }
  json_.close_array();
}

void Writer::tool_choice() {
  using Kind = ToolChoice::Kind;
  const ToolChoice& choice = from_.tool_choice;
  if (from_.tools.empty()) return;
  if (choice.kind == Kind::unset && !choice.one_at_a_time) return;
  json_.key("tool_choice").open_object();
  switch (choice.kind) {
    case Kind::unset:
    case Kind::automatic:
      json_.field("type", "auto");
      break;
    case Kind::none:
      json_.field("type", "none");
      break;
    case Kind::any:
      json_.field("type", "any");
      break;
    case Kind::named:
      json_.field("type", "tool").field("name", choice.name);
      break;
  }
  if (choice.one_at_a_time && choice.kind != Kind::none) {
    json_.raw_field("disable_parallel_tool_use", "true");
  }
  json_.close_object();
}

void Writer::sampling() {
  const Sampling& sampling = from_.sampling;
  json_.raw_field_if("temperature", sampling.temperature);
  json_.raw_field_if("top_p", sampling.top_p);
  json_.raw_field_if("top_k", sampling.top_k);
  if (sampling.stop.empty()) return;
  json_.key("stop_sequences").open_array();
  for (const std::string_view one : sampling.stop) json_.string(one);
  json_.close_array();
}

Done Writer::thinking_and_format(std::string_view model, std::int64_t output_tokens_max) {
  const Reasoning& wish = from_.reasoning;
  const bool has_effort = wish.effort != Effort::unset && wish.effort != Effort::none;
  const bool by_effort = has_effort && anthropic::takes_effort(model);
  if (wish.effort == Effort::none) {
    json_.raw_field("thinking", R"({"type":"disabled"})");
  } else if (by_effort || wish.adaptive) {
    json_.raw_field("thinking", R"({"type":"adaptive"})");
  } else if (has_effort || wish.budget_tokens) {
    const std::int64_t share = output_tokens_max / 100 * percent_of(wish.effort);
    // A budget that a clamped bound no longer holds shrinks with it.
    const std::int64_t asked = wish.budget_tokens.value_or(share);
    const std::int64_t budget =
        std::max(anthropic::thinking_tokens_min, asked < output_tokens_max ? asked : share);
    if (budget >= output_tokens_max) {
      return cannot(wish.budget_tokens ? "thinking_budget" : "reasoning_effort",
                    fmt::format("this model's thinking takes at least {} tokens of an output bound "
                                "of {}; raise the bound, or leave the thinking out",
                                anthropic::thinking_tokens_min, output_tokens_max));
    }
    json_.key("thinking").open_object().field("type", "enabled");
    json_.integer_field("budget_tokens", budget).close_object();
  }
  const bool has_schema = from_.format.kind == AnswerFormat::Kind::json_schema;
  if (!by_effort && !has_schema) return {};
  json_.key("output_config").open_object();
  if (by_effort) json_.field("effort", effort_word(wish.effort));
  if (has_schema) {
    json_.key("format").open_object().field("type", "json_schema");
    json_.raw_field("schema", from_.format.schema).close_object();
  }
  json_.close_object();
  return {};
}

}  // namespace

/// Models before Opus 4.6 and Sonnet 4.6 take a budget; models of others that speak this dialect
/// do as well (npm @anthropic-ai/sdk 1.14.0, ThinkingConfigParam; 2026-11).
bool anthropic::takes_effort(std::string_view model) {
  constexpr std::array older = {"claude-2",          "claude-3",          "claude-instant",
                                "claude-opus-4-0",   "claude-opus-4-1",   "claude-opus-4-2",
                                "claude-opus-4-5",   "claude-sonnet-4-0", "claude-sonnet-4-2",
                                "claude-sonnet-4-5", "claude-haiku-4"};
  const std::size_t at = model.find("claude-");
  if (at == std::string_view::npos) return false;
  const std::string_view name = model.substr(at);
  if (name == "claude-opus-4" || name == "claude-sonnet-4") return false;
  return std::ranges::none_of(older, [&](std::string_view one) { return name.starts_with(one); });
}

FeatureSet AnthropicTranslation::expresses(const Profile& profile) const {
  using enum Feature;
  static const FeatureSet always = features({image_url,
                                             image_data,
                                             document_url,
                                             document_data,
                                             document_text,
                                             tool_result_media,
                                             prefill,
                                             tools,
                                             tool_choice,
                                             one_tool_at_a_time,
                                             strict_tools,
                                             temperature,
                                             top_p,
                                             top_k,
                                             stop,
                                             json_schema,
                                             reasoning_effort,
                                             reasoning_budget,
                                             reasoning_off,
                                             cache_marks,
                                             thinking_back,
                                             tool_failure,
                                             document_name,
                                             service_tier,
                                             end_user,
                                             long_end_user});
  return always | profile.also_takes;
}

Done AnthropicTranslation::write_conversation(const Profile& /*profile*/,
                                              const Conversation& conversation, Delivery delivery,
                                              const Edits& edits, std::string& out) const {
  return Writer(conversation, out).write(delivery, edits);
}

}  // namespace claviger::provider

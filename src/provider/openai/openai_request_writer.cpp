/// Writes chat completion requests from a conversation. Sources: npm openai 6.49.0,
/// src/resources/chat/completions/completions.ts; for `reasoning_details` and `cache_control`
/// npm @openrouter/sdk 1.3.19; for `reasoning_content` https://api-docs.deepseek.com (2026-11).

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "exchange/json_builder.h"
#include "provider/openai/openai_translation.h"

namespace claviger::provider {
namespace {

using namespace exchange;

/// Words for the features that are only hinted at where they fit; see
/// docs/reference/translation.md.
std::string_view effort_word(Effort effort) {
  switch (effort) {
    case Effort::unset:
      return {};
    case Effort::none:
      return "none";
    case Effort::minimal:
      return "minimal";
    case Effort::low:
      return "low";
    case Effort::medium:
      return "medium";
    case Effort::high:
      return "high";
    case Effort::xhigh:
    case Effort::max:
      return "xhigh";
  }
  return {};
}

/// A budget of thinking as an effort: its share of the output bound, cut where OpenRouter's own
/// shares (0.2, 0.5, 0.8; https://openrouter.ai/docs/use-cases/reasoning-tokens, 2026-11) lie
/// halfway apart.
std::string_view effort_of_budget(std::int64_t budget_tokens, std::int64_t output_tokens_max) {
  const std::int64_t percent =
      output_tokens_max <= 0 ? 100
                             : budget_tokens / std::max<std::int64_t>(1, output_tokens_max / 100);
  if (percent < 35) return "low";
  return percent < 65 ? "medium" : "high";
}

bool has(const FeatureSet& set, Feature feature) {
  return set.test(static_cast<std::size_t>(feature));
}

class Writer {
 public:
  Writer(const FeatureSet& expressible, const Conversation& conversation, std::string& out)
      : can_(expressible), from_(conversation), json_(out) {}

  void write(const Profile& profile, Delivery delivery, const Edits& edits);

 private:
  void messages();
  void message(const Message& message);
  void tool_result(const ToolResult& result, CacheMark cache);
  void content(const std::vector<const Part*>& parts);
  void content_part(const Part& part);
  void media(const Media& media);
  void cache(CacheMark mark);
  void thoughts(const std::vector<Part>& parts);
  void tool_calls(const std::vector<Part>& parts);
  void tools();
  void tool_choice();
  void sampling();
  void reasoning(std::int64_t output_tokens_max);
  void format();
  void about_the_request();

  const FeatureSet& can_;
  const Conversation& from_;
  JsonBuilder json_;
};

void Writer::write(const Profile& profile, Delivery delivery, const Edits& edits) {
  json_.open_object().field("model", edits.model);
  messages();
  tools();
  tool_choice();
  const std::int64_t bound = edits.output_tokens_max.value_or(from_.output_tokens_max.value_or(0));
  if (bound > 0) json_.integer_field(profile.output_max_field, bound);
  sampling();
  reasoning(bound);
  format();
  about_the_request();
  if (delivery == Delivery::streamed) {
    json_.raw_field("stream", "true");
    if (profile.takes_stream_usage) {
      json_.raw_field("stream_options", R"({"include_usage":true})");
    }
  }
  if (edits.price_cap && profile.price_cap == PriceCapForm::openrouter) {
    json_.raw_field("provider", openrouter_price_cap(*edits.price_cap));
  }
  json_.close_object();
}

void Writer::messages() {
  json_.key("messages").open_array();
  for (const Message& one : from_.messages) message(one);
  json_.close_array();
}

void Writer::message(const Message& from) {
  std::vector<const Part*> parts;
  bool has_calls = false;
  std::string_view refusal;
  for (const Part& part : from.content) {
    // Each result is a message of its own here, and comes before what else the user says.
    if (const auto* const result = std::get_if<ToolResult>(&part.what)) {
      tool_result(*result, part.cache);
    } else if (std::holds_alternative<ToolCall>(part.what)) {
      has_calls = true;
    } else if (const auto* const declined = std::get_if<Refusal>(&part.what)) {
      refusal = declined->text;
    } else if (!std::holds_alternative<Thinking>(part.what)) {
      parts.push_back(&part);
    }
  }
  const bool says_nothing = parts.empty() && !has_calls && refusal.empty();
  if (says_nothing && from.role != Role::user) return;
  if (says_nothing && !from.content.empty()) return;  // It was all results.
  constexpr std::string_view roles[] = {"system", "user", "assistant"};
  json_.open_object().field("role", roles[static_cast<std::size_t>(from.role)]);
  if (has(can_, Feature::speaker_name)) json_.field_if("name", from.name);
  json_.key("content");
  content(parts);
  json_.field_if("refusal", refusal);
  if (from.role == Role::assistant) {
    thoughts(from.content);
    if (has_calls) tool_calls(from.content);
  }
  json_.close_object();
}

void Writer::tool_result(const ToolResult& result, CacheMark mark) {
  json_.open_object().field("role", "tool").field("tool_call_id", result.call_id);
  json_.key("content");
  std::vector<const Part*> parts;
  parts.reserve(result.content.size());
  for (const Part& part : result.content) parts.push_back(&part);
  if (parts.empty()) {
    json_.string("");
  } else {
    content(parts);
  }
  cache(mark);
  json_.close_object();
}

/// One text is written as a string, which every server takes; anything else as parts.
void Writer::content(const std::vector<const Part*>& parts) {
  if (parts.empty()) {
    json_.raw("null");
    return;
  }
  if (parts.size() == 1) {
    const auto* const text = std::get_if<Text>(&parts.front()->what);
    const bool is_marked =
        parts.front()->cache != CacheMark::none && has(can_, Feature::cache_marks);
    if (text != nullptr && !is_marked) {
      json_.string(text->text);
      return;
    }
  }
  json_.open_array();
  for (const Part* const part : parts) content_part(*part);
  json_.close_array();
}

void Writer::content_part(const Part& part) {
  json_.open_object();
  if (const auto* const text = std::get_if<Text>(&part.what)) {
    json_.field("type", "text").field("text", text->text);
  } else if (const auto* const one = std::get_if<Media>(&part.what)) {
    media(*one);
  }
  cache(part.cache);
  json_.close_object();
}

void Writer::media(const Media& media) {
  const auto data_url = [&] {
    return fmt::format("data:{};base64,{}", media.media_type, media.data);
  };
  switch (media.kind) {
    case Media::Kind::image:
      json_.field("type", "image_url").key("image_url").open_object();
      if (media.source == Media::Source::url) {
        json_.field("url", media.data);
      } else {
        json_.field("url", data_url());
      }
      json_.field_if("detail", media.detail).close_object();
      break;
    case Media::Kind::audio:
      json_.field("type", "input_audio").key("input_audio").open_object();
      json_.field("data", media.data);
      json_.field("format", media.media_type.substr(media.media_type.find('/') + 1));
      json_.close_object();
      break;
    case Media::Kind::document:
      json_.field("type", "file").key("file").open_object();
      // A file without a name is refused there.
      json_.field("filename", media.name.empty() ? "document.pdf" : media.name);
      json_.field("file_data", data_url()).close_object();
      break;
  }
}

void Writer::cache(CacheMark mark) {
  if (mark == CacheMark::none || !has(can_, Feature::cache_marks)) return;
  json_.raw_field("cache_control", mark == CacheMark::one_hour
                                       ? R"({"type":"ephemeral","ttl":"1h"})"
                                       : R"({"type":"ephemeral"})");
}

void Writer::thoughts(const std::vector<Part>& parts) {
  std::string bare;
  std::vector<const Thinking*> details;
  for (const Part& part : parts) {
    const auto* const thinking = std::get_if<Thinking>(&part.what);
    if (thinking == nullptr) continue;
    details.push_back(thinking);
    if (thinking->signature.empty()) bare += thinking->text;
  }
  if (details.empty()) return;
  if (has(can_, Feature::thinking_back)) {
    json_.key("reasoning_details").open_array();
    std::int64_t index = 0;
    for (const Thinking* const one : details) {
      json_.open_object();
      if (!one->redacted.empty()) {
        json_.field("type", "reasoning.encrypted").field("data", one->redacted);
      } else {
        json_.field("type", "reasoning.text").field("text", one->text);
        json_.field_if("signature", one->signature);
      }
      json_.integer_field("index", index++).close_object();
    }
    json_.close_array();
  } else if (has(can_, Feature::unsigned_thinking_back)) {
    json_.field_if("reasoning_content", bare);
  }
}

void Writer::tool_calls(const std::vector<Part>& parts) {
  json_.key("tool_calls").open_array();
  for (const Part& part : parts) {
    const auto* const call = std::get_if<ToolCall>(&part.what);
    if (call == nullptr) continue;
    json_.open_object().field("id", call->id).field("type", "function");
    json_.key("function").open_object().field("name", call->name);
    json_.field("arguments", call->arguments.empty() ? "{}" : call->arguments);
    json_.close_object().close_object();
  }
  json_.close_array();
}

void Writer::tools() {
  if (from_.tools.empty()) return;
  json_.key("tools").open_array();
  for (const Tool& tool : from_.tools) {
    json_.open_object().field("type", "function").key("function").open_object();
    json_.field("name", tool.name).field_if("description", tool.description);
    json_.raw_field_if("parameters", tool.schema);
    if (tool.strict && has(can_, Feature::strict_tools)) {
      json_.raw_field("strict", *tool.strict ? "true" : "false");
    }
    json_.close_object();
    cache(tool.cache);
    json_.close_object();
  }
  json_.close_array();
}

void Writer::tool_choice() {
  using Kind = ToolChoice::Kind;
  const ToolChoice& choice = from_.tool_choice;
  if (from_.tools.empty()) return;
  switch (choice.kind) {
    case Kind::unset:
      break;
    case Kind::automatic:
      json_.field("tool_choice", "auto");
      break;
    case Kind::none:
      json_.field("tool_choice", "none");
      break;
    case Kind::any:
      json_.field("tool_choice", "required");
      break;
    case Kind::named:
      json_.key("tool_choice").open_object().field("type", "function");
      json_.key("function").open_object().field("name", choice.name).close_object().close_object();
      break;
  }
  if (choice.one_at_a_time) json_.raw_field("parallel_tool_calls", "false");
}

void Writer::sampling() {
  const Sampling& sampling = from_.sampling;
  const auto number = [&](Feature feature, std::string_view name, std::string_view value) {
    if (has(can_, feature)) json_.raw_field_if(name, value);
  };
  number(Feature::temperature, "temperature", sampling.temperature);
  number(Feature::top_p, "top_p", sampling.top_p);
  number(Feature::top_k, "top_k", sampling.top_k);
  number(Feature::seed, "seed", sampling.seed);
  number(Feature::frequency_penalty, "frequency_penalty", sampling.frequency_penalty);
  number(Feature::presence_penalty, "presence_penalty", sampling.presence_penalty);
  number(Feature::logit_bias, "logit_bias", sampling.logit_bias);
  if (sampling.logprobs) json_.raw_field("logprobs", "true");
  number(Feature::logprobs, "top_logprobs", sampling.top_logprobs);
  if (sampling.choices > 1) json_.integer_field("n", sampling.choices);
  if (sampling.stop.empty()) return;
  json_.key("stop").open_array();
  for (const std::string_view one : sampling.stop) json_.string(one);
  json_.close_array();
}

void Writer::reasoning(std::int64_t output_tokens_max) {
  const Reasoning& wish = from_.reasoning;
  if (wish.effort == Effort::none && !has(can_, Feature::reasoning_off)) return;
  if (wish.effort != Effort::unset) {
    json_.field("reasoning_effort", effort_word(wish.effort));
  } else if (wish.budget_tokens) {
    json_.field("reasoning_effort", effort_of_budget(*wish.budget_tokens, output_tokens_max));
  }
}

void Writer::format() {
  using Kind = AnswerFormat::Kind;
  const AnswerFormat& format = from_.format;
  if (format.kind == Kind::text) return;
  json_.key("response_format").open_object();
  if (format.kind == Kind::json_object) {
    json_.field("type", "json_object");
  } else {
    json_.field("type", "json_schema").key("json_schema").open_object();
    json_.field("name", format.name.empty() ? "answer" : format.name);
    json_.field_if("description", format.description);
    json_.raw_field("schema", format.schema);
    if (format.strict) json_.raw_field("strict", *format.strict ? "true" : "false");
    json_.close_object();
  }
  json_.close_object();
}

void Writer::about_the_request() {
  if (from_.end_user.size() <= end_user_bytes_usual_max) json_.field_if("user", from_.end_user);
  json_.raw_field_if("metadata", from_.metadata);
  if (from_.service_tier == "default" || from_.service_tier == "auto") {
    json_.field("service_tier", from_.service_tier);
  }
  json_.field_if("verbosity", from_.verbosity);
  json_.field_if("prompt_cache_key", from_.cache_key);
}

}  // namespace

FeatureSet OpenAiTranslation::expresses(const Profile& profile) const {
  using enum Feature;
  static const FeatureSet always = features({image_url,
                                             image_data,
                                             document_data,
                                             audio,
                                             tools,
                                             later_system,
                                             speaker_name,
                                             tool_choice,
                                             one_tool_at_a_time,
                                             strict_tools,
                                             temperature,
                                             temperature_above_one,
                                             top_p,
                                             seed,
                                             frequency_penalty,
                                             presence_penalty,
                                             logit_bias,
                                             logprobs,
                                             several_choices,
                                             stop,
                                             json_object,
                                             json_schema,
                                             reasoning_effort,
                                             reasoning_budget,
                                             verbosity,
                                             cache_key,
                                             image_detail,
                                             document_name,
                                             format_description,
                                             service_tier,
                                             metadata,
                                             end_user});
  return always | profile.also_takes;
}

std::expected<void, Untranslatable> OpenAiTranslation::write_conversation(
    const Profile& profile, const Conversation& conversation, Delivery delivery, const Edits& edits,
    std::string& out) const {
  const FeatureSet expressible = expresses(profile);
  Writer(expressible, conversation, out).write(profile, delivery, edits);
  return {};
}

}  // namespace claviger::provider

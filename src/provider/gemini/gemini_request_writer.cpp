/// Writes generateContent requests from a conversation.

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "exchange/json_builder.h"
#include "provider/gemini/gemini_translation.h"

namespace claviger::provider {
namespace {

using namespace exchange;

using Done = std::expected<void, Untranslatable>;

std::unexpected<Untranslatable> cannot(std::string_view field, std::string why) {
  return std::unexpected(Untranslatable{.field = std::string(field), .why = std::move(why)});
}

/// Where a call comes from another model, there is no proof of a thought behind it. Models that
/// ask for one take these words instead (https://ai.google.dev/gemini-api/docs/thought-signatures,
/// 2026-11).
constexpr std::string_view no_signature = "skip_thought_signature_validator";

/// Budgets of thinking for models that have no levels, as Google's own OpenAI-compatible
/// endpoint maps `reasoning_effort` (https://ai.google.dev/gemini-api/docs/openai#thinking,
/// 2026-11).
std::int64_t budget_of(Effort effort) {
  switch (effort) {
    case Effort::unset:
    case Effort::none:
      return 0;
    case Effort::minimal:
    case Effort::low:
      return 1024;
    case Effort::medium:
      return 8192;
    case Effort::high:
    case Effort::xhigh:
    case Effort::max:
      return 24'576;
  }
  return 8192;
}

std::string_view level_of(Effort effort) {
  switch (effort) {
    case Effort::none:
    case Effort::minimal:
      return "minimal";
    case Effort::low:
      return "low";
    case Effort::medium:
      return "medium";
    default:
      return "high";
  }
}

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \n\r\t") == std::string_view::npos;
}

class Writer {
 public:
  Writer(const Conversation& conversation, std::string& out) : from_(conversation), json_(out) {}

  Done write(const Edits& edits);

 private:
  void system();
  Done contents();
  Done part(const Part& part);
  Done media(const Media& media);
  Done tool_call(const ToolCall& call);
  Done tool_result(const ToolResult& result);
  void tools();
  void tool_choice();
  void generation(const Edits& edits);
  void thinking(std::string_view model);
  void note_names();

  const Conversation& from_;
  JsonBuilder json_;
  std::map<std::string_view, std::string_view> names_;  ///< Of called tools, by the call's id.
  std::string_view signature_;                          ///< For the part that comes next.
  bool wants_signatures_ = false;
};

Done Writer::write(const Edits& edits) {
  wants_signatures_ = gemini::takes_thinking_level(edits.model);
  note_names();
  json_.open_object();
  system();
  if (auto done = contents(); !done) return done;
  tools();
  tool_choice();
  generation(edits);
  json_.close_object();
  return {};
}

/// A result names the tool here and not the call.
void Writer::note_names() {
  for (const Message& message : from_.messages) {
    for (const Part& one : message.content) {
      if (const auto* const call = std::get_if<ToolCall>(&one.what)) names_[call->id] = call->name;
    }
  }
}

void Writer::system() {
  bool is_open = false;
  for (const Message& message : from_.messages) {
    if (message.role != Role::system) continue;
    for (const Part& one : message.content) {
      const auto* const words = std::get_if<Text>(&one.what);
      if (words == nullptr || words->text.empty()) continue;
      if (!std::exchange(is_open, true)) {
        json_.key("systemInstruction").open_object().key("parts").open_array();
      }
      json_.open_object().field("text", words->text).close_object();
    }
  }
  if (is_open) json_.close_array().close_object();
}

/// Messages of one role that follow one another are one turn: the results of parallel calls
/// must stand together.
Done Writer::contents() {
  json_.key("contents").open_array();
  Role open_role = Role::system;
  for (const Message& message : from_.messages) {
    if (message.role == Role::system || message.content.empty()) continue;
    if (message.role != open_role) {
      if (open_role != Role::system) json_.close_array().close_object();
      open_role = message.role;
      json_.open_object().field("role", message.role == Role::user ? "user" : "model");
      json_.key("parts").open_array();
      signature_ = {};
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
  if (const auto* const thought = std::get_if<Thinking>(&part.what)) {
    if (!thought->text.empty() && !thought->signature.empty()) {
      json_.open_object().field("text", thought->text).raw_field("thought", "true").close_object();
    }
    signature_ = thought->signature;
    return {};
  }
  if (const auto* const call = std::get_if<ToolCall>(&part.what)) return tool_call(*call);
  if (const auto* const result = std::get_if<ToolResult>(&part.what)) return tool_result(*result);
  if (const auto* const one = std::get_if<Media>(&part.what)) return media(*one);
  std::string_view text;
  if (const auto* const words = std::get_if<Text>(&part.what)) text = words->text;
  if (const auto* const refusal = std::get_if<Refusal>(&part.what)) text = refusal->text;
  json_.open_object().field("text", text);
  json_.field_if("thoughtSignature", std::exchange(signature_, {}));
  json_.close_object();
  return {};
}

Done Writer::media(const Media& media) {
  const bool is_base64 = media.source == Media::Source::base64;
  if (media.source == Media::Source::text) {
    json_.open_object().field("text", media.data).close_object();
    return {};
  }
  if (is_base64 && media.media_type.empty()) {
    return cannot("messages", "say what the attached data is: its media type is missing");
  }
  json_.open_object();
  if (is_base64) {
    json_.key("inlineData").open_object().field("mimeType", media.media_type);
    json_.field("data", media.data).close_object();
  } else {
    json_.key("fileData").open_object().field_if("mimeType", media.media_type);
    json_.field("fileUri", media.data).close_object();
  }
  json_.close_object();
  return {};
}

Done Writer::tool_call(const ToolCall& call) {
  JsonTree arguments;
  const bool is_empty = is_blank(call.arguments);
  if (!is_empty && (!arguments.read(call.arguments) || !arguments.root().is_object())) {
    return cannot("messages.tool_calls",
                  fmt::format("the arguments of the call to \"{}\" are no JSON object; this "
                              "model's provider takes nothing else",
                              call.name));
  }
  json_.open_object().key("functionCall").open_object();
  json_.field_if("id", call.id).field("name", call.name);
  json_.raw_field("args", is_empty ? "{}" : arguments.root().raw()).close_object();
  std::string_view signature = std::exchange(signature_, {});
  if (signature.empty() && wants_signatures_) signature = no_signature;
  json_.field_if("thoughtSignature", signature);
  json_.close_object();
  return {};
}

/// What a tool said is an object here: what is none is put under `result`, or `error`.
Done Writer::tool_result(const ToolResult& result) {
  std::string text;
  std::vector<const Media*> attached;
  for (const Part& one : result.content) {
    if (const auto* const words = std::get_if<Text>(&one.what)) text += words->text;
    if (const auto* const media = std::get_if<Media>(&one.what)) attached.push_back(media);
  }
  const auto name = names_.find(result.call_id);
  if (name == names_.end()) {
    return cannot("messages.tool_call_id",
                  fmt::format("a tool's result answers the call \"{}\", which is not among the "
                              "messages; send the message that made the call as well",
                              result.call_id));
  }
  json_.open_object().key("functionResponse").open_object();
  json_.field_if("id", result.call_id).field("name", name->second);
  JsonTree tree;
  const bool failed = result.outcome == ToolResult::Outcome::failed;
  if (!failed && tree.read(text) && tree.root().is_object()) {
    json_.raw_field("response", tree.root().raw());
  } else {
    json_.key("response").open_object().field(failed ? "error" : "result", text).close_object();
  }
  json_.close_object().close_object();
  for (const Media* const one : attached) {
    if (auto done = media(*one); !done) return done;
  }
  return {};
}

void Writer::tools() {
  if (from_.tools.empty()) return;
  json_.key("tools").open_array().open_object().key("functionDeclarations").open_array();
  for (const Tool& tool : from_.tools) {
    json_.open_object().field("name", tool.name).field_if("description", tool.description);
    json_.raw_field_if("parametersJsonSchema", tool.schema);
    json_.close_object();
  }
  json_.close_array().close_object().close_array();
}

void Writer::tool_choice() {
  using Kind = ToolChoice::Kind;
  const ToolChoice& choice = from_.tool_choice;
  if (from_.tools.empty() || choice.kind == Kind::unset) return;
  json_.key("toolConfig").open_object().key("functionCallingConfig").open_object();
  switch (choice.kind) {
    case Kind::unset:
    case Kind::automatic:
      json_.field("mode", "AUTO");
      break;
    case Kind::none:
      json_.field("mode", "NONE");
      break;
    case Kind::any:
      json_.field("mode", "ANY");
      break;
    case Kind::named:
      json_.field("mode", "ANY");
      json_.key("allowedFunctionNames").open_array().string(choice.name).close_array();
      break;
  }
  json_.close_object().close_object();
}

void Writer::generation(const Edits& edits) {
  const Sampling& sampling = from_.sampling;
  json_.key("generationConfig").open_object();
  const auto bound = edits.output_tokens_max ? edits.output_tokens_max : from_.output_tokens_max;
  if (bound) json_.integer_field("maxOutputTokens", *bound);
  json_.raw_field_if("temperature", sampling.temperature);
  json_.raw_field_if("topP", sampling.top_p);
  json_.raw_field_if("topK", sampling.top_k);
  json_.raw_field_if("seed", sampling.seed);
  json_.raw_field_if("presencePenalty", sampling.presence_penalty);
  json_.raw_field_if("frequencyPenalty", sampling.frequency_penalty);
  if (sampling.choices > 1) json_.integer_field("candidateCount", sampling.choices);
  if (!sampling.stop.empty()) {
    json_.key("stopSequences").open_array();
    for (const std::string_view one : sampling.stop) json_.string(one);
    json_.close_array();
  }
  if (from_.format.kind != AnswerFormat::Kind::text) {
    json_.field("responseMimeType", "application/json");
    json_.raw_field_if("responseJsonSchema", from_.format.schema);
  }
  thinking(edits.model);
  json_.close_object();
}

void Writer::thinking(std::string_view model) {
  const Reasoning& wish = from_.reasoning;
  const bool has_wish = wish.effort != Effort::unset || wish.budget_tokens || wish.adaptive;
  if (!has_wish) return;
  json_.key("thinkingConfig").open_object();
  const bool is_off = wish.effort == Effort::none;
  if (wish.budget_tokens) {
    json_.integer_field("thinkingBudget", *wish.budget_tokens);
  } else if (gemini::takes_thinking_level(model)) {
    if (wish.effort != Effort::unset) json_.field("thinkingLevel", level_of(wish.effort));
  } else {
    // -1 lets the model decide.
    json_.integer_field("thinkingBudget",
                        wish.effort == Effort::unset ? -1 : budget_of(wish.effort));
  }
  if (!is_off) json_.raw_field("includeThoughts", "true");
  json_.close_object();
}

}  // namespace

bool gemini::takes_thinking_level(std::string_view model) {
  const std::size_t at = model.find("gemini-");
  if (at == std::string_view::npos) return false;
  const std::string_view version = model.substr(at + std::string_view("gemini-").size());
  return !version.empty() && version.front() >= '3' && version.front() <= '9';
}

FeatureSet GeminiTranslation::expresses(const Profile& profile) const {
  using enum Feature;
  static const FeatureSet always = features({image_url,
                                             image_data,
                                             document_url,
                                             document_data,
                                             document_text,
                                             audio,
                                             tool_result_media,
                                             tools,
                                             tool_choice,
                                             temperature,
                                             temperature_above_one,
                                             top_p,
                                             top_k,
                                             seed,
                                             frequency_penalty,
                                             presence_penalty,
                                             several_choices,
                                             stop,
                                             json_object,
                                             json_schema,
                                             reasoning_effort,
                                             reasoning_budget,
                                             reasoning_off,
                                             thinking_back,
                                             tool_failure});
  return always | profile.also_takes;
}

Done GeminiTranslation::write_conversation(const Profile& /*profile*/,
                                           const Conversation& conversation, Delivery /*delivery*/,
                                           const Edits& edits, std::string& out) const {
  return Writer(conversation, out).write(edits);
}

}  // namespace claviger::provider

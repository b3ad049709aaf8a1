#include "api/gemini/conversation_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <utility>

#include "api/gemini/schema.h"

namespace claviger::api::gemini {
namespace {

using namespace exchange;

/// A field under either of its names.
JsonNode either(JsonNode object, std::string_view json_name, std::string_view proto_name) {
  const JsonNode named = object[json_name];
  return named.exists() ? named : object[proto_name];
}

class Reader {
 public:
  Reader(const Request& request, Conversation& conversation)
      : request_(request), to_(conversation) {}

  bool read();
  BadRequest failure;

 private:
  bool field(JsonNode field);
  bool system(JsonNode content);
  bool contents(JsonNode list);
  bool content(JsonNode from, const std::string& path);
  bool part(JsonNode from, const std::string& path, std::vector<Part>& into);
  void inline_data(JsonNode from, const std::string& path, std::vector<Part>& into);
  void file_data(JsonNode from, const std::string& path, std::vector<Part>& into);
  void call(JsonNode from, std::vector<Part>& into);
  bool result(JsonNode from, const std::string& path, std::vector<Part>& into);
  void tools(JsonNode list);
  void declaration(JsonNode from, const std::string& path);
  void tool_config(JsonNode from);
  void generation_config(JsonNode from);
  void setting(JsonNode setting);
  void format(JsonNode config);
  void thinking(JsonNode from);

  bool fail(BadRequest::Code code, std::string_view field, std::string message) {
    failure = {.code = code, .field = std::string(field), .message = std::move(message)};
    return false;
  }

  const Request& request_;
  Conversation& to_;
  /// Calls that no result has answered yet, by the tool's name, the oldest first.
  std::map<std::string_view, std::deque<std::string_view>> open_calls_;
  std::int64_t calls_ = 0;
};

bool Reader::read() {
  const JsonTree* const tree = to_.keep_tree(request_.body);
  if (tree == nullptr) {
    return fail(BadRequest::Code::malformed_json, "",
                "the body cannot be translated: it has too many values, or text that is no "
                "Unicode (a lone surrogate)");
  }
  JsonNode root = tree->root();
  const JsonNode wrapped = either(root, "generateContentRequest", "generate_content_request");
  if (wrapped.is_object()) root = wrapped;
  to_.output_tokens_max = request_.output_tokens_max;
  if (!system(either(root, "systemInstruction", "system_instruction"))) return false;
  for (const JsonNode one : root) {
    if (one.says_something() && !field(one)) return false;
  }
  return true;
}

bool Reader::field(JsonNode field) {
  const std::string_view key = field.key();
  if (key == "contents") return contents(field);
  if (key == "systemInstruction" || key == "system_instruction" || key == "model") return true;
  if (key == "tools") {
    tools(field);
  } else if (key == "toolConfig" || key == "tool_config") {
    tool_config(field);
  } else if (key == "generationConfig" || key == "generation_config") {
    generation_config(field);
  } else if (key == "safetySettings" || key == "safety_settings") {
    if (field.size() > 0) to_.use(Feature::safety_settings, key);
  } else if (key == "cachedContent" || key == "cached_content") {
    to_.use(Feature::uploaded_file, key);
  } else if (key == "labels") {
    to_.metadata = field.raw();
    to_.use(Feature::metadata, key);
  } else {
    to_.use(Feature::other_parameter, key);
  }
  return true;
}

bool Reader::system(JsonNode content) {
  if (!content.says_something()) return true;
  Message message{.role = Role::system, .content = {}, .name = {}};
  const JsonNode parts = content["parts"];
  if (parts.is_object()) {
    if (!part(parts, "systemInstruction.parts", message.content)) return false;
  } else {
    for (const JsonNode one : parts) {
      if (!part(one, "systemInstruction.parts", message.content)) return false;
    }
  }
  if (!message.content.empty()) to_.messages.push_back(std::move(message));
  return true;
}

bool Reader::contents(JsonNode list) {
  if (list.is_object()) return content(list, "contents");
  std::size_t number = 0;
  for (const JsonNode one : list) {
    if (!content(one, fmt::format("contents.{}", number++))) return false;
  }
  return true;
}

bool Reader::content(JsonNode from, const std::string& path) {
  const std::string_view role = from["role"].text();
  Message message;
  if (role == "model") {
    message.role = Role::assistant;
  } else if (!role.empty() && role != "user" && role != "function" && role != "tool") {
    return fail(BadRequest::Code::out_of_range, path + ".role",
                fmt::format("`{}.role` is \"{}\"; send user or model", path, role));
  }
  const JsonNode parts = from["parts"];
  std::size_t number = 0;
  if (parts.is_object()) {
    if (!part(parts, path + ".parts", message.content)) return false;
  } else {
    for (const JsonNode one : parts) {
      if (!part(one, fmt::format("{}.parts.{}", path, number++), message.content)) return false;
    }
  }
  to_.messages.push_back(std::move(message));
  return true;
}

bool Reader::part(JsonNode from, const std::string& path, std::vector<Part>& into) {
  const std::string_view signature = either(from, "thoughtSignature", "thought_signature").text();
  const bool is_thought = from["thought"].is_true();
  if (is_thought || !signature.empty()) {
    into.push_back({.what = Thinking{.text = is_thought ? from["text"].text() : std::string_view(),
                                     .signature = signature,
                                     .redacted = {}}});
    to_.use(signature.empty() ? Feature::unsigned_thinking_back : Feature::thinking_back, path);
  }
  const JsonNode call_node = either(from, "functionCall", "function_call");
  const JsonNode result_node = either(from, "functionResponse", "function_response");
  const JsonNode inline_node = either(from, "inlineData", "inline_data");
  const JsonNode file_node = either(from, "fileData", "file_data");
  if (call_node.is_object()) {
    call(call_node, into);
  } else if (result_node.is_object()) {
    return result(result_node, path, into);
  } else if (inline_node.is_object()) {
    inline_data(inline_node, path, into);
  } else if (file_node.is_object()) {
    file_data(file_node, path, into);
  } else if (from["text"].is_string()) {
    if (!is_thought) into.push_back({.what = Text{.text = from["text"].text(), .citations = {}}});
  } else if (!is_thought && signature.empty()) {
    to_.use(Feature::other_content, path);
  }
  return true;
}

void Reader::inline_data(JsonNode from, const std::string& path, std::vector<Part>& into) {
  Media media{.kind = Media::Kind::document,
              .source = Media::Source::base64,
              .media_type = either(from, "mimeType", "mime_type").text(),
              .data = from["data"].text(),
              .name = either(from, "displayName", "display_name").text(),
              .detail = {}};
  if (media.media_type.starts_with("image/")) {
    media.kind = Media::Kind::image;
    to_.use(Feature::image_data, path);
  } else if (media.media_type.starts_with("audio/")) {
    media.kind = Media::Kind::audio;
    to_.use(Feature::audio, path);
  } else if (media.media_type.starts_with("video/")) {
    to_.use(Feature::other_content, path);
    return;
  } else {
    to_.use(Feature::document_data, path);
  }
  into.push_back({.what = media});
}

void Reader::file_data(JsonNode from, const std::string& path, std::vector<Part>& into) {
  Media media{.kind = Media::Kind::document,
              .source = Media::Source::url,
              .media_type = either(from, "mimeType", "mime_type").text(),
              .data = either(from, "fileUri", "file_uri").text(),
              .name = {},
              .detail = {}};
  // Files that were uploaded to Google are nobody else's.
  const bool is_theirs =
      media.data.find("generativelanguage.googleapis.com/") != std::string_view::npos ||
      media.data.starts_with("gs://") || !media.data.starts_with("http");
  if (is_theirs) {
    media.source = Media::Source::file_id;
    to_.use(Feature::uploaded_file, path);
  } else if (media.media_type.starts_with("image/")) {
    media.kind = Media::Kind::image;
    to_.use(Feature::image_url, path);
  } else if (media.media_type == "application/pdf") {
    to_.use(Feature::document_url, path);
  } else {
    to_.use(Feature::other_content, path);
  }
  into.push_back({.what = media});
}

/// Calls need not be named here; a name is made from where the call stands, which a result finds
/// again by the tool's name and its order.
void Reader::call(JsonNode from, std::vector<Part>& into) {
  ToolCall call{
      .id = from["id"].text(),
      .name = from["name"].text(),
      .arguments = from["args"].is_object() ? from["args"].raw() : std::string_view("{}")};
  if (call.id.empty()) call.id = to_.keep(fmt::format("call_{}", calls_));
  ++calls_;
  open_calls_[call.name].push_back(call.id);
  into.push_back({.what = call});
}

bool Reader::result(JsonNode from, const std::string& path, std::vector<Part>& into) {
  const std::string_view name = from["name"].text();
  ToolResult result;
  result.call_id = from["id"].text();
  auto& open = open_calls_[name];
  const auto named = std::ranges::find(open, result.call_id);
  if (named != open.end()) {
    open.erase(named);
  } else if (result.call_id.empty()) {
    if (open.empty()) {
      return fail(BadRequest::Code::out_of_range, path,
                  fmt::format("`{}` answers a call of \"{}\" that is not among the contents; send "
                              "the content that made the call before it",
                              path, name));
    }
    result.call_id = open.front();
    open.pop_front();
  }
  const JsonNode response = from["response"];
  // `output` and `error` are the documented keys; without them the object is the output.
  const JsonNode error = response["error"];
  const JsonNode output = response["output"];
  std::string_view text = response.exists() ? response.raw() : std::string_view("{}");
  if (response.size() == 1 && output.is_string()) text = output.text();
  if (response.size() == 1 && error.exists()) {
    result.outcome = ToolResult::Outcome::failed;
    to_.use(Feature::tool_failure, path);
    text = error.is_string() ? error.text() : error.raw();
  }
  result.content.push_back({.what = Text{.text = text, .citations = {}}});
  if (from["parts"].size() > 0) to_.use(Feature::other_content, path + ".functionResponse.parts");
  into.push_back({.what = std::move(result)});
  return true;
}

void Reader::tools(JsonNode list) {
  std::size_t number = 0;
  for (const JsonNode one : list) {
    const std::string path = fmt::format("tools.{}", number++);
    for (const JsonNode field : one) {
      const std::string_view key = field.key();
      if (key != "functionDeclarations" && key != "function_declarations") {
        if (field.says_something())
          to_.use(Feature::unusual_tools, fmt::format("{}.{}", path, key));
        continue;
      }
      for (const JsonNode declared : field) declaration(declared, path);
    }
  }
}

void Reader::declaration(JsonNode from, const std::string& path) {
  Tool tool{.name = from["name"].text(),
            .description = from["description"].text(),
            .schema = {},
            .strict = {}};
  const JsonNode json_schema = either(from, "parametersJsonSchema", "parameters_json_schema");
  if (json_schema.is_object()) {
    tool.schema = json_schema.raw();
  } else if (from["parameters"].is_object()) {
    tool.schema = to_.keep(json_schema_of(from["parameters"]));
  }
  to_.use(Feature::tools, path);
  to_.tools.push_back(tool);
}

void Reader::tool_config(JsonNode from) {
  using Kind = ToolChoice::Kind;
  const JsonNode config = either(from, "functionCallingConfig", "function_calling_config");
  for (const JsonNode field : from) {
    const bool is_known =
        field.key() == "functionCallingConfig" || field.key() == "function_calling_config";
    if (!is_known && field.says_something()) {
      to_.use(Feature::other_parameter, fmt::format("toolConfig.{}", field.key()));
    }
  }
  const std::string_view mode = config["mode"].text();
  const JsonNode allowed = either(config, "allowedFunctionNames", "allowed_function_names");
  if (mode == "NONE") {
    to_.tool_choice.kind = Kind::none;
  } else if (mode == "ANY") {
    to_.tool_choice.kind = Kind::any;
    if (allowed.size() == 1) {
      to_.tool_choice.kind = Kind::named;
      to_.tool_choice.name = (*allowed.begin()).text();
    } else if (allowed.size() > 1) {
      to_.use(Feature::choice_of_some_tools, "toolConfig.functionCallingConfig");
    }
  } else if (mode == "AUTO" || mode == "VALIDATED" || mode.empty()) {
    if (config.exists()) to_.tool_choice.kind = Kind::automatic;
    return;
  }
  to_.use(Feature::tool_choice, "toolConfig.functionCallingConfig");
}

void Reader::generation_config(JsonNode from) {
  for (const JsonNode one : from) {
    if (one.says_something()) setting(one);
  }
  format(from);
}

void Reader::setting(JsonNode setting) {
  const std::string_view key = setting.key();
  const std::string path = fmt::format("generationConfig.{}", key);
  Sampling& sampling = to_.sampling;
  if (key == "maxOutputTokens" || key == "max_output_tokens") return;
  if (key == "temperature") {
    sampling.temperature = setting.raw();
    to_.use(Feature::temperature, path);
    const std::string_view number = setting.raw();
    if (!number.starts_with("0") && number != "1" && number != "1.0") {
      to_.use(Feature::temperature_above_one, path);
    }
  } else if (key == "topP" || key == "top_p") {
    sampling.top_p = setting.raw();
    to_.use(Feature::top_p, path);
  } else if (key == "topK" || key == "top_k") {
    sampling.top_k = setting.raw();
    to_.use(Feature::top_k, path);
  } else if (key == "seed") {
    sampling.seed = setting.raw();
    to_.use(Feature::seed, path);
  } else if (key == "presencePenalty" || key == "presence_penalty") {
    sampling.presence_penalty = setting.raw();
    to_.use(Feature::presence_penalty, path);
  } else if (key == "frequencyPenalty" || key == "frequency_penalty") {
    sampling.frequency_penalty = setting.raw();
    to_.use(Feature::frequency_penalty, path);
  } else if (key == "candidateCount" || key == "candidate_count") {
    sampling.choices = request_.choices;
    if (request_.choices > 1) to_.use(Feature::several_choices, path);
  } else if (key == "stopSequences" || key == "stop_sequences") {
    for (const JsonNode one : setting) sampling.stop.push_back(one.text());
    if (!sampling.stop.empty()) to_.use(Feature::stop, path);
  } else if (key == "thinkingConfig" || key == "thinking_config") {
    thinking(setting);
  } else if (key == "responseLogprobs" || key == "response_logprobs" || key == "logprobs") {
    if (!setting.is_false()) to_.use(Feature::logprobs, path);
  } else if (key != "responseMimeType" && key != "response_mime_type" && key != "responseSchema" &&
             key != "response_schema" && key != "responseJsonSchema" &&
             key != "response_json_schema" && key != "responseModalities" &&
             key != "response_modalities") {
    to_.use(Feature::other_parameter, path);
  }
}

void Reader::format(JsonNode config) {
  const JsonNode json_schema = either(config, "responseJsonSchema", "response_json_schema");
  const JsonNode schema = either(config, "responseSchema", "response_schema");
  const std::string_view type = either(config, "responseMimeType", "response_mime_type").text();
  if (json_schema.is_object() || schema.is_object()) {
    to_.format.kind = AnswerFormat::Kind::json_schema;
    to_.format.schema =
        json_schema.is_object() ? json_schema.raw() : to_.keep(json_schema_of(schema));
    to_.format.name = "answer";
    to_.use(Feature::json_schema, "generationConfig.responseSchema");
  } else if (type == "application/json") {
    to_.format.kind = AnswerFormat::Kind::json_object;
    to_.use(Feature::json_object, "generationConfig.responseMimeType");
  } else if (!type.empty() && type != "text/plain") {
    to_.use(Feature::other_parameter, "generationConfig.responseMimeType");
  }
}

void Reader::thinking(JsonNode from) {
  constexpr std::pair<std::string_view, Effort> levels[] = {{"minimal", Effort::minimal},
                                                            {"low", Effort::low},
                                                            {"medium", Effort::medium},
                                                            {"high", Effort::high}};
  const std::string path = "generationConfig.thinkingConfig";
  const auto budget = either(from, "thinkingBudget", "thinking_budget").integer();
  if (budget && *budget == 0) {
    to_.reasoning.effort = Effort::none;
    to_.use(Feature::reasoning_off, path);
  } else if (budget && *budget < 0) {
    to_.reasoning.adaptive = true;
  } else if (budget) {
    to_.reasoning.budget_tokens = budget;
    to_.use(Feature::reasoning_budget, path + ".thinkingBudget");
  }
  std::string level(either(from, "thinkingLevel", "thinking_level").text());
  std::ranges::transform(level, level.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
  });
  for (const auto& [name, effort] : levels) {
    if (name != level) continue;
    to_.reasoning.effort = effort;
    to_.use(Feature::reasoning_effort, path + ".thinkingLevel");
  }
}

}  // namespace

std::expected<Conversation, BadRequest> read_conversation(const Request& request) {
  Conversation conversation;
  Reader reader(request, conversation);
  if (!reader.read()) return std::unexpected(std::move(reader.failure));
  return conversation;
}

}  // namespace claviger::api::gemini

#include "api/openai/conversation_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace claviger::api::openai {
namespace {

using namespace exchange;

class Reader {
 public:
  Reader(const Request& request, Conversation& conversation)
      : request_(request), to_(conversation) {}

  bool read();
  BadRequest failure;

 private:
  bool parameter(JsonNode field);
  bool sampling(JsonNode field);
  bool reasoning(JsonNode field);
  bool about_the_request(JsonNode field);

  bool messages(JsonNode list);
  bool message(JsonNode from, const std::string& path);
  bool tool_message(JsonNode from, const std::string& path);
  bool content(JsonNode from, const std::string& path, std::vector<Part>& into);
  void part(JsonNode from, const std::string& path, std::vector<Part>& into);
  void image(JsonNode from, const std::string& path, std::vector<Part>& into);
  void file(JsonNode from, const std::string& path, std::vector<Part>& into);
  void thoughts(JsonNode from, const std::string& path, std::vector<Part>& into);
  bool tool_calls(JsonNode list, const std::string& path, std::vector<Part>& into);
  bool other_message_fields(JsonNode from, const std::string& path, Message& message);

  void tools(JsonNode list);
  void tool_choice(JsonNode choice);
  void format(JsonNode format);
  CacheMark cache_mark(JsonNode holder, const std::string& path);

  bool fail(BadRequest::Code code, std::string_view field, std::string message) {
    failure = {.code = code, .field = std::string(field), .message = std::move(message)};
    return false;
  }
  bool wrong_type(std::string_view field, std::string_view expected) {
    return fail(BadRequest::Code::wrong_type, field,
                fmt::format("`{}` must be {}", field, expected));
  }

  const Request& request_;
  Conversation& to_;
  bool has_turns_ = false;
};

bool Reader::read() {
  const JsonTree* const tree = to_.keep_tree(request_.body);
  if (tree == nullptr) {
    return fail(BadRequest::Code::malformed_json, "",
                "the body cannot be translated: it has too many values, or text that is no "
                "Unicode (a lone surrogate)");
  }
  to_.output_tokens_max = request_.output_tokens_max;
  to_.sampling.choices = request_.choices;
  if (request_.choices > 1) to_.use(Feature::several_choices, "n");
  to_.end_user = to_.keep(request_.end_user);
  if (!request_.end_user.empty()) {
    const bool is_long = request_.end_user.size() > end_user_bytes_usual_max;
    to_.use(is_long ? Feature::long_end_user : Feature::end_user, "user");
  }
  for (const JsonNode field : tree->root()) {
    if (!field.says_something()) continue;
    const std::string_view key = field.key();
    if (key == "messages") {
      if (!messages(field)) return false;
    } else if (key == "tools") {
      tools(field);
    } else if (key == "tool_choice") {
      tool_choice(field);
    } else if (key == "response_format") {
      format(field);
    } else if (key == "functions" || key == "function_call") {
      to_.use(Feature::unusual_tools, key);
    } else if (!parameter(field) && !field.is_false()) {
      to_.use(Feature::other_parameter, key);
    }
  }
  return true;
}

/// Whether we know what to do with it.
bool Reader::parameter(JsonNode field) {
  // The request's reader has read these, or they say how the answer travels.
  constexpr std::string_view elsewhere[] = {"model", "max_tokens",       "max_completion_tokens",
                                            "n",     "stream",           "stream_options",
                                            "user",  "safety_identifier"};
  for (const std::string_view name : elsewhere) {
    if (field.key() == name) return true;
  }
  return sampling(field) || reasoning(field) || about_the_request(field);
}

bool Reader::sampling(JsonNode field) {
  struct Number {
    std::string_view name;
    std::string_view Sampling::* member;
    Feature feature;
  };
  constexpr Number numbers[] = {
      {"temperature", &Sampling::temperature, Feature::temperature},
      {"top_p", &Sampling::top_p, Feature::top_p},
      {"top_k", &Sampling::top_k, Feature::top_k},
      {"seed", &Sampling::seed, Feature::seed},
      {"random_seed", &Sampling::seed, Feature::seed},
      {"frequency_penalty", &Sampling::frequency_penalty, Feature::frequency_penalty},
      {"presence_penalty", &Sampling::presence_penalty, Feature::presence_penalty},
      {"logit_bias", &Sampling::logit_bias, Feature::logit_bias},
      {"top_logprobs", &Sampling::top_logprobs, Feature::logprobs},
  };
  const std::string_view key = field.key();
  for (const Number& number : numbers) {
    if (key != number.name) continue;
    to_.sampling.*number.member = field.raw();
    // What a dialect does anyway is no wish.
    const bool is_penalty =
        number.feature == Feature::frequency_penalty || number.feature == Feature::presence_penalty;
    const bool is_nothing =
        (is_penalty && field.raw().find_first_of("123456789") == std::string_view::npos) ||
        (field.is_object() && field.size() == 0);
    if (!is_nothing) to_.use(number.feature, key);
    if (number.feature == Feature::temperature) {
      double temperature = 0;
      const std::string_view digits = field.raw();
      std::from_chars(digits.data(), digits.data() + digits.size(), temperature);
      if (temperature > 1) to_.use(Feature::temperature_above_one, key);
    }
    return true;
  }
  if (key == "logprobs") {
    to_.sampling.logprobs = field.is_true();
    if (field.is_true()) to_.use(Feature::logprobs, key);
    return true;
  }
  if (key != "stop") return false;
  if (field.is_string()) to_.sampling.stop.push_back(field.text());
  for (const JsonNode one : field) to_.sampling.stop.push_back(one.text());
  if (!to_.sampling.stop.empty()) to_.use(Feature::stop, key);
  return true;
}

bool Reader::reasoning(JsonNode field) {
  const std::string_view key = field.key();
  const auto effort = [&](std::string_view word, std::string_view name) {
    const Effort effort = effort_of(word);
    if (effort == Effort::unset) return false;
    to_.reasoning.effort = effort;
    to_.use(effort == Effort::none ? Feature::reasoning_off : Feature::reasoning_effort, name);
    return true;
  };
  const auto budget = [&](JsonNode tokens, std::string_view name) {
    if (!tokens.integer()) return false;
    to_.reasoning.budget_tokens = tokens.integer();
    to_.use(Feature::reasoning_budget, name);
    return true;
  };
  if (key == "reasoning_effort") return effort(field.text(), key);
  if (key == "thinking_budget") return budget(field, key);
  if (key == "enable_thinking" || key == "include_reasoning") {
    if (field.is_true()) to_.reasoning.adaptive = true;
    if (field.is_false()) effort("none", key);
    return true;
  }
  if (key == "reasoning" && field.is_object()) {  // OpenRouter's
    bool known = true;
    for (const JsonNode inner : field) {
      if (!inner.says_something()) continue;
      if (inner.key() == "effort") {
        known = effort(inner.text(), "reasoning.effort") && known;
      } else if (inner.key() == "max_tokens") {
        known = budget(inner, "reasoning.max_tokens") && known;
      } else if (inner.key() == "enabled") {
        if (inner.is_false()) effort("none", "reasoning.enabled");
      } else if (!inner.is_false()) {
        known = false;
      }
    }
    return known;
  }
  if (key == "thinking" && field.is_object()) {  // DeepSeek's, z.ai's, and Anthropic's own.
    if (field["type"].text() == "disabled") return effort("none", key);
    if (field["budget_tokens"].exists()) return budget(field["budget_tokens"], key);
    to_.reasoning.adaptive = true;
    return field["type"].text() == "enabled" || field["type"].text() == "adaptive";
  }
  return false;
}

bool Reader::about_the_request(JsonNode field) {
  const std::string_view key = field.key();
  if (key == "metadata" && field.is_object()) {
    to_.metadata = field.raw();
    if (field.size() > 0) to_.use(Feature::metadata, key);
    return true;
  }
  if (key == "store") {
    if (field.is_true()) to_.use(Feature::stored, key);
    return true;
  }
  if (key == "prompt_cache_key") {
    to_.cache_key = field.text();
    to_.use(Feature::cache_key, key);
    return true;
  }
  if (key == "prompt_cache_retention" || key == "prompt_cache_options") {
    to_.use(Feature::cache_key, key);
    return true;
  }
  if (key == "service_tier") {
    to_.service_tier = field.text();
    const bool is_usual = field.text() == "auto" || field.text() == "default";
    if (!is_usual) to_.use(Feature::service_tier, key);
    return true;
  }
  if (key == "verbosity") {
    to_.verbosity = field.text();
    if (field.text() != "medium") to_.use(Feature::verbosity, key);
    return true;
  }
  if (key == "parallel_tool_calls") {
    to_.tool_choice.one_at_a_time = field.is_false();
    if (field.is_false()) to_.use(Feature::one_tool_at_a_time, key);
    return true;
  }
  return false;
}

bool Reader::messages(JsonNode list) {
  std::size_t number = 0;
  for (const JsonNode from : list) {
    if (!message(from, fmt::format("messages.{}", number++))) return false;
  }
  if (!to_.messages.empty() && to_.messages.back().role == Role::assistant) {
    to_.use(Feature::prefill, fmt::format("messages.{}", number - 1));
  }
  return true;
}

bool Reader::message(JsonNode from, const std::string& path) {
  const std::string_view role = from["role"].text();
  if (role == "tool") return tool_message(from, path);
  Message message;
  if (role == "system" || role == "developer") {
    message.role = Role::system;
    if (has_turns_) to_.use(Feature::later_system, path + ".role");
  } else if (role == "user") {
    message.role = Role::user;
  } else if (role == "assistant") {
    message.role = Role::assistant;
  } else if (role == "function") {
    to_.use(Feature::other_content, path + ".role");
    return true;
  } else {
    return fail(BadRequest::Code::out_of_range, path + ".role",
                fmt::format("`{}.role` must be system, developer, user, assistant or tool", path));
  }
  has_turns_ = has_turns_ || message.role != Role::system;
  if (message.role == Role::assistant) thoughts(from, path, message.content);
  if (!content(from["content"], path + ".content", message.content)) return false;
  if (!other_message_fields(from, path, message)) return false;
  to_.messages.push_back(std::move(message));
  return true;
}

bool Reader::other_message_fields(JsonNode from, const std::string& path, Message& message) {
  for (const JsonNode field : from) {
    const std::string_view key = field.key();
    if (!field.says_something() || key == "role" || key == "content") continue;
    if (key == "refusal") {
      message.content.push_back({.what = Refusal{.text = field.text()}});
    } else if (key == "tool_calls") {
      if (!tool_calls(field, path + ".tool_calls", message.content)) return false;
    } else if (key == "name") {
      message.name = field.text();
      to_.use(Feature::speaker_name, path + ".name");
    } else if (key == "cache_control") {
      if (!message.content.empty()) message.content.back().cache = cache_mark(from, path);
    } else if (key == "prefix") {
      if (field.is_true()) to_.use(Feature::prefill, path + ".prefix");
    } else if (!key.starts_with("reasoning") && key != "annotations" && !field.is_false() &&
               !(field.is_array() && field.size() == 0)) {
      to_.use(Feature::other_content, fmt::format("{}.{}", path, key));
    }
  }
  return true;
}

bool Reader::tool_message(JsonNode from, const std::string& path) {
  has_turns_ = true;
  ToolResult result;
  result.call_id = from["tool_call_id"].text();
  if (result.call_id.empty()) {
    return fail(BadRequest::Code::missing_field, path + ".tool_call_id",
                fmt::format("`{}.tool_call_id` is missing; name the call that this answers", path));
  }
  if (!content(from["content"], path + ".content", result.content)) return false;
  const bool has_media = std::ranges::any_of(
      result.content, [](const Part& part) { return std::holds_alternative<Media>(part.what); });
  if (has_media) to_.use(Feature::tool_result_media, path + ".content");
  Part part{.what = std::move(result)};
  if (from["cache_control"].says_something()) part.cache = cache_mark(from, path);
  Message message{.role = Role::user};
  message.content.push_back(std::move(part));
  to_.messages.push_back(std::move(message));
  return true;
}

bool Reader::content(JsonNode from, const std::string& path, std::vector<Part>& into) {
  if (!from.says_something()) return true;
  if (from.is_string()) {
    into.push_back({.what = Text{.text = from.text(), .citations = {}}});
    return true;
  }
  if (!from.is_array()) return wrong_type(path, "a string or an array of parts");
  std::size_t number = 0;
  for (const JsonNode one : from) part(one, fmt::format("{}.{}", path, number++), into);
  return true;
}

void Reader::part(JsonNode from, const std::string& path, std::vector<Part>& into) {
  const std::string_view type = from["type"].text();
  const std::size_t before = into.size();
  if (from.is_string()) {
    into.push_back({.what = Text{.text = from.text(), .citations = {}}});
  } else if (type == "text") {
    into.push_back({.what = Text{.text = from["text"].text(), .citations = {}}});
  } else if (type == "refusal") {
    into.push_back({.what = Refusal{.text = from["refusal"].text()}});
  } else if (type == "image_url") {
    image(from["image_url"], path, into);
  } else if (type == "file") {
    file(from["file"], path, into);
  } else if (type == "input_audio") {
    const JsonNode audio = from["input_audio"];
    into.push_back(
        {.what = Media{.kind = Media::Kind::audio,
                       .source = Media::Source::base64,
                       .media_type = to_.keep(fmt::format("audio/{}", audio["format"].text())),
                       .data = audio["data"].text(),
                       .name = {},
                       .detail = {}}});
    to_.use(Feature::audio, path);
  } else {
    to_.use(Feature::other_content, path);
  }
  if (into.size() > before) into.back().cache = cache_mark(from, path);
}

void Reader::image(JsonNode from, const std::string& path, std::vector<Part>& into) {
  const std::string_view url = from.is_string() ? from.text() : from["url"].text();
  Media media{.kind = Media::Kind::image, .media_type = {}, .data = url, .name = {}, .detail = {}};
  if (split_data_url(url, media.media_type, media.data)) {
    media.source = Media::Source::base64;
    to_.use(Feature::image_data, path);
  } else {
    to_.use(Feature::image_url, path);
  }
  const std::string_view detail = from["detail"].text();
  if (!detail.empty() && detail != "auto") {
    media.detail = detail;
    to_.use(Feature::image_detail, path + ".image_url.detail");
  }
  into.push_back({.what = media});
}

void Reader::file(JsonNode from, const std::string& path, std::vector<Part>& into) {
  Media media{.kind = Media::Kind::document,
              .media_type = {},
              .data = {},
              .name = from["filename"].text(),
              .detail = {}};
  if (from["file_id"].says_something()) {
    media.source = Media::Source::file_id;
    media.data = from["file_id"].text();
    to_.use(Feature::uploaded_file, path);
  } else if (split_data_url(from["file_data"].text(), media.media_type, media.data)) {
    media.source = Media::Source::base64;
    to_.use(Feature::document_data, path);
  } else {
    to_.use(Feature::other_content, path);
    return;
  }
  if (!media.name.empty()) to_.use(Feature::document_name, path + ".file.filename");
  into.push_back({.what = media});
}

/// What an earlier answer thought, as callers keep it: in OpenRouter's `reasoning_details`,
/// which has room for signatures (npm @openrouter/sdk 1.3.19, 2026-11), or as bare text.
void Reader::thoughts(JsonNode from, const std::string& path, std::vector<Part>& into) {
  bool has_details = false;
  for (const JsonNode detail : from["reasoning_details"]) {
    has_details = true;
    const std::string_view type = detail["type"].text();
    if (type == "reasoning.encrypted") {
      into.push_back(
          {.what = Thinking{.text = {}, .signature = {}, .redacted = detail["data"].text()}});
      to_.use(Feature::thinking_back, path + ".reasoning_details");
      continue;
    }
    const std::string_view signature = detail["signature"].text();
    const std::string_view text =
        type == "reasoning.summary" ? detail["summary"].text() : detail["text"].text();
    into.push_back({.what = Thinking{.text = text, .signature = signature, .redacted = {}}});
    to_.use(signature.empty() ? Feature::unsigned_thinking_back : Feature::thinking_back,
            path + ".reasoning_details");
  }
  if (has_details) return;
  for (const std::string_view key : {"reasoning_content", "reasoning"}) {
    const std::string_view text = from[key].text();
    if (text.empty()) continue;
    into.push_back({.what = Thinking{.text = text, .signature = {}, .redacted = {}}});
    to_.use(Feature::unsigned_thinking_back, fmt::format("{}.{}", path, key));
    return;
  }
}

bool Reader::tool_calls(JsonNode list, const std::string& path, std::vector<Part>& into) {
  std::size_t number = 0;
  for (const JsonNode from : list) {
    const std::string here = fmt::format("{}.{}", path, number++);
    const JsonNode function = from["function"];
    if (!function.is_object()) {
      to_.use(Feature::unusual_tools, here);
      continue;
    }
    const ToolCall call{.id = from["id"].text(),
                        .name = function["name"].text(),
                        .arguments = function["arguments"].text()};
    if (call.id.empty() || call.name.empty()) {
      return fail(BadRequest::Code::missing_field, here,
                  fmt::format("`{}` needs an `id` and a `function.name`", here));
    }
    into.push_back({.what = call});
  }
  return true;
}

CacheMark Reader::cache_mark(JsonNode holder, const std::string& path) {
  const JsonNode mark = holder["cache_control"];
  if (!mark.is_object()) return CacheMark::none;
  to_.use(Feature::cache_marks, path + ".cache_control");
  return mark["ttl"].text() == "1h" ? CacheMark::one_hour : CacheMark::five_minutes;
}

void Reader::tools(JsonNode list) {
  std::size_t number = 0;
  for (const JsonNode from : list) {
    const std::string path = fmt::format("tools.{}", number++);
    const JsonNode function = from["function"];
    if (!function.is_object()) {
      to_.use(Feature::unusual_tools, path);
      continue;
    }
    Tool tool{.name = function["name"].text(),
              .description = function["description"].text(),
              .schema = function["parameters"].is_object() ? function["parameters"].raw()
                                                           : std::string_view(),
              .strict = {}};
    if (function["strict"].is_true()) {
      tool.strict = true;
      to_.use(Feature::strict_tools, path + ".function.strict");
    }
    tool.cache = cache_mark(from, path);
    to_.use(Feature::tools, path);
    to_.tools.push_back(tool);
  }
}

void Reader::tool_choice(JsonNode choice) {
  using Kind = ToolChoice::Kind;
  const std::string_view word = choice.text();
  if (word == "auto") {
    to_.tool_choice.kind = Kind::automatic;
    return;
  }
  to_.use(Feature::tool_choice, "tool_choice");
  if (word == "none") {
    to_.tool_choice.kind = Kind::none;
  } else if (word == "required") {
    to_.tool_choice.kind = Kind::any;
  } else if (choice["function"].is_object()) {
    to_.tool_choice.kind = Kind::named;
    to_.tool_choice.name = choice["function"]["name"].text();
  } else {
    to_.use(Feature::choice_of_some_tools, "tool_choice");
  }
}

void Reader::format(JsonNode format) {
  const std::string_view type = format["type"].text();
  if (type == "text") return;
  if (type == "json_object") {
    to_.format.kind = AnswerFormat::Kind::json_object;
    to_.use(Feature::json_object, "response_format");
    return;
  }
  const JsonNode schema = format["json_schema"];
  if (type != "json_schema" || !schema.is_object()) {
    to_.use(Feature::other_parameter, "response_format");
    return;
  }
  to_.format.kind = AnswerFormat::Kind::json_schema;
  to_.format.name = schema["name"].text();
  to_.format.description = schema["description"].text();
  to_.format.schema =
      schema["schema"].is_object() ? schema["schema"].raw() : std::string_view("{}");
  if (schema["strict"].is_true()) to_.format.strict = true;
  to_.use(Feature::json_schema, "response_format");
  if (!to_.format.description.empty()) {
    to_.use(Feature::format_description, "response_format.json_schema.description");
  }
}

}  // namespace

Effort effort_of(std::string_view word) {
  constexpr std::pair<std::string_view, Effort> words[] = {
      {"none", Effort::none},     {"minimal", Effort::minimal}, {"low", Effort::low},
      {"medium", Effort::medium}, {"high", Effort::high},       {"xhigh", Effort::xhigh},
      {"max", Effort::max}};
  for (const auto& [name, effort] : words) {
    if (name == word) return effort;
  }
  return Effort::unset;
}

bool split_data_url(std::string_view url, std::string_view& media_type, std::string_view& base64) {
  constexpr std::string_view scheme = "data:";
  constexpr std::string_view marker = ";base64,";
  if (!url.starts_with(scheme)) return false;
  const std::size_t at = url.substr(0, 256).find(marker);
  if (at == std::string_view::npos) return false;
  // Parameters of the type (`;name=x`) say nothing that any dialect has a word for.
  const std::string_view type = url.substr(scheme.size(), at - scheme.size());
  media_type = type.substr(0, type.find(';'));
  base64 = url.substr(at + marker.size());
  return true;
}

std::expected<Conversation, BadRequest> read_conversation(const Request& request) {
  Conversation conversation;
  Reader reader(request, conversation);
  if (!reader.read()) return std::unexpected(std::move(reader.failure));
  return conversation;
}

}  // namespace claviger::api::openai

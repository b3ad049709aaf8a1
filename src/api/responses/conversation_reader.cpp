#include "api/responses/conversation_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "api/openai/conversation_reader.h"

namespace claviger::api::responses {
namespace {

using namespace exchange;

constexpr std::string_view kept_elsewhere =
    "it refers to what OpenAI keeps; this model is served elsewhere and Claviger keeps nothing. "
    "Send the items of the earlier turns in `input`";

class Reader {
 public:
  Reader(const Request& request, Conversation& conversation)
      : request_(request), to_(conversation) {}

  bool read();
  BadRequest failure;

 private:
  bool field(JsonNode field);
  bool sampling(JsonNode field);
  bool about_the_request(JsonNode field);
  bool about_keeping(JsonNode field);
  void reasoning(JsonNode field);
  void text(JsonNode field);
  void format(JsonNode format);
  void include(JsonNode list);
  void tools(JsonNode list);
  void tool_choice(JsonNode choice);

  bool input(JsonNode from);
  bool item(JsonNode from, const std::string& path);
  bool message(JsonNode from, const std::string& path);
  bool call(JsonNode from, const std::string& path);
  bool call_output(JsonNode from, const std::string& path);
  void thought(JsonNode from, const std::string& path);
  bool content(JsonNode from, const std::string& path, std::vector<Part>& into);
  void part(JsonNode from, const std::string& path, std::vector<Part>& into);
  void image(JsonNode from, const std::string& path, std::vector<Part>& into);
  void file(JsonNode from, const std::string& path, std::vector<Part>& into);

  /// The assistant's message that is being put together: the last one, or a new one.
  Message& turn();
  Message& add(Role role) {
    to_.messages.push_back({.role = role, .content = {}, .name = {}});
    return to_.messages.back();
  }
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
  to_.end_user = to_.keep(request_.end_user);
  if (!request_.end_user.empty()) {
    const bool is_long = request_.end_user.size() > end_user_bytes_usual_max;
    to_.use(is_long ? Feature::long_end_user : Feature::end_user, "user");
  }
  // They come before what is said, wherever the field stands.
  const JsonNode instructions = tree->root()["instructions"];
  if (instructions.says_something()) {
    if (!instructions.is_string()) return wrong_type("instructions", "a string");
    add(Role::system)
        .content.push_back({.what = Text{.text = instructions.text(), .citations = {}}});
  }
  for (const JsonNode one : tree->root()) {
    if (one.says_something() && !field(one)) return false;
  }
  return true;
}

bool Reader::field(JsonNode field) {
  // The request's reader has read these, or they say how the answer travels; calls are only counted
  // where a provider makes them.
  constexpr std::string_view elsewhere[] = {
      "model",          "instructions", "max_output_tokens", "stream",
      "stream_options", "user",         "safety_identifier", "max_tool_calls"};
  const std::string_view key = field.key();
  if (std::ranges::find(elsewhere, key) != std::end(elsewhere)) return true;
  if (key == "input") return input(field);
  if (key == "tools") {
    tools(field);
  } else if (key == "tool_choice") {
    tool_choice(field);
  } else if (key == "text") {
    text(field);
  } else if (key == "reasoning") {
    reasoning(field);
  } else if (key == "include") {
    include(field);
  } else if (!sampling(field) && !about_keeping(field) && !about_the_request(field) &&
             !field.is_false()) {
    to_.use(Feature::other_parameter, key);
  }
  return true;
}

bool Reader::sampling(JsonNode field) {
  const std::string_view key = field.key();
  if (key == "temperature") {
    to_.sampling.temperature = field.raw();
    to_.use(Feature::temperature, key);
    double temperature = 0;
    const std::string_view digits = field.raw();
    std::from_chars(digits.data(), digits.data() + digits.size(), temperature);
    if (temperature > 1) to_.use(Feature::temperature_above_one, key);
    return true;
  }
  if (key == "top_p") {
    to_.sampling.top_p = field.raw();
    to_.use(Feature::top_p, key);
    return true;
  }
  if (key != "top_logprobs") return false;
  if (field.integer().value_or(1) == 0) return true;
  to_.sampling.top_logprobs = field.raw();
  to_.sampling.logprobs = true;
  to_.use(Feature::logprobs, key);
  return true;
}

/// What the provider keeps, and what it does while nobody listens: without it the request would say
/// something else, so that it is never left out.
bool Reader::about_keeping(JsonNode field) {
  const std::string_view key = field.key();
  if (key == "previous_response_id" || key == "conversation" || key == "prompt") {
    to_.use(Feature::other_content, key, kept_elsewhere);
    return true;
  }
  if (key == "background") {
    if (field.is_true()) {
      to_.use(Feature::other_content, key,
              "an answer is not made in the background here; leave it out and use `stream`");
    }
    return true;
  }
  if (key == "store") {
    if (field.is_true()) {
      to_.use(Feature::stored, key,
              "nothing is kept for a model that OpenAI does not serve; send false or leave it out, "
              "and send the items of earlier turns in `input`");
    }
    return true;
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
  if (key == "parallel_tool_calls") {
    to_.tool_choice.one_at_a_time = field.is_false();
    if (field.is_false()) to_.use(Feature::one_tool_at_a_time, key);
    return true;
  }
  return key == "truncation" && field.text() == "disabled";
}

/// Summaries are given wherever the model tells its thoughts, asked for or not.
void Reader::reasoning(JsonNode field) {
  for (const JsonNode inner : field) {
    const std::string_view key = inner.key();
    if (!inner.says_something() || key == "summary" || key == "generate_summary") continue;
    const std::string path = fmt::format("reasoning.{}", key);
    const Effort effort = key == "effort" ? openai::effort_of(inner.text()) : Effort::unset;
    const bool is_usual = (key == "context" && inner.text() == "auto") ||
                          (key == "mode" && inner.text() == "standard");
    if (effort != Effort::unset) {
      to_.reasoning.effort = effort;
      to_.use(effort == Effort::none ? Feature::reasoning_off : Feature::reasoning_effort, path);
    } else if (!is_usual) {
      to_.use(Feature::other_parameter, path);
    }
  }
}

void Reader::text(JsonNode field) {
  for (const JsonNode inner : field) {
    if (!inner.says_something()) continue;
    if (inner.key() == "format") {
      format(inner);
    } else if (inner.key() == "verbosity") {
      to_.verbosity = inner.text();
      if (inner.text() != "medium") to_.use(Feature::verbosity, "text.verbosity");
    } else {
      to_.use(Feature::other_parameter, fmt::format("text.{}", inner.key()));
    }
  }
}

void Reader::format(JsonNode format) {
  const std::string_view type = format["type"].text();
  if (type == "text") return;
  if (type == "json_object") {
    to_.format.kind = AnswerFormat::Kind::json_object;
    to_.use(Feature::json_object, "text.format");
    return;
  }
  if (type != "json_schema") {
    to_.use(Feature::other_parameter, "text.format");
    return;
  }
  to_.format.kind = AnswerFormat::Kind::json_schema;
  to_.format.name = format["name"].text();
  to_.format.description = format["description"].text();
  to_.format.schema =
      format["schema"].is_object() ? format["schema"].raw() : std::string_view("{}");
  if (format["strict"].is_true()) to_.format.strict = true;
  to_.use(Feature::json_schema, "text.format");
  if (!to_.format.description.empty()) {
    to_.use(Feature::format_description, "text.format.description");
  }
}

/// Encrypted reasoning comes in every answer that has any; what else can be included is about the
/// provider's tools, which are refused by name.
void Reader::include(JsonNode list) {
  for (const JsonNode one : list) {
    if (one.text() != "message.output_text.logprobs") continue;
    to_.sampling.logprobs = true;
    to_.use(Feature::logprobs, "include");
  }
}

void Reader::tools(JsonNode list) {
  std::size_t number = 0;
  for (const JsonNode from : list) {
    const std::string path = fmt::format("tools.{}", number++);
    if (from["type"].text() != "function") {
      to_.use(Feature::unusual_tools, path);
      continue;
    }
    Tool tool{
        .name = from["name"].text(),
        .description = from["description"].text(),
        .schema = from["parameters"].is_object() ? from["parameters"].raw() : std::string_view(),
        .strict = {}};
    if (from["strict"].is_true()) {
      tool.strict = true;
      to_.use(Feature::strict_tools, path + ".strict");
    }
    for (const std::string_view key :
         {"allowed_callers", "async", "defer_loading", "output_schema"}) {
      const JsonNode other = from[key];
      if (other.says_something() && !other.is_false()) {
        to_.use(Feature::other_parameter, fmt::format("{}.{}", path, key));
      }
    }
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
  } else if (choice["type"].text() == "function") {
    to_.tool_choice.kind = Kind::named;
    to_.tool_choice.name = choice["name"].text();
  } else {
    to_.use(Feature::choice_of_some_tools, "tool_choice");
  }
}

bool Reader::input(JsonNode from) {
  if (from.is_string()) {
    add(Role::user).content.push_back({.what = Text{.text = from.text(), .citations = {}}});
    return true;
  }
  std::size_t number = 0;
  for (const JsonNode one : from) {
    if (!item(one, fmt::format("input.{}", number++))) return false;
  }
  const bool is_continued = !to_.messages.empty() && to_.messages.back().role == Role::assistant;
  if (is_continued) to_.use(Feature::prefill, fmt::format("input.{}", number - 1));
  return true;
}

bool Reader::item(JsonNode from, const std::string& path) {
  const std::string_view type = from["type"].text();
  const bool is_message = type.empty() ? from["content"].exists() : type == "message";
  if (is_message) return message(from, path);
  has_turns_ = true;
  if (type == "function_call") return call(from, path);
  if (type == "function_call_output") return call_output(from, path);
  if (type == "reasoning") {
    thought(from, path);
  } else if (type.empty() || type == "item_reference") {
    to_.use(Feature::other_content, path, kept_elsewhere);
  } else {
    to_.use(type.starts_with("custom_tool_call") ? Feature::unusual_tools : Feature::other_content,
            path);
  }
  return true;
}

Message& Reader::turn() {
  has_turns_ = true;
  const bool goes_on = !to_.messages.empty() && to_.messages.back().role == Role::assistant;
  return goes_on ? to_.messages.back() : add(Role::assistant);
}

bool Reader::message(JsonNode from, const std::string& path) {
  const std::string_view role = from["role"].text();
  if (role == "assistant") return content(from["content"], path + ".content", turn().content);
  if (role == "system" || role == "developer") {
    if (has_turns_) to_.use(Feature::later_system, path + ".role");
    return content(from["content"], path + ".content", add(Role::system).content);
  }
  if (role != "user") {
    return fail(BadRequest::Code::out_of_range, path + ".role",
                fmt::format("`{}.role` must be system, developer, user or assistant", path));
  }
  has_turns_ = true;
  return content(from["content"], path + ".content", add(Role::user).content);
}

bool Reader::call(JsonNode from, const std::string& path) {
  const ToolCall call{.id = from["call_id"].text(),
                      .name = from["name"].text(),
                      .arguments = from["arguments"].text()};
  if (call.id.empty() || call.name.empty()) {
    return fail(BadRequest::Code::missing_field, path,
                fmt::format("`{}` needs a `call_id` and a `name`", path));
  }
  turn().content.push_back({.what = call});
  return true;
}

bool Reader::call_output(JsonNode from, const std::string& path) {
  ToolResult result;
  result.call_id = from["call_id"].text();
  if (result.call_id.empty()) {
    return fail(BadRequest::Code::missing_field, path + ".call_id",
                fmt::format("`{}.call_id` is missing; name the call that this answers", path));
  }
  if (!content(from["output"], path + ".output", result.content)) return false;
  const bool has_media = std::ranges::any_of(
      result.content, [](const Part& part) { return std::holds_alternative<Media>(part.what); });
  if (has_media) to_.use(Feature::tool_result_media, path + ".output");
  add(Role::user).content.push_back({.what = std::move(result)});
  return true;
}

/// A thought of an earlier answer: of one that we translated, with what its provider signed or
/// encrypted; of OpenAI's own, encrypted for OpenAI alone.
void Reader::thought(JsonNode from, const std::string& path) {
  std::string text;
  for (const std::string_view list : {"summary", "content"}) {
    for (const JsonNode one : from[list]) {
      if (!text.empty()) text += "\n\n";
      text += one["text"].text();
    }
    if (!text.empty()) break;
  }
  const std::string_view proof = from["encrypted_content"].text();
  Thinking thinking{.text = to_.keep(std::move(text)), .signature = {}, .redacted = {}};
  if (proof.starts_with(redacted_mark)) {
    thinking = {.text = {}, .signature = {}, .redacted = proof.substr(redacted_mark.size())};
  } else if (proof.starts_with(signature_mark)) {
    thinking.signature = proof.substr(signature_mark.size());
  } else if (!proof.empty()) {
    to_.use(Feature::foreign_thinking_back, path + ".encrypted_content");
  }
  const bool is_signed = !thinking.signature.empty() || !thinking.redacted.empty();
  if (!is_signed && thinking.text.empty()) return;
  to_.use(is_signed ? Feature::thinking_back : Feature::unsigned_thinking_back, path);
  turn().content.push_back({.what = thinking});
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
  if (type == "input_text" || type == "output_text" || type == "text") {
    into.push_back({.what = Text{.text = from["text"].text(), .citations = {}}});
    if (from["annotations"].size() > 0) to_.use(Feature::citations_back, path + ".annotations");
  } else if (type == "refusal") {
    into.push_back({.what = Refusal{.text = from["refusal"].text()}});
  } else if (type == "input_image") {
    image(from, path, into);
  } else if (type == "input_file") {
    file(from, path, into);
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
  if (into.size() == before || !from["prompt_cache_breakpoint"].is_object()) return;
  to_.use(Feature::cache_marks, path + ".prompt_cache_breakpoint");
  into.back().cache = CacheMark::five_minutes;
}

void Reader::image(JsonNode from, const std::string& path, std::vector<Part>& into) {
  const std::string_view url = from["image_url"].text();
  Media media{.kind = Media::Kind::image, .media_type = {}, .data = url, .name = {}, .detail = {}};
  if (openai::split_data_url(url, media.media_type, media.data)) {
    media.source = Media::Source::base64;
    to_.use(Feature::image_data, path);
  } else if (!url.empty()) {
    to_.use(Feature::image_url, path);
  } else {
    media.source = Media::Source::file_id;
    media.data = from["file_id"].text();
    to_.use(Feature::uploaded_file, path);
  }
  const std::string_view detail = from["detail"].text();
  if (!detail.empty() && detail != "auto") {
    media.detail = detail;
    to_.use(Feature::image_detail, path + ".detail");
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
  } else if (from["file_url"].says_something()) {
    media.data = from["file_url"].text();
    to_.use(Feature::document_url, path);
  } else if (openai::split_data_url(from["file_data"].text(), media.media_type, media.data)) {
    media.source = Media::Source::base64;
    to_.use(Feature::document_data, path);
  } else {
    to_.use(Feature::other_content, path,
            "send `file_data` as a data URL, such as data:application/pdf;base64,…");
    return;
  }
  if (!media.name.empty()) to_.use(Feature::document_name, path + ".filename");
  into.push_back({.what = media});
}

}  // namespace

std::expected<Conversation, BadRequest> read_conversation(const Request& request) {
  Conversation conversation;
  Reader reader(request, conversation);
  if (!reader.read()) return std::unexpected(std::move(reader.failure));
  return conversation;
}

}  // namespace claviger::api::responses

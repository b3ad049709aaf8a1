#include "api/anthropic/conversation_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace claviger::api::anthropic {
namespace {

using namespace exchange;

class Reader {
 public:
  Reader(const Request& request, Conversation& conversation)
      : request_(request), to_(conversation) {}

  bool read();
  BadRequest failure;

 private:
  bool field(JsonNode field);
  bool parameter(JsonNode field);
  bool system(JsonNode from);
  bool messages(JsonNode list);
  bool blocks(JsonNode from, const std::string& path, std::vector<Part>& into);
  bool block(JsonNode from, const std::string& path, std::vector<Part>& into);
  bool text(JsonNode from, const std::string& path, std::vector<Part>& into);
  bool media(JsonNode from, const std::string& path, std::vector<Part>& into);
  bool tool_result(JsonNode from, const std::string& path, std::vector<Part>& into);
  void source(JsonNode from, const std::string& path, Media& media);
  void note_other_fields(JsonNode from, const std::string& path,
                         std::initializer_list<std::string_view> known);
  void tools(JsonNode list);
  void tool_choice(JsonNode choice);
  void thinking(JsonNode from);
  void output_config(JsonNode from);
  void format(JsonNode format, const std::string& path);
  CacheMark cache_mark(JsonNode holder, const std::string& path);

  bool fail(BadRequest::Code code, std::string_view field, std::string message) {
    failure = {.code = code, .field = std::string(field), .message = std::move(message)};
    return false;
  }

  const Request& request_;
  Conversation& to_;
};

bool Reader::read() {
  const JsonTree* const tree = to_.keep_tree(request_.body);
  if (tree == nullptr) {
    return fail(BadRequest::Code::malformed_json, "",
                "the body cannot be translated: it has too many values, or text that is no "
                "Unicode (a lone surrogate)");
  }
  to_.output_tokens_max = request_.output_tokens_max;
  // The system prompt comes first, wherever it stands.
  if (!system(tree->root()["system"])) return false;
  for (const JsonNode one : tree->root()) {
    if (one.says_something() && !field(one)) return false;
  }
  return true;
}

bool Reader::field(JsonNode field) {
  const std::string_view key = field.key();
  if (key == "messages") return messages(field);
  if (key == "tools") {
    tools(field);
  } else if (key == "tool_choice") {
    tool_choice(field);
  } else if (key == "thinking") {
    thinking(field);
  } else if (key == "output_config") {
    output_config(field);
  } else if (key == "output_format") {
    format(field, "output_format");
  } else if (!parameter(field)) {
    to_.use(Feature::other_parameter, key);
  }
  return true;
}

bool Reader::parameter(JsonNode field) {
  const std::string_view key = field.key();
  if (key == "model" || key == "max_tokens" || key == "stream" || key == "system") return true;
  if (key == "temperature") {
    to_.sampling.temperature = field.raw();
    to_.use(Feature::temperature, key);
  } else if (key == "top_p") {
    to_.sampling.top_p = field.raw();
    to_.use(Feature::top_p, key);
  } else if (key == "top_k") {
    to_.sampling.top_k = field.raw();
    to_.use(Feature::top_k, key);
  } else if (key == "stop_sequences") {
    for (const JsonNode one : field) to_.sampling.stop.push_back(one.text());
    if (!to_.sampling.stop.empty()) to_.use(Feature::stop, key);
  } else if (key == "metadata") {
    to_.end_user = field["user_id"].text();
    const bool is_long = to_.end_user.size() > end_user_bytes_usual_max;
    if (!to_.end_user.empty()) {
      to_.use(is_long ? Feature::long_end_user : Feature::end_user, "metadata.user_id");
    }
  } else if (key == "service_tier") {
    const bool is_auto = field.text() == "auto";
    to_.service_tier = is_auto ? "" : "default";
    if (!is_auto) to_.use(Feature::service_tier, key);
  } else if (key == "cache_control") {
    to_.cache = field["ttl"].text() == "1h" ? CacheMark::one_hour : CacheMark::five_minutes;
    to_.use(Feature::cache_marks, key);
  } else {
    // The usual words for what costs more with others.
    return (key == "speed" && field.text() == "standard") ||
           (key == "inference_geo" && field.text() == "global");
  }
  return true;
}

bool Reader::system(JsonNode from) {
  if (!from.says_something()) return true;
  Message message{.role = Role::system};
  if (!blocks(from, "system", message.content)) return false;
  to_.messages.push_back(std::move(message));
  return true;
}

bool Reader::messages(JsonNode list) {
  std::size_t number = 0;
  for (const JsonNode from : list) {
    const std::string path = fmt::format("messages.{}", number++);
    const std::string_view role = from["role"].text();
    Message message;
    if (role == "assistant") {
      message.role = Role::assistant;
    } else if (role == "system") {
      message.role = Role::system;
      if (number > 1) to_.use(Feature::later_system, path + ".role");
    } else if (role != "user") {
      return fail(BadRequest::Code::out_of_range, path + ".role",
                  fmt::format("`{}.role` must be user, assistant or system", path));
    }
    if (!blocks(from["content"], path + ".content", message.content)) return false;
    note_other_fields(from, path, {"role", "content"});
    to_.messages.push_back(std::move(message));
  }
  if (number > 0 && to_.messages.back().role == Role::assistant) {
    to_.use(Feature::prefill, fmt::format("messages.{}", number - 1));
  }
  return true;
}

bool Reader::blocks(JsonNode from, const std::string& path, std::vector<Part>& into) {
  if (from.is_string()) {
    into.push_back({.what = Text{.text = from.text(), .citations = {}}});
    return true;
  }
  std::size_t number = 0;
  for (const JsonNode one : from) {
    const std::size_t before = into.size();
    const std::string here = fmt::format("{}.{}", path, number++);
    if (!block(one, here, into)) return false;
    if (into.size() > before) into.back().cache = cache_mark(one, here);
  }
  return true;
}

bool Reader::block(JsonNode from, const std::string& path, std::vector<Part>& into) {
  const std::string_view type = from["type"].text();
  if (type == "text") return text(from, path, into);
  if (type == "image" || type == "document") return media(from, path, into);
  if (type == "tool_result") return tool_result(from, path, into);
  if (type == "tool_use") {
    into.push_back({.what = ToolCall{.id = from["id"].text(),
                                     .name = from["name"].text(),
                                     .arguments = from["input"].raw()}});
    const std::string_view caller = from["caller"]["type"].text();
    if (!caller.empty() && caller != "direct") to_.use(Feature::unusual_tools, path + ".caller");
    note_other_fields(from, path, {"type", "id", "name", "input", "caller", "cache_control"});
  } else if (type == "thinking") {
    const std::string_view signature = from["signature"].text();
    into.push_back({.what = Thinking{
                        .text = from["thinking"].text(), .signature = signature, .redacted = {}}});
    to_.use(signature.empty() ? Feature::unsigned_thinking_back : Feature::thinking_back, path);
  } else if (type == "redacted_thinking") {
    into.push_back(
        {.what = Thinking{.text = {}, .signature = {}, .redacted = from["data"].text()}});
    to_.use(Feature::thinking_back, path);
  } else {
    to_.use(Feature::other_content, path);
  }
  return true;
}

bool Reader::text(JsonNode from, const std::string& path, std::vector<Part>& into) {
  const JsonNode citations = from["citations"];
  const bool has_citations = citations.is_array() && citations.size() > 0;
  into.push_back({.what = Text{.text = from["text"].text(),
                               .citations = has_citations ? citations.raw() : std::string_view()}});
  if (has_citations) to_.use(Feature::citations_back, path + ".citations");
  note_other_fields(from, path, {"type", "text", "citations", "cache_control"});
  return true;
}

bool Reader::media(JsonNode from, const std::string& path, std::vector<Part>& into) {
  const bool is_image = from["type"].text() == "image";
  Media media{.kind = is_image ? Media::Kind::image : Media::Kind::document,
              .media_type = {},
              .data = {},
              .name = from["title"].text(),
              .detail = {}};
  const std::size_t uses_before = to_.uses().size();
  source(from["source"], path, media);
  const bool is_unknown = media.data.empty() && to_.uses().size() > uses_before;
  if (!media.name.empty()) to_.use(Feature::document_name, path + ".title");
  if (from["citations"]["enabled"].is_true()) {
    to_.use(Feature::citations_wanted, path + ".citations");
  }
  note_other_fields(from, path, {"type", "source", "title", "citations", "cache_control"});
  if (!is_unknown) into.push_back({.what = media});
  return true;
}

void Reader::source(JsonNode from, const std::string& path, Media& media) {
  const bool is_image = media.kind == Media::Kind::image;
  const std::string_view type = from["type"].text();
  if (type == "base64") {
    media.source = Media::Source::base64;
    media.media_type = from["media_type"].text();
    media.data = from["data"].text();
    to_.use(is_image ? Feature::image_data : Feature::document_data, path);
  } else if (type == "url") {
    media.source = Media::Source::url;
    media.data = from["url"].text();
    to_.use(is_image ? Feature::image_url : Feature::document_url, path);
  } else if (type == "text") {
    media.source = Media::Source::text;
    media.media_type = "text/plain";
    media.data = from["data"].text();
    to_.use(Feature::document_text, path);
  } else if (type == "file") {
    media.source = Media::Source::file_id;
    media.data = from["file_id"].text();
    to_.use(Feature::uploaded_file, path);
  } else {
    to_.use(Feature::other_content, path);
  }
}

bool Reader::tool_result(JsonNode from, const std::string& path, std::vector<Part>& into) {
  ToolResult result;
  result.call_id = from["tool_use_id"].text();
  if (result.call_id.empty()) {
    return fail(BadRequest::Code::missing_field, path + ".tool_use_id",
                fmt::format("`{}.tool_use_id` is missing; name the call that this answers", path));
  }
  if (!blocks(from["content"], path + ".content", result.content)) return false;
  const bool has_media = std::ranges::any_of(
      result.content, [](const Part& part) { return std::holds_alternative<Media>(part.what); });
  if (has_media) to_.use(Feature::tool_result_media, path + ".content");
  if (from["is_error"].is_true()) {
    result.outcome = ToolResult::Outcome::failed;
    to_.use(Feature::tool_failure, path + ".is_error");
  }
  note_other_fields(from, path, {"type", "tool_use_id", "content", "is_error", "cache_control"});
  into.push_back({.what = std::move(result)});
  return true;
}

void Reader::note_other_fields(JsonNode from, const std::string& path,
                               std::initializer_list<std::string_view> known) {
  for (const JsonNode field : from) {
    const bool is_known = std::ranges::find(known, field.key()) != known.end();
    if (is_known || !field.says_something() || field.is_false()) continue;
    to_.use(Feature::other_parameter, fmt::format("{}.{}", path, field.key()));
  }
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
    const std::string_view type = from["type"].text();
    if (!type.empty() && type != "custom") {
      to_.use(Feature::unusual_tools, path);
      continue;
    }
    Tool tool{.name = from["name"].text(),
              .description = from["description"].text(),
              .schema = from["input_schema"].is_object() ? from["input_schema"].raw()
                                                         : std::string_view(),
              .strict = {}};
    if (from["strict"].is_true()) {
      tool.strict = true;
      to_.use(Feature::strict_tools, path + ".strict");
    }
    tool.cache = cache_mark(from, path);
    // How early the arguments are streamed changes nothing of them.
    note_other_fields(from, path,
                      {"type", "name", "description", "input_schema", "strict", "cache_control",
                       "eager_input_streaming"});
    to_.use(Feature::tools, path);
    to_.tools.push_back(tool);
  }
}

void Reader::tool_choice(JsonNode choice) {
  using Kind = ToolChoice::Kind;
  const std::string_view type = choice["type"].text();
  if (choice["disable_parallel_tool_use"].is_true()) {
    to_.tool_choice.one_at_a_time = true;
    to_.use(Feature::one_tool_at_a_time, "tool_choice.disable_parallel_tool_use");
  }
  if (type == "auto") {
    to_.tool_choice.kind = Kind::automatic;
    return;
  }
  to_.use(Feature::tool_choice, "tool_choice");
  if (type == "any") {
    to_.tool_choice.kind = Kind::any;
  } else if (type == "none") {
    to_.tool_choice.kind = Kind::none;
  } else if (type == "tool") {
    to_.tool_choice.kind = Kind::named;
    to_.tool_choice.name = choice["name"].text();
  } else {
    to_.use(Feature::choice_of_some_tools, "tool_choice");
  }
}

void Reader::thinking(JsonNode from) {
  const std::string_view type = from["type"].text();
  if (type == "disabled") {
    if (to_.reasoning.effort == Effort::unset) to_.reasoning.effort = Effort::none;
    to_.use(Feature::reasoning_off, "thinking");
  } else if (type == "enabled" && from["budget_tokens"].integer()) {
    to_.reasoning.budget_tokens = from["budget_tokens"].integer();
    to_.use(Feature::reasoning_budget, "thinking.budget_tokens");
  } else if (type == "adaptive") {
    to_.reasoning.adaptive = true;
  } else {
    to_.use(Feature::other_parameter, "thinking");
  }
  // Whether thoughts are shown, not whether they are thought.
  note_other_fields(from, "thinking", {"type", "budget_tokens", "display"});
}

void Reader::output_config(JsonNode from) {
  constexpr std::pair<std::string_view, Effort> words[] = {{"low", Effort::low},
                                                           {"medium", Effort::medium},
                                                           {"high", Effort::high},
                                                           {"xhigh", Effort::xhigh},
                                                           {"max", Effort::max}};
  const std::string_view word = from["effort"].text();
  for (const auto& [name, effort] : words) {
    if (name != word) continue;
    to_.reasoning.effort = effort;
    to_.use(Feature::reasoning_effort, "output_config.effort");
  }
  if (from["format"].says_something()) format(from["format"], "output_config.format");
  note_other_fields(from, "output_config", {"effort", "format"});
}

void Reader::format(JsonNode format, const std::string& path) {
  if (format["type"].text() != "json_schema" || !format["schema"].is_object()) {
    to_.use(Feature::other_parameter, path);
    return;
  }
  to_.format.kind = AnswerFormat::Kind::json_schema;
  to_.format.schema = format["schema"].raw();
  to_.format.strict = true;
  to_.use(Feature::json_schema, path);
}

}  // namespace

std::expected<Conversation, BadRequest> read_conversation(const Request& request) {
  Conversation conversation;
  Reader reader(request, conversation);
  if (!reader.read()) return std::unexpected(std::move(reader.failure));
  return conversation;
}

}  // namespace claviger::api::anthropic

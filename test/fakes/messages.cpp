#include "messages.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <set>

#include "answer.h"
#include "json_text.h"

namespace claviger::fakes {
namespace {

using simdjson::dom::element;
using Done = std::expected<void, std::string>;

constexpr std::string_view kSignature = "c2lnbmVkLWJ5LXRoZS1mYWtl";
constexpr std::string_view kThought = "The caller wants an answer. ";
constexpr std::int64_t kBytesPerToken = 4;
constexpr std::int64_t kTokensPerMessage = 3;
constexpr std::int64_t kThinkingTokensMin = 1024;

std::unexpected<std::string> no(std::string why) {
  return std::unexpected(std::move(why));
}

std::string_view text_of(const element& object, std::string_view name) {
  std::string_view text;
  if (object[name].get_string().get(text) != simdjson::SUCCESS) return {};
  return text;
}

bool is_true(const element& object, std::string_view name) {
  bool value = false;
  return object[name].get_bool().get(value) == simdjson::SUCCESS && value;
}

class Reader {
 public:
  Reader(MessagesRequest& request, std::string_view version)
      : request_(request), version_(version) {}

  Done read(const element& root, Purpose purpose, Behaviour& behaviour);

 private:
  Done top_level(const element& root);
  Done message(const element& message);
  Done content(const element& content, std::string_view role);
  Done block(const element& block, std::string_view role);
  Done thinking(const element& root);
  void tools(const element& root);

  MessagesRequest& request_;
  std::string_view version_;
  std::set<std::string, std::less<>> calls_;
};

Done Reader::top_level(const element& root) {
  constexpr std::string_view known[] = {
      "model",         "messages",    "max_tokens",     "metadata", "system",
      "thinking",      "tools",       "tool_choice",    "stream",   "top_k",
      "top_p",         "temperature", "stop_sequences", "fake",     "output_config",
      "cache_control", "service_tier"};
  for (const auto field : root.get_object().value_unsafe()) {
    const bool is_sampling =
        field.key == "temperature" || field.key == "top_p" || field.key == "top_k";
    const bool is_known = std::ranges::find(known, field.key) != std::end(known);
    if (!is_known || (is_sampling && version_ >= "2026-10-21")) {
      return no(fmt::format("{}: Extra inputs are not permitted", field.key));
    }
  }
  double temperature = 0;
  if (root["temperature"].get_double().get(temperature) == simdjson::SUCCESS && temperature > 1) {
    return no("temperature: range: 0..1");
  }
  return {};
}

Done Reader::read(const element& root, Purpose purpose, Behaviour& behaviour) {
  if (version_.empty()) return no("anthropic-version: header is required");
  std::string_view name;
  if (root["model"].get_string().get(name) != simdjson::SUCCESS) return no("model: Field required");
  element directives;
  if (root["fake"].get(directives) == simdjson::SUCCESS) {
    if (const Done done = apply_json(simdjson::minify(directives), behaviour); !done) return done;
  }
  if (const Done done = apply_model_directives(name, behaviour); !done) return done;
  request_.model = std::string(name);
  if (const Done done = top_level(root); !done) return done;
  if (root["max_tokens"].get_int64().get(request_.max_tokens) != simdjson::SUCCESS &&
      purpose == Purpose::answer) {
    return no("max_tokens: Field required");
  }
  element system;
  if (root["system"].get(system) == simdjson::SUCCESS) {
    if (const Done done = content(system, "system"); !done) return done;
  }
  simdjson::dom::array messages;
  if (root["messages"].get_array().get(messages) != simdjson::SUCCESS || messages.size() == 0) {
    return no("messages: at least one message is required");
  }
  for (const element one : messages) {
    if (const Done done = message(one); !done) return done;
  }
  tools(root);
  request_.streams = is_true(root, "stream");
  request_.has_schema = root["output_config"]["format"].error() == simdjson::SUCCESS;
  return thinking(root);
}

Done Reader::message(const element& message) {
  const std::string_view role = text_of(message, "role");
  if (role != "user" && role != "assistant") {
    return no("messages: roles must be either \"user\" or \"assistant\"");
  }
  if (request_.messages == 0 && role != "user")
    return no("messages: first message must use the \"user\" role");
  ++request_.messages;
  request_.ends_with_tool_result = false;
  element inside;
  if (message["content"].get(inside) != simdjson::SUCCESS)
    return no("messages: content is required");
  return content(inside, role);
}

Done Reader::content(const element& content, std::string_view role) {
  std::string_view text;
  if (content.get_string().get(text) == simdjson::SUCCESS) {
    request_.text_bytes += static_cast<std::int64_t>(text.size());
    return {};
  }
  if (!content.is_array()) return no("content: must be a string or an array of blocks");
  for (const element one : content.get_array().value_unsafe()) {
    if (const Done done = block(one, role); !done) return done;
  }
  return {};
}

Done Reader::block(const element& block, std::string_view role) {
  const std::string_view type = text_of(block, "type");
  if (block["cache_control"].error() == simdjson::SUCCESS) ++request_.cache_marks;
  if (type == "text") {
    if (text_of(block, "text").empty()) return no("text content blocks must be non-empty");
    request_.text_bytes += static_cast<std::int64_t>(text_of(block, "text").size());
    return {};
  }
  if (type == "image" || type == "document") {
    const std::string_view source = text_of(block["source"].value_unsafe(), "type");
    if (source.empty()) return no(fmt::format("{}.source: Field required", type));
    ++(type == "image" ? request_.images : request_.documents);
    return {};
  }
  if (type == "tool_use" && role == "assistant") {
    if (!block["input"].is_object()) return no("tool_use.input: Input should be an object");
    calls_.emplace(text_of(block, "id"));
    return {};
  }
  if (type == "tool_result" && role == "user") {
    if (!calls_.contains(text_of(block, "tool_use_id"))) {
      return no(fmt::format("unexpected `tool_use_id` found in `tool_result` blocks: {}",
                            text_of(block, "tool_use_id")));
    }
    request_.ends_with_tool_result = true;
    element inside;
    if (block["content"].get(inside) != simdjson::SUCCESS) return {};
    return content(inside, "tool");
  }
  if (type == "thinking" && role == "assistant") {
    const bool is_ours =
        text_of(block, "signature") == kSignature && text_of(block, "thinking") == kThought;
    if (!is_ours) return no("Invalid `signature` in `thinking` block");
    return {};
  }
  return no(fmt::format("content: a block of type \"{}\" is not permitted here", type));
}

Done Reader::thinking(const element& root) {
  element wish;
  if (root["thinking"].get(wish) != simdjson::SUCCESS) return {};
  const std::string_view type = text_of(wish, "type");
  request_.thinks = type == "enabled" || type == "adaptive";
  if (type != "enabled") return {};
  std::int64_t budget = 0;
  if (wish["budget_tokens"].get_int64().get(budget) != simdjson::SUCCESS ||
      budget < kThinkingTokensMin) {
    return no("thinking.budget_tokens: Input should be greater than or equal to 1024");
  }
  if (budget >= request_.max_tokens) {
    return no("`max_tokens` must be greater than `thinking.budget_tokens`");
  }
  return {};
}

void Reader::tools(const element& root) {
  element choice;
  if (root["tool_choice"].get(choice) == simdjson::SUCCESS) {
    if (text_of(choice, "type") == "none") return;
    request_.one_tool_at_a_time = is_true(choice, "disable_parallel_tool_use");
  }
  simdjson::dom::array list;
  if (root["tools"].get_array().get(list) != simdjson::SUCCESS) return;
  for (const element tool : list) request_.tools.emplace_back(text_of(tool, "name"));
}

/// What the model says: its words, or the names of the tools that it calls.
struct Said {
  std::vector<std::string> tools;
  std::string text;
};

Said said(const Behaviour& behaviour, const MessagesRequest& request, const Tokens& tokens) {
  Said said;
  if (!request.tools.empty() && !request.ends_with_tool_result) {
    said.tools = request.tools;
    if (request.one_tool_at_a_time) said.tools.resize(1);
    return said;
  }
  if (request.has_schema) {
    said.text = R"({"colour":"red"})";
    return said;
  }
  said.text = fmt::format("I see {} images, {} documents, {} messages. ", request.images,
                          request.documents, request.messages);
  const std::int64_t bytes = behaviour.answer_bytes == kUnset
                                 ? tokens.completion_tokens * kBytesPerToken
                                 : behaviour.answer_bytes;
  said.text +=
      filler(7, std::max<std::int64_t>(0, bytes - static_cast<std::int64_t>(said.text.size())));
  return said;
}

std::string stop_reason(const Behaviour& behaviour, const MessagesRequest& request,
                        const Tokens& tokens, const Said& said) {
  if (!behaviour.finish_reason.empty()) return behaviour.finish_reason;
  if (!said.tools.empty()) return "tool_use";
  return tokens.completion_tokens >= request.max_tokens ? "max_tokens" : "end_turn";
}

std::string usage_json(const Tokens& tokens, std::int64_t output_tokens) {
  return fmt::format(R"({{"input_tokens":{},"cache_creation_input_tokens":0,)"
                     R"("cache_read_input_tokens":{},"output_tokens":{}}})",
                     tokens.prompt_tokens - tokens.cached_tokens, tokens.cached_tokens,
                     output_tokens);
}

std::string json_of_text(std::string_view text) {
  std::string out;
  append_json_string(text, out);
  return out;
}

std::string call_json(RequestNumber number, std::size_t index, std::string_view name,
                      std::string_view input) {
  return fmt::format(R"({{"type":"tool_use","id":"toolu_{}_{}","name":{},"input":{}}})", number,
                     index, json_of_text(name), input);
}

std::string event(std::string_view type, std::string_view fields) {
  return fmt::format("event: {}\ndata: {{\"type\":\"{}\"{}{}}}\n\n", type, type,
                     fields.empty() ? "" : ",", fields);
}

}  // namespace

std::expected<MessagesRequest, std::string> read_messages(std::string_view body,
                                                          std::string_view version, Purpose purpose,
                                                          Behaviour& behaviour) {
  static thread_local simdjson::dom::parser parser;
  element root;
  if (parser.parse(body.data(), body.size()).get(root) != simdjson::SUCCESS || !root.is_object()) {
    return no("The request body is not valid JSON");
  }
  MessagesRequest request;
  if (const Done done = Reader(request, version).read(root, purpose, behaviour); !done) {
    return no(done.error());
  }
  return request;
}

std::int64_t prompt_tokens_of(const MessagesRequest& request) {
  return (request.text_bytes + kBytesPerToken - 1) / kBytesPerToken +
         kTokensPerMessage * request.messages;
}

std::string message_body(const Behaviour& behaviour, const MessagesRequest& request,
                         RequestNumber number, const Tokens& tokens) {
  const Said what = said(behaviour, request, tokens);
  std::string content;
  const auto add = [&](std::string_view block) {
    if (!content.empty()) content += ',';
    content += block;
  };
  if (request.thinks) {
    add(fmt::format(R"({{"type":"thinking","thinking":"{}","signature":"{}"}})", kThought,
                    kSignature));
  }
  for (std::size_t i = 0; i < what.tools.size(); ++i) {
    add(call_json(number, i, what.tools[i], fmt::format(R"({{"number": {}.0}})", i)));
  }
  if (what.tools.empty()) {
    add(fmt::format(R"({{"type":"text","text":{},"citations":null}})", json_of_text(what.text)));
  }
  return fmt::format(R"({{"id":"msg_{}","type":"message","role":"assistant","model":{},)"
                     R"("content":[{}],"stop_reason":"{}","stop_sequence":null,"usage":{}}})",
                     number, json_of_text(request.model), content,
                     stop_reason(behaviour, request, tokens, what),
                     usage_json(tokens, tokens.completion_tokens));
}

std::vector<std::string> message_events(const Behaviour& behaviour, const MessagesRequest& request,
                                        RequestNumber number, const Tokens& tokens) {
  const Said what = said(behaviour, request, tokens);
  std::vector<std::string> events;
  int index = 0;
  const auto block = [&](std::string_view start, const std::vector<std::string>& deltas) {
    events.push_back(event("content_block_start",
                           fmt::format(R"("index":{},"content_block":{})", index, start)));
    for (const std::string& delta : deltas) {
      events.push_back(
          event("content_block_delta", fmt::format(R"("index":{},"delta":{})", index, delta)));
    }
    events.push_back(event("content_block_stop", fmt::format(R"("index":{})", index)));
    ++index;
  };
  events.push_back(event(
      "message_start",
      fmt::format(R"("message":{{"id":"msg_{}","type":"message","role":"assistant","model":{},)"
                  R"("content":[],"stop_reason":null,"stop_sequence":null,"usage":{}}})",
                  number, json_of_text(request.model), usage_json(tokens, 1))));
  events.push_back(event("ping", ""));
  if (request.thinks) {
    block(R"({"type":"thinking","thinking":"","signature":""})",
          {fmt::format(R"({{"type":"thinking_delta","thinking":"{}"}})", kThought),
           fmt::format(R"({{"type":"signature_delta","signature":"{}"}})", kSignature)});
  }
  for (std::size_t i = 0; i < what.tools.size(); ++i) {
    block(call_json(number, i, what.tools[i], "{}"),
          {R"({"type":"input_json_delta","partial_json":""})",
           R"({"type":"input_json_delta","partial_json":"{\"number\": "})",
           fmt::format(R"({{"type":"input_json_delta","partial_json":"{}.0}}"}})", i)});
  }
  if (what.tools.empty()) {
    std::vector<std::string> pieces;
    constexpr std::size_t kPieceBytes = 16;
    for (std::size_t at = 0; at < what.text.size(); at += kPieceBytes) {
      pieces.push_back(fmt::format(R"({{"type":"text_delta","text":{}}})",
                                   json_of_text(what.text.substr(at, kPieceBytes))));
    }
    block(R"({"type":"text","text":""})", pieces);
  }
  events.push_back(
      event("message_delta",
            fmt::format(R"("delta":{{"stop_reason":"{}","stop_sequence":null}},)"
                        R"("usage":{{"output_tokens":{}}})",
                        stop_reason(behaviour, request, tokens, what), tokens.completion_tokens)));
  events.push_back(event("message_stop", ""));
  return events;
}

std::string messages_error_body(std::int64_t status, std::string_view type,
                                std::string_view message) {
  std::string_view said = type;
  if (said.empty()) {
    said = status == 401   ? "authentication_error"
           : status == 403 ? "permission_error"
           : status == 404 ? "not_found_error"
           : status == 429 ? "rate_limit_error"
           : status == 529 ? "overloaded_error"
           : status >= 500 ? "api_error"
                           : "invalid_request_error";
  }
  return fmt::format(
      R"({{"type":"error","error":{{"type":{},"message":{}}},"request_id":"req_fake"}})",
      json_of_text(said),
      json_of_text(message.empty() ? std::string_view("The fake provider was told to fail.")
                                   : message));
}

}  // namespace claviger::fakes

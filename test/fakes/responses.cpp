#include "responses.h"

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

constexpr std::string_view kEncrypted = "gAAAAencrypted-by-the-fake";
constexpr std::string_view kThought = "The caller wants an answer. ";
constexpr std::int64_t kCreated = 1'767'225'600;
constexpr std::int64_t kBytesPerToken = 4;
constexpr std::int64_t kTokensPerItem = 3;
/// OpenAI's own least bound (https://platform.openai.com/docs/api-reference/responses, 2026-11).
constexpr std::int64_t kOutputTokensMin = 16;
constexpr std::int64_t kAbsurdTokens = 9'007'199'254'740'993;

std::unexpected<std::string> no(std::string why) {
  return std::unexpected(std::move(why));
}

std::string_view text_of(const element& object, std::string_view name) {
  std::string_view text;
  if (object[name].get_string().get(text) != simdjson::SUCCESS) return {};
  return text;
}

bool is_bool(const element& object, std::string_view name, bool wanted) {
  bool value = false;
  return object[name].get_bool().get(value) == simdjson::SUCCESS && value == wanted;
}

class Reader {
 public:
  Reader(ResponsesRequest& request, const IsKept& is_kept) : request_(request), is_kept_(is_kept) {}

  Done read(const element& root, Behaviour& behaviour);

 private:
  static Done top_level(const element& root);
  Done bounds(const element& root);
  Done input(const element& root);
  Done item(const element& item);
  Done content(const element& content);
  void tools(const element& root);

  ResponsesRequest& request_;
  const IsKept& is_kept_;
  std::set<std::string, std::less<>> calls_;
};

Done Reader::top_level(const element& root) {
  constexpr std::string_view known[] = {"background",
                                        "conversation",
                                        "include",
                                        "input",
                                        "instructions",
                                        "max_tool_calls",
                                        "max_output_tokens",
                                        "metadata",
                                        "model",
                                        "parallel_tool_calls",
                                        "previous_response_id",
                                        "prompt_cache_key",
                                        "reasoning",
                                        "safety_identifier",
                                        "service_tier",
                                        "store",
                                        "stream",
                                        "stream_options",
                                        "temperature",
                                        "text",
                                        "tool_choice",
                                        "tools",
                                        "top_logprobs",
                                        "top_p",
                                        "truncation",
                                        "user",
                                        "fake"};
  for (const auto field : root.get_object().value_unsafe()) {
    if (std::ranges::find(known, field.key) == std::end(known)) {
      return no(fmt::format("Unknown parameter: '{}'.", field.key));
    }
  }
  return {};
}

Done Reader::bounds(const element& root) {
  std::int64_t most = 0;
  if (root["max_output_tokens"].get_int64().get(most) == simdjson::SUCCESS) {
    if (most < kOutputTokensMin) {
      return no(
          fmt::format("Invalid 'max_output_tokens': integer below minimum value. Expected a "
                      "value >= {}, but got {} instead.",
                      kOutputTokensMin, most));
    }
    request_.output_tokens_max = most;
  }
  request_.previous = text_of(root, "previous_response_id");
  if (!request_.previous.empty() && !is_kept_(request_.previous)) {
    return no(fmt::format("Previous response with id '{}' not found.", request_.previous));
  }
  return {};
}

Done Reader::read(const element& root, Behaviour& behaviour) {
  std::string_view name;
  if (root["model"].get_string().get(name) != simdjson::SUCCESS) {
    return no("Missing required parameter: 'model'.");
  }
  element directives;
  if (root["fake"].get(directives) == simdjson::SUCCESS) {
    if (const Done done = apply_json(simdjson::minify(directives), behaviour); !done) return done;
  }
  if (const Done done = apply_model_directives(name, behaviour); !done) return done;
  request_.model = std::string(name);
  if (const Done done = top_level(root); !done) return done;
  if (const Done done = bounds(root); !done) return done;
  request_.text_bytes += static_cast<std::int64_t>(text_of(root, "instructions").size());
  if (const Done done = input(root); !done) return done;
  tools(root);
  request_.streams = is_bool(root, "stream", true);
  request_.is_stored = !is_bool(root, "store", false);
  request_.is_in_background = is_bool(root, "background", true);
  if (request_.is_in_background && !request_.is_stored) {
    return no("Background mode requires 'store' to be true.");
  }
  element inside;
  if (root["text"]["format"].get(inside) == simdjson::SUCCESS) {
    request_.has_schema = text_of(inside, "type") == "json_schema";
  }
  if (root["reasoning"].get(inside) == simdjson::SUCCESS) {
    const std::string_view effort = text_of(inside, "effort");
    request_.reasons = !effort.empty() && effort != "none";
  }
  simdjson::dom::array include;
  if (root["include"].get_array().get(include) == simdjson::SUCCESS) {
    for (const element one : include) {
      std::string_view what;
      if (one.get_string().get(what) == simdjson::SUCCESS &&
          what == "reasoning.encrypted_content") {
        request_.wants_encrypted_reasoning = true;
      }
    }
  }
  return {};
}

Done Reader::input(const element& root) {
  element input;
  if (root["input"].get(input) != simdjson::SUCCESS) {
    return request_.previous.empty() ? Done(no("Missing required parameter: 'input'.")) : Done();
  }
  std::string_view text;
  if (input.get_string().get(text) == simdjson::SUCCESS) {
    ++request_.items;
    request_.text_bytes += static_cast<std::int64_t>(text.size());
    return {};
  }
  if (!input.is_array()) return no("Invalid type for 'input': expected a string or an array.");
  for (const element one : input.get_array().value_unsafe()) {
    if (const Done done = item(one); !done) return done;
  }
  return {};
}

Done Reader::item(const element& item) {
  ++request_.items;
  const std::string_view type = text_of(item, "type");
  request_.ends_with_tool_output = type == "function_call_output";
  element inside;
  if (type.empty() || type == "message") {
    constexpr std::string_view roles[] = {"user", "assistant", "system", "developer"};
    if (std::ranges::find(roles, text_of(item, "role")) == std::end(roles)) {
      return no("Invalid value for 'role'.");
    }
    if (item["content"].get(inside) != simdjson::SUCCESS) {
      return no("Missing required parameter: 'input[].content'.");
    }
    return content(inside);
  }
  if (type == "function_call") {
    calls_.emplace(text_of(item, "call_id"));
    request_.text_bytes += static_cast<std::int64_t>(text_of(item, "arguments").size());
    return {};
  }
  if (type == "function_call_output") {
    const std::string_view call = text_of(item, "call_id");
    if (request_.previous.empty() && !calls_.contains(call)) {
      return no(fmt::format("No tool call found for function call output with call_id {}.", call));
    }
    return item["output"].get(inside) == simdjson::SUCCESS ? content(inside) : Done();
  }
  if (type == "reasoning") {
    const std::string_view proof = text_of(item, "encrypted_content");
    if (!proof.empty() && proof != kEncrypted) {
      return no("The encrypted content could not be verified.");
    }
    return {};
  }
  return no(fmt::format("Invalid value: '{}'.", type));
}

Done Reader::content(const element& content) {
  std::string_view text;
  if (content.get_string().get(text) == simdjson::SUCCESS) {
    request_.text_bytes += static_cast<std::int64_t>(text.size());
    return {};
  }
  if (!content.is_array()) return no("Invalid type for content: expected a string or an array.");
  for (const element part : content.get_array().value_unsafe()) {
    const std::string_view type = text_of(part, "type");
    if (type == "input_text" || type == "output_text") {
      request_.text_bytes += static_cast<std::int64_t>(text_of(part, "text").size());
    } else if (type == "input_image") {
      ++request_.images;
    } else if (type == "input_file") {
      ++request_.files;
    } else if (type != "refusal") {
      return no(fmt::format("Invalid value: '{}'.", type));
    }
  }
  return {};
}

void Reader::tools(const element& root) {
  simdjson::dom::array tools;
  if (root["tools"].get_array().get(tools) != simdjson::SUCCESS) return;
  for (const element tool : tools) {
    if (text_of(tool, "type") == "function") request_.tools.emplace_back(text_of(tool, "name"));
  }
  request_.one_tool_at_a_time = is_bool(root, "parallel_tool_calls", false);
  if (text_of(root, "tool_choice") == "none") request_.tools.clear();
}

std::string json_of_text(std::string_view text) {
  std::string out;
  append_json_string(text, out);
  return out;
}

struct Said {
  std::vector<std::string> tools;  ///< That are called.
  std::string text;
};

Said said(const Behaviour& behaviour, const ResponsesRequest& request, const Tokens& tokens) {
  Said said;
  if (!request.tools.empty() && !request.ends_with_tool_output) {
    said.tools = request.tools;
    if (request.one_tool_at_a_time) said.tools.resize(1);
    return said;
  }
  if (request.has_schema) {
    said.text = R"({"colour":"red"})";
    return said;
  }
  said.text = fmt::format("I see {} images, {} files, {} items. ", request.images, request.files,
                          request.items);
  const std::int64_t bytes = behaviour.answer_bytes == kUnset
                                 ? tokens.completion_tokens * kBytesPerToken
                                 : behaviour.answer_bytes;
  said.text +=
      filler(7, std::max<std::int64_t>(0, bytes - static_cast<std::int64_t>(said.text.size())));
  return said;
}

std::string usage_json(const Behaviour& behaviour, Tokens tokens) {
  if (behaviour.usage == "absent") return "null";
  if (behaviour.usage == "malformed") return R"({"input_tokens":"many","output_tokens":null})";
  if (behaviour.usage == "negative") {
    tokens = {.prompt_tokens = -5, .cached_tokens = 0, .completion_tokens = -7};
  } else if (behaviour.usage == "absurd") {
    tokens.prompt_tokens = tokens.completion_tokens = kAbsurdTokens;
  }
  return fmt::format(
      R"({{"input_tokens":{},"input_tokens_details":{{"cached_tokens":{},"cache_write_tokens":0}},)"
      R"("output_tokens":{},"output_tokens_details":{{"reasoning_tokens":{}}},"total_tokens":{}}})",
      tokens.prompt_tokens, tokens.cached_tokens, tokens.completion_tokens,
      behaviour.reasoning_tokens, tokens.prompt_tokens + tokens.completion_tokens);
}

/// One item of the output as it is at its end, and what its events hold.
struct Item {
  enum class Kind : std::uint8_t { reasoning, call, message } kind;
  std::string id;
  std::string name;
  std::string text;  ///< Or the thought, or the arguments.
};

std::vector<Item> items_of(const Behaviour& behaviour, const ResponsesRequest& request,
                           RequestNumber number, const Tokens& tokens) {
  const Said what = said(behaviour, request, tokens);
  std::vector<Item> items;
  if (request.reasons) {
    items.push_back(
        {Item::Kind::reasoning, fmt::format("rs_{}", number), "", std::string(kThought)});
  }
  for (std::size_t i = 0; i < what.tools.size(); ++i) {
    items.push_back({Item::Kind::call, fmt::format("fc_{}_{}", number, i), what.tools[i],
                     fmt::format(R"({{"number": {}.0}})", i)});
  }
  if (what.tools.empty()) {
    items.push_back({Item::Kind::message, fmt::format("msg_{}", number), "", what.text});
  }
  return items;
}

std::string part_json(std::string_view text) {
  return fmt::format(R"({{"type":"output_text","annotations":[],"logprobs":[],"text":{}}})",
                     json_of_text(text));
}

std::string summary_json(std::string_view text) {
  return fmt::format(R"({{"type":"summary_text","text":{}}})", json_of_text(text));
}

std::string call_json(const Item& item, std::string_view status, std::string_view arguments) {
  return fmt::format(R"({{"id":"{}","type":"function_call","status":"{}","arguments":{},)"
                     R"("call_id":"call_{}","name":{}}})",
                     item.id, status, json_of_text(arguments), item.id, json_of_text(item.name));
}

std::string item_json(const ResponsesRequest& request, const Item& item) {
  switch (item.kind) {
    case Item::Kind::reasoning:
      return fmt::format(R"({{"id":"{}","type":"reasoning","summary":[{}]{}}})", item.id,
                         summary_json(item.text),
                         request.wants_encrypted_reasoning
                             ? fmt::format(R"(,"encrypted_content":"{}")", kEncrypted)
                             : "");
    case Item::Kind::call:
      return call_json(item, "completed", item.text);
    case Item::Kind::message:
      break;
  }
  return fmt::format(R"({{"id":"{}","type":"message","status":"completed","role":"assistant",)"
                     R"("content":[{}]}})",
                     item.id, part_json(item.text));
}

/// The envelope. `output` is JSON, parted by commas.
std::string response_json(const ResponsesRequest& request, RequestNumber number,
                          std::string_view status, std::string_view output, std::string_view more) {
  return fmt::format(
      R"({{"id":"{}","object":"response","created_at":{},"status":"{}","background":{},)"
      R"("instructions":null,"max_output_tokens":null,"metadata":{{}},"model":{},"output":[{}],)"
      R"("parallel_tool_calls":{},"previous_response_id":{},"reasoning":{{"effort":null,)"
      R"("summary":null}},"store":{},"temperature":1.0,"text":{{"format":{{"type":"text"}}}},)"
      R"("tool_choice":"auto","tools":[],"top_p":1.0,"truncation":"disabled",{}}})",
      response_id(number), kCreated, status, request.is_in_background, json_of_text(request.model),
      output, !request.one_tool_at_a_time,
      request.previous.empty() ? "null" : json_of_text(request.previous), request.is_stored, more);
}

std::string whole_response(const Behaviour& behaviour, const ResponsesRequest& request,
                           RequestNumber number, const Tokens& tokens) {
  std::string output;
  for (const Item& item : items_of(behaviour, request, number, tokens)) {
    if (!output.empty()) output += ',';
    output += item_json(request, item);
  }
  const bool is_cut = tokens.completion_tokens >= request.output_tokens_max;
  std::string why = behaviour.finish_reason;
  if (why.empty() && is_cut) why = "max_output_tokens";
  return response_json(
      request, number, why.empty() ? "completed" : "incomplete", output,
      fmt::format(R"("error":null,"incomplete_details":{},"usage":{})",
                  why.empty() ? "null" : fmt::format(R"({{"reason":{}}})", json_of_text(why)),
                  usage_json(behaviour, tokens)));
}

/// Events, numbered as they come.
class Events {
 public:
  void add(std::string_view type, std::string_view fields) {
    all.push_back(fmt::format("event: {}\ndata: {{\"type\":\"{}\",\"sequence_number\":{},{}}}\n\n",
                              type, type, all.size(), fields));
  }
  void add_item(const ResponsesRequest& request, const Item& item, std::size_t index);

  std::vector<std::string> all;

 private:
  void message(const Item& item, const std::string& where);
  void reasoning(const Item& item, const std::string& where);
  void call(const Item& item, const std::string& where);
};

void Events::add_item(const ResponsesRequest& request, const Item& item, std::size_t index) {
  const std::string where = fmt::format(R"("item_id":"{}","output_index":{})", item.id, index);
  switch (item.kind) {
    case Item::Kind::reasoning:
      add("response.output_item.added",
          fmt::format(R"("output_index":{},"item":{{"id":"{}","type":"reasoning","summary":[]}})",
                      index, item.id));
      reasoning(item, where);
      break;
    case Item::Kind::call:
      add("response.output_item.added",
          fmt::format(R"("output_index":{},"item":{})", index, call_json(item, "in_progress", "")));
      call(item, where);
      break;
    case Item::Kind::message:
      add("response.output_item.added",
          fmt::format(R"("output_index":{},"item":{{"id":"{}","type":"message",)"
                      R"("status":"in_progress","role":"assistant","content":[]}})",
                      index, item.id));
      message(item, where);
      break;
  }
  add("response.output_item.done",
      fmt::format(R"("output_index":{},"item":{})", index, item_json(request, item)));
}

void Events::message(const Item& item, const std::string& where) {
  constexpr std::size_t kPieceBytes = 16;
  add("response.content_part.added",
      fmt::format(R"({},"content_index":0,"part":{})", where, part_json("")));
  for (std::size_t at = 0; at < item.text.size(); at += kPieceBytes) {
    add("response.output_text.delta",
        fmt::format(R"({},"content_index":0,"delta":{},"logprobs":[])", where,
                    json_of_text(item.text.substr(at, kPieceBytes))));
  }
  add("response.output_text.done", fmt::format(R"({},"content_index":0,"text":{},"logprobs":[])",
                                               where, json_of_text(item.text)));
  add("response.content_part.done",
      fmt::format(R"({},"content_index":0,"part":{})", where, part_json(item.text)));
}

void Events::reasoning(const Item& item, const std::string& where) {
  add("response.reasoning_summary_part.added",
      fmt::format(R"({},"summary_index":0,"part":{})", where, summary_json("")));
  add("response.reasoning_summary_text.delta",
      fmt::format(R"({},"summary_index":0,"delta":{})", where, json_of_text(item.text)));
  add("response.reasoning_summary_text.done",
      fmt::format(R"({},"summary_index":0,"text":{})", where, json_of_text(item.text)));
  add("response.reasoning_summary_part.done",
      fmt::format(R"({},"summary_index":0,"part":{})", where, summary_json(item.text)));
}

void Events::call(const Item& item, const std::string& where) {
  add("response.function_call_arguments.delta",
      fmt::format(R"({},"delta":{})", where, json_of_text(item.text.substr(0, 4))));
  add("response.function_call_arguments.delta",
      fmt::format(R"({},"delta":{})", where, json_of_text(item.text.substr(4))));
  add("response.function_call_arguments.done",
      fmt::format(R"({},"arguments":{})", where, json_of_text(item.text)));
}

}  // namespace

std::expected<ResponsesRequest, std::string> read_responses(std::string_view body,
                                                            const IsKept& is_kept,
                                                            Behaviour& behaviour) {
  static thread_local simdjson::dom::parser parser;
  element root;
  if (parser.parse(body.data(), body.size()).get(root) != simdjson::SUCCESS || !root.is_object()) {
    return no("We could not parse the JSON body of your request.");
  }
  ResponsesRequest request;
  if (const Done done = Reader(request, is_kept).read(root, behaviour); !done) {
    return no(done.error());
  }
  return request;
}

std::int64_t prompt_tokens_of(const ResponsesRequest& request) {
  return (request.text_bytes + kBytesPerToken - 1) / kBytesPerToken +
         kTokensPerItem * request.items;
}

std::string response_id(RequestNumber number) {
  return fmt::format("resp_fake{}", number);
}

std::string response_body(const Behaviour& behaviour, const ResponsesRequest& request,
                          RequestNumber number, const Tokens& tokens) {
  if (request.is_in_background) {
    return response_json(request, number, "queued", "",
                         R"("error":null,"incomplete_details":null,"usage":null)");
  }
  return whole_response(behaviour, request, number, tokens);
}

std::vector<std::string> response_events(const Behaviour& behaviour,
                                         const ResponsesRequest& request, RequestNumber number,
                                         const Tokens& tokens) {
  Events events;
  for (const std::string_view type : {"response.created", "response.in_progress"}) {
    events.add(type, R"("response":)" +
                         response_json(request, number, "in_progress", "",
                                       R"("error":null,"incomplete_details":null,"usage":null)"));
  }
  std::size_t index = 0;
  for (const Item& item : items_of(behaviour, request, number, tokens)) {
    events.add_item(request, item, index++);
  }
  const std::string whole = whole_response(behaviour, request, number, tokens);
  const bool is_cut = whole.find(R"("status":"incomplete")") != std::string::npos;
  events.add(is_cut ? "response.incomplete" : "response.completed", R"("response":)" + whole);
  return events.all;
}

std::string response_failed_event(const Behaviour& behaviour, const ResponsesRequest& request,
                                  RequestNumber number) {
  const std::string_view code =
      behaviour.error_code.empty() ? std::string_view("server_error") : behaviour.error_code;
  const std::string_view words = behaviour.error_message.empty()
                                     ? std::string_view("The fake provider was told to fail.")
                                     : behaviour.error_message;
  return fmt::format(
      "event: response.failed\ndata: {{\"type\":\"response.failed\",\"response\":{}}}\n\n",
      response_json(request, number, "failed", "",
                    fmt::format(R"("error":{{"code":{},"message":{}}},"incomplete_details":null,)"
                                R"("usage":null)",
                                json_of_text(code), json_of_text(words))));
}

}  // namespace claviger::fakes

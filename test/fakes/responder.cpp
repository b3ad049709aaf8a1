#include "responder.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "chat_request.h"
#include "json_text.h"
#include "messages.h"
#include "net/http/write.h"
#include "responses.h"

namespace claviger::fakes {
namespace {

using net::http::RequestHead;

constexpr std::string_view kControlPrefix = "/_fake/";
constexpr std::string_view kJson = "application/json";
constexpr std::string_view kModels[] = {"gpt-4o-mini", "gpt-4o", "text-embedding-3-small"};
constexpr Tokens kFastTokens{.prompt_tokens = 20, .cached_tokens = 0, .completion_tokens = 32};
/// So many ids of answers are remembered; then all are forgotten.
constexpr std::size_t kKeptResponsesMax = 100'000;
/// How much of a request is kept for GET /_fake/last.
constexpr std::size_t kRememberedBodyBytesMax = 256 * 1024;

std::string length_line(std::size_t bytes) {
  return fmt::format("content-length: {}\r\n", bytes);
}
constexpr std::string_view kChunkedLine = "transfer-encoding: chunked\r\n";

/// Whether `"name"` is followed by `true`: good enough for benchmarks, whose bodies we know.
bool says_true(std::string_view body, std::string_view quoted_name) {
  const std::size_t at = body.find(quoted_name);
  if (at == std::string_view::npos) return false;
  body.remove_prefix(at + quoted_name.size());
  body.remove_prefix(std::min(body.find_first_not_of(" :"), body.size()));
  return body.starts_with("true");
}

std::string models_body() {
  std::string body = R"({"object":"list","data":[)";
  for (const std::string_view model : kModels) {
    fmt::format_to(std::back_inserter(body),
                   R"({}{{"id":"{}","object":"model","created":1767225600,"owned_by":"fake"}})",
                   body.back() == '[' ? "" : ",", model);
  }
  return body += "]}";
}

}  // namespace

Responder::Responder(ResponderOptions options)
    : options_(std::move(options)), bill_(options_.prices), random_(options_.seed) {
  render_fast_answers();
}

std::variant<const ReadyAnswer*, Planned> Responder::respond(const RequestHead& head,
                                                             std::string_view body) {
  const std::string_view path = head.target.substr(0, head.target.find('?'));
  if (options_.fast && behaviours_.empty() && path.ends_with("/chat/completions")) {
    bill_.add_fixed(kFastTokens, fast_cost_);
    if (!says_true(body, "\"stream\"")) return &fast_chat_;
    return says_true(body, "\"include_usage\"") ? &fast_stream_with_usage_ : &fast_stream_;
  }
  if (path.starts_with(kControlPrefix)) {
    return control(head, path.substr(kControlPrefix.size()), body);
  }
  return plan(head, path, body);
}

Planned Responder::control(const RequestHead& head, std::string_view path, std::string_view body) {
  auto [status, text] = control_answer(head, path, body);
  Behaviour behaviour;
  behaviour.status = status;
  std::string answer_bytes = answer_head(behaviour, 0, kJson, length_line(text.size()));
  Planned planned;
  planned.answer = std::make_unique<Answer>(behaviour, std::move(answer_bytes), std::move(text));
  return planned;
}

Responder::ControlAnswer Responder::control_answer(const RequestHead& head, std::string_view path,
                                                   std::string_view body) {
  if (head.method == "GET") {
    constexpr std::string_view kAfter = "bill/after/";
    constexpr std::string_view kOne = "bill/";
    if (path == "bill") return {200, bill_.totals_json()};
    if (path == "bill/each") return {200, bill_.each_json()};
    if (path.starts_with(kAfter)) {
      RequestNumber number = 0;
      const std::string_view digits = path.substr(kAfter.size());
      const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), number);
      if (read.ec == std::errc() && read.ptr == digits.data() + digits.size()) {
        return {200, bill_.after_json(number)};
      }
    }
    if (path == "last") return {200, last_request_json_};
    if (path.starts_with(kOne)) {
      auto one = bill_.request_json(path.substr(kOne.size()));
      if (one) return {200, std::move(*one)};
    }
  }
  if (head.method == "POST" && path == "reset") {
    bill_.reset();
    behaviours_.clear();
    kept_responses_.clear();
    random_.seed(options_.seed);
    return {200, "{}"};
  }
  if (head.method == "POST" && path == "behave") {
    auto behaviours = read_behaviours(body.empty() ? "{}" : body);
    if (!behaviours) return {400, error_body(400, "bad_directive", behaviours.error())};
    behaviours_.assign(std::make_move_iterator(behaviours->begin()),
                       std::make_move_iterator(behaviours->end()));
    // No directives: plainly, so that the fast way is open again.
    if (body.find(':') == std::string_view::npos) behaviours_.clear();
    return {200, "{}"};
  }
  return {404,
          error_body(
              404, "unknown_control",
              "There are GET /_fake/bill, bill/each, bill/after/NUMBER, bill/ID and last, and POST "
              "/_fake/behave and reset.")};
}

Behaviour Responder::take_behaviour() {
  if (behaviours_.empty()) return {};
  Behaviour& first = behaviours_.front();
  if (first.times == kUnset) return first;
  Behaviour taken = first;
  if (--first.times <= 0) behaviours_.pop_front();
  return taken;
}

void Responder::remember(const RequestHead& head, std::string_view body) {
  std::string& out = last_request_json_;
  out = R"({"method":)";
  append_json_string(head.method, out);
  out.append(R"(,"target":)");
  append_json_string(head.target, out);
  out.append(R"(,"headers":{)");
  for (const net::http::Header header : head.headers()) {
    if (out.back() != '{') out.push_back(',');
    std::string name(header.name);
    std::ranges::transform(name, name.begin(), [](char byte) {
      return byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte + 32) : byte;
    });
    append_json_string(name, out);
    out.push_back(':');
    append_json_string(header.value, out);
  }
  out.append(R"(},"body":)");
  append_json_string(body.substr(0, kRememberedBodyBytesMax), out);
  out.push_back('}');
}

Planned Responder::plan(const RequestHead& head, std::string_view path, std::string_view body) {
  remember(head, body);
  client_id_ = head.value_of("x-client-request-id");
  if (!options_.required_key.empty() &&
      head.value_of("authorization") != "Bearer " + options_.required_key) {
    return refuse(401, "invalid_api_key", "Incorrect API key provided.");
  }
  Behaviour behaviour = take_behaviour();
  if (const auto directives = head.find("x-fake")) {
    if (const auto applied = apply_json(directives->value, behaviour); !applied) {
      return refuse(400, "bad_directive", applied.error());
    }
  }
  if (head.method == "POST" && path.ends_with("/chat/completions")) {
    return plan_chat(std::move(behaviour), body);
  }
  if (head.method == "POST" && path.ends_with("/responses")) {
    return plan_response(std::move(behaviour), body);
  }
  if (head.method == "POST" && path.ends_with("/messages")) {
    return plan_messages(std::move(behaviour), head, body);
  }
  if (head.method == "POST" && path.ends_with("/messages/count_tokens")) {
    return plan_token_count(std::move(behaviour), head, body);
  }
  if (head.method == "POST" && path.ends_with("/embeddings")) {
    return plan_embedding(std::move(behaviour), body);
  }
  if (head.method == "GET" && path.ends_with("/models")) {
    if (fails(behaviour)) return fail(behaviour, {});
    return plain(behaviour, bill_.open({}, client_id_), models_body());
  }
  if (const std::size_t at = path.find("/models/"); head.method == "GET" && at != path.npos) {
    const std::string_view model = path.substr(at + 8);
    if (fails(behaviour)) return fail(behaviour, model);
    if (std::ranges::find(kModels, model) == std::end(kModels)) {
      return refuse(404, "model_not_found", "The model does not exist.", model);
    }
    return plain(
        behaviour, bill_.open({}, client_id_),
        fmt::format(R"({{"id":"{}","object":"model","created":1767225600,"owned_by":"fake"}})",
                    model));
  }
  return refuse(404, "unknown_url", "The fake provider knows no such path.");
}

bool Responder::fails(const Behaviour& behaviour) const {
  return behaviour.status >= 300 || !behaviour.body.empty();
}

Planned Responder::fail(const Behaviour& behaviour, std::string_view model) {
  std::string body = behaviour.body.empty() ? error_body(behaviour.status, behaviour.error_code,
                                                         behaviour.error_message)
                                            : behaviour.body;
  return plain(behaviour, bill_.open(model, client_id_), std::move(body));
}

Planned Responder::refuse(std::int64_t status, std::string_view code, std::string_view message,
                          std::string_view model) {
  Behaviour behaviour;
  behaviour.status = status;
  return plain(behaviour, bill_.open(model, client_id_), error_body(status, code, message));
}

Planned Responder::plain(const Behaviour& behaviour, RequestNumber number, std::string body) {
  bill_.set_status(number, static_cast<int>(behaviour.status));
  std::string head = answer_head(behaviour, number, kJson, length_line(body.size()));
  Planned planned;
  planned.answer = std::make_unique<Answer>(behaviour, std::move(head), std::move(body));
  planned.number = number;
  return planned;
}

Planned Responder::plan_chat(Behaviour behaviour, std::string_view body) {
  const auto request = read_chat(body, behaviour);
  if (fails(behaviour)) return fail(behaviour, request ? request->model : std::string());
  if (!request) return refuse(400, "", request.error());

  Tokens tokens;
  tokens.prompt_tokens =
      behaviour.prompt_tokens == kUnset ? prompt_tokens_of(*request) : behaviour.prompt_tokens;
  tokens.cached_tokens = std::min(behaviour.cached_tokens, tokens.prompt_tokens);
  std::int64_t completion = behaviour.completion_tokens == kUnset ? options_.completion_tokens
                                                                  : behaviour.completion_tokens;
  if (behaviour.completion_tokens == kUnset && behaviour.chunks != kUnset) {
    completion = behaviour.chunks;
  }
  if (behaviour.completion_tokens_spread > 0) {
    const auto spread = static_cast<std::uint64_t>(behaviour.completion_tokens_spread);
    completion += static_cast<std::int64_t>(random_() % (spread + 1));
  }
  completion = std::min(completion, request->completion_tokens_max.value_or(INT64_MAX));
  tokens.completion_tokens = completion * request->choices;

  const RequestNumber number = bill_.open(request->model, client_id_);
  if (!request->streams) {
    if (!behaviour.free) bill_.charge(number, tokens);
    return plain(behaviour, number, chat_body(behaviour, *request, number, tokens));
  }
  bill_.set_status(number, static_cast<int>(behaviour.status));
  if (!behaviour.free) {
    bill_.charge(number, {tokens.prompt_tokens, tokens.cached_tokens, 0});
  }
  std::string head = answer_head(behaviour, number, "text/event-stream", kChunkedLine);
  Planned planned;
  planned.answer =
      std::make_unique<Answer>(behaviour, std::move(head), *request, number, tokens, bill_);
  planned.number = number;
  return planned;
}

Planned Responder::plan_messages(Behaviour behaviour, const RequestHead& head,
                                 std::string_view body) {
  const auto request =
      read_messages(body, head.value_of("anthropic-version"), Purpose::answer, behaviour);
  const std::string model = request ? request->model : std::string();
  if (!request) behaviour.status = std::max<std::int64_t>(behaviour.status, 400);
  if (fails(behaviour)) {
    if (behaviour.body.empty()) {
      behaviour.body = messages_error_body(behaviour.status, behaviour.error_code,
                                           request ? behaviour.error_message : request.error());
    }
    return fail(behaviour, model);
  }
  Tokens tokens;
  tokens.prompt_tokens =
      behaviour.prompt_tokens == kUnset ? prompt_tokens_of(*request) : behaviour.prompt_tokens;
  tokens.cached_tokens = std::min(behaviour.cached_tokens, tokens.prompt_tokens);
  tokens.completion_tokens =
      std::min(behaviour.completion_tokens == kUnset ? options_.completion_tokens
                                                     : behaviour.completion_tokens,
               request->max_tokens);
  const RequestNumber number = bill_.open(model);
  if (!request->streams) {
    if (!behaviour.free) bill_.charge(number, tokens);
    return plain(behaviour, number, message_body(behaviour, *request, number, tokens));
  }
  bill_.set_status(number, static_cast<int>(behaviour.status));
  if (!behaviour.free) bill_.charge(number, {tokens.prompt_tokens, tokens.cached_tokens, 0});
  Planned planned;
  planned.answer = std::make_unique<Answer>(
      behaviour, answer_head(behaviour, number, "text/event-stream", kChunkedLine),
      message_events(behaviour, *request, number, tokens),
      "event: error\ndata: " +
          messages_error_body(529, behaviour.error_code, behaviour.error_message) + "\n\n",
      number, tokens, bill_);
  planned.number = number;
  return planned;
}

Planned Responder::plan_response(Behaviour behaviour, std::string_view body) {
  const auto is_kept = [this](std::string_view id) { return kept_responses_.contains(id); };
  const auto request = read_responses(body, is_kept, behaviour);
  if (fails(behaviour)) return fail(behaviour, request ? request->model : std::string());
  if (!request) return refuse(400, "", request.error());

  Tokens tokens;
  tokens.prompt_tokens =
      behaviour.prompt_tokens == kUnset ? prompt_tokens_of(*request) : behaviour.prompt_tokens;
  tokens.cached_tokens = std::min(behaviour.cached_tokens, tokens.prompt_tokens);
  tokens.completion_tokens =
      std::min(behaviour.completion_tokens == kUnset ? options_.completion_tokens
                                                     : behaviour.completion_tokens,
               request->output_tokens_max);
  const RequestNumber number = bill_.open(request->model, client_id_);
  if (kept_responses_.size() >= kKeptResponsesMax) kept_responses_.clear();
  if (request->is_stored) kept_responses_.insert(response_id(number));
  if (!request->streams) {
    if (!behaviour.free) bill_.charge(number, tokens);
    return plain(behaviour, number, response_body(behaviour, *request, number, tokens));
  }
  bill_.set_status(number, static_cast<int>(behaviour.status));
  if (!behaviour.free) bill_.charge(number, {tokens.prompt_tokens, tokens.cached_tokens, 0});
  Planned planned;
  planned.answer = std::make_unique<Answer>(
      behaviour, answer_head(behaviour, number, "text/event-stream", kChunkedLine),
      response_events(behaviour, *request, number, tokens),
      response_failed_event(behaviour, *request, number), number, tokens, bill_);
  planned.number = number;
  return planned;
}

Planned Responder::plan_token_count(Behaviour behaviour, const RequestHead& head,
                                    std::string_view body) {
  const auto request =
      read_messages(body, head.value_of("anthropic-version"), Purpose::count, behaviour);
  if (!request || fails(behaviour)) {
    behaviour.status = std::max<std::int64_t>(behaviour.status, 400);
    behaviour.body = messages_error_body(behaviour.status, behaviour.error_code,
                                         request ? behaviour.error_message : request.error());
    return fail(behaviour, {});
  }
  return plain(behaviour, bill_.open(request->model),
               fmt::format(R"({{"input_tokens":{}}})", prompt_tokens_of(*request)));
}

Planned Responder::plan_embedding(Behaviour behaviour, std::string_view body) {
  const auto request = read_embedding(body, behaviour);
  if (fails(behaviour)) return fail(behaviour, request ? request->model : std::string());
  if (!request) return refuse(400, "", request.error());

  Tokens tokens;
  for (const std::string& input : request->inputs) {
    tokens.prompt_tokens += static_cast<std::int64_t>(input.size() / 4 + 1);
  }
  if (behaviour.prompt_tokens != kUnset) tokens.prompt_tokens = behaviour.prompt_tokens;
  const RequestNumber number = bill_.open(request->model, client_id_);
  if (!behaviour.free) bill_.charge(number, tokens);
  return plain(behaviour, number, embedding_body(behaviour, *request, tokens));
}

void Responder::render_fast_answers() {
  Behaviour behaviour;
  ChatRequest request;
  request.model = "gpt-4o-mini";
  request.completion_tokens_max = kFastTokens.completion_tokens;
  fast_cost_ = cost_of(kFastTokens, options_.prices);

  behaviour.answer_bytes = 0;
  const std::size_t frame = chat_body(behaviour, request, 0, kFastTokens).size();
  behaviour.answer_bytes = static_cast<std::int64_t>(kFastBodyBytes - frame);
  const std::string body = chat_body(behaviour, request, 0, kFastTokens);
  fast_chat_.bytes = answer_head(behaviour, 0, kJson, length_line(body.size())) + body;

  behaviour.chunks = options_.fast_events;
  for (ReadyAnswer* stream : {&fast_stream_, &fast_stream_with_usage_}) {
    request.wants_usage = stream == &fast_stream_with_usage_;
    Bill unused(options_.prices);
    Answer answer(behaviour, answer_head(behaviour, 0, "text/event-stream", kChunkedLine), request,
                  0, kFastTokens, unused);
    while (answer.next(stream->bytes) != Answer::Step::done) {
      if (options_.fast_interval_us > 0) stream->piece_ends.push_back(stream->bytes.size());
    }
    stream->pause = std::chrono::microseconds(options_.fast_interval_us);
  }
}

}  // namespace claviger::fakes

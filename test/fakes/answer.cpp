#include "answer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "json_text.h"
#include "net/http/chunked.h"
#include "net/http/write.h"

namespace claviger::fakes {
namespace {

using net::http::ChunkHead;
using net::http::kChunkEnd;
using net::http::kLastChunk;

constexpr std::string_view kDone = "data: [DONE]\n\n";
/// 2026-01-01: answers are the same on every run.
constexpr std::int64_t kCreated = 1'767'225'600;
constexpr std::int64_t kBytesPerToken = 4;
/// A count that no JavaScript number holds exactly, and that nobody could have generated.
constexpr std::int64_t kAbsurdTokens = 9'007'199'254'740'993;

std::uint64_t mix(std::uint64_t value) {
  value += 0x9E3779B97F4A7C15ull;
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9ull;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EBull;
  return value ^ (value >> 31);
}

std::string usage_json(const Behaviour& behaviour, Tokens tokens) {
  if (behaviour.usage == "malformed") {
    return R"({"prompt_tokens":"many","completion_tokens":null,"total_tokens":[]})";
  }
  if (behaviour.usage == "negative") {
    tokens = {.prompt_tokens = -5, .cached_tokens = 0, .completion_tokens = -7};
  } else if (behaviour.usage == "absurd") {
    tokens.prompt_tokens = tokens.completion_tokens = kAbsurdTokens;
  }
  return fmt::format(R"({{"prompt_tokens":{},"completion_tokens":{},"total_tokens":{},)"
                     R"("prompt_tokens_details":{{"cached_tokens":{}}},)"
                     R"("completion_tokens_details":{{"reasoning_tokens":{}}}}})",
                     tokens.prompt_tokens, tokens.completion_tokens,
                     tokens.prompt_tokens + tokens.completion_tokens, tokens.cached_tokens,
                     behaviour.reasoning_tokens);
}

std::string_view finish_reason(const Behaviour& behaviour, const ChatRequest& request,
                               std::int64_t completion_tokens) {
  if (!behaviour.finish_reason.empty()) return behaviour.finish_reason;
  return completion_tokens >= request.completion_tokens_max.value_or(INT64_MAX) * request.choices
             ? "length"
             : "stop";
}

/// `data: {…}` around choices and, where one is due, usage.
std::string chunk_event(const ChatRequest& request, RequestNumber number, std::string_view choices,
                        std::string_view usage) {
  std::string event = fmt::format(
      R"(data: {{"id":"chatcmpl-{}","object":"chat.completion.chunk","created":{},"model":)",
      number, kCreated);
  append_json_string(request.model, event);
  event.append(R"(,"choices":[)").append(choices).append("]");
  if (!usage.empty()) event.append(R"(,"usage":)").append(usage);
  return event += "}\n\n";
}

std::string_view error_type(std::int64_t status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 429:
      return "rate_limit_error";
    default:
      return status >= 500 ? "server_error" : "invalid_request_error";
  }
}

/// IEEE 754 single precision, little-endian, as OpenAI's SDKs expect it.
std::string base64_of_floats(const std::vector<float>& floats) {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::vector<unsigned> bytes;
  for (const float value : floats) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    for (unsigned shift = 0; shift < 32; shift += 8) bytes.push_back(bits >> shift & 0xff);
  }
  std::string out;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::size_t left = bytes.size() - at;
    const unsigned group =
        bytes[at] << 16 | (left > 1 ? bytes[at + 1] << 8 : 0) | (left > 2 ? bytes[at + 2] : 0);
    out.push_back(kAlphabet[group >> 18]);
    out.push_back(kAlphabet[group >> 12 & 63]);
    out.push_back(left > 1 ? kAlphabet[group >> 6 & 63] : '=');
    out.push_back(left > 2 ? kAlphabet[group & 63] : '=');
  }
  return out;
}

/// A direction of length 1 that depends on the text only.
std::vector<float> embed(std::string_view text, std::int64_t dimensions) {
  std::uint64_t seed = text.size();
  for (const char byte : text) seed = mix(seed ^ static_cast<unsigned char>(byte));
  std::vector<float> floats;
  float squares = 0;
  for (std::int64_t i = 0; i < dimensions; ++i) {
    seed = mix(seed);
    floats.push_back(static_cast<float>(static_cast<std::int32_t>(seed >> 32)) / 2147483648.0f);
    squares += floats.back() * floats.back();
  }
  for (float& value : floats) value /= std::sqrt(std::max(squares, 1e-9f));
  return floats;
}

}  // namespace

std::string filler(std::uint64_t place, std::int64_t bytes) {
  constexpr std::array<std::string_view, 16> kWords = {
      "key ",   "lamp ",  "stone ", "river ", "quiet ", "north ", "paper ", "seven ",
      "glass ", "amber ", "field ", "echo ",  "cloud ", "iron ",  "maple ", "tide "};
  std::string text;
  for (std::uint64_t word = 0; static_cast<std::int64_t>(text.size()) < bytes; ++word) {
    text.append(kWords[mix(place * 1'000'003 + word) % kWords.size()]);
  }
  text.resize(static_cast<std::size_t>(bytes));
  return text;
}

std::string answer_head(const Behaviour& behaviour, RequestNumber number,
                        std::string_view content_type, std::string_view framing) {
  std::string out;
  net::http::HeadWriter head(out);
  head.response(static_cast<int>(behaviour.status));
  head.header("content-type",
              behaviour.content_type.empty() ? content_type : behaviour.content_type);
  head.header("x-request-id", request_name(number));
  for (const auto& [name, value] : behaviour.headers) head.outside_header(name, value);
  head.ready_lines(framing);
  if (!head.finish()) {
    // A directive asked for a header that cannot be written.
    return "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n";
  }
  return out;
}

std::string chat_body(const Behaviour& behaviour, const ChatRequest& request, RequestNumber number,
                      const Tokens& tokens) {
  std::string body = fmt::format(
      R"({{"id":"chatcmpl-{}","object":"chat.completion","created":{},"model":)", number, kCreated);
  append_json_string(request.model, body);
  body.append(R"(,"choices":[)");
  const std::int64_t text_bytes = behaviour.answer_bytes == kUnset
                                      ? tokens.completion_tokens * kBytesPerToken / request.choices
                                      : behaviour.answer_bytes;
  for (std::int64_t choice = 0; choice < request.choices; ++choice) {
    if (choice > 0) body.push_back(',');
    fmt::format_to(std::back_inserter(body),
                   R"({{"index":{},"message":{{"role":"assistant","content":)", choice);
    append_json_string(filler(number + static_cast<std::uint64_t>(choice), text_bytes), body);
    body.append(R"(,"refusal":null},"logprobs":null,"finish_reason":)");
    append_json_string(finish_reason(behaviour, request, tokens.completion_tokens), body);
    body.push_back('}');
  }
  body.push_back(']');
  if (behaviour.usage != "absent")
    body.append(R"(,"usage":)").append(usage_json(behaviour, tokens));
  return body += "}";
}

std::string embedding_body(const Behaviour& behaviour, const EmbeddingRequest& request,
                           const Tokens& tokens) {
  std::string body = R"({"object":"list","data":[)";
  for (std::size_t i = 0; i < request.inputs.size(); ++i) {
    const std::vector<float> floats = embed(request.inputs[i], request.dimensions);
    fmt::format_to(std::back_inserter(body), R"({}{{"object":"embedding","index":{},"embedding":)",
                   i == 0 ? "" : ",", i);
    if (request.as_base64) {
      append_json_string(base64_of_floats(floats), body);
    } else {
      body.push_back('[');
      for (const float value : floats) {
        fmt::format_to(std::back_inserter(body), "{}{:.6f}", body.back() == '[' ? "" : ",", value);
      }
      body.push_back(']');
    }
    body.push_back('}');
  }
  body.append(R"(],"model":)");
  append_json_string(request.model, body);
  if (behaviour.usage != "absent") {
    const std::int64_t said = behaviour.usage == "negative" ? -5
                              : behaviour.usage == "absurd" ? kAbsurdTokens
                                                            : tokens.prompt_tokens;
    fmt::format_to(std::back_inserter(body), R"(,"usage":{{"prompt_tokens":{},"total_tokens":{}}})",
                   said, said);
  }
  return body += "}";
}

std::string error_body(std::int64_t status, std::string_view code, std::string_view message) {
  std::string body = R"({"error":{"message":)";
  append_json_string(message.empty() ? "The fake provider was told to fail." : message, body);
  body.append(R"(,"type":)");
  append_json_string(error_type(status), body);
  body.append(R"(,"param":null,"code":)");
  if (code.empty()) {
    body.append("null");
  } else {
    append_json_string(code, body);
  }
  return body += "}}";
}

Answer::Answer(const Behaviour& behaviour, std::string head, std::string body)
    : behaviour_(behaviour),
      head_(std::move(head)),
      body_(std::move(body)),
      body_bytes_left_(behaviour.truncate_bytes == kUnset ? INT64_MAX : behaviour.truncate_bytes) {}

Answer::Answer(const Behaviour& behaviour, std::string head, const ChatRequest& request,
               RequestNumber number, const Tokens& tokens, Bill& bill)
    : behaviour_(behaviour),
      head_(std::move(head)),
      request_(request),
      number_(number),
      tokens_(tokens),
      bill_(&bill),
      events_(behaviour.never_ends         ? INT64_MAX
              : behaviour.chunks == kUnset ? tokens.completion_tokens
                                           : behaviour.chunks),
      body_bytes_left_(behaviour.truncate_bytes == kUnset ? INT64_MAX : behaviour.truncate_bytes) {}

Answer::Answer(const Behaviour& behaviour, std::string head, std::vector<std::string> events,
               std::string error_event, RequestNumber number, const Tokens& tokens, Bill& bill)
    : behaviour_(behaviour),
      head_(std::move(head)),
      ready_events_(std::move(events)),
      error_event_(std::move(error_event)),
      number_(number),
      tokens_(tokens),
      bill_(&bill),
      events_(static_cast<std::int64_t>(ready_events_.size())),
      body_bytes_left_(behaviour.truncate_bytes == kUnset ? INT64_MAX : behaviour.truncate_bytes) {}

Answer::Step Answer::end(bool whole, After after) {
  stage_ = Stage::done;
  is_whole_ = whole;
  after_ = after;
  return Step::done;
}

void Answer::send_body(std::string_view bytes, std::string& out) {
  const auto fits = static_cast<std::size_t>(
      std::min<std::int64_t>(body_bytes_left_, static_cast<std::int64_t>(bytes.size())));
  out.append(bytes.substr(0, fits));
  body_bytes_left_ -= static_cast<std::int64_t>(fits);
}

void Answer::send_chunk(std::string_view event, std::string& out) {
  send_body(ChunkHead(event.size()).text(), out);
  send_body(event, out);
  send_body(kChunkEnd, out);
}

Answer::Step Answer::next(std::string& out) {
  switch (stage_) {
    case Stage::delay:
      stage_ = Stage::head;
      if (behaviour_.delay_ms_before_head > 0) {
        pause_ = std::chrono::milliseconds(behaviour_.delay_ms_before_head);
        return Step::wait;
      }
      [[fallthrough]];
    case Stage::head:
      if (behaviour_.reset && behaviour_.truncate_bytes == kUnset) return end(false, After::reset);
      out.append(head_);
      stage_ = bill_ == nullptr ? Stage::body : Stage::event;
      if (bill_ != nullptr) return Step::send;
      [[fallthrough]];
    case Stage::body:
      send_body(body_, out);
      stage_ = Stage::tail;
      return Step::send;
    case Stage::pause:
      stage_ = Stage::event;
      pause_ = pause_between_events();
      if (pause_ > Duration::zero()) return Step::wait;
      [[fallthrough]];
    case Stage::event:
      return next_event(out);
    case Stage::tail:
      if (body_bytes_left_ == 0) return end(false, behaviour_.reset ? After::reset : After::close);
      return end(true, After::keep_alive);
    case Stage::done:
      break;
  }
  return Step::done;
}

Duration Answer::pause_between_events() const {
  return std::chrono::milliseconds(behaviour_.delay_ms_between_events) +
         std::chrono::microseconds(behaviour_.delay_us_between_events);
}

/// How much of the completion has been generated once `event` events are out.
std::int64_t Answer::tokens_until(std::int64_t event) const {
  if (behaviour_.never_ends) return event;
  if (event >= events_) return tokens_.completion_tokens;
  return static_cast<std::int64_t>(static_cast<__int128>(tokens_.completion_tokens) * event /
                                   events_);
}

void Answer::caller_left() {
  if (bill_ == nullptr || behaviour_.free || behaviour_.unseen_tokens == 0) return;
  if (stage_ == Stage::tail || stage_ == Stage::done) return;
  const std::int64_t generated =
      std::min(tokens_until(event_) + behaviour_.unseen_tokens, tokens_.completion_tokens);
  bill_->charge(number_, {tokens_.prompt_tokens, tokens_.cached_tokens, generated});
}

Answer::Step Answer::next_event(std::string& out) {
  if (body_bytes_left_ == 0) {
    return end(false, behaviour_.reset ? After::reset : After::close);
  }
  if (event_ == behaviour_.stall_after_events) return Step::stall;
  if (!ready_events_.empty()) return next_ready_event(out);
  if (event_ == behaviour_.error_after_events) {
    send_chunk("data: " + error_body(500, behaviour_.error_code, behaviour_.error_message) + "\n\n",
               out);
    send_body(kLastChunk, out);
    stage_ = Stage::tail;
    return Step::send;
  }
  if (event_ >= events_) return tail(out);

  const std::int64_t before = tokens_until(event_);
  const std::int64_t after = tokens_until(++event_);
  std::int64_t text_bytes = behaviour_.bytes_per_chunk == kUnset
                                ? std::max<std::int64_t>(after - before, 1) * kBytesPerToken
                                : behaviour_.bytes_per_chunk;
  if (event_ == 1 && behaviour_.huge_event_bytes != kUnset) {
    text_bytes = behaviour_.huge_event_bytes;
  }
  std::string choice =
      fmt::format(R"({{"index":{},"delta":{{{}"content":)", (event_ - 1) % request_.choices,
                  event_ <= request_.choices ? R"("role":"assistant",)" : "");
  append_json_string(filler(number_ * 4096 + static_cast<std::uint64_t>(event_), text_bytes),
                     choice);
  choice.append(R"(},"logprobs":null,"finish_reason":null})");

  const Tokens so_far{tokens_.prompt_tokens, tokens_.cached_tokens, after};
  std::string usage;
  if (behaviour_.usage == "every_chunk") {
    usage = usage_json(behaviour_, so_far);
  } else if (request_.wants_usage && behaviour_.usage != "absent") {
    usage = "null";
  }
  send_chunk(chunk_event(request_, number_, choice, usage), out);
  if (!behaviour_.free) bill_->charge(number_, so_far);
  stage_ = Stage::pause;
  return Step::send;
}

Answer::Step Answer::next_ready_event(std::string& out) {
  const bool breaks = event_ == behaviour_.error_after_events;
  if (breaks || event_ >= events_) {
    if (breaks) send_chunk(error_event_, out);
    if (!breaks && !behaviour_.free) bill_->charge(number_, tokens_);
    send_body(kLastChunk, out);
    stage_ = Stage::tail;
    return Step::send;
  }
  send_chunk(ready_events_[static_cast<std::size_t>(event_++)], out);
  if (!behaviour_.free) {
    bill_->charge(number_, {tokens_.prompt_tokens, tokens_.cached_tokens, tokens_until(event_)});
  }
  stage_ = Stage::pause;
  return Step::send;
}

/// The finish reason of every choice, usage as it is told, and the end.
Answer::Step Answer::tail(std::string& out) {
  for (std::int64_t choice = 0; choice < request_.choices; ++choice) {
    std::string text =
        fmt::format(R"({{"index":{},"delta":{{}},"logprobs":null,"finish_reason":)", choice);
    append_json_string(finish_reason(behaviour_, request_, tokens_.completion_tokens), text);
    text.push_back('}');
    const bool has_null = request_.wants_usage && behaviour_.usage != "absent";
    send_chunk(chunk_event(request_, number_, text, has_null ? "null" : ""), out);
  }
  const bool unasked = behaviour_.usage != "honest";
  if (behaviour_.usage != "absent" && (request_.wants_usage || unasked)) {
    const std::string usage = usage_json(behaviour_, tokens_);
    const int times = behaviour_.usage == "twice" ? 2 : 1;
    for (int i = 0; i < times; ++i) send_chunk(chunk_event(request_, number_, "", usage), out);
  }
  if (!behaviour_.free) bill_->charge(number_, tokens_);
  send_chunk(kDone, out);
  send_body(kLastChunk, out);
  stage_ = Stage::tail;
  return Step::send;
}

}  // namespace claviger::fakes

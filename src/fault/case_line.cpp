#include "fault/case_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <optional>

#include "exchange/json_writer.h"
#include "fault/json_glance.h"

namespace claviger::fault {
namespace {

namespace json = boost::json;
using exchange::json_string;

/// A member that may be absent or null, but not of another kind.
class Fields {
 public:
  explicit Fields(const json::object& object) : object_(object) {}

  std::string text(std::string_view key) {
    const json::value* const value = find(key);
    if (value == nullptr) return {};
    if (value->is_string()) return std::string(value->as_string());
    wrong(key, "a string");
    return {};
  }
  /// Codes are written as text and as numbers.
  std::string text_or_number(std::string_view key) {
    const json::value* const value = find(key);
    if (value == nullptr) return {};
    if (value->is_int64()) return std::to_string(value->as_int64());
    return text(key);
  }
  std::int64_t integer(std::string_view key, std::int64_t otherwise = 0) {
    const json::value* const value = find(key);
    if (value == nullptr) return otherwise;
    if (value->is_int64()) return value->as_int64();
    if (value->is_double())
      return static_cast<std::int64_t>(std::clamp(value->as_double(), -1e15, 1e15));
    wrong(key, "a number");
    return otherwise;
  }
  /// Facts about a request are hints: one of a kind that we do not expect is none.
  std::int64_t hint(std::string_view key) {
    const json::value* const value = find(key);
    return value != nullptr && value->is_int64()
               ? std::clamp<std::int64_t>(value->as_int64(), 0, 1'000'000'000)
               : 0;
  }
  std::optional<bool> truth(std::string_view key) {
    const json::value* const value = find(key);
    return value != nullptr && value->is_bool() ? std::optional(value->as_bool()) : std::nullopt;
  }
  const json::object* object(std::string_view key) {
    const json::value* const value = find(key);
    if (value == nullptr) return nullptr;
    if (value->is_object()) return &value->as_object();
    wrong(key, "an object");
    return nullptr;
  }
  const json::value* find(std::string_view key) const {
    const json::value* const value = object_.if_contains(key);
    return value == nullptr || value->is_null() ? nullptr : value;
  }
  void wrong(std::string_view key, std::string_view expected) {
    if (error_.empty()) error_ = fmt::format("`{}` must be {}", key, expected);
  }
  const std::string& error() const { return error_; }

 private:
  const json::object& object_;
  std::string error_;
};

std::optional<std::string> from_base64(std::string_view text) {
  std::string out;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    if (c == '=' || c == '\n' || c == '\r') continue;
    const int value = c >= 'A' && c <= 'Z'   ? c - 'A'
                      : c >= 'a' && c <= 'z' ? c - 'a' + 26
                      : c >= '0' && c <= '9' ? c - '0' + 52
                      : c == '+' || c == '-' ? 62
                      : c == '/' || c == '_' ? 63
                                             : -1;
    if (value < 0) return {};
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    if (++count == 4) {
      for (int shift = 16; shift >= 0; shift -= 8) out += static_cast<char>(bits >> shift & 0xFF);
      bits = 0;
      count = 0;
    }
  }
  if (count == 1) return {};
  if (count > 1) {
    bits <<= 6 * (4 - count);
    out += static_cast<char>(bits >> 16 & 0xFF);
    if (count == 3) out += static_cast<char>(bits >> 8 & 0xFF);
  }
  return out;
}

/// An address that only this machine or its network has.
bool is_own_address(std::string_view url) {
  const std::size_t at = url.find("://");
  if (at == std::string_view::npos) return false;
  std::string_view host = url.substr(at + 3);
  host = host.substr(0, host.find_first_of("/?"));
  for (const std::string_view begin : {"localhost", "127.", "10.", "192.168.", "[::1]", "[fd",
                                       "host.docker.internal", "0.0.0.0"}) {
    if (host.starts_with(begin)) return true;
  }
  // 172.16.0.0/12
  const std::string_view second = host.starts_with("172.") ? host.substr(4, 3) : std::string_view();
  if (second.size() == 3 && second[2] == '.' && second >= "16." && second <= "31.") return true;
  const std::string_view name = host.substr(0, host.find(':'));
  return name.ends_with(".local") || name.ends_with(".lan") || name.ends_with(".internal") ||
         name.find('.') == std::string_view::npos;
}

/// Servers that people run themselves. Who says nothing of the address is taken to do so.
bool is_own_server(std::string_view provider) {
  constexpr std::array<std::string_view, 10> kServers = {
      "ollama", "llamacpp", "llama.cpp", "lmstudio", "vllm",
      "sglang", "tgi",      "localai",   "gpustack", "local"};
  return std::ranges::find(kServers, provider) != kServers.end();
}

void read_request(const json::object& object, Case& out) {
  Fields fields(object);
  const json::value* const model = fields.find("model");
  if (model != nullptr && model->is_string()) out.model = std::string(model->as_string());
  RequestFacts& request = out.request;
  request.streamed = fields.truth("stream").value_or(false);
  const json::value* const endpoint = fields.find("endpoint");
  const json::value* const base_url = fields.find("base_url");
  if (endpoint != nullptr && endpoint->is_string()) {
    request.own_endpoint = endpoint->as_string() == "own";
  } else if (base_url != nullptr && base_url->is_string()) {
    request.own_endpoint = out.provider != "gateway" && is_own_address(base_url->as_string());
  }
  request.no_key_sent = !fields.truth("auth_header_sent").value_or(true);
  const json::value* const closed = fields.find("client_closed");
  request.caller_left = closed != nullptr && !(closed->is_bool() && !closed->as_bool());
  request.input_tokens = fields.hint("input_tokens_estimate");
  const std::int64_t choices = std::max<std::int64_t>(1, fields.hint("n"));
  for (const std::string_view name : {"max_tokens", "max_completion_tokens", "max_output_tokens"}) {
    request.output_tokens_max = std::max(request.output_tokens_max,
                                         fields.hint(name) * std::min<std::int64_t>(choices, 128));
  }
  request.context_tokens_max = std::max(fields.hint("context_window"), fields.hint("num_ctx"));
  request.tokens_per_minute_max = fields.hint("deployment_tpm");
}

void read_stage(const json::object& object, Case::Stage& stage, std::string& error) {
  Fields fields(object);
  stage.stage = fields.text("stage");
  stage.error = fields.text_or_number("error");
  if (stage.error.empty()) stage.error = fields.text_or_number("code");
  if (const json::value* const detail = fields.find("detail");
      detail != nullptr && detail->is_string()) {
    stage.detail = std::string(detail->as_string());
  }
  if (const json::value* const peer = fields.find("peer"); peer != nullptr && peer->is_string()) {
    stage.peer = std::string(peer->as_string());
  }
  stage.bytes_in = fields.hint("bytes_in");
  if (stage.stage.empty() && !stage.error.empty()) stage.stage = "unknown";
  if (error.empty()) error = fields.error();
}

std::string header_text(const json::value& value) {
  if (value.is_string()) return std::string(value.as_string());
  if (value.is_array() && !value.as_array().empty()) return header_text(value.as_array()[0]);
  return value.is_null() || value.is_object() || value.is_array() ? std::string()
                                                                  : json::serialize(value);
}

}  // namespace

std::expected<Case, std::string> Case::read(std::string_view json_line) {
  if (json_line.size() > case_line_bytes_max) {
    return std::unexpected(
        fmt::format("the line is longer than {} MiB", case_line_bytes_max >> 20));
  }
  boost::system::error_code code;
  const json::value parsed = json::parse(json_line, code);
  if (code) return std::unexpected(fmt::format("the line is not JSON: {}", code.message()));
  if (!parsed.is_object()) return std::unexpected("the line must be a JSON object");
  Fields fields(parsed.as_object());
  Case out;
  out.id = fields.text_or_number("id");
  if (const json::value* const id = fields.find("id"); id != nullptr) {
    out.id_json = json::serialize(*id);
  }
  out.provider = fields.text("provider");
  const std::int64_t status = fields.integer("status");
  if (status < 0 || status > 999) fields.wrong("status", "between 0 and 999");
  out.status = static_cast<int>(std::clamp<std::int64_t>(status, 0, 999));
  if (const json::value* const body = fields.find("body"); body != nullptr) {
    out.body = body->is_string() ? std::string(body->as_string()) : json::serialize(*body);
  }
  if (const std::string encoded = fields.text("body_base64"); !encoded.empty()) {
    auto decoded = from_base64(encoded);
    if (!decoded) fields.wrong("body_base64", "base64");
    if (decoded) out.body = std::move(*decoded);
  }
  if (const json::object* const headers = fields.object("headers")) {
    for (const auto& [name, value] : *headers) out.headers.emplace_back(name, header_text(value));
  }
  std::string error = fields.error();
  if (const json::object* const stage = fields.object("transport")) {
    read_stage(*stage, out.transport, error);
  }
  if (const json::object* const stage = fields.object("local")) {
    read_stage(*stage, out.local, error);
  }
  out.request.own_endpoint = is_own_server(out.provider);
  if (const json::object* const request = fields.object("request")) read_request(*request, out);
  if (const json::object* const expect = fields.object("expect")) {
    Fields expected(*expect);
    out.expected_party = expected.text("at_fault");
    out.expected_cause = expected.text("cause");
    out.expected_retry = expected.text("retryable");
  }
  if (error.empty()) error = fields.error();
  const bool says_nothing = out.status == 0 && out.body.empty() && out.transport.stage.empty() &&
                            out.local.stage.empty() && !out.request.caller_left;
  if (error.empty() && says_nothing) {
    error = "nothing to judge: give `status`, `body`, `transport` or `local`";
  }
  if (!error.empty()) return std::unexpected(std::move(error));
  return out;
}

std::string Case::id_of(std::string_view json_line) {
  const JsonGlance glance(json_line.substr(0, 64 << 10));
  const auto id = glance.root()["id"];
  if (id.is(JsonGlance::Kind::string)) return json_string(id.text(200));
  return id.is(JsonGlance::Kind::number) ? std::to_string(id.integer()) : std::string();
}

Observation Case::observation(std::vector<HeaderField>& fields) const {
  fields.clear();
  for (const auto& [name, value] : headers) fields.push_back({name, value});
  const auto view = [](const Stage& stage) {
    return StageFailure{.stage = stage.stage,
                        .error = stage.error,
                        .detail = stage.detail,
                        .peer = stage.peer,
                        .bytes_in = stage.bytes_in};
  };
  Observation seen{.provider = provider,
                   .status = status,
                   .headers = fields,
                   .body = body,
                   .transport = view(transport),
                   .local = view(local),
                   .request = request};
  seen.request.model = model;
  return seen;
}

std::string to_json(const Verdict& verdict, std::string_view id_json) {
  std::string out = "{";
  if (!id_json.empty()) out += fmt::format("\"id\":{},", id_json);
  out += fmt::format("\"at_fault\":\"{}\",\"cause\":\"{}\",\"confidence\":{:.3f}",
                     to_string(verdict.at_fault), verdict.cause, verdict.confidence);
  out += fmt::format(",\"inconclusive\":{},\"retry\":\"{}\"", verdict.inconclusive,
                     to_string(verdict.retry));
  if (verdict.retry_after_s > 0) out += fmt::format(",\"retry_after_s\":{}", verdict.retry_after_s);
  out += fmt::format(",\"say\":{},\"remedy\":{},\"suspects\":[", json_string(verdict.say),
                     json_string(verdict.remedy));
  for (std::size_t i = 0; i < verdict.suspects.size(); ++i) {
    const Suspect& suspect = verdict.suspects[i];
    out +=
        fmt::format("{}{{\"at_fault\":\"{}\",\"cause\":\"{}\",\"confidence\":{:.3f}}}",
                    i > 0 ? "," : "", to_string(suspect.party), suspect.cause, suspect.confidence);
  }
  out += "],\"evidence\":[";
  for (std::size_t i = 0; i < verdict.evidence.size(); ++i) {
    out += (i > 0 ? "," : "") + json_string(verdict.evidence[i]);
  }
  return out + "]}";
}

}  // namespace claviger::fault

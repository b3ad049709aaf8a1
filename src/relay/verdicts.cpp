#include "relay/verdicts.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <vector>

#include "exchange/json_edit.h"
#include "exchange/json_tree.h"
#include "exchange/json_writer.h"
#include "fault/engine.h"
#include "fault/rules.h"

namespace claviger::relay {
namespace {

constexpr std::size_t kHeadersMax = 64;
constexpr std::size_t kHeaderBytesMax = 256;

/// "After a pause" is only said with its length: without one it is what our own pauses are for.
void take_retry(const fault::Verdict& verdict, ErrorAnswer& answer) {
  answer.retry = verdict.retry == fault::Retry::no ? api::Retry::no : api::Retry::yes;
  if (verdict.retry == fault::Retry::after || verdict.retry_after_s > 0) {
    answer.retry = verdict.retry == fault::Retry::no ? api::Retry::no : api::Retry::after;
  }
  answer.retry_after_s = answer.retry == api::Retry::after ? verdict.retry_after_s : 0;
}

void take_over(const fault::Verdict& verdict, ErrorAnswer& answer) {
  answer.at_fault = std::string(to_string(verdict.at_fault));
  answer.confidence = verdict.confidence;
  answer.say = std::string(verdict.say);
  answer.remedy = std::string(verdict.remedy);
  take_retry(verdict, answer);
  answer.evidence.insert(answer.evidence.end(), verdict.evidence.begin(), verdict.evidence.end());
  for (const fault::Suspect& suspect : verdict.suspects) {
    answer.suspects.push_back({.at_fault = std::string(to_string(suspect.party)),
                               .cause = std::string(suspect.cause),
                               .confidence = suspect.confidence});
  }
  if (!verdict.inconclusive) return;
  std::string suspects;
  for (const fault::Suspect& suspect : verdict.suspects) {
    suspects += fmt::format("{}{} ({})", suspects.empty() ? "" : ", ", suspect.cause,
                            to_string(suspect.party));
  }
  answer.evidence.push_back("inconclusive; suspects: " + suspects);
}

/// What this key did before; failures in a row are the window's to count.
fault::KeyHistory history_of(CredentialId credential, const Surroundings& around) {
  if (around.keys == nullptr || credential.is_none()) return {};
  const auto kept = around.keys->of(credential);
  fault::KeyHistory history{.is_known = true};
  constexpr std::chrono::hours kLately{24};  // Longer ago, much may have happened since.
  if (!kept || !kept->worked_at) return history;
  const auto ago = std::max(around.wall_now - *kept->worked_at, WallTime::duration::zero());
  if (ago > kLately) return {};
  history.seconds_since_worked = std::chrono::floor<std::chrono::seconds>(ago).count();
  return history;
}

/// Only a key that is refused needs a look at what it did before, and at other people's keys.
fault::Verdict judge_among_neighbours(const Job& job, fault::Observation& seen,
                                      const Surroundings& around) {
  const fault::RuleBook& book = fault::RuleBook::embedded();
  fault::Verdict verdict = judge(book, seen);
  if (verdict.at_fault != fault::Party::key) return verdict;
  seen.history = history_of(job.attempt.target.credential, around);
  if (around.failures != nullptr) {
    const fault::FailureWindow::Failure failure{.provider = seen.provider,
                                                .cause = verdict.cause,
                                                .credential = job.attempt.target.credential,
                                                .owner = job.record.owner};
    seen.neighbours = around.failures->around(failure, around.now);
    seen.history.failures_in_row = around.failures->failures_of(failure, around.now) + 1;
    around.failures->note(failure, around.now);
  }
  return judge(book, seen);
}

/// How far the answer had come.
std::string progress_of(const Job& job) {
  if (job.attempt.streamed.bytes > 0) {
    return fmt::format("reached: stream, {} bytes of the answer", job.attempt.streamed.bytes);
  }
  if (job.record.times.first_byte_us >= 0) return "reached: answer";
  if (job.record.times.sent_us >= 0) return "reached: request sent";
  return {};
}

Failure failure_of(const Job& job, const fault::Verdict& verdict, int status, std::string message) {
  ErrorAnswer answer{
      .status = status, .code = std::string(verdict.cause), .message = std::move(message)};
  take_over(verdict, answer);
  if (job.attempt.streamed.bytes > 0) answer.evidence.push_back(progress_of(job));
  if (!job.record.provider_request_id.empty()) {
    answer.evidence.push_back("provider request id: " + job.record.provider_request_id);
  }
  return answer;
}

/// The provider's own words, in the shapes in which they come inside a good status.
std::string words_inside(std::string_view json) {
  constexpr std::size_t kWordsBytesMax = 1024;
  exchange::JsonTree tree;
  if (!tree.read(json)) return {};
  const exchange::JsonNode error = tree.root()["error"];
  std::string_view words = error.is_string() ? error.text() : error["message"].text();
  if (words.empty()) words = tree.root()["message"].text();  // An error without an envelope.
  return std::string(exchange::clipped(words, kWordsBytesMax));
}

/// The status that belongs to an error inside a good one: what the body says itself, else what its
/// type means where providers give it a status (OpenAI's and Anthropic's documents, 2026-11).
int status_inside(std::string_view json) {
  constexpr int kBadGateway = 502;
  constexpr std::pair<std::string_view, int> kByType[] = {
      {"invalid_request_error", 400}, {"authentication_error", 401},
      {"permission_error", 403},      {"not_found_error", 404},
      {"request_too_large", 413},     {"rate_limit_error", 429},
      {"rate_limit_exceeded", 429},   {"insufficient_quota", 429},
      {"server_error", 500},          {"api_error", 500},
      {"timeout_error", 504},         {"overloaded_error", 529}};
  exchange::JsonTree tree;
  if (!tree.read(json)) return kBadGateway;
  const exchange::JsonNode error = tree.root()["error"];
  for (const exchange::JsonNode& said : {error["code"], error["status"], tree.root()["code"]}) {
    const auto number = said.integer();
    if (number && *number >= 400 && *number <= 599) return static_cast<int>(*number);
  }
  for (const exchange::JsonNode& said : {error["type"], error["code"], tree.root()["code"]}) {
    const auto* const known =
        std::ranges::find(kByType, said.text(), &std::pair<std::string_view, int>::first);
    if (known != std::end(kByType)) return known->second;
  }
  return kBadGateway;
}

}  // namespace

AnswerHead::AnswerHead(const net::http::ResponseHead& head) : status_(head.status) {
  for (const net::http::Header header : head.headers()) {
    if (fields_.size() == kHeadersMax) return;
    if (header.name.size() > kHeaderBytesMax) continue;
    fields_.emplace_back(header.name, header.value.substr(0, kHeaderBytesMax));
  }
}

std::vector<fault::HeaderField> AnswerHead::fields() const {
  std::vector<fault::HeaderField> views;
  views.reserve(fields_.size());
  for (const auto& [name, value] : fields_) views.push_back({name, value});
  return views;
}

bool is_own_endpoint(const Attempt& attempt) {
  if (!attempt.target.local_model.is_none()) return true;
  return !attempt.target.base_url.empty() && attempt.profile != nullptr &&
         !attempt.profile->key_required;
}

fault::Observation observation_of(const Job& job) {
  const Attempt& attempt = job.attempt;
  const auto* const credential = job.world->credentials->find(attempt.target.credential);
  const bool needs_key = attempt.profile != nullptr && attempt.profile->key_required;
  return {.provider = attempt.target.provider,
          .request = {.model = attempt.target.model,
                      .streamed = job.record.streamed,
                      .own_endpoint = is_own_endpoint(attempt),
                      .no_key_sent =
                          needs_key && (credential == nullptr || credential->key.reveal().empty()),
                      .caller_left = job.record.caller_left}};
}

Failure judged_answer(const Job& job, const AnswerHead& head, std::string_view body,
                      const Surroundings& around) {
  const std::vector<fault::HeaderField> fields = head.fields();
  fault::Observation seen = observation_of(job);
  seen.status = head.status();
  seen.headers = fields;
  seen.body = body;
  const fault::Verdict verdict = judge_among_neighbours(job, seen, around);
  constexpr int kBadGateway = 502;
  return failure_of(
      job, verdict, head.status() >= 400 ? head.status() : kBadGateway,
      fmt::format("{} answered with status {}: {}", seen.provider, head.status(), verdict.say));
}

Failure judged_error_inside(const Job& job, std::string_view json, const Surroundings& around) {
  // OpenAI's `response.failed` says it in the answer that it carries.
  if (const exchange::Span answer = exchange::find_value(json, "response"); !answer.empty()) {
    json = exchange::at(json, answer);
  }
  fault::Observation seen = observation_of(job);
  seen.status = 200;
  seen.body = json;
  const fault::Verdict verdict = judge_among_neighbours(job, seen, around);
  const std::string words = words_inside(json);
  return failure_of(job, verdict, status_inside(json),
                    fmt::format("{} answered with an error inside a good status: {}", seen.provider,
                                words.empty() ? verdict.say : words));
}

void mask_key(const Job& job, std::span<char> bytes) {
  constexpr std::size_t kKeyBytesMin = 8;  // Anything shorter would mask words.
  // It is alive as long as the job's snapshot.
  const auto* const credential = job.world->credentials->find(job.attempt.target.credential);
  const std::string_view key =
      credential == nullptr ? std::string_view() : credential->key.reveal();
  if (key.size() < kKeyBytesMin) return;
  const std::string_view all(bytes.data(), bytes.size());
  for (std::size_t at = all.find(key); at != std::string_view::npos; at = all.find(key, at)) {
    std::ranges::fill(bytes.subspan(at, key.size()), '*');
  }
}

Failure judged_break(const Job& job, const Break& seen_break) {
  constexpr std::size_t kArrivedBytesMax = std::size_t{1} << 20;
  constexpr fault::HeaderField kEventStream = {"content-type", "text/event-stream"};
  constexpr int kBadGateway = 502;
  constexpr int kGatewayTimeout = 504;
  fault::Observation seen = observation_of(job);
  seen.transport = {.stage = seen_break.stage,
                    .error = seen_break.error,
                    .detail = seen_break.detail,
                    .bytes_in = job.attempt.streamed.bytes};
  seen.status = job.record.provider_status;
  std::string arrived(seen_break.arrived.substr(0, kArrivedBytesMax));
  mask_key(job, arrived);
  seen.body = arrived;
  if (seen_break.stage == "stream") seen.headers = {&kEventStream, 1};
  const fault::Verdict verdict = judge(fault::RuleBook::embedded(), seen);
  const std::string& provider = job.attempt.target.provider;
  const bool is_late = seen_break.error == "timed out";
  std::string message =
      is_late ? fmt::format("{} did not go on in time ({})", provider, seen_break.stage)
              : fmt::format("the answer of {} broke off ({}: {})", provider, seen_break.stage,
                            seen_break.error);
  if (!seen_break.detail.empty()) message += fmt::format(": {}", seen_break.detail);
  Failure failure =
      failure_of(job, verdict, is_late ? kGatewayTimeout : kBadGateway, std::move(message));
  if (job.attempt.streamed.bytes == 0) failure->evidence.push_back(progress_of(job));
  return failure;
}

Failure judged_connection(const Job& job, const net::ConnectFailure& failure) {
  Failure answer =
      not_connected(failure, job.attempt.target.provider, is_own_endpoint(job.attempt));
  if (failure.stage == net::ConnectStage::egress || failure.cancelled) return answer;
  fault::Observation seen = observation_of(job);
  seen.transport = {
      .stage = failure.stage == net::ConnectStage::tcp ? "connect" : net::to_string(failure.stage),
      .error = failure.timed_out ? "timed out" : "",
      .detail = failure.message};
  const fault::Verdict verdict = judge(fault::RuleBook::embedded(), seen);
  answer->evidence.push_back(fmt::format("cause: {}", verdict.cause));
  take_over(verdict, *answer);
  return answer;
}

}  // namespace claviger::relay

/// Where caller and provider speak different dialects: the request is read into messages and
/// written anew, and the answer comes back the other way. Same dialects never come here.

#include <fmt/format.h>

#include <algorithm>

#include "relay/failure.h"
#include "relay/relay.h"
#include "relay/settlement.h"
#include "relay/stream_state.h"
#include "relay/verdicts.h"

namespace claviger::relay {
namespace {

std::unexpected<Failure> no(Failure failure) {
  return std::unexpected(std::move(failure));
}

constexpr std::string_view kAllowDrops = "x-claviger-allow-drops";

/// Whether every part of a list parted by commas is among `allowed`; names the first that is not.
bool all_allowed(std::string_view value, const std::vector<std::string>& allowed,
                 std::string_view& stranger) {
  if (std::ranges::find(allowed, "*") != allowed.end()) return true;
  while (!value.empty()) {
    const std::size_t comma = std::min(value.find(','), value.size());
    std::string_view one = value.substr(0, comma);
    value.remove_prefix(std::min(comma + 1, value.size()));
    while (one.starts_with(' ')) one.remove_prefix(1);
    while (one.ends_with(' ')) one.remove_suffix(1);
    if (one.empty() || std::ranges::find(allowed, one) != allowed.end()) continue;
    stranger = one;
    return false;
  }
  return true;
}

exchange::Bill bill_of(const Job& job) {
  if (job.attempt.usage_state != provider::UsageState::sound) return {};
  return {.usage = job.record.usage, .cost = cost_so_far(job)};
}

}  // namespace

Done Relay::take_forwarded_headers(Job& job) {
  Attempt& attempt = job.attempt;
  const bool is_same_dialect = attempt.adapter->dialect() == job.request.dialect;
  std::string& lines = attempt.forwarded_headers;
  for (const auto& [name, value] : attempt.profile->extra_headers) {
    const bool is_callers = is_same_dialect && !job.caller.head().value_of(name).empty() &&
                            std::ranges::any_of(attempt.profile->forwarded_headers,
                                                [&](const auto& row) { return row.first == name; });
    if (!is_callers) lines.append(name).append(": ").append(value).append("\r\n");
  }
  if (!is_same_dialect) return {};
  for (const auto& [name, allowed] : attempt.profile->forwarded_headers) {
    const std::string_view value = job.caller.head().value_of(name);
    std::string_view stranger;
    if (value.empty()) continue;
    if (!all_allowed(value, allowed, stranger)) {
      return no(cannot_be_bounded(attempt.target.model, fmt::format("{}: {}", name, stranger)));
    }
    lines.append(name).append(": ").append(value).append("\r\n");
  }
  return {};
}

Done Relay::translate(Job& job) {
  Attempt& attempt = job.attempt;
  const api::CallerTranslation* const callers = job.dialect.translation();
  attempt.translation = attempt.adapter->translation();
  if (job.operation != exchange::Operation::chat || callers == nullptr ||
      attempt.translation == nullptr) {
    return no(operation_not_offered(attempt.target.provider, exchange::to_string(job.operation)));
  }
  auto conversation = callers->read_conversation(job.request);
  if (!conversation) return no(bad_request(conversation.error()));
  const auto dropped =
      exchange::fit(*conversation, attempt.translation->expresses(*attempt.profile),
                    job.caller.head().value_of(kAllowDrops));
  if (!dropped) {
    const bool may_be_dropped =
        exchange::class_of(dropped.error().feature) != exchange::FeatureClass::content;
    return no(not_expressible(attempt.target.model, dropped.error().field, dropped.error().why,
                              may_be_dropped ? Droppable::yes : Droppable::no));
  }
  for (const exchange::FeatureUse& use : *dropped) attempt.dropped.push_back(use.field);
  attempt.conversation = std::make_unique<exchange::Conversation>(std::move(*conversation));
  return {};
}

Done Relay::write_translated(Job& job) {
  Attempt& attempt = job.attempt;
  if (attempt.translation == nullptr) return {};
  const auto written = attempt.translation->write_conversation(
      *attempt.profile, *attempt.conversation, job.request.delivery, edits_of(attempt),
      attempt.translated_body);
  attempt.conversation.reset();
  if (!written) {
    return no(not_expressible(attempt.target.model, written.error().field, written.error().why,
                              Droppable::no));
  }
  return {};
}

Task<Done> Relay::deliver_translated(Job& job, std::string_view body) {
  auto answer = job.attempt.translation->read_whole(body);
  if (!answer) {
    co_return no(judged_break(job, {.stage = "body",
                                    .error = "malformed envelope",
                                    .detail = "it is no answer of its dialect",
                                    .arrived = body}));
  }
  if (answer->created_s == 0)
    answer->created_s = unix_micros(parts_.reactor.clock().wall_now()) / 1'000'000;
  if (job.record.streamed) co_return co_await deliver_replayed(job, *answer);
  const std::string written = job.dialect.translation()->answer_body(*answer, bill_of(job));
  net::http::HeadWriter head = job.caller.answer(200);
  add_job_headers(head, job);
  head.header("x-claviger-cost", to_decimal(job.record.cost));
  job.record.status = 200;
  job.record.answer_bytes = static_cast<std::int64_t>(written.size());
  if (!co_await job.caller.send(head, "application/json", written)) {
    job.caller.close_after_answer();
    job.record.caller_left = true;
  }
  co_return Done{};
}

/// A stream was asked for, and the answer came whole.
Task<Done> Relay::deliver_replayed(Job& job, const exchange::Answer& answer) {
  TranslatedStream stream(nullptr, job.dialect.translation()->event_writer(job.request),
                          answer.created_s);
  exchange::replay(answer, stream);
  if (!stream.problem().empty()) {
    co_return no(bad_provider_answer(job.attempt.target.provider, stream.problem()));
  }
  net::http::HeadWriter head = job.caller.answer(200);
  head.header("cache-control", "no-cache");
  add_job_headers(head, job);
  job.record.status = 200;
  if (!co_await job.caller.begin_stream(head, "text/event-stream; charset=utf-8")) {
    job.record.caller_left = true;
    co_return Done{};
  }
  if (auto done = co_await finish_translated(job, stream); !done) co_return done;
  if (!job.record.caller_left && !co_await job.caller.end_stream()) job.record.caller_left = true;
  co_return Done{};
}

Task<Done> Relay::finish_translated(Job& job, TranslatedStream& stream) {
  stream.finish(bill_of(job));
  if (!stream.problem().empty()) {
    co_return no(bad_provider_answer(job.attempt.target.provider, stream.problem()));
  }
  co_return co_await send_piece(job, stream.out());
}

Task<Done> Relay::answer_estimate(Job& job) {
  // Four bytes a token is what English text comes to; the bound beside it is certain.
  constexpr std::int64_t kBytesPerToken = 4;
  const auto bytes = static_cast<std::int64_t>(job.request.body.size());
  const std::int64_t text = std::max<std::int64_t>(0, bytes - job.request.parts.attached_bytes);
  const std::int64_t estimate = std::max<std::int64_t>(1, text / kBytesPerToken);
  const std::string body =
      fmt::format(R"({{"{}":{},"claviger":{{"counted_by":"estimate","input_tokens_max":{}}}}})",
                  job.dialect.id() == exchange::DialectId::gemini ? "totalTokens" : "input_tokens",
                  estimate, job.attempt.bound.input_tokens_max);
  net::http::HeadWriter head = job.caller.answer(200);
  add_job_headers(head, job);
  job.record.status = 200;
  job.record.answer_bytes = static_cast<std::int64_t>(body.size());
  if (!co_await job.caller.send(head, "application/json", body)) {
    job.caller.close_after_answer();
    job.record.caller_left = true;
  }
  co_return Done{};
}

}  // namespace claviger::relay

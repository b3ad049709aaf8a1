/// Delivering an answer: whole, as a stream, or as the provider's error; and saying honestly
/// where it ended.

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <span>

#include "exchange/sse.h"
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

bool has_media_type(std::string_view content_type, std::string_view wanted) {
  return content_type.find(wanted) != std::string_view::npos;
}

/// Headers of providers that say something to callers and nothing about us.
constexpr std::string_view kPassedBack[] = {"x-request-id", "request-id", "retry-after-ms",
                                            "openai-processing-ms", "openai-version"};
constexpr std::string_view kPassedBackPrefixes[] = {"x-ratelimit-", "anthropic-ratelimit-"};
constexpr std::size_t kPassedBackBytesMax = 256;

/// The lines are copied, since the provider's head goes before ours is written.
std::string headers_passed_back(const net::http::ResponseHead& head) {
  std::string lines;
  for (const net::http::Header header : head.headers()) {
    // Most headers are told from these by their first letter, without a copy.
    const char first = header.name.empty() ? '\0' : static_cast<char>(header.name[0] | 0x20);
    if (first != 'x' && first != 'r' && first != 'o') continue;
    std::string name(header.name);
    for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
    bool is_passed = false;
    for (const std::string_view prefix : kPassedBackPrefixes) {
      is_passed = is_passed || name.starts_with(prefix);
    }
    for (const std::string_view known : kPassedBack) is_passed = is_passed || name == known;
    if (!is_passed || header.value.size() > kPassedBackBytesMax) continue;
    lines.append(name).append(": ").append(header.value).append("\r\n");
  }
  return lines;
}

std::span<char> chars_of(net::Buffer& body) {
  return {body.begin(), body.size()};
}

/// Takes over what an event, or a whole answer, says; where its usage stands.
exchange::Span note(Job& job, const provider::AnswerReading& reading) {
  if (!reading.facts.finish_reason.empty()) job.record.finish_reason = reading.facts.finish_reason;
  if (reading.usage_state != provider::UsageState::absent) {
    job.attempt.usage_state = reading.usage_state;
    job.record.usage = reading.usage;
    job.attempt.usage_is_final = reading.facts.is_usage_only || !job.record.finish_reason.empty();
  }
  job.attempt.usage_is_final = job.attempt.usage_is_final || reading.facts.is_end;
  return reading.facts.usage;
}

/// Whether an answer has nothing in it, cost no output, and gives no reason: a server that is not
/// well, and no answer of a model. Where there is no other place to ask, it is passed on as it is.
bool is_of_no_use(const Job& job, const provider::AnswerReading& reading) {
  const bool has_cost_output =
      reading.usage_state == provider::UsageState::sound && reading.usage.output_tokens > 0;
  const std::string_view reason = job.record.finish_reason;
  const bool has_reason =
      !reason.empty() && reason != "stop" && reason != "end_turn" && reason != "completed";
  return reading.facts.is_empty && !has_cost_output && !has_reason;
}

/// The caller has its answer; what is wrong with it is marked for those who look.
void note_soft_failures(Job& job) {
  if (!job.attempt.soft_watch || job.record.caller_left) return;
  const std::int64_t counted = job.attempt.usage_state == provider::UsageState::sound
                                   ? job.record.usage.total_input_tokens()
                                   : 0;
  job.record.soft_failures = job.attempt.soft_watch->found(job.record.finish_reason, counted);
}

/// In the words of fault's rules.
std::string_view words_of(net::IoError error) {
  switch (error) {
    case net::IoError::reset:
      return "ECONNRESET";
    case net::IoError::timed_out:
      return "timed out";
    case net::IoError::tls:
      return "tls broke off";
    case net::IoError::cancelled:
      return "cancelled";
    case net::IoError::closed:
    case net::IoError::would_block:
      break;
  }
  return "closed";
}

/// What a stream's event is when its data is no JSON: neither its end nor a comment. Looks at
/// both ends alone, since every event passes here.
bool is_malformed(std::string_view event, std::string_view data) {
  if (data.empty()) {
    // llama.cpp writes `error: {…}`; others write an error without any framing (2026-11).
    return event.starts_with("error:") || event.starts_with('{') || event.starts_with('<');
  }
  if (data.starts_with("[DONE]")) return false;
  const std::size_t last = data.find_last_not_of(" \t\r\n");
  const std::size_t first = data.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return false;
  const char open = data[first];
  return !(open == '{' && data[last] == '}') && !(open == '[' && data[last] == ']');
}

/// The stream is over, and nothing of an answer was in it; `rest` is what was in no event.
Failure ended_without_a_word(const Job& job, std::string_view rest) {
  return judged_break(job, {.stage = "stream",
                            .error = "closed",
                            .detail = "it ended before it said anything",
                            .arrived = rest});
}

/// An event that is no JSON.
Failure judged_event(const Job& job, std::string_view event) {
  return judged_break(
      job, {.stage = "stream", .error = "malformed event", .detail = {}, .arrived = event});
}

/// JSON without its line breaks, as an event's data must be.
std::string on_one_line(std::string json) {
  std::erase_if(json, [](char c) { return c == '\n' || c == '\r'; });
  return json;
}

}  // namespace

Task<Done> Relay::deliver(Job& job, net::ProviderExchange& provider) {
  const net::http::ResponseHead& head = provider.head();
  job.record.provider_request_id =
      head.value_of(job.attempt.profile->request_id_header).substr(0, 128);
  job.attempt.passed_back = headers_passed_back(head);
  if (head.status >= 400) return read_error(job, provider);
  if (head.status != 200) {
    return read_no_answer(job, provider);
  }
  const std::string_view content_type = head.value_of("content-type");
  if (has_media_type(content_type, "text/event-stream")) {
    return deliver_stream(job, provider);
  }
  if (has_media_type(content_type, "json")) return deliver_whole(job, provider);
  return read_no_answer(job, provider);
}

/// Neither JSON nor a stream of events: a captive portal, a proxy, a wrong base URL. It is read
/// to be judged and never passed on.
Task<Done> Relay::read_no_answer(Job& job, net::ProviderExchange& provider) {
  const AnswerHead head(provider.head());
  net::Buffer body;
  auto read = co_await read_whole(job, provider, body, limits_.error_bytes_max);
  if (job.record.caller_left) co_return Done{};
  if (!read && body.empty()) co_return no(std::move(read.error()));
  mask_key(job, chars_of(body));
  co_return no(judged_answer(job, head, body.bytes(), surroundings()));
}

Task<Done> Relay::read_whole(Job& job, net::ProviderExchange& provider, net::Buffer& body,
                             std::size_t bytes_max) {
  for (;;) {
    const auto count =
        co_await provider.read_body(body, parts_.reactor.after(limits_.idle_time_max));
    if (!count) co_return no(broken(job, count.error(), "body"));
    if (*count == 0) co_return Done{};
    if (body.size() > bytes_max) {
      co_return no(judged_break(job, {.stage = "body",
                                      .error = "malformed: too long",
                                      .detail = fmt::format("more than {} bytes", bytes_max)}));
    }
  }
}

Task<Done> Relay::deliver_whole(Job& job, net::ProviderExchange& provider) {
  net::Buffer body;
  if (auto done = co_await read_whole(job, provider, body, limits_.answer_bytes_max); !done) {
    co_return done;
  }
  body.room(net::kBufferPadding);
  const provider::AnswerReading reading =
      job.attempt.adapter->read_answer(job.operation, body.bytes());
  const exchange::Span usage = note(job, reading);
  job.attempt.usage_is_final = true;
  if (reading.facts.is_error) {
    mask_key(job, chars_of(body));
    Failure failure = judged_error_inside(job, body.bytes(), surroundings());
    job.attempt.provider_refused = true;
    job.attempt.provider_error = std::move(body);
    co_return no(std::move(failure));
  }

  if (reading.facts.is_broken) {
    co_return no(judged_break(job, {.stage = "body",
                                    .error = "malformed json",
                                    .detail = "it is not one whole JSON object",
                                    .arrived = body.bytes()}));
  }
  const bool could_go_elsewhere = !job.alternatives.empty() && has_attempt_left(job);
  if (could_go_elsewhere && is_of_no_use(job, reading)) {
    co_return no(judged_break(job, {.stage = "body",
                                    .error = "malformed: empty",
                                    .detail = "it says nothing",
                                    .arrived = body.bytes()}));
  }

  // The true cost is known: it is settled first, so that the answer can state it.
  co_await settle(job);
  if (job.attempt.translation != nullptr) {
    auto done = co_await deliver_translated(job, body.bytes());
    if (done && job.attempt.soft_watch) {
      job.attempt.soft_watch->answer(body.bytes(), reading.facts.said);
      note_soft_failures(job);
    }
    co_return done;
  }
  std::string with_cost;
  std::string_view answer = body.bytes();
  if (job.attempt.usage_state == provider::UsageState::sound) {
    with_cost = job.dialect.with_cost(answer, usage, job.record.cost);
    answer = with_cost;
  }
  net::http::HeadWriter head = job.caller.answer(200);
  add_job_headers(head, job);
  head.header("x-claviger-cost", to_decimal(job.record.cost));
  job.record.status = 200;
  job.record.answer_bytes = static_cast<std::int64_t>(answer.size());
  const auto sent = co_await job.caller.send(head, "application/json", answer);
  if (!sent) {
    job.caller.close_after_answer();
    job.record.caller_left = true;
  }
  if (job.attempt.soft_watch) job.attempt.soft_watch->answer(body.bytes(), reading.facts.said);
  note_soft_failures(job);
  co_return Done{};
}

Task<Done> Relay::deliver_stream(Job& job, net::ProviderExchange& provider) {
  const OpenStream counted(parts_.metrics);
  provider.release_head();
  net::Buffer pending;
  if (auto begun = co_await await_first_word(job, provider, pending); !begun) co_return begun;
  if (!keeps_content(job)) job.caller.release_request();
  net::http::HeadWriter head = job.caller.answer(200);
  head.header("cache-control", "no-cache");
  add_job_headers(head, job);
  job.record.status = 200;
  // Beyond this point bytes have reached the caller: no retry, and errors are events.
  if (!co_await job.caller.begin_stream(head, "text/event-stream; charset=utf-8")) {
    job.record.caller_left = true;
    co_return Done{};
  }
  StreamState stream;
  if (job.attempt.translation != nullptr) {
    stream.translated = std::make_unique<TranslatedStream>(
        job.attempt.translation->event_reader(),
        job.dialect.translation()->event_writer(job.request),
        unix_micros(parts_.reactor.clock().wall_now()) / 1'000'000);
  }
  for (;;) {
    if (auto done = co_await forward_events(job, pending, stream); !done) co_return done;
    if (stream.has_failed) break;  // Nothing that comes behind an error is of use.
    const bool is_over = stream.has_ended || !job.record.finish_reason.empty();
    if (!is_over && is_beyond_hold(job)) {
      co_return no(provider_overran(job.attempt.target.provider));
    }
    // A provider that is faster than we are must not keep this thread from everybody else.
    if (++stream.pieces % 64 == 0) co_await parts_.reactor.yield();
    if (job.record.caller_left) co_return Done{};
    if (pending.size() > limits_.event_bytes_max) {
      co_return no(judged_break(
          job, {.stage = "stream",
                .error = "malformed event: too long",
                .detail = fmt::format("more than {} bytes", limits_.event_bytes_max)}));
    }
    const auto count =
        co_await provider.read_body(pending, parts_.reactor.after(limits_.idle_time_max));
    // After its end, how the connection closes is no matter of the answer's.
    if (!count && stream.has_ended) break;
    if (!count) co_return no(broken(job, count.error(), "stream"));
    if (*count == 0) break;
    job.attempt.streamed.bytes += static_cast<std::int64_t>(*count);
  }
  // A stream without its end is not an answer, whatever the connection says.
  if (!stream.has_ended && !stream.has_failed && job.record.finish_reason.empty()) {
    co_return no(broken(job, {.io = net::IoError::closed}, "stream"));
  }
  if (!stream.has_failed) note_soft_failures(job);
  if (stream.translated && !stream.has_failed) {
    if (auto done = co_await finish_translated(job, *stream.translated); !done) co_return done;
  }
  if (!co_await job.caller.end_stream()) job.record.caller_left = true;
  co_return Done{};
}

/// Reads until something of the answer is there, and passes nothing on: what fails before is a
/// failure with a status of its own, and may be tried elsewhere.
Task<Done> Relay::await_first_word(Job& job, net::ProviderExchange& provider,
                                   net::Buffer& pending) {
  const Instant due = job.attempt.answer_due;
  const Deadline kept_back_until = parts_.reactor.after(limits_.first_word_wait_max);
  std::size_t position = 0;  // Looked at.
  std::size_t searched = 0;  // Of the event that is not whole yet.
  std::string joined;
  for (;;) {
    const auto count =
        co_await provider.read_body(pending, Deadline(std::min(due, kept_back_until.at())));
    if (!count && count.error().io == net::IoError::timed_out && parts_.reactor.now() < due) {
      co_return Done{};
    }
    if (!count) co_return no(broken(job, count.error(), "read"));
    if (*count == 0) co_return no(ended_without_a_word(job, pending.bytes()));
    job.attempt.streamed.bytes += static_cast<std::int64_t>(*count);
    const std::string_view bytes = pending.bytes();
    while (const std::size_t length = exchange::event_length(bytes.substr(position), searched)) {
      const std::string_view event = bytes.substr(position, length);
      const std::string_view data = exchange::event_data(event, joined);
      position += length;
      searched = 0;
      if (is_malformed(event, data)) co_return no(judged_event(job, event));
      if (data.empty()) continue;  // A comment.
      const auto reading = job.attempt.adapter->read_event(data, job.record.usage);
      if (reading.facts.is_error) co_return refused_in_stream(job, data);
      if (reading.facts.is_end) co_return no(ended_without_a_word(job, {}));
      if (!job.attempt.adapter->is_beginning(data)) co_return Done{};
    }
    if (pending.size() > limits_.event_bytes_max) co_return Done{};
  }
}

/// An error where the first word was due: to the caller it is as good as one in the head. Whether
/// the prompt is billed all the same is known to the provider alone: what is held counts as spent
/// until its bill says otherwise.
Done Relay::refused_in_stream(Job& job, std::string_view data) {
  net::Buffer body;
  std::memcpy(body.room(data.size() + net::kBufferPadding).data(), data.data(), data.size());
  body.add(data.size());
  mask_key(job, chars_of(body));
  Failure failure = judged_error_inside(job, body.bytes(), surroundings());
  job.attempt.provider_error = std::move(body);
  return no(std::move(failure));
}

/// Passes on every event that is whole, in one piece where nothing has to be changed.
Task<Done> Relay::forward_events(Job& job, net::Buffer& pending, StreamState& stream) {
  const std::string_view bytes = pending.bytes();
  std::size_t passed = 0;    // Sent, or dropped.
  std::size_t position = 0;  // Looked at.
  std::string joined;
  for (;;) {
    const std::size_t length = exchange::event_length(bytes.substr(position), stream.searched);
    if (length == 0) break;
    stream.searched = 0;
    const std::string_view event = bytes.substr(position, length);
    const std::string_view data = exchange::event_data(event, joined);
    if (stream.has_failed) break;
    const auto reading = job.attempt.adapter->read_event(data, job.record.usage);
    note(job, reading);
    if (job.attempt.soft_watch) job.attempt.soft_watch->event(exchange::event_data(event, joined));
    stream.has_ended = stream.has_ended || reading.facts.is_end;
    if (!stream.has_ended && !reading.facts.is_error && is_malformed(event, data)) {
      if (auto done = co_await send_before(job, stream, bytes.substr(passed, position - passed));
          !done) {
        co_return done;
      }
      co_return no(judged_event(job, event));
    }
    if (stream.translated) {
      position += length;
      passed = position;
      if (reading.facts.is_error) {
        if (auto done = co_await send_before(job, stream, {}); !done) co_return done;
        co_return no(judged_error_inside(job, data, surroundings()));
      }
      stream.translated->read(exchange::event_type(event), data);
      continue;
    }
    if (reading.facts.is_error) {
      stream.has_failed = true;
      const std::string_view before = bytes.substr(passed, position - passed);
      if (auto done = co_await send_piece(job, before); !done) co_return done;
      if (auto done = co_await pass_on_error(job, event); !done) co_return done;
      position += length;
      passed = position;
      continue;
    }
    if (!reading.facts.is_usage_only && !reading.facts.is_end) ++job.attempt.streamed.events;

    const bool has_usage = reading.usage_state == provider::UsageState::sound;
    const bool is_hidden = reading.facts.is_usage_only && !job.request.wants_usage_event;
    if (has_usage || is_hidden) {
      const std::string_view before = bytes.substr(passed, position - passed);
      if (auto done = co_await send_piece(job, before); !done) co_return done;
      passed = position + length;
      if (!is_hidden) {
        const std::string priced = job.dialect.event_with_cost(event, cost_so_far(job));
        if (auto done = co_await send_piece(job, priced); !done) co_return done;
      }
    }
    position += length;
    if (job.record.caller_left) co_return Done{};
  }
  if (auto done = co_await send_piece(job, bytes.substr(passed, position - passed)); !done) {
    co_return done;
  }
  pending.consume(position);
  if (!stream.translated) co_return Done{};
  if (auto done = co_await send_piece(job, stream.translated->out()); !done) co_return done;
  stream.translated->out().clear();
  if (!stream.translated->problem().empty()) {
    co_return no(bad_provider_answer(job.attempt.target.provider, stream.translated->problem()));
  }
  co_return Done{};
}

/// What came before the event that is no answer any more.
Task<Done> Relay::send_before(Job& job, StreamState& stream, std::string_view untouched) {
  return send_piece(job,
                    stream.translated ? std::string_view(stream.translated->out()) : untouched);
}

/// The provider's own error in a stream, with the verdict beside it.
Task<Done> Relay::pass_on_error(Job& job, std::string_view event) {
  std::string joined;
  const std::string_view data = exchange::event_data(event, joined);
  const Failure failure = judged_error_inside(job, data, surroundings());
  failure->request = job.record.id;
  note_failure(job.record, *failure);
  // By its type, SDKs of a dialect that has one tell an error from an answer.
  const std::string_view type = exchange::event_type(event);
  const std::string type_line = type.empty() ? "" : fmt::format("event: {}\n", type);
  const std::string annotated = fmt::format(
      "{}data: {}\n\n", type_line, on_one_line(job.dialect.annotated_error_body(data, *failure)));
  co_return co_await send_piece(job, annotated);
}

Task<Done> Relay::send_piece(Job& job, std::string_view bytes) {
  if (bytes.empty() || job.record.caller_left) co_return Done{};
  job.record.answer_bytes += static_cast<std::int64_t>(bytes.size());
  if (!co_await job.caller.send_piece(bytes)) {
    job.record.caller_left = true;
    job.caller.close_after_answer();
  }
  co_return Done{};
}

Task<void> Relay::end_stream_with(Job& job, const ErrorAnswer& error) {
  co_await send_piece(job, job.dialect.error_event(error));
  if (job.record.caller_left) co_return;
  if (!co_await job.caller.end_stream()) job.record.caller_left = true;
}

Task<Done> Relay::read_error(Job& job, net::ProviderExchange& provider) {
  const AnswerHead head(provider.head());
  const int status = head.status();
  const bool is_json = has_media_type(provider.head().value_of("content-type"), "json");
  net::Buffer body;
  const auto read = co_await read_whole(job, provider, body, limits_.error_bytes_max);
  if (job.record.caller_left) co_return Done{};
  // An error in the provider's own words means that it did not do the work. Behind an edge's
  // 502 or 504 it may be doing it still, so that counts as spent until the bill says otherwise.
  const bool is_timeout = status == 408 || status == 504 || status == 522 || status == 524;
  job.attempt.provider_refused = !is_timeout && (status < 500 || (is_json && read));

  // Some providers repeat the key that they refuse.
  mask_key(job, chars_of(body));
  body.room(net::kBufferPadding);
  Failure failure = judged_answer(job, head, body.bytes(), surroundings());
  job.attempt.provider_error = std::move(body);
  co_return no(std::move(failure));
}

Failure Relay::broken(Job& job, const net::AnswerFailure& failure, std::string_view stage) const {
  if (failure.io == net::IoError::cancelled) {
    // Nobody is there to be told; the record says why.
    job.record.caller_left = job.caller.socket().hung_up();
    if (!job.record.caller_left) return draining();
  }
  if (!failure.malformed.empty()) {
    return judged_break(job,
                        {.stage = stage, .error = "malformed http", .detail = failure.malformed});
  }
  return judged_break(job, {.stage = stage, .error = words_of(failure.io)});
}

}  // namespace claviger::relay

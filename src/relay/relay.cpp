/// The way of a request, as a table of contents: one call and one sentence each. What a stage
/// does in detail stands in admit.cpp (who, what, where, how much), deliver.cpp (the answer)
/// and failure.cpp (what is said when it cannot go on).

#include "relay/relay.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <utility>

#include "relay/address.h"
#include "relay/failure.h"
#include "relay/next_step.h"
#include "relay/settlement.h"
#include "relay/surfaces.h"
#include "relay/verdicts.h"

namespace claviger::relay {
namespace {

constexpr std::string_view kRequests = "/v1/requests/";
constexpr std::string_view kFeedback = "/feedback";

/// The dialect that an answer is given in: the surface's own, and where several share a path the
/// one that only the SDKs of that dialect announce.
exchange::DialectId dialect_at(std::string_view path, const net::http::RequestHead& head) {
  using enum exchange::DialectId;
  if (const auto surface = surface_at(path)) return surface->dialect;
  const bool is_gemini = path.starts_with("/v1beta/") || !head.value_of("x-goog-api-key").empty();
  if (is_gemini) return gemini;
  return head.value_of("anthropic-version").empty() ? openai : anthropic;
}

bool is_models_path(std::string_view path) {
  return std::ranges::any_of(kModelCollections, [&](std::string_view collection) {
    return path.starts_with(collection) &&
           (path.size() == collection.size() || path[collection.size()] == '/');
  });
}

AttemptId attempt_id(const Job& job) {
  return {.request = job.record.id, .number = job.attempt.number};
}

}  // namespace

Relay::Relay(Parts parts, const Limits& limits)
    : parts_(parts),
      limits_(limits),
      own_health_(parts.health == nullptr ? std::make_unique<PlaceHealth>() : nullptr),
      health_(parts.health == nullptr ? *own_health_ : *parts.health) {}
Relay::~Relay() = default;

bool Relay::serves(std::string_view path) {
  return path.starts_with("/v1/") || path.starts_with("/v1beta/");
}

Task<void> Relay::serve(net::ServerConnection& caller, const net::http::Target& target) {
  const api::Dialect& dialect = *api::dialect_for(dialect_at(target.path, caller.head()));
  const std::string_view method = caller.head().method;
  if (is_draining_) {
    caller.close_after_answer();
    return answer_error(caller, dialect, draining(), nullptr);
  }
  if (const auto surface = surface_at(target.path)) {
    if (method != "POST") {
      return answer_error(caller, dialect, wrong_method(method, target.path), nullptr);
    }
    return serve_call(caller, target, dialect, *surface, std::nullopt);
  }
  const bool is_models = is_models_path(target.path);
  const bool is_past = target.path.starts_with(kRequests) && parts_.history != nullptr;
  if (!is_models && !is_past) {
    return answer_error(caller, dialect, unknown_path(method, target.path), nullptr);
  }
  const bool is_feedback = is_past && target.path.ends_with(kFeedback);
  if (method != (is_feedback ? "POST" : "GET")) {
    return answer_error(caller, dialect, wrong_method(method, target.path), nullptr);
  }
  if (is_feedback) return serve_feedback(caller, target, dialect);
  if (is_models) return serve_models(caller, target, dialect);
  return serve_past_request(caller, target, dialect);
}

Task<void> Relay::serve_call(net::ServerConnection& caller, const net::http::Target& target,
                             const api::Dialect& dialect, Surface surface,
                             std::optional<Errand> errand) {
  // Who is calling? Nothing is read of a body before that is known.
  auto key = errand ? key_behind(*errand) : recognise(caller, target);
  if (!key) co_return co_await answer_error(caller, dialect, std::move(key.error()), nullptr);

  Job job{.caller = caller,
          .world = world_,
          .dialect = dialect,
          .operation = surface.operation,
          .surface = surface,
          .key = *key,
          .errand = errand,
          .sheet = parts_.recorder.blank()};
  begin_record(job);

  // How fast may they go, what do they want, and where could it go?
  Done done = take_turn(job);
  if (done) done = co_await read_body(job);
  if (done) done = understand(job, target);
  if (done) done = find_targets(job);
  if (done) done = keep_to_credential(job);
  while (done) {
    // What can it cost there, and is that much money left, on every budget concerned?
    done = choose_place(job);
    if (done) done = bound_cost(job);
    if (done) done = keep_to_amount(job);
    if (done) done = co_await hold(job);
    std::optional<CredentialTurns::Use> use;
    if (done && job.counts_use) use.emplace(turns_, job.attempt.target.credential);
    if (done) done = co_await spend(job);
    if (use) use->used(job.record.usage.total_tokens(), parts_.reactor.now());
    note_health(job, done);
    if (done) break;
    // Would it fare better once more, or elsewhere? Not once bytes have reached the caller.
    if (!co_await has_next_attempt(job, *done.error())) break;
    done = Done{};
  }
  if (!done) co_await answer_error(caller, dialect, std::move(done.error()), &job);
  keep_content(job);
  finish_record(job);
}

void Relay::note_health(const Job& job, const Done& done) {
  if (!job.attempt.is_held || job.record.caller_left) return;
  // An error in a stream has been passed on already, and stands in the record.
  std::string_view at_fault = done ? job.record.at_fault : done.error()->at_fault;
  // What fails on a server of one's own is the place's, and not the key's that opens it.
  if (at_fault == "account" && is_own_endpoint(job.attempt)) at_fault = "provider";
  health_.note(job.attempt.target, fared(at_fault), parts_.reactor.now());
}

Surroundings Relay::surroundings() const {
  return {.failures = parts_.failures,
          .keys = parts_.keys,
          .now = parts_.reactor.now(),
          .wall_now = parts_.reactor.clock().wall_now()};
}

Task<budget::Result<budget::Grant>> Relay::reserve(const Job& job, budget::Patience* patience) {
  return parts_.ledger.reserve({.attempt = attempt_id(job),
                                .budgets = job.attempt.budgets,
                                .cost_max = job.attempt.bound.cost_max,
                                .cost_least = job.attempt.bound.cost_least,
                                .patience = patience});
}

/// Near the ceiling, what the cheap bound does not fit into the exact one may; so that is tried
/// before anybody waits. A hold that was cut short stays as it is: of the same money, more is left
/// for the answer.
Task<budget::Result<budget::Grant>> Relay::reserve_tightly(Job& job, budget::Patience& patience) {
  if (!may_count_exactly(job)) co_return co_await reserve(job, &patience);
  auto grant = co_await reserve(job, nullptr);
  const bool is_tight = grant ? grant->amount < job.attempt.bound.cost_max
                              : grant.error().error == budget::LedgerError::exhausted;
  if (is_tight) co_await count_exactly(job);
  if (!grant && is_tight) grant = co_await reserve(job, &patience);
  co_return grant;
}

Task<Done> Relay::hold(Job& job) {
  Attempt& attempt = job.attempt;
  budget::Patience patience(parts_.reactor.after(limits_.budget_wait_max).at());
  budget::Result<budget::Grant> grant;
  {
    const ImpatienceGuard guard(job.caller.socket(), patience);
    do {
      if (!job.world->budgets->user_rules().empty()) {
        if (auto added = co_await add_user_budgets(job); !added) co_return added;
      }
      grant = co_await reserve_tightly(job, patience);
    } while (!grant && !patience.is_ended() && downgrade(job, grant.error()));
  }
  if (!grant) {
    job.record.caller_left = patience.is_ended();
    co_return std::unexpected(refusal_of(job, grant.error()));
  }
  attempt.grant = *grant;
  attempt.is_held = true;
  job.record.held = grant->amount;
  job.record.attempts = attempt.number;
  if (grant->amount < attempt.bound.cost_max) clamp_output(job);
  job.record.times.admitted_us = since_start(job);
  co_return Done{};
}

Task<Done> Relay::spend(Job& job) {
  // Beyond this point money is held: every way out passes settle().
  std::exception_ptr thrown;
  Done done;
  try {
    done = co_await call_provider(job);
  } catch (...) {
    thrown = std::current_exception();  // Memory may run out; money must not.
  }
  co_await settle(job);
  if (thrown) {
    finish_record(job);
    std::rethrow_exception(thrown);
  }
  co_return done;
}

bool Relay::has_attempt_left(const Job& job) const {
  return job.attempt.number < limits_.attempts_max;
}

bool Relay::keeps_content(const Job& job) const {
  return job.key->keeps_content && parts_.contents != nullptr;
}

bool Relay::may_need_request_again(const Job& job) const {
  return keeps_content(job) || has_attempt_left(job);
}

void Relay::keep_content(const Job& job) {
  if (!keeps_content(job) || job.caller.body().empty()) return;
  // Also a stream that ended with an error: its status was good, and the record tells.
  parts_.contents->keep(
      {.request = job.record.id,
       .owner = job.key->owner,
       .path = job.surface.path,
       .body = job.caller.body()},
      record::has_failed(job.record) ? record::Ending::failed : record::Ending::good);
}

Task<bool> Relay::has_next_attempt(Job& job, const ErrorAnswer& error) {
  if (job.has_answered() || job.record.caller_left || is_draining_) co_return false;
  const NextStep step = next_step(error,
                                  {.attempt = attempt_id(job),
                                   .has_alternative = !job.alternatives.empty(),
                                   .may_be_billed = may_be_billed(job)},
                                  limits_);
  if (step.kind == NextStep::Kind::give_up) co_return false;
  job.met_before.push_back(fmt::format("attempt {} at {}: {} ({})", job.attempt.number,
                                       job.attempt.target.model, error.code, error.status));
  if (step.pause > Duration{})
    co_await parts_.reactor.sleep_until(parts_.reactor.after(step.pause));
  if (job.caller.socket().hung_up()) {
    job.record.caller_left = true;
    co_return false;
  }
  Attempt next{.number = job.attempt.number + 1, .target = std::move(job.attempt.target)};
  if (step.kind == NextStep::Kind::next_target) {
    next.target = std::move(job.alternatives.back());
    job.alternatives.pop_back();
  }
  job.attempt = std::move(next);
  job.record.usage = {};
  job.record.finish_reason.clear();
  job.record.provider_request_id.clear();
  job.record.provider_status = 0;
  co_return true;
}

Task<Done> Relay::call_provider(Job& job) {
  const bool counts_here =
      job.operation == exchange::Operation::count_tokens &&
      (job.attempt.adapter->dialect() != job.request.dialect ||
       job.attempt.adapter
           ->path(*job.attempt.profile, job.request, job.attempt.target.provider_model)
           .empty());
  if (counts_here) return answer_estimate(job);
  if (auto written = write_translated(job); !written) return give_up(std::move(written.error()));
  // The key, or the runner's token, that opens the way.
  if (!job.attempt.target.local_model.is_none()) {
    if (parts_.runner == nullptr) {
      return give_up(runner_failed(
          {.error = route::RunnerError::no_runner, .message = "this server runs no model files"}));
    }
    return call_runner(job);
  }
  const auto* const credential = job.world->credentials->find(job.attempt.target.credential);
  if (credential == nullptr || credential->about.disabled) {
    return give_up(credential_gone());
  }
  const std::string& base_url = job.attempt.target.base_url.empty() ? job.attempt.profile->base_url
                                                                    : job.attempt.target.base_url;
  const Address* const address = address_of(base_url);
  if (address == nullptr) return give_up(credential_gone());
  return send_and_deliver(job, *address, credential->key.reveal());
}

Task<Done> Relay::call_runner(Job& job) {
  // A runner that died a moment ago refuses the connection: nothing was sent, so asking once
  // more is safe, and starts it anew.
  constexpr int kTriesMax = 2;
  for (int tried = 1;; ++tried) {
    const auto lease = co_await parts_.runner->acquire(
        job.attempt.target.local_model, parts_.reactor.after(limits_.runner_start_time_max));
    if (!lease) co_return std::unexpected(runner_failed(lease.error()));
    const Address address = Address::of_runner(lease->socket_path());
    auto done = co_await send_and_deliver(job, address, lease->token().reveal());
    if (done || job.attempt.reached_provider || tried == kTriesMax) co_return done;
  }
}

Task<Done> Relay::send_and_deliver(Job& job, const Address& address, std::string_view key) {
  for (;;) {
    auto connection = co_await parts_.pool.acquire(address.endpoint, address.pool_key,
                                                   parts_.reactor.after(limits_.connect_time_max));
    if (!connection) {
      co_return std::unexpected(judged_connection(job, connection.error()));
    }
    job.record.times.connected_us = since_start(job);
    net::ProviderExchange provider(std::move(connection->stream));
    auto done = co_await exchange_on(job, address, key, provider);
    // A kept connection that had died takes not one byte: nothing was asked, so ask on another.
    const bool was_stale = connection->reused && !done && !job.attempt.reached_provider;
    if (!was_stale || job.record.caller_left) co_return done;
  }
}

Task<Done> Relay::exchange_on(Job& job, const Address& address, std::string_view key,
                              net::ProviderExchange& provider) {
  // Who has gone while a connection was made is not asked for.
  if (job.caller.socket().hung_up()) {
    job.record.caller_left = true;
    co_return std::unexpected(caller_left_first(job.attempt.target.provider));
  }

  // From here to its end, whoever goes away takes the other side with them.
  const HangupGuard guard(job.caller.socket(), provider.stream().socket());
  const auto sent = co_await send_request(job, address, key, provider);
  // Whoever refuses a large request before it is whole has often said why before hanging up.
  const bool may_have_answered =
      !sent && sent.error() != net::IoError::cancelled && job.attempt.reached_provider;
  if (!sent && !may_have_answered) {
    co_return std::unexpected(broken(job, {.io = sent.error()}, "write"));
  }
  if (sent) job.record.times.sent_us = since_start(job);
  std::string().swap(job.attempt.translated_body);
  // The provider is at work; what its answer should look like is read meanwhile.
  if (sent) {
    job.attempt.soft_watch =
        SoftWatch::of(job.request, {.dialect = job.attempt.adapter->dialect(),
                                    .is_own_endpoint = is_own_endpoint(job.attempt)});
  }
  // Where another attempt could follow, the request is still needed.
  if (!may_need_request_again(job)) job.caller.release_request();

  constexpr Duration kEarlyAnswerTimeMax = std::chrono::seconds(1);
  const Deadline due =
      parts_.reactor.after(sent ? limits_.first_byte_time_max : kEarlyAnswerTimeMax);
  job.attempt.answer_due = due.at();
  const auto head = co_await provider.read_head("POST", due);
  if (!sent && (!head || provider.head().status < 400)) {
    co_return std::unexpected(broken(job, {.io = sent.error()}, "write"));
  }
  if (!head) co_return std::unexpected(broken(job, head.error(), "read"));
  job.record.times.first_byte_us = since_start(job);
  job.record.provider_status = provider.head().status;

  auto delivered = co_await deliver(job, provider);
  // What has come and was not read any more was generated, too.
  if (job.attempt.streamed.bytes > 0) {
    job.attempt.streamed.bytes += provider.stream().socket().unread_bytes();
  }
  if (sent && provider.is_reusable()) parts_.pool.release(address.pool_key, provider.take_stream());
  co_return delivered;
}

Task<void> Relay::settle(Job& job) {
  if (std::exchange(job.attempt.is_settled, true)) co_return;
  job.attempt.ended_at = parts_.reactor.clock().wall_now();
  const auto [cost, certainty] = true_cost(job);
  const auto receipt = co_await parts_.ledger.settle_forgotten(
      job.attempt.grant.hold, job.attempt.budgets, cost, certainty);
  job.was_overrun = job.was_overrun || is_overrun(job, cost);
  // Every attempt is paid for, and the request's cost is what all of them cost.
  job.record.cost += cost;
  job.record.cost_state = std::max(job.record.cost_state, cost_state_of(certainty));
  job.attempt.left = receipt ? receipt->left : job.attempt.grant.left;
  job.turn.count_tokens(job.record.usage.total_tokens());
}

Task<void> Relay::answer_error(net::ServerConnection& caller, const api::Dialect& dialect,
                               Failure failure, Job* job) {
  ErrorAnswer& error = *failure;
  if (job != nullptr) {
    error.request = job->record.id;
    error.evidence.insert(error.evidence.begin(), job->met_before.begin(), job->met_before.end());
    note_failure(job->record, error);
    if (job->record.caller_left) {
      caller.close_after_answer();  // What follows would be read as this answer.
      co_return;
    }
    if (job->has_answered()) {  // Bytes have reached the caller: say it in the stream.
      co_await end_stream_with(*job, error);
      co_return;
    }
    job->record.status = error.status;
  }
  net::http::HeadWriter head = caller.answer(error.status);
  add_error_headers(head, error);
  if (job != nullptr) add_job_headers(head, *job);
  const bool is_theirs = job != nullptr && !job->attempt.provider_error.empty();
  const std::string body =
      is_theirs ? dialect.annotated_error_body(job->attempt.provider_error.bytes(), error)
                : dialect.error_body(error);
  const auto sent = co_await caller.send(head, "application/json", body);
  if (!sent) caller.close_after_answer();
  if (job != nullptr) job->record.answer_bytes = static_cast<std::int64_t>(body.size());
}

}  // namespace claviger::relay

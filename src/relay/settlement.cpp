#include "relay/settlement.h"

#include <algorithm>

namespace claviger::relay {

namespace {

/// By the rates of the time at which it is billed. Some providers take the moment at which a
/// request came, others that at which its answer ended; between two windows, the dearer counts.
NanoUsd cost_then(const Job& job, const exchange::Usage& usage) {
  const catalog::Price& price = *job.attempt.target.price;
  if (price.daily.empty()) return catalog::cost_of(usage, price);
  return std::max(catalog::cost_of(usage, price, job.attempt.begun_at),
                  catalog::cost_of(usage, price, job.attempt.ended_at));
}

/// Whether that is what is billed, and not only its upper bound.
bool is_cost_exact(const Job& job) {
  const exchange::Usage& usage = job.record.usage;
  const catalog::Price& price = *job.attempt.target.price;
  if (price.daily.empty()) return catalog::is_exact(usage, price);
  return catalog::is_exact(usage, price, job.attempt.begun_at) &&
         catalog::cost_of(usage, price, job.attempt.begun_at) ==
             catalog::cost_of(usage, price, job.attempt.ended_at);
}

}  // namespace

NanoUsd cost_so_far(const Job& job) {
  // What the provider states itself is what it bills, where it is known to bill what it states.
  if (job.attempt.profile->states_cost && job.record.usage.stated_cost)
    return *job.record.usage.stated_cost;
  const catalog::Price& price = *job.attempt.target.price;
  if (price.always.empty()) return cost_then(job, job.record.usage);
  return cost_then(job, catalog::with_incurred(job.record.usage, price));
}

namespace {

/// The bound on the output of all choices; none where nothing bounds it.
std::optional<std::int64_t> output_tokens_allowed(const Job& job) {
  const auto& written = job.attempt.output_tokens_written;
  if (!written) return std::nullopt;
  return job.attempt.bound.all_output_tokens(*written);
}

/// Sound takes many bytes a token: nothing of the lower bound for text holds for it.
std::int64_t streamed_tokens_least(const Job& job) {
  return job.request.extras.has_spoken_answer ? 0 : tokens_least(job.attempt.streamed);
}

/// What an attempt costs whose provider never gave its last word.
NanoUsd cost_unsaid(const Job& job) {
  const Attempt& attempt = job.attempt;
  if (is_beyond_hold(job)) {
    const exchange::Usage streamed{.output_tokens = streamed_tokens_least(job)};
    return std::max({attempt.grant.amount, cost_so_far(job),
                     catalog::cost_of(streamed, *attempt.target.price)});
  }
  // A stream alone shows what was generated; the rest of a whole answer is not seen.
  if (!attempt.profile->cancel_stops_billing || attempt.streamed.bytes == 0) {
    return attempt.grant.amount;
  }
  catalog::UsageBound consumed = attempt.bound.usage;
  consumed.input_tokens_max = attempt.bound.input_tokens_max;
  consumed.output_tokens_max = tokens_most(attempt.streamed);
  return std::min(attempt.grant.amount, catalog::worst_cost(consumed, *attempt.target.price));
}

}  // namespace

bool is_beyond_hold(const Job& job) {
  const Attempt& attempt = job.attempt;
  if (attempt.is_unbounded) return false;
  if (attempt.usage_state == provider::UsageState::sound &&
      cost_so_far(job) > attempt.grant.amount) {
    return true;
  }
  const auto allowed = output_tokens_allowed(job);
  return allowed && streamed_tokens_least(job) > *allowed;
}

bool is_overrun(const Job& job, NanoUsd cost) {
  if (job.attempt.is_unbounded) return false;
  if (cost > job.attempt.grant.amount) return true;
  const auto allowed = output_tokens_allowed(job);
  return allowed && job.attempt.usage_state == provider::UsageState::sound &&
         job.record.usage.output_tokens > *allowed;
}

bool may_be_billed(const Job& job) {
  return job.attempt.reached_provider && !job.attempt.provider_refused;
}

TrueCost true_cost(const Job& job) {
  using budget::Certainty;
  // Counting is free, whatever its answer says, and needs no price.
  if (job.operation == exchange::Operation::count_tokens) return {NanoUsd(0), Certainty::billed};
  switch (job.attempt.usage_state) {
    case provider::UsageState::sound: {
      // A running count of a stream that broke off says what was counted, not what is billed.
      if (!job.attempt.usage_is_final) {
        return {cost_unsaid(job), Certainty::estimated};
      }
      const catalog::Price& price = *job.attempt.target.price;
      const bool is_stated = job.attempt.profile->states_cost && job.record.usage.stated_cost;
      // What has no rate is not free: the hold is the best that is known.
      if (!is_stated && !catalog::unpriced(job.record.usage, price).empty()) {
        return {std::max(job.attempt.grant.amount, cost_so_far(job)), Certainty::estimated};
      }
      const bool is_exact = is_stated || is_cost_exact(job);
      return {cost_so_far(job), is_exact ? Certainty::billed : Certainty::estimated};
    }
    case provider::UsageState::impossible:
      return {job.attempt.grant.amount, Certainty::quarantined};
    case provider::UsageState::absent:
      break;
  }
  if (!may_be_billed(job)) return {NanoUsd(0), Certainty::billed};
  return {cost_unsaid(job), Certainty::estimated};
}

record::CostState cost_state_of(budget::Certainty certainty) {
  switch (certainty) {
    case budget::Certainty::billed:
    case budget::Certainty::reconciled:
      return record::CostState::billed;
    case budget::Certainty::estimated:
      return record::CostState::estimated;
    case budget::Certainty::quarantined:
      return record::CostState::quarantined;
  }
  return record::CostState::estimated;
}

}  // namespace claviger::relay

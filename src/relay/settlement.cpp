#include "relay/settlement.h"

#include <algorithm>

namespace claviger::relay {

NanoUsd cost_so_far(const Job& job) {
  // What the provider states itself is what it bills, where it is known to bill what it states.
  if (job.profile->states_cost && job.record.usage.stated_cost)
    return *job.record.usage.stated_cost;
  return catalog::cost_of(job.record.usage, *job.target.price);
}

TrueCost true_cost(const Job& job) {
  using budget::Certainty;
  switch (job.usage_state) {
    case provider::UsageState::sound: {
      // A running count of a stream that broke off says what was counted, not what is billed.
      if (!job.usage_is_final) {
        return {std::max(job.grant.amount, cost_so_far(job)), Certainty::estimated};
      }
      const bool is_exact = job.target.price->kind == catalog::PriceKind::exact ||
                            (job.profile->states_cost && job.record.usage.stated_cost);
      return {cost_so_far(job), is_exact ? Certainty::billed : Certainty::estimated};
    }
    case provider::UsageState::impossible:
      return {job.grant.amount, Certainty::quarantined};
    case provider::UsageState::absent:
      break;
  }
  if (!job.reached_provider || job.provider_refused) return {NanoUsd(0), Certainty::billed};
  return {job.grant.amount, Certainty::estimated};
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

/// Going to a cheaper model where money is short: only to those that the owner of the budget has
/// put on its list, and the caller is told.

#include <algorithm>
#include <utility>

#include "access/model_pattern.h"
#include "relay/relay.h"

namespace claviger::relay {
namespace {

struct Candidate {
  route::Target target;
  NanoUsd cost_max;
};

}  // namespace

bool Relay::downgrade(Job& job, const budget::Refusal& refusal) {
  const budget::Budget* const tight = definition_of(job, refusal.budget);
  if (refusal.error != budget::LedgerError::exhausted || tight == nullptr ||
      tight->terms.when_exhausted != budget::WhenExhausted::downgrade) {
    return false;
  }
  Attempt& attempt = job.attempt;
  const route::Target dear = attempt.target;
  const NanoUsd dear_cost = attempt.bound.cost_max;
  const auto go_to = [&](route::Target target) {
    attempt.target = std::move(target);
    return choose_place(job).has_value() && bound_cost(job).has_value();
  };
  if (!job.cheaper) {
    std::vector<Candidate> candidates;
    for (const std::string& model : tight->downgrade_to) {
      auto plan = job.world->routes->plan(model, job.key->owner);
      if (!plan || !access::may_use(*job.key, plan->first.model)) continue;
      // A dearer one, or the same, would only be refused again.
      if (go_to(plan->first) && attempt.bound.cost_max < dear_cost) {
        candidates.push_back({std::move(plan->first), attempt.bound.cost_max});
      }
    }
    std::ranges::stable_sort(candidates, std::ranges::greater(), &Candidate::cost_max);
    job.cheaper.emplace();
    for (Candidate& candidate : candidates) job.cheaper->push_back(std::move(candidate.target));
  }
  while (!job.cheaper->empty()) {
    route::Target next = std::move(job.cheaper->back());
    job.cheaper->pop_back();
    if (!go_to(std::move(next))) continue;
    if (job.downgraded_from.empty()) job.downgraded_from = dear.model;
    return true;
  }
  // What is said is about the model that was asked for.
  static_cast<void>(go_to(dear));
  return false;
}

}  // namespace claviger::relay

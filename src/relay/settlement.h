#pragma once

/// What a request really cost, as far as it is known.

#include "budget/ledger.h"
#include "record/record.h"
#include "relay/job.h"

namespace claviger::relay {

struct TrueCost {
  NanoUsd cost;
  budget::Certainty certainty;
};

/// By the provider's own usage where there is one. Without it: nothing where the request never
/// reached the provider or was refused by it; otherwise the full hold, marked as estimated,
/// because the provider may bill it. Impossible usage is quarantined at the full hold.
TrueCost true_cost(const Job& job);

/// Whether the provider may have done work that it bills. False for certain where the request
/// never reached it, or was refused in its own words.
bool may_be_billed(const Job& job);

/// The cost of the usage that has been read so far.
NanoUsd cost_so_far(const Job& job);

record::CostState cost_state_of(budget::Certainty certainty);

}  // namespace claviger::relay

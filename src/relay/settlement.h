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
/// because the provider may bill it; where its profile says that cancelling stops the bill, what
/// the input and the part that was streamed can have cost, if that is less. Impossible usage is
/// quarantined at the full hold.
TrueCost true_cost(const Job& job);

/// Whether the provider may have done work that it bills. False for certain where the request
/// never reached it, or was refused in its own words.
bool may_be_billed(const Job& job);

/// The cost of the usage that has been read so far.
NanoUsd cost_so_far(const Job& job);

/// Whether a stream that is not over has gone beyond what was held for it: by the provider's own
/// running count, or because it brought more tokens than the bound that it was given. Never true
/// of a provider that keeps to its bound. A few instructions.
bool is_beyond_hold(const Job& job);

/// Whether what is billed is more than was asked for: a cost beyond the hold, or more output than
/// the bound that was written into the request.
bool is_overrun(const Job& job, NanoUsd cost);

record::CostState cost_state_of(budget::Certainty certainty);

}  // namespace claviger::relay

#pragma once

/// What is done about an attempt that failed before a byte reached the caller. It follows the
/// verdict and not the status: what cannot succeed is not tried again, what another place may
/// do is tried there, and whoever asks for a pause is given it.

#include <cstdint>

#include "api/dialect.h"
#include "base/ids.h"
#include "base/time.h"
#include "relay/limits.h"

namespace claviger::relay {

struct NextStep {
  enum class Kind : std::uint8_t {
    give_up,      ///< The caller is told what happened.
    same_again,   ///< The same place, after `pause`.
    next_target,  ///< The next place that the owner has put on the list, at once.
  } kind = Kind::give_up;
  Duration pause{};
};

/// How an attempt ended, as far as the next step depends on it.
struct Ending {
  AttemptId attempt;
  bool has_alternative = false;
  /// The provider may have done the work and bill it: buying it there once more is not ours to
  /// decide. Another place on the owner's list is.
  bool may_be_billed = false;
};

/// The pause grows with each attempt and is spread by the request's id, so that requests which
/// failed together do not come back together; a provider's own wish is kept.
NextStep next_step(const api::ErrorAnswer& error, const Ending& ending, const Limits& limits);

}  // namespace claviger::relay

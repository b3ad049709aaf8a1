#pragma once

/// A request that is made in a caller's place to find something out (`claviger diagnose`). It
/// takes the way of every request, with its key's rights, a hold, a settlement and a record; it
/// may be bound to one credential, and to an amount of its own that is far below any budget.

#include <optional>

#include "base/ids.h"
#include "base/money.h"

namespace claviger::relay {

struct Errand {
  RequestId request;        ///< Under which it is recorded; new_request_id() makes one.
  VirtualKeyId key;         ///< In whose place. One that was revoked since is refused.
  CredentialId credential;  ///< Where, and nowhere else; none: wherever the request would go.
  std::optional<NanoUsd> cost_max;  ///< Refused where it could cost more.
};

}  // namespace claviger::relay

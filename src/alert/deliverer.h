#pragma once

/// How a message reaches a person. deliver/ implements it, since layer 2 knows no network.

#include <cstdint>
#include <optional>
#include <string>

#include "alert/alert.h"
#include "alert/payload.h"
#include "base/task.h"
#include "base/time.h"

namespace claviger::alert {

struct DeliveryOutcome {
  enum class Result : std::uint8_t {
    delivered,
    failed,   ///< It may work later.
    refused,  ///< It never will: the address is gone, or it was told so.
  };
  Result result = Result::failed;
  std::string trouble;  ///< A sentence for a person, unless delivered. No secrets.
  std::optional<std::chrono::seconds> retry_after;  ///< What the other side asked for.
};

/// Threads: the control thread. Suspends, never blocks.
class Deliverer {
 public:
  virtual ~Deliverer() = default;
  /// Until `deadline`. Delivering a message again is harmless: its id stays.
  virtual Task<DeliveryOutcome> deliver(Channel channel, Message message, Deadline deadline) = 0;
};

}  // namespace claviger::alert

#include "alert/retry.h"

#include <algorithm>

#include "exchange/json_writer.h"

namespace claviger::alert {
namespace {

std::chrono::milliseconds with_jitter(std::chrono::milliseconds pause, std::mt19937_64& random) {
  // 80 to 120 %, in thousandths.
  const auto thousandths = static_cast<std::int64_t>(800 + random() % 401);
  return pause * thousandths / 1000;
}

}  // namespace

Delivery after_attempt(Delivery delivery, const DeliveryOutcome& outcome, WallTime now,
                       std::mt19937_64& random) {
  ++delivery.attempts;
  if (outcome.result == DeliveryOutcome::Result::delivered) {
    delivery.state = DeliveryState::delivered;
    delivery.delivered_at = now;
    delivery.trouble.clear();
    return delivery;
  }
  delivery.trouble = exchange::clipped(outcome.trouble, kTroubleBytesMax);
  if (outcome.result == DeliveryOutcome::Result::refused || delivery.attempts >= kAttemptsMax) {
    delivery.state = DeliveryState::dead;
    return delivery;
  }
  const auto pause = with_jitter(kPauses[static_cast<std::size_t>(delivery.attempts - 1)], random);
  const auto asked = std::min<std::chrono::milliseconds>(
      outcome.retry_after.value_or(std::chrono::seconds(0)), kRetryAfterMax);
  delivery.state = DeliveryState::waiting;
  delivery.next_at = now + std::max(pause, asked);
  return delivery;
}

}  // namespace claviger::alert

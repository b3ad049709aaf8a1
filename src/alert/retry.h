#pragma once

/// When a delivery that failed is tried again: after seconds at first, hours at last, for about
/// a day in all; then it is given up. Each pause is shortened or lengthened by up to a fifth at
/// random, so that all that failed at one moment does not come back at one moment.

#include <array>
#include <chrono>
#include <cstdint>
#include <random>

#include "alert/alert.h"
#include "alert/deliverer.h"

namespace claviger::alert {

/// The pause after the first failure, the second, … 23.7 hours together.
inline constexpr std::array<std::chrono::seconds, 10> kPauses = {
    std::chrono::seconds(5),  std::chrono::seconds(30), std::chrono::minutes(2),
    std::chrono::minutes(10), std::chrono::minutes(30), std::chrono::hours(1),
    std::chrono::hours(2),    std::chrono::hours(4),    std::chrono::hours(7),
    std::chrono::hours(9)};
inline constexpr int kAttemptsMax = static_cast<int>(kPauses.size()) + 1;
/// Longer than that nobody is let put us off.
inline constexpr std::chrono::hours kRetryAfterMax{12};
inline constexpr std::size_t kTroubleBytesMax = 512;

/// What becomes of `delivery` after one more attempt.
Delivery after_attempt(Delivery delivery, const DeliveryOutcome& outcome, WallTime now,
                       std::mt19937_64& random);

}  // namespace claviger::alert

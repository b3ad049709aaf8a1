#pragma once

/// From the share of the votes to how often such a verdict is right. Shares say how far one
/// suspect is ahead of the others, not whether the rules are right at all: that is what the
/// factors add, and bench/verdicts measures (docs/decisions/verdicts.md).

#include <algorithm>
#include <cstdint>

namespace claviger::fault {

/// What a suspicion rests on.
enum class Grounds : std::uint8_t {
  documented,    ///< The provider's own rules say so.
  corroborated,  ///< Code and message, of a provider that we know nothing about, say the same.
  single,        ///< One of both, or a status alone.
};

/// Below this the verdict says that it is inconclusive.
inline constexpr double inconclusive_below = 0.5;

constexpr double calibrated(double share, Grounds grounds) {
  constexpr double kDocumented = 0.99;
  constexpr double kCorroborated = 0.975;
  constexpr double kSingle = 0.95;
  const double factor = grounds == Grounds::documented     ? kDocumented
                        : grounds == Grounds::corroborated ? kCorroborated
                                                           : kSingle;
  return std::clamp(share, 0.0, 1.0) * factor;
}

}  // namespace claviger::fault

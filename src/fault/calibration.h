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

/// Where one suspect has nearly all votes, more of them are right than the grounds alone promise;
/// where several share them, no more are. So the factor rises with the share, from here on.
inline constexpr double share_that_is_clear = 0.9;

constexpr double calibrated(double share, Grounds grounds) {
  constexpr double kDocumented = 0.99;
  constexpr double kCorroborated = 0.975;
  constexpr double kSingle = 0.95;
  constexpr double kDoubtThatGoes = 0.6;  // Of what is left to doubt, where all votes agree.
  const double ground = grounds == Grounds::documented     ? kDocumented
                        : grounds == Grounds::corroborated ? kCorroborated
                                                           : kSingle;
  const double of_all = std::clamp(share, 0.0, 1.0);
  const double clear = std::max(0.0, (of_all - share_that_is_clear) / (1 - share_that_is_clear));
  return std::min(of_all * (ground + (1 - ground) * kDoubtThatGoes * clear), kDocumented);
}

}  // namespace claviger::fault

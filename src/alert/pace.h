#pragma once

/// How fast a budget is being spent, and when it will be used up if it goes on like this.
/// Integers throughout.
///
/// Spending comes in bursts (a batch at night) and in days (nobody at three in the morning), so
/// neither the last minutes nor the average since the period began say what comes next. The
/// estimate is the sum of the last 24 hours in half-hour slots, in which the few fullest slots
/// count no more than the fullest of the others: one burst does not make a pace, and a whole
/// day has its night. With less than three hours of watching, or less than three slots in which
/// anything was spent, there is no pace, and nothing is said.

#include <array>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "base/money.h"
#include "base/time.h"

namespace claviger::alert {

inline constexpr std::chrono::minutes kSlot{30};
inline constexpr std::size_t kSlotsWatched = 48;  ///< 24 hours, and the slot that runs.
inline constexpr std::size_t kSlotsInMemory = kSlotsWatched + 1;
inline constexpr std::chrono::hours kSamplesKept{25};
/// Slots that have to be over before there is a pace, and how many of them with spending.
inline constexpr std::size_t kSlotsLeast = 6;
inline constexpr std::size_t kBusySlotsLeast = 3;
/// One slot in so many may be a burst: 10 %.
inline constexpr std::size_t kSlotsPerBurst = 10;
/// Forecasts end here: what is further away is no forecast.
inline constexpr std::chrono::hours kForecastMax{24 * 365};

/// What a budget had spent in its period at the end of a slot, as it is kept across restarts.
struct PaceSample {
  BudgetId budget;
  std::int64_t slot = 0;  ///< Half hours since 1970.
  WallTime period_start;
  NanoUsd spent;  ///< In that period, so far.
  friend bool operator==(const PaceSample&, const PaceSample&) = default;
};

/// A rate of spending.
struct Rate {
  NanoUsd amount;             ///< Above 0.
  std::chrono::seconds over;  ///< Above 0.
  /// What it comes to in a day.
  NanoUsd per_day() const;
};

/// When `left` (>= 0) will be gone; nothing where that is further away than kForecastMax.
std::optional<WallTime> used_up_at(const Rate& rate, NanoUsd left, WallTime now);

/// Threads: one at a time.
class Paces {
 public:
  /// What was kept; oldest first for each budget.
  void restore(const std::vector<PaceSample>& samples);
  /// `spent` in the period that began at `period_start`, seen at `now`. Returns what is to be
  /// kept: a sample of each slot that has ended since the last look.
  void observe(BudgetId budget, WallTime period_start, NanoUsd spent, WallTime now,
               std::vector<PaceSample>& to_keep);
  /// Nothing where too little is known.
  std::optional<Rate> rate(BudgetId budget, WallTime now) const;
  /// Forgets budgets that are not among `budgets`.
  template <typename IsKnown>
  void forget_unless(IsKnown is_known) {
    std::erase_if(tracks_, [&](const auto& entry) { return !is_known(entry.first); });
  }

 private:
  struct Track {
    std::int64_t first_slot = 0;  ///< Where watching began.
    std::int64_t slot = 0;        ///< The one that runs.
    WallTime period_start;
    NanoUsd spent;                                     ///< At the last look.
    std::array<std::int64_t, kSlotsInMemory> nanos{};  ///< By slot, modulo their number.
  };
  static void move_to(Track& track, std::int64_t slot);
  static void count(Track& track, WallTime period_start, NanoUsd spent);

  std::unordered_map<BudgetId, Track> tracks_;
};

}  // namespace claviger::alert

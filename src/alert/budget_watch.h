#pragma once

/// From how a budget stands to what is to be said about it. Pure but for what it remembers:
/// which occasions have been found in this period, so that nobody is asked about them again.

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "alert/alert.h"
#include "alert/pace.h"
#include "budget/budget_book.h"

namespace claviger::alert {

struct WatchedBudget {
  budget::Budget budget;
  std::string scope;  ///< As people write it: `owner:alice`.
  OwnerId owner;      ///< Whom it concerns besides the operator; none: nobody.
};

/// How it goes on, if it goes on like this.
struct Outlook {
  std::optional<Rate> rate;            ///< None: too little is known.
  std::optional<WallTime> used_up_at;  ///< None: not before the period is over, or not known.
};

/// A budget of which a threshold is passed, for the header of its requests' answers.
struct Passed {
  BudgetId budget;
  std::int64_t used_percent = 0;  ///< 100 from the first refusal or clamp on.
  std::string header;  ///< `bud_3; used=82%; threshold=80%; resets=2026-12-01T00:00:00.000Z`
};

/// All of them at one moment. Immutable; share it freely.
class PassedThresholds {
 public:
  explicit PassedThresholds(std::vector<Passed> passed);
  /// The fullest of `budgets`, or null where no threshold of any is passed.
  const Passed* fullest_of(std::span<const BudgetId> budgets) const;
  bool empty() const { return passed_.empty(); }
  const std::vector<Passed>& all() const { return passed_; }

 private:
  std::vector<Passed> passed_;  ///< Sorted by budget.
};

/// Threads: one at a time.
class BudgetWatch {
 public:
  /// A forecast has to hold for so long before it is said: longer than a burst of requests.
  static constexpr std::chrono::minutes kForecastHeldFor{30};

  enum class TurnedAway : std::uint8_t { no, yes };

  struct Look {
    std::vector<Finding> findings;  ///< Those that were not found() yet.
    std::optional<Passed> passed;
    Outlook outlook;
  };
  /// `turned_away`: it refused or clamped a request since the last look.
  Look look(const WatchedBudget& watched, const budget::Balance& balance, TurnedAway turned_away,
            const std::optional<Rate>& rate, WallTime now);

  /// `occasion` is kept by the store from now on.
  void found(BudgetId budget, const std::string& occasion);
  /// Forgets budgets that are not among `budgets`.
  template <typename IsKnown>
  void forget_unless(IsKnown is_known) {
    std::erase_if(states_, [&](const auto& entry) { return !is_known(entry.first); });
  }

 private:
  /// Of the running period, under the present limit: one that was raised is a new one.
  struct State {
    WallTime period_start;
    NanoUsd limit;
    bool was_turned_away = false;
    std::optional<WallTime> forecast_since;
    std::vector<std::string> found;
  };

  std::unordered_map<BudgetId, State> states_;
};

/// What of the limit is used, in percent, rounded down; a limit of 0 is used up. Held money does
/// not count, since most of it comes back.
std::int64_t used_percent(const budget::Balance& balance);

}  // namespace claviger::alert

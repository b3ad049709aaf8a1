#pragma once

/// Keeps watch and sees that people hear of it. Lives on the control thread, which calls tick()
/// about once a second: what other threads left in the inbox becomes alerts, balances are looked
/// over, and deliveries whose time has come are made.
///
/// Why a sweep, although a ledger can say at once what it crosses: a note from there is only a
/// hint that hastens the sweep. What decides is the balance, which survives a crash; so nothing
/// is missed because somebody died between crossing and telling.
///
/// Order that makes it safe to be killed at any moment: an alert and its deliveries are in the
/// store before anything is sent; a delivery is marked as made after it was made. So each is
/// made at least once, under one id.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include "alert/alert_store.h"
#include "alert/budget_watch.h"
#include "alert/deliverer.h"
#include "alert/inbox.h"
#include "alert/pace.h"
#include "base/task.h"
#include "budget/ledger.h"

namespace claviger::alert {

/// The ledger's word that a budget has passed a threshold in a period. 100: it refused or clamped
/// its first request there, or all of it is spent.
struct Crossed {
  BudgetId budget;
  WallTime period_start;
  int percent = 0;
};

/// Threads: the control thread only.
class Alerts {
 public:
  struct Parts {
    const Clock& clock;
    AlertStore& store;
    budget::Ledger& ledger;
    Deliverer& deliverer;
    Inbox& inbox;
    /// All that was crossed since the last call. May be null: then only the sweep looks.
    std::function<std::vector<Crossed>()> take_crossed;
    /// There are new alerts to follow along with.
    std::function<void()> on_alert;
    /// Which budgets have a threshold passed has changed.
    std::function<void(std::shared_ptr<const PassedThresholds>)> on_passed;
    std::uint64_t jitter_seed = 0;
  };
  static constexpr Duration kSweepEvery = std::chrono::seconds(2);
  /// So many budgets are looked over in that time; with more it takes longer.
  static constexpr std::size_t kBudgetsPerSweep = 1000;
  static constexpr std::size_t kAttemptsAtOnceMax = 8;
  /// A slow receiver must not keep the others waiting.
  static constexpr std::size_t kAttemptsPerChannelMax = 2;
  static constexpr Duration kAttemptTimeMax = std::chrono::seconds(20);
  /// How long alerts about requests and models are kept.
  static constexpr std::chrono::hours kKeptFor{24 * 90};

  explicit Alerts(Parts parts);

  /// What is known of paces. Where the store does not answer, they are learned anew.
  void start();

  /// The budgets that are in force.
  void set_budgets(std::vector<WatchedBudget> budgets);

  /// One turn. At most one at a time: a second call while one waits for the ledger does nothing.
  Task<void> tick();
  /// Lets the next tick look for deliveries at once.
  void deliver_soon() { look_for_due_at_ = Instant{}; }

  /// How a budget goes on, as of the last sweep.
  Outlook outlook(BudgetId budget) const;
  /// Tries a channel out. Suspends until it has answered.
  Task<DeliveryOutcome> test(Channel channel);

  AlertStore& store() { return parts_.store; }
  /// What could not be kept because the store did not take it; it is tried again.
  std::size_t findings_waiting() const { return waiting_.size(); }
  std::size_t attempts_under_way() const { return under_way_.size(); }

 private:
  using DeliveryKey = std::pair<std::int64_t, ChannelId>;

  /// Looks at those that are in `crossed`, or at all where the sweep is due.
  Task<void> look(const std::vector<Crossed>& crossed);
  void look_at(const WatchedBudget& watched, const budget::Balance& balance,
               BudgetWatch::TurnedAway turned_away, std::vector<PaceSample>& samples);
  void keep_findings();
  void write_outcomes();
  void start_deliveries();
  Task<void> attempt(DueDelivery due);
  Duration sweep_every() const;
  void publish_passed();

  Parts parts_;
  std::mt19937_64 random_;
  std::vector<WatchedBudget> budgets_;
  BudgetWatch watch_;
  Paces paces_;
  std::map<BudgetId, Outlook> outlooks_;
  std::vector<Finding> waiting_;
  std::map<BudgetId, Passed> passed_;
  std::shared_ptr<const PassedThresholds> published_;
  std::set<DeliveryKey> under_way_;
  /// Made, but not yet marked: the store did not take it. Not made again meanwhile.
  std::map<DeliveryKey, Delivery> outcomes_;
  Instant swept_at_{};
  Instant look_for_due_at_{};
  std::optional<WallTime> forgot_at_;
  bool is_ticking_ = false;
};

}  // namespace claviger::alert

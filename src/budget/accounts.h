#pragma once

/// The money of every budget, in memory: what is committed against each limit right now.
///
/// One number per budget enforces the limit: `committed` = spent + held + unconfirmed. A hold
/// raises it by compare-and-exchange, and only where the result stays within the limit, so
/// two requests can never both take the last dollar. A settlement moves it by the difference
/// between cost and hold. The split into spent, held and unconfirmed is for people to see.
///
/// Only the running period of a budget is kept here. A settlement of a hold from an earlier
/// period goes to the journal and the store, where that period's sum is; it cannot concern
/// any limit any more.

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <limits>
#include <span>
#include <vector>

#include "base/ids.h"
#include "base/money.h"
#include "base/time.h"
#include "budget/clock_watch.h"
#include "budget/gate.h"
#include "budget/lease_store.h"
#include "budget/ledger.h"
#include "budget/ledger_store.h"

namespace claviger::budget {

/// Is told when a budget on which somebody waits may have room. Threads: any; must be quick.
class RoomListener {
 public:
  virtual ~RoomListener() = default;
  virtual void room_grew(BudgetId budget) noexcept = 0;
};

/// One budget's money. What requests change stands in one cache line.
struct alignas(64) Account {
  /// Changed by those who pass the gate.
  std::atomic<std::int64_t> committed_nanos{0};
  std::atomic<std::int64_t> held_nanos{0};
  std::atomic<std::int64_t> unconfirmed_nanos{0};
  /// Requests that hold money, or are about to: among so many is shared what is left.
  std::atomic<std::int64_t> open_holds{0};
  /// Whoever brings spent and unconfirmed up to here leaves a note; see thresholds.h.
  std::atomic<std::int64_t> next_threshold_nanos{kNoThreshold};
  std::atomic<bool> has_refused{false};  ///< In this period.

  static constexpr std::int64_t kNoThreshold = std::numeric_limits<std::int64_t>::max();

  /// Requests that stand in line for it.
  alignas(64) std::atomic<std::int64_t> waiting{0};

  /// Changed behind the closed gate only.
  std::int64_t limit_nanos = 0;
  /// What the lease allows; see lease_store.h. Where nothing is leased it is no bound.
  std::int64_t ceiling_nanos = 0;
  std::int64_t lease_step_nanos = 0;     ///< How much more the next lease asks for.
  std::int64_t committed_when_seen = 0;  ///< By give_back_idle().
  std::int64_t period_start_us = 0;
  std::int64_t period_end_us = 0;
  BudgetTerms terms;
  BudgetId id;  ///< Never changes.
  /// A budget without terms is known from the journal or the store alone, or was removed:
  /// it takes settlements and grants nothing.
  enum class State : std::uint8_t { without_terms, in_force } state = State::without_terms;
};

/// Where an attempt holds money: the accounts, each in the period in which it was taken.
/// Copying costs what is in it: most requests concern four budgets, and this is copied on each
/// one's way.
class HeldAccounts {
 public:
  struct Item {
    Account* account;
    std::int64_t period_start_us;
  };
  HeldAccounts() = default;
  HeldAccounts(const HeldAccounts& other) { *this = other; }
  HeldAccounts& operator=(const HeldAccounts& other) {
    size_ = other.size_;
    for (std::uint32_t index = 0; index < size_; ++index) items_[index] = other.items_[index];
    return *this;
  }
  void add(Item item) { items_[size_++] = item; }
  std::span<const Item> items() const { return {items_.data(), size_}; }
  /// For the journal and the store.
  HeldOnSet budgets() const;

 private:
  std::uint32_t size_ = 0;
  std::array<Item, BudgetSet::kMost> items_;
};

/// Threads: any method, from any thread, concurrently. Nothing here does I/O; a call waits
/// for others for some hundred nanoseconds at most, while the gate is closed.
class Accounts {
 public:
  /// Amounts and sums stop here (4.6 billion dollars). A sum that got here stays until its
  /// period is over, since what it really is has been lost: too strict, never too loose.
  static constexpr std::int64_t kSumMaxNanos = std::int64_t{1} << 62;
  static constexpr std::size_t kAccountsMax = 1'000'000;

  /// Whether money has to be leased before it is held.
  enum class Leasing : std::uint8_t { none, required };

  /// `clock` outlives this.
  explicit Accounts(const Clock& clock, Leasing leasing = Leasing::none)
      : watch_(clock), leasing_(leasing) {}

  /// What a request wants of each of its budgets; see Reservation.
  struct Demand {
    NanoUsd cost_max;
    NanoUsd cost_least;
    WallTime now;
    /// Whether it goes to the end of the line where others wait already.
    enum class Turn : std::uint8_t { behind_those_who_wait, its_own } turn = Turn::its_own;
  };
  struct Holding {
    HeldAccounts accounts;
    NanoUsd amount;
    NanoUsd left;
  };

  /// Takes a hold on all budgets or on none, and opens new periods where they are due.
  /// Errors: exhausted, unknown_budget (also for an empty set: without a ceiling there would
  /// be no limit).
  Result<Holding> reserve(const BudgetSet& budgets, const Demand& demand);

  /// What to lease so that the demand can be met, with some to spare: more the more often it
  /// is asked. Empty where nothing is missing, or the demand fits no limit.
  std::vector<Lease> leases_for(const BudgetSet& budgets, const Demand& demand);
  /// These are durable now.
  void take_leases(const std::vector<Lease>& leases);
  /// Lowers the ceilings of accounts that have not moved since the last call to what is
  /// committed, and returns the leases that are left of them, at most `most`.
  std::vector<Lease> give_back_idle(std::size_t most);

  /// How an attempt's money moves; all in nano-dollars.
  struct Change {
    std::int64_t committed = 0;
    std::int64_t held = 0;
    std::int64_t unconfirmed = 0;
    std::int64_t open_holds = 0;
  };
  /// Applies a change to those accounts whose period is still the attempt's. Returns what the
  /// tightest of them has left, never below 0.
  NanoUsd apply(const HeldAccounts& accounts, const Change& change);

  /// Errors: unknown_budget for an impossible id, unavailable above kAccountsMax.
  Result<void> set_terms(const BudgetTerms& terms, WallTime now);
  /// Errors: unknown_budget.
  Result<void> remove(BudgetId budget);
  /// Errors: unknown_budget.
  Result<Balance> balance(BudgetId budget, WallTime now);
  /// The present periods of `budgets`, for a cost that has no hold. Errors: unknown_budget.
  Result<HeldAccounts> present(const BudgetSet& budgets, WallTime now);

  /// At start: what the store says of a budget's latest period, before any of its terms.
  void restore(const StoredPeriod& period);
  /// The accounts of a hold that comes from the store, made where they are missing.
  HeldAccounts restore(const HeldOnSet& held_on);

  /// For the waiting room, which sets itself before the first request comes.
  void set_room_listener(RoomListener* listener) { listener_ = listener; }
  /// Does nothing where there is no such budget.
  void count_waiting(BudgetId budget, std::int64_t change);

  ClockWatch& clock_watch() { return watch_; }
  /// For whoever tells people that a threshold was passed.
  CrossingQueue& crossings() { return crossings_; }

 private:
  /// The accounts that a request concerns, each once.
  class Concerned {
   public:
    void add(Account* account);
    std::span<Account* const> items() const { return {items_.data(), size_}; }

   private:
    std::array<Account*, BudgetSet::kMost> items_{};
    std::size_t size_ = 0;
  };
  /// Why a hold was not taken: for good, or because another request was quicker.
  struct Miss {
    enum class Kind : std::uint8_t { refused, raced, not_leased } kind = Kind::refused;
    Refusal refusal;
  };

  Account* find(BudgetId budget) const;
  Account& find_or_make(BudgetId budget);
  void put_into_index(Account& account);
  Result<Concerned> resolve(const BudgetSet& budgets) const;
  /// What all of them allow as they stand, or the refusal of the tightest.
  static std::expected<NanoUsd, Miss> amount_for(const Concerned& concerned, const Demand& demand);
  /// Commits `amount` on one account. Returns what is committed then, or why not: another was
  /// quicker, or it is not leased.
  static std::expected<std::int64_t, Miss::Kind> raise(Account& account, NanoUsd amount,
                                                       const Demand& demand);
  /// Commits on all accounts, or on none.
  static std::expected<Holding, Miss> take(const Concerned& concerned, const Demand& demand);
  /// Closes the gate; opens the periods that are due, unless the clock is not to be trusted.
  void open_due_periods(const Concerned& concerned, WallTime now);
  void open_period(Account& account, WallTime now);
  void start_afresh(Account& account, std::int64_t period_start_us) const;
  /// Leaves notes for the thresholds that `counted_nanos` has reached, each once.
  void pass_thresholds(Account& account, std::int64_t counted_nanos);
  Result<void> put_in_force(const BudgetTerms& terms, WallTime now);
  template <typename Waited>
  NanoUsd apply_while_open(const HeldAccounts& accounts, const Change& change, Waited waited);
  void tell_room(std::span<const BudgetId> budgets);
  void note_refusal(const Concerned& concerned, const Refusal& refusal);

  Gate gate_;
  ClockWatch watch_;
  CrossingQueue crossings_;
  RoomListener* listener_ = nullptr;
  const Leasing leasing_;
  std::vector<Account*> leased_;  ///< Those that have a lease with something to spare.
  /// Both change behind the closed gate only. Accounts never move and live as long as this.
  std::deque<Account> accounts_;
  std::vector<Account*> index_;  ///< Open addressing by id; a power of two, half full at most.
};

}  // namespace claviger::budget

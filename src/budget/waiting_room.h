#pragma once

/// Where requests wait until others give back what they hold.
///
/// In the order in which they came, budget by budget: only the first in line tries, and whoever
/// comes later stands behind those who wait already, also where there would be room for it. So
/// nobody is starved by smaller or luckier requests. Whoever is first is woken by a settlement,
/// a raised limit or a new period; nothing is polled.
///
/// How many may wait is bounded, and how long: a request that is refused after that is refused
/// with the same words as one that could not wait.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "base/ids.h"
#include "base/task.h"
#include "base/time.h"
#include "budget/accounts.h"
#include "budget/ledger.h"
#include "budget/wakeup.h"

namespace claviger::budget {

/// Threads: any method, from any thread, concurrently, unless it says otherwise.
class WaitingRoom final : public RoomListener {
 public:
  struct Limits {
    std::size_t waiting_max = 4'096;  ///< All budgets together; about 300 bytes each.
  };

  /// `accounts` and `clock` outlive this.
  WaitingRoom(Accounts& accounts, const Clock& clock, Limits limits)
      : accounts_(accounts), clock_(clock), limits_(limits) {
    accounts_.set_room_listener(this);
  }
  ~WaitingRoom() override { accounts_.set_room_listener(nullptr); }

  /// Waits in line for the budget that refused, and calls `try_again` whenever that may help:
  /// a function that returns Task<Result<Grant>>. Returns its last result; `refusal`'s where
  /// the room is full, the time is up or the caller has gone.
  template <typename TryAgain>
  Task<Result<Grant>> wait(Patience& patience, Refusal refusal, TryAgain try_again) {
    Result<Grant> result = std::unexpected(refusal);
    Stay stay(*this, patience);
    while (!result && result.error().may_fit_later && stay.stand_in_line(result.error().budget)) {
      if (const auto wakeup = stay.next_call()) co_await Wakeup::sleep(wakeup);
      if (stay.is_over()) break;
      if (stay.is_called()) result = co_await try_again();
    }
    co_return result;
  }

  /// Ends the waits whose time is up, and lets the first in each line look at a new period.
  /// Called now and then from a thread of the ledger.
  void look_around();
  /// When look_around() is worth a call; none while nobody waits.
  std::optional<Instant> next_look() const;
  std::size_t size() const { return size_.load(std::memory_order_relaxed); }

  void room_grew(BudgetId budget) noexcept override;

 private:
  struct Waiter {
    std::uint64_t arrival = 0;
    Instant until;
    BudgetId budget;  ///< In whose line it stands; none where in none.
    bool is_called = false;
    bool is_over = false;
    std::shared_ptr<Wakeup> wakeup;  ///< While it sleeps.
  };

  /// One request's stay, from its first wait to its end, however it ends.
  class Stay final : public Patience::Wait {
   public:
    Stay(WaitingRoom& room, Patience& patience);
    ~Stay();
    Stay(const Stay&) = delete;
    Stay& operator=(const Stay&) = delete;

    /// False where the room is full.
    [[nodiscard]] bool stand_in_line(BudgetId budget);
    /// To sleep on; null where it has been called meanwhile.
    std::shared_ptr<Wakeup> next_call();
    bool is_over() const;
    /// Takes the call, if there was one.
    bool is_called();
    void end() noexcept override;

   private:
    WaitingRoom& room_;
    Patience& patience_;
    Waiter waiter_;
  };

  using Line = std::map<std::uint64_t, Waiter*>;  ///< By arrival.
  /// These with mutex_ held. What they return is to be called without it.
  [[nodiscard]] static std::shared_ptr<Wakeup> call(Waiter& waiter);
  [[nodiscard]] std::shared_ptr<Wakeup> step_out(Waiter& waiter);
  static void wake(const std::shared_ptr<Wakeup>& wakeup) {
    if (wakeup) Wakeup::call(wakeup);
  }

  Accounts& accounts_;
  const Clock& clock_;
  const Limits limits_;
  mutable std::mutex mutex_;
  std::map<BudgetId, Line> lines_;
  std::uint64_t arrivals_ = 0;
  std::int64_t minute_ = 0;
  std::atomic<std::size_t> size_{0};
};

}  // namespace claviger::budget

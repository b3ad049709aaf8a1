#pragma once

/// A Ledger that forgets everything when it goes: the real accounts without a journal. For
/// tests of other rooms, where durability is not the point.

#include "budget/bookkeeper.h"
#include "budget/end_users.h"
#include "budget/ledger.h"
#include "budget/waiting_room.h"

namespace claviger::budget {

/// Threads: as the interface says. No method suspends, but for a reserve() with patience.
/// Memory: nothing that was settled is forgotten, since there is no store that remembers it.
class MemoryLedger final : public Ledger {
 public:
  /// `clock` outlives this.
  explicit MemoryLedger(const Clock& clock, Bookkeeper::Limits limits = {})
      : clock_(clock), books_(clock, log_, limits) {}

  Task<Result<Grant>> reserve(Reservation reservation) override;
  Task<Result<Receipt>> settle(HoldId hold, NanoUsd cost, Certainty certainty) override;
  Task<Result<Receipt>> settle_forgotten(HoldId hold, BudgetSet budgets, NanoUsd cost,
                                         Certainty certainty) override;
  Task<Result<std::vector<AttemptMoney>>> attempts(RequestId request) override;
  Task<Result<Receipt>> correct(HoldId hold, NanoUsd cost, CorrectionNote note) override;
  Task<Result<std::vector<CorrectionEntry>>> corrections(WallTime since, std::size_t most) override;
  Task<Result<std::vector<UncertainCost>>> uncertain(std::size_t most) override;
  Task<Result<void>> set_terms(BudgetTerms terms) override;
  Task<Result<void>> remove(BudgetId budget) override;
  Task<Result<void>> set_rule(BudgetTerms terms) override;
  Task<Result<BudgetId>> budget_of(EndUser user) override;
  Task<Result<Balance>> balance(BudgetId budget) override;

  Bookkeeper& books() { return books_; }
  /// Ends waits by the clock; nobody else does.
  WaitingRoom& waiting_room() { return waiting_room_; }

 private:
  Task<Result<Grant>> try_once(Reservation reservation, Accounts::Demand::Turn turn);

  /// Nothing is written, so there is always room.
  class NoLog final : public LedgerLog {
   public:
    bool claim_room(std::uint32_t) override { return true; }
    void give_back_room(std::uint32_t) override {}
    std::uint64_t append(const LogRecord&) override { return 0; }
  };

  const Clock& clock_;
  NoLog log_;
  Bookkeeper books_;
  EndUserBudgets end_users_{100};
  std::int64_t next_end_user_ = std::int64_t{1} << 32;  ///< Ids that no test uses otherwise.
  std::mutex end_users_mutex_;
  std::mutex corrections_mutex_;
  std::vector<CorrectionEntry> corrections_;  ///< The oldest first.
  WaitingRoom waiting_room_{books_.accounts(), clock_, {}};
};

}  // namespace claviger::budget

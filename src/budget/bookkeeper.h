#pragma once

/// What a ledger does, apart from waiting: accounts, holds and the log, brought together in
/// steps that happen wholly or not at all. Every Ledger in one process is this and a log.

#include <atomic>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/time.h"
#include "budget/accounts.h"
#include "budget/hold_table.h"
#include "budget/ledger.h"
#include "budget/ledger_log.h"
#include "budget/ledger_store.h"

namespace claviger::budget {

/// Threads: any method, from any thread, concurrently; methods do no I/O and wait for some
/// hundred nanoseconds at most.
class Bookkeeper {
 public:
  struct Limits {
    /// Holds in flight, unconfirmed ones not counted: a bound on memory (about 250 bytes each).
    std::int64_t open_holds_max = 262'144;
  };

  /// `clock` and `log` outlive this.
  Bookkeeper(const Clock& clock, LedgerLog& log, Limits limits,
             Accounts::Leasing leasing = Accounts::Leasing::none)
      : clock_(clock), log_(log), limits_(limits), accounts_(clock, leasing) {}

  /// Whether an attempt that is not in memory may be one that was here and left (see
  /// forget()), or certainly is not, because somebody looked.
  enum class Recall : std::uint8_t { may_be_needed, done };

  struct Granted {
    Grant grant;
    std::uint64_t written_up_to = 0;  ///< The grant is as safe as the log up to there.
  };
  /// See Ledger::reserve(). None where the attempt may have left memory: recall it, under
  /// whatever keeps forget() from being called meanwhile, and ask again with Recall::done.
  std::optional<Result<Granted>> reserve(
      const Reservation& reservation, Recall recall,
      Accounts::Demand::Turn turn = Accounts::Demand::Turn::its_own);

  struct Settlement {
    AttemptId attempt;
    NanoUsd cost;
    Certainty certainty = Certainty::billed;
    std::optional<BudgetSet> budgets_if_forgotten;
    std::uint32_t note = 0;  ///< See LogRecord::note.
  };
  /// See Ledger::settle() and settle_forgotten(). None: as for reserve().
  std::optional<Result<Receipt>> settle(const Settlement& settlement, Recall recall);

  /// Brings a hold back from the store. Does nothing where it is known. One that is `open`
  /// there is one that a crash left open: it becomes unconfirmed.
  void recall(const StoredHold& stored);
  /// At start: as recall(), and its money counts against the limits from now on.
  void restore_unsettled(const StoredHold& stored);
  /// At start: all ids up to this one may be in the store.
  void restore_newest(const RequestId& newest) { remember_left(newest); }

  enum class Forgotten : std::uint8_t { yes, not_yet };
  /// Drops a settled hold from memory once the store, which has the log up to
  /// `folded_up_to`, has all of it.
  Forgotten forget(const AttemptId& attempt, std::uint64_t folded_up_to);

  /// By number; memory only.
  std::vector<AttemptMoney> attempts(const RequestId& request);

  Accounts& accounts() { return accounts_; }
  const HoldTable& holds() const { return holds_; }
  std::int64_t open_holds() const { return open_holds_.load(std::memory_order_relaxed); }

 private:
  void remember_left(const RequestId& request);
  Result<Receipt> settle_known(Hold& hold, const Settlement& settlement);
  Result<Receipt> record_forgotten(HoldTable::Locked& stripe, const Settlement& settlement);

  const Clock& clock_;
  LedgerLog& log_;
  const Limits limits_;
  Accounts accounts_;
  HoldTable holds_;
  alignas(64) std::atomic<std::int64_t> open_holds_{0};
  /// Ids begin with their time in milliseconds: a request that is younger than all that left
  /// memory was never here, and needs no look into the store.
  alignas(64) std::atomic<std::uint64_t> left_up_to_ms_{0};
};

}  // namespace claviger::budget

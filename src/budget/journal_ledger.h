#pragma once

/// The Ledger that a server runs: accounts in memory, a journal under them, and a store into
/// which the journal is folded about once a second.
///
/// What a crash leaves open is not released: the provider may well bill it. It counts as
/// unconfirmed in its period, is shown, and a bill settles it. So a crash can make a limit too
/// strict for a while, never too loose.
///
/// A power cut can take what is younger than the last group (5 ms by default) from the
/// journal. In `strict` durability no request leaves before its hold is on disk.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/task.h"
#include "base/time.h"
#include "budget/bookkeeper.h"
#include "budget/end_users.h"
#include "budget/fold.h"
#include "budget/journal.h"
#include "budget/ledger.h"
#include "budget/ledger_store.h"
#include "budget/waiting_room.h"

namespace claviger::budget {

enum class Durability : std::uint8_t {
  fast,    ///< A hold is granted once it is in the journal's pages: safe from any kill.
  strict,  ///< … once it is on disk: safe from a power cut, and some milliseconds later.
};

struct JournalLedgerConfig {
  JournalConfig journal;
  Durability durability = Durability::fast;
  /// None: folded only by fold_now(), and what needs the store is looked up on the caller's
  /// thread; for tests.
  std::optional<std::chrono::milliseconds> fold_every = std::chrono::milliseconds{1'000};
  std::size_t records_per_fold_max = 8'192;  ///< One transaction of the store.
  /// Settled attempts stay in memory so long and so many; older ones are looked up.
  Duration remembered_for = std::chrono::seconds{30};
  std::size_t remembered_max = 65'536;
  Bookkeeper::Limits limits;
  WaitingRoom::Limits waiting;
  /// Where leases are kept; outlives the ledger. Null, or in `strict`, where no hold is used
  /// before it is on disk: nothing is leased.
  LeaseStore* leases = nullptr;
  std::string boot_id;  ///< See EarlierRun::boot_id.
  Duration give_back_after = std::chrono::seconds{10};
  /// Where budgets of end users are kept; outlives the ledger. Null: there are none.
  EndUserStore* end_users = nullptr;
  std::size_t end_users_max = 100'000;
};

/// How it is, for `doctor` and metrics.
struct LedgerHealth {
  std::optional<std::string> trouble;  ///< Why new holds are refused, or will be, and what to do.
  std::uint64_t records_not_folded = 0;
  std::int64_t open_holds = 0;
  std::size_t waiting = 0;
  bool clock_is_trusted = true;  ///< See ClockWatch; confirm_clock() is the remedy.
};

/// Threads: as Ledger says. A method suspends where it must look into the store, and in strict
/// durability; it wakes up on the executor on which it was called. Without an executor it
/// blocks instead.
class JournalLedger final : public Ledger {
 public:
  /// Finishes what an earlier run left: folds its journal, and counts its open holds as
  /// unconfirmed. Terms are set afterwards, budget by budget. `clock` and `store` outlive the
  /// ledger. Errors: a sentence that says what to do; the server does not start.
  static std::expected<std::unique_ptr<JournalLedger>, std::string> open(
      const Clock& clock, LedgerStore& store, JournalLedgerConfig config);

  /// Brings everything into the store, as far as it answers. Nobody may be waiting any more.
  ~JournalLedger() override;

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

  LedgerHealth health();
  /// The operator says that the wall clock is right: periods open again.
  void confirm_clock() { books_.accounts().clock_watch().confirm(); }

  /// Which budgets have passed which thresholds.
  CrossingQueue& crossings() { return books_.accounts().crossings(); }

  /// Brings into the store what has been written so far. Blocks.
  std::expected<void, LedgerStoreError> fold_now();
  /// Brings the journal to disk. Blocks.
  void sync_now() { journal_->sync_now(); }
  /// As `kill -9` leaves it; after this it may only be destroyed. For tests of recovery.
  void abandon();

  Journal& journal() { return *journal_; }
  Bookkeeper& books() { return books_; }

 private:
  struct Remembered {
    AttemptId attempt;
    Instant until;
  };

  JournalLedger(const Clock& clock, LedgerStore& store, JournalLedgerConfig config, FolderLock lock,
                std::unique_ptr<Journal> journal, JournalPosition folded);

  using Turn = Accounts::Demand::Turn;
  Task<Result<Grant>> try_once(Reservation reservation, Turn turn);
  /// Does `work` where it may block, and comes back. `T` is default-constructible.
  template <typename T>
  Task<T> off_the_way(std::function<T()> work);
  Task<Result<Receipt>> settle_wherever(Bookkeeper::Settlement settlement);
  bool leases_money() const {
    return config_.leases != nullptr && config_.durability == Durability::fast;
  }
  /// With store_mutex_ held: leases what the reservation needs, and tries it.
  Result<Bookkeeper::Granted> reserve_with_lease(const Reservation& reservation, Turn turn);
  void give_back_leases();
  Result<BudgetId> make_budget_of(const EndUser& user);
  Task<Result<Grant>> once_durable(Bookkeeper::Granted granted);

  void restore(const LedgerState& state);
  void close();
  /// These are called with store_mutex_ held.
  std::expected<void, LedgerStoreError> fold_with_store();
  void forget_what_is_due();
  std::expected<void, LedgerStoreError> recall(const AttemptId& attempt);

  void run();
  void stop();

  const Clock& clock_;
  LedgerStore& store_;
  const JournalLedgerConfig config_;
  FolderLock lock_;
  std::unique_ptr<Journal> journal_;
  Bookkeeper books_;
  WaitingRoom waiting_room_;
  EndUserBudgets end_users_;

  /// One call of the store at a time; also keeps attempts from leaving memory while another is
  /// being looked up.
  std::mutex store_mutex_;
  JournalPosition folded_position_;
  std::atomic<std::uint64_t> folded_{0};  ///< Sequence up to which the journal is in the store.
  std::deque<Remembered> remembered_;
  bool abandoned_ = false;
  Instant next_give_back_;

  std::mutex work_mutex_;
  std::condition_variable work_;
  std::deque<std::function<void()>> jobs_;
  bool stopping_ = false;
  std::optional<std::string> fold_trouble_;
  std::thread folder_;
};

}  // namespace claviger::budget

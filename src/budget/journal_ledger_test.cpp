#include "budget/journal_ledger.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <deque>
#include <fstream>
#include <map>

#include "base/executor.h"
#include "budget/journal_ledger_fixture.h"

namespace claviger::budget {
namespace {

using namespace std::chrono_literals;

/// Runs what is posted to it, on the thread that asks it to.
class TestExecutor final : public Executor {
 public:
  TestExecutor() { current_ = this; }
  ~TestExecutor() override { current_ = nullptr; }
  void post(std::coroutine_handle<> waiting) override {
    const std::scoped_lock lock(mutex_);
    waiting_.push_back(waiting);
    arrived_.notify_one();
  }
  /// Runs what is there.
  void run_posted() {
    for (;;) {
      std::coroutine_handle<> next;
      {
        const std::scoped_lock lock(mutex_);
        if (waiting_.empty()) return;
        next = waiting_.front();
        waiting_.pop_front();
      }
      next.resume();
    }
  }
  /// Runs the next one, waiting for it.
  void run_one() {
    std::unique_lock lock(mutex_);
    arrived_.wait(lock, [this] { return !waiting_.empty(); });
    const std::coroutine_handle<> next = waiting_.front();
    waiting_.pop_front();
    lock.unlock();
    next.resume();
  }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<std::coroutine_handle<>> waiting_;
};

template <typename T>
Task<void> put_into(Task<T> task, std::optional<T>& result) {
  result.emplace(co_await task);
}

TEST_F(JournalLedgerTest, AnOrderlyStopLeavesEverythingInTheStoreAndNoFiles) {
  auto ledger = open(by_hand());
  hold_and_settle(*ledger, 1, 40);
  ASSERT_TRUE(run(ledger->reserve(reservation(attempt(99), on({1}), cents(8)))));

  ledger.reset();

  EXPECT_EQ(files(), 0u);
  EXPECT_EQ(store.spent(BudgetId{1}, WallTime{}), cents(40));
  ledger = open(by_hand());
  EXPECT_EQ(store.find(attempt(99)).value()->state, HoldState::unconfirmed);
  const Balance balance = run(ledger->balance(BudgetId{1})).value();
  EXPECT_EQ(balance.spent, cents(40));
  EXPECT_EQ(balance.unconfirmed, cents(8));
}

TEST_F(JournalLedgerTest, WhatNoBillHasConfirmedIsListedUntilOneDoes) {
  auto ledger = open(by_hand());
  hold_and_settle(*ledger, 1, 3);
  const auto settle_as = [&](std::uint64_t number, Certainty certainty) {
    ASSERT_TRUE(run(ledger->reserve(reservation(attempt(number), on({1}), cents(8)))));
    ASSERT_TRUE(run(ledger->settle(HoldId{attempt(number)}, cents(8), certainty)));
  };
  settle_as(4, Certainty::estimated);
  settle_as(5, Certainty::quarantined);
  ASSERT_TRUE(run(ledger->reserve(reservation(attempt(6), on({1}), cents(8)))));
  ledger->abandon();
  ledger.reset();
  ledger = open(by_hand());
  ASSERT_TRUE(run(ledger->reserve(reservation(attempt(7), on({1}), cents(8)))));

  const auto listed = [&](std::size_t most) {
    std::vector<AttemptId> attempts;
    for (const UncertainCost& cost : run(ledger->uncertain(most)).value()) {
      attempts.push_back(cost.money.attempt);
    }
    return attempts;
  };
  EXPECT_EQ(listed(100), (std::vector{attempt(4), attempt(5), attempt(6)}));
  EXPECT_EQ(listed(2), (std::vector{attempt(4), attempt(5)}));

  ASSERT_TRUE(run(ledger->settle(HoldId{attempt(6)}, cents(1), Certainty::reconciled)));
  EXPECT_EQ(listed(100), (std::vector{attempt(4), attempt(5)}));
}

TEST_F(JournalLedgerTest, ThreadsAndFoldingAndManySmallFilesLoseNothing) {
  const Stress stress{.seed = 5, .threads = 4, .rounds = 3'000, .limit = dollars(2)};
  auto ledger = open(with_threads(), stress.limit);

  EXPECT_EQ(overspends_under_stress(*ledger, stress), 0);

  std::map<std::int64_t, NanoUsd> spent;
  for (const std::int64_t id : {1, 2, 3}) {
    const Balance balance = run(ledger->balance(BudgetId{id})).value();
    EXPECT_EQ(balance.held, NanoUsd());
    EXPECT_GT(balance.spent, NanoUsd());
    spent[id] = balance.spent;
  }
  ledger.reset();
  for (const std::int64_t id : {1, 2, 3}) {
    EXPECT_EQ(store.spent(BudgetId{id}, WallTime{}), spent[id]) << id;
  }
  EXPECT_EQ(files(), 0u);
}

TEST_F(JournalLedgerTest, AThreadedLedgerSurvivesAKillAtAnyMoment) {
  NanoUsd spent;
  for (std::uint64_t crash = 0; crash < 5; ++crash) {
    auto ledger = open(with_threads());
    EXPECT_EQ(run(ledger->balance(BudgetId{1})).value().spent, spent);
    hold_and_settle(*ledger, 1 + 1'000 * crash, 700 + 1'000 * crash);
    spent = run(ledger->balance(BudgetId{1})).value().spent;
    EXPECT_EQ(spent, cents(700 * static_cast<std::int64_t>(crash + 1)));
    ledger->abandon();
  }
}

TEST_F(JournalLedgerTest, WhatIsInTheStoreCountsAsDurable) {
  const auto ledger = open(by_hand());
  hold_and_settle(*ledger, 1, 10);
  EXPECT_EQ(ledger->journal().durable_up_to(), 0u);

  ASSERT_TRUE(ledger->fold_now());

  EXPECT_EQ(ledger->journal().durable_up_to(), 20u);
}

TEST(JournalPause, GroupsAreRarerWhereEachBringsMuchAndNeverMoreOftenThanAsked) {
  using std::chrono::milliseconds;
  const JournalConfig config{.group_every = 5ms, .busy_group_every = 20ms, .busy_records = 64};
  EXPECT_EQ(pause_after_group(config, 0), milliseconds(5));
  EXPECT_EQ(pause_after_group(config, 63), milliseconds(5));
  EXPECT_EQ(pause_after_group(config, 64), milliseconds(20));
  EXPECT_EQ(pause_after_group({.group_every = 5ms}, 1'000), milliseconds(5));
}

TEST_F(JournalLedgerTest, ASleepingJournalWakesUpForARecord) {
  JournalLedgerConfig config = by_hand();
  config.journal.group_every = 1ms;
  const auto ledger = open(config);
  const auto eventually = [](auto condition) {
    const auto give_up = std::chrono::steady_clock::now() + 30s;
    while (!condition() && std::chrono::steady_clock::now() < give_up) std::this_thread::yield();
    return condition();
  };
  ASSERT_TRUE(eventually([&] { return ledger->journal().is_asleep(); }));

  hold_and_settle(*ledger, 1, 1);

  EXPECT_TRUE(eventually([&] { return ledger->journal().durable_up_to() == 2; }));
}

// ---- Waiting ----

TEST_F(JournalLedgerTest, InStrictDurabilityAHoldIsGrantedOnlyOnceItIsOnDisk) {
  JournalLedgerConfig config = with_threads();
  config.durability = Durability::strict;
  const auto ledger = open(config);
  TestExecutor executor;
  for (std::uint64_t number = 1; number <= 20; ++number) {
    std::optional<Result<Grant>> granted;
    spawn(put_into(ledger->reserve(reservation(attempt(number), on({1}), cents(1))), granted));
    while (!granted) executor.run_one();
    ASSERT_TRUE(*granted);
    EXPECT_GE(ledger->journal().durable_up_to(), number);
  }
}

TEST_F(JournalLedgerTest, InStrictDurabilityACallerWithoutAnExecutorIsBlockedThatLong) {
  JournalLedgerConfig config = with_threads();
  config.durability = Durability::strict;
  const auto ledger = open(config);

  ASSERT_TRUE(run(ledger->reserve(reservation(attempt(1), on({1}), cents(1)))));

  EXPECT_GE(ledger->journal().durable_up_to(), 1u);
}

TEST_F(JournalLedgerTest, WhoWaitsMayGoAway) {
  JournalLedgerConfig config = with_threads();
  config.durability = Durability::strict;
  config.journal.group_every = 24h;
  const auto ledger = open(config);
  TestExecutor executor;
  {
    // Starts it, waits, and is destroyed before the journal answers.
    struct Gone {
      struct promise_type {
        Gone get_return_object() {
          return {std::coroutine_handle<promise_type>::from_promise(*this)};
        }
        std::suspend_never initial_suspend() const noexcept { return {}; }
        std::suspend_always final_suspend() const noexcept { return {}; }
        void return_void() const noexcept {}
        void unhandled_exception() const noexcept { std::abort(); }
      };
      std::coroutine_handle<promise_type> handle;
    };
    const Gone gone = [](Ledger& where) -> Gone {
      static_cast<void>(
          (co_await where.reserve(reservation(attempt(1), on({1}), cents(1)))).has_value());
    }(*ledger);
    gone.handle.destroy();
  }
  ledger->sync_now();
  executor.run_posted();  // What was posted for it finds nobody.

  std::optional<Result<Grant>> again;
  spawn(put_into(ledger->reserve(reservation(attempt(1), on({1}), cents(1))), again));
  ASSERT_TRUE(again);
  EXPECT_TRUE(*again) << "the step happened wholly, and repeating it says so";
  EXPECT_EQ(run(ledger->balance(BudgetId{1})).value().held, cents(1));
}

TEST_F(JournalLedgerTest, WhatLeftMemoryIsLookedUpOffTheCallersThread) {
  JournalLedgerConfig config = with_threads();
  config.remembered_max = 0;
  const auto ledger = open(config);
  hold_and_settle(*ledger, 1, 10);
  ASSERT_TRUE(ledger->fold_now());
  ASSERT_EQ(ledger->books().holds().size(), 0u);
  TestExecutor executor;

  std::optional<Result<Receipt>> settled;
  spawn(put_into(ledger->settle(HoldId{attempt(3)}, cents(5), Certainty::reconciled), settled));
  while (!settled) executor.run_one();
  std::optional<Result<Grant>> reserved;
  spawn(put_into(ledger->reserve(reservation(attempt(4), on({1}), cents(9))), reserved));
  while (!reserved) executor.run_one();

  ASSERT_TRUE(*settled);
  EXPECT_EQ(run(ledger->balance(BudgetId{1})).value().spent, cents(14));
  EXPECT_EQ((*reserved)->amount, cents(8)) << "the hold that it had, not a new one";
  EXPECT_EQ(run(ledger->balance(BudgetId{1})).value().held, NanoUsd());
}

TEST_F(JournalLedgerTest, ANewRequestNeedsNoLookIntoTheStore) {
  JournalLedgerConfig config = by_hand();
  config.remembered_max = 0;
  const auto ledger = open(config);
  hold_and_settle(*ledger, 1, 10);
  ASSERT_TRUE(ledger->fold_now());
  store.set_health(MemoryLedgerStore::Health::unavailable);

  EXPECT_TRUE(run(ledger->reserve(reservation(attempt(11), on({1}), cents(8)))));

  EXPECT_EQ(run(ledger->reserve(reservation(attempt(5), on({1}), cents(8)))).error().error,
            LedgerError::unavailable)
      << "an older one may have been here: without the store nobody knows";
  EXPECT_EQ(run(ledger->settle(HoldId{attempt(5)}, cents(8), Certainty::billed)).error().error,
            LedgerError::unavailable);
}

// ---- When things go wrong ----

/// Files cannot grow beyond a limit: as on a full disk.
class NoDisk {
 public:
  NoDisk() {
    getrlimit(RLIMIT_FSIZE, &before_);
    signal(SIGXFSZ, SIG_IGN);
    const rlimit none{.rlim_cur = 0, .rlim_max = before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &none);
  }
  ~NoDisk() {
    setrlimit(RLIMIT_FSIZE, &before_);
    signal(SIGXFSZ, SIG_DFL);
  }
  NoDisk(const NoDisk&) = delete;
  NoDisk& operator=(const NoDisk&) = delete;

 private:
  rlimit before_{};
};

TEST_F(JournalLedgerTest, AFullDiskRefusesNewHoldsAndLosesNoSettlement) {
  auto ledger = open(by_hand(64));
  std::uint64_t granted = 0;
  {
    const NoDisk no_disk;
    for (; granted < 1'000; ++granted) {
      const auto hold = run(ledger->reserve(reservation(attempt(granted + 1), on({1}), cents(2))));
      ledger->sync_now();
      if (hold) continue;
      EXPECT_EQ(hold.error().error, LedgerError::unavailable);
      break;
    }
    EXPECT_GE(granted, 30u);
    ASSERT_LT(granted, 1'000u);
    EXPECT_NE(ledger->health().trouble.value_or("").find("journal"), std::string::npos);
    for (std::uint64_t number = 1; number <= granted; ++number) {
      ASSERT_TRUE(run(ledger->settle(HoldId{attempt(number)}, cents(1), Certainty::billed)))
          << number;
    }
    EXPECT_FALSE(run(ledger->reserve(reservation(attempt(2'000), on({1}), cents(2)))));
    // A correction has no room of its own: it is refused, and changes nothing.
    int corrected = 0;
    while (corrected < 10 && run(ledger->settle(HoldId{attempt(1)}, cents(1) + NanoUsd(corrected),
                                                Certainty::reconciled))) {
      ++corrected;
    }
    EXPECT_LT(corrected, 3);
    const Balance balance = run(ledger->balance(BudgetId{1})).value();
    EXPECT_EQ(balance.spent,
              cents(static_cast<std::int64_t>(granted)) + NanoUsd(std::max(0, corrected - 1)));
  }
  ledger->sync_now();
  EXPECT_EQ(ledger->health().trouble, std::nullopt);
  EXPECT_TRUE(run(ledger->settle(HoldId{attempt(1)}, cents(1), Certainty::reconciled)));
  EXPECT_TRUE(run(ledger->reserve(reservation(attempt(2'000), on({1}), cents(2)))));

  ledger->abandon();
  ledger.reset();
  ledger = open(by_hand());
  EXPECT_EQ(run(ledger->balance(BudgetId{1})).value().spent,
            cents(static_cast<std::int64_t>(granted)));
}

TEST_F(JournalLedgerTest, AStoreThatDoesNotAnswerDelaysFoldingUntilTheJournalIsFull) {
  auto ledger = open(by_hand(64));
  store.set_health(MemoryLedgerStore::Health::unavailable);
  std::uint64_t number = 0;
  while (++number < 1'000) {
    ledger->sync_now();
    if (!run(ledger->reserve(reservation(attempt(number), on({1}), cents(2))))) break;
    ASSERT_TRUE(run(ledger->settle(HoldId{attempt(number)}, cents(1), Certainty::billed)));
  }
  EXPECT_EQ(number - 1, 4 * 64 / 2u) << "four files of 64 slots";
  EXPECT_FALSE(ledger->fold_now());
  EXPECT_NE(ledger->health().trouble.value_or("").find("database"), std::string::npos);

  store.set_health(MemoryLedgerStore::Health::answers);
  EXPECT_TRUE(ledger->fold_now());
  ledger->sync_now();

  EXPECT_EQ(store.spent(BudgetId{1}, WallTime{}), cents(128));
  EXPECT_TRUE(run(ledger->reserve(reservation(attempt(5'000), on({1}), cents(2)))));
}

TEST_F(JournalLedgerTest, AFoldThatFailedInTheMiddleOfRecoveryGoesOnNextTime) {
  JournalLedgerConfig config = by_hand();
  config.records_per_fold_max = 7;
  auto ledger = open(config);
  hold_and_settle(*ledger, 1, 60);
  ledger->abandon();
  ledger.reset();
  class FailsAfter final : public LedgerStore {
   public:
    FailsAfter(LedgerStore& store, int folds) : store_(store), folds_(folds) {}
    std::expected<LedgerState, LedgerStoreError> load() override { return store_.load(); }
    std::expected<void, LedgerStoreError> fold(const FoldBatch& batch) override {
      if (folds_-- == 0) return std::unexpected(LedgerStoreError::unavailable);
      return store_.fold(batch);
    }
    std::expected<std::optional<StoredHold>, LedgerStoreError> find(
        const AttemptId& which) override {
      return store_.find(which);
    }
    std::expected<std::vector<StoredHold>, LedgerStoreError> find_all(
        const RequestId& request) override {
      return store_.find_all(request);
    }
    std::expected<std::vector<StoredHold>, LedgerStoreError> uncertain(std::size_t most) override {
      return store_.uncertain(most);
    }
    std::expected<std::uint32_t, LedgerStoreError> add_note(const CorrectionNote& note,
                                                            WallTime now) override {
      return store_.add_note(note, now);
    }
    std::expected<std::vector<CorrectionEntry>, LedgerStoreError> corrections(
        WallTime since, std::size_t most) override {
      return store_.corrections(since, most);
    }

   private:
    LedgerStore& store_;
    int folds_;
  };
  for (int folds = 0; folds < 6; ++folds) {
    FailsAfter failing(store, folds);
    const auto opened = JournalLedger::open(clock, failing, config);
    ASSERT_FALSE(opened);
    EXPECT_NE(opened.error().find("database"), std::string::npos) << opened.error();
  }

  ledger = open(config);

  EXPECT_EQ(run(ledger->balance(BudgetId{1})).value().spent, cents(60));
  EXPECT_EQ(store.spent(BudgetId{1}, WallTime{}), cents(60));
}

TEST_F(JournalLedgerTest, AStopWhileTheStoreDoesNotAnswerKeepsTheJournal) {
  auto ledger = open(by_hand(64));
  for (std::uint64_t number = 1; number <= 90; ++number) {
    ledger->sync_now();
    hold_and_settle(*ledger, number, number);
    if (number == 40) ASSERT_TRUE(ledger->fold_now());
  }
  store.set_health(MemoryLedgerStore::Health::unavailable);
  ledger.reset();
  EXPECT_GE(files(), 2u);
  EXPECT_NE(refusal_to_open().find("database"), std::string::npos);

  store.set_health(MemoryLedgerStore::Health::answers);
  ledger = open(by_hand(64));

  EXPECT_EQ(run(ledger->balance(BudgetId{1})).value().spent, cents(90));
}

TEST_F(JournalLedgerTest, TwoServersCannotShareAJournal) {
  const auto ledger = open(by_hand());

  EXPECT_NE(refusal_to_open().find("in use by another process"), std::string::npos);
}

TEST_F(JournalLedgerTest, AJournalWithAGapIsNotPassedOver) {
  auto ledger = open(by_hand(64));
  for (std::uint64_t number = 1; number <= 90; ++number) {
    ledger->sync_now();
    hold_and_settle(*ledger, number, number);
  }
  ledger->abandon();
  ledger.reset();
  ASSERT_GE(files(), 3u);
  ASSERT_EQ(::rename(segment_path(1).c_str(), (folder.path() + "/aside").c_str()), 0);

  EXPECT_NE(refusal_to_open().find(segment_name(1)), std::string::npos);

  ASSERT_EQ(::rename((folder.path() + "/aside").c_str(), segment_path(1).c_str()), 0);
  EXPECT_EQ(run(open(by_hand())->balance(BudgetId{1})).value().spent, cents(90));
}

TEST_F(JournalLedgerTest, ASegmentWithADamagedHeadIsNotPassedOver) {
  auto ledger = open(by_hand());
  hold_and_settle(*ledger, 1, 3);
  ledger->abandon();
  ledger.reset();
  std::fstream(segment_path(0), std::ios::in | std::ios::out | std::ios::binary).seekp(30).put('x');

  EXPECT_NE(refusal_to_open().find("damaged"), std::string::npos);
}

TEST_F(JournalLedgerTest, ADatabaseRestoredWithoutItsJournalStarts) {
  FoldBatch batch;
  batch.to = {7, 1'000};
  batch.spent_changes.push_back({BudgetId{1}, WallTime{}, cents(30)});
  ASSERT_TRUE(store.fold(batch));

  const auto ledger = open(by_hand());

  EXPECT_EQ(run(ledger->balance(BudgetId{1})).value().spent, cents(30));
  EXPECT_EQ(store.folded_up_to(), (JournalPosition{8, 0}));
}

TEST_F(JournalLedgerTest, WhatACrashLeftHalfMadeIsRemoved) {
  ASSERT_EQ(::mkdir((folder.path() + "/journal").c_str(), 0700), 0);
  std::ofstream(segment_path(4) + ".new") << "half";

  EXPECT_EQ(refusal_to_open(), "");

  EXPECT_NE(::access((segment_path(4) + ".new").c_str(), F_OK), 0);
}

}  // namespace
}  // namespace claviger::budget

#include "budget/journal_ledger.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <deque>
#include <fstream>
#include <map>
#include <random>
#include <set>

#include "base/executor.h"
#include "budget/ledger_contract_fixture.h"
#include "budget/memory_ledger_store.h"
#include "budget/scratch_folder.h"

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

struct JournalLedgerTest : testing::Test {
  JournalLedgerConfig by_hand(std::uint32_t slots_per_segment = 2'048) {
    JournalLedgerConfig config;
    config.journal = {.folder = folder.path() + "/journal",
                      .slots_per_segment = slots_per_segment,
                      .segments_max = 4,
                      .group_every = std::nullopt};
    config.fold_every = std::nullopt;
    return config;
  }
  JournalLedgerConfig with_threads() {
    JournalLedgerConfig config = by_hand();
    config.journal.group_every = 1ms;
    config.journal.slots_per_segment = 16'384;
    config.journal.segments_max = 64;
    config.fold_every = 2ms;
    return config;
  }
  std::unique_ptr<JournalLedger> open(JournalLedgerConfig config, NanoUsd limit = dollars(100)) {
    auto opened = JournalLedger::open(clock, store, std::move(config));
    if (!opened) throw std::runtime_error(opened.error());
    for (const std::int64_t id : {1, 2, 3}) {
      EXPECT_TRUE(run((*opened)->set_terms({.id = BudgetId{id},
                                            .limit = limit,
                                            .period = Period::total,
                                            .when_exhausted = WhenExhausted::clamp})));
    }
    return *std::move(opened);
  }
  std::string refusal_to_open() {
    const auto opened = JournalLedger::open(clock, store, by_hand());
    return opened ? "" : opened.error();
  }
  static void hold_and_settle(Ledger& ledger, std::uint64_t first, std::uint64_t last) {
    for (std::uint64_t number = first; number <= last; ++number) {
      ASSERT_TRUE(run(ledger.reserve(reservation(attempt(number), on({1}), cents(8)))));
      ASSERT_TRUE(run(ledger.settle(HoldId{attempt(number)}, cents(1), Certainty::billed)));
    }
  }
  std::string segment_path(std::uint64_t segment) {
    return folder.path() + "/journal/" + segment_name(segment);
  }
  std::size_t files() { return list_segments(folder.path() + "/journal").value().size(); }

  ScratchFolder folder;
  SystemClock clock;
  MemoryLedgerStore store;
};

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

// ---- Power cuts ----

/// What can have become of one attempt: how much counts for it in each of its states, the
/// first being the one that was on disk at the last sync.
using Histories = std::map<std::uint64_t, std::vector<NanoUsd>>;

/// Destroys bytes of records that were not on disk yet, in one of three ways.
void damage(std::mt19937_64& random, const std::string& path, std::uint64_t synced_slots) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  ASSERT_TRUE(file.is_open()) << path;
  file.seekg(0, std::ios::end);
  const auto size = static_cast<std::uint64_t>(file.tellg());
  const std::uint64_t from = kSlotBytes * (synced_slots + 1);
  if (from >= size) return;
  if (random() % 3 == 0) {
    file.close();
    ASSERT_EQ(::truncate(path.c_str(), static_cast<off_t>(from + random() % (size - from))), 0);
    return;
  }
  const std::string zeros(kSlotBytes, '\0');
  for (std::uint64_t at = from; at < size; at += kSlotBytes) {
    if (random() % 3 != 0) continue;
    if (random() % 2 == 0) {  // A whole slot that never got to the disk.
      file.seekp(static_cast<std::streamoff>(at));
      file.write(zeros.data(), static_cast<std::streamsize>(kSlotBytes));
    } else {  // Only a part of it did.
      const std::uint64_t cut = random() % kSlotBytes;
      file.seekp(static_cast<std::streamoff>(at + cut));
      file.write(zeros.data(), static_cast<std::streamsize>(kSlotBytes - cut));
    }
  }
}

TEST_F(JournalLedgerTest, APowerCutAtAnyByteNeverLoosensALimitForWhatWasOnDisk) {
  constexpr unsigned kSeed = 20'261'123;
  RecordProperty("seed", static_cast<int>(kSeed));
  std::mt19937_64 random(kSeed);
  std::uint64_t next_number = 1;
  std::map<std::uint64_t, NanoUsd> counted;  // What each attempt counts for, once certain.
  for (int cut = 0; cut < 25; ++cut) {
    auto ledger = open(by_hand(64), dollars(1'000'000));
    Histories histories;
    for (const auto& [number, amount] : counted) histories[number] = {amount};
    std::vector<std::uint64_t> mine;
    JournalPosition synced = ledger->journal().position_of(0);
    const auto steps = 1 + random() % 120;
    for (std::uint64_t step = 0; step < steps; ++step) {
      if (mine.empty() || random() % 2 == 0) {
        const NanoUsd amount(static_cast<std::int64_t>(1 + random() % 1'000'000));
        const auto hold = run(ledger->reserve(reservation(attempt(next_number), on({1}), amount)));
        if (!hold) {  // No room before the next sync.
          ASSERT_EQ(hold.error().error, LedgerError::unavailable);
        } else {
          histories[next_number] = {NanoUsd(), amount};  // Before: nothing.
          mine.push_back(next_number++);
        }
      } else {
        const std::uint64_t number = mine[random() % mine.size()];
        const NanoUsd cost(static_cast<std::int64_t>(random() % 2'000'000));
        const auto settled =
            run(ledger->settle(HoldId{attempt(number)}, cost, Certainty::reconciled));
        if (settled) histories[number].push_back(cost);
      }
      if (random() % 8 == 0) {
        ledger->sync_now();
        synced = ledger->journal().position_of(ledger->journal().durable_up_to());
        for (auto& [number, states] : histories) states = {states.back()};
      }
      if (random() % 16 == 0) {
        // The store is on disk, whatever the journal is.
        ASSERT_TRUE(ledger->fold_now());
        synced = ledger->journal().position_of(ledger->journal().durable_up_to());
        for (auto& [number, states] : histories) states = {states.back()};
      }
    }
    ledger->abandon();
    ledger.reset();
    for (const std::uint64_t segment : list_segments(folder.path() + "/journal").value()) {
      if (segment < synced.segment) continue;
      damage(random, segment_path(segment), segment == synced.segment ? synced.slot : 0);
    }

    ledger = open(by_hand(), dollars(1'000'000));
    NanoUsd sum;
    counted.clear();
    for (const auto& [number, states] : histories) {
      const auto found = run(ledger->attempts(attempt(number).request));
      ASSERT_TRUE(found);
      NanoUsd counts;
      if (!found->empty()) {
        const AttemptMoney& money = found->front();
        counts = money.state == HoldState::settled ? *money.cost : money.held;
      }
      ASSERT_NE(std::ranges::find(states, counts), states.end())
          << "attempt " << number << " in cut " << cut << ", seed " << kSeed;
      if (found->empty()) continue;
      counted[number] = counts;
      sum += counts;
    }
    const Balance balance = run(ledger->balance(BudgetId{1})).value();
    ASSERT_EQ(balance.spent + balance.unconfirmed, sum) << "cut " << cut << ", seed " << kSeed;
  }
}

// ---- A real kill ----

struct Said {
  std::uint64_t number = 0;
  NanoUsd amount;  ///< Held; or, negative and less one, settled at.
};

/// Holds and settles, and says each thing when it has been promised, until it is killed.
[[noreturn]] void be_killed(const JournalLedgerConfig& config, int say, unsigned seed) {
  SystemClock clock;
  MemoryLedgerStore store;
  auto ledger = JournalLedger::open(clock, store, config);
  if (!ledger) ::_exit(1);
  static_cast<void>(
      run((*ledger)->set_terms({.id = BudgetId{1}, .limit = dollars(1'000'000)})).has_value());
  std::mt19937_64 random(seed);
  for (std::uint64_t number = 1;; ++number) {
    const NanoUsd amount(static_cast<std::int64_t>(1 + random() % 1'000'000));
    if (!run((*ledger)->reserve(reservation(attempt(number), on({1}), amount)))) {
      (*ledger)->sync_now();
      continue;
    }
    const Said held{number, amount};
    if (::write(say, &held, sizeof held) != sizeof held) ::_exit(1);
    if (random() % 4 == 0) continue;
    const NanoUsd cost(static_cast<std::int64_t>(random() % 1'000'000));
    if (!run((*ledger)->settle(HoldId{attempt(number)}, cost, Certainty::billed))) ::_exit(1);
    const Said settled{number, NanoUsd(-1) - cost};
    if (::write(say, &settled, sizeof settled) != sizeof settled) ::_exit(1);
  }
}

TEST_F(JournalLedgerTest, WhatWasPromisedOutlivesKillMinusNine) {
  constexpr unsigned kSeed = 99;
  RecordProperty("seed", static_cast<int>(kSeed));
  std::mt19937_64 random(kSeed);
  for (int kill_number = 0; kill_number < 8; ++kill_number) {
    ScratchFolder home;
    JournalLedgerConfig config = by_hand();
    config.journal.folder = home.path() + "/journal";
    config.journal.group_every = 1ms;
    config.journal.slots_per_segment = 4'096;
    int pipe_ends[2];
    ASSERT_EQ(::pipe(pipe_ends), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::close(pipe_ends[0]);
      be_killed(config, pipe_ends[1], kSeed + static_cast<unsigned>(kill_number));
    }
    ::close(pipe_ends[1]);
    std::map<std::uint64_t, NanoUsd> held;
    std::map<std::uint64_t, NanoUsd> settled;
    const auto hear = [&] {
      Said said;
      if (::read(pipe_ends[0], &said, sizeof said) != sizeof said) return false;
      if (said.amount.is_negative()) {
        settled[said.number] = NanoUsd(-1) - said.amount;
      } else {
        held[said.number] = said.amount;
      }
      return true;
    };
    const std::uint64_t hear_max = 1 + random() % 3'000;
    for (std::uint64_t heard = 0; heard < hear_max; ++heard) ASSERT_TRUE(hear());
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    while (hear()) {
    }
    ASSERT_EQ(::waitpid(child, nullptr, 0), child);
    ::close(pipe_ends[0]);

    MemoryLedgerStore after;
    config.journal.group_every = std::nullopt;
    auto opened = JournalLedger::open(clock, after, config);
    ASSERT_TRUE(opened) << opened.error();
    for (const auto& [number, amount] : held) {
      const auto found = run((*opened)->attempts(attempt(number).request)).value();
      ASSERT_EQ(found.size(), 1u) << number;
      ASSERT_EQ(found[0].held, amount) << number;
      const auto known = settled.find(number);
      if (known != settled.end()) {
        ASSERT_EQ(found[0].cost, known->second) << number;
      } else if (number != held.rbegin()->first) {  // The last one's was perhaps on its way.
        ASSERT_EQ(found[0].state, HoldState::unconfirmed) << number;
      }
    }
  }
}

}  // namespace
}  // namespace claviger::budget

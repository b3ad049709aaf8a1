#include "budget/fold.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "budget/memory_ledger_store.h"

namespace claviger::budget {
namespace {

AttemptId attempt(std::uint64_t number) {
  return {.request = {.high = number << 16, .low = number}, .number = 1};
}

constexpr WallTime kMonth{std::chrono::days{20'000}};

HeldOnSet on(std::initializer_list<std::int64_t> ids) {
  HeldOnSet set;
  for (const std::int64_t id : ids) EXPECT_TRUE(set.add({BudgetId{id}, kMonth}));
  return set;
}

LogRecord record(LogRecord::Type type, std::uint64_t number, NanoUsd held, NanoUsd cost,
                 HeldOnSet budgets) {
  return {.type = type,
          .certainty = Certainty::billed,
          .attempt = attempt(number),
          .held = held,
          .cost = cost,
          .at = kMonth + std::chrono::seconds{number},
          .budgets = budgets};
}

struct FoldTest : testing::Test {
  void fold(std::initializer_list<LogRecord> records) {
    Fold batch(store);
    for (const LogRecord& each : records) ASSERT_TRUE(batch.add(each));
    const JournalPosition from = store.folded_up_to();
    ASSERT_TRUE(store.fold(batch.take(from, {from.segment, from.slot + records.size()})));
  }
  StoredHold stored(std::uint64_t number) { return *store.find(attempt(number)).value(); }

  MemoryLedgerStore store;
};

TEST_F(FoldTest, OnlyWhatBeganHereAndWasBilledIsClosed) {
  Fold fold(store);
  for (const LogRecord& each : {record(LogRecord::Type::hold, 1, cents(8), NanoUsd(), on({1})),
                                record(LogRecord::Type::hold, 2, cents(8), NanoUsd(), on({1})),
                                record(LogRecord::Type::hold, 3, cents(8), NanoUsd(), on({1})),
                                record(LogRecord::Type::settle, 2, cents(8), cents(3), on({1})),
                                record(LogRecord::Type::settle, 3, cents(8), cents(3), on({1})),
                                record(LogRecord::Type::correct, 3, cents(8), cents(4), on({1})),
                                record(LogRecord::Type::settle, 4, cents(8), cents(3), on({1})),
                                record(LogRecord::Type::hold, 5, cents(8), NanoUsd(), on({1}))}) {
    ASSERT_TRUE(fold.add(each));
  }
  LogRecord estimated = record(LogRecord::Type::settle, 5, cents(8), cents(8), on({1}));
  estimated.certainty = Certainty::estimated;
  ASSERT_TRUE(fold.add(estimated));
  const FoldBatch batch = fold.take({}, {.segment = 0, .slot = 9});
  ASSERT_EQ(batch.closed.size(), 1u);
  EXPECT_EQ(batch.closed[0].attempt, attempt(2));
  std::vector<AttemptId> others;
  for (const StoredHold& hold : batch.holds) others.push_back(hold.attempt);
  std::ranges::sort(others);
  EXPECT_EQ(others, (std::vector{attempt(1), attempt(3), attempt(4), attempt(5)}));
}

TEST_F(FoldTest, AHoldAndItsSettlementBecomeOneRow) {
  fold({record(LogRecord::Type::hold, 1, cents(8), NanoUsd(), on({1, 2})),
        record(LogRecord::Type::settle, 1, cents(8), cents(3), on({1, 2}))});

  EXPECT_EQ(stored(1).state, HoldState::settled);
  EXPECT_EQ(stored(1).held, cents(8));
  EXPECT_EQ(stored(1).cost, cents(3));
  EXPECT_EQ(stored(1).opened_at, kMonth + std::chrono::seconds{1});
  EXPECT_EQ(store.spent(BudgetId{1}, kMonth), cents(3));
  EXPECT_EQ(store.spent(BudgetId{2}, kMonth), cents(3));
  EXPECT_TRUE(store.corrections().empty());
}

TEST_F(FoldTest, ASettlementMayComeInALaterBatch) {
  fold({record(LogRecord::Type::hold, 1, cents(8), NanoUsd(), on({1}))});
  EXPECT_EQ(stored(1).state, HoldState::open);
  EXPECT_EQ(store.spent(BudgetId{1}, kMonth), NanoUsd());

  fold({record(LogRecord::Type::settle, 1, cents(8), cents(3), on({1}))});

  EXPECT_EQ(stored(1).state, HoldState::settled);
  EXPECT_EQ(store.spent(BudgetId{1}, kMonth), cents(3));
}

TEST_F(FoldTest, ACorrectionReplacesWhateverWasThereAndIsAnEntryOfItsOwn) {
  fold({record(LogRecord::Type::hold, 1, cents(8), NanoUsd(), on({1})),
        record(LogRecord::Type::settle, 1, cents(8), cents(3), on({1})),
        record(LogRecord::Type::correct, 1, cents(8), cents(5), on({1}))});
  EXPECT_EQ(store.spent(BudgetId{1}, kMonth), cents(5));

  fold({record(LogRecord::Type::correct, 1, cents(8), cents(2), on({1}))});

  EXPECT_EQ(store.spent(BudgetId{1}, kMonth), cents(2));
  ASSERT_EQ(store.corrections().size(), 2u);
  EXPECT_EQ(store.corrections()[0].cost_before, cents(3));
  EXPECT_EQ(store.corrections()[1].cost_before, cents(5));
  EXPECT_EQ(store.corrections()[1].cost_after, cents(2));
}

TEST_F(FoldTest, ACorrectionStandsThoughACrashToreWhatItCorrects) {
  // A power cut can keep a later page and lose an earlier one.
  fold({record(LogRecord::Type::hold, 1, cents(8), NanoUsd(), on({1}))});
  fold({record(LogRecord::Type::correct, 1, cents(8), cents(5), on({1})),
        record(LogRecord::Type::correct, 2, cents(8), cents(4), on({1}))});

  EXPECT_EQ(store.spent(BudgetId{1}, kMonth), cents(9));
  EXPECT_EQ(stored(2).held, cents(8));
  EXPECT_EQ(store.corrections()[0].cost_before, std::nullopt);
}

TEST_F(FoldTest, AStoreThatDoesNotAnswerIsAnErrorAndNotAZero) {
  store.set_health(MemoryLedgerStore::Health::unavailable);
  Fold batch(store);

  EXPECT_FALSE(batch.add(record(LogRecord::Type::correct, 1, cents(8), cents(5), on({1}))));
}

}  // namespace
}  // namespace claviger::budget

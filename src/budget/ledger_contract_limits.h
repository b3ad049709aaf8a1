#pragma once

/// Part of the contract of every Ledger; see ledger_contract.h.
///
/// Clamping, ceilings per request, and periods.

#include "budget/ledger_contract_fixture.h"

namespace claviger::budget {

// ---- Clamping ----

TEST_P(LedgerContract, ARefusingBudgetNeedsRoomForTheWorstCase) {
  budget(1, cents(10), WhenExhausted::refuse);

  EXPECT_FALSE(reserve(1, on({1}), cents(11), cents(1)));
  EXPECT_EQ(reserve(2, on({1}), cents(10), cents(1)).value().amount, cents(10));
}

TEST_P(LedgerContract, AClampingBudgetGrantsLessWhereTheWorstCaseDoesNotFit) {
  budget(1, cents(10), WhenExhausted::clamp);

  const auto granted = reserve(1, on({1}), cents(30), cents(1));

  ASSERT_TRUE(granted);
  EXPECT_LT(granted->amount, cents(10)) << "something is left for whoever comes next";
  EXPECT_GE(granted->amount, cents(1));
  EXPECT_EQ(balance(1).held, granted->amount);
  EXPECT_TRUE(reserve(2, on({1}), cents(30), cents(1)));
}

TEST_P(LedgerContract, AWorstCaseThatFitsIsNotClampedWhereNobodyElseCompetes) {
  budget(1, cents(10), WhenExhausted::clamp);

  EXPECT_EQ(reserve(1, on({1}), cents(10), cents(1)).value().amount, cents(10));
}

TEST_P(LedgerContract, AClampingBudgetRefusesWhereNotEvenTheLeastFits) {
  budget(1, cents(10), WhenExhausted::clamp);
  ASSERT_TRUE(reserve(1, on({1}), cents(9)));

  const auto refused = reserve(2, on({1}), cents(30), cents(2));

  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().error, LedgerError::exhausted);
  EXPECT_EQ(refused.error().left, cents(1));
  EXPECT_EQ(reserve(3, on({1}), cents(30), cents(1)).value().amount, cents(1));
}

TEST_P(LedgerContract, EveryBudgetThatDoesNotFitMustClampElseTheRequestIsRefused) {
  budget(1, cents(10), WhenExhausted::clamp);
  budget(2, cents(20), WhenExhausted::refuse);
  budget(3, cents(8), WhenExhausted::clamp);

  EXPECT_FALSE(reserve(1, on({1, 2, 3}), cents(30), cents(1)));
  const auto granted = reserve(2, on({1, 2, 3}), cents(20), cents(1));

  ASSERT_TRUE(granted);
  EXPECT_LE(granted->amount, cents(8));
  for (const std::int64_t id : {1, 2, 3}) EXPECT_EQ(balance(id).held, granted->amount) << id;
}

/// 64 agents at once on $25, nothing spent. What they really use is little.
inline void expect_that_all_are_served(Ledger& ledger, NanoUsd cost_max, NanoUsd cost_least) {
  constexpr std::uint64_t kCallers = 64;
  NanoUsd held;
  for (std::uint64_t caller = 1; caller <= kCallers; ++caller) {
    const auto granted =
        run(ledger.reserve(reservation(attempt(caller), on({1}), cost_max, cost_least)));
    ASSERT_TRUE(granted) << caller << " was locked out at $0 spent";
    EXPECT_GE(granted->amount, cost_least) << caller;
    held += granted->amount;
  }
  EXPECT_LE(held, dollars(25));
  for (std::uint64_t caller = 1; caller <= kCallers; ++caller) {
    ASSERT_TRUE(run(ledger.settle(HoldId{attempt(caller)}, cost_least, Certainty::billed)));
  }
}

TEST_P(LedgerContract, NobodyIsLockedOutByOthersWorstCases) {
  budget(1, dollars(25), WhenExhausted::clamp);

  // 64k output tokens at $15 per million each: 61 dollars together. 1k is really used.
  expect_that_all_are_served(ledger(), NanoUsd(983'040'000), NanoUsd(15'360'000));

  EXPECT_EQ(balance(1).spent, NanoUsd(64 * 15'360'000));
  EXPECT_EQ(balance(1).held, NanoUsd());
}

TEST_P(LedgerContract, NobodyIsLockedOutByWorstCasesAboveTheWholeLimit) {
  budget(1, dollars(25), WhenExhausted::clamp);

  expect_that_all_are_served(ledger(), dollars(61), NanoUsd(5'000'000));
}

// ---- Ceilings per request ----

TEST_P(LedgerContract, ACeilingPerRequestBoundsEachHoldAndAccumulatesNothing) {
  budget(1, cents(10), WhenExhausted::refuse, Period::request);
  budget(2, dollars(5));

  for (std::uint64_t number = 1; number <= 5; ++number) {
    const auto granted = reserve(number, on({1, 2}), cents(10));
    ASSERT_TRUE(granted) << number;
    EXPECT_EQ(granted->left, dollars(5) - cents(10 * static_cast<std::int64_t>(number)));
  }
  const auto refused = reserve(6, on({1, 2}), cents(11), cents(1));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().budget, BudgetId{1});
  EXPECT_EQ(refused.error().left, cents(10));
  EXPECT_EQ(refused.error().resets_at, std::nullopt);
  EXPECT_EQ(balance(1).left, cents(10));
}

TEST_P(LedgerContract, AClampingCeilingPerRequestLowersAHoldToIt) {
  budget(1, cents(10), WhenExhausted::clamp, Period::request);

  EXPECT_EQ(reserve(1, on({1}), cents(30), cents(1)).value().amount, cents(10));
  EXPECT_EQ(reserve(2, on({1}), cents(30), cents(1)).value().amount, cents(10));
  EXPECT_FALSE(reserve(3, on({1}), cents(30), cents(11)));
}

// ---- Periods ----

TEST_P(LedgerContract, ANewDayBringsTheWholeLimitAgain) {
  budget(1, cents(10), WhenExhausted::refuse, Period::day);
  ASSERT_TRUE(reserve(1, on({1}), cents(10)));
  ASSERT_TRUE(settle(1, cents(10)));
  clock().advance(std::chrono::hours{23});
  ASSERT_FALSE(reserve(2, on({1}), NanoUsd(1)));

  clock().advance(std::chrono::hours{1});

  EXPECT_TRUE(reserve(2, on({1}), cents(10)));
  EXPECT_EQ(balance(1).spent, NanoUsd());
}

TEST_P(LedgerContract, ACostBelongsToThePeriodOfItsHold) {
  budget(1, cents(10), WhenExhausted::refuse, Period::day);
  budget(2, cents(30), WhenExhausted::refuse, Period::total);
  ASSERT_TRUE(reserve(1, on({1, 2}), cents(10)));
  clock().advance(std::chrono::hours{24});
  ASSERT_TRUE(reserve(2, on({1, 2}), cents(10)));

  ASSERT_TRUE(settle(1, cents(9)));

  EXPECT_EQ(balance(1).spent, NanoUsd()) << "yesterday's hold is not today's spend";
  EXPECT_EQ(balance(1).held, cents(10));
  EXPECT_EQ(balance(2).spent, cents(9));
  EXPECT_EQ(balance(2).held, cents(10));
}

TEST_P(LedgerContract, APeriodNeverGoesBack) {
  budget(1, cents(10), WhenExhausted::refuse, Period::day);
  clock().advance(std::chrono::hours{24});
  ASSERT_TRUE(reserve(1, on({1}), cents(10)));
  ASSERT_TRUE(settle(1, cents(10)));

  clock().jump(-std::chrono::minutes{30});  // Back into the day before.

  EXPECT_FALSE(reserve(2, on({1}), NanoUsd(1)));
  EXPECT_EQ(balance(1).spent, cents(10));
}

TEST_P(LedgerContract, ALongerKindOfPeriodKeepsWhatWasSpentAndAShorterOneStartsAfresh) {
  // The manual clock starts on a Friday the 4th: the first day of nothing longer.
  budget(1, cents(10), WhenExhausted::refuse, Period::day);
  ASSERT_TRUE(reserve(1, on({1}), cents(4)));
  ASSERT_TRUE(settle(1, cents(4)));
  ASSERT_TRUE(reserve(2, on({1}), cents(1)));

  budget(1, cents(10), WhenExhausted::refuse, Period::month);
  EXPECT_EQ(balance(1).spent, cents(4));
  EXPECT_EQ(balance(1).held, cents(1));
  EXPECT_GT(*balance(1).resets_at, clock().wall_now() + std::chrono::days{2});
  clock().advance(std::chrono::hours{24});
  EXPECT_EQ(balance(1).spent, cents(4)) << "its end is the month's now";

  budget(1, cents(10), WhenExhausted::refuse, Period::day);
  EXPECT_EQ(balance(1).spent, NanoUsd());
  EXPECT_TRUE(reserve(3, on({1}), cents(10)));
}

TEST_P(LedgerContract, AWallClockThatJumpedOpensNoNewPeriod) {
  budget(1, cents(10), WhenExhausted::refuse, Period::day);
  ASSERT_TRUE(reserve(1, on({1}), cents(10)));
  ASSERT_TRUE(settle(1, cents(10)));

  clock().jump(std::chrono::hours{24});
  EXPECT_FALSE(reserve(2, on({1}), NanoUsd(1)));
  EXPECT_EQ(balance(1).spent, cents(10)) << "spend goes on in the old period";

  clock().jump(-std::chrono::hours{24});
  clock().advance(std::chrono::hours{24});
  EXPECT_TRUE(reserve(3, on({1}), cents(10))) << "a day that really passed counts";
}

}  // namespace claviger::budget

#pragma once

/// Part of the contract of every Ledger; see ledger_contract.h.
///
/// Holding and settling money, and changing what may be held.

#include "budget/ledger_contract_fixture.h"

namespace claviger::budget {

// ---- Holding ----

TEST_P(LedgerContract, TheSameMoneyCannotBeHeldTwice) {
  budget(1, cents(10));
  ASSERT_TRUE(reserve(1, on({1}), cents(8)));

  const auto second = reserve(2, on({1}), cents(8));

  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().error, LedgerError::exhausted);
}

TEST_P(LedgerContract, TheLastNanoDollarCanBeHeldAndNotOneMore) {
  budget(1, cents(10));
  ASSERT_TRUE(reserve(1, on({1}), cents(10) - NanoUsd(1)));

  EXPECT_FALSE(reserve(2, on({1}), NanoUsd(2)));
  EXPECT_TRUE(reserve(3, on({1}), NanoUsd(1)));
  EXPECT_FALSE(reserve(4, on({1}), NanoUsd(1)));
}

TEST_P(LedgerContract, AllBudgetsAreHeldOrNone) {
  budget(1, cents(10));
  budget(2, cents(5));
  budget(3, cents(10));

  ASSERT_FALSE(reserve(1, on({1, 2, 3}), cents(6)));

  for (const std::int64_t id : {1, 2, 3}) {
    EXPECT_EQ(balance(id).held, NanoUsd()) << id;
    EXPECT_EQ(balance(id).left, balance(id).limit) << id;
  }
  ASSERT_TRUE(reserve(2, on({1, 2, 3}), cents(5)));
  for (const std::int64_t id : {1, 2, 3}) EXPECT_EQ(balance(id).held, cents(5)) << id;
}

TEST_P(LedgerContract, ABudgetNamedTwiceIsChargedOnce) {
  budget(1, cents(10));

  ASSERT_TRUE(reserve(1, on({1, 1}), cents(8)));

  EXPECT_EQ(balance(1).held, cents(8));
}

TEST_P(LedgerContract, ReservingAgainReturnsTheSameHold) {
  budget(1, cents(10));
  const auto first = reserve(1, on({1}), cents(8));
  ASSERT_TRUE(first);

  const auto again = reserve(1, on({1}), cents(8));

  ASSERT_TRUE(again);
  EXPECT_EQ(again->hold, first->hold);
  EXPECT_EQ(again->amount, cents(8));
  EXPECT_EQ(balance(1).held, cents(8));

  ASSERT_TRUE(settle(1, cents(3)));
  EXPECT_EQ(reserve(1, on({1}), cents(8)).value().amount, cents(8));
  EXPECT_EQ(balance(1).held, NanoUsd()) << "a settled hold is not taken again";
  EXPECT_EQ(balance(1).spent, cents(3));
}

TEST_P(LedgerContract, EachAttemptOfARequestHoldsForItself) {
  budget(1, cents(10));
  AttemptId first = attempt(1);
  AttemptId second = first;
  second.number = 2;
  ASSERT_TRUE(run(ledger().reserve(reservation(first, on({1}), cents(2)))));
  ASSERT_TRUE(run(ledger().reserve(reservation(second, on({1}), cents(3)))));
  EXPECT_EQ(balance(1).held, cents(5));
  ASSERT_TRUE(run(ledger().settle(HoldId{first}, cents(1), Certainty::estimated)));

  const auto attempts = run(ledger().attempts(first.request));

  ASSERT_TRUE(attempts);
  ASSERT_EQ(attempts->size(), 2u);
  EXPECT_EQ((*attempts)[0].state, HoldState::settled);
  EXPECT_EQ((*attempts)[0].cost, cents(1));
  EXPECT_EQ((*attempts)[0].certainty, Certainty::estimated);
  EXPECT_EQ((*attempts)[1].attempt, second);
  EXPECT_EQ((*attempts)[1].state, HoldState::open);
  EXPECT_EQ((*attempts)[1].held, cents(3));
  EXPECT_EQ((*attempts)[1].cost, std::nullopt);
}

TEST_P(LedgerContract, WithoutABudgetThereIsNoHold) {
  budget(1, cents(10));

  EXPECT_EQ(reserve(1, BudgetSet{}, cents(1)).error().error, LedgerError::unknown_budget);
  EXPECT_EQ(reserve(2, on({1, 9}), cents(1)).error().error, LedgerError::unknown_budget);
  EXPECT_EQ(reserve(2, on({1, 9}), cents(1)).error().budget, BudgetId{9});
  EXPECT_EQ(balance(1).held, NanoUsd());
  EXPECT_EQ(run(ledger().balance(BudgetId{9})).error().error, LedgerError::unknown_budget);
  EXPECT_EQ(run(ledger().remove(BudgetId{9})).error().error, LedgerError::unknown_budget);
  EXPECT_FALSE(run(ledger().set_terms({.id = BudgetId{}, .limit = cents(1)})));
}

TEST_P(LedgerContract, AFreeRequestIsHeldAndSettledAtNothing) {
  budget(1, NanoUsd());

  const auto granted = reserve(1, on({1}), NanoUsd());

  ASSERT_TRUE(granted);
  EXPECT_EQ(settle(1, NanoUsd()).value().cost, NanoUsd());
}

TEST_P(LedgerContract, ARefusalNamesTheTightestBudgetAndWhenItResets) {
  budget(1, cents(10), WhenExhausted::refuse, Period::total);
  budget(2, cents(5), WhenExhausted::refuse, Period::day);
  budget(3, cents(6), WhenExhausted::clamp, Period::month);
  ASSERT_TRUE(reserve(1, on({2}), cents(1)));

  const auto refused = reserve(2, on({1, 2, 3}), cents(11));

  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().budget, BudgetId{2});
  EXPECT_EQ(refused.error().left, cents(4));
  EXPECT_EQ(refused.error().resets_at, balance(2).resets_at);
  EXPECT_EQ(reserve(3, on({1}), cents(11)).error().resets_at, std::nullopt);
}

// ---- Settling ----

TEST_P(LedgerContract, WhatWasNotSpentCanBeHeldAgain) {
  budget(1, cents(10));
  ASSERT_TRUE(reserve(1, on({1}), cents(8)));

  const auto receipt = settle(1, cents(3));

  ASSERT_TRUE(receipt);
  EXPECT_EQ(receipt->cost, cents(3));
  EXPECT_EQ(receipt->left, cents(7));
  EXPECT_TRUE(reserve(2, on({1}), cents(7)));
  EXPECT_FALSE(reserve(3, on({1}), NanoUsd(1)));
}

TEST_P(LedgerContract, SettlingAtZeroReleases) {
  budget(1, cents(10));
  ASSERT_TRUE(reserve(1, on({1}), cents(10)));

  EXPECT_EQ(settle(1, NanoUsd()).value().left, cents(10));

  EXPECT_EQ(balance(1).spent, NanoUsd());
  EXPECT_TRUE(reserve(2, on({1}), cents(10)));
}

TEST_P(LedgerContract, SettlingAgainReplacesAndNeverAdds) {
  budget(1, cents(10));
  ASSERT_TRUE(reserve(1, on({1}), cents(8)));
  ASSERT_TRUE(settle(1, cents(8), Certainty::estimated));

  EXPECT_EQ(settle(1, cents(8), Certainty::estimated).value().left, cents(2));
  EXPECT_EQ(settle(1, cents(3), Certainty::reconciled).value().left, cents(7));
  EXPECT_EQ(settle(1, cents(3), Certainty::reconciled).value().left, cents(7));
  EXPECT_EQ(settle(1, cents(9), Certainty::reconciled).value().left, cents(1));

  EXPECT_EQ(balance(1).spent, cents(9));
  EXPECT_EQ(balance(1).held, NanoUsd());
}

TEST_P(LedgerContract, AnOverrunIsRecordedInFullAndBlocksNewHolds) {
  budget(1, cents(10));
  ASSERT_TRUE(reserve(1, on({1}), cents(8)));

  const auto receipt = settle(1, cents(25));

  ASSERT_TRUE(receipt);
  EXPECT_EQ(receipt->cost, cents(25));
  EXPECT_EQ(receipt->left, NanoUsd());
  EXPECT_EQ(balance(1).spent, cents(25));
  EXPECT_EQ(reserve(2, on({1}), NanoUsd(1)).error().left, NanoUsd());

  ASSERT_TRUE(settle(1, cents(4), Certainty::reconciled));
  EXPECT_TRUE(reserve(3, on({1}), cents(6))) << "a bill can take an overrun back";
}

TEST_P(LedgerContract, AnAbsurdCostNeverMakesRoom) {
  budget(1, cents(10));
  ASSERT_TRUE(reserve(1, on({1}), cents(1)));
  ASSERT_TRUE(reserve(2, on({1}), cents(1)));
  ASSERT_TRUE(reserve(3, on({1}), cents(1)));

  ASSERT_TRUE(settle(1, NanoUsd::max()));
  ASSERT_TRUE(settle(2, NanoUsd::max()));
  ASSERT_TRUE(settle(3, NanoUsd::max()));
  ASSERT_TRUE(settle(1, cents(1), Certainty::reconciled));

  EXPECT_FALSE(reserve(4, on({1}), NanoUsd(1)));
  EXPECT_EQ(balance(1).left, NanoUsd());
}

TEST_P(LedgerContract, AHoldThatNobodyRemembersIsRecordedAsSpendWhereBudgetsAreKnown) {
  budget(1, cents(10));
  budget(2, cents(20));
  EXPECT_EQ(settle(7, cents(3)).error().error, LedgerError::unknown_hold);

  const HoldId hold{attempt(7)};
  const auto receipt =
      run(ledger().settle_forgotten(hold, on({1, 2}), cents(3), Certainty::reconciled));

  ASSERT_TRUE(receipt);
  EXPECT_EQ(receipt->left, cents(7));
  EXPECT_EQ(balance(1).spent, cents(3));
  EXPECT_EQ(balance(2).spent, cents(3));
  ASSERT_TRUE(run(ledger().settle_forgotten(hold, on({1, 2}), cents(4), Certainty::reconciled)));
  EXPECT_EQ(balance(1).spent, cents(4)) << "it is remembered now, so it is replaced";
  EXPECT_EQ(
      run(ledger().settle_forgotten(HoldId{attempt(8)}, on({9}), cents(1), Certainty::reconciled))
          .error()
          .error,
      LedgerError::unknown_budget);
}

// ---- Changing terms ----

TEST_P(LedgerContract, LoweringALimitTakesEffectAtOnceForNewHolds) {
  budget(1, cents(10));
  ASSERT_TRUE(reserve(1, on({1}), cents(4)));
  ASSERT_TRUE(settle(1, cents(4)));
  ASSERT_TRUE(reserve(2, on({1}), cents(4)));

  budget(1, cents(5));

  EXPECT_EQ(balance(1).left, NanoUsd());
  EXPECT_FALSE(reserve(3, on({1}), NanoUsd(1)));
  EXPECT_EQ(settle(2, NanoUsd()).value().left, cents(1)) << "running requests finish";
  EXPECT_TRUE(reserve(4, on({1}), cents(1)));
}

TEST_P(LedgerContract, RaisingALimitTakesEffectAtOnce) {
  budget(1, cents(10));
  ASSERT_TRUE(reserve(1, on({1}), cents(10)));
  ASSERT_FALSE(reserve(2, on({1}), cents(1)));

  budget(1, cents(11));

  EXPECT_TRUE(reserve(2, on({1}), cents(1)));
  EXPECT_EQ(balance(1).held, cents(11));
}

TEST_P(LedgerContract, ARemovedBudgetGrantsNothingAndItsHoldsStillSettle) {
  budget(1, cents(10));
  budget(2, cents(10));
  ASSERT_TRUE(reserve(1, on({1, 2}), cents(4)));

  ASSERT_TRUE(run(ledger().remove(BudgetId{1})));

  EXPECT_EQ(reserve(2, on({1, 2}), cents(1)).error().error, LedgerError::unknown_budget);
  EXPECT_TRUE(settle(1, cents(3)));
  EXPECT_EQ(balance(2).spent, cents(3));
  budget(1, cents(10));
  EXPECT_EQ(balance(1).spent, cents(3)) << "removing and adding again is no way to a new limit";
}

}  // namespace claviger::budget

#pragma once

/// Part of the contract of every Ledger; see ledger_contract.h.
///
/// What a crash may not do. Ledgers that forget on purpose skip this.

#include "budget/ledger_contract_fixture.h"

namespace claviger::budget {

// ---- Crashes ----

TEST_P(LedgerContract, AHoldThatACrashLeftOpenCountsUntilTheBillSaysOtherwise) {
  if (!is_durable()) GTEST_SKIP() << "this ledger forgets on purpose";
  budget(1, cents(10));
  ASSERT_TRUE(reserve(1, on({1}), cents(8)));

  crash_and_reopen();

  EXPECT_EQ(balance(1).unconfirmed, cents(8));
  EXPECT_EQ(balance(1).held, NanoUsd());
  EXPECT_EQ(balance(1).left, cents(2));
  EXPECT_FALSE(reserve(2, on({1}), cents(8)));
  EXPECT_EQ(settle(1, cents(1), Certainty::reconciled).value().left, cents(9));
  EXPECT_EQ(balance(1).unconfirmed, NanoUsd());
  EXPECT_EQ(balance(1).spent, cents(1));
}

TEST_P(LedgerContract, NoSettledSpendIsForgottenInACrash) {
  if (!is_durable()) GTEST_SKIP() << "this ledger forgets on purpose";
  budget(1, cents(10));
  budget(2, dollars(10), WhenExhausted::clamp, Period::total);
  for (std::uint64_t number = 1; number <= 4; ++number) {
    ASSERT_TRUE(reserve(number, on({1, 2}), cents(2)));
    ASSERT_TRUE(settle(number, cents(1)));
  }
  ASSERT_TRUE(settle(2, cents(3), Certainty::reconciled));

  for (int crash = 0; crash < 3; ++crash) {
    crash_and_reopen();
    EXPECT_EQ(balance(1).spent, cents(6));
    EXPECT_EQ(balance(2).spent, cents(6));
    EXPECT_EQ(balance(1).left, cents(4));
  }
}

TEST_P(LedgerContract, UnconfirmedMoneyOutlastsAnyNumberOfCrashes) {
  if (!is_durable()) GTEST_SKIP() << "this ledger forgets on purpose";
  budget(1, cents(10));
  ASSERT_TRUE(reserve(1, on({1}), cents(3)));
  crash_and_reopen();
  ASSERT_TRUE(reserve(2, on({1}), cents(3)));
  crash_and_reopen();
  crash_and_reopen();

  EXPECT_EQ(balance(1).unconfirmed, cents(6));
  EXPECT_FALSE(reserve(3, on({1}), cents(5)));
  EXPECT_EQ(reserve(1, on({1}), cents(3)).value().amount, cents(3)) << "the same hold still";
  EXPECT_EQ(balance(1).unconfirmed, cents(6));
}

TEST_P(LedgerContract, SettlingIsAbsoluteAcrossCrashes) {
  if (!is_durable()) GTEST_SKIP() << "this ledger forgets on purpose";
  budget(1, cents(10));
  ASSERT_TRUE(reserve(1, on({1}), cents(5)));
  ASSERT_TRUE(settle(1, cents(5), Certainty::estimated));
  crash_and_reopen();

  EXPECT_EQ(settle(1, cents(2), Certainty::reconciled).value().left, cents(8));
  crash_and_reopen();
  EXPECT_EQ(settle(1, cents(2), Certainty::reconciled).value().left, cents(8));
  EXPECT_EQ(settle(1, cents(4), Certainty::reconciled).value().left, cents(6));
  EXPECT_EQ(balance(1).spent, cents(4));
}

TEST_P(LedgerContract, ACorrectionIsAnEntryOfItsOwnWithItsReasonAndOutlastsACrash) {
  budget(1, cents(10));
  ASSERT_TRUE(reserve(1, on({1}), cents(5)));
  ASSERT_TRUE(settle(1, cents(5)));
  const auto correct = [this](NanoUsd cost, CorrectionNote note) {
    return run(ledger().correct(HoldId{attempt(1)}, cost, std::move(note)));
  };
  const CorrectionNote refund{CorrectionKind::refund, "credit note 17"};
  const CorrectionNote price{CorrectionKind::wrong_price, "input was 2.50, not 5.00"};

  EXPECT_EQ(correct(cents(2), refund).value().left, cents(8));
  EXPECT_EQ(correct(cents(2), refund).value().left, cents(8)) << "said twice is entered once";
  if (is_durable()) crash_and_reopen();
  EXPECT_EQ(correct(cents(1), price).value().left, cents(9));
  EXPECT_EQ(run(ledger().correct(HoldId{attempt(9)}, cents(1), price)).error().error,
            LedgerError::unknown_hold);

  EXPECT_EQ(balance(1).spent, cents(1));
  const auto entries = run(ledger().corrections(WallTime{}, 10)).value();
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].note, price);
  EXPECT_EQ(entries[0].cost_before, cents(2));
  EXPECT_EQ(entries[0].cost_after, cents(1));
  EXPECT_EQ(entries[1].note, refund);
  EXPECT_EQ(entries[1].cost_before, cents(5));
  EXPECT_EQ(entries[1].attempt, attempt(1));
  EXPECT_EQ(run(ledger().corrections(WallTime{}, 1)).value().size(), 1u);
  EXPECT_TRUE(
      run(ledger().corrections(clock().wall_now() + std::chrono::hours{1}, 10)).value().empty());
}

TEST_P(LedgerContract, AnOldPeriodsHoldDoesNotBurdenTheNewOneAfterACrash) {
  if (!is_durable()) GTEST_SKIP() << "this ledger forgets on purpose";
  budget(1, cents(10), WhenExhausted::refuse, Period::day);
  ASSERT_TRUE(reserve(1, on({1}), cents(8)));
  clock().advance(std::chrono::hours{24});
  ASSERT_TRUE(reserve(2, on({1}), cents(2)));

  crash_and_reopen();

  EXPECT_EQ(balance(1).unconfirmed, cents(2));
  ASSERT_TRUE(settle(1, cents(7), Certainty::reconciled));
  EXPECT_EQ(balance(1).spent, NanoUsd());
}

TEST_P(LedgerContract, APeriodDoesNotGoBackAcrossACrash) {
  if (!is_durable()) GTEST_SKIP() << "this ledger forgets on purpose";
  budget(1, cents(10), WhenExhausted::refuse, Period::day);
  clock().advance(std::chrono::hours{24});
  ASSERT_TRUE(reserve(1, on({1}), cents(10)));
  ASSERT_TRUE(settle(1, cents(10)));

  clock().jump(-std::chrono::hours{20});
  crash_and_reopen();

  EXPECT_FALSE(reserve(2, on({1}), NanoUsd(1)));
  EXPECT_GT(*balance(1).resets_at, balance(1).period_start);
}

TEST_P(LedgerContract, AnAttemptFromBeforeACrashIsNotTakenForANewOne) {
  if (!is_durable()) GTEST_SKIP() << "this ledger forgets on purpose";
  budget(1, cents(10));
  ASSERT_TRUE(reserve(1, on({1}), cents(8)));
  ASSERT_TRUE(settle(1, cents(3)));

  crash_and_reopen();

  EXPECT_EQ(reserve(1, on({1}), cents(5)).value().amount, cents(8)) << "the hold that it had";
  EXPECT_EQ(balance(1).spent, cents(3));
  EXPECT_EQ(balance(1).held, NanoUsd());
}

TEST_P(LedgerContract, CrashesAtRandomMomentsNeverLoosenALimit) {
  if (!is_durable()) GTEST_SKIP() << "this ledger forgets on purpose";
  constexpr unsigned kSeed = 815;
  RecordProperty("seed", static_cast<int>(kSeed));
  std::mt19937_64 random(kSeed);
  const NanoUsd limit = dollars(2);
  budget(1, limit, WhenExhausted::clamp, Period::total);
  NanoUsd billed;      // By a provider that bills what it was granted at most,
  NanoUsd could_bill;  // and may yet bill for what a crash left open.
  std::vector<std::pair<std::uint64_t, NanoUsd>> open;
  for (std::uint64_t number = 1; number <= 1'500; ++number) {
    const auto granted = reserve(
        number, on({1}), NanoUsd(static_cast<std::int64_t>(random() % 90'000'000)), NanoUsd());
    ASSERT_TRUE(granted);
    could_bill += granted->amount;
    open.emplace_back(number, granted->amount);
    ASSERT_LE(billed + could_bill, limit) << "attempt " << number << ", seed " << kSeed;
    if (random() % 4 != 0) {
      const auto [settled, amount] = open[random() % open.size()];
      std::erase_if(open, [&](const auto& each) { return each.first == settled; });
      const NanoUsd cost(static_cast<std::int64_t>(
          random() % static_cast<std::uint64_t>(amount.nanos() / 200 + 1)));
      ASSERT_TRUE(settle(settled, cost));
      billed += cost;
      could_bill -= amount;
    }
    if (random() % 100 == 0) crash_and_reopen();
    const Balance now = balance(1);
    ASSERT_EQ(now.spent, billed) << "attempt " << number << ", seed " << kSeed;
    ASSERT_EQ(now.held + now.unconfirmed, could_bill) << number << ", seed " << kSeed;
  }
}

}  // namespace claviger::budget

/// What a power cut may do, and what leases are for. See lease_store.h.

#include <gtest/gtest.h>

#include <filesystem>
#include <random>

#include "budget/journal_ledger_fixture.h"

namespace claviger::budget {
namespace {

/// A machine whose power can be cut: what was synced is on disk, and nothing else.
struct LeasesTest : JournalLedgerTest {
  std::unique_ptr<JournalLedger> start(NanoUsd limit = dollars(100)) {
    JournalLedgerConfig config = by_hand();
    config.leases = &leases;
    config.boot_id = boot;
    return open(std::move(config), limit);
  }
  /// What is on disk now is all that a power cut leaves, until the next call.
  void sync(JournalLedger& ledger) {
    ledger.sync_now();
    std::filesystem::remove_all(disk());
    std::filesystem::copy(journal_folder(), disk());
  }
  void cut_power(std::unique_ptr<JournalLedger>& ledger) {
    ledger->abandon();
    ledger.reset();
    std::filesystem::remove_all(journal_folder());
    std::filesystem::copy(disk(), journal_folder());
    boot += "+";
  }
  void kill(std::unique_ptr<JournalLedger>& ledger) {
    ledger->abandon();
    ledger.reset();
  }
  static Result<Grant> hold(Ledger& ledger, std::uint64_t number, NanoUsd cost) {
    return run(ledger.reserve(reservation(attempt(number), on({1}), cost)));
  }
  static void settle(Ledger& ledger, std::uint64_t number, NanoUsd cost) {
    ASSERT_TRUE(run(ledger.settle(HoldId{attempt(number)}, cost, Certainty::billed)));
  }
  static Balance balance(Ledger& ledger) { return run(ledger.balance(BudgetId{1})).value(); }
  std::string journal_folder() const { return folder.path() + "/journal"; }
  std::string disk() const { return folder.path() + "/disk"; }

  MemoryLeaseStore leases;
  std::string boot = "boot";
};

TEST_F(LeasesTest, WhatAPowerCutTookCountsAsUnconfirmedAndABillSettlesIt) {
  auto ledger = start();
  sync(*ledger);
  ASSERT_TRUE(hold(*ledger, 1, cents(50)));  // Never reaches the disk.

  cut_power(ledger);
  ledger = start();

  EXPECT_GE(balance(*ledger).unconfirmed, cents(50));
  const auto uncertain = run(ledger->uncertain(10)).value();
  ASSERT_EQ(uncertain.size(), 1u);
  EXPECT_EQ(uncertain[0].money.state, HoldState::unconfirmed);
  const auto settled =
      run(ledger->settle(HoldId{uncertain[0].money.attempt}, cents(3), Certainty::reconciled));
  ASSERT_TRUE(settled);
  EXPECT_EQ(balance(*ledger).unconfirmed, NanoUsd());
  EXPECT_EQ(balance(*ledger).spent, cents(3));
}

TEST_F(LeasesTest, WhateverIsHeldBeforeItsGroupIsOnDiskIsWithinWhatIsLeasedOnDisk) {
  constexpr unsigned kSeed = 20261126;
  RecordProperty("seed", static_cast<int>(kSeed));
  std::mt19937_64 random(kSeed);
  for (int round = 0; round < 40; ++round) {
    auto ledger = start(dollars(1'000));
    sync(*ledger);
    const Balance before = balance(*ledger);
    const NanoUsd known = before.spent + before.unconfirmed;
    // What comes between two groups: holds, some of them settled, and no trip to the disk.
    NanoUsd could_bill;
    const std::uint64_t holds = 1 + random() % 12;
    for (std::uint64_t index = 0; index < holds; ++index) {
      const auto number = static_cast<std::uint64_t>(round) * 100 + index + 1;
      const auto granted =
          hold(*ledger, number, NanoUsd(static_cast<std::int64_t>(1 + random() % 900'000'000)));
      ASSERT_TRUE(granted);
      could_bill += granted->amount;
      const auto leased = leases.earlier_run().value().leases;
      ASSERT_FALSE(leased.empty());
      ASSERT_GE(leased.front().up_to, known + could_bill) << "seed " << kSeed;
      if (random() % 3 == 0) settle(*ledger, number, granted->amount);
    }

    cut_power(ledger);
    ledger = start(dollars(1'000));

    const Balance after = balance(*ledger);
    ASSERT_GE(after.spent + after.unconfirmed, known + could_bill) << "seed " << kSeed;
    // The bill: nothing of it, so that the next round begins where this one did.
    for (const UncertainCost& cost : run(ledger->uncertain(100)).value()) {
      ASSERT_TRUE(
          run(ledger->settle(HoldId{cost.money.attempt}, NanoUsd(), Certainty::reconciled)));
    }
    ASSERT_TRUE(ledger->fold_now());
    ledger.reset();
  }
}

TEST_F(LeasesTest, AfterAKillOnlyOpenHoldsAreUnconfirmed) {
  auto ledger = start();
  ASSERT_TRUE(hold(*ledger, 1, cents(50)));
  ASSERT_TRUE(hold(*ledger, 2, cents(50)));
  settle(*ledger, 2, cents(10));

  kill(ledger);
  ledger = start();

  EXPECT_EQ(balance(*ledger).unconfirmed, cents(50));
  EXPECT_EQ(balance(*ledger).spent, cents(10));
}

TEST_F(LeasesTest, AnOrderlyEndLeavesNothingForAPowerCutToTake) {
  auto ledger = start();
  ASSERT_TRUE(hold(*ledger, 1, cents(50)));
  settle(*ledger, 1, cents(10));
  ledger.reset();
  boot += "+";

  ledger = start();

  EXPECT_EQ(balance(*ledger).unconfirmed, NanoUsd());
  EXPECT_EQ(balance(*ledger).spent, cents(10));
}

TEST_F(LeasesTest, TheStoreIsAskedOncePerLeaseAndNotOncePerRequest) {
  auto ledger = start();
  for (std::uint64_t number = 1; number <= 1'000; ++number) {
    ASSERT_TRUE(hold(*ledger, number, cents(8)));
    settle(*ledger, number, cents(8));
    if (number % 500 == 0) ASSERT_TRUE(ledger->fold_now());
  }
  EXPECT_LE(leases.asked, 20);
}

TEST_F(LeasesTest, WhereNothingCanBeLeasedNewRequestsAreRefusedAndSettlementsAreNot) {
  auto ledger = start();
  ASSERT_TRUE(hold(*ledger, 1, cents(50)));
  leases.is_unavailable = true;

  EXPECT_EQ(hold(*ledger, 2, dollars(90)).error().error, LedgerError::unavailable);
  settle(*ledger, 1, cents(10));
  EXPECT_EQ(balance(*ledger).spent, cents(10));

  leases.is_unavailable = false;
  EXPECT_TRUE(hold(*ledger, 3, dollars(90)));
}

TEST_F(LeasesTest, AnIdleBudgetGivesBack) {
  JournalLedgerConfig config = by_hand();
  config.leases = &leases;
  config.boot_id = boot;
  config.give_back_after = Duration::zero();
  auto ledger = open(std::move(config));
  ASSERT_TRUE(hold(*ledger, 1, cents(50)));
  settle(*ledger, 1, cents(10));
  for (int tick = 0; tick < 3; ++tick) ASSERT_TRUE(ledger->fold_now());
  sync(*ledger);

  cut_power(ledger);
  ledger = start();

  EXPECT_EQ(balance(*ledger).unconfirmed, NanoUsd());
  EXPECT_EQ(balance(*ledger).spent, cents(10));
}

TEST_F(LeasesTest, ACrashInTheMiddleOfRecoveryCountsNothingTwice) {
  auto ledger = start();
  sync(*ledger);
  ASSERT_TRUE(hold(*ledger, 1, cents(50)));
  cut_power(ledger);
  ledger = start();
  const NanoUsd unconfirmed = balance(*ledger).unconfirmed;

  kill(ledger);
  ledger = start();

  EXPECT_EQ(balance(*ledger).unconfirmed, unconfirmed);
}

TEST_F(LeasesTest, PowerCutsAndKillsAtRandomMomentsNeverLoosenALimit) {
  constexpr unsigned kSeed = 20261125;
  RecordProperty("seed", static_cast<int>(kSeed));
  std::mt19937_64 random(kSeed);
  const NanoUsd limit = dollars(3);
  auto ledger = start(limit);
  sync(*ledger);
  NanoUsd billed;  // What a provider billed, or may yet bill.
  std::vector<std::pair<std::uint64_t, NanoUsd>> open_holds;
  for (std::uint64_t number = 1; number <= 1'200; ++number) {
    const auto granted =
        hold(*ledger, number, NanoUsd(static_cast<std::int64_t>(1 + random() % 20'000'000)));
    if (granted) {
      billed += granted->amount;
      open_holds.emplace_back(number, granted->amount);
    }
    ASSERT_LE(billed, limit) << "attempt " << number << ", seed " << kSeed;
    if (!open_holds.empty() && random() % 2 == 0) {
      const auto [settled, amount] = open_holds.back();
      open_holds.pop_back();
      const NanoUsd cost(static_cast<std::int64_t>(
          random() % static_cast<std::uint64_t>(amount.nanos() / 50 + 1)));
      settle(*ledger, settled, cost);
      billed = billed - amount + cost;
    }
    if (random() % 10 == 0) sync(*ledger);
    // Folding empties files that the copy of the disk still has: both change together.
    if (random() % 40 == 0) {
      ASSERT_TRUE(ledger->fold_now());
      sync(*ledger);
    }
    if (random() % 60 == 0) {
      // Held when it happened: the provider may bill it, and nobody will settle it here.
      open_holds.clear();
      if (random() % 2 == 0) {
        cut_power(ledger);
      } else {
        kill(ledger);
      }
      ledger = start(limit);
      sync(*ledger);
      const Balance now = balance(*ledger);
      ASSERT_GE(now.spent + now.unconfirmed, billed) << "attempt " << number << ", seed " << kSeed;
    }
  }
}

}  // namespace
}  // namespace claviger::budget

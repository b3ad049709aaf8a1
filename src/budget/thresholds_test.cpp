#include "budget/thresholds.h"

#include <gtest/gtest.h>

#include "base/task.h"
#include "budget/ledger_contract_fixture.h"
#include "budget/memory_ledger.h"

namespace claviger::budget {
namespace {

struct ThresholdsTest : testing::Test {
  void limit(NanoUsd limit, Period period = Period::day,
             WhenExhausted when = WhenExhausted::refuse) {
    ASSERT_TRUE(run(ledger.set_terms({.id = BudgetId{1},
                                      .limit = limit,
                                      .period = period,
                                      .when_exhausted = when,
                                      .warn_at = {50, 80, 100}})));
  }
  void spend(NanoUsd held, NanoUsd cost) {
    ++number;
    ASSERT_TRUE(run(ledger.reserve(reservation(attempt(number), on({1}), held))));
    ASSERT_TRUE(run(ledger.settle(HoldId{attempt(number)}, cost, Certainty::billed)));
  }
  std::vector<int> passed() {
    std::vector<int> percents;
    const auto taken = ledger.books().accounts().crossings().take();
    EXPECT_EQ(taken.dropped, 0u);
    for (const Crossing& crossing : taken.crossings) percents.push_back(crossing.percent);
    return percents;
  }
  using Percents = std::vector<int>;

  ManualClock clock;
  MemoryLedger ledger{clock};
  std::uint64_t number = 0;
};

TEST_F(ThresholdsTest, EachIsToldOncePerPeriod) {
  limit(cents(100));
  spend(cents(40), cents(40));
  EXPECT_EQ(passed(), Percents());
  spend(cents(20), cents(10));
  EXPECT_EQ(passed(), Percents({50})) << "at exactly half";
  spend(cents(10), cents(10));
  EXPECT_EQ(passed(), Percents());

  clock.advance(std::chrono::hours{24});
  spend(cents(90), cents(90));
  EXPECT_EQ(passed(), Percents({50, 80})) << "in the new period, both at once";
}

TEST_F(ThresholdsTest, WhatIsOnlyHeldIsNotSpent) {
  limit(cents(100));
  spend(cents(99), cents(1));

  EXPECT_EQ(passed(), Percents());
}

TEST_F(ThresholdsTest, TheFirstRefusalCountsAsFull) {
  limit(cents(100));
  spend(cents(10), cents(10));
  for (int time = 0; time < 3; ++time) {
    EXPECT_FALSE(run(ledger.reserve(reservation(attempt(100), on({1}), cents(95)))));
  }
  EXPECT_EQ(passed(), Percents({100}));
  spend(cents(90), cents(90));
  EXPECT_EQ(passed(), Percents({50, 80})) << "100 was told already";
}

TEST_F(ThresholdsTest, ALowerLimitTellsAtOnceWhatItHasPassed) {
  limit(cents(100));
  spend(cents(40), cents(40));
  limit(cents(45));
  EXPECT_EQ(passed(), Percents({50, 80}));
  limit(cents(100));
  EXPECT_EQ(passed(), Percents());
}

TEST_F(ThresholdsTest, ABudgetOfNothingIsPassedByTheFirstNanoDollar) {
  limit(NanoUsd());
  EXPECT_FALSE(run(ledger.reserve(reservation(attempt(1), on({1}), cents(1)))));
  EXPECT_EQ(passed(), Percents({100}));
}

TEST_F(ThresholdsTest, ManyThreadsTellEachThresholdOnce) {
  limit(dollars(1), Period::total, WhenExhausted::clamp);
  std::vector<std::thread> threads;
  for (std::uint64_t thread = 0; thread < 4; ++thread) {
    threads.emplace_back([this, thread] {
      for (std::uint64_t each = 1; each <= 500; ++each) {
        const AttemptId mine = attempt(thread * 1'000 + each);
        if (run(ledger.reserve(reservation(mine, on({1}), NanoUsd(500'000))))) {
          EXPECT_TRUE(run(ledger.settle(HoldId{mine}, NanoUsd(500'000), Certainty::billed)));
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();

  Percents told = passed();
  std::ranges::sort(told);
  EXPECT_EQ(told, Percents({50, 80, 100}));
}

TEST(CrossingQueue, SaysThatItDroppedNotes) {
  CrossingQueue queue;
  for (std::size_t note = 0; note < CrossingQueue::kNotesMax + 3; ++note) {
    queue.note({.budget = BudgetId{1}, .percent = 50});
  }
  EXPECT_EQ(queue.take().dropped, 3u);
  EXPECT_TRUE(queue.take().crossings.empty());
}

}  // namespace
}  // namespace claviger::budget

#include "alert/pace.h"

#include <gtest/gtest.h>

#include <random>

namespace claviger::alert {
namespace {

class PaceTest : public testing::Test {
 protected:
  /// Spends `amount` in the middle of the running slot, then goes on to the next one.
  void slot(NanoUsd amount) {
    paces_.observe(id_, start_, spent_, now_, kept_);
    spent_ += amount;
    now_ += std::chrono::minutes(15);
    paces_.observe(id_, start_, spent_, now_, kept_);
    now_ += std::chrono::minutes(15);
  }
  std::optional<Rate> rate() {
    paces_.observe(id_, start_, spent_, now_, kept_);
    return paces_.rate(id_, now_);
  }

  const BudgetId id_{7};
  WallTime start_{std::chrono::days{20000}};
  WallTime now_ = start_ + std::chrono::hours(1);
  NanoUsd spent_;
  Paces paces_;
  std::vector<PaceSample> kept_;
};

TEST_F(PaceTest, SaysNothingBeforeThereIsEnough) {
  EXPECT_FALSE(paces_.rate(id_, now_));
  for (int i = 0; i < 6; ++i) {
    slot(cents(10));
    EXPECT_FALSE(rate()) << i;
  }
  slot(cents(10));
  EXPECT_TRUE(rate());
}

TEST_F(PaceTest, ASteadyPaceIsItself) {
  for (int i = 0; i < 49; ++i) slot(cents(10));
  ASSERT_TRUE(rate());
  EXPECT_EQ(rate()->per_day(), cents(480));
  EXPECT_EQ(used_up_at(*rate(), cents(20), now_), now_ + std::chrono::hours(1));
}

TEST_F(PaceTest, ABurstIsNotAPace) {
  for (int i = 0; i < 48; ++i) slot(i == 40 ? dollars(50) : cents(10));
  ASSERT_TRUE(rate());
  EXPECT_EQ(rate()->per_day(), cents(480)) << "as if the burst were a slot like the others";
}

TEST_F(PaceTest, SpendingInOneBurstAloneSaysNothing) {
  for (int i = 0; i < 48; ++i) slot(i == 20 || i == 21 ? dollars(5) : NanoUsd());
  EXPECT_FALSE(rate());
}

TEST_F(PaceTest, ANightIsPartOfADay) {
  // Eight hours of work in a day.
  for (int i = 0; i < 96; ++i) slot(i % 48 < 16 ? cents(10) : NanoUsd());
  ASSERT_TRUE(rate());
  EXPECT_EQ(rate()->per_day(), cents(160));
}

TEST_F(PaceTest, ANewPeriodGoesOnAtTheSamePace) {
  for (int i = 0; i < 24; ++i) slot(cents(10));
  start_ = now_;
  spent_ = NanoUsd();
  for (int i = 0; i < 24; ++i) slot(cents(10));
  ASSERT_TRUE(rate());
  EXPECT_EQ(rate()->per_day(), cents(480));
}

TEST_F(PaceTest, ACorrectionIsNoSpending) {
  for (int i = 0; i < 20; ++i) slot(cents(10));
  spent_ -= cents(100);
  for (int i = 0; i < 30; ++i) slot(NanoUsd());
  const auto seen = rate();
  ASSERT_TRUE(seen);
  EXPECT_LT(seen->per_day(), cents(480));
  EXPECT_GT(seen->amount, NanoUsd());
}

TEST_F(PaceTest, ARestartGoesOnWhereItWas) {
  for (int i = 0; i < 30; ++i) slot(cents(10));
  ASSERT_TRUE(rate());
  Paces after;
  after.restore(kept_);
  after.observe(id_, start_, spent_, now_, kept_);
  ASSERT_TRUE(after.rate(id_, now_));
  EXPECT_EQ(after.rate(id_, now_)->per_day(), rate()->per_day());
}

TEST_F(PaceTest, ADayWithoutALookLeavesNothingOfTheOldPace) {
  for (int i = 0; i < 30; ++i) slot(cents(10));
  now_ += std::chrono::hours(30);
  EXPECT_FALSE(rate());
}

TEST_F(PaceTest, AClockThatGoesBackDoesNoHarm) {
  for (int i = 0; i < 10; ++i) slot(cents(10));
  now_ -= std::chrono::hours(5);
  for (int i = 0; i < 3; ++i) slot(cents(10));
  EXPECT_LE(rate().value_or(Rate{NanoUsd(1), std::chrono::seconds(86'400)}).per_day(), dollars(20));
}

/// Whatever is observed: never a negative or absurd rate, and never a crash.
TEST_F(PaceTest, AnythingThatIsSeenGivesASaneRate) {
  constexpr std::uint64_t kSeed = 20261125;
  SCOPED_TRACE(kSeed);
  std::mt19937_64 random(kSeed);
  for (int i = 0; i < 20'000; ++i) {
    spent_ = random() % 50 == 0 ? NanoUsd::max()
                                : NanoUsd(static_cast<std::int64_t>(random() % 1'000'000'000));
    if (random() % 40 == 0) start_ += std::chrono::hours(1);
    now_ += std::chrono::seconds(static_cast<std::int64_t>(random() % 4000) - 300);
    const auto seen = rate();
    if (!seen) continue;
    ASSERT_GT(seen->amount, NanoUsd());
    ASSERT_GT(seen->over.count(), 0);
    const auto at = used_up_at(*seen, NanoUsd::max(), now_);
    if (at) ASSERT_GE(*at, now_);
  }
}

TEST(UsedUpAt, WhatIsFartherThanAYearIsNoForecast) {
  const Rate slow{.amount = NanoUsd(1), .over = std::chrono::seconds(86'400)};
  EXPECT_FALSE(used_up_at(slow, dollars(1), WallTime{}));
  EXPECT_EQ(used_up_at(slow, NanoUsd(0), WallTime{}), WallTime{});
}

}  // namespace
}  // namespace claviger::alert

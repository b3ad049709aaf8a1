#include "budget/clock_watch.h"

#include <gtest/gtest.h>

namespace claviger::budget {
namespace {

using namespace std::chrono_literals;

TEST(ClockWatch, TimeThatPassesIsTrusted) {
  ManualClock clock;
  ClockWatch watch(clock);

  clock.advance(24h * 40);

  EXPECT_TRUE(watch.is_trusted());
}

TEST(ClockWatch, AJumpOfMoreThanAnHourIsNotTrustedInEitherDirection) {
  ManualClock clock;
  ClockWatch watch(clock);

  clock.jump(1h + 1us);
  EXPECT_FALSE(watch.is_trusted());
  clock.jump(-1h - 1us);
  EXPECT_TRUE(watch.is_trusted()) << "it came back by itself";
  clock.jump(-2h);
  EXPECT_FALSE(watch.is_trusted());
  clock.advance(3h);
  EXPECT_FALSE(watch.is_trusted()) << "time alone does not heal it";
}

TEST(ClockWatch, SmallCorrectionsAreTakenOverAsTheyCome) {
  ManualClock clock;
  ClockWatch watch(clock);

  for (int step = 0; step < 5; ++step) {
    clock.advance(1s);
    clock.jump(50min);
    EXPECT_TRUE(watch.is_trusted());
  }
}

TEST(ClockWatch, AnOperatorCanConfirmTheClock) {
  ManualClock clock;
  ClockWatch watch(clock);
  clock.jump(48h);
  ASSERT_FALSE(watch.is_trusted());

  watch.confirm();

  EXPECT_TRUE(watch.is_trusted());
}

/// Stands still while it sleeps, as CLOCK_MONOTONIC does.
class SleepyClock final : public Clock {
 public:
  Instant now() const override { return Instant{}; }
  WallTime wall_now() const override { return WallTime{} + slept; }
  Instant now_with_sleep() const override { return Instant{} + slept; }
  std::chrono::hours slept{0};
};

TEST(ClockWatch, AMachineThatSleptIsNoReasonForDoubt) {
  SleepyClock clock;
  ClockWatch watch(clock);

  clock.slept = 9h;

  EXPECT_TRUE(watch.is_trusted());
}

}  // namespace
}  // namespace claviger::budget

#include "budget/period.h"

#include <gtest/gtest.h>

#include <random>

namespace claviger::budget {
namespace {

using namespace std::chrono_literals;
using std::chrono::sys_days;
using std::chrono::year;

WallTime at(std::chrono::year_month_day date, std::chrono::microseconds into_the_day = 0us) {
  return sys_days{date} + into_the_day;
}

TEST(Period, ADayRunsFromMidnightToMidnight) {
  const PeriodBounds day{at(year{2026} / 11 / 23), at(year{2026} / 11 / 24)};

  EXPECT_EQ(period_bounds(Period::day, at(year{2026} / 11 / 23)), day);
  EXPECT_EQ(period_bounds(Period::day, at(year{2026} / 11 / 23, 24h - 1us)), day);
  EXPECT_EQ(period_bounds(Period::day, at(year{2026} / 11 / 24)).start, *day.end);
}

TEST(Period, AWeekBeginsOnMonday) {
  const PeriodBounds week{at(year{2026} / 11 / 23), at(year{2026} / 11 / 30)};  // A Monday.

  EXPECT_EQ(period_bounds(Period::week, at(year{2026} / 11 / 23)), week);
  EXPECT_EQ(period_bounds(Period::week, at(year{2026} / 11 / 25, 13h)), week);
  EXPECT_EQ(period_bounds(Period::week, at(year{2026} / 11 / 29, 24h - 1us)), week);
  EXPECT_EQ(period_bounds(Period::week, at(year{2026} / 11 / 22)).end, week.start);
}

TEST(Period, AMonthHasAsManyDaysAsTheCalendarSays) {
  EXPECT_EQ(period_bounds(Period::month, at(year{2028} / 2 / 29, 5h)),
            (PeriodBounds{at(year{2028} / 2 / 1), at(year{2028} / 3 / 1)}));
  EXPECT_EQ(period_bounds(Period::month, at(year{2026} / 12 / 31, 24h - 1us)),
            (PeriodBounds{at(year{2026} / 12 / 1), at(year{2027} / 1 / 1)}));
}

TEST(Period, TotalAndRequestNeverEnd) {
  EXPECT_EQ(period_bounds(Period::total, at(year{2026} / 11 / 23)),
            (PeriodBounds{WallTime{}, std::nullopt}));
  EXPECT_EQ(period_bounds(Period::request, at(year{2026} / 11 / 23)).end, std::nullopt);
}

TEST(Period, PeriodsOfAKindCoverTimeWithoutGapOrOverlap) {
  constexpr unsigned kSeed = 7;
  RecordProperty("seed", static_cast<int>(kSeed));
  std::mt19937_64 random(kSeed);
  for (int round = 0; round < 5'000; ++round) {
    const WallTime moment =
        from_unix_micros(static_cast<std::int64_t>(random() % (200ull * 366 * 86'400 * 1'000'000)));
    for (const Period period : {Period::day, Period::week, Period::month}) {
      const PeriodBounds bounds = period_bounds(period, moment);
      ASSERT_TRUE(bounds.end);
      ASSERT_LE(bounds.start, moment);
      ASSERT_GT(*bounds.end, moment);
      ASSERT_EQ(period_bounds(period, *bounds.end).start, *bounds.end);
      ASSERT_EQ(period_bounds(period, *bounds.end - 1us), bounds);
      ASSERT_EQ(bounds.start.time_since_epoch() % 1min, 0us);
    }
  }
}

}  // namespace
}  // namespace claviger::budget

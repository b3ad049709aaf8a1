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

// ---- Zones (tzdata's rules, https://www.iana.org/time-zones, 2025b) ----

TimeZone zone(const char* name) {
  const auto found = TimeZone::find(name);
  EXPECT_TRUE(found) << name;
  return found.value_or(TimeZone());
}
constexpr const char* kZones[] = {"UTC",
                                  "Europe/Berlin",
                                  "America/New_York",
                                  "Asia/Kolkata",
                                  "Asia/Kathmandu",
                                  "Australia/Lord_Howe",
                                  "Pacific/Chatham",
                                  "Africa/Cairo",
                                  "America/Santiago",
                                  "America/Havana",
                                  "America/St_Johns",
                                  "Pacific/Apia",
                                  "Pacific/Kiritimati",
                                  "Antarctica/Troll",
                                  "Asia/Beirut",
                                  "Africa/Casablanca"};

TEST(PeriodInAZone, ADayBeginsAtTheOwnersMidnight) {
  const TimeZone berlin = zone("Europe/Berlin");

  EXPECT_EQ(period_bounds(Period::day, at(year{2026} / 1 / 15, 12h), berlin),
            (PeriodBounds{at(year{2026} / 1 / 14, 23h), at(year{2026} / 1 / 15, 23h)}));
  EXPECT_EQ(period_bounds(Period::day, at(year{2026} / 7 / 15, 22h), berlin),
            (PeriodBounds{at(year{2026} / 7 / 15, 22h), at(year{2026} / 7 / 16, 22h)}));
}

TEST(PeriodInAZone, WeeksAndMonthsBeginThereToo) {
  const TimeZone tokyo = zone("Asia/Tokyo");

  EXPECT_EQ(period_bounds(Period::week, at(year{2026} / 11 / 22, 15h), tokyo),
            (PeriodBounds{at(year{2026} / 11 / 22, 15h), at(year{2026} / 11 / 29, 15h)}));
  EXPECT_EQ(period_bounds(Period::month, at(year{2026} / 11 / 30, 14h), tokyo),
            (PeriodBounds{at(year{2026} / 10 / 31, 15h), at(year{2026} / 11 / 30, 15h)}));
}

TEST(PeriodInAZone, ADayOnWhichClocksAreChangedIsAnHourShorterOrLonger) {
  const TimeZone berlin = zone("Europe/Berlin");
  const PeriodBounds spring = period_bounds(Period::day, at(year{2026} / 3 / 29, 12h), berlin);
  const PeriodBounds autumn = period_bounds(Period::day, at(year{2026} / 10 / 25, 12h), berlin);

  EXPECT_EQ(*spring.end - spring.start, 23h);
  EXPECT_EQ(*autumn.end - autumn.start, 25h);
}

TEST(PeriodInAZone, AMonthWithBothOffsetsBeginsAndEndsAtMidnightThere) {
  const PeriodBounds march =
      period_bounds(Period::month, at(year{2026} / 3 / 15), zone("America/New_York"));

  EXPECT_EQ(march, (PeriodBounds{at(year{2026} / 3 / 1, 5h), at(year{2026} / 4 / 1, 4h)}));
}

TEST(PeriodInAZone, WhereMidnightIsSkippedTheDayBeginsAtTheJump) {
  // Cairo put its clocks from 00:00 to 01:00 on 2025-04-25.
  const PeriodBounds day =
      period_bounds(Period::day, at(year{2025} / 4 / 25, 12h), zone("Africa/Cairo"));

  EXPECT_EQ(day.start, at(year{2025} / 4 / 24, 22h));
  EXPECT_EQ(*day.end - day.start, 23h);
}

TEST(PeriodInAZone, WhereMidnightComesTwiceTheDayBeginsOnce) {
  // Havana puts its clocks from 01:00 back to 00:00: here on 2025-11-02, at 05:00 UTC.
  const TimeZone havana = zone("America/Havana");
  const PeriodBounds day = period_bounds(Period::day, at(year{2025} / 11 / 2, 4h + 30min), havana);

  EXPECT_EQ(day.start, at(year{2025} / 11 / 2, 4h));
  EXPECT_EQ(*day.end - day.start, 25h);
  EXPECT_EQ(period_bounds(Period::day, at(year{2025} / 11 / 2, 5h + 30min), havana), day);
}

TEST(PeriodInAZone, ADateThatComesTwiceDoesNotBeginItsPeriodTwice) {
  // St. John's put its clocks from 00:01 back to 23:01 on 2010-11-07, at 02:31 UTC.
  const TimeZone st_johns = zone("America/St_Johns");
  const PeriodBounds sunday =
      period_bounds(Period::day, at(year{2010} / 11 / 7, 2h + 30min + 30s), st_johns);

  EXPECT_EQ(sunday.start, at(year{2010} / 11 / 7, 2h + 30min));
  EXPECT_EQ(period_bounds(Period::day, at(year{2010} / 11 / 7, 3h), st_johns), sunday)
      << "it is Saturday again there, but Sunday's period has begun";
}

TEST(PeriodInAZone, ADayThatIsLeftOutHasNoPeriod) {
  // Samoa had no 2011-12-30.
  const TimeZone apia = zone("Pacific/Apia");
  const PeriodBounds before = period_bounds(Period::day, at(year{2011} / 12 / 30, 9h), apia);

  EXPECT_EQ(*before.end, at(year{2011} / 12 / 30, 10h));
  EXPECT_EQ(period_bounds(Period::day, *before.end, apia),
            (PeriodBounds{*before.end, at(year{2011} / 12 / 31, 10h)}));
}

TEST(PeriodInAZone, OffsetsNeedNotBeWholeHours) {
  EXPECT_EQ(period_bounds(Period::day, at(year{2026} / 1 / 1, 12h), zone("Asia/Kathmandu")).start,
            at(year{2025} / 12 / 31, 18h + 15min));
  const PeriodBounds lord_howe =
      period_bounds(Period::day, at(year{2026} / 4 / 5, 5h), zone("Australia/Lord_Howe"));
  EXPECT_EQ(*lord_howe.end - lord_howe.start, 24h + 30min) << "clocks change by half an hour";
}

TEST(PeriodInAZone, PeriodsCoverTimeWithoutGapOrOverlapInEveryZone) {
  constexpr unsigned kSeed = 11;
  RecordProperty("seed", static_cast<int>(kSeed));
  std::mt19937_64 random(kSeed);
  for (const char* const name : kZones) {
    const TimeZone there = zone(name);
    for (int round = 0; round < 1'500; ++round) {
      // 1980 to 2040.
      const WallTime moment =
          at(year{1980} / 1 / 1) + std::chrono::seconds{random() % (60ull * 366 * 86'400)};
      for (const Period period : {Period::day, Period::week, Period::month}) {
        const PeriodBounds bounds = period_bounds(period, moment, there);
        ASSERT_LE(bounds.start, moment) << name;
        ASSERT_GT(*bounds.end, moment) << name;
        ASSERT_EQ(period_bounds(period, *bounds.end, there).start, *bounds.end) << name;
        ASSERT_EQ(period_bounds(period, *bounds.end - 1us, there), bounds) << name;
        ASSERT_EQ(bounds.start.time_since_epoch() % 1min, 0us) << name;
        ASSERT_EQ(running_period(period, moment, bounds.start, there), bounds)
            << name << ": a period that nobody disturbed is one of the calendar";
      }
    }
  }
}

TEST(RunningPeriod, AChangeOfZoneNeverCutsAPeriodShort) {
  const WallTime since = at(year{2026} / 11 / 24);
  const TimeZone tokyo = zone("Asia/Tokyo");

  // Midnight in Tokyo is at 15:00 UTC: too soon, so this day is a long one.
  EXPECT_EQ(running_period(Period::day, since + 16h, since, tokyo),
            (PeriodBounds{since, at(year{2026} / 11 / 25, 15h)}));
  EXPECT_EQ(running_period(Period::day, at(year{2026} / 11 / 25, 15h), since, tokyo),
            (PeriodBounds{at(year{2026} / 11 / 25, 15h), at(year{2026} / 11 / 26, 15h)}));
  EXPECT_EQ(running_period(Period::week, since + 16h, at(year{2026} / 11 / 23), tokyo).end,
            at(year{2026} / 11 / 29, 15h));
}

TEST(RunningPeriod, NoSequenceOfZonesHandsOutMoreThanTheCalendarHas) {
  constexpr unsigned kSeed = 12;
  RecordProperty("seed", static_cast<int>(kSeed));
  std::mt19937_64 random(kSeed);
  for (const auto& [period, most] : {std::pair(Period::week, 54), std::pair(Period::month, 13)}) {
    WallTime now = at(year{2026} / 1 / 1);
    WallTime since = period_bounds(period, now).start;
    int begun = 1;
    for (; now < at(year{2027} / 1 / 1); now += 30min) {
      const TimeZone there = zone(kZones[random() % std::size(kZones)]);
      const WallTime start = running_period(period, now, since, there).start;
      ASSERT_GE(start, since) << "periods never go back";
      if (start > since) ++begun;
      since = start;
    }
    EXPECT_LE(begun, most) << "seed " << kSeed;
  }
}

TEST(RunningPeriod, AClockThatGoesBackLeavesThePeriodAsItIs) {
  const PeriodBounds day = period_bounds(Period::day, at(year{2026} / 11 / 24));

  EXPECT_EQ(running_period(Period::day, at(year{2026} / 11 / 20), day.start), day);
}

TEST(TimeZone, NamesThatAreNoZonesAreRefused) {
  for (const char* const name : {"", "Mars/Olympus", "../../etc/passwd", "/etc/localtime", "Europe",
                                 "Europe/Berlin ", "europe\nberlin"}) {
    EXPECT_EQ(TimeZone::find(name), std::unexpected(TimeZoneError::unknown)) << name;
  }
}

TEST(TimeZone, MomentsAreShownAsClocksThereShowThem) {
  const WallTime moment = at(year{2026} / 11 / 25, 23h + 30min);

  EXPECT_EQ(text_in(TimeZone(), moment), "2026-11-25T23:30:00+00:00");
  EXPECT_EQ(text_in(zone("Asia/Kathmandu"), moment), "2026-11-26T05:15:00+05:45");
  EXPECT_EQ(text_in(zone("America/St_Johns"), moment), "2026-11-25T20:00:00-03:30");
}

}  // namespace
}  // namespace claviger::budget

#include "budget/period.h"

#include <algorithm>

namespace claviger::budget {
namespace {

namespace chrono = std::chrono;

/// The first date of the period that `date` is in; both in days since 1970.
chrono::days first_date(Period period, chrono::days date) {
  const chrono::sys_days day{date};
  switch (period) {
    case Period::week:
      return (day - (chrono::weekday{day} - chrono::Monday)).time_since_epoch();
    case Period::month: {
      const chrono::year_month_day parts{day};
      return chrono::sys_days{parts.year() / parts.month() / 1}.time_since_epoch();
    }
    case Period::day:
    case Period::request:
    case Period::total:
      break;
  }
  return date;
}

/// The first date of the period after the one that begins with `first`.
chrono::days next_first_date(Period period, chrono::days first) {
  switch (period) {
    case Period::week:
      return first + chrono::days{7};
    case Period::month:
      return first_date(period, first + chrono::days{31});
    case Period::day:
    case Period::request:
    case Period::total:
      break;
  }
  return first + chrono::days{1};
}

/// What lies between the beginnings of two periods, at least, where their zones may differ. The
/// same Monday begins within 26 hours all over the world, so with this much no Monday, and no
/// 1st of a month, begins two periods. Days are too short for that: there it is a day on which
/// clocks are put forward by two hours, and a change of zone makes one long day.
chrono::hours shortest(Period period) {
  constexpr chrono::hours kZonesApart{26};
  switch (period) {
    case Period::week:
      return chrono::hours{7 * 24} - kZonesApart;
    case Period::month:
      return chrono::hours{28 * 24} - kZonesApart;
    case Period::day:
    case Period::request:
    case Period::total:
      break;
  }
  return chrono::hours{24 - 2};
}

}  // namespace

PeriodBounds period_bounds(Period period, WallTime at, const TimeZone& zone) {
  if (period == Period::total || period == Period::request) return {WallTime{}, std::nullopt};
  chrono::days first = first_date(period, zone.date_at(at));
  PeriodBounds bounds{.start = zone.begin_of(first), .end = std::nullopt};
  for (;;) {
    first = next_first_date(period, first);
    const WallTime end = zone.begin_of(first);
    // A date that comes twice belongs, the second time, to the period that has begun meanwhile;
    // one that is left out has no length.
    if (end > at) {
      bounds.end = end;
      return bounds;
    }
    bounds.start = end;
  }
}

PeriodBounds running_period(Period period, WallTime at, WallTime running_since,
                            const TimeZone& zone) {
  PeriodBounds bounds = period_bounds(period, std::max(at, running_since), zone);
  if (!bounds.end) return bounds;
  if (bounds.start - running_since >= shortest(period)) return bounds;
  while (*bounds.end - running_since < shortest(period)) {
    bounds = period_bounds(period, *bounds.end, zone);
  }
  return {.start = running_since, .end = bounds.end};
}

}  // namespace claviger::budget

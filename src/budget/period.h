#pragma once

/// Calendar periods: when a budget starts afresh. Days begin at 00:00, weeks on Monday, months
/// on the 1st, all in the budget's time zone. Everything that knows about calendars is here and
/// in time_zone.h.
///
/// A day on which clocks change has 23 or 25 hours, or 23.5 where they change by half an hour
/// (Lord Howe). Where midnight is skipped the day begins at the jump; where it comes twice, at
/// the first one, so that no period begins twice.

#include <chrono>
#include <optional>

#include "base/time.h"
#include "budget/time_zone.h"

namespace claviger::budget {

/// Budgets of Period::request are a ceiling on each single hold: nothing accumulates on them.
enum class Period : std::uint8_t { request, day, week, month, total };

/// [start, end). Starts and ends are whole minutes, which is how the journal writes them.
struct PeriodBounds {
  WallTime start;
  std::optional<WallTime> end;  ///< None for Period::total and Period::request, which never end.
  friend bool operator==(const PeriodBounds&, const PeriodBounds&) = default;
};

/// The period of that kind that `at` falls into. Total and request start at 1970-01-01.
PeriodBounds period_bounds(Period period, WallTime at, const TimeZone& zone = {});

/// The period that runs at `at`, where the one that began at `running_since` ran before: that
/// same one, or the one that followed.
///
/// The two differ from period_bounds() where a budget's zone was changed while its period ran.
/// A period is never cut short by that, since each new one hands out the whole limit again: it
/// ends at the first boundary in its new zone that is a whole period away, but for the hours
/// that clocks and zones differ by. It needs no memory but `running_since`, so that it is the
/// same after a restart. Periods never go back: where `at` is before `running_since`, that one
/// goes on.
PeriodBounds running_period(Period period, WallTime at, WallTime running_since,
                            const TimeZone& zone = {});

}  // namespace claviger::budget

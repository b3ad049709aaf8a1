#pragma once

/// Calendar periods: when a budget starts afresh. Days begin at 00:00, weeks on Monday, months
/// on the 1st, all in UTC. Everything that knows about calendars is here.

#include <optional>

#include "base/time.h"
#include "budget/ledger.h"

namespace claviger::budget {

/// [start, end). Starts and ends are whole minutes, which is how the journal writes them.
struct PeriodBounds {
  WallTime start;
  std::optional<WallTime> end;  ///< None for Period::total and Period::request, which never end.
  friend bool operator==(const PeriodBounds&, const PeriodBounds&) = default;
};

/// The period of that kind that `at` falls into. Total and request start at 1970-01-01.
PeriodBounds period_bounds(Period period, WallTime at);

}  // namespace claviger::budget

#include "budget/period.h"

#include <chrono>

namespace claviger::budget {

PeriodBounds period_bounds(Period period, WallTime at) {
  namespace chrono = std::chrono;
  const chrono::sys_days day = chrono::floor<chrono::days>(at);
  switch (period) {
    case Period::day:
      return {day, WallTime(day + chrono::days{1})};
    case Period::week: {
      const chrono::sys_days monday = day - (chrono::weekday{day} - chrono::Monday);
      return {monday, WallTime(monday + chrono::days{7})};
    }
    case Period::month: {
      const chrono::year_month_day date{day};
      const chrono::year_month month = date.year() / date.month();
      const chrono::sys_days first{month / 1};
      const chrono::sys_days next_first{(month + chrono::months{1}) / 1};
      return {first, WallTime(next_first)};
    }
    case Period::request:
    case Period::total:
      return {WallTime{}, std::nullopt};
  }
  return {WallTime{}, std::nullopt};
}

}  // namespace claviger::budget

#pragma once

/// The time zone in which an owner's days begin. libstdc++ 12 knows no zones, so Debian's
/// libhowardhinnant-date-dev reads the system's (package tzdata); nothing else in the house
/// includes it.
///
/// What zones do that surprises: clocks are put forward at midnight, so that a day has no 00:00
/// (Cairo, Beirut, Santiago); they are put back across midnight, so that a date comes twice
/// (St. John's until 2011); a whole day is left out (Samoa on 2011-12-30). See period.h for what
/// becomes of periods.

#include <chrono>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "base/time.h"

namespace date {
class time_zone;
}

namespace claviger::budget {

enum class TimeZoneError : std::uint8_t {
  unknown,      ///< No such zone; names are IANA's, like `Europe/Berlin`.
  unavailable,  ///< The system has no zones: install the package tzdata.
};

/// A value, one pointer large. Zones live as long as the process, and never change in it: after
/// an update of tzdata the server is started again.
///
/// Threads: any method, from any thread, concurrently. Only find() reads files.
class TimeZone {
 public:
  /// UTC, also where the system knows no zones.
  TimeZone() = default;
  /// Errors: as named. `UTC` is always found.
  static std::expected<TimeZone, TimeZoneError> find(std::string_view name);

  std::string name() const;

  /// The date there at that moment, as days since 1970.
  std::chrono::days date_at(WallTime at) const;
  /// The first moment of that date there: where 00:00 is skipped, the moment of the jump; where
  /// it comes twice, the first one. Whole minutes. Never earlier than that of an earlier date.
  WallTime begin_of(std::chrono::days date) const;
  /// What has to be added to UTC for the time there.
  std::chrono::seconds offset_at(WallTime at) const;

  friend bool operator==(const TimeZone&, const TimeZone&) = default;

 private:
  const date::time_zone* zone_ = nullptr;  ///< Null: UTC.
};

/// For people: what to do.
std::string_view explain(TimeZoneError error);

/// `2026-11-25T00:00:00+01:00`, the moment as clocks there show it.
std::string text_in(const TimeZone& zone, WallTime at);

}  // namespace claviger::budget

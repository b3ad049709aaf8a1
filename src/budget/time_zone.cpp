#include "budget/time_zone.h"

#include <date/tz.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <exception>

namespace claviger::budget {
namespace {

constexpr std::size_t kNameBytesMax = 64;

/// A name becomes a file's: nothing that could leave the folder of zones.
bool is_plain_name(std::string_view name) {
  return !name.empty() && name.size() <= kNameBytesMax && name.front() != '/' &&
         std::ranges::all_of(name, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '/' || c == '_' || c == '-' || c == '+';
         });
}

}  // namespace

std::expected<TimeZone, TimeZoneError> TimeZone::find(std::string_view name) {
  if (name == "UTC") return TimeZone();
  if (!is_plain_name(name)) return std::unexpected(TimeZoneError::unknown);
  try {
    if (date::get_tzdb().zones.empty()) return std::unexpected(TimeZoneError::unavailable);
  } catch (const std::exception&) {
    return std::unexpected(TimeZoneError::unavailable);
  }
  try {
    TimeZone found;
    found.zone_ = date::locate_zone(std::string(name));
    // Read now, so that nobody does later where nothing may read files.
    static_cast<void>(found.offset_at(WallTime{}));
    return found;
  } catch (const std::exception&) {
    return std::unexpected(TimeZoneError::unknown);
  }
}

std::string TimeZone::name() const {
  return zone_ == nullptr ? "UTC" : zone_->name();
}

std::chrono::seconds TimeZone::offset_at(WallTime at) const {
  if (zone_ == nullptr) return std::chrono::seconds{0};
  return zone_->get_info(std::chrono::floor<std::chrono::seconds>(at)).offset;
}

std::chrono::days TimeZone::date_at(WallTime at) const {
  return std::chrono::floor<std::chrono::days>(at.time_since_epoch() + offset_at(at));
}

WallTime TimeZone::begin_of(std::chrono::days date) const {
  if (zone_ == nullptr) return WallTime{date};
  const date::local_seconds midnight{std::chrono::seconds{date}};
  const date::local_info info = zone_->get_info(midnight);
  // In a gap the first moment after it; else the earlier of the two offsets.
  const std::chrono::sys_seconds begin =
      info.result == date::local_info::nonexistent
          ? info.first.end
          : std::chrono::sys_seconds{midnight.time_since_epoch() - info.first.offset};
  // Offsets of the nineteenth century had seconds.
  return std::chrono::floor<std::chrono::minutes>(begin);
}

std::string_view explain(TimeZoneError error) {
  switch (error) {
    case TimeZoneError::unknown:
      return "use an IANA name like Europe/Berlin, America/New_York or UTC";
    case TimeZoneError::unavailable:
      return "this machine has no time zones; install the package tzdata, or use UTC";
  }
  return "use UTC";
}

std::string text_in(const TimeZone& zone, WallTime at) {
  const std::chrono::seconds offset = zone.offset_at(at);
  const auto local = std::chrono::floor<std::chrono::seconds>(at) + offset;
  const auto day = std::chrono::floor<std::chrono::days>(local);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss time{local - day};
  const auto minutes = std::chrono::duration_cast<std::chrono::minutes>(offset).count();
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{}{:02}:{:02}",
                     static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                     static_cast<unsigned>(date.day()), time.hours().count(),
                     time.minutes().count(), time.seconds().count(), minutes < 0 ? '-' : '+',
                     std::abs(minutes) / 60, std::abs(minutes) % 60);
}

}  // namespace claviger::budget

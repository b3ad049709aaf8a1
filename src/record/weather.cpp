#include "record/weather.h"

#include <algorithm>
#include <chrono>

namespace claviger::record {
namespace {

std::int64_t minute_of(WallTime time) {
  return std::chrono::floor<std::chrono::minutes>(time).time_since_epoch().count();
}

Sky sky_of(std::int64_t answered, std::int64_t failed) {
  if (failed < Weather::kFailuresMin) return Sky::up;
  const std::int64_t percent = failed * 100 / (answered + failed);
  if (percent >= Weather::kDownPercent) return Sky::down;
  return percent >= Weather::kDegradedPercent ? Sky::degraded : Sky::up;
}

}  // namespace

std::string_view to_string(Sky sky) {
  switch (sky) {
    case Sky::up:
      return "up";
    case Sky::degraded:
      return "degraded";
    case Sky::down:
      return "down";
  }
  return "up";
}

void Weather::see(const std::vector<Record>& records) {
  const std::lock_guard lock(mutex_);
  for (const Record& record : records) {
    const bool has_failed = record.at_fault == "provider" || record.at_fault == "network";
    // Nobody was asked, or nobody waited for the answer.
    const bool was_asked = record.provider_status != 0 || has_failed;
    if (record.model.empty() || !was_asked || (record.caller_left && !has_failed)) continue;
    count(record.model, record, has_failed);
    count(record.model.substr(0, record.model.find('/')), record, has_failed);
  }
}

void Weather::count(const std::string& name, const Record& record, bool has_failed) {
  auto found = places_.find(name);
  if (found == places_.end()) {
    if (places_.size() >= kPlacesMax) return;
    found = places_.emplace(name, Place{}).first;
    found->second.since = record.started_at;
  }
  Place& place = found->second;
  const std::int64_t number = minute_of(record.started_at);
  Minute& minute = place.minutes[static_cast<std::size_t>(number % kMinutes)];
  if (minute.number > number) return;  // Older than all that is watched.
  if (minute.number != number) minute = {.number = number};
  ++(has_failed ? minute.failed : minute.answered);
  if (has_failed) place.latest_failure = record.error_code;
  look(name, place, record.started_at);
}

WeatherReport Weather::look(const std::string& name, Place& place, WallTime now) {
  WeatherReport report{.place = name};
  for (const Minute& minute : place.minutes) {
    if (minute.number <= minute_of(now) - kMinutes) continue;
    report.answered += minute.answered;
    report.failed += minute.failed;
  }
  const Sky sky = sky_of(report.answered, report.failed);
  if (sky != place.sky) {
    place.sky = sky;
    place.since = now;
  }
  report.sky = sky;
  report.since = place.since;
  if (report.failed > 0) report.latest_failure = place.latest_failure;
  return report;
}

std::vector<WeatherReport> Weather::reports(WallTime now) {
  std::vector<WeatherReport> reports;
  {
    const std::lock_guard lock(mutex_);
    for (auto place = places_.begin(); place != places_.end();) {
      WeatherReport report = look(place->first, place->second, now);
      // What nobody asks has no weather, and gives its room back.
      if (report.answered + report.failed == 0) {
        place = places_.erase(place);
        continue;
      }
      reports.push_back(std::move(report));
      ++place;
    }
  }
  std::ranges::sort(reports, [](const WeatherReport& a, const WeatherReport& b) {
    return a.sky != b.sky ? a.sky > b.sky : a.place < b.place;
  });
  return reports;
}

}  // namespace claviger::record

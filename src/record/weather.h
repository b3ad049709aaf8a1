#pragma once

/// How providers and their models do at the moment, from what requests met: up, degraded or
/// down, and since when. People ask this first when an application misbehaves.
///
/// What counts is whether the place did its work: a request that it rightly refused (a bad key,
/// a bad request, a content filter) is no bad weather.

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/time.h"
#include "record/record.h"

namespace claviger::record {

enum class Sky : std::uint8_t { up, degraded, down };
std::string_view to_string(Sky sky);

struct WeatherReport {
  std::string place;  ///< `provider`, or `provider/model`.
  Sky sky = Sky::up;
  WallTime since;              ///< When it became so, as far as we have seen.
  std::int64_t answered = 0;   ///< In the last `Weather::window`.
  std::int64_t failed = 0;     ///< Likewise: by the provider's or the network's fault.
  std::string latest_failure;  ///< Code of the latest failure in it; empty where there was none.
  friend bool operator==(const WeatherReport&, const WeatherReport&) = default;
};

/// Threads: any method, from any thread; a lock that is held for microseconds, and never on a
/// request's way: records arrive from the recorder's thread.
class Weather {
 public:
  static constexpr int kMinutes = 5;
  static constexpr std::size_t kPlacesMax = 4096;  ///< Beyond it, new ones are not watched.
  /// Below so many failures nothing is said: one unlucky request is no weather.
  static constexpr std::int64_t kFailuresMin = 3;
  static constexpr std::int64_t kDegradedPercent = 10;
  static constexpr std::int64_t kDownPercent = 60;

  void see(const std::vector<Record>& records);
  /// All places that were asked lately: what is down first, then degraded, then by name.
  std::vector<WeatherReport> reports(WallTime now);

 private:
  struct Minute {
    std::int64_t number = -1;  ///< Minutes since 1970.
    std::int64_t answered = 0;
    std::int64_t failed = 0;
  };
  struct Place {
    std::array<Minute, kMinutes> minutes;
    Sky sky = Sky::up;
    WallTime since;
    std::string latest_failure;
  };

  void count(const std::string& name, const Record& record, bool has_failed);
  static WeatherReport look(const std::string& name, Place& place, WallTime now);

  std::mutex mutex_;
  std::unordered_map<std::string, Place> places_;
};

/// A store that shows every batch which it has taken to the weather.
class WeatherWatchedRecords final : public RecordStore {
 public:
  /// Both outlive this.
  WeatherWatchedRecords(RecordStore& store, Weather& weather) : store_(store), weather_(weather) {}
  Result<void> append(const std::vector<Record>& records) override {
    auto done = store_.append(records);
    if (done) weather_.see(records);
    return done;
  }
  Result<Record> find(RequestId id) override { return store_.find(id); }
  Result<std::vector<Record>> list(const Query& query) override { return store_.list(query); }
  Result<std::vector<UsageRow>> usage(Grouping by, const Query& query) override {
    return store_.usage(by, query);
  }

 private:
  RecordStore& store_;
  Weather& weather_;
};

}  // namespace claviger::record

#pragma once

/// What the server counts, as Prometheus reads it: text exposition format, version 0.0.4
/// (https://prometheus.io/docs/instrumenting/exposition_formats/, read 2026-11).
///
/// Counters lie in shards, one per thread as far as they go, each on cache lines of its own:
/// counting a request is a few relaxed additions to memory that no other core writes. Only
/// render() adds the shards up. Each counter by itself is exact; two counters of one render()
/// may be a request apart.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "record/record.h"

namespace claviger::record {

/// What render() is served as.
inline constexpr std::string_view metrics_content_type = "text/plain; version=0.0.4; charset=utf-8";

/// Distinct operations and providers that get a time series of their own, one of them "other".
inline constexpr std::size_t metric_operations_max = 16;
inline constexpr std::size_t metric_providers_max = 64;
/// Distinct pairs of party and cause; what does not fit is counted as "other".
inline constexpr std::size_t metric_faults_max = 192;
/// Distinct pairs of model and soft failure.
inline constexpr std::size_t metric_soft_failures_max = 256;

/// Threads: any method, from any thread, concurrently; all but render() without locks.
class Metrics {
 public:
  struct Build {
    std::string version;   ///< "0.1.0"
    std::string revision;  ///< The commit, or empty.
  };
  explicit Metrics(Build build);
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  /// Counts one finished request. Impossible numbers (negative tokens or costs) count as 0:
  /// a counter that went down would be read as a restart.
  void count(const Record& record);

  /// Gauges, as differences, so that each thread says only what it knows itself: +1, -1.
  void change_open_connections(std::int64_t by);
  void change_open_streams(std::int64_t by);
  /// From Recorder::records_lost(), before each render().
  void set_records_lost(std::int64_t records);
  /// From ContentKeeper::contents_lost(), before each render().
  void set_contents_lost(std::int64_t contents);

  std::string render() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// `provider` of `provider/model`; "" where there is no '/'.
std::string_view provider_of(std::string_view model);

}  // namespace claviger::record

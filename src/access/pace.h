#pragma once

/// Limits of pace: how many requests and tokens a minute, how many at once. Separate from
/// money: a pace limit protects the owner from a runaway loop within minutes, a budget from
/// its bill.

#include <atomic>
#include <cstdint>
#include <expected>

#include "base/time.h"

namespace claviger::access {

/// 0 means no limit.
struct PaceLimits {
  std::int64_t requests_per_minute = 0;
  std::int64_t tokens_per_minute = 0;
  std::int64_t concurrent_requests = 0;
  friend bool operator==(const PaceLimits&, const PaceLimits&) = default;
};

enum class PaceLimit : std::uint8_t { requests, tokens, concurrency };

struct TooFast {
  PaceLimit which;
  std::int64_t limit;
  Duration retry_after;  ///< When it will fit again; at least one second.
};

/// Live counters of one virtual key: token buckets that fill continuously and hold one
/// minute's worth. Tokens are charged when they are known, so a bucket may go below zero and
/// then has to fill up before the next request.
/// Threads: any method, from any thread; atomics only.
class Pace {
 public:
  /// Counts one request in, or says what is exceeded and counts nothing. Every success is
  /// paired with one leave().
  std::expected<void, TooFast> enter(const PaceLimits& limits, Instant now);
  /// Counts it out, with the tokens that it turned out to use.
  void leave(const PaceLimits& limits, std::int64_t tokens, Instant now);
  std::int64_t concurrent() const { return concurrent_.load(std::memory_order_relaxed); }

 private:
  /// A bucket as the moment at which it would be full again (GCRA): one atomic, no refill job.
  std::atomic<std::int64_t> requests_full_at_ns_{0};
  std::atomic<std::int64_t> tokens_full_at_ns_{0};
  std::atomic<std::int64_t> concurrent_{0};
};

}  // namespace claviger::access

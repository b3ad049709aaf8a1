#pragma once

/// Limits of pace: how many requests and tokens a minute, how many at once. Separate from
/// money: a pace limit protects the owner from a runaway loop within minutes, a budget from
/// its bill.

#include <atomic>
#include <cstdint>
#include <expected>
#include <string>

#include "base/time.h"

namespace claviger::access {

/// The most that a minute's limit can tell apart: one a nanosecond. Larger ones act as this.
inline constexpr std::int64_t kPerMinuteMax = 60'000'000'000;

/// The longest that one request's tokens can shut a key. A provider's absurd usage figure must
/// not shut it for years.
inline constexpr Duration kDebtMax = std::chrono::hours{24};

/// 0 (or less) means no limit.
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

/// For the caller: what is exceeded, and what to do.
std::string explain(const TooFast& too_fast);

/// Live counters of one virtual key: token buckets that fill continuously and hold one
/// minute's worth. Tokens are charged when they are known, so a bucket may go below zero and
/// then has to fill up before the next request.
///
/// What that promises: in any stretch of T minutes at most limit * (T + 1) requests enter (the
/// bucket's content and what flows in), and never more at once than concurrent_requests. Of
/// tokens the same, plus what the requests in flight turn out to use.
///
/// Why GCRA (ITU-T I.371, the "virtual scheduling" form): a whole bucket is one number, so one
/// compare-and-swap decides, and there is no window at whose edge twice the limit slips in.
/// Limits may change between calls; a bucket keeps its fraction of a minute.
/// Threads: any method, from any thread; atomics only. Two calls at the same moment may refuse
/// a request that would have fitted had the other not been there, never the other way round.
class Pace {
 public:
  /// Counts one request in, or says what is exceeded and counts nothing. Where several limits
  /// are exceeded, it names the one that takes longest to clear. Every success is paired with
  /// one leave(). `now` should be the monotonic clock's present.
  std::expected<void, TooFast> enter(const PaceLimits& limits, Instant now);
  /// Counts it out, with the tokens that it turned out to use (below 0 counts as 0).
  void leave(const PaceLimits& limits, std::int64_t tokens, Instant now);
  std::int64_t concurrent() const { return concurrent_.load(std::memory_order_relaxed); }

 private:
  /// A bucket as the moment, in nanoseconds, at which it would be full again: one atomic, no
  /// refill job. In the past: it is full.
  std::atomic<std::int64_t> requests_full_at_ns_{0};
  std::atomic<std::int64_t> tokens_full_at_ns_{0};
  std::atomic<std::int64_t> concurrent_{0};
};

}  // namespace claviger::access

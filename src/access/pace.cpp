#include "access/pace.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <limits>

namespace claviger::access {
namespace {

constexpr std::int64_t kMinuteNs = 60'000'000'000;
constexpr Duration kRetryAfterMin = std::chrono::seconds{1};

std::int64_t nanoseconds(Instant now) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(now.time_since_epoch()).count();
}

/// What one unit costs of a bucket's time, rounded up: the rate is never above the limit.
std::int64_t unit_ns(std::int64_t limit) {
  const std::int64_t bounded = std::min(limit, kPerMinuteMax);
  return (kMinuteNs + bounded - 1) / bounded;
}

/// A full bucket, in time. With units rounded up this is a little over a minute for limits that
/// do not divide it, so that exactly `limit` requests fit into a full bucket.
std::int64_t bucket_ns(std::int64_t limit) {
  return unit_ns(limit) * std::min(limit, kPerMinuteMax);
}

/// How long until the bucket holds one unit; 0 or less: it does. For tokens as well: what a
/// request will use is not known when it enters, so it needs a bucket that is not empty.
std::int64_t wait_ns(std::int64_t full_at, std::int64_t limit, std::int64_t now) {
  return full_at + unit_ns(limit) - bucket_ns(limit) - now;
}

TooFast too_fast(PaceLimit which, std::int64_t limit, std::int64_t wait_for_ns) {
  const Duration wait =
      std::chrono::ceil<Duration>(std::chrono::nanoseconds{std::max<std::int64_t>(wait_for_ns, 0)});
  return {.which = which, .limit = limit, .retry_after = std::max(wait, kRetryAfterMin)};
}

}  // namespace

std::expected<void, TooFast> Pace::enter(const PaceLimits& limits, Instant now_instant) {
  const std::int64_t now = nanoseconds(now_instant);
  const bool paced = limits.requests_per_minute > 0;
  std::int64_t full_at = requests_full_at_ns_.load(std::memory_order_relaxed);
  const std::int64_t request_wait = paced ? wait_ns(full_at, limits.requests_per_minute, now) : 0;
  const std::int64_t token_wait = limits.tokens_per_minute > 0
                                      ? wait_ns(tokens_full_at_ns_.load(std::memory_order_relaxed),
                                                limits.tokens_per_minute, now)
                                      : 0;
  if (token_wait > 0 && token_wait >= request_wait) {
    return std::unexpected(too_fast(PaceLimit::tokens, limits.tokens_per_minute, token_wait));
  }
  if (request_wait > 0) {
    return std::unexpected(too_fast(PaceLimit::requests, limits.requests_per_minute, request_wait));
  }

  // Concurrency before requests: taking it back is one exact decrement.
  std::int64_t concurrent = concurrent_.load(std::memory_order_relaxed);
  do {
    if (limits.concurrent_requests > 0 && concurrent >= limits.concurrent_requests) {
      return std::unexpected(too_fast(PaceLimit::concurrency, limits.concurrent_requests, 0));
    }
  } while (
      !concurrent_.compare_exchange_weak(concurrent, concurrent + 1, std::memory_order_relaxed));
  if (!paced) return {};
  do {
    const std::int64_t wait = wait_ns(full_at, limits.requests_per_minute, now);
    if (wait > 0) {
      concurrent_.fetch_sub(1, std::memory_order_relaxed);
      return std::unexpected(too_fast(PaceLimit::requests, limits.requests_per_minute, wait));
    }
  } while (!requests_full_at_ns_.compare_exchange_weak(
      full_at, std::max(full_at, now) + unit_ns(limits.requests_per_minute),
      std::memory_order_relaxed));
  return {};
}

void Pace::leave(const PaceLimits& limits, std::int64_t tokens, Instant now_instant) {
  const std::int64_t before = concurrent_.fetch_sub(1, std::memory_order_relaxed);
  assert(before > 0 && "leave() without enter()");
  static_cast<void>(before);
  if (limits.tokens_per_minute <= 0 || tokens <= 0) return;

  const std::int64_t now = nanoseconds(now_instant);
  constexpr std::int64_t debt_max_ns =
      std::chrono::duration_cast<std::chrono::nanoseconds>(kDebtMax).count();
  std::int64_t cost = 0;
  if (__builtin_mul_overflow(tokens, unit_ns(limits.tokens_per_minute), &cost)) cost = debt_max_ns;
  cost = std::min(cost, debt_max_ns);
  std::int64_t full_at = tokens_full_at_ns_.load(std::memory_order_relaxed);
  std::int64_t charged = 0;
  do {
    // Debts of several requests add up, each bounded; the sum stops short of wrapping.
    if (__builtin_add_overflow(std::max(full_at, now), cost, &charged)) {
      charged = std::numeric_limits<std::int64_t>::max() / 2;
    }
  } while (!tokens_full_at_ns_.compare_exchange_weak(full_at, charged, std::memory_order_relaxed));
}

std::string explain(const TooFast& too_fast) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(too_fast.retry_after).count();
  switch (too_fast.which) {
    case PaceLimit::requests:
      return fmt::format(
          "This virtual key may make {} requests a minute. Try again in {} s, or ask its owner "
          "for a higher limit.",
          too_fast.limit, seconds);
    case PaceLimit::tokens:
      return fmt::format(
          "This virtual key may use {} tokens a minute. Try again in {} s, or ask its owner for "
          "a higher limit.",
          too_fast.limit, seconds);
    case PaceLimit::concurrency:
      return fmt::format(
          "This virtual key may have {} requests running at once. Wait until one has ended, or "
          "ask its owner for a higher limit.",
          too_fast.limit);
  }
  return "This virtual key is too fast. Try again later.";
}

}  // namespace claviger::access

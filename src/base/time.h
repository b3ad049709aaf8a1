#pragma once

/// Time as a variable. Nothing in Claviger asks the operating system for the time except
/// through a Clock that was handed to it, so tests turn the clock themselves and never sleep.

#include <time.h>

#include <chrono>
#include <cstdint>

namespace claviger {
inline namespace base {

/// A point on the monotonic clock: for deadlines and measured durations.
using Instant = std::chrono::steady_clock::time_point;
using Duration = std::chrono::steady_clock::duration;
/// A point on the wall clock, UTC: for what is written down and for budget periods.
using WallTime = std::chrono::sys_time<std::chrono::microseconds>;

/// Threads: any method, from any thread, concurrently.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Instant now() const = 0;
  virtual WallTime wall_now() const = 0;
  /// As now(), but it goes on while the machine sleeps: what wall_now() should have moved by.
  virtual Instant now_with_sleep() const { return now(); }
};

class SystemClock final : public Clock {
 public:
  Instant now() const override { return std::chrono::steady_clock::now(); }
  WallTime wall_now() const override {
    return std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
  }
  Instant now_with_sleep() const override {
    timespec time{};
    clock_gettime(CLOCK_BOOTTIME, &time);
    return Instant{std::chrono::seconds{time.tv_sec} + std::chrono::nanoseconds{time.tv_nsec}};
  }
};

/// A clock that stands still until a test moves it. Not for use by several threads at once.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(WallTime wall = WallTime{std::chrono::days{20000}}) : wall_(wall) {}
  Instant now() const override { return now_; }
  WallTime wall_now() const override { return wall_; }
  void advance(Duration by) {
    now_ += by;
    wall_ += std::chrono::floor<std::chrono::microseconds>(by);
  }
  /// Only the wall clock: an operator, NTP or a hypervisor moved it.
  void jump(std::chrono::microseconds by) { wall_ += by; }

 private:
  Instant now_{std::chrono::hours{1}};
  WallTime wall_;
};

/// The moment by which something must have happened; handed down from caller to callee so
/// that stages share one allowance instead of adding theirs up.
class Deadline {
 public:
  static constexpr Deadline never() { return Deadline(Instant::max()); }
  constexpr explicit Deadline(Instant at) : at_(at) {}
  constexpr Instant at() const { return at_; }
  constexpr bool passed(Instant now) const { return now >= at_; }
  friend constexpr Deadline earlier(Deadline a, Deadline b) { return a.at_ < b.at_ ? a : b; }

 private:
  Instant at_;
};

constexpr std::int64_t unix_micros(WallTime time) {
  return time.time_since_epoch().count();
}
constexpr WallTime from_unix_micros(std::int64_t micros) {
  return WallTime{std::chrono::microseconds{micros}};
}

}  // namespace base
}  // namespace claviger

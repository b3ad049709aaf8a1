#include "budget/clock_watch.h"

namespace claviger::budget {

ClockWatch::ClockWatch(const Clock& clock)
    : clock_(clock), wall_(clock.wall_now()), monotonic_(clock.now_with_sleep()) {}

bool ClockWatch::is_trusted() {
  const std::scoped_lock lock(mutex_);
  const WallTime wall = clock_.wall_now();
  const Instant monotonic = clock_.now_with_sleep();
  const auto wall_passed = wall - wall_;
  const auto really_passed = std::chrono::floor<std::chrono::microseconds>(monotonic - monotonic_);
  if (std::chrono::abs(wall_passed - really_passed) > kJumpMax) return false;
  wall_ = wall;
  monotonic_ = monotonic;
  return true;
}

void ClockWatch::confirm() {
  const std::scoped_lock lock(mutex_);
  wall_ = clock_.wall_now();
  monotonic_ = clock_.now_with_sleep();
}

}  // namespace claviger::budget

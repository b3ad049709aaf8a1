#pragma once

/// Tells whether the wall clock can be trusted to open a new period.
///
/// A wall clock is moved by operators, NTP and hypervisors; the monotonic clock is not. Where
/// the two have come apart by more than an hour since they were last compared, a new day on
/// the wall clock may be no new day at all, and opening one would hand out its whole limit
/// again. So no period opens until an operator says that the clock is right. Smaller
/// differences are taken over as they come, and a machine that slept is no reason for doubt.

#include <chrono>
#include <mutex>

#include "base/time.h"

namespace claviger::budget {

/// Threads: any method, from any thread, concurrently. It is asked where a period is about to
/// end and about once a second besides, never on a request's ordinary way.
class ClockWatch {
 public:
  static constexpr std::chrono::microseconds kJumpMax = std::chrono::hours{1};

  /// `clock` outlives this.
  explicit ClockWatch(const Clock& clock);

  /// Compares the clocks. False from a jump on, until the wall clock is back where it should
  /// be or confirm() was called.
  bool is_trusted();

  /// The operator says that the wall clock is right as it stands.
  void confirm();

 private:
  const Clock& clock_;
  std::mutex mutex_;
  WallTime wall_;  ///< Both as they were when they last agreed.
  Instant monotonic_;
};

}  // namespace claviger::budget

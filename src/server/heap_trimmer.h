#pragma once

/// Gives memory back to the kernel that a burst of requests has left free but resident: malloc
/// itself only does so at the end of each heap, where something small usually lives on.

#include <cstddef>

#include "base/time.h"

namespace claviger::server {

/// What the process holds, in bytes.
struct HeapUse {
  std::size_t resident = 0;  ///< Anonymous memory in RAM.
  std::size_t in_use = 0;    ///< Of that, what was allocated and not freed.
};
HeapUse heap_use();

/// Threads: one.
class HeapTrimmer {
 public:
  using Measure = HeapUse (*)();
  using Trim = void (*)();

  /// So much may lie idle: it will be wanted again.
  static constexpr std::size_t kIdleBytesMax = std::size_t{4} << 20;
  /// Where trimming gains nothing (what is free lies between what is not), it is left alone.
  static constexpr Duration kPauseAfterNoGain = std::chrono::minutes(1);

  explicit HeapTrimmer(Measure measure = heap_use, Trim trim = trim_heap)
      : measure_(measure), trim_(trim) {}

  /// Looks, and trims where it is worth it. To be called about once a second: it takes some
  /// microseconds where there is nothing to do.
  void look(Instant now);

 private:
  static void trim_heap();

  Measure measure_;
  Trim trim_;
  Instant not_before_ = Instant::min();
};

}  // namespace claviger::server

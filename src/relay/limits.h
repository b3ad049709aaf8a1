#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "base/time.h"

namespace claviger::relay {

/// Every bound on what a provider may take of us. All can be set in claviger.toml.
struct Limits {
  /// Tries for one request, all places together. Each has a hold of its own.
  std::uint32_t attempts_max = 3;
  /// The longest pause before the same place is asked again; a provider that wants a longer one
  /// is not asked, and the caller is told.
  Duration retry_pause_max = std::chrono::seconds(5);
  /// How long a request waits for money that others hold, where its budget lets it wait.
  Duration budget_wait_max = std::chrono::seconds(30);
  Duration connect_time_max = std::chrono::seconds(10);
  Duration runner_start_time_max = std::chrono::seconds(120);
  Duration send_time_max = std::chrono::seconds(60);
  /// Request sent to the answer's first byte. The official SDKs wait ten minutes.
  Duration first_byte_time_max = std::chrono::seconds(600);
  /// A stream is kept back until its first word, so that what fails before can still be tried
  /// elsewhere; but no longer than this once it has begun: a caller should see that it lives.
  Duration first_word_wait_max = std::chrono::seconds(30);
  Duration idle_time_max = std::chrono::seconds(120);  ///< Between two pieces of an answer.
  /// Of a request whose tokens are counted exactly where its bytes do not fit into the budget. A
  /// larger one is bounded by its bytes alone: counting a megabyte takes some 100 ms of a core.
  std::size_t exact_count_bytes_max = std::size_t{2} << 20;
  std::size_t answer_bytes_max = std::size_t{64} << 20;
  std::size_t event_bytes_max = std::size_t{4} << 20;
  std::size_t error_bytes_max = std::size_t{1} << 20;
};

}  // namespace claviger::relay

#pragma once

#include <chrono>
#include <cstddef>

#include "base/time.h"

namespace claviger::relay {

/// Every bound on what a provider may take of us. All can be set in claviger.toml.
struct Limits {
  Duration connect_time_max = std::chrono::seconds(10);
  Duration runner_start_time_max = std::chrono::seconds(120);
  Duration send_time_max = std::chrono::seconds(60);
  /// Request sent to the answer's first byte. The official SDKs wait ten minutes.
  Duration first_byte_time_max = std::chrono::seconds(600);
  Duration idle_time_max = std::chrono::seconds(120);  ///< Between two pieces of an answer.
  std::size_t answer_bytes_max = std::size_t{64} << 20;
  std::size_t event_bytes_max = std::size_t{4} << 20;
  std::size_t error_bytes_max = std::size_t{1} << 20;
};

}  // namespace claviger::relay

#pragma once

/// What is remembered between two pieces of a streamed answer.

#include <cstddef>
#include <cstdint>

#include <memory>

#include "record/metrics.h"
#include "relay/translated_stream.h"

namespace claviger::relay {

struct StreamState {
  std::uint64_t pieces = 0;  ///< Read so far.
  std::size_t searched = 0;  ///< Of the event that is not whole yet.
  bool has_ended = false;    ///< The provider's terminal marker was seen.
  bool has_failed = false;   ///< An error came where an event was due.
  /// Null where caller and provider speak the same dialect: their bytes are passed on.
  std::unique_ptr<TranslatedStream> translated;
};

/// One open stream, as the gauge shows it.
class OpenStream {
 public:
  explicit OpenStream(record::Metrics& metrics) : metrics_(metrics) {
    metrics_.change_open_streams(1);
  }
  OpenStream(const OpenStream&) = delete;
  OpenStream& operator=(const OpenStream&) = delete;
  ~OpenStream() { metrics_.change_open_streams(-1); }

 private:
  record::Metrics& metrics_;
};

}  // namespace claviger::relay

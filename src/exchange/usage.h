#pragma once

/// What an answer consumed, as the provider counted it. The kinds do not overlap with one
/// another except where said, because dialects disagree on what is inside what: OpenAI counts
/// cached tokens inside the prompt, Anthropic outside. A dialect's reader brings its own
/// numbers into this form; nobody else needs to know.

#include <cstdint>
#include <optional>

#include "base/money.h"

namespace claviger::exchange {

struct Usage {
  std::int64_t input_tokens = 0;           ///< Read afresh: neither cached nor cache writes.
  std::int64_t cached_input_tokens = 0;    ///< Read from the provider's cache.
  std::int64_t cache_write_tokens = 0;     ///< Written to it for 5 minutes.
  std::int64_t cache_write_1h_tokens = 0;  ///< Written to it for an hour.
  std::int64_t output_tokens = 0;          ///< All that was generated, reasoning included.
  std::int64_t reasoning_tokens = 0;       ///< The part of output_tokens nobody sees.
  std::optional<NanoUsd> stated_cost;      ///< Where the provider says it itself (OpenRouter).
  /// The part of input_tokens that was sound: some models price it apart.
  std::int64_t audio_input_tokens = 0;

  std::int64_t total_input_tokens() const {
    return input_tokens + cached_input_tokens + cache_write_tokens + cache_write_1h_tokens;
  }
  std::int64_t total_tokens() const { return total_input_tokens() + output_tokens; }
  friend bool operator==(const Usage&, const Usage&) = default;
};

}  // namespace claviger::exchange

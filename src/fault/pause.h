#pragma once

/// How long a provider asks to wait: in headers, in fields, in words. Each may lie.

#include <optional>
#include <string_view>

#include "fault/observation.h"
#include "fault/reading.h"

namespace claviger::fault {

struct Pause {
  double seconds = 0;       ///< As stated: may be negative or a year.
  std::string_view source;  ///< "retry-after", "the message", …
  bool is_header = false;
};

/// The most trustworthy statement, or none. `retry-after` counts in seconds or as a date
/// against the answer's own `date` (RFC 9110, 10.2.3).
std::optional<Pause> stated_pause(const Observation& seen, const Reading& reading);

/// "20s", "1m3.5s", "6ms", "2h", as OpenAI and Groq write them. None where it is something else.
std::optional<double> read_duration_s(std::string_view text);
/// "… try again in 15m23.616s", "retry after 58 seconds", "wait 2 minutes".
std::optional<double> pause_in_words_s(std::string_view message);
/// An HTTP date in seconds since 1970; none where it is none.
std::optional<std::int64_t> read_http_date_s(std::string_view text);

}  // namespace claviger::fault

#pragma once

/// What was seen of a failure: all that the engine judges by. Views into the caller's memory,
/// which must outlive the call; nothing is kept.

#include <cstdint>
#include <span>
#include <string_view>

namespace claviger::fault {

struct HeaderField {
  std::string_view name;  ///< Any case.
  std::string_view value;
};

/// Where a transport or a stage of our own failed. Empty `stage`: it did not.
struct StageFailure {
  std::string_view stage;   ///< dns, connect, tls, write, read, stream; vault, translate, budget, …
  std::string_view error;   ///< ECONNREFUSED, CERT_VERIFY, timed_out, …: any common spelling.
  std::string_view detail;  ///< Words, as a system or a library gives them.
  std::string_view peer;    ///< "proxy" where it was one.
  std::int64_t bytes_in = 0;  ///< Of the answer, before it broke.
  explicit operator bool() const { return !stage.empty(); }
};

/// What is known of the request without its content.
struct RequestFacts {
  std::string_view model;
  bool streamed = false;
  bool own_endpoint = false;      ///< A server of the owner's own; its failures are his to mend.
  bool no_key_sent = false;       ///< No credential was put on the request.
  bool caller_left = false;       ///< The caller hung up first.
  std::int64_t input_tokens = 0;  ///< Estimated; 0 where unknown.
  std::int64_t output_tokens_max = 0;
  std::int64_t context_tokens_max = 0;  ///< Of the model; 0 where unknown.
  std::int64_t tokens_per_minute_max = 0;
};

/// The same failure on other credentials, lately (neighbours.h).
struct Neighbours {
  int credentials_failing = 0;  ///< Others with the same cause at this provider; at least 0.
  int owners_failing = 0;       ///< Other owners among them.
};

/// What this credential did before.
struct KeyHistory {
  bool is_known = false;  ///< What follows is known, and not only absent.
  /// How long ago it gave an answer; below 0: it never has, as far as is known.
  std::int64_t seconds_since_worked = -1;
  int failures_in_row = 0;

  /// Lately enough to rule out that it was typed in wrongly.
  bool has_worked() const { return is_known && seconds_since_worked >= 0; }
};

struct Observation {
  std::string_view provider;  ///< An id or one of its aliases; empty where unknown.
  int status = 0;             ///< 0 where no answer came.
  std::span<const HeaderField> headers;
  std::string_view body;  ///< At most body_bytes_max of it are looked at.
  StageFailure transport;
  StageFailure local;
  RequestFacts request;
  Neighbours neighbours;
  KeyHistory history;
};
/// The begin of a body; of a longer one also as much of its end as stream_tail_bytes_max.
inline constexpr std::size_t body_bytes_max = 256 << 10;
inline constexpr std::size_t stream_tail_bytes_max = 32 << 10;

/// The value of the header `name` (lower case), or empty.
std::string_view header_value(std::span<const HeaderField> headers, std::string_view name);

}  // namespace claviger::fault

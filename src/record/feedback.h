#pragma once

/// What a caller says of an answer, which nobody else can see: that it was good, or bad and why.
/// It joins the request's record and changes nothing of it.

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "record/record.h"

namespace claviger::record {

enum class Opinion : std::uint8_t { good, bad };
std::string_view to_string(Opinion opinion);

/// Longest `why`, in bytes of UTF-8.
inline constexpr std::size_t feedback_why_bytes_max = 2000;
/// Longest body of a request that gives it: `why` with every byte escaped, and room to spare.
inline constexpr std::size_t feedback_body_bytes_max = 16 << 10;

struct Feedback {
  RequestId request;
  Opinion opinion = Opinion::good;
  std::string why;  ///< Empty where nobody said. The caller's own words: never believed.
  WallTime given_at;
  friend bool operator==(const Feedback&, const Feedback&) = default;
};

/// `{"verdict": "good" | "bad", "why": "…"}`: opinion and why are filled in. Errors: a sentence
/// for the caller. No field twice, none but these.
std::expected<Feedback, std::string> read_feedback(std::string_view json);

/// `{"verdict", "why", "given_at"}`, or null.
std::string to_json(const std::optional<Feedback>& feedback);

/// Where feedback is kept. Threads: one object is used by one thread at a time.
class FeedbackStore {
 public:
  virtual ~FeedbackStore() = default;
  /// The last word counts: it replaces what was said of the same request before, so that
  /// repeating a call whose outcome is unknown is harmless. Errors: unavailable.
  virtual Result<void> put(const Feedback& feedback) = 0;
  /// Nothing where nobody said anything. Errors: unavailable.
  virtual Result<std::optional<Feedback>> find(RequestId request) = 0;
  /// Of all requests from `first` to `last`, by id. Errors: unavailable.
  virtual Result<std::vector<Feedback>> between(RequestId first, RequestId last) = 0;
};

}  // namespace claviger::record

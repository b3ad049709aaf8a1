#pragma once

/// Heads for sending. Whatever comes from outside (a model's name, a provider's error text, a
/// request id) may end up in a header, so every name and value is checked here: a line end in
/// a value would let its author write headers, or a whole answer, of his own.
///
/// Threads: a writer belongs to one message; a DateLine to one thread.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/time.h"
#include "net/http/characters.h"

namespace claviger::net::http {

/// The registered phrase, or "Unknown" (IANA HTTP status codes, 2026-07).
std::string_view reason_phrase(int status);

/// A header's name that stands in our source, checked when it is compiled.
class HeaderName {
 public:
  // NOLINTNEXTLINE(google-explicit-constructor): a literal is meant to be one.
  consteval HeaderName(const char* name) : text_(name) {
    if (!is_token(text_)) throw "not a header's name";
  }
  constexpr std::string_view text() const { return text_; }

 private:
  std::string_view text_;
};

/// Appends one head to a buffer that the caller keeps and reuses, so that nothing is allocated
/// once it has grown to the size of a usual head.
///
/// A header that must not be written is refused by itself, and finish() then withdraws the
/// whole head: a caller who checks nothing but finish() is safe too.
///
///     HeadWriter head(out);
///     head.response(200);
///     head.header("content-type", "application/json");
///     head.header("content-length", body.size());
///     if (!head.finish()) …;
class HeadWriter {
 public:
  explicit HeadWriter(std::string& out) : out_(out), begin_(out.size()) {}

  /// `HTTP/1.1 STATUS PHRASE`. Refused unless 100 <= status <= 999.
  bool response(int status);
  /// `METHOD TARGET HTTP/1.1`. Refused unless the method is a token and the target neither
  /// empty nor holding what a request line cannot hold (blanks, controls, bytes >= 0x80).
  bool request(std::string_view method, std::string_view target);
  /// The same in two pieces, e.g. a base path and the rest.
  bool request(std::string_view method, std::string_view target, std::string_view more_target);

  /// Refused unless `value` is free of CR, LF, NUL and other controls (tab is allowed) and of
  /// blanks at its ends (a reader would drop them).
  bool header(HeaderName name, std::string_view value) { return line(name.text(), value); }
  bool header(HeaderName name, std::uint64_t value);
  /// For names that come from outside: refused unless `name` is a token, too.
  bool outside_header(std::string_view name, std::string_view value);

  /// Appends lines that were made by a HeadWriter or a DateLine before, CR LF included.
  void ready_lines(std::string_view lines) { out_.append(lines); }

  /// The blank line. False, with the buffer as it was before this writer, if anything was
  /// refused or no start line was written.
  bool finish();

 private:
  bool line(std::string_view name, std::string_view value);
  bool refuse() {
    was_refused_ = true;
    return false;
  }

  std::string& out_;
  std::size_t begin_;
  bool has_start_line_ = false;
  bool was_refused_ = false;
};

/// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 section 5.6.7): always 29 bytes, no locale, years
/// 0 to 9999 (others are brought to the nearest of them).
inline constexpr std::size_t kHttpDateBytes = 29;
std::array<char, kHttpDateBytes> http_date(WallTime time);

/// The `date: …` line, made anew once a second at most.
class DateLine {
 public:
  /// With its CR LF. Valid until the next call.
  std::string_view at(WallTime now);

 private:
  static constexpr std::string_view kName = "date: ";
  std::array<char, kName.size() + kHttpDateBytes + 2> line_{};
  std::int64_t second_ = INT64_MIN;
};

}  // namespace claviger::net::http

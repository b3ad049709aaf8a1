#pragma once

/// The head of an HTTP/1.1 request or response, read where it lies: one buffer that may grow,
/// no copies, no allocation.
///
/// Why an own parser, and why so strict: Claviger stands behind load balancers and in front
/// of providers. Wherever two servers disagree on where a message ends, an attacker can put a
/// request of his own into someone else's connection ("request smuggling"). So every form
/// whose end could be read in two ways is refused here, before anything else looks at it;
/// head_differential_fuzz.cpp holds the result against Boost.Beast: stricter, never laxer.
/// Speed is the other reason: see head_bench.cpp.
///
/// How reading goes on: a head is first searched for its blank line, line by line, and only
/// parsed once it is whole. `searched` keeps the search linear however the bytes trickle in,
/// and the result does not depend on how they were cut.
///
/// Sources: RFC 9110 and RFC 9112, June 2022.
/// Threads: plain functions over the caller's memory; no state.

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>

namespace claviger::net::http {

/// How many header lines a head may have. Official SDKs send about 20, providers behind CDNs
/// answer with about 35.
inline constexpr std::size_t kHeadersMax = 64;
/// How long a head may be, its blank line included.
inline constexpr std::size_t kHeadBytesMax = 32 * 1024;
/// How long a request target may be; more is answered with 414.
inline constexpr std::size_t kTargetBytesMax = 8 * 1024;
/// The longest registered method has 17 characters (UPDATEREDIRECTREF).
inline constexpr std::size_t kMethodBytesMax = 24;

/// Why there is no head. `incomplete` is the only one after which reading may go on; after
/// any other the connection cannot be trusted any more: answer `status_for` and close.
enum class HeadError : std::uint8_t {
  incomplete,               ///< Not whole yet: read more and call again.
  looks_like_tls,           ///< A TLS handshake on a plain port.
  head_too_large,           ///< No blank line within kHeadBytesMax.
  malformed_start_line,     ///< Not `METHOD SP TARGET SP HTTP/1.x CRLF`, or a bad status line.
  malformed_method,         ///< Anything but 1 to 24 upper-case letters and hyphens.
  malformed_target,         ///< A form or byte that no request target has, or CONNECT.
  uri_too_long,             ///< More than kTargetBytesMax.
  unsupported_version,      ///< HTTP, but neither 1.0 nor 1.1.
  bad_line_end,             ///< LF without CR, or a blank line where the start line belongs.
  malformed_header,         ///< Name is no token (or a folded line), control bytes in a value.
  too_many_headers,         ///< More than kHeadersMax.
  bad_content_length,       ///< Anything but a plain decimal below 2^63 without leading zeros.
  conflicting_length,       ///< Content-Length twice, or beside Transfer-Encoding.
  bad_transfer_encoding,    ///< Anything but `chunked`, once, in HTTP/1.1.
  missing_host,             ///< HTTP/1.1 without Host.
  repeated_host,            ///< More than one Host.
  bad_host,                 ///< Host is no `name[:port]`, or differs from an absolute target's.
  bad_connection_header,    ///< Connection is no list of tokens.
  unsupported_expectation,  ///< Expect is something other than `100-continue`.
};

/// A sentence for a person: what is wrong and what to do. Never holds bytes of the message.
std::string_view explain(HeadError error);
/// The status to answer a bad request with: 400, 414, 417, 431 or 505.
int status_for(HeadError error);

struct Header {
  std::string_view name;   ///< As written; compare without regard to case.
  std::string_view value;  ///< Without blanks around it; may be empty. Bytes >= 0x80 may occur.
};

/// What follows a head.
enum class Body : std::uint8_t {
  none,         ///< Nothing, also where Content-Length is 0.
  length,       ///< `content_length` bytes, more than 0.
  chunked,      ///< To be read with ChunkedDecoder.
  until_close,  ///< Responses only: everything until the connection ends.
};

/// Header lines in the order in which they came: half a KiB, of which only the first `count`
/// entries mean anything. All views point into the buffer that was parsed.
class HeaderLines {
 private:
  struct Line {
    std::uint16_t name_at;  ///< Counted from `start_`, as the next two are.
    std::uint16_t name_bytes;
    std::uint16_t value_at;
    std::uint16_t value_bytes;
  };

 public:
  class Iterator {
   public:
    using value_type = Header;
    using difference_type = std::ptrdiff_t;
    Iterator() = default;
    Header operator*() const {
      return {{start_ + line_->name_at, line_->name_bytes},
              {start_ + line_->value_at, line_->value_bytes}};
    }
    Iterator& operator++() {
      ++line_;
      return *this;
    }
    Iterator operator++(int) { return {start_, line_++}; }
    bool operator==(const Iterator&) const = default;

   private:
    friend class HeaderLines;
    Iterator(const char* start, const Line* line) : start_(start), line_(line) {}
    const char* start_ = nullptr;
    const Line* line_ = nullptr;
  };

  /// The first header of that name. `lower_name` must be in lower case.
  std::optional<Header> find(std::string_view lower_name) const;
  /// Its value, or empty where there is no such header.
  std::string_view value_of(std::string_view lower_name) const;

  Iterator begin() const { return {start_, lines_.data()}; }
  Iterator end() const { return {start_, lines_.data() + count_}; }
  std::size_t size() const { return count_; }
  Header operator[](std::size_t index) const { return *Iterator(start_, &lines_[index]); }
  const HeaderLines& headers() const { return *this; }

  /// For the parsers: forgets all; headers that are appended point into the kHeadBytesMax bytes
  /// behind `start`.
  void begin_at(const char* start) {
    start_ = start;
    count_ = 0;
  }
  /// False where there is no room.
  bool append(Header header) {
    if (count_ == kHeadersMax) return false;
    const auto at = [this](std::string_view text) {
      return static_cast<std::uint16_t>(text.data() - start_);
    };
    lines_[count_++] = {at(header.name), static_cast<std::uint16_t>(header.name.size()),
                        at(header.value), static_cast<std::uint16_t>(header.value.size())};
    return true;
  }

 private:
  const char* start_ = nullptr;
  std::size_t count_ = 0;
  std::array<Line, kHeadersMax> lines_;
};
static_assert(kHeadBytesMax <= UINT16_MAX);

struct RequestHead : HeaderLines {
  std::string_view method;  ///< Upper case. Methods nobody has heard of are passed, not judged.
  /// Origin form (`/path?query`), absolute form (`http://host/path`), or `*` for OPTIONS. Not
  /// normalised: see target.h.
  std::string_view target;
  int minor_version = 1;             ///< 0 or 1.
  Body body = Body::none;            ///< Never until_close.
  std::uint64_t content_length = 0;  ///< Below 2^63; 0 unless body is `length`.
  bool keep_alive = true;            ///< Whether the caller wants to use the connection again.
  bool expects_continue = false;     ///< Waits for `100 Continue` before it sends the body.
  std::size_t bytes = 0;             ///< Length of the head, its blank line included.
};

struct ResponseHead : HeaderLines {
  int status = 0;           ///< 100 to 999: providers use unregistered ones (529 at Anthropic).
  std::string_view reason;  ///< May be empty.
  int minor_version = 1;
  Body body = Body::none;
  std::uint64_t content_length = 0;
  /// Whether the connection may be used again once the body has been read. Also false where
  /// the head announces a body that the status forbids, since such servers may send it.
  bool keep_alive = true;
  std::size_t bytes = 0;

  /// 1xx: not the answer yet; another head follows. (101 never keeps the connection alive.)
  bool is_interim() const { return status >= 100 && status < 200; }
};

/// Reads the head at the start of `bytes` and returns its length. `searched` starts at 0 for
/// each message, belongs to the parser, and goes with the buffer: pass the same start again
/// with more bytes behind it. `out` means something only on success, and as long as the buffer
/// stays where it is.
std::expected<std::size_t, HeadError> parse_request_head(std::string_view bytes, RequestHead& out,
                                                         std::size_t& searched);

/// The same for the answer to a request with `request_method`, which decides whether a body
/// follows (HEAD: never; CONNECT: not after success).
///
/// As strict as for requests, apart from what real servers need: the reason phrase, and the
/// blank before it, may be missing (old Python and embedded servers); `Chunked` may be in any
/// case; HTTP/1.0 and bodies until the end of the connection are read.
std::expected<std::size_t, HeadError> parse_response_head(std::string_view bytes,
                                                          std::string_view request_method,
                                                          ResponseHead& out, std::size_t& searched);

}  // namespace claviger::net::http

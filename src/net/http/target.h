#pragma once

/// Request targets: where path and query are, what in them is refused, and what must not be
/// seen in a log.
///
/// Why refuse instead of normalise: whoever checks a path and whoever acts on it must see the
/// same path. A path that would need rewriting (`/a/../b`, `//`, `%2e`, a percent-encoded
/// letter) has no honest sender among SDKs and browsers, so it is refused, and every path that
/// passes has exactly one spelling: it can be compared with a route as it stands. The one
/// exception is what model ids need: `%2F` and `%3A` in a segment, which decode_segment turns
/// into `/` and `:` after the segments have been told apart.
///
/// Source: RFC 3986, January 2005; RFC 9110 section 4.2.
/// Threads: plain functions over the caller's memory; no state.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace claviger::net::http {

/// Why a target is refused. The answer is always 400.
enum class TargetError : std::uint8_t {
  not_a_path,        ///< Neither `/…` nor `http://host/…`.
  forbidden_byte,    ///< A control or backslash, plain or (in the path) encoded; a plain blank,
                     ///< `"`, `#`, `<`, `>` or byte >= 0x80; an encoded NUL; overlong UTF-8.
  bad_percent,       ///< `%` without two hexadecimal digits behind it.
  needless_percent,  ///< An encoded letter, digit, `-`, `_`, `~` or `%` in the path.
  dot_segment,       ///< `..` anywhere in the path, a segment `.`, or an encoded dot.
  empty_segment,     ///< `//` in the path, plain or encoded.
  repeated_key,      ///< `key` more than once in the query.
};

/// A sentence for a person: what is wrong and what to do. Never holds bytes of the target.
std::string_view explain(TargetError error);

/// Views into the target that was split.
struct Target {
  std::string_view path;   ///< Starts with `/`; percent-encoded, in its only spelling.
  std::string_view query;  ///< Behind the `?`, percent-encoded; empty where there is none.
};

/// Splits and checks a target in origin or absolute form (whose scheme and authority have been
/// checked by parse_request_head and are dropped; a missing path is `/`).
std::expected<Target, TargetError> split_target(std::string_view target);

/// Takes the next segment off the front of `rest`, which starts with `/` or is empty:
/// `/models/gpt` gives `models` and leaves `/gpt`. An empty `rest` gives nothing; `/` gives an
/// empty segment (a slash at the end of the path).
std::optional<std::string_view> next_segment(std::string_view& rest);

/// Appends a segment, or several, with its percent-encoding undone: `a%2Fb` becomes `a/b`.
/// False, with `out` as it was, where the encoding is malformed or hides a NUL.
bool decode_segment(std::string_view encoded, std::string& out);

/// The value of `?key=`, by which Gemini's SDKs and curl users authenticate; nothing where
/// there is none. As written: virtual keys need no percent-encoding, so an encoded one is
/// merely unknown. The name is compared decoded, because `%6bey=` must not slip past
/// append_query_without_key into a log. Error: repeated_key.
std::expected<std::optional<std::string_view>, TargetError> query_key(std::string_view query);

/// Appends `query` without its `key` parameters, however they are spelled: what is passed on.
void append_query_without_key(std::string_view query, std::string& out);

/// Appends `target` as a log may show it: the values of parameters whose names speak of
/// secrets (key, token, secret, password, signature, …) are replaced by `***`, and so is
/// whatever looks like a virtual key, wherever it stands. Takes any bytes, also targets that
/// split_target refuses; what is not visible ASCII becomes `?`, and what is longer than
/// `kLoggedTargetBytesMax` is cut.
void append_loggable_target(std::string_view target, std::string& out);
inline constexpr std::size_t kLoggedTargetBytesMax = 512;

}  // namespace claviger::net::http

#pragma once

/// Which bytes may stand where in an HTTP/1.1 message, as one table of 256 bytes, and the
/// search for the first byte that may not. Shared by the parsers and the writers of this
/// folder, so that what we refuse to read we also refuse to write.
///
/// Sources: RFC 9110 section 5.6.2 (token) and 5.5 (field values), RFC 3986 (URIs), June 2022
/// and January 2005.

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace claviger::net::http {

namespace characters_detail {

inline constexpr std::uint8_t kToken = 1;       // method, header name, chunk extension
inline constexpr std::uint8_t kFieldValue = 2;  // header value, reason phrase
inline constexpr std::uint8_t kTarget = 4;      // request target, before normalisation
inline constexpr std::uint8_t kUnreserved = 8;  // never needs percent-encoding
inline constexpr std::uint8_t kHostName = 16;   // registered names and IPv4 addresses

constexpr bool contains(std::string_view set, unsigned byte) {
  return byte != 0 && byte < 0x80 && set.find(static_cast<char>(byte)) != std::string_view::npos;
}

consteval std::array<std::uint8_t, 256> make_classes() {
  std::array<std::uint8_t, 256> classes{};
  for (unsigned byte = 0; byte < 256; ++byte) {
    const bool alphanumeric = (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
                              (byte >= 'a' && byte <= 'z');
    std::uint8_t bits = 0;
    if (alphanumeric || contains("!#$%&'*+-.^_`|~", byte)) bits |= kToken;
    if (byte == '\t' || (byte >= 0x20 && byte != 0x7f)) bits |= kFieldValue;
    if (byte > 0x20 && byte < 0x7f && !contains("\"#<>", byte)) bits |= kTarget;
    if (alphanumeric || contains("-._~", byte)) bits |= kUnreserved;
    if (alphanumeric || contains("-._", byte)) bits |= kHostName;
    classes[byte] = bits;
  }
  return classes;
}

inline constexpr std::array<std::uint8_t, 256> kClasses = make_classes();

constexpr bool has_class(char byte, std::uint8_t bits) {
  return (kClasses[static_cast<unsigned char>(byte)] & bits) != 0;
}

constexpr bool all_have_class(std::string_view text, std::uint8_t bits) {
  for (const char byte : text) {
    if (!has_class(byte, bits)) return false;
  }
  return true;
}

}  // namespace characters_detail

constexpr bool is_token_byte(char byte) {
  return characters_detail::has_class(byte, characters_detail::kToken);
}
constexpr bool is_field_value_byte(char byte) {
  return characters_detail::has_class(byte, characters_detail::kFieldValue);
}
constexpr bool is_unreserved_byte(char byte) {
  return characters_detail::has_class(byte, characters_detail::kUnreserved);
}
/// A token is never empty.
constexpr bool is_token(std::string_view text) {
  return !text.empty() && characters_detail::all_have_class(text, characters_detail::kToken);
}
/// May be empty. Visible ASCII without `"`, `#`, `<`, `>`: browsers and SDKs leave `|`, `{`,
/// `}`, `[`, `]`, `^` and the backquote in a query as they are (WHATWG URL, 2026-07).
constexpr bool is_target_text(std::string_view text) {
  return characters_detail::all_have_class(text, characters_detail::kTarget);
}
constexpr bool is_host_name(std::string_view text) {
  return !text.empty() && characters_detail::all_have_class(text, characters_detail::kHostName);
}
constexpr bool is_digit(char byte) {
  return byte >= '0' && byte <= '9';
}
constexpr bool is_blank(char byte) {
  return byte == ' ' || byte == '\t';
}

/// 0 to 15, or -1 where `byte` is no hexadecimal digit.
constexpr int hex_digit_value(char byte) {
  if (byte >= '0' && byte <= '9') return byte - '0';
  if (byte >= 'a' && byte <= 'f') return byte - 'a' + 10;
  if (byte >= 'A' && byte <= 'F') return byte - 'A' + 10;
  return -1;
}

constexpr char to_lower(char byte) {
  return byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte + ('a' - 'A')) : byte;
}

/// ASCII only, as HTTP's names and keywords are. `lower` is in lower case already.
constexpr bool equals_lower(std::string_view text, std::string_view lower) {
  if (text.size() != lower.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (to_lower(text[i]) != lower[i]) return false;
  }
  return true;
}

constexpr bool equals_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (to_lower(a[i]) != to_lower(b[i])) return false;
  }
  return true;
}

/// The first byte in [at, end) that may not stand in a field value (controls other than tab,
/// and DEL), or `end`. Eight bytes at a time with plain integer arithmetic, the same on every
/// machine: values are short, so wider registers would gain little.
inline const char* skip_field_value(const char* at, const char* end) {
  if constexpr (std::endian::native == std::endian::little) {
    constexpr std::uint64_t kOnes = 0x0101010101010101ull;
    constexpr std::uint64_t kHighBits = 0x8080808080808080ull;
    while (end - at >= 8) {
      std::uint64_t eight;
      std::memcpy(&eight, at, sizeof eight);
      // Borrows run upwards only, so the lowest bit that is set is exact in both terms.
      const std::uint64_t below_space = (eight - kOnes * 0x20) & ~eight;
      const std::uint64_t delete_xor = eight ^ (kOnes * 0x7f);
      const std::uint64_t is_delete = (delete_xor - kOnes) & ~delete_xor;
      const std::uint64_t suspects = (below_space | is_delete) & kHighBits;
      if (suspects == 0) {
        at += 8;
        continue;
      }
      at += std::countr_zero(suspects) / 8;
      if (*at != '\t') return at;
      ++at;
    }
  }
  while (at != end && is_field_value_byte(*at)) ++at;
  return at;
}

}  // namespace claviger::net::http

#pragma once

/// What kind of character a code point is, as far as splitting text into pieces is concerned.
/// Unicode 16, as the reference implementation has it (PyPI tiktoken 0.14.0, 2026-08).

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace claviger::tokenize {

enum class Letter : std::uint8_t {
  upper,     ///< Lu, Lt
  lower,     ///< Ll
  caseless,  ///< Lm, Lo
  mark,      ///< M
  number,    ///< N
  newline,   ///< \r and \n
  space,     ///< Other White_Space.
  other,
};

constexpr bool is_letter(Letter letter) {
  return letter <= Letter::caseless;
}
constexpr bool is_white(Letter letter) {
  return letter == Letter::newline || letter == Letter::space;
}

/// One character of a text: its class, and how many bytes it has. A byte that is no UTF-8
/// counts as a character of class `other`.
struct Character {
  Letter letter = Letter::other;
  std::uint8_t bytes = 1;
  std::uint32_t code_point = 0;
};

/// `at` must be inside `text`.
Character character_at(std::string_view text, std::size_t at);

}  // namespace claviger::tokenize

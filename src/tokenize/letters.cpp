#include "tokenize/letters.h"

#include <algorithm>
#include <array>
#include <iterator>

namespace claviger::tokenize {
namespace {

/// From `first` up to the next row's.
struct Range {
  std::uint32_t first;
  Letter letter;
};

using enum Letter;
constexpr Range ranges[] = {
#include "tokenize/letter_ranges.inc"
};

constexpr std::array<Letter, 128> ascii_letters() {
  std::array<Letter, 128> letters{};
  letters.fill(other);
  for (std::size_t c = 'A'; c <= 'Z'; ++c) letters[c] = upper;
  for (std::size_t c = 'a'; c <= 'z'; ++c) letters[c] = lower;
  for (std::size_t c = '0'; c <= '9'; ++c) letters[c] = number;
  letters['\t'] = letters['\v'] = letters['\f'] = letters[' '] = space;
  letters['\r'] = letters['\n'] = newline;
  return letters;
}

/// White_Space beyond ASCII (Unicode 16, PropList.txt; unchanged since 6.3).
bool is_wide_space(std::uint32_t c) {
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
         c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

Letter letter_of(std::uint32_t code_point) {
  if (is_wide_space(code_point)) return space;
  const Range* const after =
      std::upper_bound(std::begin(ranges), std::end(ranges), code_point,
                       [](std::uint32_t c, const Range& range) { return c < range.first; });
  return std::prev(after)->letter;
}

}  // namespace

Character character_at(std::string_view text, std::size_t at) {
  static constexpr auto ascii = ascii_letters();
  const auto byte = [&](std::size_t i) -> std::uint32_t {
    return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0;
  };
  const std::uint32_t first = byte(0);
  if (first < 0x80) return {.letter = ascii[first], .bytes = 1, .code_point = first};
  const auto follows = [&](std::size_t i) { return (byte(i) & 0xC0) == 0x80; };
  std::uint32_t c = 0;
  std::uint8_t bytes = 0;
  if (first >= 0xC2 && first <= 0xDF && follows(1)) {
    c = (first & 0x1F) << 6 | (byte(1) & 0x3F);
    bytes = 2;
  } else if (first >= 0xE0 && first <= 0xEF && follows(1) && follows(2)) {
    c = (first & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F);
    bytes = c >= 0x800 ? 3 : 0;
  } else if (first >= 0xF0 && first <= 0xF4 && follows(1) && follows(2) && follows(3)) {
    c = (first & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F);
    bytes = c >= 0x10000 && c <= 0x10FFFF ? 4 : 0;
  }
  if (bytes == 0) return {.letter = other, .bytes = 1, .code_point = 0xFFFD};
  return {.letter = letter_of(c), .bytes = bytes, .code_point = c};
}

}  // namespace claviger::tokenize

#include "tokenize/expansion.h"

#include <algorithm>
#include <cstddef>
#include <iterator>

#include "tokenize/letters.h"

namespace claviger::tokenize {
namespace {

struct Range {
  std::uint32_t first;
  std::uint32_t last;
};

/// Assigned characters that neither NFC nor NFKC makes longer in UTF-8; what Unicode has
/// assigned keeps its normal forms for ever.
constexpr Range stable[] = {
    {0xA0, 0xA7},       {0xA9, 0xAE},       {0xB0, 0xB3},       {0xB5, 0xB7},
    {0xB9, 0xBB},       {0xBF, 0x13E},      {0x14A, 0x1C3},     {0x1CD, 0x2D7},
    {0x300, 0x340},     {0x391, 0x3A1},     {0x3A3, 0x3CF},     {0x400, 0x52F},
    {0x531, 0x556},     {0x561, 0x586},     {0x5D0, 0x5EA},     {0x60C, 0x674},
    {0x679, 0x6D3},     {0x901, 0x957},     {0x966, 0x97F},     {0xE01, 0xE32},
    {0xE34, 0xE3A},     {0xE3F, 0xE5B},     {0x10D0, 0x10FF},   {0x1E00, 0x1E99},
    {0x1EA0, 0x1EF9},   {0x200B, 0x2016},   {0x2018, 0x2032},   {0x20A0, 0x20BF},
    {0x2190, 0x222B},   {0x2231, 0x22FF},   {0x2300, 0x2426},   {0x2500, 0x2A0B},
    {0x3000, 0x303F},   {0x3041, 0x3096},   {0x30A0, 0x30FE},   {0x3105, 0x312F},
    {0x3400, 0x4DB5},   {0x4E00, 0x9FEA},   {0xAC00, 0xD7A3},   {0xFE00, 0xFE0F},
    {0xFF01, 0xFF5E},   {0x1F300, 0x1F64F}, {0x1F680, 0x1F6D4}, {0x1F90C, 0x1F978},
    {0x1F97A, 0x1F9CB}, {0x1F9CD, 0x1F9FF}, {0x20000, 0x2A6D6},
};
static_assert(std::is_sorted(std::begin(stable), std::end(stable),
                             [](Range a, Range b) { return a.last < b.first; }));

bool is_stable(std::uint32_t code_point) {
  const Range* const found =
      std::lower_bound(std::begin(stable), std::end(stable), code_point,
                       [](Range range, std::uint32_t c) { return range.last < c; });
  return found != std::end(stable) && found->first <= code_point;
}

std::int64_t bytes_max_of(std::uint32_t code_point, std::int64_t bytes, NormalForm form) {
  if (code_point < 0x80 || is_stable(code_point)) return bytes;
  return bytes * (form == NormalForm::nfc ? 3 : 11);
}

std::int64_t utf8_bytes(std::uint32_t code_point) {
  return code_point < 0x80 ? 1 : code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
}

/// The four digits behind `\u` at `at`, or -1.
std::int32_t escaped_unit(std::string_view json, std::size_t at) {
  if (at + 6 > json.size() || json[at] != '\\' || json[at + 1] != 'u') return -1;
  std::int32_t unit = 0;
  for (std::size_t i = at + 2; i < at + 6; ++i) {
    const char c = json[i];
    const int digit = c >= '0' && c <= '9'                     ? c - '0'
                      : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
                                                               : -1;
    if (digit < 0) return -1;
    unit = unit << 4 | digit;
  }
  return unit;
}

/// Bytes from `at` on that are neither escapes nor beyond ASCII; sixteen at a time, which
/// compilers turn into one comparison.
std::size_t plain_bytes(std::string_view json, std::size_t at) {
  constexpr std::size_t step = 16;
  const std::size_t start = at;
  for (; at + step <= json.size(); at += step) {
    unsigned special = 0;
    for (std::size_t i = 0; i < step; ++i) {
      const auto byte = static_cast<unsigned char>(json[at + i]);
      special |= static_cast<unsigned>(byte >= 0x80) | static_cast<unsigned>(byte == '\\');
    }
    if (special != 0) break;
  }
  while (at < json.size() && json[at] != '\\' && static_cast<unsigned char>(json[at]) < 0x80) ++at;
  return at - start;
}

}  // namespace

std::int64_t normalised_bytes_max(std::string_view json, NormalForm form) {
  if (form == NormalForm::none) return static_cast<std::int64_t>(json.size());
  std::int64_t total = 0;
  for (std::size_t at = 0; at < json.size();) {
    const std::size_t plain = plain_bytes(json, at);
    total += static_cast<std::int64_t>(plain);
    at += plain;
    if (at == json.size()) break;
    if (json[at] != '\\') {
      const Character c = character_at(json, at);
      total += bytes_max_of(c.code_point, c.bytes, form);
      at += c.bytes;
      continue;
    }
    const std::int32_t unit = escaped_unit(json, at);
    if (unit < 0) {  // `\n` and the like: two bytes for one. The second may be a backslash.
      const std::size_t length = std::min<std::size_t>(2, json.size() - at);
      total += static_cast<std::int64_t>(length);
      at += length;
      continue;
    }
    auto code_point = static_cast<std::uint32_t>(unit);
    std::int64_t written = 6;
    if (unit >= 0xD800 && unit < 0xDC00) {
      const std::int32_t low = escaped_unit(json, at + 6);
      if (low >= 0xDC00 && low < 0xE000) {
        code_point =
            0x10000u + ((code_point - 0xD800) << 10) + static_cast<std::uint32_t>(low - 0xDC00);
        written = 12;
      }
    }
    // The escape itself is what counts where its text is handed on as it stands.
    total += std::max(written, bytes_max_of(code_point, utf8_bytes(code_point), form));
    at += static_cast<std::size_t>(written);
  }
  return total;
}

}  // namespace claviger::tokenize

#include "base/money.h"

#include <array>
#include <charconv>
#include <cstdlib>

namespace claviger {
inline namespace base {
namespace {

/// Reads a decimal as a whole number of 10^-digits units.
std::expected<std::int64_t, MoneyError> parse_scaled(std::string_view text, int digits) {
  if (!text.empty() && text.front() == '$') text.remove_prefix(1);
  if (!text.empty() && text.front() == '-') return std::unexpected(MoneyError::negative);
  std::int64_t value = 0;
  int behind_point = -1;
  bool any_digit = false;
  for (const char c : text) {
    if (c == '.') {
      if (behind_point >= 0) return std::unexpected(MoneyError::malformed);
      behind_point = 0;
      continue;
    }
    if (c < '0' || c > '9') return std::unexpected(MoneyError::malformed);
    any_digit = true;
    if (behind_point >= digits) {
      if (c != '0') return std::unexpected(MoneyError::too_precise);
      continue;
    }
    if (behind_point >= 0) ++behind_point;
    if (__builtin_mul_overflow(value, std::int64_t{10}, &value) ||
        __builtin_add_overflow(value, std::int64_t{c - '0'}, &value)) {
      return std::unexpected(MoneyError::too_large);
    }
  }
  if (!any_digit) return std::unexpected(MoneyError::malformed);
  for (int i = behind_point < 0 ? 0 : behind_point; i < digits; ++i) {
    if (__builtin_mul_overflow(value, std::int64_t{10}, &value)) {
      return std::unexpected(MoneyError::too_large);
    }
  }
  return value;
}

/// "W.FFFFFFFFF" with all nine digits; the sign apart.
std::string nine_digits(std::uint64_t nanos) {
  std::array<char, 32> text;
  char* at = std::to_chars(text.data(), text.data() + text.size(), nanos / 1'000'000'000).ptr;
  *at++ = '.';
  std::uint64_t fraction = nanos % 1'000'000'000;
  for (char* digit = at + 9; digit != at; fraction /= 10) {
    *--digit = static_cast<char>('0' + fraction % 10);
  }
  return {text.data(), at + 9};
}

void trim_zeros(std::string& text) {
  const std::size_t shortest = text.find('.') + 3;
  while (text.size() > shortest && text.back() == '0') text.pop_back();
}

std::uint64_t magnitude(NanoUsd amount) {
  return amount.is_negative() ? 0 - static_cast<std::uint64_t>(amount.nanos())
                              : static_cast<std::uint64_t>(amount.nanos());
}

}  // namespace

std::expected<NanoUsd, MoneyError> parse_usd(std::string_view text) {
  const auto nanos = parse_scaled(text, 9);
  if (!nanos) return std::unexpected(nanos.error());
  return NanoUsd(*nanos);
}

std::expected<PicoUsdPerUnit, MoneyError> parse_usd_per_million(std::string_view text) {
  const auto picos = parse_scaled(text, 6);
  if (!picos) return std::unexpected(picos.error());
  return PicoUsdPerUnit{*picos};
}

std::expected<PicoUsdPerUnit, MoneyError> parse_usd_per_unit(std::string_view text) {
  const auto picos = parse_scaled(text, 12);
  if (!picos) return std::unexpected(picos.error());
  return PicoUsdPerUnit{*picos};
}

std::string to_decimal(NanoUsd amount) {
  std::string text = nine_digits(magnitude(amount));
  trim_zeros(text);
  return amount.is_negative() ? "-" + text : text;
}

std::string to_display(NanoUsd amount) {
  std::uint64_t nanos = magnitude(amount);
  // Two significant digits behind the point, never fewer than two places.
  std::uint64_t step = 10'000'000;
  while (step > 1 && nanos != 0 && nanos < step * 10) step /= 10;
  nanos += step / 2;
  nanos -= nanos % step;
  std::string text = nine_digits(nanos);
  trim_zeros(text);
  return (amount.is_negative() ? "-$" : "$") + text;
}

std::string_view explain(MoneyError error) {
  switch (error) {
    case MoneyError::malformed:
      return "is not an amount; write dollars like 10 or 0.25";
    case MoneyError::negative:
      return "is negative; an amount is zero or more";
    case MoneyError::too_precise:
      return "has more decimal places than can be kept";
    case MoneyError::too_large:
      return "is too large";
  }
  return "is not an amount";
}

}  // namespace base
}  // namespace claviger

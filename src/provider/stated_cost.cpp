#include <algorithm>
#include <limits>
#include <string>

#include "provider/openai_answer.h"

namespace claviger::provider::openai {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// A decimal number: 0.DIGITS times ten to the power of `point`.
struct Decimal {
  bool negative = false;
  std::string digits;  ///< Without leading zeros.
  std::int64_t point = 0;
};

/// Exponents beyond this are taken for this; either way the amount is nothing or impossible.
constexpr std::int64_t exponent_max = 100'000;
constexpr std::size_t number_bytes_max = 1024;

class DecimalReader {
 public:
  explicit DecimalReader(std::string_view text) : rest_(text) {}

  bool read(Decimal& decimal) {
    if (rest_.size() > number_bytes_max) return false;
    decimal.negative = take('-');
    const std::string_view whole = take_digits();
    if (whole.empty() || (whole.size() > 1 && whole.front() == '0')) return false;
    std::string_view fraction;
    if (take('.')) {
      fraction = take_digits();
      if (fraction.empty()) return false;
    }
    std::int64_t exponent = 0;
    if ((take('e') || take('E')) && !read_exponent(exponent)) return false;
    if (!rest_.empty()) return false;
    decimal.digits = std::string(whole) + std::string(fraction);
    const std::size_t zeros =
        std::min(decimal.digits.find_first_not_of('0'), decimal.digits.size());
    decimal.digits.erase(0, zeros);
    decimal.point =
        static_cast<std::int64_t>(whole.size()) - static_cast<std::int64_t>(zeros) + exponent;
    return true;
  }

 private:
  bool take(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  std::string_view take_digits() {
    std::size_t count = 0;
    while (count < rest_.size() && is_digit(rest_[count])) ++count;
    const std::string_view digits = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return digits;
  }
  bool read_exponent(std::int64_t& exponent) {
    const bool negative = take('-');
    if (!negative) take('+');
    const std::string_view digits = take_digits();
    if (digits.empty()) return false;
    for (const char c : digits) {
      exponent = std::min(exponent_max, exponent * 10 + (c - '0'));
    }
    if (negative) exponent = -exponent;
    return true;
  }

  std::string_view rest_;
};

}  // namespace

std::expected<NanoUsd, StatedCostError> parse_stated_cost(std::string_view json) {
  Decimal decimal;
  if (!DecimalReader(json).read(decimal)) return std::unexpected(StatedCostError::not_a_number);
  if (decimal.digits.empty()) return NanoUsd(0);
  if (decimal.negative) return std::unexpected(StatedCostError::impossible);

  constexpr std::int64_t nano_places = 9;
  constexpr std::int64_t digits_max = 19;  // Of a 64-bit integer.
  const std::int64_t whole_digits = decimal.point + nano_places;
  if (whole_digits > digits_max) return std::unexpected(StatedCostError::impossible);
  std::uint64_t nanos = 0;
  for (std::int64_t i = 0; i < whole_digits; ++i) {
    const auto at = static_cast<std::size_t>(i);
    const char digit = at < decimal.digits.size() ? decimal.digits[at] : '0';
    nanos = nanos * 10 + static_cast<std::uint64_t>(digit - '0');
  }
  const auto used = static_cast<std::size_t>(std::max<std::int64_t>(0, whole_digits));
  const bool has_rest = decimal.digits.find_first_not_of('0', used) != std::string::npos;
  if (has_rest) ++nanos;
  if (nanos > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    return std::unexpected(StatedCostError::impossible);
  }
  return NanoUsd(static_cast<std::int64_t>(nanos));
}

}  // namespace claviger::provider::openai

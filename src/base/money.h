#pragma once

/// Money, as integers. There is no floating point anywhere near it: a budget that is
/// off by a rounding error is not a limit.
///
/// Amounts are nano-dollars (1e-9 USD, up to about 9.2 billion dollars). Rates are
/// pico-dollars per unit (1e-12 USD), because a cheap model's token costs less than a
/// nano-dollar. A cost is summed in 128 bits and rounded up once, at its end.

#include <compare>
#include <cstdint>
#include <expected>
#include <limits>
#include <string>
#include <string_view>

namespace claviger {
inline namespace base {

/// An amount of money in nano-dollars. Arithmetic saturates instead of wrapping: an
/// absurd amount stays absurd and is refused by whatever limit it meets.
class NanoUsd {
 public:
  constexpr NanoUsd() = default;
  constexpr explicit NanoUsd(std::int64_t nanos) : nanos_(nanos) {}

  static constexpr NanoUsd max() { return NanoUsd(std::numeric_limits<std::int64_t>::max()); }

  constexpr std::int64_t nanos() const { return nanos_; }
  constexpr bool is_negative() const { return nanos_ < 0; }

  friend constexpr auto operator<=>(NanoUsd, NanoUsd) = default;
  friend constexpr NanoUsd operator+(NanoUsd a, NanoUsd b) {
    std::int64_t sum = 0;
    if (__builtin_add_overflow(a.nanos_, b.nanos_, &sum)) return saturated(a.nanos_ > 0);
    return NanoUsd(sum);
  }
  friend constexpr NanoUsd operator-(NanoUsd a, NanoUsd b) {
    std::int64_t difference = 0;
    if (__builtin_sub_overflow(a.nanos_, b.nanos_, &difference)) return saturated(a.nanos_ > 0);
    return NanoUsd(difference);
  }
  constexpr NanoUsd& operator+=(NanoUsd other) { return *this = *this + other; }
  constexpr NanoUsd& operator-=(NanoUsd other) { return *this = *this - other; }

 private:
  static constexpr NanoUsd saturated(bool up) {
    return NanoUsd(up ? std::numeric_limits<std::int64_t>::max()
                      : std::numeric_limits<std::int64_t>::min());
  }
  std::int64_t nanos_ = 0;
};

constexpr NanoUsd dollars(std::int64_t whole) {
  return NanoUsd(whole * 1'000'000'000);
}
constexpr NanoUsd cents(std::int64_t whole) {
  return NanoUsd(whole * 10'000'000);
}

/// A price for one unit (a token, an image, a call), in pico-dollars. "$0.15 per million
/// tokens" is 150'000 pico-dollars a token.
struct PicoUsdPerUnit {
  std::int64_t picos = 0;
  friend constexpr auto operator<=>(PicoUsdPerUnit, PicoUsdPerUnit) = default;
};

/// Adds up the lines of one bill in 128 bits and rounds once. Saturates like NanoUsd does: 2^128
/// pico-dollars are more money than there is.
class CostSum {
 public:
  static constexpr unsigned __int128 picos_max = ~static_cast<unsigned __int128>(0);

  /// `units` >= 0 and `rate` >= 0; anything else is the caller's bug.
  constexpr void add(std::int64_t units, PicoUsdPerUnit rate) {
    // 63 bits by 63 bits fit 126.
    add(static_cast<unsigned __int128>(units) * static_cast<unsigned __int128>(rate.picos));
  }
  constexpr void add(unsigned __int128 picos) {
    if (__builtin_add_overflow(picos_, picos, &picos_)) picos_ = picos_max;
  }
  constexpr unsigned __int128 picos() const { return picos_; }
  /// Rounded up to a whole nano-dollar, saturating.
  constexpr NanoUsd rounded_up() const {
    const unsigned __int128 nanos = picos_ / 1000 + (picos_ % 1000 != 0 ? 1 : 0);
    constexpr auto most = static_cast<unsigned __int128>(std::numeric_limits<std::int64_t>::max());
    return nanos > most ? NanoUsd::max() : NanoUsd(static_cast<std::int64_t>(nanos));
  }

 private:
  unsigned __int128 picos_ = 0;
};

enum class MoneyError {
  malformed,    ///< Not a plain decimal number such as "10", "0.25" or "$3".
  negative,     ///< Below zero.
  too_precise,  ///< More digits behind the point than the unit can hold.
  too_large,    ///< Does not fit 64 bits.
};

/// Reads "10.00", "$0.25", "3". No exponents, no signs other than a leading '-', which is
/// reported as `negative`. Up to nine digits behind the point.
std::expected<NanoUsd, MoneyError> parse_usd(std::string_view text);

/// Reads a price per million units, e.g. "0.15" dollars per million tokens, exactly: up to
/// six digits behind the point become whole pico-dollars per unit.
std::expected<PicoUsdPerUnit, MoneyError> parse_usd_per_million(std::string_view text);

/// Reads a price of one unit, e.g. "0.01" dollars per search, exactly: up to twelve digits behind
/// the point.
std::expected<PicoUsdPerUnit, MoneyError> parse_usd_per_unit(std::string_view text);

/// Exact decimal with at least two digits behind the point: "10.00", "0.000123456".
std::string to_decimal(NanoUsd amount);

/// For people: "$10.00", "$0.0042", "$0.000013": at least two digits behind the point, and
/// two that are not zero where the amount is small. Rounded half away from zero.
std::string to_display(NanoUsd amount);

/// What went wrong and what to write instead, for a message to a person.
std::string_view explain(MoneyError error);

}  // namespace base
}  // namespace claviger

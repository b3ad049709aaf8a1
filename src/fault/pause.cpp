#include "fault/pause.h"

#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <string>

namespace claviger::fault {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

/// A plain number that makes up all of `text`.
std::optional<double> read_number(std::string_view text) {
  text = trimmed(text);
  double value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || read.ec != std::errc() || read.ptr != text.data() + text.size()) return {};
  return std::isfinite(value) ? std::optional(value) : std::nullopt;
}

struct Unit {
  std::string_view name;
  double seconds;
};
/// Longest first, so that "ms" is not taken for "m".
constexpr std::array<Unit, 19> kUnits = {{{"milliseconds", 0.001},
                                          {"millisecond", 0.001},
                                          {"seconds", 1},
                                          {"minutes", 60},
                                          {"second", 1},
                                          {"minute", 60},
                                          {"hours", 3600},
                                          {"hour", 3600},
                                          {"mins", 60},
                                          {"secs", 1},
                                          {"days", 86400},
                                          {"day", 86400},
                                          {"min", 60},
                                          {"sec", 1},
                                          {"ms", 0.001},
                                          {"s", 1},
                                          {"m", 60},
                                          {"h", 3600},
                                          {"d", 86400}}};

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// Reads "15m23.6s" or "58 seconds" from the beginning of `text`.
std::optional<double> leading_duration_s(std::string_view text, std::size_t& used) {
  double total = 0;
  used = 0;
  bool any = false;
  for (int parts = 0; parts < 4; ++parts) {
    std::size_t at = used;
    double value = 0;
    const auto read = std::from_chars(text.data() + at, text.data() + text.size(), value);
    if (read.ec != std::errc() || at >= text.size() || !is_digit(text[at])) break;
    at = static_cast<std::size_t>(read.ptr - text.data());
    while (at < text.size() && text[at] == ' ') ++at;
    const Unit* unit = nullptr;
    for (const Unit& candidate : kUnits) {
      const std::string_view rest = text.substr(at);
      if (!rest.starts_with(candidate.name)) continue;
      const std::size_t end = candidate.name.size();
      if (end < rest.size() && is_letter(rest[end])) continue;
      unit = &candidate;
      break;
    }
    if (unit == nullptr) break;
    total += value * unit->seconds;
    any = true;
    used = at + unit->name.size();
  }
  return any && std::isfinite(total) ? std::optional(total) : std::nullopt;
}

/// `x-ratelimit-reset` is a moment (in seconds or milliseconds since 1970) or a number of seconds.
std::optional<double> seconds_until_reset(const Observation& seen) {
  if (read_number(header_value(seen.headers, "x-ratelimit-remaining")) != 0.0) return {};
  const auto reset = read_number(header_value(seen.headers, "x-ratelimit-reset"));
  if (!reset) return {};
  constexpr double kMomentsAbove = 1e9;
  if (*reset < kMomentsAbove) return reset;
  const auto now = read_http_date_s(header_value(seen.headers, "date"));
  if (!now) return {};
  const double moment = *reset > 1e12 ? *reset / 1000 : *reset;
  return moment - static_cast<double>(*now);
}

}  // namespace

std::optional<double> read_duration_s(std::string_view text) {
  text = trimmed(text);
  std::size_t used = 0;
  const auto seconds = leading_duration_s(text, used);
  return used == text.size() ? seconds : std::nullopt;
}

std::optional<double> pause_in_words_s(std::string_view message) {
  std::string lower(message.substr(0, 2048));
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  constexpr std::array<std::string_view, 9> kBefore = {
      "try again in ",   "retry in ", "retry after ",  "try again after ", "please wait ",
      "again in about ", "wait for ", "available in ", "wait at least "};
  for (const std::string_view before : kBefore) {
    const std::size_t at = lower.find(before);
    if (at == std::string::npos) continue;
    std::size_t used = 0;
    const std::string_view rest = std::string_view(lower).substr(at + before.size());
    if (const auto seconds = leading_duration_s(rest, used)) return seconds;
  }
  return {};
}

std::optional<std::int64_t> read_http_date_s(std::string_view text) {
  // "Sun, 06 Nov 1994 08:49:37 GMT"
  text = trimmed(text);
  if (text.size() != 29 || text[3] != ',' || !text.ends_with("GMT")) return {};
  constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
  const std::size_t month = kMonths.find(text.substr(8, 3));
  if (month == std::string_view::npos || month % 3 != 0) return {};
  const auto field = [&](std::size_t at, std::size_t size) -> int {
    int value = -1;
    const auto read = std::from_chars(text.data() + at, text.data() + at + size, value);
    return read.ptr == text.data() + at + size ? value : -1;
  };
  const int day = field(5, 2);
  const int year = field(12, 4);
  const int hour = field(17, 2);
  const int minute = field(20, 2);
  const int second = field(23, 2);
  if (day < 1 || day > 31 || year < 1970 || hour < 0 || minute < 0 || second < 0) return {};
  const std::chrono::sys_days date = std::chrono::year(year) /
                                     std::chrono::month(static_cast<unsigned>(month / 3 + 1)) /
                                     std::chrono::day(static_cast<unsigned>(day));
  return date.time_since_epoch().count() * 86400LL + hour * 3600 + minute * 60 + second;
}

std::optional<Pause> stated_pause(const Observation& seen, const Reading& reading) {
  if (const auto ms = read_number(header_value(seen.headers, "retry-after-ms"))) {
    return Pause{.seconds = *ms / 1000, .source = "retry-after-ms", .is_header = true};
  }
  if (const std::string_view value = header_value(seen.headers, "retry-after"); !value.empty()) {
    if (const auto seconds = read_number(value)) {
      return Pause{.seconds = *seconds, .source = "retry-after", .is_header = true};
    }
    const auto until = read_http_date_s(value);
    const auto now = read_http_date_s(header_value(seen.headers, "date"));
    if (until && now) {
      return Pause{.seconds = static_cast<double>(*until - *now),
                   .source = "retry-after",
                   .is_header = true};
    }
  }
  for (const std::string_view kind : {"requests", "tokens"}) {
    const std::string remaining = "x-ratelimit-remaining-" + std::string(kind);
    if (read_number(header_value(seen.headers, remaining)) != 0.0) continue;
    const std::string reset = "x-ratelimit-reset-" + std::string(kind);
    if (const auto seconds = read_duration_s(header_value(seen.headers, reset))) {
      return Pause{.seconds = *seconds, .source = "x-ratelimit-reset", .is_header = true};
    }
  }
  if (const auto seconds = seconds_until_reset(seen)) {
    return Pause{.seconds = *seconds, .source = "x-ratelimit-reset", .is_header = true};
  }
  if (reading.retry_after_s) {
    return Pause{.seconds = *reading.retry_after_s, .source = "the body"};
  }
  if (const auto seconds = pause_in_words_s(reading.message)) {
    return Pause{.seconds = *seconds, .source = "the message"};
  }
  return {};
}

}  // namespace claviger::fault

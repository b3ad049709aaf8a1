#include "console/text_forms.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <utility>

#include "net/egress.h"

namespace claviger::console {
namespace {

template <typename Enum, std::size_t N>
struct Words {
  std::array<std::pair<Enum, std::string_view>, N> words;
  std::optional<Enum> parse(std::string_view text) const {
    for (const auto& [value, word] : words) {
      if (word == text) return value;
    }
    return std::nullopt;
  }
  std::string_view of(Enum value) const {
    for (const auto& [enumerator, word] : words) {
      if (enumerator == value) return word;
    }
    return "unknown";
  }
};

using budget::Period;
using budget::Scope;
using budget::WhenExhausted;
using record::Grouping;

constexpr Words<Period, 5> kPeriods{{{{Period::request, "request"},
                                      {Period::day, "day"},
                                      {Period::week, "week"},
                                      {Period::month, "month"},
                                      {Period::total, "total"}}}};
constexpr Words<WhenExhausted, 4> kPolicies{{{{WhenExhausted::refuse, "refuse"},
                                              {WhenExhausted::clamp, "clamp"},
                                              {WhenExhausted::downgrade, "downgrade"},
                                              {WhenExhausted::queue, "queue"}}}};
constexpr Words<budget::CorrectionKind, 4> kCorrectionKinds{
    {{{budget::CorrectionKind::bill, "bill"},
      {budget::CorrectionKind::refund, "refund"},
      {budget::CorrectionKind::wrong_price, "wrong-price"},
      {budget::CorrectionKind::other, "other"}}}};
constexpr Words<Grouping, 6> kGroupings{{{{Grouping::model, "model"},
                                          {Grouping::app, "app"},
                                          {Grouping::owner, "owner"},
                                          {Grouping::credential, "credential"},
                                          {Grouping::user, "user"},
                                          {Grouping::day, "day"}}}};
constexpr Words<Scope, 8> kScopes{{{{Scope::workspace, "workspace"},
                                    {Scope::owner, "owner"},
                                    {Scope::app, "app"},
                                    {Scope::credential, "credential"},
                                    {Scope::virtual_key, "key"},
                                    {Scope::model, "model"},
                                    {Scope::each_owner, "each-owner"},
                                    {Scope::each_user, "each-user"}}}};

/// Takes exactly `digits` digits off the front.
std::optional<int> take_number(std::string_view& rest, std::size_t digits) {
  if (rest.size() < digits) return std::nullopt;
  int value = 0;
  for (const char c : rest.substr(0, digits)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  rest.remove_prefix(digits);
  return value;
}

bool take(std::string_view& rest, char c) {
  if (rest.empty() || rest.front() != c) return false;
  rest.remove_prefix(1);
  return true;
}

std::optional<WallTime> take_date(std::string_view& rest) {
  const auto year = take_number(rest, 4);
  if (!year || !take(rest, '-')) return std::nullopt;
  const auto month = take_number(rest, 2);
  if (!month || !take(rest, '-')) return std::nullopt;
  const auto day = take_number(rest, 2);
  if (!day) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year{*year},
                                         std::chrono::month{static_cast<unsigned>(*month)},
                                         std::chrono::day{static_cast<unsigned>(*day)}};
  if (!date.ok() || *year < 1970) return std::nullopt;
  return WallTime{std::chrono::sys_days{date}};
}

std::optional<std::chrono::microseconds> take_time_of_day(std::string_view& rest) {
  const auto hour = take_number(rest, 2);
  if (!hour || *hour > 23 || !take(rest, ':')) return std::nullopt;
  const auto minute = take_number(rest, 2);
  if (!minute || *minute > 59 || !take(rest, ':')) return std::nullopt;
  const auto second = take_number(rest, 2);
  if (!second || *second > 60) return std::nullopt;
  std::chrono::microseconds time =
      std::chrono::hours{*hour} + std::chrono::minutes{*minute} + std::chrono::seconds{*second};
  if (take(rest, '.')) {
    std::int64_t unit_us = 100'000;
    const std::size_t before = rest.size();
    while (!rest.empty() && rest.front() >= '0' && rest.front() <= '9') {
      time += std::chrono::microseconds{(rest.front() - '0') * unit_us};
      unit_us /= 10;
      rest.remove_prefix(1);
    }
    if (rest.size() == before) return std::nullopt;
  }
  return time;
}

std::optional<std::chrono::minutes> take_zone(std::string_view& rest) {
  if (take(rest, 'Z') || take(rest, 'z')) return std::chrono::minutes{0};
  const bool is_east = take(rest, '+');
  if (!is_east && !take(rest, '-')) return std::nullopt;
  const auto hour = take_number(rest, 2);
  if (!hour || *hour > 23 || !take(rest, ':')) return std::nullopt;
  const auto minute = take_number(rest, 2);
  if (!minute || *minute > 59) return std::nullopt;
  const std::chrono::minutes offset = std::chrono::hours{*hour} + std::chrono::minutes{*minute};
  return is_east ? offset : -offset;
}

bool looks_like_id(std::string_view name) {
  return name.size() > 4 && name[3] == '_' &&
         std::ranges::all_of(name.substr(0, 3), [](char c) { return c >= 'a' && c <= 'z'; }) &&
         std::ranges::all_of(name.substr(4), [](char c) { return c >= '0' && c <= '9'; });
}

/// Valid UTF-8 without overlong forms and surrogates (RFC 3629).
bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t length = lead < 0x80   ? 1
                               : lead < 0xC2 ? 0
                               : lead < 0xE0 ? 2
                               : lead < 0xF0 ? 3
                               : lead < 0xF5 ? 4
                                             : 0;
    if (length == 0 || i + length > text.size()) return false;
    for (std::size_t k = 1; k < length; ++k) {
      if ((static_cast<unsigned char>(text[i + k]) & 0xC0) != 0x80) return false;
    }
    const auto second = length > 1 ? static_cast<unsigned char>(text[i + 1]) : 0x80;
    if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) ||
        (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F)) {
      return false;
    }
    i += length;
  }
  return true;
}

}  // namespace

std::optional<WallTime> parse_time(std::string_view text) {
  const auto date = take_date(text);
  if (!date || text.empty()) return date;
  if (!take(text, 'T') && !take(text, 't') && !take(text, ' ')) return std::nullopt;
  const auto time = take_time_of_day(text);
  if (!time) return std::nullopt;
  const auto zone = take_zone(text);
  if (!zone || !text.empty()) return std::nullopt;
  return *date + *time - *zone;
}

std::optional<std::chrono::seconds> parse_span(std::string_view text) {
  constexpr std::chrono::hours kSpanMax{24 * 3653};
  std::int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc() || end + 1 != text.data() + text.size() || count <= 0 ||
      count > 10'000'000) {
    return std::nullopt;
  }
  std::chrono::seconds unit{0};
  switch (*end) {
    case 'm':
      unit = std::chrono::minutes{1};
      break;
    case 'h':
      unit = std::chrono::hours{1};
      break;
    case 'd':
      unit = std::chrono::hours{24};
      break;
    case 'w':
      unit = std::chrono::hours{168};
      break;
    default:
      return std::nullopt;
  }
  const std::chrono::seconds span = count * unit;
  if (span > kSpanMax) return std::nullopt;
  return span;
}

std::optional<Period> parse_period(std::string_view text) {
  return kPeriods.parse(text);
}
std::string_view to_text(Period period) {
  return kPeriods.of(period);
}

std::optional<WhenExhausted> parse_when_exhausted(std::string_view text) {
  return kPolicies.parse(text);
}
std::string_view to_text(WhenExhausted when) {
  return kPolicies.of(when);
}
std::optional<budget::CorrectionKind> parse_correction_kind(std::string_view text) {
  return kCorrectionKinds.parse(text);
}
std::string_view to_text(budget::CorrectionKind kind) {
  return kCorrectionKinds.of(kind);
}
std::optional<Grouping> parse_grouping(std::string_view text) {
  return kGroupings.parse(text);
}

std::expected<ScopeText, ScopeTextError> parse_scope(std::string_view text) {
  const std::size_t colon = text.find(':');
  const auto scope = kScopes.parse(text.substr(0, colon));
  if (!scope) return std::unexpected(ScopeTextError::malformed);
  const bool takes_subject =
      *scope != Scope::workspace && *scope != Scope::each_owner && *scope != Scope::each_user;
  const std::string_view subject =
      colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
  if (takes_subject != (colon != std::string_view::npos) || takes_subject == subject.empty()) {
    return std::unexpected(ScopeTextError::malformed);
  }
  return ScopeText{.scope = *scope, .subject = std::string(subject)};
}

std::string_view to_text(Scope scope) {
  return kScopes.of(scope);
}

std::optional<std::string> fault_of_name(std::string_view name) {
  if (name.empty()) return "it is empty";
  if (name.size() > kNameBytesMax) return "it is longer than 128 bytes";
  if (name.front() == ' ' || name.back() == ' ') return "it begins or ends with a blank";
  if (std::ranges::any_of(
          name, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; })) {
    return "it holds a control character";
  }
  if (!is_utf8(name)) return "it is not UTF-8";
  if (looks_like_id(name)) return "it looks like an id, such as own_3";
  return std::nullopt;
}

bool is_private_host(std::string_view host) {
  const std::string text(host);
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  // inet_aton also reads 127.1 and 0x7f000001, as the C library's resolver does.
  if (inet_aton(text.c_str(), &v4.sin_addr) == 1) {
    return !net::is_public_address(reinterpret_cast<const sockaddr&>(v4));
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  if (inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr) == 1) {
    return !net::is_public_address(reinterpret_cast<const sockaddr&>(v6));
  }
  std::string_view name = host;
  if (name.ends_with('.')) name.remove_suffix(1);
  if (name.find('.') == std::string_view::npos) return true;
  constexpr std::array kPrivateEndings = {std::string_view(".local"), std::string_view(".internal"),
                                          std::string_view(".lan"), std::string_view(".home.arpa"),
                                          std::string_view(".localhost")};
  return std::ranges::any_of(kPrivateEndings,
                             [&](std::string_view ending) { return name.ends_with(ending); });
}

}  // namespace claviger::console

#include "cli/grammar_checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/ids.h"
#include "base/money.h"
#include "cli/table.h"
#include "console/text_forms.h"
#include "net/egress.h"
#include "net/listener.h"
#include "route/alias.h"

namespace claviger::cli {
namespace {

std::string fault(const std::string& text, std::string_view what, std::string_view instead) {
  return fmt::format("\"{}\" is no {}; write {}", printable(text), what, instead);
}

bool is_digits(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

std::string check_amount(const std::string& text) {
  const auto amount = parse_usd(text);
  if (amount) return {};
  return fmt::format("\"{}\" is no amount: {}", printable(text), explain(amount.error()));
}

std::string check_count(const std::string& text, std::int64_t least, std::int64_t most) {
  std::int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error == std::errc() && end == text.data() + text.size() && count >= least && count <= most) {
    return {};
  }
  return fault(text, "number for this", fmt::format("one from {} to {}", least, most));
}

std::string check_rate(const std::string& text) {
  const auto rate = parse_usd_per_million(text);
  if (rate) return {};
  return fmt::format("\"{}\" is no price: {}", printable(text), explain(rate.error()));
}

std::string check_scope(const std::string& text) {
  if (console::parse_scope(text)) return {};
  return fault(text, "scope", console::kScopeTexts);
}

std::string check_period(const std::string& text) {
  if (console::parse_period(text)) return {};
  return fault(text, "period", "request, day, week, month or total");
}

std::string check_correction_kind(const std::string& text) {
  if (console::parse_correction_kind(text)) return {};
  return fault(text, "kind of correction", std::string(console::kCorrectionKindTexts));
}

std::string check_policy(const std::string& text) {
  if (console::parse_when_exhausted(text)) return {};
  return fault(text, "policy", "clamp, queue, downgrade or refuse");
}

std::string check_rotation(const std::string& text) {
  if (route::rotation_of(text)) return {};
  return fault(text, "way to rotate", "order, round-robin or least-used");
}

std::string check_warnings(const std::string& text) {
  std::string_view rest = text;
  for (;;) {
    const std::size_t comma = rest.find(',');
    const std::string_view one = rest.substr(0, comma);
    if (!is_digits(one) || one.size() > 3 || std::stoi(std::string(one)) < 1 ||
        std::stoi(std::string(one)) > 100 || one.front() == '0') {
      return fault(text, "list of percentages", "numbers from 1 to 100, like 50,80,95,100");
    }
    if (comma == std::string_view::npos) return {};
    rest.remove_prefix(comma + 1);
  }
}

std::string check_grouping(const std::string& text) {
  if (console::parse_grouping(text)) return {};
  return fault(text, "grouping", "model, app, owner, credential, user or day");
}

std::string check_moment(const std::string& text) {
  if (console::parse_time(text) || console::parse_span(text)) return {};
  return fault(text, "time",
               "a date (2026-12-31), a time (2026-12-31T18:00:00Z) or a span (90m, 24h, 30d, 4w)");
}

std::string check_request_id(const std::string& text) {
  if (RequestId::parse(text)) return {};
  return fault(text, "id of a request",
               "req_ and 26 characters, as in the header x-claviger-request-id");
}

std::string check_base_url(const std::string& text) {
  const auto url = net::parse_base_url(text);
  return url ? std::string() : url.error();
}

std::string check_listen(const std::string& text) {
  const auto address = net::parse_listen_address(text);
  return address ? std::string() : address.error();
}

std::string check_variable(const std::string& text) {
  const bool is_name =
      !text.empty() && !is_digits(text.substr(0, 1)) && std::ranges::all_of(text, [](char c) {
        return c == '_' || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
               (c >= 'a' && c <= 'z');
      });
  if (is_name) return {};
  // Perhaps the key itself: it is not repeated.
  return "this is no name of an environment variable; write its name, not the key";
}

std::string check_row_id(const std::string& text, const std::string& prefix) {
  std::string_view number = text;
  if (number.starts_with(prefix + "_")) number.remove_prefix(prefix.size() + 1);
  if (is_digits(number) && number.size() <= 18 && number != "0") return {};
  return fault(text, "id",
               fmt::format("one like {}_3; \"list\" shows those that there are", prefix));
}

}  // namespace claviger::cli

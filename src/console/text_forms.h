#pragma once

/// The texts that people write and read in place of numbers: moments, periods, scopes. Shared
/// with the command line, which refuses a misspelt one before it asks the server.
///
/// Threads: plain functions.

#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "budget/budget_book.h"
#include "record/record.h"

namespace claviger::console {

/// Reads `2026-11-23T10:00:00Z` (RFC 3339: a fraction, `+01:00`) or `2026-11-23` (00:00 UTC).
std::optional<WallTime> parse_time(std::string_view text);

/// Reads `90m`, `24h`, `7d`, `2w`: a positive number and a unit, at most ten years.
std::optional<std::chrono::seconds> parse_span(std::string_view text);

/// request, day, week, month, total
std::optional<budget::Period> parse_period(std::string_view text);
std::string_view to_text(budget::Period period);

/// refuse, clamp, downgrade, queue.
std::optional<budget::WhenExhausted> parse_when_exhausted(std::string_view text);
std::string_view to_text(budget::WhenExhausted when);

/// bill, refund, wrong-price, other.
std::optional<budget::CorrectionKind> parse_correction_kind(std::string_view text);
std::string_view to_text(budget::CorrectionKind kind);
/// For messages: all of them.
inline constexpr std::string_view kCorrectionKindTexts = "bill, refund, wrong-price, other";

/// model, app, owner, credential, user, day
std::optional<record::Grouping> parse_grouping(std::string_view text);

/// `owner:alice` taken apart; the subject is a name or an id that only the server can look up.
struct ScopeText {
  budget::Scope scope = budget::Scope::workspace;
  std::string subject;  ///< Empty for `workspace`, `each-owner` and `each-user`.
};
enum class ScopeTextError : std::uint8_t {
  malformed,  ///< No such scope, or its subject is missing or too much.
};
/// workspace, owner:NAME, app:NAME, credential:ID, key:ID, model:PATTERN, each-owner, each-user.
std::expected<ScopeText, ScopeTextError> parse_scope(std::string_view text);
std::string_view to_text(budget::Scope scope);
/// For messages: all of them.
inline constexpr std::string_view kScopeTexts =
    "workspace, owner:NAME, app:NAME, credential:ID, key:ID, model:PATTERN, each-owner, each-user";

/// Names of owners, apps, credentials and admin keys: 1 to 128 bytes of printable UTF-8 without
/// blanks at the ends, and nothing that looks like an id (`own_3`). Nothing, or what is wrong.
std::optional<std::string> fault_of_name(std::string_view name);
inline constexpr std::size_t kNameBytesMax = 128;

/// Host and port of a provider, as far as one can tell without asking a resolver: a private or
/// loopback address, `localhost`, a name without a dot, or one that ends in .local, .internal,
/// .lan, .home.arpa or .localhost (RFC 6761, RFC 6762, RFC 8375; ICANN on .internal, 2024-07).
bool is_private_host(std::string_view host);

}  // namespace claviger::console

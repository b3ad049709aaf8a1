#pragma once

/// Names for things. Each kind has its own type, so that an owner is never passed where a
/// budget is meant, and its own prefix, so that a person can tell what an id in a log is.

#include <array>
#include <compare>
#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"

namespace claviger {
inline namespace base {

/// A row's id: a positive number, written `prefix_number`, e.g. `own_7`. 0 means "none".
template <typename Kind>
struct RowId {
  std::int64_t value = 0;

  constexpr bool is_none() const { return value == 0; }
  std::string text() const { return std::string(Kind::prefix) + "_" + std::to_string(value); }
  /// Accepts `own_7` and plain `7`.
  static std::optional<RowId> parse(std::string_view text) {
    const std::string_view prefix = Kind::prefix;
    if (text.size() > prefix.size() && text.substr(0, prefix.size()) == prefix &&
        text[prefix.size()] == '_') {
      text.remove_prefix(prefix.size() + 1);
    }
    if (text.empty() || text.size() > 18) return std::nullopt;
    std::int64_t value = 0;
    for (const char c : text) {
      if (c < '0' || c > '9') return std::nullopt;
      value = value * 10 + (c - '0');
    }
    if (value == 0) return std::nullopt;
    return RowId{value};
  }
  friend constexpr auto operator<=>(RowId, RowId) = default;
};

struct PersonKind {
  static constexpr std::string_view prefix = "per";
};
struct OwnerKind {
  static constexpr std::string_view prefix = "own";
};
struct AppKind {
  static constexpr std::string_view prefix = "app";
};
struct CredentialKind {
  static constexpr std::string_view prefix = "crd";
};
struct VirtualKeyKind {
  static constexpr std::string_view prefix = "key";
};
struct AdminKeyKind {
  static constexpr std::string_view prefix = "adm";
};
struct BudgetKind {
  static constexpr std::string_view prefix = "bud";
};
struct LocalModelKind {
  static constexpr std::string_view prefix = "mdl";
};

using PersonId = RowId<PersonKind>;
using OwnerId = RowId<OwnerKind>;
using AppId = RowId<AppKind>;
using CredentialId = RowId<CredentialKind>;
using VirtualKeyId = RowId<VirtualKeyKind>;
using AdminKeyId = RowId<AdminKeyKind>;
using BudgetId = RowId<BudgetKind>;
using LocalModelId = RowId<LocalModelKind>;

/// One request: 48 bits of time in milliseconds and 80 random bits, so that ids sort by age,
/// are unguessable, and need no agreement between nodes. Written `req_` and 26 characters of
/// Crockford's base 32 (the ULID alphabet, https://github.com/ulid/spec).
struct RequestId {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  std::string text() const;
  static std::optional<RequestId> parse(std::string_view text);
  friend constexpr auto operator<=>(const RequestId&, const RequestId&) = default;
};

/// A new id at `now`. Threads: any; each has a generator of its own, seeded by the kernel.
RequestId new_request_id(WallTime now);
/// No id made at `when` or later is smaller.
RequestId oldest_request_id(WallTime when);

/// One attempt to answer a request: each retry or fallback is an attempt, and each takes its
/// own hold.
struct AttemptId {
  RequestId request;
  std::uint32_t number = 1;
  friend constexpr auto operator<=>(const AttemptId&, const AttemptId&) = default;
};

}  // namespace base
}  // namespace claviger

template <typename Kind>
struct std::hash<claviger::RowId<Kind>> {
  std::size_t operator()(const claviger::RowId<Kind>& id) const noexcept {
    return static_cast<std::size_t>(id.value) * 0x9E3779B97F4A7C15ull;
  }
};
template <>
struct std::hash<claviger::RequestId> {
  std::size_t operator()(const claviger::RequestId& id) const noexcept {
    return static_cast<std::size_t>(id.low ^ (id.high * 0x9E3779B97F4A7C15ull));
  }
};
template <>
struct std::hash<claviger::AttemptId> {
  std::size_t operator()(const claviger::AttemptId& id) const noexcept {
    return std::hash<claviger::RequestId>{}(id.request) + id.number;
  }
};

#pragma once

/// How a control request fails: with a status, a stable code, what happened, and what to do.

#include <expected>
#include <string>
#include <string_view>

#include "access/access_store.h"
#include "budget/budget_store.h"
#include "budget/ledger.h"
#include "vault/vault.h"

namespace claviger::console {

/// Becomes {"error": {"code", "message", "remedy"}}.
struct Problem {
  int status = 500;
  std::string code;     ///< Stable snake_case.
  std::string message;  ///< What happened, to what. No secrets.
  std::string remedy;   ///< What to do.
};

template <typename T = void>
using Outcome = std::expected<T, Problem>;

/// What a handler answers.
struct Reply {
  int status = 200;
  std::string body;  ///< JSON.
};

/// The body of an answer.
std::string to_json(const Problem& problem);

std::unexpected<Problem> problem(int status, std::string code, std::string message,
                                 std::string remedy);
/// 400: a value that is not what the field takes.
std::unexpected<Problem> bad_value(std::string_view field, std::string message, std::string remedy);
/// 404: `what` is "owner", `named` what the request said.
std::unexpected<Problem> unknown(std::string_view what, std::string_view named);
/// 409: there is one of that name.
std::unexpected<Problem> taken(std::string_view what, std::string_view named);
/// 503: a store did not take or give something.
std::unexpected<Problem> store_unavailable();

/// `what` and `named` as for unknown(). `users` says what in_use may refer to.
std::unexpected<Problem> of_store(access::StoreError error, std::string_view what,
                                  std::string_view named, std::string_view users);
std::unexpected<Problem> of_vault(vault::VaultError error, std::string_view named);
std::unexpected<Problem> of_ledger(const budget::Refusal& refusal, std::string_view named);

}  // namespace claviger::console

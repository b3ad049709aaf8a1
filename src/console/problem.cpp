#include "console/problem.h"

#include <fmt/format.h>

#include "console/json_out.h"

namespace claviger::console {

std::string to_json(const Problem& problem) {
  JsonObject error;
  error.text("code", problem.code).text("message", problem.message).text("remedy", problem.remedy);
  return JsonObject().raw("error", std::move(error).finish()).finish();
}

std::unexpected<Problem> problem(int status, std::string code, std::string message,
                                 std::string remedy) {
  return std::unexpected(Problem{.status = status,
                                 .code = std::move(code),
                                 .message = std::move(message),
                                 .remedy = std::move(remedy)});
}

std::unexpected<Problem> bad_value(std::string_view field, std::string message,
                                   std::string remedy) {
  return problem(400, "bad_value", fmt::format("{}: {}", field, message), std::move(remedy));
}

std::unexpected<Problem> unknown(std::string_view what, std::string_view named) {
  return problem(404, fmt::format("unknown_{}", what),
                 fmt::format("there is no {} \"{}\"", what, named),
                 fmt::format("\"claviger {} list\" shows those that there are", what));
}

std::unexpected<Problem> taken(std::string_view what, std::string_view named) {
  return problem(409, "exists", fmt::format("there is a {} \"{}\" already", what, named),
                 "choose another name, or go on with the one that there is");
}

std::unexpected<Problem> store_unavailable() {
  return problem(503, "store_unavailable", "the database did not answer or did not take it",
                 "see whether the disk is full or another program holds the database, and try "
                 "again; \"claviger doctor\" looks further");
}

std::unexpected<Problem> of_store(access::StoreError error, std::string_view what,
                                  std::string_view named, std::string_view users) {
  switch (error) {
    case access::StoreError::exists:
      return taken(what, named);
    case access::StoreError::not_found:
      return unknown(what, named);
    case access::StoreError::in_use:
      return problem(409, "in_use", fmt::format("the {} \"{}\" is still in use", what, named),
                     fmt::format("first remove {}", users));
    case access::StoreError::unavailable:
      break;
  }
  return store_unavailable();
}

std::unexpected<Problem> of_vault(vault::VaultError error, std::string_view named) {
  switch (error) {
    case vault::VaultError::not_found:
      return unknown("credential", named);
    case vault::VaultError::exists:
      return taken("credential", named);
    case vault::VaultError::unavailable:
      return store_unavailable();
    case vault::VaultError::tampered:
      return problem(409, "tampered", fmt::format("the credential \"{}\" does not open", named),
                     std::string(vault::explain(error)));
    case vault::VaultError::malformed:
    case vault::VaultError::too_long:
      break;
  }
  return problem(400, "bad_key", "the key was not taken", std::string(vault::explain(error)));
}

std::unexpected<Problem> of_ledger(const budget::Refusal& refusal, std::string_view named) {
  using budget::LedgerError;
  if (refusal.error == LedgerError::unknown_budget) return unknown("budget", named);
  if (refusal.error == LedgerError::unknown_hold) {
    return problem(404, "unknown_hold",
                   fmt::format("no money was held for the request \"{}\"", named),
                   "only a request that reached a provider can be reconciled; \"claviger "
                   "requests\" lists the latest");
  }
  return problem(503, "ledger_unavailable", "the ledger cannot take it now",
                 "see whether the disk is full, and try again; \"claviger doctor\" looks further");
}

}  // namespace claviger::console

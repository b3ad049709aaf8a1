#pragma once

/// A VaultStore in memory, for tests of whatever uses a vault. It can be told to fail or to
/// "crash" (throw) before or after a rewrap commits, which is what a power cut looks like to
/// the caller: the rows survive, the process does not.

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "vault/vault.h"

namespace claviger::vault {

class MemoryVaultStore final : public VaultStore {
 public:
  struct SimulatedCrash {};
  enum class RewrapFault {
    none,
    crash_before_commit,
    crash_after_commit,
    fail_before_commit,
    fail_after_commit,  ///< Committed, but says `unavailable`.
  };

  Result<CredentialId> next_credential_id() override {
    if (unavailable) return std::unexpected(VaultError::unavailable);
    return CredentialId{++last_id_};
  }
  Result<void> put(const SealedCredential& credential) override {
    if (unavailable) return std::unexpected(VaultError::unavailable);
    for (const auto& [id, row] : rows) {
      if (id != credential.about.id && row.about.owner == credential.about.owner &&
          row.about.name == credential.about.name) {
        return std::unexpected(VaultError::exists);
      }
    }
    rows[credential.about.id] = credential;
    return {};
  }
  Result<void> remove(CredentialId id) override {
    if (unavailable) return std::unexpected(VaultError::unavailable);
    if (rows.erase(id) == 0) return std::unexpected(VaultError::not_found);
    return {};
  }
  Result<std::vector<SealedCredential>> all() override {
    if (unavailable) return std::unexpected(VaultError::unavailable);
    std::vector<SealedCredential> result;
    for (const auto& [id, row] : rows) result.push_back(row);
    std::ranges::reverse(result);  // No order is promised.
    return result;
  }
  Result<void> rewrap(const std::vector<SealedCredential>& credentials,
                      const std::vector<std::pair<std::string, std::string>>& named) override {
    if (unavailable) return std::unexpected(VaultError::unavailable);
    if (fault == RewrapFault::crash_before_commit) throw SimulatedCrash{};
    if (fault == RewrapFault::fail_before_commit) return std::unexpected(VaultError::unavailable);
    for (const SealedCredential& row : credentials) {
      rows.at(row.about.id).wrapped_data_key = row.wrapped_data_key;
    }
    for (const auto& [name, wrapped] : named) secrets[name] = wrapped;
    if (fault == RewrapFault::crash_after_commit) throw SimulatedCrash{};
    if (fault == RewrapFault::fail_after_commit) {
      unavailable = unavailable_after_fault;
      return std::unexpected(VaultError::unavailable);
    }
    return {};
  }
  Result<std::optional<std::string>> wrapped_secret(std::string_view name) override {
    if (unavailable) return std::unexpected(VaultError::unavailable);
    const auto found = secrets.find(std::string(name));
    if (found == secrets.end()) return std::optional<std::string>();
    return std::optional(found->second);
  }
  Result<void> put_wrapped_secret(std::string_view name, std::string_view wrapped) override {
    if (unavailable) return std::unexpected(VaultError::unavailable);
    secrets[std::string(name)] = wrapped;
    return {};
  }
  Result<std::vector<std::pair<std::string, std::string>>> wrapped_secrets() override {
    if (unavailable) return std::unexpected(VaultError::unavailable);
    return std::vector<std::pair<std::string, std::string>>(secrets.begin(), secrets.end());
  }

  Result<void> remove_wrapped_secret(std::string_view name) override {
    if (unavailable) return std::unexpected(VaultError::unavailable);
    secrets.erase(std::string(name));
    return {};
  }

  /// Everything is open to the test, as the database is to whoever has its file.
  std::map<CredentialId, SealedCredential> rows;
  std::map<std::string, std::string> secrets;
  RewrapFault fault = RewrapFault::none;
  bool unavailable = false;
  bool unavailable_after_fault = false;

 private:
  std::int64_t last_id_ = 0;
};

}  // namespace claviger::vault

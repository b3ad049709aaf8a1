#pragma once

/// Sealed credentials in SQLite; see vault/vault.h for the promises.

#include "store/sqlite/database.h"
#include "vault/vault.h"

namespace claviger::store {

/// Removing a credential overwrites both sealed forms and drops its egress allowances, but
/// keeps its name: records of requests refer to it for good, and its id is never given out
/// again.
class SqliteVaultStore final : public vault::VaultStore {
 public:
  /// `database` outlives this and is migrated.
  explicit SqliteVaultStore(Database& database) : database_(database) {}

  vault::Result<CredentialId> next_credential_id() override;
  /// Errors: not_found (no such owner), exists (the owner has another one of that name).
  vault::Result<void> put(const vault::SealedCredential& credential) override;
  vault::Result<void> remove(CredentialId id) override;
  vault::Result<std::vector<vault::SealedCredential>> all() override;
  /// Errors: not_found where one of them is not there (then nothing has changed).
  vault::Result<void> rewrap(
      const std::vector<vault::SealedCredential>& credentials,
      const std::vector<std::pair<std::string, std::string>>& named) override;
  vault::Result<std::optional<std::string>> wrapped_secret(std::string_view name) override;
  vault::Result<void> put_wrapped_secret(std::string_view name, std::string_view wrapped) override;
  vault::Result<std::vector<std::pair<std::string, std::string>>> wrapped_secrets() override;
  vault::Result<void> remove_wrapped_secret(std::string_view name) override;

 private:
  Database& database_;
};

}  // namespace claviger::store

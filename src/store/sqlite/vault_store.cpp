#include "store/sqlite/vault_store.h"

#include "store/sqlite/sql.h"

namespace claviger::store {
namespace {

using vault::Credential;
using vault::Result;
using vault::SealedCredential;
using vault::VaultError;

std::unexpected<VaultError> failed(const DatabaseError& error) {
  if (error.is_unique()) return std::unexpected(VaultError::exists);
  if (error.is_foreign_key() || error.is_no_such_row())
    return std::unexpected(VaultError::not_found);
  return std::unexpected(VaultError::unavailable);
}

std::optional<std::int64_t> owner_or_null(OwnerId owner) {
  return owner.is_none() ? std::nullopt : std::optional(owner.value);
}

std::optional<SealedCredential> read_credential(const Query& row) {
  return SealedCredential{.about = {.id = CredentialId{row.integer(0)},
                                    .owner = OwnerId{integer_or_null(row, 1).value_or(0)},
                                    .provider = row.text(2),
                                    .name = row.text(3),
                                    .base_url = row.text(4),
                                    .disabled = row.integer(5) != 0,
                                    .allows_unbounded = row.integer(11) != 0,
                                    .has_key = row.integer(6) != 0,
                                    .hint = row.text(7),
                                    .created_at = from_unix_micros(row.integer(8))},
                          .wrapped_data_key = row.blob(9),
                          .sealed_key = row.blob(10)};
}

DbResult<std::int64_t> write_wrapped_secret(Database& database, std::string_view name,
                                            std::string_view wrapped) {
  return change(database,
                "INSERT INTO wrapped_secrets (name, wrapped) VALUES (?, ?)"
                " ON CONFLICT (name) DO UPDATE SET wrapped = excluded.wrapped",
                name, Blob{wrapped});
}

}  // namespace

Result<CredentialId> SqliteVaultStore::next_credential_id() {
  const auto id = database_.transaction([&]() -> DbResult<std::int64_t> {
    const auto last = select_one<std::int64_t>(
        database_,
        "SELECT max(ifnull((SELECT id FROM last_ids WHERE name = 'credentials'), 0),"
        " ifnull((SELECT max(id) FROM credentials), 0))",
        read_integer);
    if (!last) return std::unexpected(last.error());
    const std::int64_t next = last->value_or(0) + 1;
    const auto kept = change(database_,
                             "INSERT INTO last_ids (name, id) VALUES ('credentials', ?)"
                             " ON CONFLICT (name) DO UPDATE SET id = excluded.id",
                             next);
    if (!kept) return std::unexpected(kept.error());
    return next;
  });
  if (!id) return failed(id.error());
  return CredentialId{*id};
}

Result<void> SqliteVaultStore::put(const SealedCredential& credential) {
  const Credential& about = credential.about;
  const auto put = database_.transaction([&]() -> DbResult<std::int64_t> {
    // An owner who was removed keeps a row, which the foreign key alone would accept.
    if (!about.owner.is_none()) {
      const auto owner = select_one<std::int64_t>(
          database_, "SELECT 1 FROM owners WHERE id = ? AND removed_at IS NULL", read_integer,
          about.owner);
      if (!owner) return std::unexpected(owner.error());
      if (!*owner) return 0;
    }
    // Not INSERT OR REPLACE: that deletes the old row, and its egress allowances with it.
    return change(database_,
                  "INSERT INTO credentials (id, owner_id, provider, name, base_url, hint, has_key,"
                  " wrapped_data_key, sealed_key, disabled, created_at, allows_unbounded)"
                  " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                  " ON CONFLICT (id) DO UPDATE SET owner_id = excluded.owner_id,"
                  " provider = excluded.provider, name = excluded.name,"
                  " base_url = excluded.base_url, hint = excluded.hint,"
                  " has_key = excluded.has_key, wrapped_data_key = excluded.wrapped_data_key,"
                  " sealed_key = excluded.sealed_key, disabled = excluded.disabled,"
                  " created_at = excluded.created_at,"
                  " allows_unbounded = excluded.allows_unbounded"
                  " WHERE credentials.removed = 0",
                  about.id, owner_or_null(about.owner), about.provider, about.name, about.base_url,
                  about.hint, about.has_key, Blob{credential.wrapped_data_key},
                  Blob{credential.sealed_key}, about.disabled, about.created_at,
                  about.allows_unbounded);
  });
  if (!put) return failed(put.error());
  if (*put == 0) return std::unexpected(VaultError::not_found);
  return {};
}

Result<void> SqliteVaultStore::remove(CredentialId id) {
  const auto removed = database_.transaction([&]() -> DbResult<std::int64_t> {
    const auto closed =
        change(database_, "DELETE FROM egress_allowances WHERE credential_id = ?", id);
    if (!closed) return closed;
    return change(database_,
                  "UPDATE credentials SET removed = 1, disabled = 1, has_key = 0, hint = '',"
                  " wrapped_data_key = x'', sealed_key = x'' WHERE id = ? AND removed = 0",
                  id);
  });
  if (!removed) return failed(removed.error());
  if (*removed == 0) return std::unexpected(VaultError::not_found);
  return {};
}

Result<std::vector<SealedCredential>> SqliteVaultStore::all() {
  auto credentials = select<SealedCredential>(
      database_,
      "SELECT id, owner_id, provider, name, base_url, disabled, has_key, hint, created_at,"
      " wrapped_data_key, sealed_key, allows_unbounded FROM credentials WHERE removed = 0"
      " ORDER BY id",
      read_credential);
  if (!credentials) return failed(credentials.error());
  return std::move(*credentials);
}

Result<void> SqliteVaultStore::rewrap(
    const std::vector<SealedCredential>& credentials,
    const std::vector<std::pair<std::string, std::string>>& named) {
  const auto rewrapped = database_.transaction([&]() -> DbResult<void> {
    for (const SealedCredential& credential : credentials) {
      const auto changed = change(database_,
                                  "UPDATE credentials SET wrapped_data_key = ?, sealed_key = ?"
                                  " WHERE id = ? AND removed = 0",
                                  Blob{credential.wrapped_data_key}, Blob{credential.sealed_key},
                                  credential.about.id);
      if (!changed) return std::unexpected(changed.error());
      if (*changed == 0) return std::unexpected(no_such_row(database_));
    }
    for (const auto& [name, wrapped] : named) {
      if (auto changed = write_wrapped_secret(database_, name, wrapped); !changed) {
        return std::unexpected(changed.error());
      }
    }
    return {};
  });
  if (!rewrapped) return failed(rewrapped.error());
  return {};
}

Result<std::optional<std::string>> SqliteVaultStore::wrapped_secret(std::string_view name) {
  auto wrapped = select_one<std::string>(
      database_, "SELECT wrapped FROM wrapped_secrets WHERE name = ?",
      [](const Query& row) { return std::optional(row.blob(0)); }, name);
  if (!wrapped) return failed(wrapped.error());
  return std::move(*wrapped);
}

Result<void> SqliteVaultStore::put_wrapped_secret(std::string_view name, std::string_view wrapped) {
  if (auto written = write_wrapped_secret(database_, name, wrapped); !written) {
    return failed(written.error());
  }
  return {};
}

Result<std::vector<std::pair<std::string, std::string>>> SqliteVaultStore::wrapped_secrets() {
  auto secrets = select<std::pair<std::string, std::string>>(
      database_, "SELECT name, wrapped FROM wrapped_secrets ORDER BY name",
      [](const Query& row) { return std::optional(std::pair(row.text(0), row.blob(1))); });
  if (!secrets) return failed(secrets.error());
  return std::move(*secrets);
}

Result<void> SqliteVaultStore::remove_wrapped_secret(std::string_view name) {
  const auto removed = change(database_, "DELETE FROM wrapped_secrets WHERE name = ?", name);
  if (!removed) return failed(removed.error());
  return {};
}

}  // namespace claviger::store

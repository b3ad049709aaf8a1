#pragma once

/// What people entrust to Claviger: credentials, sealed at rest, open only in the arena.
///
/// Envelope style: each credential is sealed with a data key of its own, and the data key is
/// wrapped by the root key, so that changing the root key re-wraps 32 bytes per credential
/// and touches no sealed key. The associated data of the seal binds owner, provider, base URL
/// and credential id: a row that is copied to another owner, or whose host is changed in the
/// database, no longer opens.

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/secret.h"
#include "base/time.h"

namespace claviger::vault {

enum class VaultError : std::uint8_t {
  tampered,     ///< Does not open: moved, altered, or sealed under another root key.
  not_found,
  exists,       ///< That owner has a credential of that name already.
  too_long,     ///< A key above 16 KiB, or the arena is nearly full.
  unavailable,  ///< The store did not take it.
};
std::string_view explain(VaultError error);

template <typename T>
using Result = std::expected<T, VaultError>;

/// Everything about a credential but its key; part of it is bound to the key by the seal.
struct Credential {
  CredentialId id;
  OwnerId owner;          ///< None: it belongs to the workspace.
  std::string provider;   ///< Profile id.
  std::string name;       ///< Unique per owner.
  std::string base_url;   ///< Empty: the profile's own.
  bool disabled = false;
  bool has_key = true;    ///< An own endpoint may need none.
  std::string hint;       ///< The last four characters of the key, where it is long enough.
  WallTime created_at;
};

/// The sealed forms, as a store keeps them.
struct SealedCredential {
  Credential about;
  std::string wrapped_data_key;
  std::string sealed_key;
};

/// Where the root key comes from; see root_key.h for how it is read.
class RootKey;

/// What the vault needs from a store. The control thread is the only caller.
class VaultStore {
 public:
  virtual ~VaultStore() = default;
  /// Ids are given out before sealing, because the seal binds the id.
  virtual Result<CredentialId> next_credential_id() = 0;
  virtual Result<void> put(const SealedCredential& credential) = 0;  ///< Inserts or replaces.
  virtual Result<void> remove(CredentialId id) = 0;
  virtual Result<std::vector<SealedCredential>> all() = 0;
  /// Replaces every wrapped key at once or none: credentials' data keys and named secrets.
  virtual Result<void> rewrap(const std::vector<SealedCredential>& credentials,
                              const std::vector<std::pair<std::string, std::string>>& named) = 0;
  /// Named secrets of the server's own, wrapped by the root key (e.g. "virtual-key-hash-key").
  virtual Result<std::optional<std::string>> wrapped_secret(std::string_view name) = 0;
  virtual Result<void> put_wrapped_secret(std::string_view name, std::string_view wrapped) = 0;
  virtual Result<std::vector<std::pair<std::string, std::string>>> wrapped_secrets() = 0;
};

/// All credentials, opened: what connection threads see. Immutable; share it freely.
class OpenCredentials {
 public:
  struct Entry {
    Credential about;
    Secret key;  ///< Empty where has_key is false.
  };
  explicit OpenCredentials(std::vector<Entry> entries);
  const Entry* find(CredentialId id) const;
  const std::vector<Entry>& entries() const { return entries_; }

 private:
  std::vector<Entry> entries_;  ///< Sorted by id.
};

/// Threads: the control thread only; what it hands out is immutable.
class Vault {
 public:
  Vault(VaultStore& store, std::unique_ptr<RootKey> root);
  ~Vault();

  /// Seals and stores. `about.id` is ignored; returns the stored one. Wiping `key` is up to
  /// whoever passed it (Secret does it by itself).
  Result<Credential> add(Credential about, Secret key);
  /// A new key for the same credential (the provider's key was renewed).
  Result<Credential> rotate_key(CredentialId id, Secret key);
  Result<void> set_disabled(CredentialId id, bool disabled);
  Result<void> remove(CredentialId id);

  /// Opens everything. A row that does not open is left out and reported in `tampered()`.
  Result<std::shared_ptr<const OpenCredentials>> open_all();
  const std::vector<CredentialId>& tampered() const;

  /// A secret of the server's own of `bytes` random bytes; made where it is not there yet.
  Result<Secret> named_secret(std::string_view name, std::size_t bytes);

  /// Wraps everything under `next` and makes it the root key. All or nothing.
  Result<void> rewrap(std::unique_ptr<RootKey> next);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace claviger::vault

#pragma once

/// What people entrust to Claviger: credentials, sealed at rest, open only in the arena.
///
/// Envelope style: each credential is sealed with a data key of its own, and the data key is
/// wrapped by the root key, so that changing the root key re-wraps 32 bytes per credential
/// and touches no sealed key. The associated data of the seal binds owner, provider, base URL
/// and credential id: a row that is copied to another owner, or whose host is changed in the
/// database, no longer opens. What it does not bind: the name, and what may be done with it.
/// envelope.h has the bytes, root_key.h the root key, root_key_rotation.h how it is changed.

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

/// Bounds on what people entrust. The longest known keys are cloud service tokens of about
/// 8 KiB; a header line of a request to a provider takes no more than that anyway.
inline constexpr std::size_t kKeyBytesMax = 16 * 1024;
inline constexpr std::size_t kNameBytesMax = 256;
inline constexpr std::size_t kBaseUrlBytesMax = 2048;
/// Named secrets are keys of the server's own, not documents.
inline constexpr std::size_t kNamedSecretBytesMax = 1024;
/// Keys shorter than this give away too much by four characters.
inline constexpr std::size_t kHintedKeyBytesMin = 16;
/// What is left free of the secret arena when a key is added: room for temporaries.
inline constexpr std::size_t kArenaReserveBytes = 256 * 1024;

enum class VaultError : std::uint8_t {
  tampered,  ///< Does not open: moved, altered, or sealed under another root key.
  not_found,
  exists,       ///< That owner has a credential of that name already.
  too_long,     ///< A key above 16 KiB, a name above its bound, or the arena is nearly full.
  malformed,    ///< Not a key: empty, or characters that no header may carry.
  unavailable,  ///< The store did not take it.
};
/// One sentence for a person, and what to do.
std::string_view explain(VaultError error);

template <typename T>
using Result = std::expected<T, VaultError>;

/// Everything about a credential but its key; part of it is bound to the key by the seal.
struct Credential {
  CredentialId id;
  OwnerId owner;         ///< None: it belongs to the workspace.
  std::string provider;  ///< Profile id.
  std::string name;      ///< Unique per owner.
  std::string base_url;  ///< Empty: the profile's own.
  bool disabled = false;
  /// Its owner lets requests through whose cost nothing bounds.
  bool allows_unbounded = false;
  bool has_key = true;  ///< An own endpoint may need none.
  std::string hint;     ///< The last four characters of the key, where it is long enough.
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
  /// Ids are given out before sealing, because the seal binds the id. Never the same twice,
  /// also not after remove(): an old sealed row must not fit a new credential.
  virtual Result<CredentialId> next_credential_id() = 0;
  virtual Result<void> put(const SealedCredential& credential) = 0;  ///< Inserts or replaces.
  virtual Result<void> remove(CredentialId id) = 0;
  virtual Result<std::vector<SealedCredential>> all() = 0;
  /// Replaces every wrapped key at once or none: credentials' data keys and named secrets, in
  /// one transaction. `unavailable` may mean either; the vault then looks which it was.
  virtual Result<void> rewrap(const std::vector<SealedCredential>& credentials,
                              const std::vector<std::pair<std::string, std::string>>& named) = 0;
  /// Named secrets of the server's own, wrapped by the root key (e.g. "virtual-key-hash-key").
  virtual Result<std::optional<std::string>> wrapped_secret(std::string_view name) = 0;
  virtual Result<void> put_wrapped_secret(std::string_view name, std::string_view wrapped) = 0;
  virtual Result<std::vector<std::pair<std::string, std::string>>> wrapped_secrets() = 0;
  /// Does nothing where there is none.
  virtual Result<void> remove_wrapped_secret(std::string_view name) = 0;
};

/// A credential's key in the arena, shared between snapshots. A stream may keep an old snapshot
/// alive for hours; if each had copies of its own, a few changes would fill the arena.
/// Threads: immutable; copy and read it anywhere.
class OpenKey {
 public:
  OpenKey() = default;
  OpenKey(Secret key) : key_(std::make_shared<const Secret>(std::move(key))) {}  // NOLINT

  /// The bytes themselves; the view must not outlive the OpenKey (or a copy of it), and any
  /// buffer it is copied to must be wiped.
  std::string_view reveal() const { return key_ ? key_->reveal() : std::string_view(); }
  bool empty() const { return reveal().empty(); }
  std::size_t size() const { return reveal().size(); }

 private:
  std::shared_ptr<const Secret> key_;
};

/// All credentials, opened: what connection threads see. Immutable; share it freely.
class OpenCredentials {
 public:
  struct Entry {
    Credential about;
    OpenKey key;  ///< Empty where has_key is false.
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
  /// `store` outlives the vault. `root` is not null; open_root_key() finds the one that fits.
  Vault(VaultStore& store, std::unique_ptr<RootKey> root);
  ~Vault();

  /// Seals and stores. `about.id` and `about.hint` are ignored; returns the stored one. One
  /// newline at the key's end is dropped. Wiping `key` is up to whoever passed it (Secret does
  /// it by itself). Where a provider needs no key, say so: has_key = false and an empty key;
  /// an empty key that was not meant to be empty is an error.
  /// Errors: malformed, too_long, exists, unavailable.
  Result<Credential> add(Credential about, Secret key);
  /// A new key for the same credential (the provider's key was renewed). A row that does not
  /// open is refused as tampered: a fresh key must not be sealed to a host that somebody else
  /// wrote into the database. Errors: not_found, tampered, malformed, too_long, unavailable.
  Result<Credential> rotate_key(CredentialId id, Secret key);
  Result<void> set_disabled(CredentialId id, bool disabled);
  Result<void> set_allows_unbounded(CredentialId id, bool allows_unbounded);
  Result<void> remove(CredentialId id);

  /// Opens everything. A row that does not open is left out and reported in `tampered()`.
  /// Errors: unavailable; too_long where the arena does not hold all keys.
  Result<std::shared_ptr<const OpenCredentials>> open_all();
  /// What the last open_all() or rewrap() could not open.
  const std::vector<CredentialId>& tampered() const;

  /// A secret of the server's own of `bytes` random bytes; made where it is not there yet.
  /// `bytes` is 1 to kNamedSecretBytesMax. Errors: tampered (also where it has another length),
  /// too_long, unavailable.
  Result<Secret> named_secret(std::string_view name, std::size_t bytes);
  /// Forgets it for good. Errors: unavailable.
  Result<void> forget_named_secret(std::string_view name);

  /// Wraps everything under `next` and makes it the root key. All or nothing: one row that does
  /// not open stops it (`tampered`; the row must be removed first), because re-wrapping around
  /// it would lose that row for good. After `unavailable` the vault finds out from the store
  /// which key is in force before it wraps anything again.
  /// The root key's own file is not touched: rotate_root_key() does that, in a safe order.
  Result<void> rewrap(std::unique_ptr<RootKey> next);

  /// The root key in force, by its public id; for `vault status`.
  std::string root_key_id() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace claviger::vault

#include "vault/vault.h"

#include <sodium.h>

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstdlib>

#include "vault/clean_key.h"
#include "vault/envelope.h"
#include "vault/root_key.h"
#include "vault/root_key_rotation.h"

namespace claviger::vault {
namespace {

bool fits_arena(std::size_t key_bytes) {
  // The arena hands out powers of two; the reserve covers what lives for a moment only.
  const SecretArenaState arena = secret_arena_state();
  return arena.bytes_used + std::bit_ceil(key_bytes) + kArenaReserveBytes <= arena.bytes_total;
}

bool fits_bounds(const Credential& about) {
  return about.name.size() <= kNameBytesMax && about.provider.size() <= kNameBytesMax &&
         about.base_url.size() <= kBaseUrlBytesMax;
}

Result<SealedCredential> find_row(VaultStore& store, CredentialId id) {
  auto rows = store.all();
  if (!rows) return std::unexpected(rows.error());
  const auto found =
      std::ranges::find_if(*rows, [id](const SealedCredential& row) { return row.about.id == id; });
  if (found == rows->end()) return std::unexpected(VaultError::not_found);
  return std::move(*found);
}

}  // namespace

std::string_view explain(VaultError error) {
  switch (error) {
    case VaultError::tampered:
      return "This entry of the vault does not open: its row was moved or altered, or it belongs "
             "to another root key. Remove it and add the credential again, or restore the "
             "database together with its root key.";
    case VaultError::not_found:
      return "There is no such credential. \"claviger credential list\" shows those there are.";
    case VaultError::exists:
      return "This owner has a credential of that name already. Choose another name, or rotate "
             "the key of the one there is.";
    case VaultError::too_long:
      return "That is too much for the vault: a key may have 16 KiB, a name 256 bytes, and all "
             "keys together must fit into its locked memory. Check that it is the key itself; "
             "else remove credentials that nobody uses.";
    case VaultError::malformed:
      return "That is no key: it is empty, starts or ends with a blank, or has a newline or "
             "another character that no HTTP header may carry. Copy the key alone, on one line.";
    case VaultError::unavailable:
      return "The database did not take it. See whether the disk is full or another program "
             "holds the database, and try again.";
  }
  return "The vault refused.";
}

OpenCredentials::OpenCredentials(std::vector<Entry> entries) : entries_(std::move(entries)) {
  std::ranges::sort(entries_, {}, [](const Entry& entry) { return entry.about.id; });
}

const OpenCredentials::Entry* OpenCredentials::find(CredentialId id) const {
  const auto found =
      std::ranges::lower_bound(entries_, id, {}, [](const Entry& entry) { return entry.about.id; });
  return found != entries_.end() && found->about.id == id ? &*found : nullptr;
}

struct Vault::State {
  VaultStore& store;
  std::unique_ptr<RootKey> root;
  /// Set while it is not known whether the store re-wrapped everything under it.
  std::unique_ptr<RootKey> next;
  std::vector<CredentialId> tampered;
  /// The last snapshot, whose keys the next one shares.
  std::shared_ptr<const OpenCredentials> opened;

  /// Makes `root` the key that is in force. To be called before anything is wrapped or opened:
  /// a row that is wrapped under the other key would be lost.
  Result<void> settle_root_key() {
    if (next == nullptr) return {};
    const auto fit = measure_fit(*next, store);
    if (!fit) return std::unexpected(VaultError::unavailable);
    if (fit->opened > 0) root = std::move(next);
    next.reset();
    return {};
  }

  /// Keys that did not change are shared with the last snapshot.
  OpenKey share(CredentialId id, Secret key) const {
    const OpenCredentials::Entry* const before = opened ? opened->find(id) : nullptr;
    if (before != nullptr && equal_constant_time(before->key.reveal(), key.reveal())) {
      return before->key;
    }
    return OpenKey(std::move(key));
  }
};

Vault::Vault(VaultStore& store, std::unique_ptr<RootKey> root)
    : state_(std::make_unique<State>(State{.store = store,
                                           .root = std::move(root),
                                           .next = nullptr,
                                           .tampered = {},
                                           .opened = nullptr})) {
  assert(state_->root != nullptr);
}

Vault::~Vault() = default;

Result<Credential> Vault::add(Credential about, Secret key) {
  if (!fits_bounds(about)) return std::unexpected(VaultError::too_long);
  const auto cleaned = clean_key(key.reveal());
  if (!cleaned) return std::unexpected(cleaned.error());
  if (cleaned->empty() == about.has_key) return std::unexpected(VaultError::malformed);
  if (!fits_arena(cleaned->size())) return std::unexpected(VaultError::too_long);
  if (auto settled = state_->settle_root_key(); !settled) return std::unexpected(settled.error());

  const auto id = state_->store.next_credential_id();
  if (!id) return std::unexpected(id.error());
  about.id = *id;
  about.hint = hint_of(*cleaned);
  SealedCredential sealed = seal(*state_->root, std::move(about), *cleaned);
  if (auto stored = state_->store.put(sealed); !stored) return std::unexpected(stored.error());
  return std::move(sealed.about);
}

Result<Credential> Vault::rotate_key(CredentialId id, Secret key) {
  const auto cleaned = clean_key(key.reveal());
  if (!cleaned) return std::unexpected(cleaned.error());
  if (cleaned->empty()) return std::unexpected(VaultError::malformed);
  if (!fits_arena(cleaned->size())) return std::unexpected(VaultError::too_long);
  if (auto settled = state_->settle_root_key(); !settled) return std::unexpected(settled.error());

  auto row = find_row(state_->store, id);
  if (!row) return std::unexpected(row.error());
  if (auto present = open(*state_->root, *row); !present) return std::unexpected(present.error());
  row->about.hint = hint_of(*cleaned);
  SealedCredential sealed = seal(*state_->root, std::move(row->about), *cleaned);
  if (auto stored = state_->store.put(sealed); !stored) return std::unexpected(stored.error());
  return std::move(sealed.about);
}

Result<void> Vault::set_disabled(CredentialId id, bool disabled) {
  auto row = find_row(state_->store, id);
  if (!row) return std::unexpected(row.error());
  row->about.disabled = disabled;
  return state_->store.put(*row);
}

Result<void> Vault::set_allows_unbounded(CredentialId id, bool allows_unbounded) {
  auto row = find_row(state_->store, id);
  if (!row) return std::unexpected(row.error());
  row->about.allows_unbounded = allows_unbounded;
  return state_->store.put(*row);
}

Result<void> Vault::remove(CredentialId id) {
  return state_->store.remove(id);
}

Result<std::shared_ptr<const OpenCredentials>> Vault::open_all() {
  if (auto settled = state_->settle_root_key(); !settled) return std::unexpected(settled.error());
  auto rows = state_->store.all();
  if (!rows) return std::unexpected(rows.error());
  std::vector<OpenCredentials::Entry> entries;
  std::vector<CredentialId> tampered;
  entries.reserve(rows->size());
  for (SealedCredential& row : *rows) {
    if (!fits_arena(std::min(row.sealed_key.size(), kKeyBytesMax))) {
      return std::unexpected(VaultError::too_long);
    }
    auto key = open(*state_->root, row);
    if (!key) {
      tampered.push_back(row.about.id);
      continue;
    }
    OpenKey shared = state_->share(row.about.id, std::move(*key));
    entries.push_back({.about = std::move(row.about), .key = std::move(shared)});
  }
  state_->tampered = std::move(tampered);
  state_->opened = std::make_shared<const OpenCredentials>(std::move(entries));
  return state_->opened;
}

const std::vector<CredentialId>& Vault::tampered() const {
  return state_->tampered;
}

Result<Secret> Vault::named_secret(std::string_view name, std::size_t bytes) {
  assert(bytes > 0);
  if (bytes > kNamedSecretBytesMax || name.size() > kNameBytesMax) {
    return std::unexpected(VaultError::too_long);
  }
  if (auto settled = state_->settle_root_key(); !settled) return std::unexpected(settled.error());
  const auto wrapped = state_->store.wrapped_secret(name);
  if (!wrapped) return std::unexpected(wrapped.error());
  if (*wrapped) {
    auto present = open_named(*state_->root, name, **wrapped);
    if (present && present->size() != bytes) return std::unexpected(VaultError::tampered);
    return present;
  }
  Secret made = Secret::of_size(bytes);
  randombytes_buf(made.writable().data(), bytes);
  if (auto stored = state_->store.put_wrapped_secret(name, wrap_named(*state_->root, name, made));
      !stored) {
    return std::unexpected(stored.error());
  }
  return made;
}

Result<void> Vault::forget_named_secret(std::string_view name) {
  return state_->store.remove_wrapped_secret(name);
}

Result<void> Vault::rewrap(std::unique_ptr<RootKey> next) {
  assert(next != nullptr);
  if (auto settled = state_->settle_root_key(); !settled) return settled;
  auto credentials = state_->store.all();
  if (!credentials) return std::unexpected(credentials.error());
  auto named = state_->store.wrapped_secrets();
  if (!named) return std::unexpected(named.error());

  std::vector<CredentialId> tampered;
  for (SealedCredential& credential : *credentials) {
    auto wrapped = rewrap_data_key(*state_->root, *next, credential);
    if (wrapped) {
      credential.wrapped_data_key = std::move(*wrapped);
    } else {
      tampered.push_back(credential.about.id);
    }
  }
  if (!tampered.empty()) {
    state_->tampered = std::move(tampered);
    return std::unexpected(VaultError::tampered);
  }
  for (auto& [name, wrapped] : *named) {
    const auto plain = open_named(*state_->root, name, wrapped);
    if (!plain) return std::unexpected(plain.error());
    wrapped = wrap_named(*next, name, *plain);
  }
  state_->next = std::move(next);
  const auto stored = state_->store.rewrap(*credentials, *named);
  if (stored) {
    state_->root = std::move(state_->next);
    return {};
  }
  // Perhaps it was done all the same: look now, and if the store is silent, before the next use.
  const std::string wanted = state_->next->id_text();
  if (!state_->settle_root_key() || root_key_id() != wanted) {
    return std::unexpected(stored.error());
  }
  return {};
}

std::string Vault::root_key_id() const {
  return state_->root->id_text();
}

}  // namespace claviger::vault

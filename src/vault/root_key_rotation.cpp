#include "vault/root_key_rotation.h"

#include <fmt/format.h>

#include "vault/envelope.h"
#include "vault/private_file.h"

namespace claviger::vault {
namespace {

std::unexpected<RootKeyError> failure(RootKeyErrorCode code, std::string message) {
  return std::unexpected(RootKeyError{code, std::move(message)});
}

std::unexpected<RootKeyError> store_failure() {
  return failure(RootKeyErrorCode::unavailable,
                 "The database did not answer, so the root key cannot be checked against it. See "
                 "whether another server runs on this home and whether the disk is full.");
}

std::string next_path(const std::string& path) {
  return path + ".next";
}

/// A key, as far as it could be read, and what it opens.
struct Candidate {
  RootKeyResult key;
  RootKeyFit fit;

  bool opens_all() const { return key.has_value() && fit.opened == fit.wrapped; }
  bool opens_some() const { return key.has_value() && fit.opened > 0; }
};

std::expected<Candidate, RootKeyError> examine(const std::string& path, VaultStore& store,
                                               const RootKeyReader& read) {
  Candidate candidate{.key = read(path), .fit = {}};
  if (!candidate.key) return candidate;
  const auto fit = measure_fit(**candidate.key, store);
  if (!fit) return store_failure();
  candidate.fit = *fit;
  return candidate;
}

RootKeyResult refuse_foreign(const std::string& path, Candidate current) {
  if (!current.key) return std::move(current.key);
  return failure(RootKeyErrorCode::wrong_key,
                 fmt::format("{} holds a sound root key (id {}), but nothing in the database opens "
                             "with it. Put back the root key that belongs to this database, or "
                             "the database that belongs to this key.",
                             path, (*current.key)->id_text()));
}

RootKeyResult finish_change(const std::string& path, Candidate next) {
  if (auto replaced = replace_file(next_path(path), path); !replaced) {
    return std::unexpected(std::move(replaced.error()));
  }
  return std::move(next.key);
}

/// A change was interrupted: both files are there.
RootKeyResult settle_change(const std::string& path, Candidate current, Candidate next) {
  if (current.opens_all()) {
    if (auto removed = remove_file(next_path(path)); !removed) {
      return std::unexpected(std::move(removed.error()));
    }
    return std::move(current.key);
  }
  if (next.opens_some() && next.opens_all()) return finish_change(path, std::move(next));
  if (current.opens_some() && next.opens_some()) {
    return failure(RootKeyErrorCode::mixed,
                   fmt::format("A part of the database opens with {}, another part with {}. No "
                               "change of root key leaves it so: rows were copied in. Restore the "
                               "database from a backup, with the root key that belongs to it.",
                               path, next_path(path)));
  }
  // Some rows open with neither: altered rows, which the vault reports one by one.
  if (current.opens_some()) return std::move(current.key);
  const bool current_is_useless =
      current.key.has_value() || current.key.error().code == RootKeyErrorCode::not_found;
  if (next.opens_some() && current_is_useless) return finish_change(path, std::move(next));
  return refuse_foreign(path, std::move(current));
}

}  // namespace

Result<RootKeyFit> measure_fit(const RootKey& root, VaultStore& store) {
  const auto credentials = store.all();
  if (!credentials) return std::unexpected(credentials.error());
  const auto named = store.wrapped_secrets();
  if (!named) return std::unexpected(named.error());
  RootKeyFit fit{.wrapped = credentials->size() + named->size(), .opened = 0};
  for (const SealedCredential& credential : *credentials) {
    if (opens_data_key(root, credential)) ++fit.opened;
  }
  for (const auto& [name, wrapped] : *named) {
    if (open_named(root, name, wrapped)) ++fit.opened;
  }
  return fit;
}

RootKeyResult open_root_key(const std::string& path, VaultStore& store, const RootKeyReader& read) {
  auto current = examine(path, store, read);
  if (!current) return std::unexpected(std::move(current.error()));
  if (!name_is_taken(next_path(path))) {
    if (current->opens_all() || current->opens_some()) return std::move(current->key);
    return refuse_foreign(path, std::move(*current));
  }
  auto next = examine(next_path(path), store, read);
  if (!next) return std::unexpected(std::move(next.error()));
  return settle_change(path, std::move(*current), std::move(*next));
}

std::expected<void, RootKeyError> rotate_root_key(const std::string& path, Vault& vault,
                                                  const RootKeyMaker& make) {
  const std::string next = next_path(path);
  if (name_is_taken(next)) {
    return failure(RootKeyErrorCode::exists,
                   fmt::format("{} is there: an earlier change of the root key was not finished. "
                               "Restart Claviger, which finishes or undoes it, and try again.",
                               next));
  }
  auto key = make(next);
  if (!key) return std::unexpected(std::move(key.error()));
  const auto rewrapped = vault.rewrap(std::move(*key));
  if (rewrapped) return replace_file(next, path);
  if (rewrapped.error() == VaultError::unavailable) {
    return failure(RootKeyErrorCode::unavailable,
                   fmt::format("The database did not say whether it took the new root key. {} and "
                               "{} are both kept. Restart Claviger, which finds out and finishes "
                               "or undoes the change.",
                               path, next));
  }
  if (auto removed = remove_file(next); !removed) return removed;
  return failure(RootKeyErrorCode::wrong_key,
                 "The root key was not changed: a credential or secret in the database does not "
                 "open with the present one. \"claviger vault status\" names it; remove it or "
                 "restore it, and try again.");
}

RootKeyResult make_root_key_file(const std::string& path) {
  std::unique_ptr<RootKey> key = RootKey::generate();
  if (auto written = key->write_new_file(path); !written) {
    return std::unexpected(std::move(written.error()));
  }
  return key;
}

}  // namespace claviger::vault

#pragma once

/// Seals: the bytes that a store keeps instead of keys.
///
/// A credential's key is sealed with a data key of its own (XChaCha20-Poly1305, random nonce;
/// layout: version 1 (1 byte), nonce (24), text and tag), bound to owner, provider, base URL and
/// credential id. The data key is wrapped by the root key, bound to the credential id and, in
/// RootKey::wrap(), to the root key's id. A credential without a key has an empty one sealed, so
/// that its host is bound all the same.
///
/// Whatever is wrong with sealed bytes, they are `tampered`: nothing here crashes on any input.
/// Plain bytes live in the arena only.

#include <string>
#include <string_view>

#include "vault/root_key.h"
#include "vault/vault.h"

namespace claviger::vault {

/// `key` is at most kKeyBytesMax long; `about.id` is set.
SealedCredential seal(const RootKey& root, Credential about, std::string_view key);

/// The key (empty where `about.has_key` is false). Errors: tampered.
Result<Secret> open(const RootKey& root, const SealedCredential& sealed);

/// The same data key, wrapped by another root key. Errors: tampered.
Result<std::string> rewrap_data_key(const RootKey& from, const RootKey& to,
                                    const SealedCredential& sealed);

/// Whether `root` is the key that this credential's data key is wrapped with.
bool opens_data_key(const RootKey& root, const SealedCredential& sealed);

/// Named secrets: wrapped by the root key itself, bound to their name.
std::string wrap_named(const RootKey& root, std::string_view name, const Secret& plain);
Result<Secret> open_named(const RootKey& root, std::string_view name, std::string_view wrapped);

}  // namespace claviger::vault

#include "vault/envelope.h"

#include <sodium.h>

#include <cassert>
#include <cstring>

#include "vault/associated_data.h"

namespace claviger::vault {
namespace {

constexpr char kSealVersion = 1;
constexpr std::size_t kDataKeyBytes = crypto_aead_xchacha20poly1305_ietf_KEYBYTES;
constexpr std::size_t kNonceBytes = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr std::size_t kTagBytes = crypto_aead_xchacha20poly1305_ietf_ABYTES;
constexpr std::size_t kHeadBytes = 1 + kNonceBytes;

const unsigned char* as_bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string bound_to_credential(const Credential& about) {
  return AssociatedData("claviger-credential-1")
      .add(about.owner.value)
      .add(about.provider)
      .add(about.base_url)
      .add(about.id.value)
      .bytes();
}

std::string bound_to_data_key(CredentialId id) {
  return AssociatedData("claviger-data-key-1").add(id.value).bytes();
}

std::string bound_to_name(std::string_view name) {
  return AssociatedData("claviger-named-secret-1").add(name).bytes();
}

Result<Secret> open_data_key(const RootKey& root, const SealedCredential& sealed) {
  auto data_key = root.unwrap(bound_to_data_key(sealed.about.id), sealed.wrapped_data_key);
  if (!data_key || data_key->size() != kDataKeyBytes) return std::unexpected(VaultError::tampered);
  return std::move(*data_key);
}

}  // namespace

SealedCredential seal(const RootKey& root, Credential about, std::string_view key) {
  assert(key.size() <= kKeyBytesMax && !about.id.is_none());
  about.has_key = !key.empty();
  SealedCredential sealed{.about = std::move(about), .wrapped_data_key = {}, .sealed_key = {}};
  Secret data_key = Secret::of_size(kDataKeyBytes);
  randombytes_buf(data_key.writable().data(), kDataKeyBytes);
  sealed.wrapped_data_key = root.wrap(bound_to_data_key(sealed.about.id), data_key.reveal());

  const std::string bound = bound_to_credential(sealed.about);
  sealed.sealed_key.resize(kHeadBytes + key.size() + kTagBytes);
  auto* const out = reinterpret_cast<unsigned char*>(sealed.sealed_key.data());
  out[0] = kSealVersion;
  randombytes_buf(out + 1, kNonceBytes);
  crypto_aead_xchacha20poly1305_ietf_encrypt(out + kHeadBytes, nullptr, as_bytes(key), key.size(),
                                             as_bytes(bound), bound.size(), nullptr, out + 1,
                                             as_bytes(data_key.reveal()));
  return sealed;
}

Result<Secret> open(const RootKey& root, const SealedCredential& sealed) {
  const std::string_view bytes = sealed.sealed_key;
  if (bytes.size() < kHeadBytes + kTagBytes ||
      bytes.size() > kHeadBytes + kKeyBytesMax + kTagBytes || bytes[0] != kSealVersion) {
    return std::unexpected(VaultError::tampered);
  }
  const auto data_key = open_data_key(root, sealed);
  if (!data_key) return std::unexpected(data_key.error());
  const std::string bound = bound_to_credential(sealed.about);
  const std::string_view text = bytes.substr(kHeadBytes);
  Secret key = Secret::of_size(text.size() - kTagBytes);
  if (crypto_aead_xchacha20poly1305_ietf_decrypt(
          key.writable().data(), nullptr, nullptr, as_bytes(text), text.size(), as_bytes(bound),
          bound.size(), as_bytes(bytes.substr(1)), as_bytes(data_key->reveal())) != 0 ||
      key.empty() == sealed.about.has_key) {
    return std::unexpected(VaultError::tampered);
  }
  return key;
}

Result<std::string> rewrap_data_key(const RootKey& from, const RootKey& to,
                                    const SealedCredential& sealed) {
  const auto data_key = open_data_key(from, sealed);
  if (!data_key) return std::unexpected(data_key.error());
  return to.wrap(bound_to_data_key(sealed.about.id), data_key->reveal());
}

bool opens_data_key(const RootKey& root, const SealedCredential& sealed) {
  return open_data_key(root, sealed).has_value();
}

std::string wrap_named(const RootKey& root, std::string_view name, const Secret& plain) {
  return root.wrap(bound_to_name(name), plain.reveal());
}

Result<Secret> open_named(const RootKey& root, std::string_view name, std::string_view wrapped) {
  auto plain = root.unwrap(bound_to_name(name), wrapped);
  if (!plain) return std::unexpected(VaultError::tampered);
  return std::move(*plain);
}

}  // namespace claviger::vault

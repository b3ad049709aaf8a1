#include "vault/root_key.h"

#include <fmt/format.h>
#include <sodium.h>

#include <cassert>
#include <cstdlib>
#include <cstring>

#include "vault/associated_data.h"
#include "vault/line_checksum.h"
#include "vault/root_key_text.h"
#include "vault/vault.h"

namespace claviger::vault {
namespace {

constexpr std::string_view kTextPrefix = "claviger-root-1 ";
constexpr std::string_view kTextFamily = "claviger-root-";
constexpr std::string_view kPassphraseFamily = "claviger-passphrase-";
constexpr std::size_t kBase64Chars = 43;
constexpr std::size_t kTextChars = kTextPrefix.size() + kBase64Chars + 1 + kLineChecksumChars;

constexpr char kWrapVersion = 1;
constexpr std::size_t kNonceBytes = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr std::size_t kTagBytes = crypto_aead_xchacha20poly1305_ietf_ABYTES;
constexpr std::size_t kWrapHeadBytes = 1 + RootKey::kIdBytes + kNonceBytes;

/// Subkeys of the root key, by number; the context keeps them apart from other programs'.
constexpr char kKdfContext[crypto_kdf_CONTEXTBYTES + 1] = "clvroot1";
enum class Subkey : std::uint64_t { wrapping = 1, id = 2 };

static_assert(RootKey::kBytes == crypto_kdf_KEYBYTES);
static_assert(RootKey::kIdBytes >= crypto_kdf_BYTES_MIN);

const unsigned char* as_bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

void derive(const Secret& root, Subkey number, unsigned char* out, std::size_t bytes) {
  if (crypto_kdf_derive_from_key(out, bytes, static_cast<std::uint64_t>(number), kKdfContext,
                                 as_bytes(root.reveal())) != 0) {
    std::abort();
  }
}

std::string bound_to_key(const RootKey::Id& id, std::string_view associated_data) {
  return AssociatedData("claviger-wrap-1")
      .add(std::string_view(id.data(), id.size()))
      .add(associated_data)
      .bytes();
}

std::unexpected<RootKeyError> malformed(std::string message) {
  return std::unexpected(RootKeyError{RootKeyErrorCode::malformed, std::move(message)});
}

}  // namespace

RootKey::RootKey(Secret bytes) : bytes_(std::move(bytes)) {
  if (sodium_init() < 0) std::abort();
  assert(bytes_.size() == kBytes);
  wrapping_ = Secret::of_size(crypto_aead_xchacha20poly1305_ietf_KEYBYTES);
  derive(bytes_, Subkey::wrapping, wrapping_.writable().data(), wrapping_.size());
  derive(bytes_, Subkey::id, reinterpret_cast<unsigned char*>(id_.data()), id_.size());
}

std::unique_ptr<RootKey> RootKey::generate() {
  if (sodium_init() < 0) std::abort();
  Secret bytes = Secret::of_size(kBytes);
  randombytes_buf(bytes.writable().data(), kBytes);
  return std::make_unique<RootKey>(std::move(bytes));
}

RootKeyResult RootKey::parse(std::string_view text, std::string_view where) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  if (text.empty()) {
    return malformed(fmt::format("{} is empty. Restore the root key from its backup.", where));
  }
  if (kTextPrefix.starts_with(text)) {
    return malformed(fmt::format("{} was cut short. Restore the root key from its backup.", where));
  }
  if (text.starts_with(kPassphraseFamily)) {
    return malformed(
        fmt::format("{} holds the parameters of a passphrase, not a root key. Give the passphrase "
                    "instead.",
                    where));
  }
  if (!text.starts_with(kTextFamily)) {
    return malformed(
        fmt::format("{} is no root key of Claviger: it does not start with \"{}\". Check which "
                    "file this is.",
                    where, kTextPrefix));
  }
  if (!text.starts_with(kTextPrefix)) {
    return malformed(
        fmt::format("{} was written by another version of Claviger. Update Claviger, or restore "
                    "the root key that belongs to this one.",
                    where));
  }
  Secret bytes = Secret::of_size(kBytes);
  std::size_t decoded = 0;
  const bool whole =
      text.size() == kTextChars && has_line_checksum(text) &&
      sodium_base642bin(bytes.writable().data(), kBytes, text.data() + kTextPrefix.size(),
                        kBase64Chars, nullptr, &decoded, nullptr,
                        sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0 &&
      decoded == kBytes;
  if (!whole) {
    return malformed(fmt::format(
        "{} is damaged: cut short or altered. Restore the root key from its backup.", where));
  }
  return std::make_unique<RootKey>(std::move(bytes));
}

Secret root_key_text(const Secret& bytes) {
  Secret text = Secret::of_size(kTextChars + 1);
  auto* const out = reinterpret_cast<char*>(text.writable().data());
  std::memcpy(out, kTextPrefix.data(), kTextPrefix.size());
  // Its terminating zero falls on the blank before the checksum.
  sodium_bin2base64(out + kTextPrefix.size(), kBase64Chars + 1, as_bytes(bytes.reveal()),
                    bytes.size(), sodium_base64_VARIANT_URLSAFE_NO_PADDING);
  write_line_checksum({out, kTextPrefix.size() + kBase64Chars},
                      out + kTextPrefix.size() + kBase64Chars);
  out[kTextChars] = '\n';
  return text;
}

std::string RootKey::id_text() const {
  return fmt::format(
      "{:02x}", fmt::join(reinterpret_cast<const unsigned char*>(id_.data()),
                          reinterpret_cast<const unsigned char*>(id_.data()) + id_.size(), ""));
}

std::string RootKey::wrap(std::string_view associated_data, std::string_view plain) const {
  assert(plain.size() <= kNamedSecretBytesMax);
  const std::string bound = bound_to_key(id_, associated_data);
  std::string wrapped(kWrapHeadBytes + plain.size() + kTagBytes, '\0');
  auto* const out = reinterpret_cast<unsigned char*>(wrapped.data());
  out[0] = kWrapVersion;
  std::memcpy(out + 1, id_.data(), id_.size());
  unsigned char* const nonce = out + 1 + kIdBytes;
  randombytes_buf(nonce, kNonceBytes);
  crypto_aead_xchacha20poly1305_ietf_encrypt(out + kWrapHeadBytes, nullptr, as_bytes(plain),
                                             plain.size(), as_bytes(bound), bound.size(), nullptr,
                                             nonce, as_bytes(wrapping_.reveal()));
  return wrapped;
}

std::optional<Secret> RootKey::unwrap(std::string_view associated_data,
                                      std::string_view wrapped) const {
  if (wrapped.size() < kWrapHeadBytes + kTagBytes ||
      wrapped.size() > kWrapHeadBytes + kNamedSecretBytesMax + kTagBytes ||
      wrapped[0] != kWrapVersion ||
      wrapped.substr(1, kIdBytes) != std::string_view(id_.data(), id_.size())) {
    return std::nullopt;
  }
  const std::string bound = bound_to_key(id_, associated_data);
  const std::string_view nonce = wrapped.substr(1 + kIdBytes, kNonceBytes);
  const std::string_view sealed = wrapped.substr(kWrapHeadBytes);
  Secret plain = Secret::of_size(sealed.size() - kTagBytes);
  if (crypto_aead_xchacha20poly1305_ietf_decrypt(
          plain.writable().data(), nullptr, nullptr, as_bytes(sealed), sealed.size(),
          as_bytes(bound), bound.size(), as_bytes(nonce), as_bytes(wrapping_.reveal())) != 0) {
    return std::nullopt;
  }
  return plain;
}

}  // namespace claviger::vault

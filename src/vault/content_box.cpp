#include "vault/content_box.h"

#include <sodium.h>

#include <cstdlib>

namespace claviger::vault {
namespace {

constexpr char kVersion = 1;
constexpr std::size_t kNonceBytes = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr std::size_t kTagBytes = crypto_aead_xchacha20poly1305_ietf_ABYTES;
constexpr std::size_t kHeadBytes = 1 + kNonceBytes;
static_assert(ContentBox::kKeyBytes == crypto_aead_xchacha20poly1305_ietf_KEYBYTES);

const unsigned char* as_bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

ContentBox::ContentBox(Secret key) : key_(std::move(key)) {
  if (sodium_init() < 0 || key_.size() != kKeyBytes) std::abort();
}

ContentBox ContentBox::of_this_process() {
  if (sodium_init() < 0) std::abort();
  Secret key = Secret::of_size(kKeyBytes);
  randombytes_buf(key.writable().data(), kKeyBytes);
  return ContentBox(std::move(key));
}

std::string ContentBox::seal(std::string_view plain, std::string_view bound_to) const {
  std::string sealed(kHeadBytes + plain.size() + kTagBytes, '\0');
  auto* const out = reinterpret_cast<unsigned char*>(sealed.data());
  out[0] = kVersion;
  randombytes_buf(out + 1, kNonceBytes);
  crypto_aead_xchacha20poly1305_ietf_encrypt(out + kHeadBytes, nullptr, as_bytes(plain),
                                             plain.size(), as_bytes(bound_to), bound_to.size(),
                                             nullptr, out + 1, as_bytes(key_.reveal()));
  return sealed;
}

Result<std::string> ContentBox::open(std::string_view sealed, std::string_view bound_to) const {
  if (sealed.size() < kHeadBytes + kTagBytes || sealed[0] != kVersion) {
    return std::unexpected(VaultError::tampered);
  }
  const std::string_view text = sealed.substr(kHeadBytes);
  std::string plain(text.size() - kTagBytes, '\0');
  if (crypto_aead_xchacha20poly1305_ietf_decrypt(
          reinterpret_cast<unsigned char*>(plain.data()), nullptr, nullptr, as_bytes(text),
          text.size(), as_bytes(bound_to), bound_to.size(), as_bytes(sealed.substr(1)),
          as_bytes(key_.reveal())) != 0) {
    return std::unexpected(VaultError::tampered);
  }
  return plain;
}

}  // namespace claviger::vault

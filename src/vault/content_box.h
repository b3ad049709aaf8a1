#pragma once

/// Seals what is no key and yet nobody's business: the content of requests, where an owner has
/// it kept. XChaCha20-Poly1305 with a random nonce (layout: version 1 (1 byte), nonce (24), text
/// and tag), bound to what the caller says, so that a sealed content fits one request of one
/// owner and no other.
///
/// Whatever is wrong with sealed bytes, they are `tampered`.

#include <string>
#include <string_view>

#include "base/secret.h"
#include "vault/vault.h"

namespace claviger::vault {

/// Threads: immutable; any method, from any thread.
class ContentBox {
 public:
  static constexpr std::size_t kKeyBytes = 32;

  /// `key` has kKeyBytes.
  explicit ContentBox(Secret key);
  /// With a random key that nobody else ever has: what it seals ends with the process.
  static ContentBox of_this_process();

  std::string seal(std::string_view plain, std::string_view bound_to) const;
  /// Errors: tampered.
  Result<std::string> open(std::string_view sealed, std::string_view bound_to) const;

 private:
  Secret key_;
};

}  // namespace claviger::vault

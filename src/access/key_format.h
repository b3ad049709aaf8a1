#pragma once

/// What a key looks like: `clv_` (virtual) or `clva_` (admin), 43 characters of base64url
/// (256 random bits) and 6 characters of checksum. The prefix lets secret scanners find
/// leaked keys; the checksum tells a typo from a stranger without asking the store.
///
/// The checksum is CRC-32 (zlib's) over prefix and body, written in base 62 (0-9 A-Z a-z, most
/// significant digit first, padded with 0): the scheme that GitHub's tokens made familiar to
/// scanners (github.blog, "Behind GitHub's new authentication token formats", 2021-04-05). It
/// guards against typos only; what guards the key are its 256 random bits.

#include <expected>
#include <string>
#include <string_view>

#include "access/directory.h"
#include "base/secret.h"

namespace claviger::access {

/// Length of what hash_into() writes, of the secret that it is keyed with, and of the checksum.
inline constexpr std::size_t kKeyHashBytes = 32;
inline constexpr std::size_t kHashKeyBytes = 32;
inline constexpr std::size_t kChecksumChars = 6;
/// Of a whole virtual key: prefix, 32 bytes in base64url, checksum.
inline constexpr std::size_t kVirtualKeyChars = 4 + 43 + kChecksumChars;

enum class KeyType : std::uint8_t { virtual_key, admin };

struct NewKey {
  Secret text;       ///< Shown once to whoever asked for it, then gone.
  std::string hash;  ///< To be stored.
  std::string hint;  ///< The last four characters.
};

/// A new random key. `hash_key` is kHashKeyBytes long. Threads: any.
NewKey make_key(KeyType type, const Secret& hash_key);

/// Checks prefix, alphabet, length and checksum. Errors: missing (empty), malformed. Takes the
/// bytes as they came: no trimming, since a key with a blank beside it is a mistake worth saying.
std::expected<KeyType, AccessError> check_format(std::string_view presented);

/// BLAKE2b-256 of the key, keyed with `hash_key`: a stolen database cannot even be searched
/// for a known key. No allocation. Call sodium_init() once before the first (Directory does).
void hash_into(std::string_view presented, const Secret& hash_key,
               unsigned char (&out)[kKeyHashBytes]);

}  // namespace claviger::access

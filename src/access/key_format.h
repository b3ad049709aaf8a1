#pragma once

/// What a key looks like: `clv_` (virtual) or `clva_` (admin), 43 characters of base64url
/// (256 random bits) and 6 characters of checksum. The prefix lets secret scanners find
/// leaked keys; the checksum tells a typo from a stranger without asking the store.

#include <expected>
#include <string>
#include <string_view>

#include "access/directory.h"
#include "base/secret.h"

namespace claviger::access {

enum class KeyType : std::uint8_t { virtual_key, admin };

struct NewKey {
  Secret text;       ///< Shown once to whoever asked for it, then gone.
  std::string hash;  ///< To be stored.
  std::string hint;  ///< The last four characters.
};

NewKey make_key(KeyType type, const Secret& hash_key);

/// Checks prefix, alphabet, length and checksum. Errors: missing (empty), malformed.
std::expected<KeyType, AccessError> check_format(std::string_view presented);

/// BLAKE2b-256 of the key, keyed with `hash_key`: a stolen database cannot even be searched
/// for a known key. 32 bytes; no allocation.
void hash_into(std::string_view presented, const Secret& hash_key, unsigned char (&out)[32]);

}  // namespace claviger::access

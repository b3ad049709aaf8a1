#pragma once

/// Addresses that nobody guesses: 256 random bits, 43 characters of base64url. Whoever has one may
/// look, so what is kept is its keyed hash and never the address.

#include <string>
#include <string_view>

#include "base/secret.h"

namespace claviger::access {

inline constexpr std::size_t kLinkTokenChars = 43;

struct NewLinkToken {
  Secret text;       ///< Shown once.
  std::string hash;  ///< To be stored.
};
/// `hash_key` as for keys (key_format.h). Threads: any.
NewLinkToken make_link_token(const Secret& hash_key);

/// Empty where `presented` cannot be one.
std::string hash_of_link_token(std::string_view presented, const Secret& hash_key);

}  // namespace claviger::access

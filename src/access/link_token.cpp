#include "access/link_token.h"

#include <sodium.h>

#include <algorithm>
#include <cstdlib>

#include "access/key_format.h"

namespace claviger::access {
namespace {

constexpr std::size_t kRandomBytes = 32;

bool is_base64url(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_';
}

/// A link is no key: the same text as one never has the same hash.
std::string hashed(std::string_view token, const Secret& hash_key) {
  std::string named = "claviger-link-1 ";
  named += token;
  unsigned char hash[kKeyHashBytes];
  hash_into(named, hash_key, hash);
  wipe(named.data(), named.size());
  return {reinterpret_cast<const char*>(hash), sizeof hash};
}

}  // namespace

NewLinkToken make_link_token(const Secret& hash_key) {
  if (sodium_init() < 0) std::abort();
  Secret random = Secret::of_size(kRandomBytes);
  randombytes_buf(random.writable().data(), kRandomBytes);
  Secret text = Secret::of_size(kLinkTokenChars + 1);
  sodium_bin2base64(reinterpret_cast<char*>(text.writable().data()), kLinkTokenChars + 1,
                    random.writable().data(), kRandomBytes,
                    sodium_base64_VARIANT_URLSAFE_NO_PADDING);
  // Without the zero at its end.
  Secret token = Secret::copy_of(text.reveal().substr(0, kLinkTokenChars));
  std::string hash = hashed(token.reveal(), hash_key);
  return {.text = std::move(token), .hash = std::move(hash)};
}

std::string hash_of_link_token(std::string_view presented, const Secret& hash_key) {
  if (presented.size() != kLinkTokenChars || !std::ranges::all_of(presented, is_base64url)) {
    return {};
  }
  return hashed(presented, hash_key);
}

}  // namespace claviger::access

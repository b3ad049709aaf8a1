#include "access/key_format.h"

#include <sodium.h>

#include <array>
#include <cassert>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace claviger::access {
namespace {

constexpr std::string_view kVirtualKeyPrefix = "clv_";
constexpr std::string_view kAdminPrefix = "clva_";
constexpr std::size_t kRandomBytes = 32;
constexpr std::size_t kBodyChars = 43;  // 32 bytes in base64url without padding.
constexpr std::size_t kHintChars = 4;
static_assert(kVirtualKeyPrefix.size() + kBodyChars + kChecksumChars == kVirtualKeyChars);

std::string_view prefix_of(KeyType type) {
  return type == KeyType::admin ? kAdminPrefix : kVirtualKeyPrefix;
}

/// CRC-32 as in zlib and Ethernet (reflected polynomial 0xEDB88320).
constexpr std::array<std::uint32_t, 256> crc32_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xEDB88320u : 0u);
    table[byte] = crc;
  }
  return table;
}
constexpr std::array<std::uint32_t, 256> kCrc32Table = crc32_table();

std::uint32_t crc32(std::string_view bytes) {
  std::uint32_t crc = 0xFFFFFFFFu;
  for (const char c : bytes) {
    crc = (crc >> 8) ^ kCrc32Table[(crc ^ static_cast<unsigned char>(c)) & 0xFF];
  }
  return ~crc;
}

constexpr std::string_view kBase62 =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

void write_checksum(std::string_view of, char* out) {
  std::uint32_t value = crc32(of);
  for (std::size_t i = kChecksumChars; i > 0; --i) {
    out[i - 1] = kBase62[value % 62];
    value /= 62;
  }
}

constexpr bool is_base64url(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_';
}

}  // namespace

NewKey make_key(KeyType type, const Secret& hash_key) {
  if (sodium_init() < 0) std::abort();
  const std::string_view prefix = prefix_of(type);
  const std::size_t checksum_at = prefix.size() + kBodyChars;

  Secret random = Secret::of_size(kRandomBytes);
  randombytes_buf(random.writable().data(), kRandomBytes);
  NewKey key{.text = Secret::of_size(checksum_at + kChecksumChars), .hash = {}, .hint = {}};
  auto* const text = reinterpret_cast<char*>(key.text.writable().data());
  std::memcpy(text, prefix.data(), prefix.size());
  // The terminating zero that libsodium writes falls on the checksum's place.
  sodium_bin2base64(text + prefix.size(), kBodyChars + 1, random.writable().data(), kRandomBytes,
                    sodium_base64_VARIANT_URLSAFE_NO_PADDING);
  write_checksum({text, checksum_at}, text + checksum_at);

  unsigned char hash[kKeyHashBytes];
  hash_into(key.text.reveal(), hash_key, hash);
  key.hash.assign(reinterpret_cast<const char*>(hash), sizeof hash);
  key.hint = key.text.reveal().substr(key.text.size() - kHintChars);
  return key;
}

std::expected<KeyType, AccessError> check_format(std::string_view presented) {
  if (presented.empty()) return std::unexpected(AccessError::missing);
  const KeyType type = presented.starts_with(kAdminPrefix) ? KeyType::admin : KeyType::virtual_key;
  const std::string_view prefix = prefix_of(type);
  const std::size_t checksum_at = prefix.size() + kBodyChars;
  if (!presented.starts_with(prefix) || presented.size() != checksum_at + kChecksumChars) {
    return std::unexpected(AccessError::malformed);
  }
  for (const char c : presented.substr(prefix.size(), kBodyChars)) {
    if (!is_base64url(c)) return std::unexpected(AccessError::malformed);
  }
  char checksum[kChecksumChars];
  write_checksum(presented.substr(0, checksum_at), checksum);
  if (presented.substr(checksum_at) != std::string_view(checksum, kChecksumChars)) {
    return std::unexpected(AccessError::malformed);
  }
  return type;
}

void hash_into(std::string_view presented, const Secret& hash_key,
               unsigned char (&out)[kKeyHashBytes]) {
  const std::string_view key = hash_key.reveal();
  assert(key.size() == kHashKeyBytes);
  // Fails only for a hash key longer than 64 bytes; nobody may then be let in.
  if (crypto_generichash(out, sizeof out, reinterpret_cast<const unsigned char*>(presented.data()),
                         presented.size(), reinterpret_cast<const unsigned char*>(key.data()),
                         key.size()) != 0) {
    std::abort();
  }
}

}  // namespace claviger::access

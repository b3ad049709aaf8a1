#include "access/key_format.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace claviger::access {
namespace {

Secret hash_key(char fill = 'k') {
  return Secret::copy_of(std::string(kHashKeyBytes, fill));
}

std::string hash_of(std::string_view text, const Secret& key) {
  unsigned char hash[kKeyHashBytes];
  hash_into(text, key, hash);
  return {reinterpret_cast<const char*>(hash), sizeof hash};
}

TEST(KeyFormat, ANewKeyHasThePrefixThatScannersLookFor) {
  const NewKey virtual_key = make_key(KeyType::virtual_key, hash_key());
  const NewKey admin = make_key(KeyType::admin, hash_key());

  EXPECT_EQ(virtual_key.text.reveal().substr(0, 4), "clv_");
  EXPECT_EQ(virtual_key.text.size(), 53u);
  EXPECT_EQ(admin.text.reveal().substr(0, 5), "clva_");
  EXPECT_EQ(admin.text.size(), 54u);
  EXPECT_EQ(check_format(virtual_key.text.reveal()), KeyType::virtual_key);
  EXPECT_EQ(check_format(admin.text.reveal()), KeyType::admin);
}

TEST(KeyFormat, WhatIsStoredIsTheHashAndTheLastFourCharacters) {
  const Secret key_of_hash = hash_key();
  const NewKey key = make_key(KeyType::virtual_key, key_of_hash);

  EXPECT_EQ(key.hash, hash_of(key.text.reveal(), key_of_hash));
  EXPECT_EQ(key.hint, key.text.reveal().substr(49));
}

TEST(KeyFormat, TheHashCannotBeComputedWithoutItsKey) {
  EXPECT_NE(hash_of("clv_x", hash_key('a')), hash_of("clv_x", hash_key('b')));
  EXPECT_NE(hash_of("clv_x", hash_key('a')), hash_of("clv_y", hash_key('a')));
}

// BLAKE2b-256 of "abc" keyed with 32 times 'k', computed with Python's hashlib.blake2b: a
// change of the algorithm would shut out every key ever issued.
TEST(KeyFormat, TheHashIsKeyedBlake2b) {
  const std::string hash = hash_of("abc", hash_key('k'));
  std::string hex;
  for (const char c : hash) {
    constexpr std::string_view digits = "0123456789abcdef";
    hex += digits[static_cast<unsigned char>(c) >> 4];
    hex += digits[static_cast<unsigned char>(c) & 15];
  }
  EXPECT_EQ(hex, "0a9b1f4f633832a535f3e4539d906998c3814fbcd4cc136e57e8ea742ac36b61");
}

// Checksum computed with Python's zlib.crc32 and base 62.
TEST(KeyFormat, TheChecksumIsCrc32InBase62) {
  const std::string body(43, 'A');
  EXPECT_EQ(check_format("clv_" + body + "0TsytA"), KeyType::virtual_key);
  EXPECT_EQ(check_format("clva_" + body + "08AdbJ"), KeyType::admin);
}

TEST(KeyFormat, EveryTypoOfOneCharacterIsCaught) {
  const NewKey key = make_key(KeyType::virtual_key, hash_key());
  const std::string text(key.text.reveal());
  for (std::size_t i = 0; i < text.size(); ++i) {
    for (const char wrong : std::string_view("aZ0-_ .\n\x7f\xff", 10)) {
      if (text[i] == wrong) continue;
      std::string typo = text;
      typo[i] = wrong;
      EXPECT_EQ(check_format(typo), std::unexpected(AccessError::malformed)) << "position " << i;
    }
  }
}

TEST(KeyFormat, SwappedNeighboursAreCaught) {
  const NewKey key = make_key(KeyType::virtual_key, hash_key());
  const std::string text(key.text.reveal());
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    if (text[i] == text[i + 1]) continue;
    std::string typo = text;
    std::swap(typo[i], typo[i + 1]);
    EXPECT_EQ(check_format(typo), std::unexpected(AccessError::malformed)) << "position " << i;
  }
}

TEST(KeyFormat, TellsNothingFromSomethingElse) {
  const NewKey key = make_key(KeyType::virtual_key, hash_key());
  const std::string text(key.text.reveal());
  EXPECT_EQ(check_format(""), std::unexpected(AccessError::missing));
  EXPECT_EQ(check_format("sk-proj-123"), std::unexpected(AccessError::malformed));
  EXPECT_EQ(check_format("clv_"), std::unexpected(AccessError::malformed));
  EXPECT_EQ(check_format(text.substr(0, 52)), std::unexpected(AccessError::malformed));
  EXPECT_EQ(check_format(text + "x"), std::unexpected(AccessError::malformed));
  EXPECT_EQ(check_format(" " + text), std::unexpected(AccessError::malformed));
  EXPECT_EQ(check_format(std::string("clv_") + std::string(49, '\0')),
            std::unexpected(AccessError::malformed));
}

TEST(KeyFormat, KeysDoNotRepeat) {
  const Secret key_of_hash = hash_key();
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    EXPECT_TRUE(seen.insert(make_key(KeyType::virtual_key, key_of_hash).hash).second);
  }
}

}  // namespace
}  // namespace claviger::access

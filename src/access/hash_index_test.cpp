#include "access/hash_index.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>

namespace claviger::access {
namespace {

std::optional<std::uint32_t> find(const HashIndex& index, std::string_view hash) {
  unsigned char bytes[kKeyHashBytes];
  std::memcpy(bytes, hash.data(), sizeof bytes);
  return index.find(bytes);
}

TEST(HashIndex, FindsEachOfManyAndNothingElse) {
  constexpr unsigned seed = 7;
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  const auto hash = [&random] {
    std::string made(kKeyHashBytes, '\0');
    for (char& c : made) c = static_cast<char>(random());
    return made;
  };
  std::vector<std::string> hashes(5000);
  HashIndex index(hashes.size());
  for (std::uint32_t i = 0; i < hashes.size(); ++i) {
    hashes[i] = hash();
    index.insert(hashes[i], i);
  }
  for (std::uint32_t i = 0; i < hashes.size(); ++i) EXPECT_EQ(find(index, hashes[i]), i);
  for (int i = 0; i < 5000; ++i) EXPECT_EQ(find(index, hash()), std::nullopt);
}

TEST(HashIndex, HashesThatShareASlotStayApart) {
  HashIndex index(4);
  std::string hash(kKeyHashBytes, '\0');
  for (std::uint32_t i = 0; i < 4; ++i) {
    hash[31] = static_cast<char>(i + 1);  // The slot comes from the first bytes.
    index.insert(hash, i);
  }
  for (std::uint32_t i = 0; i < 4; ++i) {
    hash[31] = static_cast<char>(i + 1);
    EXPECT_EQ(find(index, hash), i);
  }
  hash[31] = 9;
  EXPECT_EQ(find(index, hash), std::nullopt);
}

TEST(HashIndex, AnEmptyOneFindsNothing) {
  EXPECT_EQ(find(HashIndex(0), std::string(kKeyHashBytes, '\0')), std::nullopt);
}

}  // namespace
}  // namespace claviger::access

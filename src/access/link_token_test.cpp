#include "access/link_token.h"

#include <gtest/gtest.h>

#include "access/key_format.h"

namespace claviger::access {
namespace {

TEST(LinkToken, IsFoundByItsHashAndByNothingElse) {
  const Secret key = Secret::of_size(kHashKeyBytes);
  const NewLinkToken one = make_link_token(key);
  const NewLinkToken two = make_link_token(key);
  EXPECT_EQ(one.text.size(), kLinkTokenChars);
  EXPECT_EQ(hash_of_link_token(one.text.reveal(), key), one.hash);
  EXPECT_NE(one.hash, two.hash);
  EXPECT_EQ(one.hash.size(), kKeyHashBytes);
  EXPECT_EQ(one.hash.find(one.text.reveal()), std::string::npos);
}

TEST(LinkToken, WhatCannotBeOneIsNotEvenHashed) {
  const Secret key = Secret::of_size(kHashKeyBytes);
  EXPECT_EQ(hash_of_link_token("", key), "");
  EXPECT_EQ(hash_of_link_token(std::string(42, 'a'), key), "");
  EXPECT_EQ(hash_of_link_token(std::string(44, 'a'), key), "");
  EXPECT_EQ(hash_of_link_token(std::string(42, 'a') + "/", key), "");
  EXPECT_NE(hash_of_link_token(std::string(43, 'a'), key), "");
}

}  // namespace
}  // namespace claviger::access

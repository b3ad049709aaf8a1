#include "vault/content_box.h"

#include <gtest/gtest.h>

namespace claviger::vault {
namespace {

TEST(ContentBox, GivesBackWhatItSealedAndHidesIt) {
  const ContentBox box = ContentBox::of_this_process();
  const std::string sealed = box.seal("a prompt", "request 1");
  EXPECT_EQ(sealed.find("prompt"), std::string::npos);
  EXPECT_EQ(box.open(sealed, "request 1").value(), "a prompt");
  EXPECT_EQ(box.open(box.seal("", ""), "").value(), "");
  EXPECT_NE(box.seal("a prompt", "request 1"), sealed) << "a nonce is never used twice";
}

TEST(ContentBox, WhatIsSealedFitsOneRequestAndOneKey) {
  const ContentBox box = ContentBox::of_this_process();
  const std::string sealed = box.seal("a prompt", "request 1");
  EXPECT_EQ(box.open(sealed, "request 2").error(), VaultError::tampered);
  EXPECT_EQ(ContentBox::of_this_process().open(sealed, "request 1").error(), VaultError::tampered);
}

TEST(ContentBox, WhateverIsWrongWithTheBytesTheyAreTampered) {
  const ContentBox box = ContentBox::of_this_process();
  const std::string sealed = box.seal("a prompt", "request 1");
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    std::string altered = sealed;
    altered[i] = static_cast<char>(altered[i] ^ 1);
    EXPECT_FALSE(box.open(altered, "request 1")) << i;
    EXPECT_FALSE(box.open(sealed.substr(0, i), "request 1")) << i;
  }
}

}  // namespace
}  // namespace claviger::vault

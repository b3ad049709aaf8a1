#include "vault/envelope.h"

#include <gtest/gtest.h>

#include <string>

#include "vault/associated_data.h"

namespace claviger::vault {
namespace {

constexpr std::string_view kKey = "sk-live-0123456789abcdef";

Credential about_openai() {
  Credential about;
  about.id = CredentialId{7};
  about.owner = OwnerId{3};
  about.provider = "openai";
  about.name = "main";
  about.base_url = "https://api.openai.com/v1";
  return about;
}

class EnvelopeTest : public testing::Test {
 protected:
  std::unique_ptr<RootKey> root_ = RootKey::generate();
  SealedCredential sealed_ = seal(*root_, about_openai(), kKey);
};

TEST_F(EnvelopeTest, WhatIsSealedOpens) {
  EXPECT_EQ(open(*root_, sealed_)->reveal(), kKey);
  EXPECT_TRUE(sealed_.about.has_key);
}

TEST_F(EnvelopeTest, TheKeyIsNotToBeSeenInWhatIsStored) {
  for (const std::string& stored : {sealed_.sealed_key, sealed_.wrapped_data_key}) {
    EXPECT_EQ(stored.find(kKey.substr(0, 6)), std::string::npos);
  }
}

TEST_F(EnvelopeTest, ARowThatIsMovedToAnotherPlaceDoesNotOpen) {
  const auto opens_with = [this](auto change) {
    SealedCredential moved = sealed_;
    change(moved.about);
    return open(*root_, moved).has_value();
  };
  EXPECT_FALSE(opens_with([](Credential& about) { about.owner = OwnerId{4}; }));
  EXPECT_FALSE(opens_with([](Credential& about) { about.owner = OwnerId{}; }));
  EXPECT_FALSE(opens_with([](Credential& about) { about.provider = "openrouter"; }));
  EXPECT_FALSE(opens_with([](Credential& about) { about.base_url = "https://evil.test/v1"; }));
  EXPECT_FALSE(opens_with([](Credential& about) { about.base_url.clear(); }));
  EXPECT_FALSE(opens_with([](Credential& about) { about.id = CredentialId{8}; }));
  EXPECT_FALSE(opens_with([](Credential& about) { about.has_key = false; }));
  EXPECT_TRUE(opens_with([](Credential& about) { about.name = "renamed"; }));
  EXPECT_TRUE(opens_with([](Credential& about) { about.disabled = true; }));
}

TEST_F(EnvelopeTest, ACharacterMovedBetweenProviderAndHostIsNoticed) {
  SealedCredential moved = sealed_;
  moved.about.provider = "openaih";
  moved.about.base_url = "ttps://api.openai.com/v1";
  EXPECT_FALSE(open(*root_, moved));
}

TEST_F(EnvelopeTest, PartsOfTwoRowsDoNotFitTogether) {
  const SealedCredential other = seal(*root_, about_openai(), "another key");
  SealedCredential mixed = sealed_;
  mixed.sealed_key = other.sealed_key;
  EXPECT_FALSE(open(*root_, mixed));
  mixed = sealed_;
  mixed.wrapped_data_key = other.wrapped_data_key;
  EXPECT_FALSE(open(*root_, mixed));
}

TEST_F(EnvelopeTest, AnyAlteredByteIsNoticed) {
  for (std::size_t i = 0; i < sealed_.sealed_key.size(); ++i) {
    SealedCredential altered = sealed_;
    altered.sealed_key[i] = static_cast<char>(altered.sealed_key[i] ^ 0x40);
    EXPECT_EQ(open(*root_, altered).error(), VaultError::tampered) << i;
    altered.sealed_key = sealed_.sealed_key.substr(0, i);
    EXPECT_EQ(open(*root_, altered).error(), VaultError::tampered) << i;
  }
  SealedCredential altered = sealed_;
  altered.sealed_key.append(1 << 20, 'x');
  EXPECT_EQ(open(*root_, altered).error(), VaultError::tampered);
}

TEST_F(EnvelopeTest, TheHostOfACredentialWithoutAKeyIsBoundToo) {
  SealedCredential sealed = seal(*root_, about_openai(), "");
  EXPECT_FALSE(sealed.about.has_key);
  ASSERT_TRUE(open(*root_, sealed));
  EXPECT_TRUE(open(*root_, sealed)->empty());
  sealed.about.base_url = "https://evil.test/v1";
  EXPECT_EQ(open(*root_, sealed).error(), VaultError::tampered);
}

TEST_F(EnvelopeTest, ANewRootKeyTouchesOnlyTheDataKey) {
  const auto next = RootKey::generate();
  SealedCredential rewrapped = sealed_;
  rewrapped.wrapped_data_key = *rewrap_data_key(*root_, *next, sealed_);

  EXPECT_EQ(open(*next, rewrapped)->reveal(), kKey);
  EXPECT_FALSE(open(*root_, rewrapped));
  EXPECT_FALSE(open(*next, sealed_));
}

TEST_F(EnvelopeTest, ANamedSecretOpensUnderItsNameOnly) {
  const Secret plain = Secret::copy_of("secret");
  const std::string wrapped = wrap_named(*root_, "virtual-key-hash-key", plain);
  EXPECT_EQ(open_named(*root_, "virtual-key-hash-key", wrapped)->reveal(), "secret");
  EXPECT_FALSE(open_named(*root_, "session-key", wrapped));
  EXPECT_FALSE(open_named(*RootKey::generate(), "virtual-key-hash-key", wrapped));
}

TEST_F(EnvelopeTest, ADataKeyIsNoNamedSecretAndTheOtherWayRound) {
  EXPECT_FALSE(open_named(*root_, "", sealed_.wrapped_data_key));
  SealedCredential crossed = sealed_;
  crossed.wrapped_data_key = wrap_named(*root_, "", Secret::of_size(32));
  EXPECT_FALSE(open(*root_, crossed));
}

TEST(AssociatedData, PartsCannotFlowIntoEachOther) {
  EXPECT_NE(AssociatedData("p").add("ab").add("c").bytes(),
            AssociatedData("p").add("a").add("bc").bytes());
  EXPECT_NE(AssociatedData("p").add("").add("a").bytes(),
            AssociatedData("p").add("a").add("").bytes());
  EXPECT_NE(AssociatedData("pa").bytes(), AssociatedData("p").add("a").bytes());
  EXPECT_NE(AssociatedData("p").add(std::int64_t{1}).bytes(),
            AssociatedData("p").add(std::int64_t{256}).bytes());
}

}  // namespace
}  // namespace claviger::vault

#include <gmock/gmock.h>

#include "store/contract/store_under_test.h"

namespace claviger::store {
namespace {

using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;
using vault::SealedCredential;
using vault::VaultError;

class VaultStoreContract : public StoreContract {
 protected:
  vault::VaultStore& vault() { return store_->vault(); }
  SealedCredential sealed(OwnerId owner, std::string name) {
    SealedCredential credential;
    credential.about = {.id = vault().next_credential_id().value(),
                        .owner = owner,
                        .provider = "openai",
                        .name = std::move(name),
                        .base_url = "https://api.example/v1",
                        .disabled = false,
                        .has_key = true,
                        .hint = "wxyz",
                        .created_at = now_};
    credential.wrapped_data_key = std::string("\0wrapped\xff", 9);
    credential.sealed_key = std::string("\0sealed-key-bytes\xff", 18);
    return credential;
  }
};
CLAVIGER_OVER_ALL_STORES(VaultStoreContract);

void expect_same(const SealedCredential& a, const SealedCredential& b) {
  EXPECT_EQ(a.about.id, b.about.id);
  EXPECT_EQ(a.about.owner, b.about.owner);
  EXPECT_EQ(a.about.provider, b.about.provider);
  EXPECT_EQ(a.about.name, b.about.name);
  EXPECT_EQ(a.about.base_url, b.about.base_url);
  EXPECT_EQ(a.about.disabled, b.about.disabled);
  EXPECT_EQ(a.about.allows_unbounded, b.about.allows_unbounded);
  EXPECT_EQ(a.about.has_key, b.about.has_key);
  EXPECT_EQ(a.about.hint, b.about.hint);
  EXPECT_EQ(a.about.created_at, b.about.created_at);
  EXPECT_EQ(a.wrapped_data_key, b.wrapped_data_key);
  EXPECT_EQ(a.sealed_key, b.sealed_key);
}

TEST_P(VaultStoreContract, CredentialsComeBackByteForByte) {
  const SealedCredential of_owner = sealed(owner(), "work");
  SealedCredential of_workspace = sealed(OwnerId{}, "work");
  of_workspace.about.has_key = false;
  of_workspace.about.disabled = true;
  of_workspace.about.allows_unbounded = true;
  of_workspace.sealed_key.clear();
  ASSERT_TRUE(vault().put(of_owner));
  ASSERT_TRUE(vault().put(of_workspace));
  store_->reopen();

  const auto all = vault().all().value();
  ASSERT_THAT(all, SizeIs(2));
  expect_same(all[0], of_owner);
  expect_same(all[1], of_workspace);
}

TEST_P(VaultStoreContract, AnIdIsGivenOutOnceEvenIfItIsNeverUsed) {
  const CredentialId first = vault().next_credential_id().value();
  store_->reopen();
  const CredentialId second = vault().next_credential_id().value();
  EXPECT_NE(first, second);
}

TEST_P(VaultStoreContract, TheIdOfARemovedCredentialIsNotGivenOutAgain) {
  const SealedCredential credential = sealed(owner(), "work");
  ASSERT_TRUE(vault().put(credential));
  ASSERT_TRUE(vault().remove(credential.about.id));
  EXPECT_GT(vault().next_credential_id().value(), credential.about.id);
  EXPECT_EQ(vault().put(credential).error(), VaultError::not_found) << "came back from the dead";
}

TEST_P(VaultStoreContract, PutReplacesAndKeepsTheEgressAllowances) {
  SealedCredential credential = sealed(owner(), "work");
  ASSERT_TRUE(vault().put(credential));
  ASSERT_TRUE(store_->egress().add({credential.about.id, "10.0.0.5", 8000}));
  credential.sealed_key = "renewed";
  credential.about.disabled = true;
  ASSERT_TRUE(vault().put(credential));

  const auto all = vault().all().value();
  ASSERT_THAT(all, SizeIs(1));
  expect_same(all[0], credential);
  EXPECT_THAT(store_->egress().list(credential.about.id).value(), SizeIs(1));
}

TEST_P(VaultStoreContract, NamesAreUniquePerOwner) {
  const OwnerId ada = owner("ada");
  ASSERT_TRUE(vault().put(sealed(ada, "work")));
  EXPECT_EQ(vault().put(sealed(ada, "work")).error(), VaultError::exists);
  EXPECT_TRUE(vault().put(sealed(owner("bob"), "work")));
  EXPECT_TRUE(vault().put(sealed(OwnerId{}, "work")));
  EXPECT_EQ(vault().put(sealed(OwnerId{}, "work")).error(), VaultError::exists);
}

TEST_P(VaultStoreContract, ACredentialNeedsAnOwnerInForce) {
  const OwnerId gone = owner("gone");
  ASSERT_TRUE(store_->access().remove_owner(gone, now_));
  EXPECT_EQ(vault().put(sealed(gone, "work")).error(), VaultError::not_found);
  EXPECT_EQ(vault().put(sealed(OwnerId{77}, "work")).error(), VaultError::not_found);
}

TEST_P(VaultStoreContract, NothingSealedIsLeftOnTheDiskOfARemovedCredential) {
  SealedCredential credential = sealed(owner(), "work");
  credential.sealed_key = "SEALED-FORM-THAT-HAS-TO-GO";
  credential.wrapped_data_key = "WRAPPED-FORM-THAT-HAS-TO-GO";
  ASSERT_TRUE(vault().put(credential));
  ASSERT_TRUE(vault().remove(credential.about.id));
  store_->reopen();
  EXPECT_THAT(vault().all().value(), IsEmpty());
  EXPECT_FALSE(store_->keeps("SEALED-FORM-THAT-HAS-TO-GO"));
  EXPECT_FALSE(store_->keeps("WRAPPED-FORM-THAT-HAS-TO-GO"));
  EXPECT_EQ(vault().remove(credential.about.id).error(), VaultError::not_found);
}

TEST_P(VaultStoreContract, ANameIsFreeAgainOnceItsCredentialIsRemoved) {
  const OwnerId ada = owner();
  const SealedCredential first = sealed(ada, "work");
  ASSERT_TRUE(vault().put(first));
  ASSERT_TRUE(vault().remove(first.about.id));
  EXPECT_TRUE(vault().put(sealed(ada, "work")));
}

TEST_P(VaultStoreContract, NamedSecretsAreReplacedAndListed) {
  EXPECT_EQ(vault().wrapped_secret("hash-key").value(), std::nullopt);
  ASSERT_TRUE(vault().put_wrapped_secret("hash-key", std::string("\0one", 4)));
  ASSERT_TRUE(vault().put_wrapped_secret("hash-key", std::string("\0two", 4)));
  ASSERT_TRUE(vault().put_wrapped_secret("another", ""));
  store_->reopen();
  EXPECT_EQ(vault().wrapped_secret("hash-key").value(), std::string("\0two", 4));
  EXPECT_THAT(vault().wrapped_secrets().value(),
              testing::ElementsAre(Pair("another", ""), Pair("hash-key", std::string("\0two", 4))));
}

TEST_P(VaultStoreContract, ANamedSecretThatIsRemovedIsGone) {
  ASSERT_TRUE(vault().put_wrapped_secret("alert-channel-1", "wrapped"));
  ASSERT_TRUE(vault().put_wrapped_secret("hash-key", "wrapped"));
  ASSERT_TRUE(vault().remove_wrapped_secret("alert-channel-1"));
  EXPECT_TRUE(vault().remove_wrapped_secret("alert-channel-1")) << "removing again is harmless";
  store_->reopen();
  EXPECT_EQ(vault().wrapped_secret("alert-channel-1").value(), std::nullopt);
  EXPECT_TRUE(vault().wrapped_secret("hash-key").value().has_value());
}

TEST_P(VaultStoreContract, RewrapReplacesEverythingAtOnce) {
  SealedCredential first = sealed(owner(), "one");
  SealedCredential second = sealed(OwnerId{}, "two");
  ASSERT_TRUE(vault().put(first));
  ASSERT_TRUE(vault().put(second));
  ASSERT_TRUE(vault().put_wrapped_secret("hash-key", "old"));
  first.wrapped_data_key = "new one";
  second.wrapped_data_key = "new two";

  ASSERT_TRUE(vault().rewrap({first, second}, {{"hash-key", "new"}}));

  const auto all = vault().all().value();
  expect_same(all.at(0), first);
  expect_same(all.at(1), second);
  EXPECT_EQ(vault().wrapped_secret("hash-key").value(), "new");
}

TEST_P(VaultStoreContract, RewrapThatCannotDoAllDoesNothing) {
  SealedCredential first = sealed(owner(), "one");
  SealedCredential missing = sealed(OwnerId{}, "never stored");
  ASSERT_TRUE(vault().put(first));
  ASSERT_TRUE(vault().put_wrapped_secret("hash-key", "old"));
  const SealedCredential before = first;
  first.wrapped_data_key = "new";

  EXPECT_EQ(vault().rewrap({first, missing}, {{"hash-key", "new"}}).error(), VaultError::not_found);

  expect_same(vault().all().value().at(0), before);
  EXPECT_EQ(vault().wrapped_secret("hash-key").value(), "old");
}

TEST_P(VaultStoreContract, AFullDiskIsSaid) {
  const SealedCredential credential = sealed(owner(), "work");
  store_->refuse_writes();
  EXPECT_EQ(vault().put(credential).error(), VaultError::unavailable);
  EXPECT_EQ(vault().next_credential_id().error(), VaultError::unavailable);
  EXPECT_EQ(vault().put_wrapped_secret("a", "b").error(), VaultError::unavailable);
}

class EgressAllowanceStoreContract : public VaultStoreContract {};
CLAVIGER_OVER_ALL_STORES(EgressAllowanceStoreContract);

TEST_P(EgressAllowanceStoreContract, AllowancesBelongToTheirCredentialAndGoWithIt) {
  const SealedCredential one = sealed(owner(), "one");
  const SealedCredential two = sealed(OwnerId{}, "two");
  ASSERT_TRUE(vault().put(one));
  ASSERT_TRUE(vault().put(two));
  const EgressAllowance ollama{one.about.id, "localhost", 11434};
  const EgressAllowance vllm{two.about.id, "10.0.0.5", 65535};
  ASSERT_TRUE(store_->egress().add(ollama));
  ASSERT_TRUE(store_->egress().add(ollama)) << "adding twice is harmless";
  ASSERT_TRUE(store_->egress().add(vllm));
  store_->reopen();

  EXPECT_THAT(store_->egress().list(one.about.id).value(), testing::ElementsAre(ollama));
  EXPECT_THAT(store_->egress().list(CredentialId{}).value(), testing::ElementsAre(ollama, vllm));
  ASSERT_TRUE(vault().remove(one.about.id));
  EXPECT_THAT(store_->egress().list(CredentialId{}).value(), testing::ElementsAre(vllm));
  EXPECT_EQ(store_->egress().add(ollama).error(), EgressAllowanceError::not_found);
}

}  // namespace
}  // namespace claviger::store

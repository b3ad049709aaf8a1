#include <gmock/gmock.h>

#include "store/contract/store_under_test.h"

namespace claviger::store {
namespace {

using access::AdminKey;
using access::OwnerType;
using access::StoreError;
using access::VirtualKey;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class AccessStoreContract : public StoreContract {
 protected:
  access::AccessStore& access() { return store_->access(); }
  VirtualKey key_of(OwnerId owner, AppId app, std::string hash = std::string(32, 'h')) {
    VirtualKey key;
    key.hash = std::move(hash);
    key.hint = "wxyz";
    key.owner = owner;
    key.app = app;
    key.created_at = now_;
    return key;
  }
};
CLAVIGER_OVER_ALL_STORES(AccessStoreContract);

TEST_P(AccessStoreContract, OwnersSurviveARestart) {
  const auto ada = access().add_owner("Ada \xc3\x9c", OwnerType::person, now_).value();
  const auto team = access().add_owner("team", OwnerType::team, later_).value();
  store_->reopen();

  const auto owners = access().owners().value();
  ASSERT_THAT(owners, SizeIs(2));
  EXPECT_EQ(owners[0].id, ada.id);
  EXPECT_EQ(owners[0].name, "Ada \xc3\x9c");
  EXPECT_EQ(owners[0].type, OwnerType::person);
  EXPECT_EQ(owners[0].time_zone, "UTC");
  EXPECT_EQ(owners[0].created_at, now_);
  EXPECT_EQ(owners[1].id, team.id);
  EXPECT_EQ(owners[1].type, OwnerType::team);
}

TEST_P(AccessStoreContract, TwoOwnersCannotHaveOneName) {
  ASSERT_TRUE(access().add_owner("ada", OwnerType::person, now_));
  EXPECT_EQ(access().add_owner("ada", OwnerType::team, now_).error(), StoreError::exists);
  EXPECT_THAT(access().owners().value(), SizeIs(1));
}

TEST_P(AccessStoreContract, ANameIsFreeAgainOnceItsOwnerIsRemovedButTheIdIsNot) {
  const OwnerId first = owner("ada");
  ASSERT_TRUE(access().remove_owner(first, later_));
  EXPECT_THAT(access().owners().value(), IsEmpty());
  EXPECT_NE(owner("ada"), first);
  EXPECT_EQ(access().remove_owner(first, later_).error(), StoreError::not_found);
}

TEST_P(AccessStoreContract, NamesAreBytesAndComeBackAsTheyWere) {
  const std::string odd("a\0b\xff\xfe'; --", 10);
  ASSERT_TRUE(access().add_owner(odd, OwnerType::person, now_));
  ASSERT_TRUE(access().add_owner("a", OwnerType::person, now_)) << "cut off at the NUL";
  EXPECT_EQ(access().owners().value()[0].name, odd);
}

TEST_P(AccessStoreContract, AnOwnerWithALiveKeyIsInUse) {
  const OwnerId ada = owner();
  const auto key = access().add_key(key_of(ada, app())).value();
  EXPECT_EQ(access().remove_owner(ada, later_).error(), StoreError::in_use);
  ASSERT_TRUE(access().revoke_key(key.id, later_));
  EXPECT_TRUE(access().remove_owner(ada, later_));
}

TEST_P(AccessStoreContract, AnOwnerWithACredentialIsInUse) {
  const OwnerId ada = owner();
  const CredentialId id = store_->vault().next_credential_id().value();
  vault::SealedCredential sealed;
  sealed.about = {.id = id, .owner = ada, .provider = "openai", .name = "work", .created_at = now_};
  ASSERT_TRUE(store_->vault().put(sealed));
  EXPECT_EQ(access().remove_owner(ada, later_).error(), StoreError::in_use);
  ASSERT_TRUE(store_->vault().remove(id));
  EXPECT_TRUE(access().remove_owner(ada, later_));
}

TEST_P(AccessStoreContract, AnOwnerWithAModelFileIsInUse) {
  const OwnerId ada = owner();
  local::LocalModel model;
  model.owner = ada;
  model.name = "m";
  model.path = "/models/m.gguf";
  const auto added = store_->local_models().add(model).value();
  EXPECT_EQ(access().remove_owner(ada, later_).error(), StoreError::in_use);
  ASSERT_TRUE(store_->local_models().remove(added.id));
  EXPECT_TRUE(access().remove_owner(ada, later_));
}

TEST_P(AccessStoreContract, AppsComeAndGoLikeOwners) {
  const AppId notes = app("notes");
  EXPECT_EQ(access().add_app("notes", now_).error(), StoreError::exists);
  const auto key = access().add_key(key_of(owner(), notes)).value();
  EXPECT_EQ(access().remove_app(notes, later_).error(), StoreError::in_use);
  ASSERT_TRUE(access().revoke_key(key.id, later_));
  ASSERT_TRUE(access().remove_app(notes, later_));
  EXPECT_EQ(access().remove_app(notes, later_).error(), StoreError::not_found);
  EXPECT_THAT(access().apps().value(), IsEmpty());
  EXPECT_NE(app("notes"), notes);
}

TEST_P(AccessStoreContract, AKeyComesBackWithEverythingAboutIt) {
  VirtualKey key =
      key_of(owner("ada"), app("notes"), std::string("\0\x01\xff", 3) + std::string(29, 'x'));
  key.models = {"openai/*", "", "two\nlines", "anthropic/claude-*"};
  key.expires_at = later_;
  key.limits = {.requests_per_minute = 60, .tokens_per_minute = 1000, .concurrent_requests = 4};
  const auto added = access().add_key(key).value();
  store_->reopen();

  const auto keys = access().keys().value();
  ASSERT_THAT(keys, SizeIs(1));
  const VirtualKey& found = keys[0];
  EXPECT_EQ(found.id, added.id);
  EXPECT_EQ(found.hash, key.hash);
  EXPECT_EQ(found.hint, "wxyz");
  EXPECT_EQ(found.owner, key.owner);
  EXPECT_EQ(found.app, key.app);
  EXPECT_EQ(found.owner_name, "ada");
  EXPECT_EQ(found.app_name, "notes");
  EXPECT_EQ(added.owner_name, "ada");
  EXPECT_EQ(found.models, key.models);
  EXPECT_EQ(found.expires_at, later_);
  EXPECT_EQ(found.limits, key.limits);
  EXPECT_EQ(found.created_at, now_);
  EXPECT_EQ(found.revoked_at, std::nullopt);
  EXPECT_EQ(found.pace, nullptr);
}

TEST_P(AccessStoreContract, PatternsStayWithTheirOwnKey) {
  VirtualKey first = key_of(owner(), app(), std::string(32, '1'));
  first.models = {"a/*"};
  VirtualKey second = key_of(first.owner, first.app, std::string(32, '2'));
  ASSERT_TRUE(access().add_key(first));
  ASSERT_TRUE(access().add_key(second));
  const auto keys = access().keys().value();
  EXPECT_THAT(keys.at(0).models, SizeIs(1));
  EXPECT_THAT(keys.at(1).models, IsEmpty());
}

TEST_P(AccessStoreContract, RevokingTwiceKeepsTheFirstTime) {
  const auto key = access().add_key(key_of(owner(), app())).value();
  ASSERT_TRUE(access().revoke_key(key.id, now_));
  ASSERT_TRUE(access().revoke_key(key.id, later_));
  EXPECT_EQ(access().keys().value().at(0).revoked_at, now_);
  EXPECT_EQ(access().revoke_key(VirtualKeyId{999}, now_).error(), StoreError::not_found);
}

TEST_P(AccessStoreContract, AKeyNeedsAnOwnerAndAnAppInForce) {
  const OwnerId gone = owner("gone");
  ASSERT_TRUE(access().remove_owner(gone, now_));
  const AppId notes = app();
  EXPECT_EQ(access().add_key(key_of(gone, notes)).error(), StoreError::not_found);
  EXPECT_EQ(access().add_key(key_of(OwnerId{77}, notes)).error(), StoreError::not_found);
  EXPECT_EQ(access().add_key(key_of(owner(), AppId{77})).error(), StoreError::not_found);
  EXPECT_THAT(access().keys().value(), IsEmpty());
}

TEST_P(AccessStoreContract, TwoKeysCannotHaveOneHash) {
  const VirtualKey key = key_of(owner(), app());
  ASSERT_TRUE(access().add_key(key));
  EXPECT_EQ(access().add_key(key).error(), StoreError::exists);
}

TEST_P(AccessStoreContract, AdminKeysComeBackRevokedOnesToo) {
  AdminKey key;
  key.name = "first";
  key.hash = std::string(32, '\0');
  key.hint = "abcd";
  key.created_at = now_;
  const auto added = access().add_admin_key(key).value();
  EXPECT_EQ(access().add_admin_key(key).error(), StoreError::exists);
  ASSERT_TRUE(access().revoke_admin_key(added.id, later_));
  EXPECT_EQ(access().revoke_admin_key(AdminKeyId{9}, later_).error(), StoreError::not_found);
  store_->reopen();

  const auto keys = access().admin_keys().value();
  ASSERT_THAT(keys, SizeIs(1));
  EXPECT_EQ(keys[0].id, added.id);
  EXPECT_EQ(keys[0].name, "first");
  EXPECT_EQ(keys[0].hash, key.hash);
  EXPECT_EQ(keys[0].hint, "abcd");
  EXPECT_EQ(keys[0].revoked_at, later_);
}

TEST_P(AccessStoreContract, AFullDiskIsSaidAndLeavesNothingBehind) {
  const OwnerId ada = owner();
  const AppId notes = app();
  store_->refuse_writes();
  EXPECT_EQ(access().add_owner("bob", OwnerType::person, now_).error(), StoreError::unavailable);
  EXPECT_EQ(access().add_key(key_of(ada, notes)).error(), StoreError::unavailable);
  EXPECT_EQ(access().remove_owner(ada, now_).error(), StoreError::unavailable);
  store_->reopen();
  EXPECT_THAT(access().owners().value(), SizeIs(1));
  EXPECT_TRUE(access().add_owner("bob", OwnerType::person, now_));
}

}  // namespace
}  // namespace claviger::store

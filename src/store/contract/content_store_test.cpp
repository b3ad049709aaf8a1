#include <gmock/gmock.h>

#include "store/contract/store_under_test.h"

namespace claviger::store {
namespace {

using record::SealedContent;

class ContentStoreContract : public StoreContract {
 protected:
  record::ContentStore& contents() { return store_->contents(); }
  SealedContent content(std::uint64_t number, int days = 7, OwnerId owner = OwnerId{1}) const {
    return {.request = {7, number},
            .owner = owner,
            .kept_at = now_,
            .expires_at = now_ + std::chrono::days(days),
            .sealed = "sealed"};
  }
  bool has(std::uint64_t number) { return contents().find({7, number}).value().has_value(); }
};
CLAVIGER_OVER_ALL_STORES(ContentStoreContract);

TEST_P(ContentStoreContract, WhatWasKeptIsFound) {
  ASSERT_TRUE(contents().append({content(1), content(2, 3, OwnerId{2})}));
  store_->reopen();
  const auto found = contents().find({7, 2}).value();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->owner, OwnerId{2});
  EXPECT_EQ(found->expires_at, now_ + std::chrono::days(3));
  EXPECT_EQ(found->sealed, "sealed");
  EXPECT_FALSE(has(3));
}

TEST_P(ContentStoreContract, WhatHasExpiredIsDeletedAndNothingElse) {
  ASSERT_TRUE(contents().append({content(1, 1), content(2, 2)}));
  ASSERT_TRUE(contents().remove_expired(now_ + std::chrono::days(1)));
  EXPECT_FALSE(has(1));
  EXPECT_TRUE(has(2));
}

TEST_P(ContentStoreContract, AShorterRetentionHoldsForWhatIsThereAlready) {
  ASSERT_TRUE(contents().append({content(1, 7), content(2, 7, OwnerId{2})}));
  ASSERT_TRUE(contents().shorten(OwnerId{1}, 2));
  EXPECT_EQ(contents().find({7, 1}).value()->expires_at, now_ + std::chrono::days(2));
  ASSERT_TRUE(contents().shorten(OwnerId{1}, 5));
  EXPECT_EQ(contents().find({7, 1}).value()->expires_at, now_ + std::chrono::days(2))
      << "a longer one is for what comes";
  ASSERT_TRUE(contents().shorten(OwnerId{1}, 0));
  EXPECT_FALSE(has(1));
  EXPECT_TRUE(has(2)) << "another owner's";
}

TEST_P(ContentStoreContract, AnOwnersSettingIsKeptAndReachesTheirKeys) {
  const OwnerId ada = owner();
  ASSERT_TRUE(store_->access().add_key(
      {.hash = std::string(32, 'h'), .owner = ada, .app = app(), .created_at = now_}));
  EXPECT_EQ(store_->access().owners().value()[0].keeps_content, "off");
  EXPECT_FALSE(store_->access().keys().value()[0].keeps_content);
  ASSERT_TRUE(store_->access().set_keeping(ada, "stored", 30));
  EXPECT_EQ(store_->access().owners().value()[0].keeps_content, "stored");
  EXPECT_EQ(store_->access().owners().value()[0].kept_days, 30);
  EXPECT_TRUE(store_->access().keys().value()[0].keeps_content);
  EXPECT_EQ(store_->access().set_keeping(OwnerId{99}, "off", 0).error(),
            access::StoreError::not_found);
}

}  // namespace
}  // namespace claviger::store

#include <gmock/gmock.h>

#include "store/contract/store_under_test.h"

namespace claviger::store {
namespace {

using record::RecordError;
using record::Share;
using record::ShareId;
using ::testing::SizeIs;

class SharedPageStoreContract : public StoreContract {
 protected:
  record::SharedPageStore& shares() { return store_->shares(); }
  ShareId share(std::string_view hash, int days = 7) {
    return shares()
        .add({.id = {},
              .request = {7, 1},
              .created_at = now_,
              .expires_at = now_ + std::chrono::days(days)},
             hash, "<p>page</p>")
        .value();
  }
};
CLAVIGER_OVER_ALL_STORES(SharedPageStoreContract);

TEST_P(SharedPageStoreContract, APageIsSeenByItsHashUntilItExpires) {
  const ShareId id = share("hash one", 1);
  store_->reopen();
  EXPECT_EQ(shares().find("hash one", now_).value(), "<p>page</p>");
  EXPECT_EQ(shares().find("hash two", now_).value(), std::nullopt);
  EXPECT_EQ(shares().find("hash one", now_ + std::chrono::days(1)).value(), std::nullopt);
  const auto all = shares().list(now_).value();
  ASSERT_THAT(all, SizeIs(1));
  EXPECT_EQ(all[0].id, id);
  EXPECT_EQ(all[0].request, (RequestId{7, 1}));
}

TEST_P(SharedPageStoreContract, WhatIsTakenBackIsGone) {
  const ShareId first = share("hash one");
  share("hash two");
  ASSERT_TRUE(shares().take_back(first, now_));
  EXPECT_EQ(shares().find("hash one", now_).value(), std::nullopt);
  EXPECT_EQ(shares().find("hash two", now_).value(), "<p>page</p>");
  EXPECT_THAT(shares().list(now_).value(), SizeIs(1));
  EXPECT_EQ(shares().take_back(first, now_).error(), RecordError::not_found);
}

TEST_P(SharedPageStoreContract, WhatHasExpiredIsDeletedFromTheDisk) {
  share("hash one", 1);
  share("hash two", 2);
  ASSERT_TRUE(shares().remove_expired(now_ + std::chrono::days(1)));
  EXPECT_EQ(shares().find("hash one", now_).value(), std::nullopt);
  EXPECT_EQ(shares().find("hash two", now_).value(), "<p>page</p>");
}

}  // namespace
}  // namespace claviger::store

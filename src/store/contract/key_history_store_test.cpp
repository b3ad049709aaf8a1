#include <gmock/gmock.h>

#include "store/contract/store_under_test.h"

namespace claviger::store {
namespace {

using record::KeyHistory;
using record::RecordError;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class KeyHistoryStoreContract : public StoreContract {
 protected:
  record::KeyHistoryStore& keys() { return store_->key_histories(); }
  CredentialId credential(std::string name) {
    const CredentialId id = store_->vault().next_credential_id().value();
    EXPECT_TRUE(store_->vault().put(
        {.about = {.id = id, .provider = "openai", .name = std::move(name), .created_at = now_},
         .wrapped_data_key = "w",
         .sealed_key = "s"}));
    return id;
  }
  KeyHistory about(CredentialId id) const {
    return {.credential = id,
            .worked_at = now_,
            .failed_at = later_,
            .failure = "key_revoked",
            .failures_in_a_row = 3};
  }
};
CLAVIGER_OVER_ALL_STORES(KeyHistoryStoreContract);

TEST_P(KeyHistoryStoreContract, TheLatestIsKeptAcrossARestart) {
  const CredentialId first = credential("first");
  const CredentialId second = credential("second");
  KeyHistory never_failed{.credential = second, .worked_at = now_};
  ASSERT_TRUE(keys().put({{.credential = first, .worked_at = now_}, never_failed}));
  ASSERT_TRUE(keys().put({about(first)}));
  store_->reopen();
  EXPECT_THAT(keys().all().value(), ElementsAre(about(first), never_failed));
}

TEST_P(KeyHistoryStoreContract, WhatIsRemovedIsGoneAndDoesNotComeBack) {
  const CredentialId id = credential("one");
  ASSERT_TRUE(keys().put({about(id)}));
  ASSERT_TRUE(keys().remove(id));
  EXPECT_THAT(keys().all().value(), IsEmpty());
  ASSERT_TRUE(keys().remove(id)) << "twice is no error";
  // A stream that a removed credential began ends after it.
  ASSERT_TRUE(store_->vault().remove(id));
  ASSERT_TRUE(keys().put({about(id)}));
  EXPECT_THAT(keys().all().value(), IsEmpty());
}

TEST_P(KeyHistoryStoreContract, AStoreThatDoesNotTakeItSaysSo) {
  const CredentialId id = credential("one");
  store_->refuse_writes();
  EXPECT_EQ(keys().put({about(id)}), std::unexpected(RecordError::unavailable));
}

}  // namespace
}  // namespace claviger::store

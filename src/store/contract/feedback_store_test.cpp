#include <gmock/gmock.h>

#include "store/contract/store_under_test.h"

namespace claviger::store {
namespace {

using record::Feedback;
using record::Opinion;
using record::RecordError;
using ::testing::ElementsAre;

class FeedbackStoreContract : public StoreContract {
 protected:
  record::FeedbackStore& feedback() { return store_->feedback(); }
  Feedback about(std::uint64_t number, Opinion opinion = Opinion::bad) const {
    return {.request = {7, number}, .opinion = opinion, .why = "it lied", .given_at = now_};
  }
};
CLAVIGER_OVER_ALL_STORES(FeedbackStoreContract);

TEST_P(FeedbackStoreContract, WhatWasSaidIsKept) {
  ASSERT_TRUE(feedback().put(about(1)));
  store_->reopen();
  EXPECT_EQ(feedback().find({7, 1}).value(), about(1));
  EXPECT_EQ(feedback().find({7, 2}).value(), std::nullopt);
}

TEST_P(FeedbackStoreContract, TheLastWordOnARequestCounts) {
  ASSERT_TRUE(feedback().put(about(1)));
  ASSERT_TRUE(feedback().put(about(1, Opinion::good)));
  EXPECT_EQ(feedback().find({7, 1}).value(), about(1, Opinion::good));
}

TEST_P(FeedbackStoreContract, IsFoundForAListOfRequests) {
  for (const std::uint64_t number : {1, 2, 3, 4}) ASSERT_TRUE(feedback().put(about(number)));
  EXPECT_THAT(feedback().between({7, 2}, {7, 3}).value(), ElementsAre(about(2), about(3)));
}

TEST_P(FeedbackStoreContract, AStoreThatDoesNotTakeItSaysSo) {
  store_->refuse_writes();
  EXPECT_EQ(feedback().put(about(1)), std::unexpected(RecordError::unavailable));
}

}  // namespace
}  // namespace claviger::store

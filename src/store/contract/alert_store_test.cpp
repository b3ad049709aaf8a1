#include <gmock/gmock.h>

#include "store/contract/store_under_test.h"

namespace claviger::store {
namespace {

using alert::Alert;
using alert::AlertStoreError;
using alert::Channel;
using alert::ChannelKind;
using alert::Condition;
using alert::Delivery;
using alert::DeliveryState;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class AlertStoreContract : public StoreContract {
 protected:
  alert::AlertStore& alerts() { return store_->alerts(); }

  Channel channel(OwnerId owner = {}, std::string target = "https://example.com/hook",
                  ChannelKind kind = ChannelKind::webhook) {
    return alerts()
        .add_channel({.id = {},
                      .owner = owner,
                      .kind = kind,
                      .target = std::move(target),
                      .created_at = now_})
        .value();
  }
  Alert made(std::string occasion, OwnerId owner = {}, BudgetId budget = BudgetId{3}) {
    return {.number = 0,
            .id = alert::new_alert_id(now_),
            .finding = {.condition = Condition::budget_threshold,
                        .occasion = std::move(occasion),
                        .owner = owner,
                        .budget = budget,
                        .summary = "so it is",
                        .details = R"({"a":1})"},
            .detected_at = now_,
            .acknowledged_at = std::nullopt,
            .acknowledged_by = {}};
  }
  Alert add(std::string occasion, OwnerId owner = {}, BudgetId budget = BudgetId{3}) {
    return alerts().add(made(std::move(occasion), owner, budget)).value().value();
  }
};
CLAVIGER_OVER_ALL_STORES(AlertStoreContract);

TEST_P(AlertStoreContract, AnAlertComesBackWithEverythingAboutIt) {
  const OwnerId ada = owner();
  const Alert added = add("budget/3/0/50", ada);
  store_->reopen();

  const Alert found = alerts().find(added.id).value();
  EXPECT_EQ(found.number, added.number);
  EXPECT_EQ(found.id, added.id);
  EXPECT_EQ(found.finding.condition, Condition::budget_threshold);
  EXPECT_EQ(found.finding.occasion, "budget/3/0/50");
  EXPECT_EQ(found.finding.owner, ada);
  EXPECT_EQ(found.finding.budget, BudgetId{3});
  EXPECT_EQ(found.finding.summary, "so it is");
  EXPECT_EQ(found.finding.details, R"({"a":1})");
  EXPECT_EQ(found.detected_at, now_);
  EXPECT_EQ(found.acknowledged_at, std::nullopt);
}

TEST_P(AlertStoreContract, AnOccasionIsOneAlertHoweverOftenItIsFound) {
  channel();
  const Alert first = add("budget/3/0/50");
  store_->reopen();
  EXPECT_EQ(alerts().add(made("budget/3/0/50")).value().has_value(), false);
  EXPECT_THAT(alerts().list({}).value(), SizeIs(1));
  EXPECT_EQ(alerts().list({}).value()[0].id, first.id);
  EXPECT_THAT(alerts().deliveries(first.number).value(), SizeIs(1));
}

TEST_P(AlertStoreContract, AnOwnersChannelGetsTheirAlertsAndTheOperatorsGetsAll) {
  const OwnerId ada = owner("ada");
  const OwnerId bob = owner("bob");
  const Channel all = channel();
  const Channel hers = channel(ada, "ada@example.com", ChannelKind::mail);
  channel(bob, "bob@example.com", ChannelKind::mail);

  const auto of = [&](const Alert& alert) {
    std::vector<alert::ChannelId> ids;
    for (const Delivery& one : alerts().deliveries(alert.number).value()) {
      ids.push_back(one.channel);
    }
    return ids;
  };
  EXPECT_THAT(of(add("a", ada)), ElementsAre(all.id, hers.id));
  EXPECT_THAT(of(add("b")), ElementsAre(all.id));
}

TEST_P(AlertStoreContract, WhatIsNotYetDeliveredIsDueAfterARestart) {
  const Channel there = channel();
  const Alert alert = add("a");
  store_->reopen();

  EXPECT_THAT(alerts().due(now_ - std::chrono::seconds(1), 10).value(), IsEmpty());
  const auto due = alerts().due(now_, 10).value();
  ASSERT_THAT(due, SizeIs(1));
  EXPECT_EQ(due[0].alert.id, alert.id);
  EXPECT_EQ(due[0].channel.id, there.id);
  EXPECT_EQ(due[0].channel.target, "https://example.com/hook");
  EXPECT_EQ(due[0].delivery.attempts, 0);
}

TEST_P(AlertStoreContract, AFailedAttemptWaitsADeadOneIsListedAndRetryBringsItBack) {
  channel();
  const Alert alert = add("a");
  Delivery delivery = alerts().due(now_, 10).value().at(0).delivery;
  delivery.attempts = 1;
  delivery.next_at = later_;
  delivery.trouble = "it answered 500";
  ASSERT_TRUE(alerts().update(delivery));
  EXPECT_THAT(alerts().due(now_, 10).value(), IsEmpty());
  EXPECT_THAT(alerts().due(later_, 10).value(), SizeIs(1));
  EXPECT_THAT(alerts().list({.only_dead = true}).value(), IsEmpty());

  delivery.state = DeliveryState::dead;
  ASSERT_TRUE(alerts().update(delivery));
  EXPECT_THAT(alerts().due(later_, 10).value(), IsEmpty());
  EXPECT_THAT(alerts().list({.only_dead = true}).value(), SizeIs(1));
  EXPECT_EQ(alerts().deliveries(alert.number).value().at(0).trouble, "it answered 500");

  EXPECT_EQ(alerts().retry(alert.id, later_), 1);
  EXPECT_EQ(alerts().due(later_, 10).value().at(0).delivery.attempts, 0);

  delivery.state = DeliveryState::delivered;
  delivery.delivered_at = later_;
  ASSERT_TRUE(alerts().update(delivery));
  EXPECT_EQ(alerts().retry(alert.id, later_), 0) << "what was delivered is not sent again";
  EXPECT_EQ(alerts().retry("alr_nobody", later_).error(), AlertStoreError::not_found);
}

TEST_P(AlertStoreContract, ARemovedChannelIsForgottenWithWhatWasToGoThere) {
  const Channel gone = channel({}, "https://example.com/very-secret-path");
  add("a");
  const Delivery delivery = alerts().due(now_, 10).value().at(0).delivery;
  ASSERT_TRUE(alerts().remove_channel(gone.id, now_));
  EXPECT_THAT(alerts().channels().value(), IsEmpty());
  EXPECT_THAT(alerts().due(later_, 10).value(), IsEmpty());
  EXPECT_EQ(alerts().update(delivery).error(), AlertStoreError::not_found);
  EXPECT_EQ(alerts().remove_channel(gone.id, now_).error(), AlertStoreError::not_found);
  EXPECT_NE(channel({}, "https://example.com/very-secret-path").id, gone.id);
}

TEST_P(AlertStoreContract, ChannelsAreUniqueAndBounded) {
  const OwnerId ada = owner();
  const auto add_to = [&](OwnerId whose, const std::string& target) {
    return alerts().add_channel({.id = {},
                                 .owner = whose,
                                 .kind = ChannelKind::webhook,
                                 .target = target,
                                 .created_at = now_});
  };
  ASSERT_TRUE(add_to(ada, "https://a.example"));
  EXPECT_EQ(add_to(ada, "https://a.example").error(), AlertStoreError::exists);
  EXPECT_TRUE(add_to({}, "https://a.example"));
  EXPECT_EQ(add_to(OwnerId{999}, "https://a.example").error(), AlertStoreError::not_found);
  for (std::size_t i = 1; i < alert::kChannelsPerOwnerMax; ++i) {
    ASSERT_TRUE(add_to(ada, "https://" + std::to_string(i) + ".example"));
  }
  EXPECT_EQ(add_to(ada, "https://more.example").error(), AlertStoreError::too_many);
}

TEST_P(AlertStoreContract, AcknowledgingIsDoneOnceAndSaysByWhom) {
  const Alert alert = add("a");
  EXPECT_EQ(alerts().acknowledge(alert.id, "ops", now_).value().acknowledged_by, "ops");
  const Alert again = alerts().acknowledge(alert.id, "somebody", later_).value();
  EXPECT_EQ(again.acknowledged_by, "ops");
  EXPECT_EQ(again.acknowledged_at, now_);
  EXPECT_THAT(alerts().list({.only_open = true}).value(), IsEmpty());
  EXPECT_EQ(alerts().acknowledge("alr_nobody", "ops", now_).error(), AlertStoreError::not_found);
}

TEST_P(AlertStoreContract, WhoFollowsAlongSeesAllInOrder) {
  EXPECT_EQ(alerts().newest_number(), 0);
  const Alert first = add("a");
  const Alert second = add("b");
  const Alert third = add("c");
  EXPECT_EQ(alerts().newest_number(), third.number);
  const auto after = alerts().list_after(first.number, 10).value();
  ASSERT_THAT(after, SizeIs(2));
  EXPECT_EQ(after[0].id, second.id);
  EXPECT_EQ(after[1].id, third.id);
  EXPECT_THAT(alerts().list_after(first.number, 1).value(), SizeIs(1));
  EXPECT_EQ(alerts().list({.limit = 2}).value().at(0).id, third.id) << "lists are newest first";
}

TEST_P(AlertStoreContract, WhatWasWarnedOfABudgetIsNeverForgotten) {
  add("budget/3/0/50");
  add("request/req_1", {}, BudgetId{});
  ASSERT_TRUE(alerts().forget_before(later_));
  const auto left = alerts().list({}).value();
  ASSERT_THAT(left, SizeIs(1));
  EXPECT_EQ(left[0].finding.occasion, "budget/3/0/50");
}

TEST_P(AlertStoreContract, PacesAreKeptForADay) {
  const std::int64_t slot = unix_micros(now_) / 1'800'000'000;
  const alert::PaceSample old{BudgetId{1}, slot - 60, now_, NanoUsd(5)};
  const alert::PaceSample before{BudgetId{1}, slot - 1, now_, NanoUsd(7)};
  const alert::PaceSample last{BudgetId{1}, slot, now_, NanoUsd(9)};
  ASSERT_TRUE(alerts().keep({old, before, last}, now_));
  ASSERT_TRUE(alerts().keep({last}, now_));
  store_->reopen();
  EXPECT_THAT(alerts().samples().value(), ElementsAre(before, last));
}

TEST_P(AlertStoreContract, AFullDiskIsSaidAndNothingIsHalfDone) {
  channel();
  store_->refuse_writes();
  EXPECT_EQ(alerts().add(made("a")).error(), AlertStoreError::unavailable);
  store_->reopen();
  EXPECT_THAT(alerts().list({}).value(), IsEmpty());
  EXPECT_THAT(alerts().due(later_, 10).value(), IsEmpty());
}

}  // namespace
}  // namespace claviger::store

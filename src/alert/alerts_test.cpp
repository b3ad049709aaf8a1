#include "alert/alerts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "alert/memory_alert_store.h"
#include "alert/retry.h"
#include "budget/memory_ledger.h"

namespace claviger::alert {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr std::uint64_t kSeed = 42;

/// Does what the test says; what it was asked to do is kept.
class DelivererDouble final : public Deliverer {
 public:
  Task<DeliveryOutcome> deliver(Channel channel, Message message, Deadline) override {
    asked.push_back({channel.id, std::move(message)});
    co_return outcome;
  }
  struct Asked {
    ChannelId channel;
    Message message;
  };
  std::vector<Asked> asked;
  DeliveryOutcome outcome{.result = DeliveryOutcome::Result::delivered};
};

class AlertsTest : public testing::Test {
 protected:
  AlertsTest() { restart(); }

  /// As after a crash: what was in memory is gone, what was stored is not.
  void restart() {
    alerts_.emplace(Alerts::Parts{.clock = clock_,
                                  .store = store_,
                                  .ledger = ledger_,
                                  .deliverer = deliverer_,
                                  .inbox = inbox_,
                                  .take_crossed = [this] { return std::exchange(crossed_, {}); },
                                  .on_alert = [this] { ++told_; },
                                  .on_passed = [this](auto passed) { passed_ = std::move(passed); },
                                  .jitter_seed = kSeed});
    alerts_->start();
    alerts_->set_budgets(watched_);
  }
  void watch(NanoUsd limit, std::vector<int> warn = {50, 80, 95, 100},
             budget::Period period = budget::Period::month) {
    WatchedBudget watched;
    watched.budget.terms = {.id = id_, .limit = limit, .period = period};
    watched.budget.scope = budget::Scope::owner;
    watched.budget.warn_percents = std::move(warn);
    watched.scope = "owner:alice";
    watched.owner = OwnerId{1};
    watched_ = {watched};
    ASSERT_TRUE(run(ledger_.set_terms(watched.budget.terms)));
    alerts_->set_budgets(watched_);
  }
  void spend(NanoUsd cost) {
    const AttemptId attempt{.request = new_request_id(clock_.wall_now())};
    budget::BudgetSet budgets;
    ASSERT_TRUE(budgets.add(id_));
    const auto grant = run(ledger_.reserve(
        {.attempt = attempt, .budgets = budgets, .cost_max = cost, .cost_least = cost}));
    ASSERT_TRUE(grant);
    ASSERT_TRUE(run(ledger_.settle(grant->hold, cost, budget::Certainty::billed)));
  }
  void tick(Duration after = std::chrono::seconds(2)) {
    clock_.advance(after);
    run([](Alerts& alerts) -> Task<int> {
      co_await alerts.tick();
      co_return 0;
    }(*alerts_));
  }
  std::vector<std::string> found() {
    std::vector<std::string> types;
    for (const Alert& alert : store_.alerts) types.emplace_back(to_text(alert.finding.condition));
    return types;
  }
  void add_channel() {
    ASSERT_TRUE(store_.add_channel({.id = {}, .owner = {}, .target = "https://x.example"}));
  }
  Crossed turned_away() {
    return {.budget = id_,
            .period_start = run(ledger_.balance(id_)).value().period_start,
            .percent = 100};
  }

  const BudgetId id_{3};
  ManualClock clock_;
  MemoryAlertStore store_;
  budget::MemoryLedger ledger_{clock_};
  DelivererDouble deliverer_;
  Inbox inbox_;
  std::vector<Crossed> crossed_;
  std::vector<WatchedBudget> watched_;
  std::shared_ptr<const PassedThresholds> passed_;
  int told_ = 0;
  std::optional<Alerts> alerts_;
};

TEST_F(AlertsTest, EachThresholdIsFoundOnceInAPeriod) {
  watch(dollars(10));
  spend(dollars(4));
  tick();
  EXPECT_THAT(store_.alerts, IsEmpty());
  spend(dollars(1));
  tick();
  ASSERT_THAT(store_.alerts, SizeIs(1));
  EXPECT_THAT(store_.alerts[0].finding.summary,
              AllOf(HasSubstr("owner:alice"), HasSubstr("50 %"), HasSubstr("$5.00")));
  spend(dollars(1));
  for (int i = 0; i < 5; ++i) tick();
  EXPECT_THAT(store_.alerts, SizeIs(1));
  EXPECT_EQ(store_.adds, 1) << "what is known is not asked of the store again";
  spend(dollars(2));
  tick();
  EXPECT_THAT(store_.alerts, SizeIs(2));
  EXPECT_EQ(told_, 2);
}

TEST_F(AlertsTest, ARestartFindsNothingAgain) {
  watch(dollars(10));
  spend(dollars(9));
  tick();
  EXPECT_THAT(store_.alerts, SizeIs(2));
  restart();
  tick();
  EXPECT_THAT(store_.alerts, SizeIs(2));
}

TEST_F(AlertsTest, TheNextPeriodIsANewOne) {
  watch(dollars(10), {50}, budget::Period::day);
  spend(dollars(6));
  tick();
  clock_.advance(std::chrono::hours(24));
  tick();
  EXPECT_THAT(store_.alerts, SizeIs(1));
  spend(dollars(6));
  tick();
  EXPECT_THAT(store_.alerts, SizeIs(2));
  EXPECT_NE(store_.alerts[0].finding.occasion, store_.alerts[1].finding.occasion);
}

TEST_F(AlertsTest, ARaisedLimitIsWarnedOfAnew) {
  watch(dollars(10), {50});
  spend(dollars(6));
  tick();
  watch(dollars(100), {50});
  tick();
  EXPECT_THAT(store_.alerts, SizeIs(1));
  spend(dollars(50));
  tick();
  EXPECT_THAT(store_.alerts, SizeIs(2));
}

TEST_F(AlertsTest, AHundredPercentIsTheFirstRequestThatIsTurnedAway) {
  watch(dollars(10), {100});
  spend(dollars(2));
  crossed_ = {turned_away()};
  tick(std::chrono::milliseconds(10));
  EXPECT_THAT(found(), ElementsAre("budget.exhausted"));
  EXPECT_THAT(store_.alerts[0].finding.summary, HasSubstr("$2.00 of $10.00"));
  crossed_ = {turned_away()};
  tick();
  EXPECT_THAT(store_.alerts, SizeIs(1));
}

TEST_F(AlertsTest, AWordAboutAPeriodThatIsOverIsTooLate) {
  watch(dollars(10), {100}, budget::Period::day);
  const Crossed late = turned_away();
  clock_.advance(std::chrono::hours(24));
  crossed_ = {late};
  tick();
  EXPECT_THAT(store_.alerts, IsEmpty());
}

TEST_F(AlertsTest, AllSpentIsAHundredPercentToo) {
  watch(dollars(10), {100});
  spend(dollars(10));
  tick();
  EXPECT_THAT(found(), ElementsAre("budget.exhausted"));
}

TEST_F(AlertsTest, ABillAboveTheLimitIsAnOverrun) {
  watch(dollars(10), {});
  const AttemptId attempt{.request = new_request_id(clock_.wall_now())};
  budget::BudgetSet budgets;
  ASSERT_TRUE(budgets.add(id_));
  const auto grant = run(ledger_.reserve(
      {.attempt = attempt, .budgets = budgets, .cost_max = dollars(1), .cost_least = dollars(1)}));
  ASSERT_TRUE(run(ledger_.settle(grant->hold, dollars(12), budget::Certainty::billed)));
  tick();
  ASSERT_THAT(found(), ElementsAre("budget.overrun"));
  EXPECT_THAT(store_.alerts[0].finding.details, HasSubstr(R"("over_usd":"2.00")"));
}

TEST_F(AlertsTest, WhatIsHeldIsNotUsed) {
  watch(dollars(10), {50});
  budget::BudgetSet budgets;
  ASSERT_TRUE(budgets.add(id_));
  ASSERT_TRUE(run(ledger_.reserve({.attempt = {.request = new_request_id(clock_.wall_now())},
                                   .budgets = budgets,
                                   .cost_max = dollars(9),
                                   .cost_least = dollars(9)})));
  tick();
  EXPECT_THAT(store_.alerts, IsEmpty());
}

TEST_F(AlertsTest, APaceThatUsesUpTheMonthIsSaid) {
  watch(dollars(100), {});
  for (int i = 0; i < 20; ++i) {
    spend(cents(50));
    tick(std::chrono::minutes(30));
  }
  ASSERT_THAT(found(), ElementsAre("budget.forecast"));
  EXPECT_THAT(store_.alerts[0].finding.summary,
              AllOf(HasSubstr("$24.00 a day"), HasSubstr("reaches its $100.00 on")));
  const Outlook outlook = alerts_->outlook(id_);
  ASSERT_TRUE(outlook.used_up_at);
  EXPECT_EQ(outlook.rate->per_day(), dollars(24));
}

TEST_F(AlertsTest, APaceThatFitsIsNotSaid) {
  watch(dollars(10'000), {});
  for (int i = 0; i < 40; ++i) {
    spend(cents(50));
    tick(std::chrono::minutes(30));
  }
  EXPECT_THAT(store_.alerts, IsEmpty());
  EXPECT_TRUE(alerts_->outlook(id_).rate);
  EXPECT_FALSE(alerts_->outlook(id_).used_up_at);
}

TEST_F(AlertsTest, TheHeaderSaysWhichThresholdIsPassed) {
  watch(dollars(10));
  tick();
  EXPECT_EQ(passed_, nullptr) << "nothing has changed";
  spend(dollars(8));
  tick();
  ASSERT_NE(passed_, nullptr);
  const std::array concerned = {BudgetId{1}, id_};
  ASSERT_NE(passed_->fullest_of(concerned), nullptr);
  EXPECT_THAT(passed_->fullest_of(concerned)->header,
              HasSubstr("bud_3; used=80%; threshold=80%; resets="));
  const std::array others = {BudgetId{1}, BudgetId{2}};
  EXPECT_EQ(passed_->fullest_of(others), nullptr);
  clock_.advance(std::chrono::hours(24 * 40));
  tick();
  EXPECT_TRUE(passed_->empty()) << "a new month";
}

TEST_F(AlertsTest, ADeliveryIsMadeOnceAndUnderTheAlertsId) {
  add_channel();
  watch(dollars(10), {50});
  spend(dollars(5));
  for (int i = 0; i < 5; ++i) tick();
  ASSERT_THAT(deliverer_.asked, SizeIs(1));
  EXPECT_EQ(deliverer_.asked[0].message.id, store_.alerts[0].id);
  EXPECT_EQ(store_.all_deliveries.begin()->second.state, DeliveryState::delivered);
}

TEST_F(AlertsTest, WhatACrashLeftUndeliveredIsDeliveredUnderTheSameId) {
  add_channel();
  watch(dollars(10), {50});
  deliverer_.outcome = {.result = DeliveryOutcome::Result::failed, .trouble = "down"};
  spend(dollars(5));
  tick();
  ASSERT_THAT(deliverer_.asked, SizeIs(1));
  restart();
  deliverer_.outcome = {.result = DeliveryOutcome::Result::delivered};
  tick(std::chrono::seconds(10));
  ASSERT_THAT(deliverer_.asked, SizeIs(2));
  EXPECT_EQ(deliverer_.asked[0].message.id, deliverer_.asked[1].message.id);
  EXPECT_EQ(to_json(deliverer_.asked[0].message), to_json(deliverer_.asked[1].message));
}

TEST_F(AlertsTest, AnOutcomeThatCannotBeStoredIsNotDeliveredAgainMeanwhile) {
  add_channel();
  watch(dollars(10), {50});
  spend(dollars(5));
  store_.unavailable = true;
  tick();
  EXPECT_EQ(alerts_->findings_waiting(), 1u);
  store_.unavailable = false;
  tick();
  EXPECT_THAT(deliverer_.asked, SizeIs(1));
  EXPECT_EQ(alerts_->findings_waiting(), 0u);

  spend(dollars(1));
  watch(dollars(11), {50});
  deliverer_.asked.clear();
  tick();
  ASSERT_THAT(deliverer_.asked, SizeIs(1));
  store_.all_deliveries.rbegin()->second.state = DeliveryState::waiting;
  EXPECT_EQ(alerts_->attempts_under_way(), 0u);
}

TEST_F(AlertsTest, GivesUpAfterAboutADayAndRetryBringsItBack) {
  SCOPED_TRACE(kSeed);
  add_channel();
  watch(dollars(10), {50});
  deliverer_.outcome = {.result = DeliveryOutcome::Result::failed, .trouble = "it answered 500"};
  spend(dollars(5));
  const Instant began = clock_.now();
  Delivery& delivery = [this]() -> Delivery& {
    tick();
    return store_.all_deliveries.begin()->second;
  }();
  while (delivery.state == DeliveryState::waiting) tick(std::chrono::seconds(60));
  EXPECT_EQ(delivery.state, DeliveryState::dead);
  EXPECT_EQ(delivery.trouble, "it answered 500");
  EXPECT_THAT(deliverer_.asked, SizeIs(kAttemptsMax));
  EXPECT_GT(clock_.now() - began, std::chrono::hours(18));
  EXPECT_LT(clock_.now() - began, std::chrono::hours(30));

  deliverer_.outcome = {.result = DeliveryOutcome::Result::delivered};
  ASSERT_TRUE(store_.retry(store_.alerts[0].id, clock_.wall_now()));
  alerts_->deliver_soon();
  tick();
  EXPECT_EQ(delivery.state, DeliveryState::delivered);
}

TEST_F(AlertsTest, WhatTheRecordsFoundBecomesAnAlert) {
  inbox_.leave({.condition = Condition::costly_request,
                .occasion = "request/req_1",
                .owner = OwnerId{1},
                .budget = {},
                .summary = "dear",
                .details = "{}"});
  tick();
  EXPECT_THAT(found(), ElementsAre("request.costly"));
}

TEST_F(AlertsTest, AMessageHasADocumentedShape) {
  add_channel();
  watch(dollars(10), {80});
  spend(dollars(8));
  tick();
  const std::string json = to_json(deliverer_.asked.at(0).message);
  EXPECT_THAT(json, AllOf(HasSubstr(R"({"version":1,"type":"budget.threshold","id":"alr_)"),
                          HasSubstr(R"("timestamp":"20)"), HasSubstr(R"("text":"The budget)"),
                          HasSubstr(R"("data":{"budget":"bud_3","scope":"owner:alice",)"),
                          HasSubstr(R"("limit_usd":"10.00","spent_usd":"8.00")"),
                          HasSubstr(R"("threshold_percent":80}})")));
}

TEST(Retry, PausesGrowAndAreSpreadOut) {
  std::mt19937_64 random(kSeed);
  const WallTime now{std::chrono::days{20000}};
  const DeliveryOutcome failed{.result = DeliveryOutcome::Result::failed, .trouble = "no"};
  Delivery delivery;
  for (std::size_t i = 0; i < kPauses.size(); ++i) {
    delivery = after_attempt(delivery, failed, now, random);
    ASSERT_EQ(delivery.state, DeliveryState::waiting);
    EXPECT_GE(delivery.next_at - now, kPauses[i] * 8 / 10);
    EXPECT_LE(delivery.next_at - now, kPauses[i] * 12 / 10);
  }
  EXPECT_EQ(after_attempt(delivery, failed, now, random).state, DeliveryState::dead);
}

TEST(Retry, WhatTheOtherSideAsksForIsKeptWithinReason) {
  std::mt19937_64 random(kSeed);
  const WallTime now{std::chrono::days{20000}};
  DeliveryOutcome busy{.result = DeliveryOutcome::Result::failed,
                       .trouble = "busy",
                       .retry_after = std::chrono::seconds(600)};
  EXPECT_EQ(after_attempt({}, busy, now, random).next_at, now + std::chrono::seconds(600));
  busy.retry_after = std::chrono::hours(1000);
  EXPECT_EQ(after_attempt({}, busy, now, random).next_at, now + kRetryAfterMax);
}

TEST(Retry, ARefusalIsFinal) {
  std::mt19937_64 random(kSeed);
  const DeliveryOutcome gone{.result = DeliveryOutcome::Result::refused, .trouble = "gone"};
  EXPECT_EQ(after_attempt({}, gone, WallTime{}, random).state, DeliveryState::dead);
}

TEST(AlertId, IsStableInFormAndUnique) {
  const std::string id = new_alert_id(WallTime{std::chrono::days{20000}});
  EXPECT_TRUE(is_alert_id(id));
  EXPECT_NE(id, new_alert_id(WallTime{std::chrono::days{20000}}));
  EXPECT_FALSE(is_alert_id("alr_"));
  EXPECT_FALSE(is_alert_id("req_" + id.substr(4)));
}

TEST(Words, AMomentIsNamedByItsWeekday) {
  EXPECT_EQ(to_words(from_unix_micros(1'795'615'200'000'000)), "Wed 2026-11-25 14:00 UTC");
}

}  // namespace
}  // namespace claviger::alert

#include <gmock/gmock.h>

#include "console/control_bed.h"

namespace claviger::console {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

class AlertsControl : public ControlBed {
 protected:
  void find(std::string occasion, OwnerId owner = {}) {
    inbox_.leave({.condition = alert::Condition::costly_request,
                  .occasion = std::move(occasion),
                  .owner = owner,
                  .budget = {},
                  .summary = "That was dear.",
                  .details = R"({"model":"a/b"})"});
    tick();
  }
  void tick() {
    clock_.advance(std::chrono::seconds(10));
    block_on([](alert::Alerts& alerts) -> Task<int> {
      co_await alerts.tick();
      co_return 0;
    }(alerts_));
  }
  std::string newest_id() {
    const Said said = must("GET", "/alerts?last=1");
    return std::string(said.value.at("data").at(0).at("id").get_string());
  }
};

TEST_F(AlertsControl, AChannelIsAddedWithASecretThatIsShownOnce) {
  const Said added =
      must("POST", "/alert-channels", R"({"kind":"webhook","url":"https://a.example/x?token=t"})");
  EXPECT_EQ(added.status, 201);
  EXPECT_THAT(added.member("secret"), HasSubstr("whsec_"));
  EXPECT_EQ(added.member("target"), "https://a.example:443/…");
  const Said listed = must("GET", "/alert-channels");
  EXPECT_EQ(listed.count(), 1u);
  EXPECT_THAT(listed.text, Not(HasSubstr("whsec_")));
  EXPECT_THAT(listed.text, Not(HasSubstr("token")));
}

TEST_F(AlertsControl, MailNeedsAnAddressAndNoSecret) {
  const Said added = must("POST", "/alert-channels", R"({"kind":"mail","to":"ops@example.com"})");
  EXPECT_EQ(added.member("secret"), "(absent)");
  EXPECT_EQ(added.member("target"), "ops@example.com");
}

TEST_F(AlertsControl, BadChannelsAreRefusedWithWhatToDo) {
  for (const char* const body :
       {R"({"kind":"pigeon","to":"a@b"})", R"({"kind":"webhook"})",
        R"({"kind":"webhook","url":"ftp://x"})", R"({"kind":"webhook","url":"http://a.example/"})",
        R"({"kind":"webhook","url":"https://a.example","to":"a@b.c"})", R"({"kind":"mail"})",
        R"({"kind":"mail","to":"nobody"})", R"({"kind":"mail","to":"a@b.c","url":"https://x"})",
        R"({"kind":"mail","to":"a@b.c\r\nBcc: x@y.z"})"}) {
    EXPECT_EQ(ask("POST", "/alert-channels", body).status, 400) << body;
  }
  EXPECT_EQ(
      ask("POST", "/alert-channels", R"({"kind":"mail","to":"a@b.c","owner":"nobody"})").status,
      404);
  must("POST", "/alert-channels", R"({"kind":"mail","to":"a@b.c"})");
  EXPECT_EQ(ask("POST", "/alert-channels", R"({"kind":"mail","to":"a@b.c"})").status, 409);
  EXPECT_EQ(ask("DELETE", "/alert-channels/chn_99").error("code"), "unknown_channel");
}

TEST_F(AlertsControl, ARemovedChannelTakesItsSecretAlong) {
  must("POST", "/alert-channels", R"({"kind":"webhook","url":"https://a.example"})");
  EXPECT_TRUE(vault_store_.wrapped_secret("alert-channel-1").value().has_value());
  must("DELETE", "/alert-channels/chn_1");
  EXPECT_FALSE(vault_store_.wrapped_secret("alert-channel-1").value().has_value());
  EXPECT_EQ(must("GET", "/alert-channels").count(), 0u);
}

TEST_F(AlertsControl, AnAlertIsListedShownDeliveredAndAcknowledged) {
  add_alice_and_notes();
  must("POST", "/alert-channels", R"({"kind":"mail","to":"a@b.c","owner":"alice"})");
  find("request/req_1", OwnerId{1});
  tick();
  ASSERT_THAT(deliverer_.delivered, SizeIs(1));
  const Said listed = must("GET", "/alerts?owner=alice");
  ASSERT_EQ(listed.count(), 1u);
  EXPECT_THAT(listed.text, HasSubstr(R"("delivered":1,"waiting":0,"dead":0)"));
  const std::string id = newest_id();
  EXPECT_EQ(id, deliverer_.delivered[0].second.id);
  const Said shown = must("GET", "/alerts/" + id);
  EXPECT_EQ(shown.member("type"), "request.costly");
  EXPECT_EQ(shown.member("owner"), "alice");
  EXPECT_THAT(shown.text, HasSubstr(R"("target":"a@b.c","state":"delivered","attempts":1)"));
  EXPECT_EQ(must("POST", "/alerts/" + id + "/ack").member("acknowledged_by"), "test");
  EXPECT_EQ(must("GET", "/alerts?open=true").count(), 0u);
  EXPECT_EQ(ask("GET", "/alerts/alr_nobody").error("code"), "unknown_alert");
  EXPECT_EQ(ask("GET", "/alerts?open=maybe").status, 400);
  EXPECT_EQ(ask("GET", "/alerts?last=0").status, 400);
}

TEST_F(AlertsControl, WhatWasGivenUpIsListedAndTriedAgain) {
  must("POST", "/alert-channels", R"({"kind":"mail","to":"a@b.c"})");
  deliverer_.outcome = {.result = alert::DeliveryOutcome::Result::refused,
                        .trouble = "no such box"};
  find("request/req_1");
  tick();
  EXPECT_EQ(must("GET", "/alerts?dead=true").count(), 1u);
  const std::string id = newest_id();
  EXPECT_THAT(must("GET", "/alerts/" + id).text, HasSubstr("no such box"));
  deliverer_.outcome = {.result = alert::DeliveryOutcome::Result::delivered};
  EXPECT_EQ(must("POST", "/alerts/" + id + "/retry").member("deliveries_waiting"), "1");
  tick();
  EXPECT_EQ(must("GET", "/alerts?dead=true").count(), 0u);
  EXPECT_EQ(ask("POST", "/alerts/alr_nobody/retry").status, 404);
}

TEST_F(AlertsControl, AChannelIsTriedOut) {
  must("POST", "/alert-channels", R"({"kind":"mail","to":"a@b.c"})");
  EXPECT_EQ(must("POST", "/alert-channels/chn_1/test").member("delivered"), "true");
  ASSERT_THAT(deliverer_.delivered, SizeIs(1));
  EXPECT_EQ(deliverer_.delivered[0].second.type, "test");
  deliverer_.outcome = {.result = alert::DeliveryOutcome::Result::failed, .trouble = "it is down"};
  const Said failed = must("POST", "/alert-channels/chn_1/test");
  EXPECT_EQ(failed.member("delivered"), "false");
  EXPECT_EQ(failed.member("trouble"), "it is down");
}

TEST_F(AlertsControl, ABudgetThatFillsUpIsWarnedOfByTheNameOfItsScope) {
  add_alice_and_notes();
  const std::string budget = set_budget("owner:alice", "1.00");
  budget::BudgetSet set;
  ASSERT_TRUE(set.add(*BudgetId::parse(budget)));
  const auto grant =
      run(memory_ledger_.reserve({.attempt = {.request = new_request_id(clock_.wall_now())},
                                  .budgets = set,
                                  .cost_max = cents(81),
                                  .cost_least = cents(81)}));
  ASSERT_TRUE(grant);
  ASSERT_TRUE(run(memory_ledger_.settle(grant->hold, cents(81), budget::Certainty::billed)));
  tick();
  const Said listed = must("GET", "/alerts");
  EXPECT_EQ(listed.count(), 2u);
  EXPECT_THAT(listed.text, HasSubstr("The budget on owner:alice has used 81 % of $1.00"));
  EXPECT_EQ(memory_ledger_.books().accounts().crossings().take().crossings.size(), 2u)
      << "the ledger knows at which percents to say something";
  const Said forecast = must("GET", "/budgets/" + budget + "/forecast");
  EXPECT_EQ(forecast.member("pace_usd_per_day"), "null");
  EXPECT_THAT(forecast.member("says"), HasSubstr("Too little"));
}

TEST_F(AlertsControl, WhoAsksForEventsGetsThoseBehindTheLastOne) {
  find("request/req_1");
  find("request/req_2");
  EXPECT_EQ(must("GET", "/events").count(), 2u);
  EXPECT_EQ(must("GET", "/events?after=1").count(), 1u);
  EXPECT_EQ(ask("GET", "/events?after=x").status, 400);
  const auto events = control_->events_after(1);
  ASSERT_THAT(events, SizeIs(1));
  EXPECT_EQ(events[0].number, 2);
  EXPECT_THAT(events[0].json, HasSubstr("That was dear."));
  EXPECT_EQ(control_->newest_event(), 2);
}

}  // namespace
}  // namespace claviger::console

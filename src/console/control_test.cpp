#include "console/control.h"

#include <gmock/gmock.h>

#include <fstream>
#include <set>

#include "console/control_bed.h"
#include "console/fields.h"
#include "console/routes.h"
#include "local/gguf_writer.h"

namespace claviger::console {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view kPlantedKey = "sk-planted-0123456789abcdef0123456789";

class ControlApi : public ControlBed {};

TEST_F(ControlApi, AVirtualKeyWorksOnceItWasShownAndNotAfterItWasRevoked) {
  add_alice_and_notes();
  const Said made = must("POST", "/keys",
                         R"({"owner":"alice","app":"notes","models":["openai/*"],)"
                         R"("requests_per_minute":60,"expires_at":"2030-01-01"})");
  EXPECT_EQ(made.status, 201);
  const std::string key = made.member("key");

  const auto known = world_->directory->authenticate(key, clock_.wall_now());
  ASSERT_TRUE(known);
  EXPECT_EQ((*known)->limits.requests_per_minute, 60);
  EXPECT_EQ((*known)->owner_name, "alice");
  EXPECT_THAT(must("GET", "/keys").text, Not(HasSubstr(key)));

  must("DELETE", "/keys/" + made.member("id"));
  EXPECT_EQ(world_->directory->authenticate(key, clock_.wall_now()).error(),
            access::AccessError::revoked);
}

TEST_F(ControlApi, AfterARestoreNoVirtualKeyWorksUntilTheListIsConfirmed) {
  add_alice_and_notes();
  const Said kept = must("POST", "/keys", R"({"owner":"alice","app":"notes"})");
  const Said gone = must("POST", "/keys", R"({"owner":"alice","app":"notes"})");
  operations_.keys_disabled = true;
  make_control();
  ASSERT_TRUE(control_->start());

  EXPECT_FALSE(world_->directory->authenticate(kept.member("key"), clock_.wall_now()));
  EXPECT_EQ(must("GET", "/keys").count(), 2u);
  EXPECT_EQ(ask("POST", "/keys", R"({"owner":"alice","app":"notes"})").error("code"),
            "keys_disabled");
  must("DELETE", "/keys/" + gone.member("id"));

  EXPECT_EQ(must("POST", "/keys/confirm").member("keys_in_force"), "1");
  EXPECT_TRUE(world_->directory->authenticate(kept.member("key"), clock_.wall_now()));
  EXPECT_FALSE(world_->directory->authenticate(gone.member("key"), clock_.wall_now()));
}

TEST_F(ControlApi, AnUnrelatedChangeDoesNotStartAKeysMinuteAnew) {
  add_alice_and_notes();
  const std::string key =
      must("POST", "/keys", R"({"owner":"alice","app":"notes","requests_per_minute":1})")
          .member("key");
  const auto* const before = *world_->directory->authenticate(key, clock_.wall_now());
  ASSERT_TRUE(before->pace->enter(before->limits, clock_.now()));

  must("POST", "/apps", R"({"name":"another"})");

  const auto* const after = *world_->directory->authenticate(key, clock_.wall_now());
  EXPECT_FALSE(after->pace->enter(after->limits, clock_.now()));
}

TEST_F(ControlApi, ANewOwnerHasTheRulesBudgetBeforeAnyRequestCouldCome) {
  const std::string rule = set_budget("each-owner", "10.00");
  must("POST", "/owners", R"({"name":"alice"})");

  const auto* const alice = world_->directory->find_owner("alice");
  const auto concerned = world_->budgets->concerned({.owner = alice->id, .model = "openai/x"});
  ASSERT_TRUE(concerned);
  ASSERT_EQ(concerned->size(), 1u);
  const auto balance = run(memory_ledger_.balance(concerned->ids()[0]));
  ASSERT_TRUE(balance);
  EXPECT_EQ(balance->limit, dollars(10));
  EXPECT_EQ(world_->budgets->find(concerned->ids()[0])->rule.text(), rule);
}

TEST_F(ControlApi, AnAliasIsInForceOnceItIsSaidAndGoneOnceItIsForgotten) {
  must("POST", "/owners", R"({"name":"alice"})");
  must("PUT", "/aliases", R"({"name":"fast","models":["groq/a","openai/b"]})");
  must("PUT", "/aliases", R"({"name":"fast","owner":"alice","models":["openai/b"]})");
  EXPECT_EQ(must("GET", "/aliases").count(), 2U);
  const auto* const alice = world_->directory->find_owner("alice");
  EXPECT_THAT(world_->routes->models_of(alice->id), ::testing::Contains("fast"));
  must("DELETE", "/aliases/fast?owner=alice");
  must("DELETE", "/aliases/fast");
  EXPECT_EQ(ask("DELETE", "/aliases/fast").status, 404);
  EXPECT_THAT(world_->routes->models_of(alice->id), Not(::testing::Contains("fast")));
}

TEST_F(ControlApi, AnAliasThatCouldNotWorkIsRefusedWithWhatToSendInstead) {
  for (const char* const body :
       {R"({"name":"a/b","models":["openai/b"]})", R"({"name":"fast","models":[]})",
        R"({"name":"fast","models":["gpt"]})", R"({"name":"fast","models":["a/b","a/b"]})",
        R"({"name":"fast","models":["a/ b"]})", R"({"name":"fast"})"}) {
    const Said said = ask("PUT", "/aliases", body);
    EXPECT_TRUE(said.status == 400 || said.status == 422) << body << said.text;
    EXPECT_NE(said.error("remedy"), "") << body;
  }
}

TEST_F(ControlApi, SettingABudgetAgainReplacesItsLimitAndKeepsWhatWasSpent) {
  must("POST", "/owners", R"({"name":"alice"})");
  const std::string id = set_budget("owner:alice", "5.00");
  budget::BudgetSet budgets;
  ASSERT_TRUE(budgets.add(*BudgetId::parse(id)));
  const AttemptId attempt{.request = new_request_id(clock_.wall_now())};
  const auto hold = run(memory_ledger_.reserve(
      {.attempt = attempt, .budgets = budgets, .cost_max = dollars(2), .cost_least = dollars(1)}));
  ASSERT_TRUE(hold);
  ASSERT_TRUE(run(memory_ledger_.settle(hold->hold, dollars(1), budget::Certainty::billed)));

  EXPECT_EQ(set_budget("owner:alice", "3.00"), id);

  const Said shown = must("GET", "/budgets/" + id);
  EXPECT_EQ(shown.member("limit_usd"), "3.00");
  EXPECT_EQ(shown.member("spent_usd"), "1.00");
  EXPECT_EQ(shown.member("held_usd"), "0.00");
  EXPECT_EQ(shown.member("left_usd"), "2.00");
  EXPECT_EQ(shown.member("scope"), "owner:alice");
  EXPECT_EQ(must("GET", "/budgets").count(), 1u);
}

TEST_F(ControlApi, ABudgetThatARuleMadeGoesWithItsRule) {
  const std::string rule = set_budget("each-owner", "10.00");
  must("POST", "/owners", R"({"name":"alice"})");
  const auto& all = world_->budgets->budgets();
  const auto made = std::ranges::find(all, budget::Scope::owner, &budget::Budget::scope);
  ASSERT_NE(made, all.end());
  const BudgetId id = made->terms.id;

  EXPECT_EQ(ask("DELETE", "/budgets/" + id.text()).error("code"), "made_by_rule");
  must("DELETE", "/budgets/" + rule);

  EXPECT_TRUE(world_->budgets->budgets().empty());
  EXPECT_FALSE(run(memory_ledger_.balance(id)));
}

TEST_F(ControlApi, ALimitSetForAnOwnerBeatsTheRuleFromThenOn) {
  set_budget("each-owner", "10.00");
  must("POST", "/owners", R"({"name":"alice"})");
  const std::string id = set_budget("owner:alice", "1.00");
  set_budget("each-owner", "20.00");
  EXPECT_EQ(must("GET", "/budgets/" + id).member("limit_usd"), "1.00");
  EXPECT_EQ(must("GET", "/budgets/" + id).member("rule"), "null");
}

TEST_F(ControlApi, ABudgetsDaysBeginWhereItsOwnerLives) {
  must("POST", "/owners", R"({"name":"alice"})");
  const std::string id =
      must("POST", "/budgets", R"({"scope":"owner:alice","limit_usd":"5.00","per":"day"})")
          .member("id");
  EXPECT_EQ(must("GET", "/budgets/" + id).member("time_zone"), "UTC");

  EXPECT_EQ(must("PUT", "/owners/alice/time-zone", R"({"time_zone":"Asia/Kathmandu"})")
                .member("time_zone"),
            "Asia/Kathmandu");

  const Said shown = must("GET", "/budgets/" + id);
  EXPECT_EQ(shown.member("time_zone"), "Asia/Kathmandu");
  EXPECT_TRUE(shown.member("resets_at_local").ends_with("T00:00:00+05:45"));
  EXPECT_EQ(world_->budgets->budgets()[0].terms.zone.name(), "Asia/Kathmandu");

  must("POST", "/budgets",
       R"({"scope":"owner:alice","limit_usd":"5.00","per":"day","time_zone":"Europe/Berlin"})");
  EXPECT_EQ(must("GET", "/budgets/" + id).member("time_zone"), "Europe/Berlin");
}

TEST_F(ControlApi, ACredentialsBudgetFollowsItsOwnersTimeZone) {
  must("POST", "/owners", R"({"name":"alice"})");
  must("PUT", "/owners/alice/time-zone", R"({"time_zone":"Asia/Kathmandu"})");
  const std::string credential =
      must("POST", "/credentials",
           R"({"owner":"alice","provider":"openai-compatible","name":"box",)"
           R"("base_url":"http://192.168.1.7:8000/v1","allow_private":true})")
          .member("id");
  const std::string id =
      must("POST", "/budgets",
           R"({"scope":"credential:)" + credential + R"(","limit_usd":"5.00","per":"day"})")
          .member("id");
  EXPECT_EQ(must("GET", "/budgets/" + id).member("time_zone"), "Asia/Kathmandu");

  must("PUT", "/owners/alice/time-zone", R"({"time_zone":"Europe/Berlin"})");
  EXPECT_EQ(must("GET", "/budgets/" + id).member("time_zone"), "Europe/Berlin");
}

TEST_F(ControlApi, ABudgetDowngradesToTheModelsOnItsList) {
  const Said set = must("POST", "/budgets",
                        R"({"scope":"workspace","limit_usd":"5.00","per":"day",)"
                        R"("when_exhausted":"downgrade","downgrade_to":["a/b","c/d"]})");
  EXPECT_EQ(set.member("when_exhausted"), "downgrade");
  EXPECT_EQ(world_->budgets->budgets()[0].downgrade_to, (std::vector<std::string>{"a/b", "c/d"}));
}

TEST_F(ControlApi, ARuleForEachEndUserIsInForceAtOnceAndGoesWithAllThatItMade) {
  const std::string rule =
      must("POST", "/budgets", R"({"scope":"each-user","limit_usd":"1","per":"day"})").member("id");
  ASSERT_EQ(world_->budgets->user_rules().size(), 1u);
  const budget::EndUser bob{*BudgetId::parse(rule), AppId{1}, "bob"};
  const auto made = run(memory_ledger_.budget_of(bob));
  ASSERT_TRUE(made);
  EXPECT_EQ(run(memory_ledger_.budget_of(bob)).value(), *made);

  must("POST", "/budgets", R"({"scope":"each-user","limit_usd":"2","per":"day"})");
  EXPECT_EQ(run(memory_ledger_.balance(*made))->limit, dollars(2));
  must("DELETE", "/budgets/" + rule);
  EXPECT_FALSE(run(memory_ledger_.balance(*made)));
  EXPECT_FALSE(run(memory_ledger_.budget_of(bob)));
}

TEST_F(ControlApi, LimitsThatMeanNothingAreRefusedAndNothingIsStored) {
  for (const char* const limit : {"-1", "-0.01", "nan", "inf", "1e9", "0x10", "1,000", "5 EUR",
                                  "\u20ac5", "", " 1", "1.0000000001", "99999999999999999999"}) {
    const Said said =
        ask("POST", "/budgets",
            std::string(R"({"scope":"workspace","limit_usd":")") + limit + R"(","per":"day"})");
    EXPECT_EQ(said.status, 400) << limit;
    EXPECT_EQ(said.error("code"), "bad_value") << limit;
  }
  for (const char* const body :
       {R"({"scope":"workspace","limit_usd":"1","per":"0d"})",
        R"({"scope":"workspace","limit_usd":"1","per":"day","time_zone":"Mars/Olympus"})",
        R"({"scope":"workspace","limit_usd":"1","per":"day","when_exhausted":"downgrade"})",
        R"({"scope":"workspace","limit_usd":"1","per":"day","downgrade_to":["a/b"]})",
        R"({"scope":"workspace","limit_usd":"1","per":"day","when_exhausted":"downgrade",)"
        R"("downgrade_to":["a b"]})"}) {
    EXPECT_EQ(ask("POST", "/budgets", body).error("code"), "bad_value") << body;
  }
  EXPECT_EQ(
      ask("POST", "/budgets", R"({"scope":"workspace","limit_usd":"1","per":""})").error("code"),
      "missing_field");
  EXPECT_EQ(must("GET", "/budgets").count(), 0u);
}

TEST_F(ControlApi, AnOperatorCanSayThatTheClockIsRight) {
  must("POST", "/clock/confirm");
  EXPECT_EQ(operations_.clock_confirmations, 1);
}

TEST_F(ControlApi, WhatIsNotOfferedYetIsSaidAndNotIgnored) {
  must("POST", "/owners", R"({"name":"alice"})");
  EXPECT_EQ(ask("POST", "/budgets",
                R"({"scope":"owner:alice","limit_usd":"1","per":"day","when_exhausted":"someday"})")
                .error("code"),
            "bad_value");
  EXPECT_TRUE(world_->budgets->budgets().empty());
}

TEST_F(ControlApi, AProvidersKeyIsNeverSaidAgain) {
  must("POST", "/owners", R"({"name":"alice"})");
  const Said added =
      must("POST", "/credentials",
           R"({"owner":"alice","provider":"openai","key":")" + std::string(kPlantedKey) + R"("})");
  const std::string id = added.member("id");
  const Said rotated = must("POST", "/credentials/" + id + "/rotate",
                            R"({"key":"another-)" + std::string(kPlantedKey) + R"("})");
  for (const Said& said :
       {added, rotated, must("GET", "/credentials"),
        must("POST", "/credentials/" + id + "/disable"), must("DELETE", "/credentials/" + id)}) {
    EXPECT_THAT(said.text, Not(HasSubstr("planted"))) << said.text;
  }
}

TEST_F(ControlApi, AllowPrivateOpensExactlyThatHostAndPort) {
  must("POST", "/owners", R"({"name":"alice"})");
  const std::string_view body = R"({"owner":"alice","provider":"openai-compatible","name":"box",)"
                                R"("base_url":"http://192.168.1.7:8000/v1","allow_private":true})";
  const Said added = must("POST", "/credentials", body);
  EXPECT_EQ(added.member("opened_for_egress"), "192.168.1.7:8000");
  ASSERT_EQ(opened_.size(), 1u);
  EXPECT_EQ(opened_[0], (net::EgressAllowance{.host = "192.168.1.7", .port = 8000}));

  must("DELETE", "/credentials/" + added.member("id"));
  EXPECT_TRUE(opened_.empty());
}

TEST_F(ControlApi, AKeyIsNotSentInTheClearNorIntoAPrivateNetworkUnasked) {
  must("POST", "/owners", R"({"name":"alice"})");
  const auto refusal = [&](std::string_view rest) {
    return ask("POST", "/credentials", R"({"owner":"alice",)" + std::string(rest) + "}");
  };
  const auto at = [](std::string_view url) {
    return R"("provider":"openai","key":"sk-x","base_url":")" + std::string(url) + '"';
  };
  EXPECT_EQ(refusal(at("http://api.example.com/v1")).error("code"), "https_required");
  for (const char* const url : {"https://127.0.0.1:9/v1", "https://127.1/v1", "https://[::1]/v1",
                                "https://localhost/v1", "https://10.0.0.1/v1", "https://box/v1",
                                "https://box.local./v1", "https://[::ffff:127.0.0.1]/v1"}) {
    const Said said = refusal(at(url));
    EXPECT_EQ(said.error("code"), "private_address") << url;
    EXPECT_THAT(said.error("remedy"), HasSubstr("--allow-private"));
  }
  EXPECT_EQ(refusal(at("ftp://example.com")).error("code"), "bad_value");
  EXPECT_EQ(refusal(R"("provider":"openai")").error("code"), "bad_value");
  EXPECT_EQ(refusal(R"("provider":"openai","key":"")").error("code"), "bad_value");
  EXPECT_EQ(refusal(R"("provider":"openai-compatible")").error("code"), "missing_field");
  EXPECT_EQ(refusal(R"("provider":"nosuch","key":"sk-x")").error("code"), "unknown_provider");
  EXPECT_EQ(must("GET", "/credentials").count(), 0u);
}

TEST_F(ControlApi, ADisabledCredentialIsNoPlaceForRequests) {
  must("POST", "/owners", R"({"name":"alice"})");
  const std::string id =
      must("POST", "/credentials", R"({"owner":"alice","provider":"openai","key":"sk-abcdef"})")
          .member("id");
  const OwnerId alice = world_->directory->find_owner("alice")->id;
  EXPECT_TRUE(world_->routes->resolve("openai/gpt-4o-mini", alice));

  must("POST", "/credentials/" + id + "/disable");
  EXPECT_FALSE(world_->routes->resolve("openai/gpt-4o-mini", alice));

  must("POST", "/credentials/" + id + "/enable");
  EXPECT_TRUE(world_->routes->resolve("openai/gpt-4o-mini", alice));
}

TEST_F(ControlApi, ACredentialThatSomebodyMovedToAnotherHostIsShownAndCanOnlyBeRemoved) {
  must("POST", "/owners", R"({"name":"alice"})");
  const std::string id =
      must("POST", "/credentials", R"({"owner":"alice","provider":"openai","key":"sk-abcdef"})")
          .member("id");
  ASSERT_TRUE(database_.execute("UPDATE credentials SET base_url = 'https://evil.example/v1'"));
  make_control();
  ASSERT_TRUE(control_->start());

  const Said listed = must("GET", "/credentials");
  ASSERT_EQ(listed.count(), 1u);
  EXPECT_TRUE(listed.value.at("data").get_array()[0].at("tampered").get_bool());
  EXPECT_EQ(ask("POST", "/credentials/" + id + "/rotate", R"({"key":"sk-new-one"})").status, 404);
  must("DELETE", "/credentials/" + id);
  EXPECT_EQ(must("GET", "/credentials").count(), 0u);
}

TEST_F(ControlApi, TheWorkspaceStatesPricesOfItsOwnPlacesWithEverythingThatIsBilled) {
  must("POST", "/owners", R"({"name":"alice"})");
  must("POST", "/credentials", R"({"provider":"openai","key":"sk-abcdef"})");
  const OwnerId alice = world_->directory->find_owner("alice")->id;
  must("PUT", "/prices",
       R"({"workspace":true,"model":"openai/gpt-new","ceiling":true,"card":)"
       R"("{\"input\":\"7\",\"output\":\"9\",\"pieces\":{\"web_search\":\"0.01\"},)"
       R"(\"batch\":{\"input\":\"3.5\",\"output\":\"4.5\"}}"})");
  const auto target = world_->routes->resolve("openai/gpt-new", alice);
  ASSERT_TRUE(target && target->price);
  EXPECT_EQ(target->price->kind, catalog::PriceKind::upper_bound);
  EXPECT_EQ(target->price->units[exchange::Unit::web_search]->picos, 10'000'000'000);
  EXPECT_EQ(target->price->card_of(exchange::ServiceTier::batch)->input.picos, 3'500'000);
  EXPECT_EQ(must("GET", "/prices").count(), 1u);
  must("DELETE", "/prices?workspace=true&model=openai/gpt-new");
  EXPECT_FALSE(world_->routes->resolve("openai/gpt-new", alice)->price);
}

TEST_F(ControlApi, AStatedPriceIsWhatARequestIsHeldAt) {
  must("POST", "/owners", R"({"name":"alice"})");
  must("POST", "/credentials", R"({"owner":"alice","provider":"openai","key":"sk-abcdef"})");
  const OwnerId alice = world_->directory->find_owner("alice")->id;
  must("PUT", "/prices",
       R"({"owner":"alice","model":"openai/gpt-4o-mini","input_usd_per_million":"7",)"
       R"("output_usd_per_million":"9.5"})");

  const auto target = world_->routes->resolve("openai/gpt-4o-mini", alice);
  ASSERT_TRUE(target && target->price);
  EXPECT_EQ(target->price->input.picos, 7'000'000);
  EXPECT_EQ(target->price->cached_input.picos, 7'000'000);
  EXPECT_EQ(target->price->output.picos, 9'500'000);
  EXPECT_THAT(must("GET", "/prices").text, HasSubstr(R"("output_usd_per_million":"9.50")"));

  must("DELETE", "/prices?owner=alice&model=openai%2Fgpt-4o-mini");
  EXPECT_NE(world_->routes->resolve("openai/gpt-4o-mini", alice)->price->input.picos, 7'000'000);
}

TEST_F(ControlApi, AnEstimateIsWhatARequestIsHeldAtAndWhatItWillProbablyCost) {
  must("POST", "/owners", R"({"name":"alice"})");
  must("POST", "/credentials", R"({"owner":"alice","provider":"openai","key":"sk-abcdef"})");
  const std::string request =
      R"({"model":"openai/gpt-4o-mini","max_tokens":100,"messages":[{"role":"user","content":)"
      R"("Tell me in a few words what a key-bearer is, and why one would want to be one."}],)"
      R"("web_search_options":{},"colour":"red"})";

  const Said plain = must("POST", "/estimate", request);
  EXPECT_EQ(plain.member("model"), "openai/gpt-4o-mini");
  EXPECT_THAT(plain.member("says"), HasSubstr("A request like this costs at most $"));
  EXPECT_EQ(plain.member("input_likely_by"), "tokenizer");
  EXPECT_EQ(plain.member("output_tokens_max"), "100");
  EXPECT_THAT(plain.text, HasSubstr(R"("unbounded_fields":["web_search_options"])"));
  EXPECT_THAT(plain.text, HasSubstr(R"("unknown_fields":["colour"])"));
  EXPECT_THAT(plain.text, HasSubstr(R"({"field":"messages","bounded_by":"bytes")"));
  EXPECT_THAT(plain.text, HasSubstr(R"({"field":"colour","bounded_by":"nothing")"));
  EXPECT_THAT(plain.text, Not(HasSubstr(R"("exact_bound":null)")));

  // Settled requests teach what is likely, and change nothing of what is held.
  const OwnerId alice = world_->directory->find_owner("alice")->id;
  for (int i = 0; i < 6; ++i) {
    record::Record settled{.id = new_request_id(clock_.wall_now()),
                           .started_at = clock_.wall_now()};
    settled.owner = alice;
    settled.model = "openai/gpt-4o-mini";
    settled.status = 200;
    settled.cost_state = record::CostState::billed;
    settled.request_bytes = 1000;
    settled.usage.input_tokens = 200;
    settled.usage.output_tokens = 7;
    ASSERT_TRUE(records_.append({settled}));
  }
  const Said learned = must("POST", "/estimate?owner=alice&model=openai/gpt-4o-mini", request);
  EXPECT_EQ(learned.member("output_tokens_likely"), "7");
  EXPECT_EQ(learned.member("cost_usd_max"), plain.member("cost_usd_max"));
  EXPECT_NE(learned.member("cost_usd_likely"), plain.member("cost_usd_likely"));

  EXPECT_EQ(ask("POST", "/estimate", R"({"model":"x/y","messages":[]})").error("code"),
            "unknown_model");
  EXPECT_EQ(ask("POST", "/estimate?operation=dance", request).error("code"), "bad_value");
  EXPECT_EQ(ask("POST", "/estimate?model=openai/gpt-4o-mini", "{").error("code"), "bad_request");
  EXPECT_EQ(ask("POST", "/estimate", "").error("code"), "missing_field");
  must("POST", "/owners", R"({"name":"bob"})");
  EXPECT_EQ(ask("POST", "/estimate", request).error("code"), "missing_parameter");
}

TEST_F(ControlApi, AModelFileIsInspectedRoutedAndForgotten) {
  add_alice_and_notes();
  char name[] = "/tmp/claviger_control_XXXXXX";
  const std::filesystem::path folder = ::mkdtemp(name);
  const std::filesystem::path file = folder / "Tiny-Model.Q4_K_M.gguf";
  std::ofstream(file, std::ios::binary) << local::testing::tiny_model().file();
  std::ofstream(folder / "story.gguf") << "Once upon a time there was a file.";
  const auto body = [&](const std::string& path) {
    return R"({"owner":"alice","file":")" + path + R"("})";
  };

  const Said added = must("POST", "/models", body(file.string()));
  EXPECT_EQ(added.member("model"), "local/tiny-model");
  EXPECT_EQ(added.member("file"), file.string());
  ASSERT_EQ(models_.size(), 1u);
  const OwnerId alice = world_->directory->find_owner("alice")->id;
  EXPECT_TRUE(world_->routes->resolve("local/tiny-model", alice));
  EXPECT_EQ(must("GET", "/models/local%2Ftiny-model").member("id"), added.member("id"));
  must("PUT", "/prices",
       R"({"model":"local/tiny-model","input_usd_per_million":"0","output_usd_per_million":"0"})");
  EXPECT_TRUE(world_->routes->resolve("local/tiny-model", alice)->price);

  EXPECT_EQ(ask("POST", "/models", body(file.string())).status, 409);
  EXPECT_EQ(ask("POST", "/models", body((folder / "story.gguf").string())).status, 422);
  EXPECT_EQ(ask("POST", "/models", body("/nowhere/x.gguf")).status, 422);
  EXPECT_THAT(ask("POST", "/models", body("/nowhere/x.gguf")).error("message"),
              HasSubstr("/nowhere/x.gguf"));
  EXPECT_EQ(ask("POST", "/models", body("x.gguf")).status, 400);
  EXPECT_EQ(ask("POST", "/models/local%2Ftiny-model/probe").error("code"), "no_runner");

  must("DELETE", "/models/" + added.member("id"));
  EXPECT_TRUE(models_.empty());
  EXPECT_TRUE(std::filesystem::exists(file));
  std::filesystem::remove_all(folder);
}

TEST_F(ControlApi, TheLastAdminKeyCannotBeRevoked) {
  const Said first = must("POST", "/admin-keys", R"({"name":"first"})");
  EXPECT_EQ(*control_->recognise_admin(first.member("key")), "first");
  EXPECT_EQ(ask("DELETE", "/admin-keys/" + first.member("id")).error("code"), "last_admin_key");

  must("POST", "/admin-keys", R"({"name":"second"})");
  must("DELETE", "/admin-keys/" + first.member("id"));
  EXPECT_EQ(control_->recognise_admin(first.member("key")).error(), access::AccessError::revoked);
}

TEST_F(ControlApi, AVirtualKeyDoesNotOpenTheControlApi) {
  add_alice_and_notes();
  const Said made = must("POST", "/keys", R"({"owner":"alice","app":"notes"})");
  EXPECT_FALSE(control_->recognise_admin(made.member("key")));
}

TEST_F(ControlApi, AnOwnerWithKeysIsNotRemoved) {
  add_alice_and_notes();
  const Said key = must("POST", "/keys", R"({"owner":"alice","app":"notes"})");
  EXPECT_EQ(ask("DELETE", "/owners/alice").error("code"), "in_use");
  must("DELETE", "/keys/" + key.member("id"));
  must("DELETE", "/owners/alice");
  EXPECT_EQ(must("GET", "/owners").count(), 0u);
}

TEST_F(ControlApi, ABillCorrectsWhatARequestCost) {
  must("POST", "/owners", R"({"name":"alice"})");
  const std::string id = set_budget("owner:alice", "5.00");
  budget::BudgetSet budgets;
  ASSERT_TRUE(budgets.add(*BudgetId::parse(id)));
  const RequestId request = new_request_id(clock_.wall_now());
  const auto reserve = [&](std::uint32_t number) {
    return run(memory_ledger_.reserve({.attempt = {.request = request, .number = number},
                                       .budgets = budgets,
                                       .cost_max = dollars(2),
                                       .cost_least = dollars(1)}));
  };
  const auto hold = reserve(1);
  ASSERT_TRUE(run(memory_ledger_.settle(hold->hold, dollars(2), budget::Certainty::estimated)));
  const std::string path = "/requests/" + request.text() + "/reconcile";

  const Said done = must("POST", path, R"({"cost_usd":"0.25"})");
  EXPECT_EQ(done.member("left_usd"), "4.75");
  EXPECT_EQ(must("GET", "/budgets/" + id).member("spent_usd"), "0.25");

  ASSERT_TRUE(reserve(2));
  EXPECT_EQ(ask("POST", path, R"({"cost_usd":"1"})").error("code"), "several_attempts");
  must("POST", path, R"({"cost_usd":"1","attempt":2})");
  EXPECT_EQ(must("GET", "/budgets/" + id).member("spent_usd"), "1.25");
  EXPECT_EQ(ask("POST", path, R"({"cost_usd":"1","attempt":3})").status, 404);
  const std::string unknown = new_request_id(clock_.wall_now()).text();
  EXPECT_EQ(ask("POST", "/requests/" + unknown + "/reconcile", R"({"cost_usd":"1"})").status, 404);
}

TEST_F(ControlApi, ACorrectionNeedsAReasonAndIsAnEntryThatUsageShows) {
  must("POST", "/owners", R"({"name":"alice"})");
  const std::string id = set_budget("owner:alice", "5.00");
  budget::BudgetSet budgets;
  ASSERT_TRUE(budgets.add(*BudgetId::parse(id)));
  const RequestId request = new_request_id(clock_.wall_now());
  const auto hold = run(memory_ledger_.reserve({.attempt = {.request = request, .number = 1},
                                                .budgets = budgets,
                                                .cost_max = dollars(2),
                                                .cost_least = dollars(1)}));
  const std::string path = "/requests/" + request.text() + "/correct";
  const std::string refund = R"({"cost_usd":"0.50","kind":"refund","reason":"credit note 17"})";
  EXPECT_EQ(ask("POST", path, refund).error("code"), "still_running");
  ASSERT_TRUE(run(memory_ledger_.settle(hold->hold, dollars(2), budget::Certainty::billed)));

  EXPECT_EQ(ask("POST", path, R"({"cost_usd":"0.50","kind":"refund"})").status, 400);
  EXPECT_EQ(ask("POST", path, R"({"cost_usd":"0.50","kind":"refund","reason":"  "})").status, 400);
  EXPECT_EQ(ask("POST", path, R"({"cost_usd":"0.50","kind":"gift","reason":"x"})").status, 400);
  EXPECT_EQ(ask("POST", path, R"({"cost_usd":"-1","kind":"refund","reason":"x"})").status, 400);
  EXPECT_EQ(must("GET", "/budgets/" + id).member("spent_usd"), "2.00");

  EXPECT_EQ(must("POST", path, refund).member("left_usd"), "4.50");
  must("POST", path, refund);
  EXPECT_EQ(must("GET", "/budgets/" + id).member("spent_usd"), "0.50");

  const Said usage = must("GET", "/usage");
  EXPECT_NE(usage.text.find(R"("corrections":{"count":1,"change_usd":"-1.50"})"), std::string::npos)
      << usage.text;
  const Said entries = must("GET", "/corrections");
  EXPECT_NE(entries.text.find(R"("cost_before_usd":"2.00","cost_usd":"0.50")"), std::string::npos)
      << entries.text;
  EXPECT_NE(entries.text.find(R"("kind":"refund","reason":"credit note 17")"), std::string::npos);
  must("POST", "/requests/" + request.text() + "/reconcile", R"({"cost_usd":"0.40"})");
  EXPECT_NE(must("GET", "/corrections").text.find(R"("reason":"the provider's bill")"),
            std::string::npos);
}

TEST_F(ControlApi, AnOwnerDecidesWhatIsKeptOfRequests) {
  add_alice_and_notes();
  EXPECT_EQ(must("PUT", "/owners/alice/content", R"({"keep":"stored"})").member("kept_days"), "7");
  must("PUT", "/owners/alice/content", R"({"keep":"failed"})");
  EXPECT_EQ(world_->directory->find_owner("alice")->keeps_content, "failed");
  const OwnerId alice = world_->directory->find_owner("alice")->id;
  contents_.keep({.request = {7, 1}, .owner = alice, .path = "/v1/x", .body = "{}"},
                 record::Ending::failed);
  EXPECT_TRUE(contents_.find({7, 1}).value());
  must("PUT", "/owners/alice/content", R"({"keep":"off"})");
  EXPECT_FALSE(contents_.find({7, 1}).value()) << "forgotten at once";
  EXPECT_EQ(ask("PUT", "/owners/alice/content", R"({"keep":"all"})").status, 400);
  EXPECT_EQ(ask("PUT", "/owners/alice/content", R"({"keep":"failed","days":3})").status, 400);
  EXPECT_EQ(ask("PUT", "/owners/alice/content", R"({"keep":"stored","days":366})").status, 400);
  EXPECT_EQ(ask("PUT", "/owners/bob/content", R"({"keep":"off"})").status, 404);
}

TEST_F(ControlApi, RecordsAreListedFilteredAndSummedUp) {
  must("POST", "/owners", R"({"name":"alice"})");
  set_budget("owner:alice", "5.00");
  const OwnerId alice = world_->directory->find_owner("alice")->id;
  record::Record good{.id = new_request_id(clock_.wall_now()), .started_at = clock_.wall_now()};
  good.owner = alice;
  good.model = good.model_asked = "openai/gpt-4o-mini";
  good.status = 200;
  good.cost = cents(3);
  record::Record bad = good;
  bad.id = new_request_id(clock_.wall_now());
  bad.status = 402;
  bad.cost = NanoUsd(0);
  ASSERT_TRUE(records_.append({good, bad}));

  EXPECT_EQ(must("GET", "/requests").count(), 2u);
  EXPECT_EQ(must("GET", "/requests?failed").count(), 1u);
  EXPECT_EQ(must("GET", "/requests?last=1&owner=alice").count(), 1u);
  EXPECT_EQ(must("GET", "/requests?since=2124-10-05T00:00:00Z").count(), 0u);
  const Said one = must("GET", "/requests/" + good.id.text());
  EXPECT_EQ(one.member("cost_usd"), "0.03");
  EXPECT_EQ(one.value.at("budgets").get_array().size(), 1u);
  EXPECT_TRUE(one.value.at("holds").get_array().empty());
  const Said usage = must("GET", "/usage?by=owner");
  EXPECT_THAT(usage.text, HasSubstr(R"("group":"alice","requests":2,"failed":1)"));
  EXPECT_EQ(ask("GET", "/usage?by=colour").status, 400);
  EXPECT_EQ(one.member("feedback"), "null");
  ASSERT_TRUE(feedback_.put({.request = good.id,
                             .opinion = record::Opinion::bad,
                             .why = "a made-up source",
                             .given_at = clock_.wall_now()}));
  EXPECT_NE(must("GET", "/requests/" + good.id.text()).member("feedback").find("a made-up source"),
            std::string::npos);
  EXPECT_NE(must("GET", "/requests").text.find("a made-up source"), std::string::npos);
  EXPECT_EQ(ask("GET", "/requests?last=0").status, 400);
  EXPECT_EQ(ask("GET", "/requests?lats=5").error("code"), "unknown_parameter");
  EXPECT_EQ(ask("GET", "/requests/" + new_request_id(clock_.wall_now()).text()).status, 404);
}

TEST_F(ControlApi, WhatTheServerCannotDoIsSaidInItsOwnWords) {
  operations_.fault = "claviger.toml:3: the key \"nonsense\" is not known";
  for (const char* const path : {"/config/check", "/config/reload", "/vault/rotate"}) {
    EXPECT_THAT(ask("POST", path).error("message"), HasSubstr("nonsense")) << path;
  }
  EXPECT_EQ(ask("POST", "/backup", R"({"file":"relative"})").status, 400);
  EXPECT_EQ(ask("POST", "/backup", R"({"file":"/nowhere/b"})").status, 409);
  operations_.fault.clear();
  must("POST", "/backup", R"({"file":"/somewhere/b"})");
  EXPECT_EQ(operations_.backup_file, "/somewhere/b");
  EXPECT_THAT(must("GET", "/doctor").text, HasSubstr(R"("subject":"sandbox: landlock")"));
  EXPECT_EQ(must("GET", "/status").member("process_id"), "42");
  EXPECT_EQ(must("GET", "/vault").member("credentials"), "0");
}

TEST_F(ControlApi, EveryRefusalHasACodeAMessageAndARemedy) {
  add_alice_and_notes();
  struct Case {
    const char* method;
    const char* target;
    std::string body;
    int status;
    const char* code;
  };
  const std::vector<Case> cases = {
      {"GET", "/nothing", "", 404, "unknown_path"},
      {"GET", "", "", 404, "unknown_path"},
      {"GET", "/owners/", "", 404, "unknown_path"},
      {"PATCH", "/owners", "", 405, "wrong_method"},
      {"POST", "/owners", R"({"name":"bob","colour":"red"})", 400, "unknown_field"},
      {"POST", "/owners", R"({"name":"bob","name":"eve"})", 400, "repeated_key"},
      {"POST", "/owners", R"({"name":"bob","na\u006de":"eve"})", 400, "repeated_key"},
      {"POST", "/owners", R"({"name":)", 400, "malformed_json"},
      {"POST", "/owners", R"({"name":"bob"} x)", 400, "malformed_json"},
      {"POST", "/owners", "[]", 400, "malformed_json"},
      {"POST", "/owners", "[{", 400, "malformed_json"},
      {"POST", "/owners", R"([{"name":"bob"}])", 400, "malformed_json"},
      {"POST", "/owners", R"({"name":{"first":"bob"}})", 400, "wrong_type"},
      {"POST", "/owners", R"({"name":7})", 400, "wrong_type"},
      {"POST", "/owners", "", 400, "missing_field"},
      {"POST", "/owners", R"({"name":null})", 400, "missing_field"},
      {"POST", "/owners", R"({"name":"own_7"})", 400, "bad_value"},
      {"POST", "/owners", R"({"name":"bob","type":"cat"})", 400, "bad_value"},
      {"POST", "/owners", R"({"name":"alice"})", 409, "exists"},
      {"POST", "/owners", std::string(kBodyBytesMax + 1, ' '), 413, "request_too_large"},
      {"DELETE", "/owners/nobody", "", 404, "unknown_owner"},
      {"DELETE", "/owners/own_99", "", 404, "unknown_owner"},
      {"GET", "/owners?x=1", "", 400, "unknown_parameter"},
      {"GET", "/requests?last=1&last=2", "", 400, "malformed_query"},
      {"GET", "/requests/banana", "", 400, "malformed_id"},
      {"GET", "/budgets/bud_99", "", 404, "unknown_budget"},
      {"POST", "/budgets", R"({"scope":"planet:mars","limit_usd":"1","per":"day"})", 400,
       "bad_value"},
      {"POST", "/budgets", R"({"scope":"owner:nobody","limit_usd":"1","per":"day"})", 404,
       "unknown_owner"},
      {"POST", "/budgets", R"({"scope":"workspace","limit_usd":1.5,"per":"day"})", 400,
       "wrong_type"},
      {"POST", "/budgets", R"({"scope":"workspace","limit_usd":"-1","per":"day"})", 400,
       "bad_value"},
      {"POST", "/budgets", R"({"scope":"workspace","limit_usd":"1","per":"fortnight"})", 400,
       "bad_value"},
      {"POST", "/budgets", R"({"scope":"workspace","limit_usd":"1","per":"day","warn":[0]})", 400,
       "bad_value"},
      {"POST", "/keys", R"({"owner":"alice","app":"none"})", 404, "unknown_app"},
      {"POST", "/keys", R"({"owner":"alice","app":"notes","expires_at":"someday"})", 400,
       "bad_value"},
      {"POST", "/keys", R"({"owner":"alice","app":"notes","expires_at":"1990-01-01"})", 400,
       "bad_value"},
      {"POST", "/keys", R"({"owner":"alice","app":"notes","requests_per_minute":-3})", 400,
       "bad_value"},
      {"PUT", "/prices",
       R"({"model":"a/b","input_usd_per_million":"1","output_usd_per_million":"1"})", 400,
       "missing_field"},
      {"PUT", "/prices", R"({"model":"a/b","workspace":true,"card":"{\"inptu\":\"1\"}"})", 400,
       "bad_value"},
  };
  for (const Case& each : cases) {
    const Said said = ask(each.method, each.target, each.body);
    EXPECT_EQ(said.status, each.status) << each.target << ' ' << each.body.substr(0, 80);
    EXPECT_EQ(said.error("code"), each.code) << said.text;
    EXPECT_GE(said.error("message").size(), 10u) << said.text;
    EXPECT_GE(said.error("remedy").size(), 10u) << said.text;
  }
  EXPECT_THAT(ask("POST", "/owners", R"({"name":"bob","colour":"red"})").error("message"),
              HasSubstr("colour"));
}

TEST_F(ControlApi, ADatabaseThatRefusesIsA503AndChangesNothingInForce) {
  const int before = publications_;
  ASSERT_TRUE(database_.execute("PRAGMA query_only = ON"));
  EXPECT_EQ(ask("POST", "/owners", R"({"name":"alice"})").error("code"), "store_unavailable");
  EXPECT_EQ(publications_, before);
}

/// The table of routes and the description for people are one.
TEST(Routes, AreExactlyThoseOfTheDescription) {
  std::ifstream yaml(CLAVIGER_OPENAPI_YAML);
  ASSERT_TRUE(yaml) << CLAVIGER_OPENAPI_YAML;
  std::set<std::string> described;
  std::string path;
  bool in_paths = false;
  for (std::string line; std::getline(yaml, line);) {
    if (!line.empty() && line[0] != ' ' && line[0] != '#') in_paths = line.starts_with("paths:");
    if (!in_paths) continue;
    if (line.starts_with("  /") && line.ends_with(':')) path = line.substr(2, line.size() - 3);
    for (const char* const method : {"get", "post", "put", "delete"}) {
      if (line == std::string("    ") + method + ":") {
        std::string upper(method);
        for (char& c : upper) c = static_cast<char>(c - 'a' + 'A');
        described.insert(upper.append(" ").append(path));
      }
    }
  }
  std::set<std::string> served;
  for (const Route& route : routes()) {
    served.insert(std::string(route.method) + " " + std::string(route.path));
  }
  EXPECT_EQ(served, described);
}

}  // namespace
}  // namespace claviger::console

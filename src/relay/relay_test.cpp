/// The way of a request, whole, where it goes well or is refused before it begins
/// (relay_bed_test.h).

#include "relay/relay_bed_test.h"

namespace claviger::relay {
namespace {

TEST_F(RelayTest, AnAnswerComesBackWithItsCostAndIsSettledToTheNanoDollar) {
  provider_says_ = {json_answer(kAnswer)};
  const std::string answer = ask(kAsk);
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 200 OK"));
  EXPECT_THAT(answer, HasSubstr(R"("content":"hello")"));
  EXPECT_THAT(answer, HasSubstr(R"("new_field":[1,2])"));
  EXPECT_THAT(answer, HasSubstr(R"("cost":0.00006)"));
  EXPECT_THAT(answer, HasSubstr("x-claviger-cost: 0.00006"));
  EXPECT_THAT(answer, HasSubstr("x-claviger-model: box/m"));
  EXPECT_THAT(answer, HasSubstr("x-claviger-budget-remaining: 0.99994"));
  EXPECT_EQ(balance().spent, NanoUsd(10 * 1000 + 5 * 10'000));
  EXPECT_EQ(balance().held, NanoUsd(0));
  EXPECT_EQ(record().cost, NanoUsd(60'000));
  EXPECT_EQ(record().status, 200);
  EXPECT_EQ(record().finish_reason, "stop");
  EXPECT_EQ(record().cost_state, record::CostState::billed);
}

TEST_F(RelayTest, TheProviderGetsTheCallersBytesApartFromTheModelsName) {
  provider_says_ = {json_answer(kAnswer)};
  ask(R"({"model":"box/m", "messages":[{"role":"user","content":"h\u00e9"}], "max_tokens":50, "xyz": {"a":1}})");
  EXPECT_EQ(
      provider_saw_,
      R"({"model":"m", "messages":[{"role":"user","content":"h\u00e9"}], "max_tokens":50, "xyz": {"a":1}})");
  EXPECT_EQ(provider_saw_key_, "Bearer sk-provider-key");
  EXPECT_EQ(provider_saw_target_, "/v1/chat/completions");
}

TEST_F(RelayTest, AStreamIsPassedOnEventByEventAndItsUsageIsHiddenUnlessAskedFor) {
  const std::string usage =
      "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":5}}\n\n";
  provider_says_ = {
      stream_head(), chunk("data: {\"choices\":[{\"delta\":{\"content\":\"he\"}}]}\n\nda"),
      chunk("ta: {\"choices\":[{\"delta\":{\"content\":\"llo\"},\"finish_reason\":\"stop\"}]}\n\n"),
      chunk(usage + "data: [DONE]\n\n"), "0\r\n\r\n"};
  const std::string hidden = ask(kAskStream);
  EXPECT_THAT(provider_saw_, HasSubstr(R"("include_usage":true)"));
  EXPECT_THAT(hidden, HasSubstr(R"("content":"he")"));
  EXPECT_THAT(hidden, HasSubstr(R"("content":"llo")"));
  EXPECT_THAT(hidden, HasSubstr("data: [DONE]"));
  EXPECT_THAT(hidden, Not(HasSubstr("prompt_tokens")));
  EXPECT_EQ(balance().spent, NanoUsd(60'000));

  const std::string shown = ask(
      R"({"model":"box/m","messages":[],"max_tokens":50,"stream":true,"stream_options":{"include_usage":true}})");
  EXPECT_THAT(shown, HasSubstr(R"("cost":0.00006)"));
  EXPECT_EQ(balance().spent, NanoUsd(120'000));
}

TEST_F(RelayTest, AStreamThatDiesEndsWithAnHonestErrorAndCostsItsHold) {
  provider_says_ = {stream_head(),
                    chunk("data: {\"choices\":[{\"delta\":{\"content\":\"he\"}}]}\n\n")};
  provider_closes_ = true;
  const std::string answer = ask(kAskStream);
  EXPECT_THAT(answer, HasSubstr(R"("content":"he")"));
  EXPECT_THAT(answer, HasSubstr("host_crashed"));
  EXPECT_THAT(answer, Not(HasSubstr("[DONE]")));
  EXPECT_EQ(record().cost_state, record::CostState::estimated);
  EXPECT_EQ(record().cost, record().held);
  EXPECT_EQ(balance().spent, record().held);
  EXPECT_EQ(balance().held, NanoUsd(0));
}

TEST_F(RelayTest, ACallerWhoLeavesTakesTheProvidersConnectionAlong) {
  provider_says_ = {stream_head(),
                    chunk("data: {\"choices\":[{\"delta\":{\"content\":\"he\"}}]}\n\n"), "WAIT"};
  caller_leaves_at_ = "\"he\"";
  ask(kAskStream);
  EXPECT_TRUE(provider_was_left_);
  ASSERT_FALSE(records_.all.empty());
  EXPECT_TRUE(record().caller_left);
  EXPECT_EQ(record().cost_state, record::CostState::estimated);
}

TEST_F(RelayTest, StrangersAndStrangeRequestsAreRefusedBeforeAnythingIsSpent) {
  EXPECT_THAT(ask("not json"), HasSubstr("HTTP/1.1 400"));
  EXPECT_THAT(ask(R"({"model":"box/m","model":"box/n","messages":[]})"), HasSubstr("repeated_key"));
  EXPECT_THAT(ask(R"({"model":"nope","messages":[]})"), HasSubstr("unknown_model"));
  EXPECT_THAT(ask("{}", "/v1/nothing"), HasSubstr("HTTP/1.1 404"));
  EXPECT_THAT(ask("", "/v1/chat/completions", "GET"), HasSubstr("HTTP/1.1 405"));
  key_[10] = key_[10] == 'A' ? 'B' : 'A';
  EXPECT_THAT(ask(kAsk), HasSubstr("HTTP/1.1 401"));
  EXPECT_EQ(provider_requests_, 0);
  EXPECT_EQ(balance().spent, NanoUsd(0));
}

TEST_F(RelayTest, AKeyIsHeldToItsModelsAndItsPace) {
  models_ = {"other/*"};
  publish();
  EXPECT_THAT(ask(kAsk), HasSubstr("model_not_allowed"));
  models_ = {};
  pace_.requests_per_minute = 1;
  publish();
  provider_says_ = {json_answer(kAnswer)};
  EXPECT_THAT(ask(kAsk), HasSubstr("HTTP/1.1 200"));
  const std::string second = ask(kAsk);
  EXPECT_THAT(second, HasSubstr("HTTP/1.1 429"));
  EXPECT_THAT(second, HasSubstr("retry-after: "));
}

TEST_F(RelayTest, ListsOnlyWhatTheKeyCanUse) {
  const std::string answer = ask("", "/v1/models", "GET");
  EXPECT_THAT(answer, HasSubstr(R"("id":"box/m")"));
  EXPECT_THAT(ask("", "/v1/models/box%2Fm", "GET"), HasSubstr(R"("id":"box/m")"));
  EXPECT_THAT(ask("", "/v1/models/unknown", "GET"), HasSubstr("HTTP/1.1 404"));
}

}  // namespace
}  // namespace claviger::relay

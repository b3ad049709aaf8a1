/// Requests in a caller's place, and what callers say of their own: both reach the relay from
/// beside the ordinary way.

#include "relay/relay_bed_test.h"

namespace claviger::relay {
namespace {

class RelayErrandTest : public RelayTest {
 protected:
  void send_errand(VirtualKeyId key = VirtualKeyId{1}) {
    key_ = "nobody's";  // An errand shows no key: it is made by who has the right to.
    errand_ = {.request = new_request_id(clock_.wall_now()),
               .key = key,
               .credential = {},
               .cost_max = std::nullopt};
    provider_says_ = {json_answer(kAnswer)};
  }
};

TEST_F(RelayErrandTest, AnErrandIsHeldSettledAndRecordedUnderItsOwnIdLikeEveryRequest) {
  send_errand();
  EXPECT_THAT(ask(kAsk), HasSubstr("HTTP/1.1 200"));
  EXPECT_EQ(record().id, errand_->request);
  EXPECT_EQ(record().key, VirtualKeyId{1});
  EXPECT_GT(record().cost, NanoUsd(0));
  EXPECT_EQ(balance().spent, record().cost);
  EXPECT_EQ(balance().held, NanoUsd(0));
}

TEST_F(RelayErrandTest, InThePlaceOfAKeyThatIsGoneNothingIsAsked) {
  send_errand(VirtualKeyId{99});
  EXPECT_THAT(ask(kAsk), HasSubstr("HTTP/1.1 401"));
  EXPECT_EQ(provider_requests_, 0);
}

TEST_F(RelayErrandTest, AnErrandHasNoMoreRightsThanItsKey) {
  models_ = {"box/n"};
  publish();
  send_errand();
  EXPECT_THAT(ask(kAsk), HasSubstr("HTTP/1.1 403"));
  EXPECT_EQ(provider_requests_, 0);
}

TEST_F(RelayErrandTest, AnErrandGoesToItsCredentialOrNowhere) {
  send_errand();
  errand_->credential = CredentialId{3};
  EXPECT_THAT(ask(kAsk), AllOf(HasSubstr("HTTP/1.1 409"), HasSubstr("credential_not_routed")));
  EXPECT_EQ(provider_requests_, 0);
  errand_->credential = CredentialId{1};
  EXPECT_THAT(ask(kAsk), HasSubstr("HTTP/1.1 200"));
  EXPECT_EQ(record().credential, CredentialId{1});
}

TEST_F(RelayErrandTest, WhatCouldCostMoreThanItsAmountIsNeitherHeldNorSent) {
  send_errand();
  errand_->cost_max = NanoUsd(1);
  EXPECT_THAT(ask(kAsk), AllOf(HasSubstr("HTTP/1.1 402"), HasSubstr("probe_too_dear")));
  EXPECT_EQ(provider_requests_, 0);
  EXPECT_EQ(record().attempts, 0);
  EXPECT_EQ(balance().spent + balance().held, NanoUsd(0));
}

TEST_F(RelayErrandTest, AnErrandAtAPathWhereNothingCanBeAskedIsRefused) {
  send_errand();
  EXPECT_THAT(ask("{}", "/v1/models"), HasSubstr("HTTP/1.1 404"));
  EXPECT_EQ(provider_requests_, 0);
}

class RelayFeedbackTest : public RelayTest {
 protected:
  std::string say(const std::string& body) {
    return ask(body, "/v1/requests/" + history_.past.record.id.text() + "/feedback");
  }
  void SetUp() override {
    RelayTest::SetUp();
    history_.past.record.id = new_request_id(clock_.wall_now());
    history_.past.record.key = VirtualKeyId{1};
  }
};

TEST_F(RelayFeedbackTest, WhatACallerSaysOfItsRequestIsKeptAndSaidBackWithTheRecord) {
  const std::string answer = say(R"({"verdict":"bad","why":"a source that does not exist"})");
  EXPECT_THAT(answer, AllOf(HasSubstr("HTTP/1.1 200"), HasSubstr("a source that does not exist"),
                            HasSubstr(history_.past.record.id.text())));
  ASSERT_EQ(history_.kept.size(), 1u);
  EXPECT_EQ(history_.kept[0].request, history_.past.record.id);
  EXPECT_EQ(history_.kept[0].opinion, record::Opinion::bad);
  EXPECT_NE(history_.kept[0].given_at, WallTime{});
}

TEST_F(RelayFeedbackTest, OfAnothersRequestNothingCanBeSaidAndNothingIsLearnt) {
  history_.past.record.key = VirtualKeyId{2};
  history_.past.record.model = "box/secret-model";
  EXPECT_THAT(say(R"({"verdict":"good"})"),
              AllOf(HasSubstr("HTTP/1.1 404"), Not(HasSubstr("secret-model"))));
  key_ = "nobody's";
  EXPECT_THAT(say(R"({"verdict":"good"})"), HasSubstr("HTTP/1.1 401"));
  EXPECT_TRUE(history_.kept.empty());
}

TEST_F(RelayFeedbackTest, WhatIsNoOpinionIsRefusedAndNotKept) {
  for (const std::string body : {"", "{}", "bad!", R"({"verdict":"meh"})", R"({"why":"x"})",
                                 R"({"verdict":"bad","verdict":"good"})"}) {
    EXPECT_THAT(say(body), HasSubstr("HTTP/1.1 400")) << body;
  }
  EXPECT_THAT(say(std::string(record::feedback_body_bytes_max + 1, ' ')),
              HasSubstr("HTTP/1.1 413"));
  EXPECT_TRUE(history_.kept.empty());
}

TEST_F(RelayFeedbackTest, AStoreThatDoesNotAnswerIsOursToMendAndNotAnUnknownRequest) {
  history_.is_full = true;
  EXPECT_THAT(say(R"({"verdict":"good"})"), HasSubstr("HTTP/1.1 503"));
  history_.is_broken = true;
  EXPECT_THAT(say(R"({"verdict":"good"})"), HasSubstr("HTTP/1.1 503"));
}

TEST_F(RelayFeedbackTest, FeedbackKeepsTheKeysPace) {
  pace_ = {.requests_per_minute = 1};
  publish();
  EXPECT_THAT(say(R"({"verdict":"good"})"), HasSubstr("HTTP/1.1 200"));
  EXPECT_THAT(say(R"({"verdict":"bad"})"), HasSubstr("HTTP/1.1 429"));
  EXPECT_EQ(history_.kept.size(), 1u);
}

}  // namespace
}  // namespace claviger::relay

/// What is done, said and recorded where a provider fails, or what it answers is no answer.

#include <fmt/format.h>

#include "relay/relay_bed_test.h"

namespace claviger::relay {
namespace {

class RelayFailureTest : public RelayTest {};

TEST_F(RelayFailureTest, APassingFailureOfTheProviderIsTriedAgainUnderAHoldOfItsOwn) {
  provider_says_first_ = {
      {json_answer(R"({"error":{"message":"overloaded"}})", "503 Service Unavailable")}};
  provider_says_ = {json_answer(kAnswer)};
  const std::string answer = ask(kAsk);
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 200 OK"));
  EXPECT_EQ(provider_requests_, 2);
  EXPECT_EQ(record().attempts, 2U);
  EXPECT_EQ(record().cost, NanoUsd(60'000));
  EXPECT_EQ(balance().spent, NanoUsd(60'000));
  EXPECT_EQ(balance().held, NanoUsd(0));
  EXPECT_EQ(record().error_code, "");
}

TEST_F(RelayFailureTest, WhenAllAttemptsFailTheLastErrorIsToldWithWhatWasMetBefore) {
  provider_says_ = {
      json_answer(R"({"error":{"message":"overloaded"}})", "503 Service Unavailable")};
  const std::string answer = ask(kAsk);
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 503"));
  EXPECT_THAT(answer, HasSubstr("overloaded"));
  EXPECT_THAT(answer, HasSubstr("attempt 1 at box/m"));
  EXPECT_EQ(provider_requests_, 3);
  EXPECT_EQ(balance().spent, NanoUsd(0));
}

TEST_F(RelayFailureTest, AVerdictStandsBesideTheProvidersErrorAndInTheRecord) {
  provider_says_ = {json_answer(
      R"({"error":{"message":"You have no credits left. Please top up.","code":"no_funds"}})",
      "429 Too Many Requests")};
  const std::string answer = ask(kAsk);
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 429"));
  EXPECT_THAT(answer, HasSubstr("x-claviger-fault: account"));
  EXPECT_THAT(answer, HasSubstr("x-should-retry: false"));
  EXPECT_THAT(answer, HasSubstr("\"cause\":\"credit_exhausted\""));
  EXPECT_THAT(answer, HasSubstr("top up"));
  EXPECT_EQ(record().error_code, "credit_exhausted");
  EXPECT_EQ(record().at_fault, "account");
  EXPECT_EQ(provider_requests_, 1);
  const record::Judgement judgement = record().judgement;
  EXPECT_EQ(judgement.retry, "no");
  EXPECT_GT(judgement.confidence_permille, 500);
  ASSERT_FALSE(judgement.suspects.empty());
  EXPECT_EQ(judgement.suspects[0].cause, "credit_exhausted");
  EXPECT_EQ(judgement.suspects[0].confidence_permille, judgement.confidence_permille);
  EXPECT_THAT(judgement.evidence, Contains("status: 429"));
  EXPECT_THAT(judgement.evidence, Contains("code: no_funds"));
}

TEST_F(RelayFailureTest, AnAnswerThatWentWellHasNoJudgementOnRecord) {
  provider_says_ = {json_answer(kAnswer)};
  ask(kAsk);
  EXPECT_TRUE(record().judgement.is_empty());
}

TEST_F(RelayFailureTest, AnErrorInsideAGoodStatusIsAnErrorAndCostsNothing) {
  provider_says_ = {json_answer(R"({"error":{"message":"invalid api key","code":401}})")};
  const std::string answer = ask(kAsk);
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 401"));
  EXPECT_THAT(answer, HasSubstr("x-claviger-fault: key"));
  EXPECT_EQ(balance().spent, NanoUsd(0));
}

TEST_F(RelayFailureTest, ASignInPageIsNobodysAnswer) {
  provider_says_ = {
      "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 52\r\n\r\n"
      "<html><title>Hotel Wi-Fi</title><body>Sign in</html>"};
  const std::string answer = ask(kAsk);
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 502"));
  EXPECT_THAT(answer, HasSubstr("x-claviger-fault: network"));
  EXPECT_THAT(answer, testing::Not(HasSubstr("<html>")));
}

TEST_F(RelayFailureTest, AnAliasFallsBackAlongItsListAndSaysWhoAnswered) {
  provider_says_first_ = {
      {json_answer(R"({"error":{"message":"no such model"}})", "401 Unauthorized")}};
  provider_says_ = {json_answer(kAnswer)};
  const std::string answer =
      ask(R"({"model":"fast","messages":[{"role":"user","content":"hi"}],"max_tokens":50})");
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 200 OK"));
  EXPECT_THAT(answer, HasSubstr("x-claviger-model: box/n"));
  EXPECT_THAT(provider_saw_, HasSubstr(R"("model":"n")"));
  EXPECT_EQ(record().model_asked, "fast");
  EXPECT_EQ(record().model, "box/n");
  EXPECT_EQ(balance().spent, NanoUsd(60'000));
}

TEST_F(RelayFailureTest, APlaceThatFailedAgainAndAgainIsAskedLast) {
  const std::string refused =
      json_answer(R"({"error":{"message":"overloaded"}})", "503 Service Unavailable");
  const std::string good = json_answer(kAnswer);
  // The first of the list fails three times, and its stand-in answers each time.
  provider_says_first_ = {{refused}, {good}, {refused}, {good}, {refused}, {good}};
  provider_says_ = {good};
  const std::string ask_fast =
      R"({"model":"fast","messages":[{"role":"user","content":"hi"}],"max_tokens":50})";
  for (int i = 0; i < 3; ++i) EXPECT_THAT(ask(ask_fast), HasSubstr("x-claviger-model: box/n"));
  ask(ask_fast);
  EXPECT_EQ(record().attempts, 1U);
  EXPECT_EQ(record().model, "box/n");
}

TEST_F(RelayFailureTest, WhatMayHaveBeenBilledIsNotBoughtTwice) {
  provider_says_ = {
      "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 999\r\n\r\n{"};
  provider_closes_ = true;
  const std::string answer = ask(kAsk);
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 502"));
  EXPECT_EQ(provider_requests_, 1);
  EXPECT_EQ(balance().spent, record().held);
}

TEST_F(RelayFailureTest, AProvidersErrorKeepsItsStatusAndWordsAndCostsNothing) {
  provider_says_ = {json_answer(
      R"({"error":{"message":"slow down","type":"rate_limit","code":"rate_limit_exceeded"}})",
      "429 Too Many Requests", "retry-after: 7\r\nx-ratelimit-remaining-requests: 0\r\n")};
  const std::string answer = ask(kAsk);
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 429"));
  EXPECT_THAT(answer, HasSubstr("slow down"));
  EXPECT_THAT(answer, HasSubstr(R"("claviger":)"));
  EXPECT_THAT(answer, HasSubstr("x-should-retry: true"));
  EXPECT_THAT(answer, HasSubstr("retry-after: 7"));
  EXPECT_THAT(answer, HasSubstr("x-ratelimit-remaining-requests: 0"));
  EXPECT_EQ(balance().spent, NanoUsd(0));
  EXPECT_EQ(balance().held, NanoUsd(0));
}

TEST_F(RelayFailureTest, AnEdgesErrorPageCountsAsSpentUntilTheBillSaysOtherwise) {
  provider_says_ = {
      "HTTP/1.1 504 Gateway Timeout\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>"};
  const std::string answer = ask(kAsk);
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 504"));
  EXPECT_EQ(record().cost_state, record::CostState::estimated);
  EXPECT_EQ(balance().spent, record().held);
}

TEST_F(RelayFailureTest, ImpossibleUsageIsQuarantinedAtTheHold) {
  provider_says_ = {
      json_answer(R"({"choices":[],"usage":{"prompt_tokens":-5,"completion_tokens":1}})")};
  ask(kAsk);
  EXPECT_EQ(record().cost_state, record::CostState::quarantined);
  EXPECT_EQ(balance().spent, record().held);
}

TEST_F(RelayFailureTest, ARefusalThatComesBeforeTheRequestIsWholeIsPassedOn) {
  limit(dollars(1'000'000));
  publish();
  provider_answers_early_ = true;
  provider_says_ = {json_answer(R"({"error":{"message":"send less"}})", "413 Content Too Large",
                                "connection: close\r\n")};
  const std::string answer =
      ask(R"({"model":"box/m","messages":[{"role":"user","content":")" +
          std::string(std::size_t{20} << 20, 'x') + R"("}],"max_tokens":5})");
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 413"));
  EXPECT_THAT(answer, HasSubstr("send less"));
  EXPECT_EQ(balance().spent, NanoUsd(0));
  EXPECT_EQ(balance().held, NanoUsd(0));
  EXPECT_EQ(pool_.idle(), 0u);
}

TEST_F(RelayFailureTest, AnUnreachableProviderIsSaidAndCostsNothing) {
  provider_listener_.reset();
  provider_listener_ = net::Listener::open(reactor_, {.host = "127.0.0.1", .port = 0}).value();
  egress_.set_policy(std::make_shared<net::EgressPolicy>(
      net::EgressPolicy{.allow = {{"127.0.0.1", caller_listener_->port()}}}));
  const std::string answer = ask(kAsk);
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 403"));
  EXPECT_THAT(answer, HasSubstr("egress_refused"));
  EXPECT_EQ(balance().spent, NanoUsd(0));
  EXPECT_EQ(balance().held, NanoUsd(0));
}

/// One way in which a stream can go wrong, and what is said of it.
struct BrokenStream {
  std::string_view what;
  std::string bytes;
  std::string_view cause;
};

TEST_F(RelayFailureTest, AStreamThatGoesWrongIsJudgedByTheEngineInEveryDialect) {
  const std::string begin = chunk("data: {\"choices\":[{\"delta\":{\"content\":\"he\"}}]}\n\n");
  const BrokenStream ways[] = {
      {"an event that is cut", "data: {\"choices\":[{\"del\n\n", "bad_provider_answer"},
      {"a page", "<html><body>502 Bad Gateway</body></html>\n\n", "bad_provider_answer"},
      {"an error in llama.cpp's form",
       "error: {\"code\":400,\"message\":\"the request exceeds the available context size\","
       "\"type\":\"exceed_context_size_error\"}\n\n",
       "context_overflow"},
      {"an error without framing",
       "{\"error\":{\"message\":\"Incorrect API key provided\",\"code\":\"invalid_api_key\"}}\n\n",
       "key_invalid"}};
  const std::pair<std::string, std::string> callers[] = {
      {kAskStream, "/v1/chat/completions"},
      {kMessagesStream, "/v1/messages"},
      {kAskGemini, "/v1beta/models/box%2Fm:streamGenerateContent?alt=sse"}};
  for (const BrokenStream& way : ways) {
    for (const auto& [body, path] : callers) {
      SCOPED_TRACE(fmt::format("{} at {}", way.what, path));
      provider_says_ = {stream_head(), begin, chunk(way.bytes), "0\r\n\r\n"};
      const std::string answer = ask(body, path);
      EXPECT_THAT(answer, HasSubstr("he"));
      EXPECT_THAT(answer, HasSubstr(fmt::format(R"("cause":"{}")", way.cause)));
      EXPECT_THAT(answer, HasSubstr("stage: stream"));
      EXPECT_THAT(answer, Not(HasSubstr("[DONE]")));
      EXPECT_THAT(answer, Not(HasSubstr("message_stop")));
      EXPECT_EQ(record().error_code, way.cause);
      EXPECT_FALSE(record().judgement.suspects.empty());
    }
  }
}

TEST_F(RelayFailureTest, AWholeAnswerThatIsNoWholeJsonIsAnErrorAndNotPassedOn) {
  provider_says_ = {json_answer(R"({"choices":[{"message":{"content":"hel)")};
  const std::string answer = ask(kAsk);
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 502"));
  EXPECT_THAT(answer, HasSubstr("\"cause\":\"bad_provider_answer\""));
  EXPECT_THAT(record().judgement.evidence, Contains(HasSubstr("stage: body")));
  EXPECT_EQ(record().cost, record().held);
}

TEST_F(RelayFailureTest, AKeyThatAProviderRepeatsInABrokenAnswerReachesNobody) {
  provider_says_ = {json_answer(R"({"choices":[{"message":{"content":"your key is )" +
                                std::string(kProviderKey))};
  const std::string answer = ask(kAsk);
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 502"));
  EXPECT_THAT(answer, Not(HasSubstr(std::string(kProviderKey))));
  for (const std::string& line : record().judgement.evidence) {
    EXPECT_THAT(line, Not(HasSubstr(std::string(kProviderKey))));
  }
}

const std::string kOverloaded =
    "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\","
    "\"message\":\"Overloaded\"}}\n\n";
const std::string kClaudeStream =
    R"({"model":"cave/claude-x","max_tokens":50,"stream":true,"messages":[{"role":"user","content":"hi"}]})";

TEST_F(RelayFailureTest, AnErrorInAStreamOfTheSameDialectKeepsItsType) {
  provider_says_ = {
      stream_head(),
      chunk("event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,"
            "\"delta\":{\"type\":\"text_delta\",\"text\":\"he\"}}\n\n" +
            kOverloaded),
      "0\r\n\r\n"};
  const std::string answer = ask(kClaudeStream, "/v1/messages");
  EXPECT_THAT(answer, HasSubstr("event: error\ndata: "));
  EXPECT_THAT(answer, HasSubstr("Overloaded"));
  EXPECT_THAT(answer, HasSubstr(R"("claviger":{)"));
}

TEST_F(RelayFailureTest, AStreamThatFailsBeforeItsFirstWordIsAStatusAndCountsUntilItsBill) {
  provider_says_ = {
      stream_head(),
      chunk("event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\","
            "\"content\":[],\"usage\":{\"input_tokens\":9,\"output_tokens\":1}}}\n\n"
            "event: ping\ndata: {\"type\":\"ping\"}\n\n"),
      chunk(kOverloaded), "0\r\n\r\n"};
  const std::string answer = ask(kClaudeStream, "/v1/messages");
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 529"));
  EXPECT_THAT(answer, HasSubstr("overloaded_error"));
  EXPECT_THAT(answer, Not(HasSubstr("message_start")));
  EXPECT_EQ(record().cost_state, record::CostState::estimated);
  EXPECT_EQ(balance().spent, record().held);
}

TEST_F(RelayFailureTest, AStreamThatEndsWithoutAWordIsNoAnswer) {
  provider_says_ = {
      stream_head(),
      chunk(": comment\n\n"
            "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"},"
            "\"finish_reason\":null}]}\n\ndata: [DONE]\n\n"),
      "0\r\n\r\n"};
  const std::string answer = ask(kAskStream);
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 502"));
  EXPECT_THAT(answer, HasSubstr("before it said anything"));
}

}  // namespace
}  // namespace claviger::relay

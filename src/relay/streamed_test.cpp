/// Money while a stream runs: what can be told of its cost, who is stopped, and what is settled
/// where the end is never said.

#include "relay/streamed.h"

#include "relay/spy_bed_test.h"

namespace claviger::relay {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const std::string kChat = "/v1/chat/completions";

class StreamedTest : public SpyBed {
 protected:
  static std::string body(const std::string& more = "", const std::string& model = "box/m") {
    return R"({"model":")" + model +
           R"(","messages":[{"role":"user","content":"hi"}],"max_tokens":50,"stream":true)" + more +
           "}";
  }
  static std::string content(const std::string& text) {
    return event(R"({"choices":[{"index":0,"delta":{"content":")" + text + R"("}}]})");
  }
  static std::string usage_of(int input, int output) {
    return R"("usage":{"prompt_tokens":)" + std::to_string(input) + R"(,"completion_tokens":)" +
           std::to_string(output) + "}";
  }
  static std::string usage_event(int input, int output) {
    return event(R"({"choices":[],)" + usage_of(input, output) + "}");
  }
  static std::string finish(const std::string& more = "") {
    return event(R"({"choices":[{"index":0,"delta":{},"finish_reason":"stop"}])" + more + "}");
  }
  static std::string done() { return event("[DONE]"); }
};

TEST(Streamed, BoundsTokensFromBothSides) {
  EXPECT_EQ(tokens_most({.bytes = 1000, .events = 3}), 1000);
  EXPECT_EQ(tokens_least({}), 0);
  EXPECT_EQ(tokens_least({.bytes = 100'000, .events = 400}), 168);
  EXPECT_EQ(tokens_least({.bytes = 1024 + 768 * 9, .events = 1}), 9);
  // Nobody who keeps to a bound of n tokens is ever above it: one event a token, and as many
  // bytes as the longest tokens have.
  for (std::int64_t n : {1, 16, 1000, 1'000'000}) {
    EXPECT_LE(tokens_least({.bytes = n * (200 + 768), .events = n + 10}), n);
    EXPECT_LE(tokens_least({.bytes = 1024 + n * 768, .events = 1}), n);
  }
}

TEST_F(StreamedTest, AProviderThatWritesForEverIsStoppedAndSaidSo) {
  Script script{.pieces = {stream_head()}};
  for (int i = 0; i < 400; ++i) script.pieces.push_back(content("word"));
  script.pieces.emplace_back("WAIT");
  scripts_ = {script};
  const std::string answer = ask(kChat, body());
  EXPECT_THAT(answer, HasSubstr("provider_overran"));
  EXPECT_THAT(answer, HasSubstr("claviger"));
  EXPECT_THAT(answer, Not(HasSubstr("[DONE]")));
  // It was cut off, not heard to the end.
  EXPECT_EQ(times(What::provider_left), 1u);
  EXPECT_EQ(record().cost_state, record::CostState::estimated);
  EXPECT_GE(record().cost, record().held);
  EXPECT_EQ(balance().spent, record().cost);
  EXPECT_EQ(times(What::settled), 1u);
}

TEST_F(StreamedTest, AProviderThatKeepsToItsBoundIsNeverStopped) {
  Script script{.pieces = {stream_head()}};
  // The whole bound, in long tokens, with an opening and an ending.
  for (int i = 0; i < 50; ++i) script.pieces.push_back(content(std::string(128, ' ')));
  script.pieces.push_back(finish());
  script.pieces.push_back(usage_event(10, 50));
  script.pieces.push_back(done());
  script.pieces.push_back(last_chunk());
  scripts_ = {script};
  EXPECT_THAT(ask(kChat, body()), HasSubstr("[DONE]"));
  EXPECT_EQ(record().cost_state, record::CostState::billed);
  EXPECT_EQ(balance().spent, NanoUsd(10 * 1000 + 50 * 10'000));
}

TEST_F(StreamedTest, ARunningCountBeyondTheHoldStopsTheStreamAtOnce) {
  scripts_ = {{.pieces = {stream_head(), content("a"),
                          event(R"({"choices":[{"index":0,"delta":{"content":"b"}}],)" +
                                usage_of(10, 90'000) + "}"),
                          "WAIT"}}};
  EXPECT_THAT(ask(kChat, body()), HasSubstr("provider_overran"));
  EXPECT_EQ(times(What::provider_left), 1u);
  EXPECT_EQ(balance().spent, NanoUsd(10 * 1000 + 90'000LL * 10'000));
  EXPECT_EQ(record().cost_state, record::CostState::estimated);
}

TEST_F(StreamedTest, AFinalUsageBeyondTheHoldIsRecordedInFullAlarmedAndBlocks) {
  limit(NanoUsd(10'000'000));
  publish();
  scripts_ = {{.pieces = {stream_head(), content("a"), finish(), usage_event(10, 90'000), done(),
                          last_chunk()}}};
  ask(kChat, body());
  EXPECT_EQ(balance().spent, NanoUsd(10 * 1000 + 90'000LL * 10'000));
  EXPECT_EQ(record().cost, balance().spent);
  EXPECT_EQ(record().cost_state, record::CostState::billed);
  EXPECT_EQ(record().error_code, record::kProviderOverran);
  EXPECT_EQ(record().at_fault, "provider");
  EXPECT_THAT(metrics_.render(), HasSubstr("claviger_overruns_total{provider=\"box\"} 1"));

  EXPECT_THAT(ask(kChat, body()), HasSubstr("HTTP/1.1 402"));
  EXPECT_EQ(times(What::provider_byte), 0u);
}

TEST_F(StreamedTest, MoreOutputThanTheBoundIsAnOverrunEvenWithinTheHold) {
  scripts_ = {{.pieces = {whole(R"({"choices":[{"index":0,"message":{"content":"x"},)"
                                R"("finish_reason":"stop"}],)" +
                                usage_of(1, 51) + "}")}}};
  ask(kChat, R"({"model":"box/m","messages":[],"max_tokens":50})");
  EXPECT_LT(record().cost, record().held);
  EXPECT_EQ(balance().spent, NanoUsd(1000 + 51 * 10'000));
  EXPECT_EQ(record().error_code, record::kProviderOverran);
}

TEST_F(StreamedTest, ANegativeUsageIsQuarantinedAtTheHold) {
  scripts_ = {{.pieces = {stream_head(), content("a"), finish(), usage_event(-5, -7), done(),
                          last_chunk()}}};
  ask(kChat, body());
  EXPECT_EQ(record().cost_state, record::CostState::quarantined);
  EXPECT_EQ(balance().spent, record().held);
}

TEST_F(StreamedTest, UsageThatComesTwiceCountsOnce) {
  scripts_ = {{.pieces = {stream_head(), content("a"), finish(), usage_event(10, 5),
                          usage_event(10, 5), done(), last_chunk()}}};
  const std::string answer = ask(kChat, body(R"(,"stream_options":{"include_usage":true})"));
  EXPECT_EQ(balance().spent, NanoUsd(10 * 1000 + 5 * 10'000));
  EXPECT_THAT(answer, HasSubstr(R"("cost":0.00006)"));
}

TEST_F(StreamedTest, CumulativeUsageInEveryEventCountsItsLast) {
  Script script{.pieces = {stream_head()}};
  for (int i = 1; i <= 5; ++i) {
    script.pieces.push_back(
        event(R"({"choices":[{"index":0,"delta":{"content":"a"}}],)" + usage_of(10, i) + "}"));
  }
  script.pieces.push_back(finish("," + usage_of(10, 5)));
  script.pieces.push_back(done());
  script.pieces.push_back(last_chunk());
  scripts_ = {script};
  const std::string answer = ask(kChat, body());
  EXPECT_EQ(balance().spent, NanoUsd(10 * 1000 + 5 * 10'000));
  EXPECT_EQ(record().cost_state, record::CostState::billed);
  EXPECT_THAT(answer, HasSubstr(R"("cost":0.00002)"));  // As far as it was at the first of them.
  EXPECT_THAT(answer, HasSubstr(R"("cost":0.00006)"));
}

TEST_F(StreamedTest, UsageBesideTheLastChoiceIsSettledAndPriced) {
  scripts_ = {{.pieces = {stream_head(), content("a"), finish("," + usage_of(10, 5)), done(),
                          last_chunk()}}};
  const std::string answer = ask(kChat, body());
  EXPECT_EQ(balance().spent, NanoUsd(10 * 1000 + 5 * 10'000));
  EXPECT_THAT(answer, HasSubstr(R"("finish_reason":"stop")"));
  EXPECT_THAT(answer, HasSubstr(R"("cost":0.00006)"));
}

TEST_F(StreamedTest, UsageThatNeverComesCostsTheHold) {
  scripts_ = {{.pieces = {stream_head(), content("a"), finish(), done(), last_chunk()}}};
  EXPECT_THAT(ask(kChat, body()), HasSubstr("[DONE]"));
  EXPECT_EQ(record().cost_state, record::CostState::estimated);
  EXPECT_EQ(balance().spent, record().held);
}

TEST_F(StreamedTest, TheProviderIsLeftAtOnceWhenTheCallerGoes) {
  scripts_ = {{.pieces = {stream_head(), content("hello"), "WAIT"}}};
  ask(kChat, body(), "hello");
  const Happened* const caller = first(What::caller_left);
  const Happened* const provider = first(What::provider_left);
  ASSERT_NE(provider, nullptr);
  EXPECT_LT(provider->at - caller->at, 100ms);
  EXPECT_TRUE(record().caller_left);
  // What an API provider bills for a cancelled stream, nobody says: the full hold.
  EXPECT_EQ(record().cost_state, record::CostState::estimated);
  EXPECT_EQ(record().cost, record().held);
}

TEST_F(StreamedTest, TheProviderIsLeftAtOnceWhileItsAnswerIsAwaited) {
  scripts_ = {{.pieces = {"WAIT"}}};
  ask(kChat, body(), "AT ONCE");
  ASSERT_NE(first(What::provider_left), nullptr);
  EXPECT_LT(first(What::provider_left)->at - first(What::caller_left)->at, 100ms);
}

TEST_F(StreamedTest, WhereCancellingStopsTheBillOnlyWhatWasStreamedCounts) {
  scripts_ = {{.pieces = {stream_head(), content("hello"), "WAIT"}}};
  const std::string ask_long =
      R"({"model":"local/m","messages":[{"role":"user","content":"hi"}],"max_tokens":5000,"stream":true})";
  ask(kChat, ask_long, "hello");
  EXPECT_EQ(record().cost_state, record::CostState::estimated);
  EXPECT_LT(record().cost, record().held);
  // The bound on the input, and at most a token for every byte that came.
  const std::int64_t input_nanos =
      (static_cast<std::int64_t>(ask_long.size()) + budget::kTemplateTokensMax) * 1000;
  EXPECT_GE(record().cost, NanoUsd(5 * 10'000));
  EXPECT_LE(record().cost, NanoUsd(input_nanos + 200 * 10'000));
  EXPECT_EQ(balance().spent, record().cost);

  // Of an answer in one piece nobody sees how far it got.
  scripts_ = {{.pieces = {"WAIT"}}};
  ask(kChat, R"({"model":"local/m","messages":[],"max_tokens":5000})", "AT ONCE");
  EXPECT_EQ(record().cost, record().held);
}

}  // namespace
}  // namespace claviger::relay

/// Callers and providers of different dialects.

#include "relay/relay_bed_test.h"

namespace claviger::relay {
namespace {

class RelayTranslationTest : public RelayTest {};

TEST_F(RelayTranslationTest, AGeminiCallerReachesAModelThatSpeaksOpenAi) {
  provider_says_ = {json_answer(kAnswer)};
  const std::string answer = ask(kAskGemini, std::string(kGeminiPath));
  EXPECT_THAT(provider_saw_, HasSubstr(R"("model":"m")"));
  EXPECT_THAT(provider_saw_, HasSubstr(R"("content":"hi")"));
  EXPECT_THAT(provider_saw_, HasSubstr(R"("max_tokens":50)"));
  EXPECT_THAT(answer, HasSubstr(R"("parts":[{"text":"hello"}])"));
  EXPECT_THAT(answer, HasSubstr(R"("finishReason":"STOP")"));
  EXPECT_THAT(answer, HasSubstr(R"("cost":0.00006)"));
  EXPECT_EQ(balance().spent, NanoUsd(60'000));
  EXPECT_EQ(record().model, "box/m");
}

TEST_F(RelayTranslationTest, AGeminiCallersStreamEndsWithItsCost) {
  provider_says_ = {
      stream_head(),
      chunk("data: {\"id\":\"x\",\"choices\":[{\"delta\":{\"content\":\"he\"}}]}\n\n"),
      chunk("data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}]}\n\n"),
      chunk("data: {\"choices\":[],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":5}}\n\n"
            "data: [DONE]\n\n"),
      "0\r\n\r\n"};
  const std::string answer =
      ask(kAskGemini, "/v1beta/models/box%2Fm:streamGenerateContent?alt=sse");
  EXPECT_THAT(answer, HasSubstr(R"("parts":[{"text":"he"}])"));
  EXPECT_THAT(answer, HasSubstr(R"("finishReason":"MAX_TOKENS")"));
  EXPECT_THAT(answer, HasSubstr(R"("cost":0.00006)"));
  EXPECT_THAT(answer, Not(HasSubstr("[DONE]")));
  EXPECT_TRUE(record().streamed);
}

TEST_F(RelayTranslationTest, AGeminiCallerIsToldErrorsInItsOwnDialect) {
  const std::string unknown = ask(kAskGemini, "/v1beta/models/box/none/such:generateContent");
  EXPECT_THAT(unknown, HasSubstr(R"("status":")"));
  EXPECT_THAT(unknown, HasSubstr(R"("claviger":{)"));
  const std::string no_sse = ask(kAskGemini, "/v1beta/models/box/m:streamGenerateContent");
  EXPECT_THAT(no_sse, HasSubstr("HTTP/1.1 400"));
  EXPECT_THAT(no_sse, HasSubstr("alt=sse"));
  EXPECT_EQ(provider_requests_, 0);
  EXPECT_EQ(balance().spent, NanoUsd(0));
}

TEST_F(RelayTranslationTest, TokensAreCountedForAGeminiCallerInItsOwnWords) {
  const std::string answer = ask(kAskGemini, "/v1beta/models/box/m:countTokens");
  EXPECT_THAT(answer, HasSubstr(R"("totalTokens":)"));
  EXPECT_EQ(provider_requests_, 0);
}

TEST_F(RelayTranslationTest, AnAnthropicCallerIsAnsweredByAnOpenAiProvider) {
  provider_says_ = {json_answer(kAnswer)};
  const std::string answer = ask(kMessages, "/v1/messages");
  EXPECT_EQ(
      provider_saw_,
      R"({"model":"m","messages":[{"role":"system","content":"be kind"},{"role":"user","content":"hi"}],"max_tokens":50})");
  EXPECT_EQ(provider_saw_target_, "/v1/chat/completions");
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 200 OK"));
  EXPECT_THAT(answer, HasSubstr(R"("content":[{"type":"text","text":"hello","citations":null}])"));
  EXPECT_THAT(answer, HasSubstr(R"("stop_reason":"end_turn")"));
  EXPECT_THAT(answer, HasSubstr(R"("input_tokens":10)"));
  EXPECT_THAT(answer, HasSubstr(R"("cost":0.00006)"));
  EXPECT_EQ(balance().spent, NanoUsd(60'000));
}

TEST_F(RelayTranslationTest, AnOpenAiStreamReachesAnAnthropicCallerInItsOwnEvents) {
  provider_says_ = {
      stream_head(),
      chunk("data: {\"id\":\"c1\",\"choices\":[{\"delta\":{\"content\":\"he\"}}]}\n\nda"),
      chunk("ta: {\"choices\":[{\"delta\":{\"content\":\"llo\"},\"finish_reason\":\"stop\"}]}\n\n"),
      chunk("data: {\"choices\":[],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":5}}\n\n"
            "data: [DONE]\n\n"),
      "0\r\n\r\n"};
  const std::string answer = ask(kMessagesStream, "/v1/messages");
  EXPECT_THAT(provider_saw_, HasSubstr(R"("stream_options":{"include_usage":true})"));
  EXPECT_THAT(answer, HasSubstr("event: message_start\ndata: "));
  EXPECT_THAT(answer, HasSubstr(R"("delta":{"type":"text_delta","text":"llo"})"));
  EXPECT_THAT(answer, HasSubstr(R"("stop_reason":"end_turn")"));
  EXPECT_THAT(answer, HasSubstr(R"("output_tokens":5,"cost":0.00006)"));
  EXPECT_THAT(answer, HasSubstr("event: message_stop"));
  EXPECT_THAT(answer, Not(HasSubstr("[DONE]")));
  EXPECT_EQ(balance().spent, NanoUsd(60'000));
}

TEST_F(RelayTranslationTest, ATranslatedStreamThatDiesEndsWithAnErrorOfTheCallersDialect) {
  provider_says_ = {stream_head(),
                    chunk("data: {\"choices\":[{\"delta\":{\"content\":\"he\"}}]}\n\n")};
  provider_closes_ = true;
  const std::string answer = ask(kMessagesStream, "/v1/messages");
  EXPECT_THAT(answer, HasSubstr(R"("text":"he")"));
  EXPECT_THAT(answer, HasSubstr("event: error\ndata: {\"type\":\"error\""));
  EXPECT_THAT(answer, HasSubstr("host_crashed"));
  EXPECT_THAT(answer, Not(HasSubstr("message_stop")));
  EXPECT_EQ(balance().spent, record().held);
}

TEST_F(RelayTranslationTest, AnErrorInATranslatedStreamIsSaidAndNotDressedUp) {
  provider_says_ = {stream_head(),
                    chunk("data: {\"choices\":[{\"delta\":{\"content\":\"he\"}}]}\n\n"
                          "data: {\"error\":{\"message\":\"out of memory\",\"code\":\"oom\"}}\n\n"),
                    "0\r\n\r\n"};
  const std::string answer = ask(kMessagesStream, "/v1/messages");
  EXPECT_THAT(answer, HasSubstr(R"("text":"he")"));
  EXPECT_THAT(answer, HasSubstr("out of memory"));
  EXPECT_THAT(answer, Not(HasSubstr("message_stop")));
}

const std::string kClaudeSays =
    R"({"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[{"type":"thinking","thinking":"hm","signature":"SIG"},{"type":"text","text":"hello"},{"type":"tool_use","id":"t1","name":"f","input":{"a": 1.0}}],"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":4,"cache_read_input_tokens":6,"output_tokens":5},"new_field":[1,2]})";

TEST_F(RelayTranslationTest, AnOpenAiCallerIsAnsweredByAnAnthropicProvider) {
  provider_says_ = {json_answer(kClaudeSays)};
  const std::string answer = ask(
      R"({"model":"cave/claude-x","messages":[{"role":"system","content":"s"},{"role":"user","content":"hi"}],"max_tokens":50,"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}]})");
  EXPECT_EQ(
      provider_saw_,
      R"({"model":"claude-x","max_tokens":50,"system":[{"type":"text","text":"s"}],"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}],"tools":[{"name":"f","input_schema":{"type":"object"}}]})");
  EXPECT_EQ(provider_saw_version_, "2023-06-01");
  EXPECT_EQ(provider_saw_x_key_, "sk-ant-provider-key");
  EXPECT_EQ(provider_saw_target_, "/v1/v1/messages");
  EXPECT_THAT(answer, HasSubstr(R"("content":"hello")"));
  EXPECT_THAT(answer, HasSubstr(R"("arguments":"{\"a\": 1.0}")"));
  EXPECT_THAT(answer, HasSubstr(R"("finish_reason":"tool_calls")"));
  EXPECT_THAT(answer, HasSubstr(R"("signature":"SIG")"));
  EXPECT_THAT(answer, HasSubstr(R"("prompt_tokens":10)"));
  EXPECT_THAT(answer, HasSubstr(R"("cost":0.00006)"));
  EXPECT_EQ(balance().spent, NanoUsd(60'000));
}

const std::string kClaudeStreams =
    "event: message_start\ndata: "
    R"({"type":"message_start","message":{"id":"msg_1","model":"claude-x","usage":{"input_tokens":4,"cache_read_input_tokens":6,"output_tokens":1}}})"
    "\n\nevent: ping\ndata: {\"type\": \"ping\"}\n\n"
    "event: content_block_start\ndata: "
    R"({"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}})"
    "\n\nevent: content_block_delta\ndata: "
    R"({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hello"}})"
    "\n\nevent: content_block_stop\ndata: "
    R"({"type":"content_block_stop","index":0})"
    "\n\nevent: message_delta\ndata: "
    R"({"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":5}})"
    "\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

TEST_F(RelayTranslationTest, AnAnthropicStreamReachesAnOpenAiCallerAndBothCountsAreBilled) {
  provider_says_ = {stream_head(), chunk(kClaudeStreams), "0\r\n\r\n"};
  const std::string answer = ask(
      R"({"model":"cave/claude-x","messages":[{"role":"user","content":"hi"}],"max_tokens":50,"stream":true,"stream_options":{"include_usage":true}})");
  EXPECT_THAT(answer, HasSubstr(R"("delta":{"role":"assistant","content":"hello"})"));
  EXPECT_THAT(answer, HasSubstr(R"("finish_reason":"stop")"));
  EXPECT_THAT(answer, HasSubstr(R"("prompt_tokens":10,"completion_tokens":5)"));
  EXPECT_THAT(answer, HasSubstr(R"("cost":0.00006)"));
  EXPECT_THAT(answer, HasSubstr("data: [DONE]"));
  EXPECT_EQ(balance().spent, NanoUsd(60'000));
}

TEST_F(RelayTranslationTest, TheAnthropicDialectIsPassedOnByteForByteToAProviderThatSpeaksIt) {
  provider_says_ = {json_answer(kClaudeSays)};
  more_headers_ = "anthropic-version: 2026-10-21\r\n";
  const std::string answer = ask(
      R"({"model":"cave/claude-x", "max_tokens":50, "messages":[{"role":"user","content":"h\u00e9"}]})",
      "/v1/messages");
  EXPECT_EQ(
      provider_saw_,
      R"({"model":"claude-x", "max_tokens":50, "messages":[{"role":"user","content":"h\u00e9"}]})");
  EXPECT_EQ(provider_saw_version_, "2026-10-21");
  EXPECT_THAT(answer, HasSubstr(R"("new_field":[1,2])"));
  EXPECT_THAT(answer, HasSubstr(R"("input":{"a": 1.0})"));
  EXPECT_EQ(balance().spent, NanoUsd(60'000));
}

TEST_F(RelayTranslationTest, AnAnthropicStreamIsPassedOnWithTheCostInItsLastUsage) {
  provider_says_ = {stream_head(), chunk(kClaudeStreams), "0\r\n\r\n"};
  const std::string answer = ask(
      R"({"model":"cave/claude-x","max_tokens":50,"stream":true,"messages":[{"role":"user","content":"hi"}]})",
      "/v1/messages");
  EXPECT_THAT(answer, HasSubstr(R"("usage":{"output_tokens":5,"cost":0.00006})"));
  EXPECT_THAT(answer, HasSubstr("event: ping"));
  EXPECT_EQ(balance().spent, NanoUsd(60'000));
}

TEST_F(RelayTranslationTest, SoftFailuresAreMarkedWhateverCallerAndProviderSpeak) {
  const std::string to_claude =
      R"({"model":"cave/claude-x","max_tokens":50,"messages":[{"role":"user","content":"hi"}],"tools":[)";
  const std::string as_openai =
      to_claude + R"({"type":"function","function":{"name":"g","parameters":{"type":"object"}}}]})";
  const std::string as_anthropic = to_claude + R"({"name":"g","input_schema":{"type":"object"}}]})";
  provider_says_ = {json_answer(kClaudeSays)};  // It calls a tool "f".
  EXPECT_THAT(ask(as_openai), HasSubstr("HTTP/1.1 200"));
  EXPECT_EQ(record().soft_failures, "unknown_tool");
  EXPECT_THAT(ask(as_anthropic, "/v1/messages"), HasSubstr("HTTP/1.1 200"));
  EXPECT_EQ(record().soft_failures, "unknown_tool");

  std::string cut = kClaudeStreams;
  cut.replace(cut.find("end_turn"), 8, "max_tokens");
  provider_says_ = {stream_head(), chunk(cut), "0\r\n\r\n"};
  for (const auto& [path, request] :
       {std::pair<std::string, std::string>{"/v1/messages", as_anthropic},
        {"/v1/chat/completions", as_openai}}) {
    const std::string answer = ask(R"({"stream":true,)" + request.substr(1), path);
    EXPECT_THAT(answer, HasSubstr("hello"));
    EXPECT_EQ(record().soft_failures, "cut_by_length") << path;
    EXPECT_EQ(record().at_fault, "");
  }

  provider_says_ = {json_answer(
      R"({"choices":[{"message":{"role":"assistant","content":""},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":0}})")};
  for (const auto& [path, request] :
       {std::pair<std::string, std::string>{"/v1/messages", kMessages},
        {std::string(kGeminiPath), kAskGemini}}) {
    EXPECT_THAT(ask(request, path), HasSubstr("HTTP/1.1 200"));
    EXPECT_EQ(record().soft_failures, "empty_output") << path;
  }
  EXPECT_THAT(
      metrics_.render(),
      HasSubstr(R"(claviger_soft_failures_total{kind="cut_by_length",model="cave/claude-x"} 2)"));
}

TEST_F(RelayTranslationTest, WhatATargetCannotExpressIsRefusedByNameAndCostsNothing) {
  provider_says_ = {json_answer(kClaudeSays)};
  const std::string ask_for_seed =
      R"({"model":"cave/claude-x","messages":[{"role":"user","content":"hi"}],"max_tokens":50,"seed":7})";
  const std::string refused = ask(ask_for_seed);
  EXPECT_THAT(refused, HasSubstr("HTTP/1.1 422"));
  EXPECT_THAT(refused, HasSubstr(R"("code":"not_expressible")"));
  EXPECT_THAT(refused, HasSubstr(R"("param":"seed")"));
  EXPECT_EQ(provider_requests_, 0);
  EXPECT_EQ(balance().held, NanoUsd(0));

  more_headers_ = "x-claviger-allow-drops: seed\r\n";
  const std::string dropped = ask(ask_for_seed);
  EXPECT_THAT(dropped, HasSubstr("HTTP/1.1 200"));
  EXPECT_THAT(dropped, HasSubstr("x-claviger-dropped: seed"));
  EXPECT_THAT(provider_saw_, Not(HasSubstr("seed")));
}

TEST_F(RelayTranslationTest, AProvidersErrorReachesTheOtherDialectInItsOwnShape) {
  provider_says_ = {
      json_answer(R"({"error":{"message":"no such tool","code":"x"}})", "400 Bad Request")};
  const std::string answer = ask(kMessages, "/v1/messages");
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 400"));
  EXPECT_THAT(answer, HasSubstr(R"({"type":"error","error":{"type":"invalid_request_error")"));
  EXPECT_THAT(answer, HasSubstr("no such tool"));
  EXPECT_THAT(answer, HasSubstr(R"("claviger":{"request_id")"));
}

TEST_F(RelayTranslationTest, TokensAreCountedByAnEstimateThatSaysSoWhereTheProviderCannot) {
  const std::string answer = ask(R"({"model":"box/m","messages":[{"role":"user","content":"hi"}]})",
                                 "/v1/messages/count_tokens");
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 200"));
  EXPECT_THAT(answer, HasSubstr(R"("input_tokens":)"));
  EXPECT_THAT(answer, HasSubstr(R"("counted_by":"estimate")"));
  EXPECT_EQ(provider_requests_, 0);
  EXPECT_EQ(balance().spent, NanoUsd(0));
  EXPECT_EQ(balance().held, NanoUsd(0));
}

TEST_F(RelayTranslationTest, CountingCostsNothingWhateverItsAnswerSaysAndWithoutAPrice) {
  for (const auto& price : {std::optional(test_price()), std::optional<catalog::Price>()}) {
    publish(price);
    provider_says_ = {
        json_answer(R"({"input_tokens":5,"usage":{"input_tokens":5,"output_tokens":900}})")};
    const std::string answer =
        ask(R"({"model":"cave/claude-x","messages":[{"role":"user","content":"hi"}]})",
            "/v1/messages/count_tokens");
    EXPECT_THAT(answer, HasSubstr("HTTP/1.1 200"));
    EXPECT_EQ(record().cost, NanoUsd(0));
    EXPECT_EQ(balance().spent, NanoUsd(0));
  }
  EXPECT_EQ(provider_requests_, 2);
}

TEST_F(RelayTranslationTest, ModelsAreListedInTheDialectOfWhoeverAsks) {
  more_headers_ = "anthropic-version: 2023-06-01\r\n";
  EXPECT_THAT(ask("", "/v1/models", "GET"), HasSubstr(R"("has_more":false)"));
  more_headers_.clear();
  EXPECT_THAT(ask("", "/v1/models", "GET"), HasSubstr(R"("object":"list")"));
}

}  // namespace
}  // namespace claviger::relay

/// Callers of OpenAI's Responses API: passed through where the provider speaks it, translated
/// elsewhere.

#include "relay/relay_bed_test.h"

namespace claviger::relay {
namespace {

const std::string kPath = "/v1/responses";
const std::string kResponse =
    R"({"id":"resp_1","object":"response","status":"completed","error":null,"output":[{"id":"msg_1","type":"message","role":"assistant","content":[{"type":"output_text","text":"hello","annotations":[]}]}],"usage":{"input_tokens":10,"input_tokens_details":{"cached_tokens":0},"output_tokens":5,"output_tokens_details":{"reasoning_tokens":2},"total_tokens":15},"new_field":[1,2]})";

class RelayResponsesTest : public RelayTest {
 protected:
  static std::string asking(const std::string& model, const std::string& more = "") {
    return R"({"model":")" + model + R"(", "input":"h\u00e9", "max_output_tokens":50)" + more + "}";
  }
  static std::string event(const std::string& type, const std::string& more) {
    return chunk("event: " + type + "\ndata: {\"type\":\"" + type + "\"," + more + "}\n\n");
  }
  std::string respond(const std::string& model, const std::string& more = "") {
    return ask(asking(model, more), kPath);
  }
};

TEST_F(RelayResponsesTest, AProviderThatSpeaksItGetsTheCallersBytes) {
  provider_says_ = {json_answer(kResponse)};
  const std::string answer = respond("openai/gpt-4o", R"(, "store":false, "include":[])");
  EXPECT_EQ(provider_saw_target_, "/v1/responses");
  EXPECT_EQ(
      provider_saw_,
      R"({"model":"gpt-4o", "input":"h\u00e9", "max_output_tokens":50, "store":false, "include":[]})");
  EXPECT_EQ(provider_saw_key_, "Bearer sk-openai-key");
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 200 OK"));
  EXPECT_THAT(answer, HasSubstr(R"("total_tokens":15,"cost":0.00006},"new_field":[1,2])"));
  EXPECT_EQ(balance().spent, NanoUsd(60'000));
  EXPECT_EQ(balance().held, NanoUsd(0));
  EXPECT_EQ(record().cost_state, record::CostState::billed);
  EXPECT_EQ(record().usage.reasoning_tokens, 2);
  EXPECT_EQ(record().finish_reason, "completed");
}

TEST_F(RelayResponsesTest, EventsAreRelayedAsTheyComeAndTheLastOneSaysTheCost) {
  const std::string delta = event("response.output_text.delta", R"("delta":"hello")");
  provider_says_ = {stream_head(), event("response.created", R"("response":{"status":"queued"})"),
                    delta, event("response.completed", R"("response":)" + kResponse), "0\r\n\r\n"};
  const std::string answer = respond("openai/gpt-4o", R"(,"stream":true)");
  EXPECT_THAT(provider_saw_, Not(HasSubstr("stream_options")));
  EXPECT_THAT(answer,
              HasSubstr("event: response.output_text.delta\ndata: "
                        "{\"type\":\"response.output_text.delta\",\"delta\":\"hello\"}\n\n"));
  EXPECT_THAT(answer, HasSubstr(R"("total_tokens":15,"cost":0.00006},"new_field":[1,2])"));
  EXPECT_EQ(balance().spent, NanoUsd(60'000));
  EXPECT_EQ(record().cost_state, record::CostState::billed);
  EXPECT_TRUE(record().streamed);
}

TEST_F(RelayResponsesTest, AStreamWithoutItsLastEventIsNoAnswer) {
  provider_says_ = {stream_head(), event("response.output_text.delta", R"("delta":"hel")"),
                    "0\r\n\r\n"};
  const std::string answer = respond("openai/gpt-4o", R"(,"stream":true)");
  EXPECT_THAT(answer, HasSubstr("event: error\ndata: {\"type\":\"error\",\"code\":"));
  EXPECT_THAT(answer, HasSubstr(R"("error":{"message":)"));
  EXPECT_EQ(record().cost, record().held);
  EXPECT_EQ(record().cost_state, record::CostState::estimated);
}

TEST_F(RelayResponsesTest, AnAnswerThatFailsInItsStreamIsJudged) {
  provider_says_ = {
      stream_head(), event("response.output_text.delta", R"("delta":"hel")"),
      event(
          "response.failed",
          R"("response":{"id":"r","status":"failed","error":{"code":"rate_limit_exceeded","message":"Rate limit reached for requests per min"},"usage":null})"),
      "0\r\n\r\n"};
  const std::string answer = respond("openai/gpt-4o", R"(,"stream":true)");
  EXPECT_THAT(answer, HasSubstr("event: response.failed\n"));
  EXPECT_THAT(answer, HasSubstr(R"(per min","claviger":{)"));
  EXPECT_EQ(record().at_fault, "account");
  EXPECT_EQ(record().cost, record().held);
}

TEST_F(RelayResponsesTest, AnAnswerThatFailsBeforeItsFirstWordHasAStatus) {
  provider_says_ = {
      stream_head(), event("response.created", R"("response":{"status":"in_progress"})"),
      event(
          "error",
          R"("code":"rate_limit_exceeded","message":"Rate limit reached for requests per min","param":null)"),
      "0\r\n\r\n"};
  const std::string answer = respond("openai/gpt-4o", R"(,"stream":true)");
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 429"));
  EXPECT_THAT(answer, HasSubstr(R"("at_fault":"account")"));
}

TEST_F(RelayResponsesTest, AFailedAnswerInAGoodStatusIsAnError) {
  provider_says_ = {json_answer(
      R"({"id":"r","status":"failed","error":{"code":"server_error","message":"The model produced invalid content"},"output":[],"usage":null})")};
  const std::string answer = respond("openai/gpt-4o");
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 5"));
  EXPECT_THAT(answer, HasSubstr(R"(invalid content","claviger":{)"));
}

TEST_F(RelayResponsesTest, WhatHasNoBoundIsRefusedByName) {
  const std::string background = respond("openai/gpt-4o", R"(,"background":true)");
  EXPECT_THAT(background, HasSubstr(R"(\"background\")"));
  const std::string painting =
      respond("openai/gpt-4o", R"(,"tools":[{"type":"image_generation"}],"max_tool_calls":1)");
  EXPECT_THAT(painting, HasSubstr("tools.image_generation"));
  const std::string searching = respond("openai/gpt-4o", R"(,"tools":[{"type":"web_search"}])");
  EXPECT_THAT(searching, HasSubstr("max_tool_calls"));
  EXPECT_EQ(provider_requests_, 0);
}

TEST_F(RelayResponsesTest, WhatTheProviderKeepsIsHeldAtTheModelsContext) {
  limit(NanoUsd(100'000'000'000));
  publish();
  provider_says_ = {json_answer(kResponse)};
  respond("openai/gpt-4o");
  const NanoUsd seen = record().held;
  const std::string answer = respond("openai/gpt-4o", R"(,"previous_response_id":"resp_0")");
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 200 OK"));
  EXPECT_THAT(provider_saw_, HasSubstr(R"("previous_response_id":"resp_0")"));
  EXPECT_GE(record().held, NanoUsd(128'000 * 1000));
  EXPECT_LT(seen, record().held);
}

TEST_F(RelayResponsesTest, AModelOfChatCompletionsAnswers) {
  provider_says_ = {json_answer(kAnswer)};
  const std::string answer = respond("box/m");
  EXPECT_EQ(provider_saw_target_, "/v1/chat/completions");
  EXPECT_THAT(provider_saw_, HasSubstr(R"("messages":[{"role":"user","content":"hé"}])"));
  EXPECT_THAT(provider_saw_, HasSubstr(R"("max_tokens":50)"));
  EXPECT_THAT(answer, HasSubstr(R"("object":"response")"));
  EXPECT_THAT(answer, HasSubstr(R"("status":"completed")"));
  EXPECT_THAT(answer, HasSubstr(R"("text":"hello")"));
  EXPECT_THAT(answer, HasSubstr(R"("input_tokens":10)"));
  EXPECT_THAT(answer, HasSubstr(R"("cost":0.00006)"));
  EXPECT_EQ(balance().spent, NanoUsd(60'000));
}

TEST_F(RelayResponsesTest, AStreamOfChatCompletionsBecomesItsEvents) {
  provider_says_ = {
      stream_head(),
      chunk("data: {\"id\":\"x\",\"choices\":[{\"delta\":{\"content\":\"he\"}}]}\n\n"),
      chunk("data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}]}\n\n"),
      chunk("data: {\"choices\":[],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":5}}\n\n"
            "data: [DONE]\n\n"),
      "0\r\n\r\n"};
  const std::string answer = respond("box/m", R"(,"stream":true)");
  std::size_t at = 0;
  for (const char* const type :
       {"response.created", "response.in_progress", "response.output_item.added",
        "response.content_part.added", "response.output_text.delta", "response.output_text.done",
        "response.content_part.done", "response.output_item.done", "response.incomplete"}) {
    const std::size_t next = answer.find(std::string("event: ") + type + "\n", at);
    ASSERT_NE(next, std::string::npos) << type << " in " << answer;
    at = next;
  }
  EXPECT_THAT(answer, HasSubstr(R"("incomplete_details":{"reason":"max_output_tokens"})"));
  EXPECT_THAT(answer, HasSubstr(R"("cost":0.00006)"));
  EXPECT_THAT(answer, Not(HasSubstr("[DONE]")));
}

TEST_F(RelayResponsesTest, WhatNobodyKeepsIsRefusedWhereOpenAiDoesNotServe) {
  for (const char* const more :
       {R"(,"previous_response_id":"resp_0")", R"(,"conversation":"conv_0")"}) {
    const std::string answer = respond("cave/claude-x", more);
    EXPECT_THAT(answer, HasSubstr("HTTP/1.1 422")) << more;
    EXPECT_THAT(answer, HasSubstr("Send the items of the earlier turns in `input`")) << more;
  }
  const std::string stored = respond("cave/claude-x", R"(,"store":true)");
  EXPECT_THAT(stored, HasSubstr("HTTP/1.1 422"));
  EXPECT_THAT(stored, HasSubstr("`store`: nothing is kept"));
  EXPECT_THAT(stored, HasSubstr("x-claviger-allow-drops: store"));
  const std::string tool = respond("cave/claude-x", R"(,"tools":[{"type":"apply_patch"}])");
  EXPECT_THAT(tool, HasSubstr("`tools.0` cannot be expressed"));
  EXPECT_EQ(provider_requests_, 0);
  EXPECT_EQ(balance().spent, NanoUsd(0));
}

}  // namespace
}  // namespace claviger::relay

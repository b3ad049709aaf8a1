/// What is sent to Google, and what its answers are read as. Answers are those of
/// https://ai.google.dev/api/generate-content and …/gemini-api/docs/thinking (2026-11).

#include "provider/gemini/gemini_adapter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace claviger::provider {
namespace {

using namespace exchange;
using ::testing::HasSubstr;
using ::testing::Not;

Profile profile() {
  return {.chat_path = "/models", .embeddings_path = "/models", .count_tokens_path = "/models"};
}

/// Writes down what it is told.
class Told final : public EventSink {
 public:
  void on(const Event& event) override {
    std::visit([this](const auto& one) { note(one); }, event);
  }
  std::string log;

 private:
  void note(const event::Start& e) { log += "start " + std::string(e.id) + ";"; }
  void note(const event::TextPiece& e) { log += "text " + std::string(e.text) + ";"; }
  void note(const event::RefusalPiece&) { log += "refusal;"; }
  void note(const event::ThinkingPiece& e) { log += "thought " + std::string(e.text) + ";"; }
  void note(const event::ThinkingSigned& e) { log += "signed " + std::string(e.signature) + ";"; }
  void note(const event::CallStart& e) {
    log += "call " + std::string(e.id) + " " + std::string(e.name) + ";";
  }
  void note(const event::CallPiece& e) { log += "args " + std::string(e.arguments) + ";"; }
  void note(const event::Stop& e) {
    log += "stop " + std::to_string(static_cast<int>(e.reason)) + ";";
  }
  template <typename Other>
  void note(const Other&) {}
};

TEST(GeminiAdapter, TheModelAndTheVerbStandInThePath) {
  const GeminiAdapter adapter;
  Request request;
  request.dialect = DialectId::gemini;
  EXPECT_EQ(adapter.path(profile(), request, "gemini-2.5-flash"),
            "/models/gemini-2.5-flash:generateContent");
  request.delivery = Delivery::streamed;
  EXPECT_EQ(adapter.path(profile(), request, "models/gemini-2.5-flash"),
            "/models/gemini-2.5-flash:streamGenerateContent?alt=sse");
  request.operation = Operation::count_tokens;
  EXPECT_EQ(adapter.path(profile(), request, "g"), "/models/g:countTokens");
  request.operation = Operation::embeddings;
  EXPECT_EQ(adapter.path(profile(), request, "e"), "/models/e:embedContent");
  request.dialect = DialectId::openai;
  EXPECT_EQ(adapter.path(profile(), request, "e"), "");
}

TEST(GeminiAdapter, TheOutputBoundIsWrittenWhereverTheCallerLeftRoomForIt) {
  const GeminiAdapter adapter;
  const auto written = [&](std::string_view body, Request::Places places) {
    Request request;
    request.body = body;
    request.places = places;
    request.places.after_open_brace = 1;
    std::string out;
    adapter.write_body(profile(), request, {.model = "m", .output_tokens_max = 9}, out);
    return out;
  };
  EXPECT_EQ(written(R"({"contents":[]})", {}),
            R"({"generationConfig":{"maxOutputTokens":9},"contents":[]})");
  EXPECT_EQ(written(R"({"generationConfig":{"topK":1}})",
                    {.generation_config_open = {.begin = 20, .end = 21}}),
            R"({"generationConfig":{"maxOutputTokens":9,"topK":1}})");
  EXPECT_EQ(written(R"({"generationConfig":{},"a":1})",
                    {.generation_config_open = {.begin = 20, .end = 21},
                     .generation_config_is_empty = true}),
            R"({"generationConfig":{"maxOutputTokens":9},"a":1})");
  EXPECT_EQ(written(R"({"generationConfig":{"maxOutputTokens":777}})",
                    {.output_max_value = {.begin = 39, .end = 42},
                     .generation_config_open = {.begin = 20, .end = 21}}),
            R"({"generationConfig":{"maxOutputTokens":9}})");
}

TEST(GeminiAdapter, ThoughtsAreBilledAsOutputAndCachedTokensAreInsideThePrompt) {
  const AnswerReading reading = GeminiAdapter().read_answer(
      Operation::chat,
      R"({"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":1000,"cachedContentTokenCount":600,"candidatesTokenCount":50,"thoughtsTokenCount":200,"toolUsePromptTokenCount":30,"totalTokenCount":1280}})");
  ASSERT_EQ(reading.usage_state, UsageState::sound);
  EXPECT_EQ(reading.usage.input_tokens, 430);
  EXPECT_EQ(reading.usage.cached_input_tokens, 600);
  EXPECT_EQ(reading.usage.output_tokens, 250);
  EXPECT_EQ(reading.usage.reasoning_tokens, 200);
  EXPECT_EQ(reading.facts.finish_reason, "STOP");
}

TEST(GeminiAdapter, SearchesAreCountedAsTheModelIsBilledForThem) {
  const auto searches = [](std::string_view model) {
    const std::string body =
        R"({"candidates":[{"finishReason":"STOP","groundingMetadata":{"webSearchQueries":["a","b"]}}],"modelVersion":")" +
        std::string(model) + R"(","usageMetadata":{"promptTokenCount":1}})";
    return GeminiAdapter()
        .read_answer(Operation::chat, body)
        .usage.units[exchange::Unit::web_search];
  };
  EXPECT_EQ(searches("gemini-2.5-flash"), 1);
  EXPECT_EQ(searches("gemini-3-pro"), 2);
}

TEST(GeminiAdapter, WhatAStreamFoundStaysWhenLaterEventsDoNotSayIt) {
  const GeminiAdapter adapter;
  const auto found = adapter.read_event(
      R"({"candidates":[{"groundingMetadata":{"webSearchQueries":["a"]}}],"usageMetadata":{"promptTokenCount":9}})",
      {});
  ASSERT_EQ(found.usage_state, UsageState::sound);
  const auto last = adapter.read_event(
      R"({"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":4}})",
      found.usage);
  EXPECT_EQ(last.usage.units[exchange::Unit::web_search], 1);
  EXPECT_EQ(last.usage.input_tokens, 9);
  EXPECT_EQ(last.usage.output_tokens, 4);
}

TEST(GeminiAdapter, AbsurdUsageIsImpossible) {
  for (const char* const usage :
       {R"({"promptTokenCount":-1})", R"({"promptTokenCount":5,"cachedContentTokenCount":9})",
        R"({"candidatesTokenCount":1.5})", R"({"candidatesTokenCount":99999999999999999999})"}) {
    const std::string body = std::string(R"({"usageMetadata":)") + usage + "}";
    EXPECT_EQ(GeminiAdapter().read_answer(Operation::chat, body).usage_state,
              UsageState::impossible)
        << usage;
  }
}

TEST(GeminiAdapter, AnErrorInsideAStreamIsOne) {
  const auto reading = GeminiAdapter().read_event(
      R"({"error":{"code":503,"message":"overloaded","status":"UNAVAILABLE"}})", {});
  EXPECT_TRUE(reading.facts.is_error);
  EXPECT_EQ(reading.facts.error_code, "UNAVAILABLE");
}

TEST(GeminiTranslation, AConversationWithToolsIsWrittenAsGoogleWantsIt) {
  Conversation told;
  told.messages.push_back({.role = Role::system, .content = {{.what = Text{.text = "be brief"}}}});
  told.messages.push_back({.role = Role::user, .content = {{.what = Text{.text = "weather?"}}}});
  told.messages.push_back(
      {.role = Role::assistant,
       .content = {{.what = ToolCall{.id = "c1", .name = "w", .arguments = R"({"city":"Rome"})"}},
                   {.what = ToolCall{.id = "c2", .name = "w", .arguments = ""}}}});
  ToolResult first{.call_id = "c1", .content = {{.what = Text{.text = "sunny"}}}};
  ToolResult second{.call_id = "c2",
                    .content = {{.what = Text{.text = R"({"t":1})"}}},
                    .outcome = ToolResult::Outcome::ok};
  told.messages.push_back({.role = Role::user, .content = {{.what = std::move(first)}}});
  told.messages.push_back({.role = Role::user, .content = {{.what = std::move(second)}}});
  told.tools.push_back({.name = "w", .description = "d", .schema = R"({"type":"object"})"});
  told.tool_choice.kind = ToolChoice::Kind::named;
  told.tool_choice.name = "w";
  told.sampling.stop = {"END"};
  std::string out;
  ASSERT_TRUE(GeminiTranslation().write_conversation(
      profile(), told, Delivery::whole, {.model = "gemini-3-pro", .output_tokens_max = 64}, out));
  EXPECT_EQ(
      out,
      R"({"systemInstruction":{"parts":[{"text":"be brief"}]},"contents":[{"role":"user","parts":[{"text":"weather?"}]},)"
      R"({"role":"model","parts":[{"functionCall":{"id":"c1","name":"w","args":{"city":"Rome"}},"thoughtSignature":"skip_thought_signature_validator"},)"
      R"({"functionCall":{"id":"c2","name":"w","args":{}},"thoughtSignature":"skip_thought_signature_validator"}]},)"
      R"({"role":"user","parts":[{"functionResponse":{"id":"c1","name":"w","response":{"result":"sunny"}}},{"functionResponse":{"id":"c2","name":"w","response":{"t":1}}}]}],)"
      R"("tools":[{"functionDeclarations":[{"name":"w","description":"d","parametersJsonSchema":{"type":"object"}}]}],)"
      R"("toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["w"]}},)"
      R"("generationConfig":{"maxOutputTokens":64,"stopSequences":["END"]}})");
}

TEST(GeminiTranslation, ASignedThoughtComesBackOnThePartThatItLedTo) {
  Conversation told;
  told.messages.push_back(
      {.role = Role::assistant,
       .content = {{.what = Thinking{.text = "hm", .signature = "c2ln", .redacted = {}}},
                   {.what = ToolCall{.id = "c1", .name = "w", .arguments = "{}"}}}});
  std::string out;
  ASSERT_TRUE(GeminiTranslation().write_conversation(profile(), told, Delivery::whole,
                                                     {.model = "gemini-2.5-pro"}, out));
  EXPECT_THAT(
      out,
      HasSubstr(
          R"({"text":"hm","thought":true},{"functionCall":{"id":"c1","name":"w","args":{}},"thoughtSignature":"c2ln"})"));
}

TEST(GeminiTranslation, AResultThatAnswersNoCallIsRefusedByItsField) {
  Conversation told;
  ToolResult result{.call_id = "nobody", .content = {}};
  told.messages.push_back({.role = Role::user, .content = {{.what = std::move(result)}}});
  std::string out;
  const auto done =
      GeminiTranslation().write_conversation(profile(), told, Delivery::whole, {}, out);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().field, "messages.tool_call_id");
}

TEST(GeminiTranslation, ThinkingIsAskedForInTheWordsOfTheModelsGeneration) {
  Conversation told;
  told.reasoning.effort = Effort::low;
  std::string older;
  std::string newer;
  ASSERT_TRUE(GeminiTranslation().write_conversation(profile(), told, Delivery::whole,
                                                     {.model = "gemini-2.5-flash"}, older));
  ASSERT_TRUE(GeminiTranslation().write_conversation(profile(), told, Delivery::whole,
                                                     {.model = "gemini-3-flash"}, newer));
  EXPECT_THAT(older,
              HasSubstr(R"("thinkingConfig":{"thinkingBudget":1024,"includeThoughts":true})"));
  EXPECT_THAT(newer,
              HasSubstr(R"("thinkingConfig":{"thinkingLevel":"low","includeThoughts":true})"));
}

TEST(GeminiTranslation, AStreamIsReadIntoEventsAndCallsGetIds) {
  const auto reader = GeminiTranslation().event_reader();
  Told told;
  reader->read(
      "",
      R"({"responseId":"r1","candidates":[{"content":{"parts":[{"text":"hm","thought":true}]}}]})",
      told);
  reader->read(
      "",
      R"({"responseId":"r1","candidates":[{"content":{"parts":[{"text":"let me see"},{"functionCall":{"name":"w","args":{"c":"Rome"}},"thoughtSignature":"c2ln"}]}}]})",
      told);
  reader->read(
      "",
      R"({"responseId":"r1","candidates":[{"content":{"parts":[{"text":""}]},"finishReason":"STOP"}]})",
      told);
  EXPECT_EQ(told.log,
            "start r1;thought hm;text let me see;signed c2ln;call call_r1_0 w;args "
            "{\"c\":\"Rome\"};stop " +
                std::to_string(static_cast<int>(StopReason::tool_calls)) + ";");
}

TEST(GeminiTranslation, ABlockedPromptIsARefusalAndNotAnEmptyAnswer) {
  constexpr std::string_view blocked = R"({"promptFeedback":{"blockReason":"SAFETY"}})";
  const auto answer = GeminiTranslation().read_whole(blocked);
  ASSERT_TRUE(answer);
  ASSERT_EQ(answer->choices.size(), 1U);
  EXPECT_EQ(answer->choices[0].stop, StopReason::refusal);
  Told told;
  GeminiTranslation().event_reader()->read("", blocked, told);
  EXPECT_THAT(told.log, HasSubstr("refusal;stop"));
}

TEST(GeminiTranslation, AWholeAnswerIsReadWithItsThoughtsAndCalls) {
  const auto answer = GeminiTranslation().read_whole(
      R"({"responseId":"r2","modelVersion":"gemini-3-pro","candidates":[{"content":{"role":"model","parts":[{"text":"hm","thought":true},{"functionCall":{"name":"w","args":{"a":1.50}},"thoughtSignature":"c2ln"}]},"finishReason":"STOP","index":0}]})");
  ASSERT_TRUE(answer);
  const auto& content = answer->choices.at(0).content;
  ASSERT_EQ(content.size(), 3U);
  EXPECT_EQ(std::get<Thinking>(content[0].what).text, "hm");
  EXPECT_EQ(std::get<Thinking>(content[1].what).signature, "c2ln");
  EXPECT_EQ(std::get<ToolCall>(content[2].what).arguments, R"({"a":1.50})");
  EXPECT_EQ(answer->choices[0].stop, StopReason::tool_calls);
  EXPECT_FALSE(GeminiTranslation().read_whole(R"({"choices":[]})"));
}

}  // namespace
}  // namespace claviger::provider

/// What Google's SDKs send, and what they are answered with.

#include "api/gemini/gemini_dialect.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/gemini/answer_writer.h"
#include "api/gemini/schema.h"
#include "exchange/json_scratch.h"

namespace claviger::api {
namespace {

using namespace exchange;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class GeminiDialectTest : public ::testing::Test {
 protected:
  std::expected<Request, BadRequest> read(std::string body, Operation operation = Operation::chat) {
    padded_.push_back(std::move(body));
    padded_.back().reserve(padded_.back().size() + simdjson::SIMDJSON_PADDING);
    return dialect_.read(operation, padded_.back());
  }
  Conversation conversation(std::string body) {
    return dialect_.translation()->read_conversation(read(std::move(body)).value()).value();
  }
  static std::vector<std::string> fields_used(const Conversation& conversation) {
    std::vector<std::string> names;
    for (const FeatureUse& use : conversation.uses()) names.push_back(use.field);
    return names;
  }
  GeminiDialect dialect_;
  std::deque<std::string> padded_;
};

TEST_F(GeminiDialectTest, AnOrdinaryRequestIsBoundedByItsBytes) {
  const auto request = read(
      R"({"contents":[{"role":"user","parts":[{"text":"hi"}]}],"generationConfig":{"maxOutputTokens":64,"candidateCount":2,"temperature":0.5}})");
  ASSERT_TRUE(request);
  EXPECT_EQ(request->output_tokens_max, 64);
  EXPECT_EQ(request->choices, 2);
  EXPECT_EQ(request->input_content, InputContent::text);
  EXPECT_THAT(request->unbounded_fields, IsEmpty());
  EXPECT_THAT(request->unknown_fields, IsEmpty());
}

TEST_F(GeminiDialectTest, BothOfGooglesSpellingsAreReadAndOneFieldUnderBothIsRefused) {
  const auto proto =
      read(R"({"contents":{"parts":{"text":"hi"}},"generation_config":{"max_output_tokens":5}})");
  ASSERT_TRUE(proto);
  EXPECT_EQ(proto->output_tokens_max, 5);
  for (const char* const twice :
       {R"({"contents":[],"generationConfig":{},"generation_config":{}})",
        R"({"contents":[],"generationConfig":{"maxOutputTokens":5,"max_output_tokens":900}})"}) {
    EXPECT_EQ(read(twice).error().code, BadRequest::Code::repeated_key) << twice;
  }
}

TEST_F(GeminiDialectTest, WhatGoogleRunsItselfIsUnbounded) {
  const auto request = read(
      R"({"contents":[],"tools":[{"functionDeclarations":[{"name":"f"}]},{"googleSearch":{}},{"codeExecution":{}}],)"
      R"("generationConfig":{"responseModalities":["TEXT","AUDIO"],"speechConfig":{}}})");
  ASSERT_TRUE(request);
  EXPECT_THAT(request->unbounded_fields,
              ElementsAre("tools.codeExecution", "generationConfig.responseModalities",
                          "generationConfig.speechConfig"));
  EXPECT_EQ(request->parts.tools, 1);
  // A search is bounded where the model is billed once for all of them, and what it finds is read.
  EXPECT_THAT(
      request->extras.priced_fields,
      ElementsAre(exchange::PricedField{"tools.googleSearch", exchange::GroundingSearches{}}));
  EXPECT_EQ(request->parts.unseen, 1);
}

TEST_F(GeminiDialectTest, FilesAndCachedContentAreNotSeenAndPicturesAre) {
  const auto request = read(
      R"({"contents":[{"parts":[{"inlineData":{"mimeType":"image/png","data":"iVBORw0KGgo="}},{"inlineData":{"mimeType":"application/pdf","data":"JVBERi0="}},)"
      R"({"fileData":{"fileUri":"https://example.com/x"}}]}],"cachedContent":"cachedContents/1"})");
  ASSERT_TRUE(request);
  EXPECT_EQ(request->input_content, InputContent::by_model);
  EXPECT_EQ(request->parts.images.size(), 1U);
  EXPECT_EQ(request->parts.documents, 1);
  EXPECT_EQ(request->parts.unseen, 2);
}

TEST_F(GeminiDialectTest, BadRequestsNameTheirField) {
  EXPECT_EQ(read(R"({})").error().field, "contents");
  EXPECT_EQ(read(R"([])").error().code, BadRequest::Code::wrong_type);
  EXPECT_EQ(read(R"({"contents":"hi"})").error().field, "contents");
  EXPECT_EQ(read(R"({"contents":[],"contents":[]})").error().code, BadRequest::Code::repeated_key);
  EXPECT_EQ(read(R"({"contents":[],"generationConfig":{"maxOutputTokens":0}})").error().field,
            "generationConfig.maxOutputTokens");
  EXPECT_EQ(read(R"({"contents":[],"generationConfig":{"candidateCount":99}})").error().field,
            "generationConfig.candidateCount");
  EXPECT_EQ(read("{\"contents\":[]} x").error().code, BadRequest::Code::malformed_json);
}

TEST_F(GeminiDialectTest, CallsAndResultsFindEachOtherByNameWhereTheyHaveNoId) {
  const Conversation told = conversation(
      R"({"contents":[{"role":"user","parts":[{"text":"weather?"}]},)"
      R"({"role":"model","parts":[{"functionCall":{"name":"w","args":{"city":"Rome"}},"thoughtSignature":"c2ln"},{"functionCall":{"name":"w","args":{"city":"Oslo"}}}]},)"
      R"({"role":"user","parts":[{"functionResponse":{"name":"w","response":{"output":"sunny"}}},{"functionResponse":{"name":"w","response":{"error":"no such city"}}}]}]})");
  ASSERT_EQ(told.messages.size(), 3U);
  const auto& said = told.messages[1].content;
  ASSERT_EQ(said.size(), 3U);
  EXPECT_EQ(std::get<Thinking>(said[0].what).signature, "c2ln");
  EXPECT_EQ(std::get<ToolCall>(said[1].what).id, "call_0");
  EXPECT_EQ(std::get<ToolCall>(said[1].what).arguments, R"({"city":"Rome"})");
  const auto& results = told.messages[2].content;
  const auto& first = std::get<ToolResult>(results[0].what);
  const auto& second = std::get<ToolResult>(results[1].what);
  EXPECT_EQ(first.call_id, "call_0");
  EXPECT_EQ(std::get<Text>(first.content[0].what).text, "sunny");
  EXPECT_EQ(second.call_id, "call_1");
  EXPECT_EQ(second.outcome, ToolResult::Outcome::failed);
}

TEST_F(GeminiDialectTest, AResultWithoutItsCallIsRefusedByItsPlace) {
  const auto request = read(
      R"({"contents":[{"role":"user","parts":[{"functionResponse":{"name":"w","response":{}}}]}]})");
  const auto told = dialect_.translation()->read_conversation(*request);
  ASSERT_FALSE(told);
  EXPECT_EQ(told.error().field, "contents.0.parts.0");
}

TEST_F(GeminiDialectTest, SettingsBecomeNobodysAndWhatHasNoWordIsNamed) {
  const Conversation told = conversation(
      R"({"contents":[{"parts":[{"text":"x"}]}],"systemInstruction":{"parts":[{"text":"be brief"}]},)"
      R"("safetySettings":[{"category":"X"}],"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f"]}},)"
      R"("generationConfig":{"temperature":0.70,"topK":40,"stopSequences":["END"],"thinkingConfig":{"thinkingBudget":0},"responseMimeType":"application/json","responseSchema":{"type":"OBJECT","properties":{"a":{"type":"STRING","nullable":true}}},"mediaResolution":"X"}})");
  EXPECT_EQ(told.messages[0].role, Role::system);
  EXPECT_EQ(told.sampling.temperature, "0.70");
  EXPECT_EQ(told.sampling.top_k, "40");
  EXPECT_EQ(told.reasoning.effort, Effort::none);
  EXPECT_EQ(told.tool_choice.kind, ToolChoice::Kind::named);
  EXPECT_EQ(told.format.schema,
            R"({"type":"object","properties":{"a":{"type":["string","null"]}}})");
  EXPECT_THAT(fields_used(told), Contains("generationConfig.mediaResolution"));
  EXPECT_THAT(fields_used(told), Contains("safetySettings"));
}

TEST_F(GeminiDialectTest, AWholeAnswerIsWrittenAsGoogleWritesIt) {
  Answer answer;
  answer.id = "r1";
  answer.model = "box/m";
  Choice choice;
  choice.content.push_back({.what = Thinking{.text = "hm", .signature = "c2ln", .redacted = {}}});
  choice.content.push_back({.what = ToolCall{.id = "c1", .name = "f", .arguments = R"({"a":1})"}});
  choice.stop = StopReason::tool_calls;
  answer.choices.push_back(std::move(choice));
  Usage usage;
  usage.input_tokens = 7;
  usage.cached_input_tokens = 3;
  usage.output_tokens = 12;
  usage.reasoning_tokens = 8;
  EXPECT_EQ(
      gemini::generate_content_response(answer, {.usage = usage, .cost = NanoUsd(1'500)}),
      R"({"candidates":[{"content":{"parts":[{"text":"hm","thought":true},)"
      R"({"functionCall":{"id":"c1","name":"f","args":{"a":1}},"thoughtSignature":"c2ln"}],"role":"model"},"finishReason":"STOP","index":0}],)"
      R"("usageMetadata":{"promptTokenCount":10,"cachedContentTokenCount":3,"candidatesTokenCount":4,"thoughtsTokenCount":8,"totalTokenCount":22,"cost":0.0000015},)"
      R"("modelVersion":"box/m","responseId":"r1"})");
}

TEST_F(GeminiDialectTest, AStreamSaysEachPieceAndItsCostAtTheEnd) {
  const auto writer = gemini::content_stream_writer();
  writer->on(event::Start{.id = "r1", .model = "m"});
  writer->on(event::TextPiece{.text = "he"});
  writer->on(event::CallStart{.call = 0, .id = "c", .name = "f"});
  writer->on(event::CallPiece{.call = 0, .arguments = "{\"a\""});
  EXPECT_THAT(writer->out(), Not(HasSubstr("functionCall")));
  writer->on(event::CallPiece{.call = 0, .arguments = ":1}"});
  writer->on(event::PartEnd{});
  writer->on(event::Stop{.reason = StopReason::tool_calls});
  writer->finish({.usage = Usage{}, .cost = NanoUsd(5)});
  EXPECT_EQ(writer->problem(), "");
  EXPECT_THAT(
      writer->out(),
      HasSubstr(
          R"(data: {"candidates":[{"content":{"parts":[{"text":"he"}],"role":"model"},"index":0}],"modelVersion":"m","responseId":"r1"})"));
  EXPECT_THAT(writer->out(), HasSubstr(R"("functionCall":{"id":"c","name":"f","args":{"a":1}})"));
  EXPECT_THAT(writer->out(), HasSubstr(R"("finishReason":"STOP")"));
  EXPECT_THAT(writer->out(), HasSubstr(R"("cost":0.000000005)"));
}

TEST_F(GeminiDialectTest, ErrorsHaveGooglesShapeWithTheVerdictBeside) {
  const ErrorAnswer error{.status = 402, .code = "budget_exhausted", .message = "no money"};
  EXPECT_THAT(
      dialect_.error_body(error),
      HasSubstr(
          R"({"error":{"code":402,"message":"no money","status":"RESOURCE_EXHAUSTED","claviger":{)"));
  const std::string theirs =
      R"({"error":{"code":429,"message":"slow","status":"RESOURCE_EXHAUSTED","details":[1]}})";
  EXPECT_THAT(dialect_.annotated_error_body(theirs, error),
              HasSubstr(R"("details":[1],"claviger":{)"));
  EXPECT_THAT(dialect_.annotated_error_body("<html>", error),
              HasSubstr(R"("status":"RESOURCE_EXHAUSTED")"));
}

TEST_F(GeminiDialectTest, ModelsAreListedUnderTheirCollection) {
  EXPECT_EQ(
      dialect_.models_body({{.id = "local/m", .owned_by = "local"}}),
      R"({"models":[{"name":"models/local/m","displayName":"local/m","supportedGenerationMethods":["generateContent","countTokens"]}]})");
}

}  // namespace
}  // namespace claviger::api

#include "api/openai/openai_dialect.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "api/error_json.h"
#include "exchange/json_edit.h"
#include "exchange/sse.h"

namespace claviger::api {
namespace {

namespace json = boost::json;
using testing::HasSubstr;
using testing::StartsWith;

ErrorAnswer exhausted() {
  return {.status = 402,
          .code = "budget_exhausted",
          .message = "budget \"research\" has $0.12 left",
          .param = "max_tokens",
          .at_fault = "budget",
          .confidence = 0.98,
          .say = "The budget is used up.",
          .remedy = "Raise the limit.",
          .retry = Retry::after,
          .retry_after_s = 30,
          .evidence = {"limit 10.00", "spent 9.88"},
          .request = RequestId{.high = 1, .low = 2}};
}

json::object error_of(std::string_view body) {
  return json::parse(body).as_object().at("error").as_object();
}

TEST(OpenAiError, HasTheShapeOfTheContract) {
  EXPECT_EQ(
      OpenAiDialect().error_body(exhausted()),
      R"({"error":{"message":"budget \"research\" has $0.12 left","type":"insufficient_quota",)"
      R"("code":"budget_exhausted","param":"max_tokens","claviger":{"request_id":")" +
          exhausted().request.text() +
          R"(","at_fault":"budget","cause":"budget_exhausted","confidence":0.98,)"
          R"("say":"The budget is used up.","remedy":"Raise the limit.","retry":"after",)"
          R"("retry_after_s":30,"evidence":["limit 10.00","spent 9.88"]}}})");
}

TEST(OpenAiError, ParamIsNullWhereNoFieldIsAtFault) {
  ErrorAnswer error = exhausted();
  error.param.clear();
  error.retry = Retry::no;
  const json::object body = error_of(OpenAiDialect().error_body(error));
  EXPECT_TRUE(body.at("param").is_null());
  EXPECT_EQ(body.at("claviger").at("retry"), "no");
  EXPECT_FALSE(body.at("claviger").as_object().contains("retry_after_s"));
}

TEST(OpenAiError, StaysJsonWhateverTheWordsAre) {
  ErrorAnswer error = exhausted();
  error.message = "\"\\\n\xFF";
  error.evidence = {"\xC3"};
  error.confidence = 7;
  EXPECT_EQ(error_of(OpenAiDialect().error_body(error)).at("message"), "\"\\\n\xEF\xBF\xBD");
  EXPECT_EQ(error_of(OpenAiDialect().error_body(error)).at("claviger").at("confidence"), 1);
}

TEST(OpenAiError, AnEventIsWhatSdksReadAsAnErrorInAStream) {
  const std::string event = OpenAiDialect().error_event(exhausted());
  EXPECT_THAT(event, StartsWith("data: {\"error\":{"));
  std::size_t searched = 0;
  EXPECT_EQ(exchange::event_length(event, searched), event.size());
  std::string joined;
  EXPECT_EQ(error_of(exchange::event_data(event, joined)).at("code"), "budget_exhausted");
}

TEST(AnnotatedError, KeepsTheProvidersBytesAndAddsTheVerdict) {
  const std::string_view body =
      "{ \"error\": {\"message\": \"Rate limit\", \"code\": null, \"x\": 1.0e2 } , \"id\":1}\n";
  const std::string annotated = OpenAiDialect().annotated_error_body(body, exhausted());
  EXPECT_THAT(annotated, StartsWith("{ \"error\": {\"message\": \"Rate limit\", \"code\": null, "
                                    "\"x\": 1.0e2 ,\"claviger\":{\"request_id\""));
  EXPECT_THAT(annotated, testing::EndsWith("}} , \"id\":1}\n"));
  EXPECT_EQ(error_of(annotated).at("claviger").at("at_fault"), "budget");
}

TEST(AnnotatedError, ReplacesTheVerdictOfAnotherClaviger) {
  const std::string annotated = OpenAiDialect().annotated_error_body(
      R"({"error":{"claviger":{"at_fault":"model"},"message":"m"}})", exhausted());
  EXPECT_EQ(error_of(annotated).at("claviger").at("at_fault"), "budget");
  EXPECT_EQ(annotated.find("\"model\""), std::string::npos);
}

TEST(AnnotatedError, SaysTheProvidersWordsWhereItsBodyIsOfAnotherShape) {
  const OpenAiDialect dialect;
  const auto message = [&](std::string_view body) {
    return std::string(
        error_of(dialect.annotated_error_body(body, exhausted())).at("message").as_string());
  };
  EXPECT_EQ(message(R"({"error":"model \"x\" not found"})"), "model \"x\" not found");
  EXPECT_EQ(message(R"({"object":"error","message":"too long","code":400})"), "too long");
  EXPECT_EQ(message(R"({"detail":"Not Found"})"), "Not Found");
  EXPECT_EQ(message("<html>502 Bad Gateway</html>"), "<html>502 Bad Gateway</html>");
  EXPECT_EQ(message("upstream \xFF"), "upstream \xEF\xBF\xBD");
  EXPECT_EQ(message(""), exhausted().message);
  EXPECT_EQ(message(" \r\n"), exhausted().message);
  EXPECT_EQ(message(std::string(10'000, 'x')).size(), provider_words_bytes_max);
}

TEST(ModelList, IsWhatSdksExpect) {
  const OpenAiDialect dialect;
  const ListedModel model{.id = "openai/gpt-4o", .owned_by = "openai", .created_s = 7};
  const std::string one =
      R"({"id":"openai/gpt-4o","object":"model","created":7,"owned_by":"openai"})";
  EXPECT_EQ(dialect.model_body(model), one);
  EXPECT_EQ(dialect.models_body({model, model}),
            R"({"object":"list","data":[)" + one + "," + one + "]}");
  EXPECT_EQ(dialect.models_body({}), R"({"object":"list","data":[]})");
}

std::string with_cost(std::string_view body, NanoUsd cost) {
  return OpenAiDialect().with_cost(body, exchange::find_value(body, "usage"), cost);
}

TEST(Cost, IsAddedToTheUsageObjectAndNothingElseIsTouched) {
  EXPECT_EQ(
      with_cost("{\"choices\":[{\"message\":{\"content\":\"\\\"usage\\\":{}\"},\"usage\":{}}],\n "
                "\"usage\" : {\"prompt_tokens\": 1.0 } , \"z\":1}\n",
                NanoUsd(12'300'000)),
      "{\"choices\":[{\"message\":{\"content\":\"\\\"usage\\\":{}\"},\"usage\":{}}],\n "
      "\"usage\" : {\"prompt_tokens\": 1.0 ,\"cost\":0.0123} , \"z\":1}\n");
}

TEST(Cost, ReplacesTheCostThatAProviderStated) {
  EXPECT_EQ(with_cost(R"({"usage":{"cost":0.95,"total_tokens":3}})", NanoUsd(1)),
            R"({"usage":{"cost":0.000000001,"total_tokens":3}})");
}

TEST(Cost, IsNotAddedWhereThereIsNoUsageObject) {
  for (const std::string_view body : {R"({"usage":null})", R"({"id":1})", R"({"usage":[1]})", "[1]",
                                      "", "{\"usage\":{}", "no json"}) {
    EXPECT_EQ(with_cost(body, NanoUsd(1)), body);
  }
}

TEST(Cost, OfAStreamStandsInItsUsageEvent) {
  const OpenAiDialect dialect;
  EXPECT_EQ(
      dialect.event_with_cost("data: {\"choices\":[],\"usage\":{\"a\":1}}\r\n\r\n", dollars(2)),
      "data: {\"choices\":[],\"usage\":{\"a\":1,\"cost\":2.00}}\r\n\r\n");
  EXPECT_EQ(dialect.event_with_cost("data: {\"usage\":null}\n\n", dollars(2)),
            "data: {\"usage\":null}\n\n");
  EXPECT_EQ(dialect.event_with_cost("data: [DONE]\n\n", dollars(2)), "data: [DONE]\n\n");
  EXPECT_EQ(dialect.event_with_cost("event: x\ndata: {\ndata: \"usage\":{}}\n\n", dollars(2)),
            "event: x\ndata: {\ndata: \"usage\":{\"cost\":2.00}}\n\n");
}

}  // namespace
}  // namespace claviger::api

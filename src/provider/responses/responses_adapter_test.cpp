#include "provider/responses/responses_adapter.h"

#include <gtest/gtest.h>

#include "exchange/json_edit.h"
#include "exchange/json_writer.h"

namespace claviger::provider {
namespace {

using exchange::Operation;
using exchange::Unit;

const ResponsesAdapter kAdapter;

constexpr std::string_view kAnswer =
    R"({"id":"resp_1","object":"response","status":"completed","error":null,"incomplete_details":null,"output":[{"type":"web_search_call","id":"ws_1","action":{"type":"search"}},{"type":"message","content":[{"type":"output_text","text":"hi"}]}],"service_tier":"default","usage":{"input_tokens":100,"input_tokens_details":{"cached_tokens":60,"cache_write_tokens":10},"output_tokens":40,"output_tokens_details":{"reasoning_tokens":25},"total_tokens":140}})";

TEST(ResponsesAdapter, UsageIsReadInAllItsParts) {
  const auto reading = kAdapter.read_answer(Operation::chat, kAnswer);
  ASSERT_EQ(reading.usage_state, UsageState::sound);
  EXPECT_EQ(reading.usage.input_tokens, 30);
  EXPECT_EQ(reading.usage.cached_input_tokens, 60);
  EXPECT_EQ(reading.usage.cache_write_tokens, 10);
  EXPECT_EQ(reading.usage.output_tokens, 40);
  EXPECT_EQ(reading.usage.reasoning_tokens, 25);
  EXPECT_EQ(reading.usage.units[Unit::web_search], 1);
  EXPECT_EQ(reading.facts.finish_reason, "completed");
  EXPECT_FALSE(reading.facts.is_error);
  EXPECT_FALSE(reading.facts.is_empty);
  EXPECT_TRUE(exchange::at(kAnswer, reading.facts.usage).starts_with(R"({"input_tokens":100)"));
}

TEST(ResponsesAdapter, TheLastEventSaysWhatTheWholeAnswerSays) {
  const std::string event = R"({"type":"response.completed","sequence_number":9,"response":)" +
                            std::string(kAnswer) + "}";
  const auto reading = kAdapter.read_event(event, {});
  EXPECT_EQ(reading.usage, kAdapter.read_answer(Operation::chat, kAnswer).usage);
  EXPECT_EQ(reading.facts.finish_reason, "completed");
  EXPECT_TRUE(reading.facts.is_end);
}

TEST(ResponsesAdapter, AnIncompleteAnswerSaysWhy) {
  const auto reading = kAdapter.read_event(
      R"({"type":"response.incomplete","response":{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"usage":{"input_tokens":1,"output_tokens":2}}})",
      {});
  EXPECT_EQ(reading.facts.finish_reason, "max_output_tokens");
  EXPECT_TRUE(reading.facts.is_end);
  EXPECT_EQ(reading.usage.output_tokens, 2);
}

TEST(ResponsesAdapter, AFailureIsAnErrorInEveryFormThatItHas) {
  constexpr std::string_view whole =
      R"({"id":"r","status":"failed","error":{"code":"server_error","message":"oops"},"output":[],"usage":null})";
  const auto answer = kAdapter.read_answer(Operation::chat, whole);
  EXPECT_TRUE(answer.facts.is_error);
  EXPECT_EQ(answer.facts.error_code, "server_error");
  EXPECT_EQ(answer.usage_state, UsageState::absent);
  for (const std::string& event :
       {R"({"type":"response.failed","response":)" + std::string(whole) + "}",
        std::string(R"({"type":"error","code":"server_error","message":"oops","param":null})"),
        std::string(
            R"({"type":"error","error":{"type":"x","code":"server_error","message":"oops"}})"),
        std::string(R"({"error":{"code":"server_error","message":"oops"}})")}) {
    const auto reading = kAdapter.read_event(event, {});
    EXPECT_TRUE(reading.facts.is_error) << event;
    EXPECT_EQ(reading.facts.error_code, "server_error") << event;
    EXPECT_EQ(reading.facts.error_message, "oops") << event;
    EXPECT_FALSE(reading.facts.is_end) << event;
  }
}

TEST(ResponsesAdapter, TextThatLooksLikeAnEndIsNone) {
  const auto reading = kAdapter.read_event(
      R"({"type":"response.output_text.delta","delta":"{\"type\":\"response.completed\",\"response\":{}}"})",
      {});
  EXPECT_FALSE(reading.facts.is_end);
  EXPECT_FALSE(reading.facts.is_error);
}

TEST(ResponsesAdapter, WhatAnnouncesAnAnswerIsNoAnswerYet) {
  for (const char* const event :
       {R"({"type":"response.created","response":{}})",
        R"({"type":"response.in_progress","response":{}})",
        R"({"type":"response.output_item.added","item":{"type":"message"}})",
        R"({"type":"response.content_part.added","part":{"type":"output_text","text":""}})"}) {
    EXPECT_TRUE(kAdapter.is_beginning(event)) << event;
  }
  for (const char* const event :
       {R"({"type":"response.output_text.delta","delta":"x"})",
        R"({"type":"response.output_item.added","item":{"type":"function_call"}})",
        R"({"type":"response.completed","response":{}})", "{"}) {
    EXPECT_FALSE(kAdapter.is_beginning(event)) << event;
  }
}

TEST(ResponsesAdapter, OnlyTheModelAndTheBoundAreChangedInABody) {
  const auto written = [](std::string_view body) {
    exchange::Request request;
    request.dialect = exchange::DialectId::openai_responses;
    request.body = body;
    request.places.after_open_brace = body.find('{') + 1;
    request.places.model_value = exchange::find_value(body, "model");
    request.places.output_max_value = exchange::find_value(body, "max_output_tokens");
    std::string out;
    kAdapter.write_body({}, request, {.model = "gpt-x", .output_tokens_max = 300, .price_cap = {}},
                        out);
    return out;
  };
  EXPECT_EQ(
      written(R"({ "model":"a/b", "input":"h\u00e9", "max_output_tokens":9000 , "new":[1.0]})"),
      R"({ "model":"gpt-x", "input":"h\u00e9", "max_output_tokens":300 , "new":[1.0]})");
  EXPECT_EQ(written(R"({"model":"a/b","max_output_tokens":null})"),
            R"({"model":"gpt-x","max_output_tokens":300})");
  EXPECT_EQ(written(R"({"model":"a/b"})"), R"({"max_output_tokens":300,"model":"gpt-x"})");
}

}  // namespace
}  // namespace claviger::provider

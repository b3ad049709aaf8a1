#include "relay/soft_watch.h"

#include <gtest/gtest.h>

#include "provider/openai_answer.h"

namespace claviger::relay {
namespace {

exchange::Request asking(std::string_view body) {
  exchange::Request request;
  request.body = body;
  return request;
}

void answer(SoftWatch& watch, std::string_view body) {
  const auto reading = provider::openai::read_answer(exchange::Operation::chat, body);
  watch.answer(body, reading.facts.said);
}

constexpr std::string_view kWithTools =
    R"({"messages":[{"role":"user","content":"weather?"}],"tools":[{"type":"function",)"
    R"("function":{"name":"weather","parameters":{}}}]})";

std::string found_in_stream(std::string_view request,
                            std::initializer_list<std::string_view> events,
                            std::string_view finish = "stop") {
  const auto watch = SoftWatch::of(asking(request), false);
  for (const std::string_view event : events) watch->event(event);
  return watch->found(finish, 0);
}

TEST(SoftWatch, AGoodStreamHasNothing) {
  EXPECT_EQ(found_in_stream(R"({"messages":[]})",
                            {R"({"choices":[{"index":0,"delta":{"role":"assistant"}}]})",
                             R"({"choices":[{"index":0,"delta":{"content":"He said: \"hi\""}}]})",
                             R"({"choices":[],"usage":{"prompt_tokens":1}})"}),
            "");
}

TEST(SoftWatch, AStreamOfThoughtsAloneIsEmpty) {
  EXPECT_EQ(found_in_stream(
                R"({"messages":[]})",
                {R"({"choices":[{"delta":{"reasoning_content":"Hm","content":null}}]})"}, "length"),
            "empty_output,cut_by_length");
}

TEST(SoftWatch, ToolCallsInPiecesAreReadAsOne) {
  EXPECT_EQ(
      found_in_stream(
          kWithTools,
          {R"({"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"name":"weather","arguments":""}}]}}]})",
           R"({"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"city\":"}}]}}]})",
           R"({"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"\"Paris\"}"}}]}}]})"},
          "tool_calls"),
      "");
  EXPECT_EQ(
      found_in_stream(
          kWithTools,
          {R"({"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"name":"wind","arguments":"{\"a"}}]}}]})"},
          "tool_calls"),
      "broken_tool_arguments,unknown_tool");
}

TEST(SoftWatch, AWholeAnswerThatBreaksItsSchema) {
  const auto request = asking(
      R"({"response_format":{"type":"json_schema","json_schema":{"schema":{"type":"object","required":["name","age"]}}}})");
  const auto watch = SoftWatch::of(request, false);
  answer(*watch, R"({"choices":[{"message":{"content":"{\"name\": \"x\"}"}}]})");
  EXPECT_EQ(watch->found("stop", 0), "missing_fields");
}

TEST(SoftWatch, AWholeAnswersToolCallsAndRefusalAreRead) {
  const auto request = asking(kWithTools);
  auto watch = SoftWatch::of(request, false);
  answer(*watch, R"({"choices":[{"index":0,"message":{"role":"assistant","content":null,)"
                 R"("tool_calls":[{"id":"1","function":{"name":"weather","arguments":"{}"}},)"
                 R"({"id":"2","function":{"name":"wind","arguments":"{"}}]},)"
                 R"("finish_reason":"tool_calls"}],"usage":{"prompt_tokens":1}})");
  EXPECT_EQ(watch->found("tool_calls", 0), "broken_tool_arguments,unknown_tool");
  watch = SoftWatch::of(request, false);
  answer(*watch, R"({"choices":[{"message":{"content":null,"refusal":"No."}}]})");
  EXPECT_EQ(watch->found("stop", 0), "refusal");
  watch = SoftWatch::of(request, false);
  answer(*watch, R"({"choices":[{"message":{"content":"  "}}]})");
  EXPECT_EQ(watch->found("stop", 0), "empty_output");
}

TEST(SoftWatch, AnOwnServerThatTookInTooLittle) {
  const std::string body = R"({"messages":[{"content":")" + std::string(80'000, 'x') + R"("}]})";
  const auto watch = SoftWatch::of(asking(body), true);
  answer(*watch, R"({"choices":[{"message":{"content":"What text?"}}]})");
  EXPECT_EQ(watch->found("stop", 4096), "context_cut");
}

TEST(SoftWatch, SeveralChoicesAndEmbeddingsAreNotWatched) {
  exchange::Request several = asking("{}");
  several.choices = 2;
  EXPECT_EQ(SoftWatch::of(several, false), nullptr);
  exchange::Request embeddings = asking("{}");
  embeddings.operation = exchange::Operation::embeddings;
  EXPECT_EQ(SoftWatch::of(embeddings, false), nullptr);
}

}  // namespace
}  // namespace claviger::relay

#include "relay/soft_watch.h"

#include <gtest/gtest.h>

namespace claviger::relay {
namespace {

exchange::Request asking(std::string_view body) {
  exchange::Request request;
  request.body = body;
  return request;
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
  watch->answer(R"({"choices":[{"message":{"content":"{\"name\": \"x\"}"}}]})");
  EXPECT_EQ(watch->found("stop", 0), "missing_fields");
}

TEST(SoftWatch, AnOwnServerThatTookInTooLittle) {
  const std::string body = R"({"messages":[{"content":")" + std::string(80'000, 'x') + R"("}]})";
  const auto watch = SoftWatch::of(asking(body), true);
  watch->answer(R"({"choices":[{"message":{"content":"What text?"}}]})");
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

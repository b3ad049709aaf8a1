#include "console/half_request.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

namespace claviger::console {
namespace {

/// `count` times, so that its half can be told.
std::string times(std::string_view text, int count) {
  std::string all;
  for (int i = 0; i < count; ++i) all += text;
  return all;
}

std::string half_of(const std::string& body) {
  const auto half = with_texts_halved(body);
  EXPECT_TRUE(half) << half.error();
  if (!half) return {};
  boost::json::error_code error;
  EXPECT_NO_THROW((void)boost::json::parse(*half, error));
  EXPECT_FALSE(error) << *half;
  return *half;
}

TEST(HalfRequest, CutsTextsAndNothingElseInEveryDialect) {
  const std::string whole = times("ab ", 100);
  const std::string half = times("ab ", 50);
  const std::pair<std::string, std::string> bodies[] = {
      {R"({"model":"m","temperature":1.0e0,"messages":[{"role":"system","content":")",
       R"("},{"role":"user","content":"short"},{"role":"assistant","tool_calls":[{"id":"1","function":{"name":"f","arguments":"{\"a\":1}"}}]}]})"},
      {R"({"model":"m","messages":[{"role":"user","content":[{"type":"text","text":")",
       R"("},{"type":"tool_use","id":"1","input":{"text":"whole"}}]}],"max_tokens":9})"},
      {R"({"contents":[{"role":"user","parts":[{"text":")",
       R"("}]}],"generationConfig":{"topK":3}})"},
      {R"({"model":"m","input":")", R"("})"},
      {R"({"model":"m","input":[{"role":"user","content":[{"type":"input_text","text":")",
       R"("}]},{"type":"function_call_output","call_id":"1","output":"fine"}]})"}};
  for (const auto& [before, after] : bodies) {
    EXPECT_EQ(half_of(fmt::format("{}{}{}", before, whole, after)),
              fmt::format("{}{}{}", before, half, after));
  }
}

TEST(HalfRequest, NeverCutsWithinACharacter) {
  for (const std::string_view unit :
       {"\\n", "\\u00e4", "\\ud83d\\ude00", "ä", "漢", "😀", "\\\\"}) {
    for (const std::string_view lead : {"", "x", "xy", "xyz"}) {
      const std::string body = R"({"input":")" + std::string(lead) + times(unit, 60) + R"("})";
      const std::string half = half_of(body);
      EXPECT_LT(half.size(), body.size() * 3 / 4) << body;
      const auto text = boost::json::parse(half).at("input").get_string();
      EXPECT_EQ(std::string_view(text).find("\xEF\xBF\xBD"), std::string_view::npos) << half;
    }
  }
}

TEST(HalfRequest, LeavesSignedThoughtsAsTheyWere) {
  const std::string thought =
      R"({"type":"thinking","thinking":"hm","text":")" + times("t", 100) + R"(","signature":"s"})";
  const std::string half = half_of(R"({"messages":[{"role":"assistant","content":[)" + thought +
                                   R"(,{"type":"text","text":")" + times("x", 1'000) + R"("}]}]})");
  EXPECT_NE(half.find(thought), std::string::npos);
}

TEST(HalfRequest, SaysWhyWhatIsNoTextCannotBeCut) {
  const std::string image =
      R"({"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,)" +
      times("A", 10'000) + R"("}},{"type":"text","text":")" + times("x", 100) + R"("}]}]})";
  EXPECT_FALSE(with_texts_halved(image));
  EXPECT_FALSE(with_texts_halved(R"({"messages":[{"role":"user","content":"hi"}]})"));
  EXPECT_FALSE(with_texts_halved("no JSON"));
  EXPECT_FALSE(with_texts_halved("[]"));
  EXPECT_FALSE(with_texts_halved(""));
}

TEST(HalfRequest, ItsOutputIsBoundedInTheWordsOfItsDialect) {
  EXPECT_EQ(with_output_bound("/v1/chat/completions", R"({"max_tokens":900})", 16),
            R"({"max_tokens":16})");
  EXPECT_EQ(with_output_bound("/v1/chat/completions", R"({"max_completion_tokens":900})", 16),
            R"({"max_completion_tokens":16})");
  EXPECT_EQ(with_output_bound("/v1/messages", R"({"max_tokens":900})", 16), R"({"max_tokens":16})");
  EXPECT_EQ(with_output_bound("/v1/responses", R"({"input":"x"})", 16),
            R"({"input":"x","max_output_tokens":16})");
  EXPECT_EQ(with_output_bound("/v1beta/models/m:generateContent",
                              R"({"generationConfig":{"topK":3}})", 16),
            R"({"generationConfig":{"topK":3,"maxOutputTokens":16}})");
  EXPECT_EQ(with_output_bound("/v1beta/models/m:generateContent", R"({"contents":[]})", 16),
            R"({"contents":[],"generationConfig":{"maxOutputTokens":16}})");
  const std::string_view thinks = R"({"max_tokens":9000,"thinking":{"budget_tokens":4000}})";
  EXPECT_EQ(with_output_bound("/v1/messages", thinks, 16), thinks);
  EXPECT_EQ(with_output_bound("/v1/embeddings", R"({"input":"x"})", 16), R"({"input":"x"})");
}

}  // namespace
}  // namespace claviger::console

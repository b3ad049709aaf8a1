#include "fault/soft_failures.h"

#include <gtest/gtest.h>

namespace claviger::fault {
namespace {

/// The same answer whole, and byte by byte as a stream might bring it.
std::string found_in(std::string_view text, const Expectation& expectation = {},
                     std::string_view finish = "stop") {
  AnswerWatch whole(expectation);
  whole.text(text);
  whole.finish_reason(finish);
  AnswerWatch pieces(expectation);
  for (const char c : text) pieces.text(std::string_view(&c, 1));
  pieces.finish_reason(finish);
  EXPECT_EQ(whole.result().text(), pieces.result().text());
  AnswerWatch at_once(expectation);
  at_once.whole_text(text);
  at_once.finish_reason(finish);
  EXPECT_EQ(at_once.result().text(), pieces.result().text());
  return whole.result().text();
}

std::string called(std::string_view name, std::string_view arguments,
                   const Expectation& expectation = {}) {
  AnswerWatch watch(expectation);
  watch.tool_call(0, name, arguments.substr(0, arguments.size() / 2));
  watch.tool_call(0, "", arguments.substr(arguments.size() / 2));
  return watch.result().text();
}

TEST(SoftFailures, AGoodAnswerHasNone) {
  EXPECT_EQ(found_in("The capital of France is Paris."), "");
  EXPECT_EQ(called("weather", R"({"city": "Paris"})", {.tools = {"weather"}}), "");
  EXPECT_EQ(called("now", ""), "");
  EXPECT_EQ(found_in(R"({"a": {"b": ["}", "{"]}, "c": "\"x"})",
                     {.wants_json = true, .required_fields = {"a", "c"}}),
            "");
}

TEST(SoftFailures, EmptyCutFilteredAndRefused) {
  EXPECT_EQ(found_in(""), "empty_output");
  EXPECT_EQ(found_in(" \n\n "), "empty_output");
  EXPECT_EQ(found_in("Once upon a", {}, "length"), "cut_by_length");
  EXPECT_EQ(found_in("Once", {}, "content_filter"), "content_filter");
  EXPECT_EQ(found_in("I'm sorry, but I can't assist with that."), "refusal");
  EXPECT_EQ(found_in("The phrase \"I'm sorry, but I can't\" is often heard."), "");
}

TEST(SoftFailures, ToolsCalledWrongly) {
  EXPECT_EQ(called("weather", R"({"city": "Par)"), "broken_tool_arguments");
  EXPECT_EQ(called("weather", R"("Paris")"), "broken_tool_arguments");
  EXPECT_EQ(called("wether", "{}", {.tools = {"weather"}}), "unknown_tool");
  EXPECT_EQ(called("any", "{}", {.tools = {"weather"}, .all_tools_known = false}), "");
}

TEST(SoftFailures, JsonThatBreaksItsForm) {
  const Expectation json{.wants_json = true, .required_fields = {"name", "age"}};
  EXPECT_EQ(found_in("Sure! {\"name\": 1}", json), "broken_json");
  EXPECT_EQ(found_in("{\"name\": [1, 2}", json), "broken_json");
  EXPECT_EQ(found_in("```json\n{}\n```", json), "broken_json");
  EXPECT_EQ(found_in("{\"name\": {\"age\": 3}}", json), "missing_fields");
  EXPECT_EQ(found_in("{\"name\": \"x\", \"age\": 3}", json), "");
  // Cut off: told once.
  EXPECT_EQ(found_in("{\"name\": \"x", json, "length"), "cut_by_length");
}

TEST(SoftFailures, TheSameWordsAgainAndAgain) {
  std::string loop = "It begins well. ";
  for (int i = 0; i < 60; ++i) loop += "and so on and on ";
  EXPECT_EQ(found_in(loop), "loop");
  std::string table;
  for (int i = 0; i < 200; ++i) table += "row " + std::to_string(i) + " is fine\n";
  EXPECT_EQ(found_in(table), "");
}

TEST(SoftFailures, AnotherScriptThanTheUsers) {
  const std::string chinese =
      "天地玄黃宇宙洪荒日月盈昃辰宿列張寒來暑往秋收冬藏閏餘成歲律呂調陽雲騰致雨露結為霜金生麗水玉出"
      "崑岡劍"
      "號巨闕珠稱夜光果珍李柰菜重芥薑海鹹河淡鱗潛羽翔龍師火帝鳥官人皇始制文字乃服衣裳";
  EXPECT_EQ(found_in(chinese, {.is_latin = true}), "wrong_language");
  EXPECT_EQ(found_in(chinese), "");
  EXPECT_EQ(
      found_in("Füße größer – naïve café “quoted” €5 " + std::string(100, 'x'), {.is_latin = true}),
      "");
}

TEST(SoftFailures, AnOwnServerThatCutTheContext) {
  AnswerWatch watch({.is_own_endpoint = true, .input_tokens = 11'870});
  watch.text("I see no earlier chapters.");
  watch.input_tokens_counted(4096);
  EXPECT_EQ(watch.result().text(), "context_cut");
}

TEST(SoftFailures, AHostileAnswerCostsBoundedMemory) {
  AnswerWatch watch({.wants_json = true, .required_fields = {"a"}, .is_latin = true});
  const std::string deep(1 << 20, '{');
  watch.text(deep);
  for (std::size_t i = 0; i < 1000; ++i) watch.tool_call(i, deep, deep);
  EXPECT_TRUE(watch.result().has(SoftFailure::broken_json));
}

}  // namespace
}  // namespace claviger::fault

#include <gtest/gtest.h>

#include "exchange/json_edit.h"
#include "exchange/json_writer.h"

namespace claviger::exchange {
namespace {

TEST(JsonWriter, EscapesWhatJsonCannotHold) {
  EXPECT_EQ(json_string("a\"b\\c\n\r\t\x01/é🙂"), "\"a\\\"b\\\\c\\n\\r\\t\\u0001/é🙂\"");
  EXPECT_EQ(json_string(std::string_view("\0", 1)), "\"\\u0000\"");
}

TEST(JsonWriter, ReplacesBytesThatAreNotUtf8) {
  EXPECT_EQ(json_string("a\xFFz"), "\"a\xEF\xBF\xBDz\"");
  EXPECT_EQ(json_string("\xC0\xAF"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\"");                  // Overlong.
  EXPECT_EQ(json_string("\xED\xA0\x80"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");  // Surrogate.
  EXPECT_EQ(json_string("\xF4\x90\x80\x80").size(), 2u + 4 * 3);       // Above U+10FFFF.
  EXPECT_EQ(json_string("\xE2\x82"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\"");  // Cut off.
}

TEST(JsonWriter, NeverClipsInsideACharacter) {
  EXPECT_EQ(clipped("aé", 2), "a");
  EXPECT_EQ(clipped("aé", 3), "aé");
  EXPECT_EQ(clipped("🙂", 3), "");
  EXPECT_EQ(clipped("abc", 2), "ab");
}

TEST(JsonEdit, FindsAValueAtTheTopLevelOnly) {
  const std::string_view json =
      R"({"a":{"usage":1},"s":"\"usage\":2","usage" : {"x":[1,2]} ,"z":3})";
  EXPECT_EQ(at(json, find_value(json, "usage")), R"({"x":[1,2]})");
  EXPECT_EQ(at(json, find_value(json, "z")), "3");
  EXPECT_TRUE(find_value(json, "x").empty());
}

TEST(JsonEdit, SeesThroughEscapedKeysAndTakesTheLast) {
  const std::string_view json = R"({"usage":1, "\u0075sage":2})";
  EXPECT_EQ(at(json, find_value(json, "usage")), "2");
}

TEST(JsonEdit, FindsNothingInWhatIsNoObject) {
  EXPECT_TRUE(find_value(std::string_view(), "a").empty());
  for (const std::string_view json : {"", "[]", "1", "{", R"({"a":1)", R"({"a":1}x)",
                                      R"({"a":1}{})", "\xFF", "{\"a\":1,}", "{\"a\" 1}"}) {
    EXPECT_TRUE(find_value(json, "a").empty()) << json;
  }
}

TEST(JsonEdit, AddsOrReplacesAFieldAndNothingElse) {
  EXPECT_EQ(with_field("{}", "a", "1"), R"({"a":1})");
  EXPECT_EQ(with_field("{ }", "a", "1"), R"({ "a":1})");
  EXPECT_EQ(with_field(R"({"b" : 1.50e3 })", "a", "1"), R"({"b" : 1.50e3 ,"a":1})");
  EXPECT_EQ(with_field(R"({"a" : [1] , "b":2})", "a", "9"), R"({"a" : 9 , "b":2})");
}

TEST(JsonEdit, ReadsDocumentsLargerThanWhatAThreadKeeps) {
  const std::string json = R"({"a":")" + std::string(3 << 20, 'x') + R"(","b":7})";
  EXPECT_EQ(at(json, find_value(json, "b")), "7");
}

}  // namespace
}  // namespace claviger::exchange

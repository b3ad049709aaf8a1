#include "record/feedback.h"

#include <gtest/gtest.h>

namespace claviger::record {
namespace {

TEST(Feedback, IsAnOpinionAndPerhapsWhy) {
  const auto bad = read_feedback(R"({"verdict":"bad","why":"made up a \"source\""})");
  ASSERT_TRUE(bad) << bad.error();
  EXPECT_EQ(bad->opinion, Opinion::bad);
  EXPECT_EQ(bad->why, "made up a \"source\"");

  const auto good = read_feedback(R"( {"why": null, "verdict": "good"} )");
  ASSERT_TRUE(good) << good.error();
  EXPECT_EQ(good->opinion, Opinion::good);
  EXPECT_EQ(good->why, "");
}

TEST(Feedback, IsRefusedWithWhatToSendInstead) {
  for (const std::string_view wrong :
       {"", "[]", "{}", "{", R"({"why":"x"})", R"({"verdict":"meh"})", R"({"verdict":true})",
        R"({"verdict":"good","why":7})", R"({"verdict":"good","verdict":"bad"})",
        R"({"verdict":"good","stars":5})", R"({"verdict":"good"} {})",
        "{\"verdict\":\"good\",\"why\":\"\xff\"}"}) {
    const auto read = read_feedback(wrong);
    ASSERT_FALSE(read) << wrong;
    EXPECT_TRUE(read.error().contains("verdict") || read.error().contains("\"why\""))
        << wrong << ": " << read.error();
  }
}

TEST(Feedback, IsBounded) {
  const auto with_why = [](std::size_t bytes) {
    return read_feedback(R"({"verdict":"bad","why":")" + std::string(bytes, 'x') + "\"}");
  };
  EXPECT_TRUE(with_why(feedback_why_bytes_max));
  EXPECT_FALSE(with_why(feedback_why_bytes_max + 1));
  EXPECT_FALSE(with_why(feedback_body_bytes_max));
}

TEST(Feedback, IsShownAsItWasGiven) {
  EXPECT_EQ(to_json(std::optional<Feedback>()), "null");
  EXPECT_EQ(to_json(Feedback{.request = {},
                             .opinion = Opinion::bad,
                             .why = "too \"long\"",
                             .given_at = from_unix_micros(1'700'000'000'123'000)}),
            R"({"verdict":"bad","why":"too \"long\"","given_at":"2023-11-14T22:13:20.123Z"})");
}

}  // namespace
}  // namespace claviger::record

#include "api/openai/input_texts.h"

#include <gtest/gtest.h>

#include <string>

#include "api/openai/request_reader.h"

namespace claviger::api::openai {
namespace {

using Place = InputText::Place;

std::vector<InputText> texts(std::string body,
                             exchange::Operation operation = exchange::Operation::chat) {
  const std::size_t size = body.size();
  body.append(64, '\0');
  const auto request = read_request(operation, std::string_view(body).substr(0, size));
  if (request) return input_texts(*request);
  ADD_FAILURE() << request.error().message;
  return {};
}

TEST(InputTexts, AreUnescapedAndKnowTheirBytesInTheBody) {
  const auto found = texts(R"({"model":"m","messages":[{"role":"user","content":"a\u00e9\n"}]})");
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].text, "aé\n");
  EXPECT_EQ(found[0].json_bytes, 9);
  EXPECT_EQ(found[0].place, Place::alone);
}

TEST(InputTexts, OnlyAWholeMessageOfAPersonOrAModelStandsAlone) {
  const auto found = texts(
      R"({"model":"m","messages":[{"role":"tool","tool_call_id":"t","content":"one"},)"
      R"({"role":"user","content":[{"type":"text","text":"two"},{"type":"text","text":"three"},)"
      R"({"type":"image_url","image_url":{"url":"u"}}]},{"role":"assistant","content":null},)"
      R"({"role":"assistant","content":"four"}]})");
  ASSERT_EQ(found.size(), 4u);
  EXPECT_EQ(found[0].place, Place::among);
  EXPECT_EQ(found[1].place, Place::among);
  EXPECT_EQ(found[2].place, Place::among);
  EXPECT_EQ(found[3].place, Place::alone);
}

TEST(InputTexts, OfAnEmbeddingAreEachByItself) {
  const auto operation = exchange::Operation::embeddings;
  EXPECT_EQ(texts(R"({"model":"m","input":"a"})", operation).size(), 1u);
  EXPECT_EQ(texts(R"({"model":"m","input":["a","b"]})", operation).size(), 2u);
  EXPECT_EQ(texts(R"({"model":"m","input":[1,2]})", operation).size(), 0u);
}

}  // namespace
}  // namespace claviger::api::openai

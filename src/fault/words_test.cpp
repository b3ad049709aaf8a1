#include "fault/words.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "fault/json_glance.h"
#include "fault/neighbours.h"
#include "fault/pause.h"

namespace claviger::fault {
namespace {

bool says(std::string_view text, std::string_view phrase, Quotes quotes = Quotes::drop_long) {
  PhraseIndex index;
  const PhraseId id = index.add(phrase);
  std::vector<Word> words;
  append_words(words, text, quotes);
  PhraseHits hits(index.size());
  index.find(words, hits);
  return hits.has(id);
}

TEST(Words, SpellingsOfACodeAreOne) {
  for (const auto* const code : {"model_not_found", "ModelNotFound", "MODEL-NOT-FOUND",
                                 "modelNotFound", "model not found"}) {
    EXPECT_TRUE(says(code, "^model not found$")) << code;
  }
  EXPECT_TRUE(says("APIKeyInvalid", "api key invalid"));
}

TEST(Words, EndingsAndApostrophesDoNotMatter) {
  EXPECT_TRUE(says("It doesn't support tools", "doesnt support tool"));
  EXPECT_TRUE(says("It doesn’t support tools", "doesnt support tool"));
  EXPECT_TRUE(says("limits exceeded", "limit exceeds"));
}

TEST(Words, AddressesSayNothing) {
  EXPECT_FALSE(says("see https://example.com/account/billing for more", "billing"));
  EXPECT_TRUE(says("see https://example.com/x: billing is off", "billing"));
}

TEST(Words, LongQuotationsAreSomebodyElsesWords) {
  EXPECT_FALSE(says("got 'my key is bad and the rate limit is reached' there", "rate limit"));
  EXPECT_TRUE(says("the 'rate limit' was reached", "rate limit"));
  EXPECT_FALSE(says("got 'one two three four five rate limit without its end", "rate limit"));
}

TEST(Words, GapsAndAnchors) {
  EXPECT_TRUE(says("limit of ten requests per day", "limit … per day"));
  EXPECT_FALSE(says("per day there is a limit", "limit … per day"));
  EXPECT_FALSE(says("a model not found", "^model not found$"));
  EXPECT_FALSE(says("model not found here", "^model not found$"));
  EXPECT_THROW(PhraseIndex().add("… …"), std::invalid_argument);
}

TEST(JsonGlance, WhatIsCutOffIsReadAsFarAsItGoes) {
  const JsonGlance glance(R"({"error": {"code": "x", "message": "half a sen)");
  EXPECT_FALSE(glance.is_whole());
  EXPECT_EQ(glance.root()["error"]["code"].text(), "x");
  EXPECT_EQ(glance.root()["error"]["message"].text(), "half a sen");
}

TEST(JsonGlance, WhatIsAbsentIsEmpty) {
  const JsonGlance glance(R"({"a": [1, "2", null]})");
  EXPECT_TRUE(glance.is_whole());
  EXPECT_EQ(glance.root()["a"].at(1).integer(), 2);
  EXPECT_FALSE(glance.root()["a"].at(2));
  EXPECT_EQ(glance.root()["b"]["c"].at(9).text(), "");
  EXPECT_EQ(JsonGlance("").root()["a"].size(), 0U);
}

TEST(JsonGlance, DepthAndNodesAreBounded) {
  const std::string deep(100'000, '[');
  EXPECT_FALSE(JsonGlance(deep).is_whole());
  std::string wide = "{";
  for (int i = 0; i < 10'000; ++i) wide += "\"k\":{\"a\":[1,2]},";
  EXPECT_LE(JsonGlance(wide + "\"z\":1}").root().size(), JsonGlance::nodes_max);
}

TEST(Pause, DurationsAsProvidersWriteThem) {
  EXPECT_EQ(read_duration_s("20s"), 20);
  EXPECT_EQ(read_duration_s("6ms"), 0.006);
  EXPECT_EQ(read_duration_s("1m3.5s"), 63.5);
  EXPECT_EQ(read_duration_s("2h"), 7200);
  EXPECT_FALSE(read_duration_s("soon"));
  EXPECT_NEAR(*pause_in_words_s("Please try again in 15m23.616s. Need more?"), 923.616, 0.001);
  EXPECT_EQ(pause_in_words_s("Please retry after 58 seconds."), 58);
  EXPECT_FALSE(pause_in_words_s("try again in a moment"));
}

FailureWindow::Failure failure(std::int64_t credential, std::int64_t owner) {
  return {.provider = "openrouter",
          .cause = "key_invalid",
          .credential = CredentialId{credential},
          .owner = OwnerId{owner}};
}

TEST(FailureWindow, OthersFailuresAreCountedAndForgotten) {
  FailureWindow seen;
  const Instant begin{std::chrono::hours(1)};
  seen.note(failure(1, 1), begin);
  seen.note(failure(2, 1), begin);
  seen.note(failure(3, 2), begin);
  seen.note(failure(3, 2), begin);
  const Neighbours now = seen.around(failure(1, 1), begin);
  EXPECT_EQ(now.credentials_failing, 2);
  EXPECT_EQ(now.owners_failing, 1);
  EXPECT_EQ(seen.failures_of(failure(3, 2), begin), 2);
  const Neighbours later =
      seen.around(failure(1, 1), begin + FailureWindow::window + std::chrono::seconds(1));
  EXPECT_EQ(later.credentials_failing, 0);
}

TEST(FailureWindow, MemoryIsBounded) {
  FailureWindow seen;
  const Instant begin{std::chrono::hours(1)};
  for (int i = 0; i < 5000; ++i) seen.note(failure(i + 10, i + 10), begin);
  EXPECT_LE(seen.around(failure(1, 1), begin).credentials_failing, 16);
}

}  // namespace
}  // namespace claviger::fault

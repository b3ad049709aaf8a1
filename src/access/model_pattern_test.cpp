#include "access/model_pattern.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace claviger::access {
namespace {

TEST(ModelPattern, AStarStandsForAnything) {
  EXPECT_TRUE(matches_pattern("*", "openai/gpt-4o-mini"));
  EXPECT_TRUE(matches_pattern("*", ""));
  EXPECT_TRUE(matches_pattern("openai/*", "openai/gpt-4o-mini"));
  EXPECT_TRUE(matches_pattern("openrouter/*", "openrouter/meta-llama/llama-3:free"));
  EXPECT_TRUE(matches_pattern("*/gpt-4o*", "azure/gpt-4o-mini"));
  EXPECT_TRUE(matches_pattern("a*b*c", "aXbXbXc"));
  EXPECT_TRUE(matches_pattern("a**c", "ac"));
}

TEST(ModelPattern, WithoutAStarOnlyTheVeryModelFits) {
  EXPECT_TRUE(matches_pattern("openai/gpt-4o", "openai/gpt-4o"));
  EXPECT_FALSE(matches_pattern("openai/gpt-4o", "openai/gpt-4o-mini"));
  EXPECT_FALSE(matches_pattern("openai/gpt-4o", "OpenAI/gpt-4o"));
  EXPECT_FALSE(matches_pattern("gpt-4o", "openai/gpt-4o"));
  EXPECT_FALSE(matches_pattern("", "openai/gpt-4o"));
  EXPECT_FALSE(matches_pattern("openai/*", "openai"));
  EXPECT_FALSE(matches_pattern("openai/gpt-?", "openai/gpt-4"));
}

TEST(ModelPattern, AKeyWithoutPatternsMayUseEveryModel) {
  VirtualKey key;
  EXPECT_TRUE(may_use(key, "openai/gpt-4o"));
  key.models = {"local/*", "openai/gpt-4o-mini"};
  EXPECT_TRUE(may_use(key, "local/smollm2"));
  EXPECT_TRUE(may_use(key, "openai/gpt-4o-mini"));
  EXPECT_FALSE(may_use(key, "openai/gpt-4o"));
}

/// The definition, without cleverness.
bool matches_slowly(std::string_view pattern, std::string_view model) {
  if (pattern.empty()) return model.empty();
  if (pattern[0] == '*') {
    return matches_slowly(pattern.substr(1), model) ||
           (!model.empty() && matches_slowly(pattern, model.substr(1)));
  }
  return !model.empty() && pattern[0] == model[0] &&
         matches_slowly(pattern.substr(1), model.substr(1));
}

TEST(ModelPattern, AgreesWithTheDefinition) {
  constexpr unsigned seed = 20261;
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  const auto text = [&random](std::string_view alphabet, std::size_t length_max) {
    std::string made(random() % (length_max + 1), ' ');
    for (char& c : made) c = alphabet[random() % alphabet.size()];
    return made;
  };
  int matched = 0;
  for (int i = 0; i < 50000; ++i) {
    const std::string pattern = text("ab*", 7);
    const std::string model = text("ab", 9);
    const bool expected = matches_slowly(pattern, model);
    matched += expected ? 1 : 0;
    ASSERT_EQ(matches_pattern(pattern, model), expected) << pattern << " " << model;
  }
  EXPECT_GT(matched, 1000);
}

TEST(ModelPattern, AHostileModelNameCostsLittle) {
  std::string pattern;
  for (int i = 0; i < 50; ++i) pattern += "a*";
  pattern += "b";
  EXPECT_FALSE(matches_pattern(pattern, std::string(100'000, 'a')));
}

}  // namespace
}  // namespace claviger::access

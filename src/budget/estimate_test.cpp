#include "budget/estimate.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace claviger::budget {
namespace {

catalog::Price price() {
  catalog::Price rates;
  rates.input = rates.cached_input = rates.cache_write = rates.cache_write_1h =
      PicoUsdPerUnit{1'000'000};
  rates.output = PicoUsdPerUnit{4'000'000};
  return rates;
}

const ModelLimits limits{.context_tokens_max = 128'000, .output_tokens_max = 16'000};

exchange::Request text(const std::string& body) {
  exchange::Request request;
  request.body = body;
  request.parts.messages = 1;
  return request;
}

TEST(Estimate, WithoutKnowledgeItIsARuleOfThumb) {
  const std::string body(4000, 'x');
  const auto found = estimate(text(body), price(), limits, family_of("x", "y"), {}, {});
  EXPECT_EQ(found->input_tokens_likely, 1000);
  EXPECT_EQ(found->output_tokens_likely, kOutputTokensLikely);
  EXPECT_EQ(found->input_likely_by, LikelyBy::rule_of_thumb);
  EXPECT_EQ(found->cost_likely, NanoUsd(1'000'000 + 4 * 500'000));
  EXPECT_FALSE(found->exact);
}

TEST(Estimate, SettledRequestsTeachAndNeverChangeWhatIsHeld) {
  FactorLearner learner;
  for (int i = 0; i < FactorLearner::requests_min - 1; ++i) learner.add(1000, 300, 40);
  EXPECT_FALSE(learner.factors());
  learner.add(0, 5, 5);
  learner.add(5, -1, 5);
  EXPECT_FALSE(learner.factors());
  learner.add(1000, 300, 40);
  const std::string body(2000, 'x');
  const auto& family = family_of("x", "y");
  const auto learned = estimate(text(body), price(), limits, family, {}, learner.factors());
  const auto plain = estimate(text(body), price(), limits, family, {}, {});
  EXPECT_EQ(learned->input_tokens_likely, 600);
  EXPECT_EQ(learned->output_tokens_likely, 40);
  EXPECT_EQ(learned->input_likely_by, LikelyBy::learned);
  EXPECT_EQ(learned->cheap.cost_max, plain->cheap.cost_max);
  EXPECT_EQ(learned->cheap.input_tokens_max, plain->cheap.input_tokens_max);
}

TEST(Estimate, WhereTextsAreCountedBothBoundsAreShown) {
  const std::string body(10'000, 'x');
  const auto found =
      estimate(text(body), price(), limits, family_of("openai", "gpt-4o"),
               CountedForEstimate{.tokens_likely = 1900,
                                  .for_hold = {.tokens_max = 2000, .json_bytes = 9900}},
               {});
  ASSERT_TRUE(found->exact);
  EXPECT_EQ(found->exact->input_tokens_max, 100 + 2000 + kTemplateTokensMax);
  EXPECT_EQ(found->input_tokens_likely, 1907);
  EXPECT_EQ(found->input_likely_by, LikelyBy::tokenizer);
}

TEST(Estimate, WhatIsLikelyIsNeverMoreThanTheMost) {
  std::mt19937_64 random(20261125);
  for (int i = 0; i < 5000; ++i) {
    FactorLearner learner;
    for (int j = 0; j < 6; ++j) {
      learner.add(static_cast<std::int64_t>(random() >> random() % 60),
                  static_cast<std::int64_t>(random() >> random() % 60),
                  static_cast<std::int64_t>(random() >> random() % 60));
    }
    const std::string body(random() % 5000, 'x');
    exchange::Request request = text(body);
    request.output_tokens_max = static_cast<std::int64_t>(random() % 9000);
    request.choices = static_cast<std::int64_t>(1 + random() % 3);
    const auto found =
        estimate(request, price(), limits, family_of("x", "y"), {}, learner.factors());
    ASSERT_LE(found->cost_likely, found->cheap.cost_max);
    ASSERT_LE(found->input_tokens_likely, found->cheap.input_tokens_max);
    ASSERT_GE(found->input_tokens_likely, 0);
    ASSERT_LE(found->output_tokens_likely, found->cheap.output_tokens_max * found->cheap.choices);
  }
}

}  // namespace
}  // namespace claviger::budget

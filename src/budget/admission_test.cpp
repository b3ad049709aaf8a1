#include "budget/admission.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace claviger::budget {
namespace {

catalog::Price price(std::int64_t input, std::int64_t output) {
  catalog::Price result;
  result.input = result.cached_input = result.cache_write = result.cache_write_1h =
      PicoUsdPerUnit{input};
  result.output = PicoUsdPerUnit{output};
  return result;
}

/// `body` outlives the request, which only looks at it.
exchange::Request text_request(std::string_view body) {
  exchange::Request request;
  request.body = body;
  return request;
}

std::optional<Bound> bound_request(const exchange::Request& request, const catalog::Price& rates,
                                   const ModelLimits& limits) {
  return budget::bound_request(request, rates, limits, family_of("nobody", "nothing"));
}

TEST(Admission, TextIsBoundedByItsBytesAndTheContext) {
  const std::string body(1000, 'x');
  EXPECT_EQ(bound_request(text_request(body), price(1, 1), {})->input_tokens_max,
            1000 + kTemplateTokensMax);
  EXPECT_EQ(
      bound_request(text_request(body), price(1, 1), {.context_tokens_max = 700})->input_tokens_max,
      700);
}

TEST(Admission, WhatWeCannotSeeIsBoundedByTheContextOrNotAtAll) {
  exchange::Request request = text_request("{}");
  request.input_content = exchange::InputContent::by_model;
  EXPECT_EQ(bound_request(request, price(1, 1), {}), std::nullopt);
  EXPECT_EQ(bound_request(request, price(1, 1), {.context_tokens_max = 128'000})->input_tokens_max,
            128'000);
}

exchange::Request with_image(exchange::InputImage image, const std::string& body) {
  exchange::Request request = text_request(body);
  request.input_content = exchange::InputContent::by_model;
  request.parts.add_image(image);
  request.parts.attached_bytes = static_cast<std::int64_t>(body.size()) - 100;
  return request;
}

TEST(Admission, APictureIsBoundedByItsProvidersFormula) {
  const std::string body(1'000'000, 'x');
  const auto request = with_image({.width_px = 1024, .height_px = 1024}, body);
  const auto bound = budget::bound_request(request, price(1, 1), {.context_tokens_max = 128'000},
                                           family_of("openai", "gpt-4o"));
  EXPECT_EQ(bound->parts.images, 85 + 4 * 170);
  EXPECT_EQ(bound->input_tokens_max, 100 + 765 + kTemplateTokensMax);
  EXPECT_EQ(bound->input_by, InputBoundBy::bytes);
  // Elsewhere nobody knows the formula.
  const auto elsewhere = bound_request(request, price(1, 1), {.context_tokens_max = 128'000});
  EXPECT_EQ(elsewhere->input_tokens_max, 128'000);
  EXPECT_EQ(elsewhere->input_by, InputBoundBy::context);
}

TEST(Admission, WhatExpandsInANormalFormIsCountedAtItsWorst) {
  const std::string body = "\"\uFDFA\"";
  EXPECT_EQ(bound_request(text_request(body), price(1, 1), {})->text_tokens_max, 2 + 33);
  EXPECT_EQ(budget::bound_request(text_request(body), price(1, 1), {}, family_of("openai", "gpt-5"))
                ->text_tokens_max,
            2 + 3);
}

TEST(Admission, ExactCountsReplaceTheirBytesAndNothingElse) {
  const std::string body(10'000, 'x');
  const ModelLimits limits{.context_tokens_max = 128'000};
  const catalog::Price rates = price(1000, 1000);
  const auto& family = family_of("openai", "gpt-4o");
  const Bound cheap = *budget::bound_request(text_request(body), rates, limits, family);
  const Bound exact = tightened(cheap, {.tokens_max = 2000, .json_bytes = 9000}, rates, limits);
  EXPECT_EQ(exact.input_tokens_max, 10'000 - 9000 + 2000 + kTemplateTokensMax);
  EXPECT_EQ(exact.input_by, InputBoundBy::tokenizer);
  EXPECT_LT(exact.cost_max, cheap.cost_max);
  EXPECT_EQ(exact.output_tokens_max, cheap.output_tokens_max);
  // More tokens than bytes would be no gain.
  EXPECT_EQ(tightened(cheap, {.tokens_max = 10, .json_bytes = 10}, rates, limits).cost_max,
            cheap.cost_max);
  // What only the context bounds stays there.
  exchange::Request unseen = text_request(body);
  unseen.input_content = exchange::InputContent::by_model;
  const Bound by_context = *budget::bound_request(unseen, rates, limits, family);
  EXPECT_EQ(
      tightened(by_context, {.tokens_max = 1, .json_bytes = 9000}, rates, limits).input_tokens_max,
      128'000);
}

TEST(Admission, EveryChoiceHasTheWholeOutputBound) {
  exchange::Request request = text_request("{}");
  request.output_tokens_max = 100;
  request.choices = 3;
  const Bound bound = *bound_request(request, price(0, 1000), {});
  EXPECT_EQ(bound.cost_max, NanoUsd(300));
  EXPECT_EQ(output_bound_within(NanoUsd(150), bound, price(0, 1000)), 50);
}

TEST(Admission, AnEmbeddingHasNoOutput) {
  exchange::Request request = text_request("{}");
  request.operation = exchange::Operation::embeddings;
  EXPECT_EQ(bound_request(request, price(0, 1'000'000), {})->cost_max, NanoUsd(0));
}

TEST(Admission, AClampedBoundNeverCostsMoreThanWasGranted) {
  std::mt19937_64 random(20260703);
  for (int i = 0; i < 20'000; ++i) {
    const std::string body(random() % 3000, 'x');
    exchange::Request request = text_request(body);
    request.choices = static_cast<std::int64_t>(1 + random() % 4);
    if (random() % 2 == 0) request.output_tokens_max = static_cast<std::int64_t>(random() % 70'000);
    const catalog::Price rates = price(static_cast<std::int64_t>(random() % 5'000'000),
                                       static_cast<std::int64_t>(random() % 80'000'000));
    const Bound bound = *bound_request(request, rates, {.context_tokens_max = 128'000});
    ASSERT_LE(bound.cost_least, bound.cost_max);
    const std::int64_t spread = bound.cost_max.nanos() - bound.cost_least.nanos();
    const NanoUsd granted(
        bound.cost_least.nanos() +
        static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(spread + 1)));
    const std::int64_t output = output_bound_within(granted, bound, rates);
    ASSERT_GE(output, std::min<std::int64_t>(bound.output_tokens_max, kClampedOutputTokensMin));
    ASSERT_LE(catalog::worst_cost(bound.input_tokens_max, output * bound.choices, rates), granted);

    exchange::Usage usage;
    usage.input_tokens = static_cast<std::int64_t>(
        random() % static_cast<std::uint64_t>(bound.input_tokens_max + 1));
    usage.output_tokens = static_cast<std::int64_t>(
        random() % static_cast<std::uint64_t>(output * bound.choices + 1));
    ASSERT_LE(catalog::cost_of(usage, rates), granted);
  }
}

}  // namespace
}  // namespace claviger::budget

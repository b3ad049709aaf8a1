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

catalog::Price rich_price() {
  catalog::Price rates = price(3'000'000, 15'000'000);
  rates.audio_output = PicoUsdPerUnit{80'000'000};
  rates.units.set(exchange::Unit::web_search, PicoUsdPerUnit{10'000'000'000});
  catalog::RateCard priority = static_cast<const catalog::RateCard&>(rates);
  priority.input = priority.cached_input = priority.cache_write = priority.cache_write_1h =
      PicoUsdPerUnit{6'000'000};
  priority.output = PicoUsdPerUnit{30'000'000};
  rates.service_tiers.push_back({exchange::ServiceTier::priority, priority});
  rates.regional_permille = 1100;
  return rates;
}

TEST(Admission, ATierThatTheAccountSetsIsHeldAtItsDearest) {
  const std::string body(100, 'x');
  exchange::Request request = text_request(body);
  request.output_tokens_max = 1000;
  const catalog::Price rates = rich_price();
  const auto cost_max = [&](const ModelFamily& family) {
    return budget::bound_request(request, rates, {}, family)->cost_max;
  };
  const NanoUsd unsaid = cost_max(family_of("openai", "gpt-5"));
  const NanoUsd unsaid_at_anthropic = cost_max(family_of("anthropic", "claude-sonnet-4"));
  request.extras.service_tier = exchange::ServiceTier::priority;
  EXPECT_EQ(cost_max(family_of("openai", "gpt-5")), unsaid);
  request.extras.service_tier = exchange::ServiceTier::standard;
  EXPECT_LT(cost_max(family_of("openai", "gpt-5")), unsaid);
  EXPECT_LT(unsaid_at_anthropic, unsaid);
}

TEST(Admission, AFieldWithoutARateIsNamed) {
  const ModelFamily& family = family_of("google", "gemini-2.5-flash");
  const auto unpriced = [](exchange::PricedField field, const catalog::Price& rates,
                           const ModelFamily& of) {
    exchange::Request request;
    request.extras.priced_fields.push_back(std::move(field));
    if (const auto* tier =
            std::get_if<exchange::ServiceTier>(&request.extras.priced_fields.front().needs)) {
      request.extras.service_tier = *tier;
    }
    return std::string(unpriced_field(request, rates, of));
  };
  using exchange::ServiceTier;
  using exchange::Unit;
  const catalog::Price rich = rich_price();
  const catalog::Price poor = price(1, 1);
  EXPECT_EQ(unpriced({"a", Unit::web_search}, poor, family), "a");
  EXPECT_EQ(unpriced({"a", Unit::web_search}, rich, family), "");
  EXPECT_EQ(unpriced({"a", ServiceTier::priority}, poor, family), "a");
  EXPECT_EQ(unpriced({"a", ServiceTier::priority}, rich, family), "");
  EXPECT_EQ(unpriced({"a", ServiceTier::flex}, poor, family), "");
  EXPECT_EQ(unpriced({"a", ServiceTier::fast}, rich, family), "a");
  EXPECT_EQ(unpriced({"a", exchange::SpokenAnswer{}}, poor, family), "a");
  EXPECT_EQ(unpriced({"a", exchange::SpokenAnswer{}}, rich, family), "");
  EXPECT_EQ(unpriced({"a", exchange::ModelsOwnSearch{}}, rich, family), "a");
  EXPECT_EQ(unpriced({"a", exchange::GroundingSearches{}}, rich, family), "");
  EXPECT_EQ(
      unpriced({"a", exchange::GroundingSearches{}}, rich, family_of("google", "gemini-3-pro")),
      "a");
}

TEST(Admission, ThinkingKeepsItsLeastBudgetWhenItIsClamped) {
  const std::string body(100, 'x');
  exchange::Request request = text_request(body);
  request.output_tokens_max = 10'000;
  request.thinking_tokens_max = 8000;
  EXPECT_EQ(bound_request(request, price(1, 1), {})->output_tokens_least,
            kClampedThinkingTokensMin);
  request.output_tokens_max = 500;
  EXPECT_EQ(bound_request(request, price(1, 1), {})->output_tokens_least, 500);
}

/// Whatever a provider bills within what the fields allow is within the hold.
TEST(Admission, NothingThatFieldsAllowCostsMoreThanTheHold) {
  constexpr unsigned seed = 20261126;
  std::mt19937_64 random(seed);
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  const auto below = [&](std::int64_t n) {
    return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(n + 1));
  };
  const catalog::Price rates = rich_price();
  const ModelLimits limits{.context_tokens_max = 2000};
  for (int round = 0; round < 20'000; ++round) {
    const std::string body(static_cast<std::size_t>(below(3000)) + 200, 'x');
    exchange::Request request = text_request(body);
    request.output_tokens_max = 1 + below(500);
    request.choices = 1 + below(3);
    request.extras.rounds_max = 1 + below(3);
    request.extras.has_spoken_answer = below(1) == 1;
    request.extras.has_text_answer_only = !request.extras.has_spoken_answer;
    request.extras.units_max[exchange::Unit::web_search] = below(5);
    request.extras.priced_fields.push_back({"tools", exchange::Unit::web_search});
    request.extras.geography =
        below(1) == 1 ? exchange::Geography::regional : exchange::Geography::anywhere;
    if (below(2) != 0) {
      request.extras.service_tier =
          below(1) == 1 ? exchange::ServiceTier::priority : exchange::ServiceTier::standard;
    }
    if (below(1) == 1) request.places.prediction_value = {.begin = 10, .end = 110};
    const Bound bound = *bound_request(request, rates, limits);

    exchange::Usage usage;
    usage.input_tokens = below(bound.input_tokens_max);
    usage.cache_write_1h_tokens = below(bound.input_tokens_max - usage.input_tokens);
    usage.output_tokens = below(bound.all_output_tokens(bound.output_tokens_max));
    if (request.extras.has_spoken_answer) usage.audio_output_tokens = below(usage.output_tokens);
    usage.units[exchange::Unit::web_search] =
        below(request.extras.units_max[exchange::Unit::web_search]);
    usage.service_tier = request.extras.service_tier.value_or(
        below(1) == 1 ? exchange::ServiceTier::priority : exchange::ServiceTier::standard);
    if (below(3) == 0) usage.service_tier = exchange::ServiceTier::standard;
    if (request.extras.geography == exchange::Geography::regional && below(1) == 1) {
      usage.geography = exchange::Geography::regional;
    }
    ASSERT_LE(catalog::cost_of(usage, rates), bound.cost_max) << "round " << round;

    const NanoUsd granted(below(bound.cost_max.nanos()));
    const std::int64_t each = output_bound_within(granted, bound, rates);
    if (each == 0) continue;
    usage = {};
    usage.input_tokens = bound.input_tokens_max;
    usage.output_tokens = bound.all_output_tokens(each);
    usage.units[exchange::Unit::web_search] = request.extras.units_max[exchange::Unit::web_search];
    ASSERT_LE(catalog::cost_of(usage, rates), granted) << "round " << round;
  }
}

}  // namespace
}  // namespace claviger::budget

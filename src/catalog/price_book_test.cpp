#include "catalog/price_book.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <stdexcept>

namespace claviger::catalog {
namespace {

using exchange::InputContent;
using exchange::Usage;
using testing::HasSubstr;

constexpr std::string_view row =
    R"({"provider": "p", "model": "m", "input": "3", "cached_input": "0.3", "cache_write": "3.75", )"
    R"("cache_write_1h": "6", "output": "15", "context": 1000000, "output_max": 64000, )"
    R"("long": {"input_tokens_above": 200000, "input": "6", "cached_input": "0.6", )"
    R"("cache_write": "7.5", "cache_write_1h": "12", "output": "22.5"}, )"
    R"("source": "s", "dated": "2026-09-23", "note": "n"})";

const Model& only(const std::shared_ptr<const PriceBook>& book) {
  return book->models().at(0);
}

Price price() {
  return *only(PriceBook::parse(row)).price;
}

std::string complaint(const std::string& jsonl) {
  try {
    PriceBook::parse(jsonl);
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "accepted";
}

std::string replaced(std::string_view what, std::string_view with) {
  std::string text(row);
  text.replace(text.find(what), what.size(), with);
  return text;
}

TEST(Cost, IsEveryKindOfTokenAtItsRate) {
  const Usage usage{.input_tokens = 1000,
                    .cached_input_tokens = 2000,
                    .cache_write_tokens = 3000,
                    .cache_write_1h_tokens = 4000,
                    .output_tokens = 500,
                    .reasoning_tokens = 400};
  // 0.003 + 0.0006 + 0.01125 + 0.024 + 0.0075 dollars; reasoning is inside the output.
  EXPECT_EQ(to_decimal(cost_of(usage, price())), "0.04635");
}

TEST(Cost, OfALongInputIsAtOtherRatesAsAWhole) {
  const Usage at_limit{.input_tokens = 100'000, .cached_input_tokens = 100'000};
  EXPECT_EQ(to_decimal(cost_of(at_limit, price())), "0.33");
  const Usage above{.input_tokens = 100'001, .cached_input_tokens = 100'000};
  EXPECT_EQ(to_decimal(cost_of(above, price())), "0.660006");
}

TEST(Cost, OfSoundIsAtItsOwnRate) {
  Price sound = price();
  sound.audio_input = *parse_usd_per_million("32");
  EXPECT_EQ(to_decimal(cost_of(Usage{.input_tokens = 100, .audio_input_tokens = 60}, sound)),
            "0.00204");
  EXPECT_EQ(worst_cost(100, 0, sound, InputContent::text), worst_cost(100, 0, price()));
  EXPECT_EQ(to_decimal(worst_cost(100, 0, sound)), "0.0032");
}

TEST(Cost, IsRoundedUpOnceToANanoDollar) {
  Price cheap{};
  cheap.input = {1};
  cheap.output = {1};
  EXPECT_EQ(cost_of(Usage{.input_tokens = 1, .output_tokens = 1}, cheap), NanoUsd(1));
  EXPECT_EQ(cost_of(Usage{}, cheap), NanoUsd(0));
}

TEST(Cost, APriceOfZeroIsNoCost) {
  EXPECT_EQ(cost_of(Usage{.input_tokens = 1'000'000, .output_tokens = 9}, Price{}), NanoUsd(0));
  EXPECT_EQ(output_tokens_within(NanoUsd(0), 1'000'000, Price{}),
            std::numeric_limits<std::int64_t>::max());
}

TEST(Cost, TheDearestInputIsWhateverAnInputTokenCouldMeet) {
  EXPECT_EQ(price().worst_input(), *parse_usd_per_million("12"));
  EXPECT_EQ(to_decimal(worst_cost(200'000, 0, price())), "1.20");
  EXPECT_EQ(to_decimal(worst_cost(200'001, 0, price())), "2.400012");
}

/// A price and a usage, at random, of every order of magnitude.
class RandomBills {
 public:
  explicit RandomBills(unsigned seed) : random_(seed) {}

  Price price() {
    Price price{};
    static_cast<TokenRates&>(price) = token_rates();
    price.per_request = rate();
    if (coin()) {
      price.context_tiers.push_back(
          {static_cast<std::int64_t>(random_() % 300'000), token_rates()});
    }
    return price;
  }
  Usage usage(InputContent content) {
    Usage usage{.input_tokens = tokens(),
                .cached_input_tokens = tokens(),
                .cache_write_tokens = tokens(),
                .cache_write_1h_tokens = tokens(),
                .output_tokens = tokens()};
    if (content != InputContent::text && usage.input_tokens > 0) {
      usage.audio_input_tokens = static_cast<std::int64_t>(random_()) % usage.input_tokens;
    }
    return usage;
  }
  std::int64_t tokens() {
    return static_cast<std::int64_t>((random_() % 400'000) >> (random_() % 19));
  }
  NanoUsd money() { return NanoUsd(static_cast<std::int64_t>(random_() >> (1 + random_() % 40))); }

 private:
  TokenRates token_rates() {
    TokenRates rates;
    for (PicoUsdPerUnit* one : {&rates.input, &rates.cached_input, &rates.cache_write,
                                &rates.cache_write_1h, &rates.output}) {
      *one = rate();
    }
    if (coin()) rates.audio_input = rate();
    return rates;
  }
  PicoUsdPerUnit rate() {
    return {static_cast<std::int64_t>((random_() % 1'000'000'000) >> (random_() % 30))};
  }
  bool coin() { return random_() % 2 == 0; }
  std::mt19937 random_;
};

TEST(WorstCost, IsNeverBelowTheCostOfAnyUsageWithinTheBounds) {
  constexpr unsigned seed = 20261123;
  SCOPED_TRACE(seed);
  RandomBills bills(seed);
  for (int i = 0; i < 100'000; ++i) {
    const Price price = bills.price();
    const InputContent content = i % 2 == 0 ? InputContent::text : InputContent::by_model;
    const Usage usage = bills.usage(content);
    const std::int64_t input_max = usage.total_input_tokens() + bills.tokens() % 3;
    ASSERT_LE(cost_of(usage, price), worst_cost(input_max, usage.output_tokens, price, content))
        << i;
    ASSERT_LE(worst_cost(input_max, usage.output_tokens, price, InputContent::text),
              worst_cost(input_max, usage.output_tokens, price));
  }
}

TEST(OutputWithin, NeverCostsMoreThanTheMoneyAndWastesNone) {
  constexpr unsigned seed = 7;
  SCOPED_TRACE(seed);
  RandomBills bills(seed);
  for (int i = 0; i < 100'000; ++i) {
    const Price price = bills.price();
    const std::int64_t input_max = bills.tokens();
    const NanoUsd money = bills.money();
    const std::int64_t tokens = output_tokens_within(money, input_max, price);
    if (worst_cost(input_max, 0, price) > money) {
      ASSERT_EQ(tokens, 0) << i;
      continue;
    }
    ASSERT_LE(worst_cost(input_max, tokens, price), money) << i;
    if (tokens < std::numeric_limits<std::int64_t>::max()) {
      ASSERT_GT(worst_cost(input_max, tokens + 1, price), money) << i;
    }
  }
}

TEST(PriceBook, AnAbsentRateIsTheRateThatApplies) {
  const auto book =
      PriceBook::parse(R"({"provider":"p","model":"e","input":"0.02","source":"s","dated":"d"})");
  const Price& embedding = *only(book).price;
  EXPECT_EQ(embedding.cached_input, embedding.input);
  EXPECT_EQ(embedding.cache_write, embedding.input);
  EXPECT_EQ(embedding.cache_write_1h, embedding.input);
  EXPECT_EQ(embedding.output, PicoUsdPerUnit{0});
  EXPECT_EQ(only(book).context_tokens_max, 0);
}

TEST(PriceBook, ARowSaysWhereItsPriceComesFrom) {
  EXPECT_EQ(price().source, "s");
  EXPECT_EQ(price().dated, "2026-09-23");
  EXPECT_EQ(price().kind, PriceKind::exact);
  EXPECT_EQ(
      only(PriceBook::parse(replaced("\"note\"", "\"upper_bound\": true, \"note\""))).price->kind,
      PriceKind::upper_bound);
  EXPECT_EQ(only(PriceBook::parse(replaced("\"note\"", "\"per_request\": \"0.012\", \"note\"")))
                .price->per_request,
            PicoUsdPerUnit{12'000'000'000});
}

TEST(PriceBook, ALineThatIsWrongIsNamed) {
  EXPECT_THAT(complaint(std::string(row) + "\n{\n"),
              HasSubstr("prices.jsonl, line 2: is not a JSON object"));
  EXPECT_THAT(complaint(replaced("\"input\": \"3\"", "\"input\": 3")),
              HasSubstr("`input` must be a string"));
  EXPECT_THAT(complaint(replaced("\"3\"", "\"-3\"")), HasSubstr("`input` is negative"));
  EXPECT_THAT(complaint(replaced("\"3\"", "\"0.0000001\"")), HasSubstr("more decimal places"));
  EXPECT_THAT(complaint(replaced("\"input\": \"3\", ", "")), HasSubstr("lacks `input`"));
  EXPECT_THAT(complaint(replaced("\"note\"", "\"notes\"")), HasSubstr("unknown key `notes`"));
  EXPECT_THAT(complaint(replaced("\"input_tokens_above\": 200000, ", "")),
              HasSubstr("lacks `long.input_tokens_above`"));
  EXPECT_THAT(complaint(replaced("1000000", "0")), HasSubstr("`context` must be"));
  EXPECT_THAT(complaint(replaced("\"source\": \"s\", ", "")), HasSubstr("lacks `source`"));
  EXPECT_THAT(complaint(std::string(row) + "\n" + std::string(row)),
              HasSubstr("p/m stands there twice"));
  EXPECT_THAT(complaint(std::string(row) + "{}"), HasSubstr("more than one object"));
}

TEST(PriceBook, OfThisBuildKnowsTheWellKnownModels) {
  const auto book = PriceBook::embedded();
  const Model* const mini = book->find("openai", "gpt-4o-mini");
  ASSERT_NE(mini, nullptr);
  EXPECT_EQ(mini->price->input, *parse_usd_per_million("0.15"));
  EXPECT_EQ(mini->price->cached_input, *parse_usd_per_million("0.075"));
  EXPECT_EQ(mini->price->output, *parse_usd_per_million("0.6"));
  EXPECT_EQ(mini->context_tokens_max, 128'000);
  EXPECT_EQ(mini->output_tokens_max, 16'384);
  EXPECT_NE(book->find("openai", "gpt-4o-mini-2024-07-18"), nullptr);
  EXPECT_NE(book->find("openai", "text-embedding-3-small"), nullptr);
  EXPECT_NE(book->find("anthropic", "claude-sonnet-4-5"), nullptr);
  EXPECT_EQ(book->find("openai", "gpt-4o-mini "), nullptr);
  EXPECT_EQ(book->find("open", "ai"), nullptr);
}

TEST(PriceBook, HasNoRowForModelsThatSearchOrSpeakByThemselves) {
  const auto book = PriceBook::embedded();
  for (const std::string_view name : {"gpt-4o-search-preview", "gpt-4o-mini-search-preview",
                                      "o3-deep-research", "gpt-4o-realtime-preview", "whisper-1"}) {
    EXPECT_EQ(book->find("openai", name), nullptr) << name;
  }
}

TEST(PriceBook, EveryRowOfThisBuildIsCanonicalDatedAndPriced) {
  for (const Model& model : PriceBook::embedded()->models()) {
    const std::string name = model.provider + "/" + model.name;
    EXPECT_EQ(canonical_provider(model.provider), model.provider) << name;
    ASSERT_NE(model.price, nullptr) << name;
    EXPECT_THAT(model.price->source, testing::StartsWith("npm:")) << name;
    EXPECT_THAT(model.price->dated, testing::MatchesRegex("20[0-9][0-9]-[0-9][0-9]-[0-9][0-9]"))
        << name;
    // Nothing costs more than $2,000 per million tokens; a slip of the point would.
    EXPECT_LE(model.price->worst_input(), *parse_usd_per_million("2000")) << name;
    EXPECT_LE(model.price->output, *parse_usd_per_million("2000")) << name;
  }
}

TEST(Providers, HaveOneCanonicalName) {
  EXPECT_EQ(canonical_provider("gemini"), "google");
  EXPECT_EQ(canonical_provider("kimi"), "moonshotai");
  EXPECT_EQ(canonical_provider("bedrock"), "amazon-bedrock");
  EXPECT_EQ(canonical_provider("zai"), "z.ai");
  EXPECT_EQ(canonical_provider("x-ai"), "xai");
  EXPECT_EQ(canonical_provider("openai"), "openai");
  EXPECT_EQ(canonical_provider("my-own"), "my-own");
  EXPECT_EQ(canonical_provider(""), "");
}

}  // namespace
}  // namespace claviger::catalog

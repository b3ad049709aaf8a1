#include "catalog/price_book.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

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
    R"("context_tiers": [{"above": 200000, "input": "6", "cached_input": "0.6", )"
    R"("cache_write": "7.5", "cache_write_1h": "12", "output": "22.5"}], )"
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

exchange::UnitCounts one_search() {
  exchange::UnitCounts units;
  units[exchange::Unit::web_search] = 1;
  return units;
}

/// A price and a usage, at random, of every order of magnitude.
class RandomBills {
 public:
  explicit RandomBills(unsigned seed) : random_(seed) {}

  Price price() {
    Price price{};
    static_cast<RateCard&>(price) = card();
    if (coin())
      price.service_tiers.push_back({.tier = exchange::ServiceTier::priority, .rates = card()});
    if (coin())
      price.service_tiers.push_back({.tier = exchange::ServiceTier::batch, .rates = card()});
    if (coin()) price.regional_permille = 1000 + static_cast<std::int64_t>(random_() % 300);
    if (coin()) price.always.push_back({.unit = exchange::Unit::web_search, .count = 1});
    return price;
  }
  /// Within `bound`.
  Usage usage(const UsageBound& bound) {
    Usage usage;
    std::int64_t left = bound.input_tokens_max;
    const auto take = [&](std::int64_t& from) {
      const std::int64_t taken = from == 0 ? 0 : static_cast<std::int64_t>(random_()) % (from + 1);
      from -= taken;
      return taken;
    };
    usage.cached_input_tokens = take(left);
    if (bound.cache_writes != CacheWrites::none) usage.cache_write_tokens = take(left);
    if (bound.cache_writes == CacheWrites::any) usage.cache_write_1h_tokens = take(left);
    usage.input_tokens = coin() ? left : take(left);
    left = bound.output_tokens_max;
    usage.output_tokens = coin() ? left : take(left);
    left = usage.output_tokens;
    usage.reasoning_tokens = take(left);
    if (bound.output_content == OutputContent::any) {
      usage.audio_output_tokens = take(left);
      usage.image_output_tokens = take(left);
    }
    if (bound.input_content != InputContent::text) {
      left = usage.input_tokens;
      usage.audio_input_tokens = take(left);
      usage.image_input_tokens = take(left);
      left = usage.cached_input_tokens;
      usage.cached_audio_tokens = take(left);
      usage.cached_image_tokens = take(left);
    }
    for (std::size_t i = 0; i < exchange::units_count; ++i) {
      left = bound.units_max[static_cast<exchange::Unit>(i)];
      usage.units[static_cast<exchange::Unit>(i)] = take(left);
    }
    if (coin()) usage.service_tier = bound.service_tier;
    if (coin()) usage.geography = bound.geography;
    return usage;
  }
  UsageBound bound() {
    UsageBound bound{.input_tokens_max = tokens(), .output_tokens_max = tokens(), .units_max = {}};
    bound.input_content = coin() ? InputContent::text : InputContent::by_model;
    bound.output_content = coin() ? OutputContent::text : OutputContent::any;
    bound.cache_writes = static_cast<CacheWrites>(random_() % 3);
    if (coin()) bound.units_max[exchange::Unit::web_search] = tokens() % 10;
    if (coin()) bound.units_max[exchange::Unit::image] = tokens() % 10;
    bound.service_tier =
        static_cast<exchange::ServiceTier>(random_() % exchange::service_tiers_count);
    if (coin()) bound.geography = exchange::Geography::regional;
    return bound;
  }
  std::int64_t tokens() {
    return static_cast<std::int64_t>((random_() % 400'000) >> (random_() % 19));
  }
  NanoUsd money() { return NanoUsd(static_cast<std::int64_t>(random_() >> (1 + random_() % 40))); }

 private:
  RateCard card() {
    RateCard card;
    static_cast<TokenRates&>(card) = token_rates();
    card.per_request = rate();
    card.units.set(exchange::Unit::web_search, rate());
    card.units.set(exchange::Unit::image, rate());
    std::int64_t above = 0;
    for (unsigned tiers = random_() % 4; tiers > 0; --tiers) {
      above += 1 + static_cast<std::int64_t>(random_() % 150'000);
      card.context_tiers.push_back({above, token_rates()});
    }
    if (coin()) card.tier_reach = TierReach::excess_only;
    return card;
  }
  TokenRates token_rates() {
    TokenRates rates;
    for (PicoUsdPerUnit* one : {&rates.input, &rates.cached_input, &rates.cache_write,
                                &rates.cache_write_1h, &rates.output}) {
      *one = rate();
    }
    for (std::optional<PicoUsdPerUnit>* one :
         {&rates.reasoning, &rates.audio_input, &rates.cached_audio, &rates.audio_output,
          &rates.image_input, &rates.cached_image, &rates.image_output}) {
      if (coin()) *one = rate();
    }
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
  for (int i = 0; i < 30'000; ++i) {
    const Price price = bills.price();
    const UsageBound bound = bills.bound();
    const Usage usage = bills.usage(bound);
    ASSERT_LE(cost_of(usage, price), worst_cost(bound, price)) << i;
    UsageBound more = bound;
    more.input_tokens_max += bills.tokens() % 3;
    ASSERT_LE(worst_cost(bound, price), worst_cost(more, price)) << i;
  }
}

TEST(OutputWithin, NeverCostsMoreThanTheMoneyAndWastesNone) {
  constexpr unsigned seed = 7;
  SCOPED_TRACE(seed);
  RandomBills bills(seed);
  for (int i = 0; i < 30'000; ++i) {
    const Price price = bills.price();
    UsageBound bound = bills.bound();
    const NanoUsd money = bills.money();
    const std::int64_t tokens = output_tokens_within(money, bound, price);
    bound.output_tokens_max = 0;
    if (worst_cost(bound, price) > money) {
      ASSERT_EQ(tokens, 0) << i;
      continue;
    }
    bound.output_tokens_max = tokens;
    ASSERT_LE(worst_cost(bound, price), money) << i;
    if (tokens < std::numeric_limits<std::int64_t>::max()) {
      ++bound.output_tokens_max;
      ASSERT_GT(worst_cost(bound, price), money) << i;
    }
  }
}

TEST(Cost, ItsLinesAddUpToItExactly) {
  constexpr unsigned seed = 11;
  SCOPED_TRACE(seed);
  RandomBills bills(seed);
  for (int i = 0; i < 15'000; ++i) {
    const Price price = bills.price();
    const Usage usage = bills.usage(bills.bound());
    unsigned __int128 femtos = 0;
    for (const CostLine& line : lines_of(usage, price)) femtos += line.amount_femtos;
    const auto nanos = static_cast<std::int64_t>((femtos + 999'999) / 1'000'000);
    ASSERT_EQ(cost_of(usage, price), NanoUsd(nanos)) << i;
  }
}

/// The short way of plain text says what the long way says.
TEST(Cost, OfPlainTextIsTheSameOnBothWays) {
  constexpr unsigned seed = 13;
  SCOPED_TRACE(seed);
  RandomBills bills(seed);
  for (int i = 0; i < 15'000; ++i) {
    Price price = bills.price();
    price.reasoning.reset();
    for (ContextTier& tier : price.context_tiers) tier.rates.reasoning.reset();
    Usage usage = bills.usage(UsageBound{.input_tokens_max = bills.tokens(),
                                         .output_tokens_max = bills.tokens(),
                                         .input_content = InputContent::text,
                                         .output_content = OutputContent::text,
                                         .units_max = {}});
    const NanoUsd plain = cost_of(usage, price);
    price.daily.push_back({.window = {.weekdays = 0}, .rates = {}});  // Never, but looked at.
    ASSERT_EQ(cost_of(usage, price, WallTime{}), plain) << i;
  }
}

TEST(Cost, SaturatesAndNeverWraps) {
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  Price dear{};
  dear.input = dear.cached_input = dear.cache_write = dear.cache_write_1h = dear.output = {most};
  const Usage absurd{.input_tokens = most,
                     .cached_input_tokens = most,
                     .cache_write_tokens = most,
                     .cache_write_1h_tokens = most,
                     .output_tokens = most};
  EXPECT_EQ(cost_of(absurd, dear), NanoUsd::max());
  dear.regional_permille = 10'000;
  Usage regional = absurd;
  regional.geography = exchange::Geography::regional;
  EXPECT_EQ(cost_of(regional, dear), NanoUsd::max());
  EXPECT_EQ(worst_cost(most, most, dear), NanoUsd::max());
}

TEST(Cost, OfAnExcessIsAtItsTierAndTheRestAtTheFirst) {
  const auto book = PriceBook::parse(
      R"({"provider":"p","model":"m","input":"1","output":"10","tier_reach":"excess",)"
      R"("context_tiers":[{"above":1000,"input":"2","output":"20"},{"above":3000,"input":"4"}],)"
      R"("source":"s","dated":"2026-11-25"})");
  const Price& price = *only(book).price;
  // 1,000 at $1, 2,000 at $2, 1,000 at $4, and what comes out at the first tier's rate.
  EXPECT_EQ(to_decimal(cost_of(Usage{.input_tokens = 4000, .output_tokens = 10}, price)), "0.0091");
}

TEST(Cost, OfAMissingRateIsNamedAndNotZero) {
  const Usage searched{.input_tokens = 1, .units = one_search()};
  EXPECT_THAT(unpriced(searched, price()), testing::ElementsAre("web_search"));
  const Usage first{.input_tokens = 1, .service_tier = exchange::ServiceTier::priority};
  EXPECT_THAT(unpriced(first, price()), testing::ElementsAre("service_tier_priority"));
  // Batches are cheaper than what they are billed as here: no more than an upper bound.
  const Usage batch{.input_tokens = 1, .service_tier = exchange::ServiceTier::batch};
  EXPECT_THAT(unpriced(batch, price()), testing::IsEmpty());
  EXPECT_FALSE(is_exact(batch, price()));
  EXPECT_TRUE(is_exact(Usage{.input_tokens = 1}, price()));
}

WallTime at(std::string_view date, int hour, int minute) {
  const int year = std::stoi(std::string(date.substr(0, 4)));
  const unsigned month = static_cast<unsigned>(std::stoi(std::string(date.substr(5, 2))));
  const unsigned day = static_cast<unsigned>(std::stoi(std::string(date.substr(8, 2))));
  return std::chrono::sys_days(std::chrono::year(year) / month / day) + std::chrono::hours(hour) +
         std::chrono::minutes(minute);
}

TEST(Cost, FollowsTheTimeOfDay) {
  const auto book = PriceBook::parse(
      R"({"provider":"p","model":"m","input":"2","output":"4","daily":[{"from":"16:30",)"
      R"("until":"00:30","days":[1,2,3,4,5],"input":"1","output":"2"}],)"
      R"("source":"s","dated":"2026-11-25"})");
  const Price& price = *only(book).price;
  const Usage usage{.input_tokens = 1'000'000};
  EXPECT_EQ(cost_of(usage, price), dollars(2));
  EXPECT_FALSE(is_exact(usage, price));
  EXPECT_EQ(cost_of(usage, price, at("2026-11-25", 16, 29)), dollars(2));
  EXPECT_EQ(cost_of(usage, price, at("2026-11-25", 16, 30)), dollars(1));
  EXPECT_EQ(cost_of(usage, price, at("2026-11-26", 0, 29)), dollars(1));
  EXPECT_EQ(cost_of(usage, price, at("2026-11-28", 0, 29)), dollars(1));  // Friday's night.
  EXPECT_EQ(cost_of(usage, price, at("2026-11-28", 17, 0)), dollars(2));  // Saturday.
}

TEST(PriceBook, APriceChangesOnItsDay) {
  const auto line = [](const char* period, const char* input) {
    return fmt::format(R"({{"provider":"p","model":"m",{}"input":"{}",)"
                       R"("source":"s","dated":"2026-11-25"}})"
                       "\n",
                       period, input);
  };
  const std::string rows =
      line(R"("until":"2027-01-01",)", "1") + line(R"("from":"2027-01-01",)", "2");
  const auto book = PriceBook::parse(rows, at("2026-11-25", 0, 0));
  ASSERT_EQ(book->models().size(), 1U);
  const Model& model = only(book);
  EXPECT_EQ(model.price->input, PicoUsdPerUnit{1'000'000});
  EXPECT_EQ(model.price_at(at("2026-12-31", 23, 59))->input, PicoUsdPerUnit{1'000'000});
  EXPECT_EQ(model.price_at(at("2027-01-01", 0, 0))->input, PicoUsdPerUnit{2'000'000});
  EXPECT_THAT(complaint(line("", "1") + line(R"("from":"2027-01-01",)", "2")),
              HasSubstr("lines 1 and 2: p/m has two prices at the same time"));
}

TEST(ModelNames, MeanTheRowTheyShould) {
  const auto book = PriceBook::embedded();
  const auto found_row = [&](std::string_view provider, std::string_view name) {
    const FoundModel found = resolve_model(*book, provider, name);
    return found.model == nullptr ? std::string("none") : found.model->name;
  };
  EXPECT_EQ(found_row("gemini", "models/gemini-2.5-flash"), "gemini-2.5-flash");
  EXPECT_EQ(found_row("openai", "openai/gpt-4o-mini"), "gpt-4o-mini");
  EXPECT_EQ(found_row("openai", "GPT-4o-mini"), "gpt-4o-mini");
  EXPECT_EQ(found_row("openai", "gpt-4o-mini-2031-01-02"), "gpt-4o-mini");
  EXPECT_EQ(found_row("claude", "claude-sonnet-4-5@20250929"), "claude-sonnet-4-5");
  EXPECT_EQ(found_row("openrouter", "openai/gpt-4o:nitro"), "openai/gpt-4o");
  EXPECT_EQ(found_row("openrouter", "openai/gpt-4o:free"), "none");
  EXPECT_EQ(found_row("openai", "gpt-4o-mini-turbo"), "none");
  EXPECT_EQ(found_row("openai", "ft:gpt-4o-mini-2024-07-18:org::abc"), "ft:gpt-4o-mini-2024-07-18");
  EXPECT_EQ(found_row("bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0");
  EXPECT_EQ(found_row("bedrock", "sa.amazon.nova-lite-v1:0"), "none");
  EXPECT_EQ(found_row("bedrock", "us.anthropic.claude-3-haiku-20240307-v1:0"),
            "regional.anthropic.claude-3-haiku-20240307-v1:0");
}

TEST(PriceBook, AnAbsentRateIsTheRateThatApplies) {
  const auto book = PriceBook::parse(
      R"({"provider":"p","model":"e","input":"0.02","source":"s","dated":"2026-11-25"})");
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
              HasSubstr("prices.jsonl, line 2: is not one JSON object"));
  EXPECT_THAT(complaint(replaced("\"input\": \"3\"", "\"input\": 3")),
              HasSubstr("`input` must be a string"));
  EXPECT_THAT(complaint(replaced("\"3\"", "\"-3\"")), HasSubstr("`input` is negative"));
  EXPECT_THAT(complaint(replaced("\"3\"", "\"0.0000001\"")), HasSubstr("more decimal places"));
  EXPECT_THAT(complaint(replaced("\"input\": \"3\", ", "")), HasSubstr("lacks `input`"));
  EXPECT_THAT(complaint(replaced("\"note\"", "\"notes\"")), HasSubstr("unknown key `notes`"));
  EXPECT_THAT(complaint(replaced("\"above\": 200000, ", "")),
              HasSubstr("lacks `above` in `context_tiers`"));
  EXPECT_THAT(complaint(replaced("1000000", "0")), HasSubstr("`context` must be"));
  EXPECT_THAT(complaint(replaced("\"source\": \"s\", ", "")), HasSubstr("lacks `source`"));
  EXPECT_THAT(complaint(std::string(row) + "\n" + std::string(row)),
              HasSubstr("lines 1 and 2: p/m stands there twice"));
  EXPECT_THAT(complaint(std::string(row) + "{}"), HasSubstr("is not one JSON object"));
  EXPECT_THAT(complaint(replaced("\"note\": \"n\"", "\"input\": \"4\"")),
              HasSubstr("has the key `input` twice"));
  EXPECT_THAT(complaint(replaced("\"note\"", "\"batch\": {\"inptu\": \"1\"}, \"note\"")),
              HasSubstr("unknown key `batch.inptu`"));
  EXPECT_THAT(complaint(replaced("\"note\"", "\"pieces\": {\"serach\": \"1\"}, \"note\"")),
              HasSubstr("unknown key `pieces.serach`"));
  EXPECT_THAT(complaint(replaced("\"note\"", "\"always\": {\"web_search\": 1}, \"note\"")),
              HasSubstr("`always.web_search` but no `pieces.web_search`"));
  EXPECT_THAT(complaint(replaced("\"note\"", "\"regional\": \"0.9\", \"note\"")),
              HasSubstr("`regional` must be a factor"));
  EXPECT_THAT(complaint(replaced("\"3\"", "\"3000000000\"")), HasSubstr("too large"));
  EXPECT_THAT(complaint(replaced("2026-09-23", "2026-02-30")), HasSubstr("`dated` must be a date"));
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

TEST(PriceBook, OfThisBuildBoundsNoRequestThatNothingBounds) {
  const auto book = PriceBook::embedded();
  EXPECT_EQ(worst_cost(10, 10, *book->find("openai", "o3-deep-research")->price), NanoUsd::max());
  EXPECT_EQ(worst_cost(10, 10, *book->find("openai", "whisper-1")->price), NanoUsd::max());
  // Each request of these comes with a search, which a hold has to pay too.
  const Price& search = *book->find("openai", "gpt-4o-search-preview")->price;
  EXPECT_GE(worst_cost(0, 0, search), cost_of(Usage{.units = one_search()}, search));
  EXPECT_GT(worst_cost(0, 0, search), NanoUsd(0));
}

TEST(PriceBook, EveryRowOfThisBuildIsCanonicalDatedAndPriced) {
  for (const Model& model : PriceBook::embedded()->models()) {
    const std::string name = model.provider + "/" + model.name;
    EXPECT_EQ(canonical_provider(model.provider), model.provider) << name;
    if (model.price == nullptr) continue;  // Its period is over, or has not begun.
    EXPECT_THAT(model.price->source,
                testing::AnyOf(testing::StartsWith("npm:"), testing::StartsWith("pypi:"),
                               testing::StartsWith("models.dev")))
        << name;
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
  EXPECT_EQ(canonical_provider("dashscope"), "alibaba");
  EXPECT_EQ(canonical_provider("vertex_ai"), "google-vertex");
  EXPECT_EQ(canonical_provider("openai"), "openai");
  EXPECT_EQ(canonical_provider("my-own"), "my-own");
  EXPECT_EQ(canonical_provider(""), "");
}

}  // namespace
}  // namespace claviger::catalog

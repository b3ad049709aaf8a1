/// Golden tests: testdata/usage_cases.jsonl has an answer of every dialect as its provider
/// documents it (`source`), what Claviger reads from it, and what the documented prices (`row`)
/// make of it by the provider's own arithmetic.

#include "provider/usage_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iostream>
#include <random>
#include <sstream>

#include "catalog/price_book.h"
#include "exchange/json_tree.h"

namespace claviger::provider {
namespace {

using exchange::JsonNode;
using exchange::JsonTree;
using exchange::Unit;
using exchange::Usage;

std::vector<std::string> cases() {
  std::ifstream file(CLAVIGER_PROVIDER_TESTDATA "/usage_cases.jsonl");
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

Usage expected(const JsonNode& golden) {
  Usage usage;
  const JsonNode tokens = golden["tokens"];
  const auto count = [&](std::string_view key) { return tokens[key].integer().value_or(0); };
  usage.input_tokens = count("input");
  usage.cached_input_tokens = count("cached_input");
  usage.cache_write_tokens = count("cache_write");
  usage.cache_write_1h_tokens = count("cache_write_1h");
  usage.output_tokens = count("output");
  usage.reasoning_tokens = count("reasoning");
  usage.audio_input_tokens = count("audio_input");
  usage.cached_audio_tokens = count("cached_audio");
  usage.audio_output_tokens = count("audio_output");
  usage.image_input_tokens = count("image_input");
  usage.image_output_tokens = count("image_output");
  for (const JsonNode& piece : golden["pieces"]) {
    usage.units[exchange::unit_of(piece.key()).value()] = piece.integer().value();
  }
  return usage;
}

UsageReader reader_of(const JsonNode& golden) {
  UsageReader reader({.provider = golden["provider"].text(), .model = golden["model"].text()});
  const JsonNode body = golden["body"];
  reader.read_recorded(body.is_string() ? body.text() : body.raw());
  return reader;
}

UsageState state_of(std::string_view word) {
  if (word == "absent") return UsageState::absent;
  return word == "sound" ? UsageState::sound : UsageState::impossible;
}

TEST(UsageReader, ReadsWhatEveryDialectDocuments) {
  ASSERT_GT(cases().size(), 40U);
  for (const std::string& line : cases()) {
    JsonTree tree;
    ASSERT_TRUE(tree.read(line)) << line;
    const JsonNode golden = tree.root();
    SCOPED_TRACE(golden["name"].text());
    const UsageReader reader = reader_of(golden);
    ASSERT_EQ(reader.state(), state_of(golden["state"].text()));
    if (reader.state() != UsageState::sound) continue;
    Usage usage = reader.usage();
    const std::string stated = usage.stated_cost ? to_decimal(*usage.stated_cost) : "";
    EXPECT_EQ(stated, golden["stated_cost_usd"].text());
    const auto row = catalog::PriceBook::parse(golden["row"].raw());
    EXPECT_EQ(to_decimal(cost_of(usage, *row->models().at(0).price)), golden["cost_usd"].text());
    EXPECT_THAT(catalog::unpriced(usage, *row->models().at(0).price), testing::IsEmpty());
    usage.stated_cost.reset();
    usage.service_tier = exchange::ServiceTier::standard;
    usage.geography = exchange::Geography::anywhere;
    EXPECT_EQ(usage, expected(golden));
  }
}

/// Whatever chunks a stream comes in, and however often an event comes again, the usage is the
/// same.
TEST(UsageReader, EventsThatComeAgainOrOneByOneChangeNothing) {
  constexpr unsigned seed = 20261125;
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  for (const std::string& line : cases()) {
    JsonTree tree;
    ASSERT_TRUE(tree.read(line));
    const JsonNode golden = tree.root();
    if (golden["state"].text() != "sound") continue;
    SCOPED_TRACE(golden["name"].text());
    UsageReader again = reader_of(golden);
    const Usage once = again.usage();
    const JsonNode body = golden["body"];
    const std::size_t times = 1 + random() % 3;
    for (std::size_t i = 0; i < times; ++i) {
      again.read_recorded(body.is_string() ? body.text() : body.raw());
    }
    EXPECT_EQ(again.usage(), once);
  }
}

TEST(UsageReader, WhatSaysNothingIsNothing) {
  UsageReader reader({.provider = "perplexity", .model = "sonar"});
  reader.read_recorded("{\"usage\": {}}");
  EXPECT_EQ(reader.state(), UsageState::absent);
  EXPECT_EQ(reader.usage(), Usage{});
}

TEST(UsageReader, AUsageObjectAloneIsEnough) {
  UsageReader reader({.provider = "anthropic", .model = "claude-sonnet-4-5"});
  reader.read(R"({"input_tokens": 10, "cache_read_input_tokens": 5, "output_tokens": 3})");
  EXPECT_EQ(reader.usage(),
            (Usage{.input_tokens = 10, .cached_input_tokens = 5, .output_tokens = 3}));
}

/// Objects of every known count and of what is known otherwise, and of broken numbers.
std::string random_usage_object(std::mt19937_64& random, int depth = 0) {
  static constexpr std::string_view others[] = {
      "seconds",      "cost",         "cost_in_usd_ticks", "tokens",
      "billed_units", "service_tier", "new_thing",         ""};
  static constexpr std::string_view values[] = {
      "null", "-1", "1.5", "2.0", "01", "1e3", "true", "\"x\"", "[]", "999999999999999999999", "{"};
  std::string json = "{";
  const std::size_t fields = random() % 6;
  for (std::size_t i = 0; i < fields; ++i) {
    if (i > 0) json += random() % 3 == 0 ? " , " : ",";
    // A path's part, so that nested names are met: "prompt_tokens_details.cached_tokens".
    std::string_view name = count_names[random() % std::size(count_names)].path;
    const std::size_t dot = name.find('.');
    if (dot != std::string_view::npos)
      name = depth == 0 ? name.substr(0, dot) : name.substr(dot + 1);
    if (random() % 8 == 0) name = others[random() % std::size(others)];
    json += '"' + std::string(name) + "\":";
    const auto what = random() % 16;
    if (what < 4 && depth < 6) {
      json += random_usage_object(random, depth + 1);
    } else if (what == 4 && random() % 4 == 0) {
      json += values[random() % std::size(values)];
    } else {
      json += std::to_string(random() >> (random() % 64 | 8));
    }
  }
  return json + "}";
}

TEST(UsageReader, TheShortWaySaysWhatTheLongOneSays) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  int plain_ones = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::string json = random_usage_object(random);
    UsageReader plain({});
    if (!plain.read_plain_usage(json)) {
      EXPECT_EQ(plain.state(), UsageState::absent) << json;
      continue;
    }
    ++plain_ones;
    JsonTree tree;
    ASSERT_TRUE(tree.read(json)) << json;
    UsageReader whole({});
    whole.read_usage(tree.root());
    ASSERT_EQ(plain.state(), whole.state()) << json;
    ASSERT_EQ(plain.usage(), whole.usage()) << json;
  }
  EXPECT_GT(plain_ones, 2'000);
}

TEST(UsageReader, WhatIsMoreThanCountsDoesNotGoTheShortWay) {
  const auto is_plain = [](std::string_view json) {
    return UsageReader({}).read_plain_usage(json);
  };
  EXPECT_TRUE(is_plain(R"( {"prompt_tokens": 3, "x": {"y": null}, "total_tokens": 0} )"));
  for (const std::string_view json :
       {R"({"cost": 1})", R"({"tokens": {}})", R"({"seconds": 3})", R"({"prompt_tokens": 1.0})",
        R"({"prompt_tokens": -1})", R"({"prompt_tokens": 01})", R"({"prompt_tokens": 1} x)",
        R"({"prompt_tokens": 1,})", R"({"prompt_tokens" 1})", R"({"prompt\u005ftokens": 1})",
        R"({"prompt_tokens": 1)", R"([1])", R"({"a": [1]})", R"({"a": "b"})", "", "{", R"({"a)"}) {
    EXPECT_FALSE(is_plain(json)) << json;
  }
}

TEST(UsageReader, PartsAreNeverLargerThanTheirWhole) {
  constexpr unsigned seed = 7;
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  const auto count = [&] { return static_cast<std::int64_t>(random() >> (random() % 64)); };
  for (int i = 0; i < 5'000; ++i) {
    std::ostringstream json;
    json << R"({"prompt_tokens": )" << count() << R"(, "completion_tokens": )" << count()
         << R"(, "prompt_tokens_details": {"cached_tokens": )" << count()
         << R"(, "cache_write_tokens": )" << count() << R"(, "audio_tokens": )" << count()
         << R"(, "image_tokens": )" << count()
         << R"(}, "completion_tokens_details": {"reasoning_tokens": )" << count()
         << R"(, "audio_tokens": )" << count() << "}}";
    UsageReader reader({});
    reader.read(json.str());
    ASSERT_NE(reader.state(), UsageState::absent);
    const Usage usage = reader.usage();
    ASSERT_GE(usage.input_tokens, 0);
    ASSERT_LE(usage.audio_input_tokens + usage.image_input_tokens, usage.input_tokens);
    ASSERT_LE(usage.reasoning_tokens + usage.audio_output_tokens, usage.output_tokens);
    ASSERT_LE(usage.output_tokens, exchange::count_max);
    ASSERT_LE(usage.total_input_tokens(), exchange::count_max);
  }
}

}  // namespace
}  // namespace claviger::provider

#include "provider/openai_adapter.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <deque>

#include "exchange/json_edit.h"

namespace claviger::provider {
namespace {

using exchange::Operation;
using exchange::Request;
using exchange::Span;

/// A request with the places that a dialect's reader would have found.
Request request_of(std::string_view body) {
  static std::deque<std::string> bodies;
  Request request;
  request.body = bodies.emplace_back(body);
  auto& places = request.places;
  places.after_open_brace = body.find('{') + 1;
  places.model_value = exchange::find_value(body, "model");
  places.output_max_value = exchange::find_value(body, "max_completion_tokens");
  places.output_max_legacy_value = exchange::find_value(body, "max_tokens");
  places.stream_options_value = exchange::find_value(body, "stream_options");
  const Span include =
      exchange::find_value(exchange::at(body, places.stream_options_value), "include_usage");
  if (!include.empty()) {
    places.include_usage_value = {.begin = include.begin + places.stream_options_value.begin,
                                  .end = include.end + places.stream_options_value.begin};
  }
  const Span stream = exchange::find_value(body, "stream");
  if (exchange::at(body, stream) == "true") request.delivery = exchange::Delivery::streamed;
  return request;
}

Profile profile() {
  Profile profile;
  profile.chat_path = "/chat/completions";
  profile.embeddings_path = "/embeddings";
  profile.output_max_field = "max_completion_tokens";
  profile.both_output_max_fields_bind = true;
  return profile;
}

Profile legacy_profile() {
  Profile profile;
  profile.output_max_field = "max_tokens";
  return profile;
}

std::string written(const Profile& profile, std::string_view body, const Edits& edits) {
  std::string out = "head:";
  adapter_for(exchange::DialectId::openai)->write_body(profile, request_of(body), edits, out);
  EXPECT_TRUE(out.starts_with("head:"));
  return out.substr(5);
}

TEST(OpenAiAdapter, ChangesTheModelAndNoOtherByte) {
  EXPECT_EQ(
      written(profile(), "\n{ \"x\" : [1.50e+3, \"\\u00e9\"],\t\"model\" : \"a\\/b\" ,\"y\":{}}\n ",
              {.model = "gpt \"4\""}),
      "\n{ \"x\" : [1.50e+3, \"\\u00e9\"],\t\"model\" : \"gpt \\\"4\\\"\" ,\"y\":{}}\n ");
}

TEST(OpenAiAdapter, WritesTheBoundToEveryPresentSpelling) {
  EXPECT_EQ(written(profile(), R"({"max_tokens":900,"model":"m","max_completion_tokens": 700 })",
                    {.model = "m", .output_tokens_max = 256}),
            R"({"max_tokens":256,"model":"m","max_completion_tokens": 256 })");
}

TEST(OpenAiAdapter, AddsTheBoundWhereTheCallerGaveNone) {
  EXPECT_EQ(written(profile(), R"({"model":"m"})", {.model = "m", .output_tokens_max = 256}),
            R"({"max_completion_tokens":256,"model":"m"})");
  EXPECT_EQ(written(legacy_profile(), R"({"model":"m"})", {.model = "m", .output_tokens_max = 9}),
            R"({"max_tokens":9,"model":"m"})");
}

TEST(OpenAiAdapter, AddsTheBoundThatBindsWhereTheCallersDoesNot) {
  EXPECT_EQ(written(legacy_profile(), R"({"model":"m","max_completion_tokens":700})",
                    {.model = "m", .output_tokens_max = 256}),
            R"({"max_tokens":256,"model":"m","max_completion_tokens":256})");
}

TEST(OpenAiAdapter, NeverSendsOpenAiBothNamesOfItsOwnAccord) {
  EXPECT_EQ(written(profile(), R"({"model":"m","max_tokens":700})",
                    {.model = "m", .output_tokens_max = 256}),
            R"({"model":"m","max_tokens":256})");
}

TEST(OpenAiAdapter, FillsANullInsteadOfWritingAKeyTwice) {
  EXPECT_EQ(written(profile(), R"({"max_completion_tokens":null,"model":"m","max_tokens":null})",
                    {.model = "m", .output_tokens_max = 256}),
            R"({"max_completion_tokens":256,"model":"m","max_tokens":null})");
  EXPECT_EQ(written(profile(), R"({"model":"m","max_tokens":5,"max_completion_tokens":null})",
                    {.model = "m", .output_tokens_max = 4}),
            R"({"model":"m","max_tokens":4,"max_completion_tokens":null})");
}

TEST(OpenAiAdapter, AsksForUsageInStreams) {
  const auto streamed = [](std::string_view options) {
    return written(profile(), R"({"model":"m","stream":true)" + std::string(options) + "}",
                   {.model = "m"});
  };
  EXPECT_EQ(streamed(""), R"({"stream_options":{"include_usage":true},"model":"m","stream":true})");
  EXPECT_EQ(streamed(R"(,"stream_options":null)"),
            R"({"model":"m","stream":true,"stream_options":{"include_usage":true}})");
  EXPECT_EQ(streamed(R"(,"stream_options":{ })"),
            R"({"model":"m","stream":true,"stream_options":{"include_usage":true }})");
  EXPECT_EQ(
      streamed(R"(,"stream_options":{"include_obfuscation":false})"),
      R"({"model":"m","stream":true,"stream_options":{"include_usage":true,"include_obfuscation":false}})");
  EXPECT_EQ(streamed(R"(,"stream_options":{"a":1,"include_usage" : false })"),
            R"({"model":"m","stream":true,"stream_options":{"a":1,"include_usage" : true }})");
  EXPECT_EQ(streamed(R"(,"stream_options":{"include_usage":true})"),
            R"({"model":"m","stream":true,"stream_options":{"include_usage":true}})");
}

TEST(OpenAiAdapter, DoesNotAskWhereTheProviderWouldRefuse) {
  Profile strict = profile();
  strict.takes_stream_usage = false;
  const std::string_view body = R"({"model":"m","stream":true})";
  EXPECT_EQ(written(strict, body, {.model = "m"}), body);
  const std::string_view whole = R"({"model":"m","stream":false})";
  EXPECT_EQ(written(profile(), whole, {.model = "m"}), whole);
}

TEST(OpenAiAdapter, CapsThePriceWhereTheProviderChoosesWhoServes) {
  Profile aggregator = profile();
  aggregator.price_cap = PriceCapForm::openrouter;
  const Edits edits{.model = "m",
                    .price_cap = PriceCap{.input = {150'000}, .output = {12'000'001}}};
  EXPECT_EQ(written(aggregator, R"({"model":"m"})", edits),
            R"({"provider":{"max_price":{"prompt":0.150000,"completion":12.000001}},"model":"m"})");
  EXPECT_EQ(written(profile(), R"({"model":"m"})", edits), R"({"model":"m"})");

  Request request = request_of(R"({"provider":{"only":["x"]},"model":"m"})");
  request.unknown_fields = {"provider"};
  std::string out;
  OpenAiAdapter().write_body(aggregator, request, edits, out);
  EXPECT_EQ(out, request.body);
}

TEST(OpenAiAdapter, AnEmbeddingHasNoOutputToBound) {
  Request request = request_of(R"({"model":"m","input":"x"})");
  request.operation = Operation::embeddings;
  std::string out;
  OpenAiAdapter().write_body(profile(), request, {.model = "e", .output_tokens_max = 5}, out);
  EXPECT_EQ(out, R"({"model":"e","input":"x"})");
}

TEST(OpenAiAdapter, KnowsWhereToGo) {
  Request request;
  EXPECT_EQ(OpenAiAdapter().path(profile(), request, "m"), "/chat/completions");
  request.operation = Operation::embeddings;
  EXPECT_EQ(OpenAiAdapter().path(profile(), request, "m"), "/embeddings");
  EXPECT_EQ(OpenAiAdapter().path(legacy_profile(), request, "m"), "");
}

TEST(Adapters, AreThereForTheDialectsOfThisBuild) {
  EXPECT_NE(adapter_for(exchange::DialectId::openai), nullptr);
  EXPECT_NE(adapter_for(exchange::DialectId::anthropic), nullptr);
}

}  // namespace
}  // namespace claviger::provider

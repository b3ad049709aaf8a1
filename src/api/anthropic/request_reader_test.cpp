#include "api/anthropic/request_reader.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace claviger::api::anthropic {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// Padded as the reader asks for; lives for the rest of the test.
class AnthropicRequest : public ::testing::Test {
 protected:
  std::expected<exchange::Request, exchange::BadRequest> read(std::string_view fields) {
    body_ = fmt::format(
        R"({{"model":"m","max_tokens":50,"messages":[{{"role":"user","content":"hi"}}],{}}})",
        fields);
    const std::size_t length = body_.size();
    body_.append(64, '\0');
    return read_request(exchange::Operation::chat, std::string_view(body_).substr(0, length));
  }
  exchange::Request good(std::string_view fields) {
    auto request = read(fields);
    EXPECT_TRUE(request) << request.error().message;
    return request ? std::move(*request) : exchange::Request{};
  }

  std::string body_;
};

TEST_F(AnthropicRequest, SearchesAreBoundedByTheirUses) {
  const auto request = good(
      R"("tools":[{"type":"web_search_20250305","name":"web_search","max_uses":3},{"name":"mine","input_schema":{}}])");
  EXPECT_THAT(request.unbounded_fields, IsEmpty());
  EXPECT_EQ(request.extras.units_max[exchange::Unit::web_search], 3);
  EXPECT_THAT(
      request.extras.priced_fields,
      ElementsAre(exchange::PricedField{"tools.web_search_20250305", exchange::Unit::web_search}));
  EXPECT_GT(request.extras.rounds_max, 3);
}

TEST_F(AnthropicRequest, PagesThatAreFetchedCostWhatIsReadAndNoMore) {
  const auto request =
      good(R"("tools":[{"type":"web_fetch_20250910","name":"web_fetch","max_uses":2}])");
  EXPECT_THAT(request.unbounded_fields, IsEmpty());
  EXPECT_THAT(request.extras.priced_fields, IsEmpty());
  EXPECT_GT(request.extras.rounds_max, 1);
}

TEST_F(AnthropicRequest, WhatTheProviderRunsWithoutABoundIsNamed) {
  EXPECT_THAT(
      good(R"("tools":[{"type":"web_search_20250305","name":"web_search"}])").unbounded_fields,
      ElementsAre("tools.web_search_20250305 without max_uses"));
  EXPECT_THAT(good(R"("tools":[{"type":"code_execution_20250825","name":"c","max_uses":1}])")
                  .unbounded_fields,
              ElementsAre("tools.code_execution_20250825"));
  EXPECT_THAT(good(R"("mcp_servers":[{}])").unbounded_fields, ElementsAre("mcp_servers"));
  EXPECT_EQ(
      read(R"("tools":[{"type":"web_search_20250305","name":"w","max_uses":-1}])").error().field,
      "tools.max_uses");
}

TEST_F(AnthropicRequest, WhoDoesNotSayWhereMayBeServedWhereItCostsMore) {
  using exchange::Geography;
  EXPECT_EQ(good(R"("top_k":1)").extras.geography, Geography::regional);
  EXPECT_EQ(good(R"("inference_geo":"us")").extras.geography, Geography::regional);
  EXPECT_EQ(good(R"("inference_geo":"global")").extras.geography, Geography::anywhere);
  EXPECT_THAT(good(R"("inference_geo":"moon")").unbounded_fields, ElementsAre("inference_geo"));
}

TEST_F(AnthropicRequest, FastModeHasAPriceOfItsOwn) {
  const auto request = good(R"("speed":"fast")");
  EXPECT_EQ(request.extras.service_tier, exchange::ServiceTier::fast);
  EXPECT_THAT(request.extras.priced_fields,
              ElementsAre(exchange::PricedField{"speed", exchange::ServiceTier::fast}));
  EXPECT_THAT(good(R"("speed":"standard")").extras.priced_fields, IsEmpty());
}

}  // namespace
}  // namespace claviger::api::anthropic

#include "provider/anthropic/anthropic_adapter.h"

#include <gtest/gtest.h>

namespace claviger::provider {
namespace {

using exchange::Unit;

TEST(AnthropicAdapter, SearchesAndWhereItRanAreReadWithTheTokens) {
  const auto reading = AnthropicAdapter().read_answer(
      exchange::Operation::chat,
      R"({"type":"message","stop_reason":"end_turn","usage":{"input_tokens":105,"output_tokens":60,"cache_read_input_tokens":7123,"cache_creation_input_tokens":7345,"cache_creation":{"ephemeral_5m_input_tokens":345,"ephemeral_1h_input_tokens":7000},"server_tool_use":{"web_search_requests":2},"service_tier":"priority","inference_geo":"us"}})");
  ASSERT_EQ(reading.usage_state, UsageState::sound);
  EXPECT_EQ(reading.usage.input_tokens, 105);
  EXPECT_EQ(reading.usage.cached_input_tokens, 7123);
  EXPECT_EQ(reading.usage.cache_write_tokens, 345);
  EXPECT_EQ(reading.usage.cache_write_1h_tokens, 7000);
  EXPECT_EQ(reading.usage.output_tokens, 60);
  EXPECT_EQ(reading.usage.units[Unit::web_search], 2);
  EXPECT_EQ(reading.usage.geography, exchange::Geography::regional);
  // Paid for ahead, at the list price.
  EXPECT_EQ(reading.usage.service_tier, exchange::ServiceTier::standard);
}

TEST(AnthropicAdapter, ALaterTotalOfWritesDoesNotCountAnHoursWritesTwice) {
  const AnthropicAdapter adapter;
  const auto start = adapter.read_event(
      R"({"type":"message_start","message":{"usage":{"input_tokens":10,"output_tokens":1,"cache_creation_input_tokens":900,"cache_creation":{"ephemeral_5m_input_tokens":100,"ephemeral_1h_input_tokens":800}}}})",
      {});
  ASSERT_EQ(start.usage_state, UsageState::sound);
  const auto end = adapter.read_event(
      R"({"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"input_tokens":10,"cache_creation_input_tokens":900,"output_tokens":50,"server_tool_use":{"web_search_requests":1}}})",
      start.usage);
  EXPECT_EQ(end.usage.cache_write_1h_tokens, 800);
  EXPECT_EQ(end.usage.cache_write_tokens, 100);
  EXPECT_EQ(end.usage.input_tokens, 10);
  EXPECT_EQ(end.usage.output_tokens, 50);
  EXPECT_EQ(end.usage.units[Unit::web_search], 1);
}

TEST(AnthropicAdapter, AbsurdUsageIsImpossible) {
  for (const char* const body :
       {R"({"usage":{"input_tokens":-1,"output_tokens":1}})",
        R"({"usage":{"input_tokens":1,"output_tokens":1.5}})",
        R"({"usage":{"input_tokens":1,"output_tokens":9007199254740993}})"}) {
    EXPECT_EQ(AnthropicAdapter().read_answer(exchange::Operation::chat, body).usage_state,
              UsageState::impossible)
        << body;
  }
}

}  // namespace
}  // namespace claviger::provider

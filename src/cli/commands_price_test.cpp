#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "cli/commands.h"
#include "exchange/json_tree.h"

namespace claviger::cli {
namespace {

using ::testing::HasSubstr;

/// The batch command over a file of its own; lines as they came out.
class PriceBatch : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/claviger-price-XXXXXX";
    const int file = mkstemp(name);
    ASSERT_GE(file, 0);
    close(file);
    path_ = name;
  }
  void TearDown() override { unlink(path_.c_str()); }

  std::vector<std::string> run(const std::string& cases) {
    std::ofstream(path_) << cases;
    Arguments arguments;
    arguments.batch_file = path_;
    const SystemClock clock;
    const Hooks hooks;
    Session session(clock, {}, true, hooks);
    testing::internal::CaptureStdout();
    const auto outcome = price_answer(session, arguments);
    std::fflush(stdout);
    std::istringstream out(testing::internal::GetCapturedStdout());
    status_ = outcome ? 0 : outcome.error().status;
    std::vector<std::string> lines;
    for (std::string line; std::getline(out, line);) lines.push_back(line);
    return lines;
  }

  std::string path_;
  int status_ = -1;
};

TEST_F(PriceBatch, AnswersEveryLineInOrderAndFailsWhereOneIsBad) {
  const auto lines = run(
      R"({"id": "a", "provider": "openai", "model": "gpt-4o-mini", "dialect": "openai", )"
      R"("body": {"usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100, )"
      R"("prompt_tokens_details": {"cached_tokens": 400}}}})"
      "\nnot JSON\n"
      R"({"id": 7, "provider": "nobody", "model": "x", "body": {"usage": {"prompt_tokens": 1}}})"
      "\n"
      R"({"id": [1], "provider": "claude", "model": "claude-sonnet-4-5", "body": "data: )"
      R"({\"type\": \"message_delta\", \"usage\": {\"input_tokens\": 10, \"output_tokens\": 2}}"})"
      "\n");
  ASSERT_EQ(lines.size(), 4U);
  EXPECT_EQ(status_, kRefused);
  // 600 at $0.15, 400 at $0.075 and 100 at $0.60 per million.
  EXPECT_THAT(lines[0], testing::StartsWith(R"({"id":"a",)"));
  EXPECT_THAT(lines[0], HasSubstr(R"("cost_usd":"0.00018")"));
  EXPECT_THAT(lines[0], HasSubstr(R"("input":600,"cached_input":400)"));
  EXPECT_THAT(lines[0], HasSubstr(R"("price_rows":[{"model":"openai/gpt-4o-mini")"));
  EXPECT_THAT(lines[1], HasSubstr(R"("error":)"));
  EXPECT_THAT(lines[2], testing::StartsWith(R"({"id":7,"error":)"));
  EXPECT_THAT(lines[3], HasSubstr(R"("cost_usd":"0.00006")"));
  for (const std::string& line : lines) {
    exchange::JsonTree tree;
    EXPECT_TRUE(tree.read(line)) << line;
  }
}

TEST_F(PriceBatch, AllGoodIsZero) {
  const auto lines = run(R"({"provider": "gemini", "model": "models/gemini-2.5-flash", "body": )"
                         R"({"usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 1, )"
                         R"("thoughtsTokenCount": 2}}})");
  EXPECT_EQ(status_, 0);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_THAT(lines[0], HasSubstr(R"("reasoning":2)"));
}

TEST_F(PriceBatch, WhatHasNoRateOrCannotBeIsAnErrorAndNotZero) {
  const auto lines = run(
      R"({"provider": "openai", "model": "gpt-4o-mini", "body": {"usage": {"prompt_tokens": -1}}})"
      "\n"
      R"({"provider": "openai", "model": "o1-mini", "body": {"service_tier": "priority", )"
      R"("usage": {"prompt_tokens": 1, "completion_tokens": 1}}})"
      "\n"
      R"({"provider": "openai", "model": "gpt-4o-mini", "body": {"choices": []}})"
      "\n");
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(status_, kRefused);
  EXPECT_THAT(lines[0], HasSubstr("impossible"));
  EXPECT_THAT(lines[1], HasSubstr("service_tier_priority"));
  EXPECT_THAT(lines[2], HasSubstr("no usage"));
}

}  // namespace
}  // namespace claviger::cli

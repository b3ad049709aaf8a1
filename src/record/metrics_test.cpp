#include "record/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "record/exposition.h"

namespace claviger::record {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Metrics::Build build() {
  return {.version = "0.1.0", .revision = "abc"};
}

Record chat(int status = 200) {
  Record record;
  record.operation = "chat";
  record.model = "openai/gpt-4o-mini";
  record.status = status;
  return record;
}

TEST(Metrics, CountsRequestsByOperationProviderAndClass) {
  Metrics metrics(build());
  metrics.count(chat(200));
  metrics.count(chat(204));
  metrics.count(chat(429));
  metrics.count(chat(0));

  const std::string page = metrics.render();
  const std::string series = "claviger_requests_total{operation=\"chat\",provider=\"openai\",";
  EXPECT_THAT(page, HasSubstr(series + "status_class=\"2xx\"} 2\n"));
  EXPECT_THAT(page, HasSubstr(series + "status_class=\"4xx\"} 1\n"));
  EXPECT_THAT(page, HasSubstr(series + "status_class=\"none\"} 1\n"));
}

TEST(Metrics, RequestsThatNeverFoundAProviderAreCountedToo) {
  Metrics metrics(build());
  Record record = chat(401);
  record.model = "";
  record.model_asked = "whatever/a-stranger-asks-for";
  metrics.count(record);
  EXPECT_THAT(metrics.render(), HasSubstr("provider=\"none\",status_class=\"4xx\"} 1\n"));
  EXPECT_THAT(metrics.render(), Not(HasSubstr("whatever")));
}

TEST(Metrics, AddsUpMoneyExactly) {
  Metrics metrics(build());
  Record record = chat();
  record.cost = NanoUsd(1);
  metrics.count(record);
  record.cost = dollars(3'000'000'000) + NanoUsd(1);
  for (int i = 0; i < 4; ++i) metrics.count(record);
  EXPECT_THAT(metrics.render(),
              HasSubstr("claviger_cost_usd_total{provider=\"openai\"} 12000000000.000000005\n"));
}

TEST(Metrics, AnImpossibleNumberCannotTurnACounterBack) {
  Metrics metrics(build());
  Record record = chat();
  record.cost = cents(5);
  record.usage.input_tokens = 10;
  metrics.count(record);
  record.cost = cents(-5);
  record.usage.input_tokens = -10;
  record.usage.output_tokens = -1;
  record.usage.reasoning_tokens = 7;
  metrics.count(record);

  const std::string page = metrics.render();
  EXPECT_THAT(page, HasSubstr("claviger_cost_usd_total{provider=\"openai\"} 0.05\n"));
  EXPECT_THAT(page, HasSubstr("claviger_tokens_total{kind=\"input\"} 10\n"));
  EXPECT_THAT(page, HasSubstr("claviger_tokens_total{kind=\"reasoning\"} 0\n"));
}

TEST(Metrics, KindsOfTokensDoNotOverlap) {
  Metrics metrics(build());
  Record record = chat();
  record.usage = {.input_tokens = 1,
                  .cached_input_tokens = 2,
                  .cache_write_tokens = 3,
                  .cache_write_1h_tokens = 4,
                  .output_tokens = 50,
                  .reasoning_tokens = 20,
                  .stated_cost = {}};
  metrics.count(record);
  const std::string page = metrics.render();
  EXPECT_THAT(page, HasSubstr("{kind=\"input\"} 1\n"));
  EXPECT_THAT(page, HasSubstr("{kind=\"cached_input\"} 2\n"));
  EXPECT_THAT(page, HasSubstr("{kind=\"cache_write\"} 3\n"));
  EXPECT_THAT(page, HasSubstr("{kind=\"cache_write_1h\"} 4\n"));
  EXPECT_THAT(page, HasSubstr("{kind=\"output\"} 30\n"));
  EXPECT_THAT(page, HasSubstr("{kind=\"reasoning\"} 20\n"));
}

TEST(Metrics, BucketsAreCumulativeAndTheirBoundsInclusive) {
  Metrics metrics(build());
  Record record = chat();
  for (const std::int64_t us : {10, 11, 20, 1'000'000}) {
    record.times.overhead_us = us;
    metrics.count(record);
  }
  const std::string page = metrics.render();
  EXPECT_THAT(page, HasSubstr("claviger_overhead_seconds_bucket{le=\"0.00001\"} 1\n"));
  EXPECT_THAT(page, HasSubstr("claviger_overhead_seconds_bucket{le=\"0.00002\"} 3\n"));
  EXPECT_THAT(page, HasSubstr("claviger_overhead_seconds_bucket{le=\"0.25\"} 3\n"));
  EXPECT_THAT(page, HasSubstr("claviger_overhead_seconds_bucket{le=\"+Inf\"} 4\n"));
  EXPECT_THAT(page, HasSubstr("claviger_overhead_seconds_sum 1.000041\n"));
  EXPECT_THAT(page, HasSubstr("claviger_overhead_seconds_count 4\n"));
}

TEST(Metrics, AStageThatWasNotReachedIsNotObserved) {
  Metrics metrics(build());
  metrics.count(chat(402));
  EXPECT_THAT(metrics.render(), HasSubstr("claviger_first_byte_seconds_count 0\n"));
}

TEST(Metrics, OnlyOurOwn402IsABudgetRefusal) {
  Metrics metrics(build());
  Record record = chat(402);
  metrics.count(record);
  record.provider_status = 402;
  metrics.count(record);
  EXPECT_THAT(metrics.render(), HasSubstr("claviger_budget_refusals_total 1\n"));
}

TEST(Metrics, ClampedRequestsAreCounted) {
  Metrics metrics(build());
  Record record = chat();
  record.clamped = true;
  metrics.count(record);
  EXPECT_THAT(metrics.render(), HasSubstr("claviger_clamped_total 1\n"));
}

TEST(Metrics, TimeSeriesAreBounded) {
  Metrics metrics(build());
  Record record = chat();
  for (int i = 0; i < 1'000; ++i) {
    record.operation = "operation" + std::to_string(i);
    record.model = "provider" + std::to_string(i) + "/m";
    record.cost = NanoUsd(1);
    metrics.count(record);
  }
  const std::string page = metrics.render();
  const auto lines_with = [&](std::string_view start) {
    std::size_t lines = 0;
    for (auto at = page.find(start); at != std::string::npos; at = page.find(start, at + 1)) {
      ++lines;
    }
    return lines;
  };
  EXPECT_EQ(lines_with("\nclaviger_cost_usd_total{"), metric_providers_max);
  EXPECT_THAT(page, HasSubstr("claviger_cost_usd_total{provider=\"other\"} 0.000000937\n"));
  EXPECT_THAT(page, HasSubstr("{operation=\"other\",provider=\"other\",status_class=\"2xx\"} 937"));
}

TEST(Metrics, ThreadsDoNotLoseEachOthersCounts) {
  constexpr int kThreads = 8;
  constexpr int kEach = 2'000;
  Metrics metrics(build());
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&metrics, thread] {
      Record record = chat();
      for (int i = 0; i < kEach; ++i) {
        record.model = "p" + std::to_string((i + thread) % 20) + "/m";
        record.cost = NanoUsd(1);
        metrics.count(record);
        metrics.change_open_connections(+1);
        if (i % 2 == 0) metrics.change_open_connections(-1);
        if (i % 500 == 0) (void)metrics.render();
      }
    });
  }
  for (auto& thread : threads) thread.join();

  const std::string page = metrics.render();
  for (int provider = 0; provider < 20; ++provider) {
    EXPECT_THAT(page, HasSubstr("provider=\"p" + std::to_string(provider) +
                                "\",status_class=\"2xx\"} 800\n"));
  }
  EXPECT_THAT(page, HasSubstr("claviger_open_connections 8000\n"));
}

TEST(Metrics, SaysWhatIsOpenAndLostAndWhichBuildItIs) {
  Metrics metrics({.version = "0.1.0", .revision = "a\"b\\c\nd"});
  metrics.change_open_streams(+2);
  metrics.change_open_streams(-1);
  metrics.set_records_lost(7);
  metrics.set_contents_lost(3);
  const std::string page = metrics.render();
  EXPECT_THAT(page, HasSubstr("# TYPE claviger_open_streams gauge\nclaviger_open_streams 1\n"));
  EXPECT_THAT(page, HasSubstr("# TYPE claviger_records_lost_total counter\n"));
  EXPECT_THAT(page, HasSubstr("claviger_records_lost_total 7\n"));
  EXPECT_THAT(page, HasSubstr("# TYPE claviger_contents_lost_total counter\n"));
  EXPECT_THAT(page, HasSubstr("claviger_contents_lost_total 3\n"));
  EXPECT_THAT(page,
              HasSubstr("claviger_build_info{version=\"0.1.0\",revision=\"a\\\"b\\\\c\\nd\"} 1\n"));
  EXPECT_EQ(page.back(), '\n');
}

TEST(Exposition, LabelsAreAlwaysUtf8) {
  EXPECT_EQ(escape_label("gr\xc3\xbc\xc3\x9f"), "gr\xc3\xbc\xc3\x9f");
  EXPECT_EQ(escape_label("\xf0\x9f\x94\x91"), "\xf0\x9f\x94\x91");
  EXPECT_EQ(escape_label("a\xff"), "a?");
  EXPECT_EQ(escape_label("\xc3"), "?");
  EXPECT_EQ(escape_label("\xc0\xaf"), "??");
  EXPECT_EQ(escape_label("\xed\xa0\x80"), "???");
  EXPECT_EQ(escape_label("\xf4\x90\x80\x80"), "????");
}

TEST(Exposition, DecimalsAreExact) {
  EXPECT_EQ(exact_decimal(0, 9), "0");
  EXPECT_EQ(exact_decimal(5, 0), "5");
  EXPECT_EQ(exact_decimal(100, 0), "100");
  EXPECT_EQ(exact_decimal(1, 9), "0.000000001");
  EXPECT_EQ(exact_decimal(1'500'000, 6), "1.5");
  EXPECT_EQ(exact_decimal(static_cast<unsigned __int128>(1) << 100, 0),
            "1267650600228229401496703205376");
}

TEST(Metrics, FailuresAreCountedByPartyAndCause) {
  Metrics metrics({.version = "1", .revision = ""});
  Record record;
  record.status = 429;
  record.at_fault = "account";
  record.error_code = "insufficient_quota";
  metrics.count(record);
  metrics.count(record);
  metrics.count(Record{});
  EXPECT_NE(metrics.render().find(
                "claviger_faults_total{at_fault=\"account\",cause=\"insufficient_quota\"} 2\n"),
            std::string::npos);
}

TEST(Metrics, SoftFailuresAreCountedByModel) {
  Metrics metrics({.version = "1", .revision = ""});
  Record record;
  record.model = "openai/gpt-4o";
  record.soft_failures = "cut_by_length,broken_json";
  metrics.count(record);
  const std::string text = metrics.render();
  for (const std::string kind : {"cut_by_length", "broken_json"}) {
    EXPECT_NE(text.find("claviger_soft_failures_total{kind=\"" + kind +
                        "\",model=\"openai/gpt-4o\"} 1\n"),
              std::string::npos);
  }
}

}  // namespace
}  // namespace claviger::record

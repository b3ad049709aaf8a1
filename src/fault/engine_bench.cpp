/// What a verdict costs. Failures only: a request that succeeds never gets here.

#include <benchmark/benchmark.h>

#include "fault/engine.h"

namespace {

using namespace claviger::fault;

void judge_typical(benchmark::State& state) {
  const RuleBook& book = RuleBook::embedded();
  const HeaderField fields[] = {{"content-type", "application/json"}, {"retry-after", "20"}};
  const Observation seen{
      .provider = "openai",
      .status = 429,
      .headers = fields,
      .body = R"({"error":{"message":"Rate limit reached for gpt-4o in organization org-x on )"
              R"(tokens per min (TPM): Limit 30000, Used 29000, Requested 2000. Please try again )"
              R"(in 2s.","type":"tokens","param":null,"code":"rate_limit_exceeded"}})"};
  for (auto _ : state) benchmark::DoNotOptimize(judge(book, seen));
}
BENCHMARK(judge_typical);

}  // namespace

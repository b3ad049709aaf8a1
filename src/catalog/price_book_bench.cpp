/// What prices cost: reading the book counts against the cold start (100 ms), looking up and
/// pricing against every request. Plain text must not pay for the kinds that few answers have.

#include <benchmark/benchmark.h>

#include "catalog/price_book.h"
#include "data/prices_jsonl.h"

namespace {

using claviger::catalog::PriceBook;
using claviger::exchange::Usage;

void ReadTheBook(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(PriceBook::parse(claviger::data::prices_jsonl));
}

void FindAndPrice(benchmark::State& state) {
  const auto book = PriceBook::embedded();
  const Usage usage{.input_tokens = 1000, .output_tokens = 200};
  for (auto _ : state) {
    const auto* const model = book->find("openai", "gpt-4o-mini");
    benchmark::DoNotOptimize(claviger::catalog::cost_of(usage, *model->price));
  }
}

void PriceText(benchmark::State& state) {
  const auto price = PriceBook::embedded()->find("openai", "gpt-4o-mini")->price;
  Usage usage{.input_tokens = 1000, .output_tokens = 200};
  for (auto _ : state) {
    benchmark::DoNotOptimize(usage);
    benchmark::DoNotOptimize(claviger::catalog::cost_of(usage, *price));
  }
}

void PriceEverything(benchmark::State& state) {
  const auto price = PriceBook::embedded()->find("google", "gemini-2.5-flash")->price;
  Usage usage{.input_tokens = 1000, .output_tokens = 200, .audio_input_tokens = 100};
  usage.units[claviger::exchange::Unit::web_search] = 1;
  for (auto _ : state) {
    benchmark::DoNotOptimize(usage);
    benchmark::DoNotOptimize(claviger::catalog::cost_of(usage, *price));
  }
}

void BoundText(benchmark::State& state) {
  const auto price = PriceBook::embedded()->find("openai", "gpt-4o-mini")->price;
  for (auto _ : state) {
    benchmark::DoNotOptimize(claviger::catalog::worst_cost(5000, 1000, *price));
  }
}

BENCHMARK(ReadTheBook);
BENCHMARK(FindAndPrice);
BENCHMARK(PriceText);
BENCHMARK(PriceEverything);
BENCHMARK(BoundText);

}  // namespace

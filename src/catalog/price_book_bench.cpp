/// What prices cost: reading the book counts against the cold start (100 ms), looking up and
/// pricing against every request.

#include <benchmark/benchmark.h>

#include "catalog/price_book.h"
#include "data/prices_jsonl.h"

namespace {

using claviger::catalog::PriceBook;

void ReadTheBook(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(PriceBook::parse(claviger::data::prices_jsonl));
}

void FindAndPrice(benchmark::State& state) {
  const auto book = PriceBook::embedded();
  const claviger::exchange::Usage usage{.input_tokens = 1000, .output_tokens = 200};
  for (auto _ : state) {
    const auto* const model = book->find("openai", "gpt-4o-mini");
    benchmark::DoNotOptimize(claviger::catalog::cost_of(usage, *model->price));
  }
}

BENCHMARK(ReadTheBook);
BENCHMARK(FindAndPrice);

}  // namespace

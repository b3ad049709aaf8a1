#include <benchmark/benchmark.h>

#include "record/metrics.h"
#include "record/record.h"

namespace claviger::record {
namespace {

class NoStore final : public RecordStore {
 public:
  Result<void> append(const std::vector<Record>&) override { return {}; }
  Result<Record> find(RequestId) override { return std::unexpected(RecordError::not_found); }
  Result<std::vector<Record>> list(const Query&) override { return std::vector<Record>(); }
  Result<std::vector<UsageRow>> usage(Grouping, const Query&) override {
    return std::vector<UsageRow>();
  }
};

Record typical() {
  Record record;
  record.operation = "chat";
  record.model = "openai/gpt-4o-mini";
  record.status = 200;
  record.cost = NanoUsd(123'456);
  record.usage.input_tokens = 100;
  record.usage.output_tokens = 200;
  record.times = {.admitted_us = 20,
                  .connected_us = 21,
                  .sent_us = 30,
                  .first_byte_us = 400'000,
                  .total_us = 900'000,
                  .overhead_us = 29};
  return record;
}

/// The part of submit() below that the benchmark adds: a copy of the record.
void copy(benchmark::State& state) {
  const Record record = typical();
  for (auto _ : state) {
    Record copied = record;
    benchmark::DoNotOptimize(copied);
  }
}
BENCHMARK(copy);

/// What a request pays for its record: the move into the queue, and a copy (see above).
void submit(benchmark::State& state) {
  static NoStore store;
  static Recorder* recorder = nullptr;
  if (state.thread_index() == 0) {
    recorder = new Recorder(
        store, {.queue_records_max = 10'000'000, .flush_every = std::chrono::milliseconds(1)});
  }
  const Record record = typical();
  for (auto _ : state) recorder->submit(record);
  if (state.thread_index() == 0) {
    state.counters["lost"] = static_cast<double>(recorder->records_lost());
    delete recorder;
  }
}
BENCHMARK(submit)->ThreadRange(1, 2);

void count(benchmark::State& state) {
  static Metrics metrics({.version = "0", .revision = ""});
  const Record record = typical();
  for (auto _ : state) metrics.count(record);
}
BENCHMARK(count)->ThreadRange(1, 2);

void render(benchmark::State& state) {
  Metrics metrics({.version = "0", .revision = ""});
  metrics.count(typical());
  for (auto _ : state) benchmark::DoNotOptimize(metrics.render());
}
BENCHMARK(render);

}  // namespace
}  // namespace claviger::record

/// What the ledger costs a request: reserve and settle, over four budgets, with the journal on.
///
///   ledger_bench                          the journal in $TMPDIR, or /tmp
///   TMPDIR=/dev/shm ledger_bench          without the disk
///
/// `Time` and `CPU` are those of the calling thread per pair of calls; `others_ns` is the CPU
/// of the journal's and the folding thread together, per pair. The store takes batches and
/// does nothing, since SQLite is measured where it is.

#include <benchmark/benchmark.h>
#include <stdlib.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "base/task.h"
#include "budget/journal_ledger.h"
#include "budget/memory_ledger.h"

namespace claviger::budget {
namespace {

/// Keeps the position and nothing else.
class TakesEverything final : public LedgerStore {
 public:
  std::expected<LedgerState, LedgerStoreError> load() override {
    return LedgerState{.folded_up_to = position_,
                       .latest_periods = {},
                       .unsettled = {},
                       .newest_request = std::nullopt};
  }
  std::expected<void, LedgerStoreError> fold(const FoldBatch& batch) override {
    if (batch.from != position_) return std::unexpected(LedgerStoreError::out_of_step);
    position_ = batch.to;
    return {};
  }
  std::expected<std::optional<StoredHold>, LedgerStoreError> find(const AttemptId&) override {
    return std::nullopt;
  }
  std::expected<std::vector<StoredHold>, LedgerStoreError> find_all(const RequestId&) override {
    return std::vector<StoredHold>{};
  }
  std::expected<std::vector<StoredHold>, LedgerStoreError> uncertain(std::size_t) override {
    return std::vector<StoredHold>{};
  }

 private:
  JournalPosition position_;
};

std::int64_t cpu_ns(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

class World {
 public:
  World() {
    const char* const temporary = getenv("TMPDIR");
    folder_ = std::string(temporary != nullptr ? temporary : "/tmp") + "/ledger-bench-XXXXXX";
    if (mkdtemp(folder_.data()) == nullptr) std::abort();
    JournalLedgerConfig config;
    config.journal.folder = folder_ + "/journal";
    config.journal.slots_per_segment = 1u << 19;  // 64 MiB: a second has to fit.
    config.fold_every = std::chrono::milliseconds{50};
    config.remembered_max = 4096;
    auto ledger = JournalLedger::open(clock_, store_, std::move(config));
    if (!ledger) {
      std::fprintf(stderr, "%s\n", ledger.error().c_str());
      std::abort();
    }
    ledger_ = *std::move(ledger);
    for (std::int64_t id = 1; id <= 64; ++id) {
      const BudgetTerms terms{.id = BudgetId{id},
                              .limit = dollars(1'000'000'000),
                              .period = Period::month,
                              .when_exhausted = WhenExhausted::clamp};
      if (!run(ledger_->set_terms(terms))) std::abort();
    }
  }
  ~World() {
    ledger_.reset();
    std::filesystem::remove_all(folder_);
  }
  Ledger& ledger() { return *ledger_; }

 private:
  SystemClock clock_;
  TakesEverything store_;
  std::string folder_;
  std::unique_ptr<JournalLedger> ledger_;
};

std::unique_ptr<World> world;

/// Each thread is an owner of its own with an app, a key and a credential; the workspace's
/// budget is everybody's.
void reserve_and_settle(benchmark::State& state) {
  if (state.thread_index() == 0) world = std::make_unique<World>();
  const std::int64_t own = 2 + 4 * state.thread_index();
  BudgetSet budgets;
  for (const std::int64_t id : {std::int64_t{1}, own, own + 1, own + 2}) {
    if (!budgets.add(BudgetId{id})) std::abort();
  }
  std::uint64_t number = 0;
  const auto low = static_cast<std::uint64_t>(state.thread_index());
  std::vector<std::int64_t> samples;
  samples.reserve(1 << 20);
  const std::int64_t process_before = cpu_ns(CLOCK_PROCESS_CPUTIME_ID);
  const std::int64_t thread_before = cpu_ns(CLOCK_THREAD_CPUTIME_ID);
  for (auto _ : state) {
    const auto at_ms = static_cast<std::uint64_t>(1'800'000'000'000) + number;
    const AttemptId attempt{.request = {at_ms << 16, low}, .number = 1};
    ++number;
    const auto begin = std::chrono::steady_clock::now();
    const auto granted = run(world->ledger().reserve(
        {.attempt = attempt, .budgets = budgets, .cost_max = cents(3), .cost_least = cents(1)}));
    if (!granted) {
      state.SkipWithError("no hold was granted");
      break;
    }
    const auto settled =
        run(world->ledger().settle(granted->hold, NanoUsd(1'000), Certainty::billed));
    if (!settled) state.SkipWithError("not settled");
    if (number % 16 == 0 && samples.size() < samples.capacity()) {
      samples.push_back((std::chrono::steady_clock::now() - begin).count());
    }
  }
  const std::int64_t others = (cpu_ns(CLOCK_PROCESS_CPUTIME_ID) - process_before) -
                              (cpu_ns(CLOCK_THREAD_CPUTIME_ID) - thread_before);
  std::ranges::sort(samples);
  state.SetItemsProcessed(state.iterations());
  if (state.threads() == 1) {
    state.counters["others_ns"] =
        static_cast<double>(others) / static_cast<double>(state.iterations());
  }
  if (!samples.empty() && state.thread_index() == 0) {
    const auto at = [&samples](double part) {
      return static_cast<double>(
          samples[static_cast<std::size_t>(part * static_cast<double>(samples.size() - 1))]);
    };
    state.counters["p50_ns"] = at(0.5);
    state.counters["p99_ns"] = at(0.99);
    state.counters["p99.9_ns"] = at(0.999);
    state.counters["max_ns"] = at(1);
  }
  if (state.thread_index() == 0) world.reset();
}
BENCHMARK(reserve_and_settle)->Threads(1)->Threads(2)->UseRealTime()->Unit(benchmark::kNanosecond);

void without_a_journal(benchmark::State& state) {
  const SystemClock clock;
  MemoryLedger ledger(clock);
  BudgetSet budgets;
  for (std::int64_t id = 1; id <= 4; ++id) {
    if (!run(ledger.set_terms({.id = BudgetId{id}, .limit = dollars(1'000'000'000)})) ||
        !budgets.add(BudgetId{id})) {
      std::abort();
    }
  }
  std::uint64_t number = 0;
  for (auto _ : state) {
    const AttemptId attempt{.request = {++number << 16, 0}, .number = 1};
    const auto granted = run(ledger.reserve(
        {.attempt = attempt, .budgets = budgets, .cost_max = cents(3), .cost_least = cents(1)}));
    benchmark::DoNotOptimize(run(ledger.settle(granted->hold, NanoUsd(1'000), Certainty::billed)));
    ledger.books().forget(attempt, ~std::uint64_t{0});
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(without_a_journal)->Unit(benchmark::kNanosecond);

void refused(benchmark::State& state) {
  const SystemClock clock;
  MemoryLedger ledger(clock);
  BudgetSet budgets;
  if (!run(ledger.set_terms({.id = BudgetId{1}, .limit = NanoUsd()})) ||
      !budgets.add(BudgetId{1})) {
    std::abort();
  }
  std::uint64_t number = 0;
  for (auto _ : state) {
    const AttemptId attempt{.request = {++number << 16, 0}, .number = 1};
    benchmark::DoNotOptimize(run(ledger.reserve(
        {.attempt = attempt, .budgets = budgets, .cost_max = cents(3), .cost_least = cents(1)})));
  }
}
BENCHMARK(refused)->Unit(benchmark::kNanosecond);

}  // namespace
}  // namespace claviger::budget

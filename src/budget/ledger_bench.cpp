/// What the ledger costs a request: reserve and settle, over four budgets, with the journal on.
///
///   ledger_bench                          the journal in $TMPDIR, or /tmp
///   TMPDIR=/dev/shm ledger_bench          without the disk
///
/// `Time` is wall time and `CPU` that of the calling thread (the ledger's side of a request) per
/// pair of calls; `journal_ns` is the CPU of the thread that brings groups to disk, and `fold_ns`
/// that of the one that folds them into the store, per pair. On a shared machine read `CPU`.
/// The store takes batches and leases and does nothing, since SQLite is measured where it is.

#include <benchmark/benchmark.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "base/task.h"
#include "budget/admission.h"
#include "budget/budget_book.h"
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
  std::expected<std::uint32_t, LedgerStoreError> add_note(const CorrectionNote&,
                                                          WallTime) override {
    return 1;
  }
  std::expected<std::vector<CorrectionEntry>, LedgerStoreError> corrections(WallTime,
                                                                            std::size_t) override {
    return std::vector<CorrectionEntry>{};
  }

 private:
  JournalPosition position_;
};

/// What the calling thread used.
std::int64_t own_cpu_ns() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

std::string first_line_of(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return line;
}

/// What this process's threads of that name have used so far, in nanoseconds: the first number
/// of `schedstat` (Documentation/scheduler/sched-stats.rst of Linux, 2026-11).
std::int64_t cpu_of_threads_ns(std::string_view name) {
  std::int64_t sum_ns = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    if (first_line_of(task.path() / "comm") != name) continue;
    sum_ns += std::strtoll(first_line_of(task.path() / "schedstat").c_str(), nullptr, 10);
  }
  return sum_ns;
}

/// How often the calling thread has waited: for I/O, a lock, or anybody.
std::int64_t own_waits() {
  rusage usage{};
  getrusage(RUSAGE_THREAD, &usage);
  return usage.ru_nvcsw;
}

/// Room for ten million requests that hold three cents and cost one, so that leases are used up
/// and asked for as those of a busy budget are.
constexpr NanoUsd kLimit = dollars(100'000);

enum class Leases : std::uint8_t { none, taken };

class World {
 public:
  explicit World(Leases leases) {
    const char* const temporary = getenv("TMPDIR");
    folder_ = std::string(temporary != nullptr ? temporary : "/tmp") + "/ledger-bench-XXXXXX";
    if (mkdtemp(folder_.data()) == nullptr) std::abort();
    JournalLedgerConfig config;
    config.journal.folder = folder_ + "/journal";
    config.journal.slots_per_segment = 1u << 19;  // 64 MiB: a second has to fit.
    config.fold_every = std::chrono::milliseconds{50};
    config.remembered_max = 4096;
    if (leases == Leases::taken) {
      config.leases = &leases_;
      config.boot_id = "of the benchmark";
    }
    auto ledger = JournalLedger::open(clock_, store_, std::move(config));
    if (!ledger) {
      std::fprintf(stderr, "%s\n", ledger.error().c_str());
      std::abort();
    }
    ledger_ = *std::move(ledger);
    for (std::int64_t id = 1; id <= 64; ++id) {
      const BudgetTerms terms{.id = BudgetId{id},
                              .limit = kLimit,
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
  int leases_asked() const { return leases_.asked; }

 private:
  SystemClock clock_;
  TakesEverything store_;
  MemoryLeaseStore leases_;
  std::string folder_;
  std::unique_ptr<JournalLedger> ledger_;
};

std::unique_ptr<World> world;

/// Each thread is an owner of its own with an app, a key and a credential; the workspace's
/// budget is everybody's.
void reserve_and_settle(benchmark::State& state, Leases leases) {
  if (state.thread_index() == 0) world = std::make_unique<World>(leases);
  const std::int64_t own = 2 + 4 * state.thread_index();
  BudgetSet budgets;
  for (const std::int64_t id : {std::int64_t{1}, own, own + 1, own + 2}) {
    if (!budgets.add(BudgetId{id})) std::abort();
  }
  std::uint64_t number = 0;
  const auto low = static_cast<std::uint64_t>(state.thread_index());
  std::vector<std::int64_t> samples;
  samples.reserve(1 << 20);
  const std::int64_t waits_before = own_waits();
  const std::int64_t own_before_ns = own_cpu_ns();
  const std::int64_t journal_before_ns = cpu_of_threads_ns("journal");
  const std::int64_t fold_before_ns = cpu_of_threads_ns("ledger");
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
    const auto settled = run(world->ledger().settle(granted->hold, cents(1), Certainty::billed));
    if (!settled) state.SkipWithError("not settled");
    if (number % 16 == 0 && samples.size() < samples.capacity()) {
      samples.push_back((std::chrono::steady_clock::now() - begin).count());
    }
  }
  std::ranges::sort(samples);
  state.SetItemsProcessed(state.iterations());
  const auto per_pair = [&state](std::int64_t sum) {
    return static_cast<double>(sum) / static_cast<double>(state.iterations());
  };
  if (state.threads() == 1) {
    state.counters["ledger_ns"] = per_pair(own_cpu_ns() - own_before_ns);
    state.counters["journal_ns"] = per_pair(cpu_of_threads_ns("journal") - journal_before_ns);
    state.counters["fold_ns"] = per_pair(cpu_of_threads_ns("ledger") - fold_before_ns);
    state.counters["waits"] = static_cast<double>(own_waits() - waits_before);
    state.counters["leases"] = static_cast<double>(world->leases_asked());
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
BENCHMARK_CAPTURE(reserve_and_settle, with_leases, Leases::taken)
    ->Threads(1)
    ->Threads(2)
    ->UseRealTime()
    ->Unit(benchmark::kNanosecond);
BENCHMARK_CAPTURE(reserve_and_settle, without_leases, Leases::none)
    ->Threads(1)
    ->UseRealTime()
    ->Unit(benchmark::kNanosecond);

/// All that money costs a request whose fields have been read: which budgets it concerns, its
/// bound at its price, the hold with leases and journal, and the settlement.
void way_of_a_request(benchmark::State& state) {
  world = std::make_unique<World>(Leases::taken);
  std::vector<Budget> budgets(64);
  for (std::size_t index = 0; index < budgets.size(); ++index) {
    budgets[index].terms.id = BudgetId{static_cast<std::int64_t>(index + 1)};
    budgets[index].scope = static_cast<Scope>(1 + index % 4);  // Owners, apps, credentials, keys.
    budgets[index].subject = static_cast<std::int64_t>(index / 4);
  }
  const BudgetBook book(std::move(budgets));
  const Subjects subjects{.owner = OwnerId{3},
                          .app = AppId{3},
                          .credential = CredentialId{3},
                          .key = VirtualKeyId{3},
                          .model = "openai/gpt-4o"};
  catalog::Price price;
  price.input = price.cached_input = price.cache_write = price.cache_write_1h =
      PicoUsdPerUnit{2'500'000};
  price.output = PicoUsdPerUnit{10'000'000};
  const ModelFamily& family = family_of("openai", "gpt-4o");
  const std::string body(700, 'x');
  exchange::Request request;
  request.body = body;
  request.output_tokens_max = 1'000;
  std::uint64_t number = 0;
  const std::int64_t waits_before = own_waits();
  const std::int64_t own_before_ns = own_cpu_ns();
  for (auto _ : state) {
    const auto concerned = book.concerned(subjects);
    const auto bound = bound_request(
        request, price, {.context_tokens_max = 128'000, .output_tokens_max = 16'384}, family);
    if (!concerned || concerned->size() != 4 || !bound) {
      state.SkipWithError("not what a request concerns");
      break;
    }
    const AttemptId attempt{.request = {(std::uint64_t{1'800'000'000'000} + number++) << 16, 0},
                            .number = 1};
    const auto granted = run(world->ledger().reserve({.attempt = attempt,
                                                      .budgets = *concerned,
                                                      .cost_max = bound->cost_max,
                                                      .cost_least = bound->cost_least}));
    if (!granted) {
      state.SkipWithError("no hold was granted");
      break;
    }
    benchmark::DoNotOptimize(output_bound_within(granted->amount, *bound, price));
    benchmark::DoNotOptimize(
        run(world->ledger().settle(granted->hold, NanoUsd(3'000'000), Certainty::billed)));
  }
  state.counters["ledger_ns"] =
      static_cast<double>(own_cpu_ns() - own_before_ns) / static_cast<double>(state.iterations());
  state.counters["waits"] = static_cast<double>(own_waits() - waits_before);
  state.counters["leases"] = static_cast<double>(world->leases_asked());
  world.reset();
}
BENCHMARK(way_of_a_request)->UseRealTime()->Unit(benchmark::kNanosecond);

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

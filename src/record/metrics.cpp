#include "record/metrics.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <iterator>
#include <span>
#include <thread>

#include "record/exposition.h"
#include "record/label_set.h"

namespace claviger::record {
namespace {

using Counter = std::atomic<std::uint64_t>;

void add(Counter& counter, std::int64_t by) {
  if (by > 0) counter.fetch_add(static_cast<std::uint64_t>(by), std::memory_order_relaxed);
}

/// Upper bounds in microseconds, inclusive; one more bucket, +Inf, is behind them.
/// From a cached answer to the longest reasoning.
constexpr std::array<std::int64_t, 16> kAnswerBoundsUs = {
    1'000,   2'500,     5'000,     10'000,    25'000,     50'000,     100'000,     250'000,
    500'000, 1'000'000, 2'500'000, 5'000'000, 10'000'000, 30'000'000, 120'000'000, 600'000'000};
/// What Claviger itself takes: tens of microseconds, unless something is wrong.
constexpr std::array<std::int64_t, 12> kOverheadBoundsUs = {
    10, 20, 50, 100, 200, 500, 1'000, 2'000, 5'000, 10'000, 50'000, 250'000};

template <std::size_t kBounds>
struct Histogram {
  std::array<Counter, kBounds + 1> buckets{};
  Counter sum_us{0};

  /// A stage that was not reached (-1) is no observation.
  void observe(const std::array<std::int64_t, kBounds>& bounds, std::int64_t us) {
    if (us < 0) return;
    const auto bucket = std::lower_bound(bounds.begin(), bounds.end(), us) - bounds.begin();
    buckets[static_cast<std::size_t>(bucket)].fetch_add(1, std::memory_order_relaxed);
    add(sum_us, us);
  }
};

constexpr std::array<std::string_view, 5> kStatusClasses = {"none", "2xx", "3xx", "4xx", "5xx"};

std::size_t status_class(int status) {
  return status < 200 || status > 599 ? 0 : static_cast<std::size_t>(status / 100 - 1);
}

/// Kinds that do not overlap, so that their sum means something: reasoning is not in output.
enum Kind : std::size_t { input, cached_input, cache_write, cache_write_1h, output, reasoning };
constexpr std::array<std::string_view, 6> kKinds = {"input",          "cached_input", "cache_write",
                                                    "cache_write_1h", "output",       "reasoning"};

struct alignas(128) Shard {
  std::array<std::array<std::array<Counter, kStatusClasses.size()>, metric_providers_max>,
             metric_operations_max>
      requests{};
  std::array<Counter, metric_providers_max> cost_nanos{};
  std::array<Counter, metric_faults_max> faults{};
  std::array<Counter, metric_soft_failures_max> soft_failures{};
  std::array<Counter, kKinds.size()> tokens{};
  Counter budget_refusals{0};
  Counter clamped{0};
  std::array<Counter, metric_providers_max> overruns{};
  Histogram<kAnswerBoundsUs.size()> duration;
  Histogram<kAnswerBoundsUs.size()> first_byte;
  Histogram<kOverheadBoundsUs.size()> overhead;
  std::atomic<std::int64_t> open_connections{0};
  std::atomic<std::int64_t> open_streams{0};
};

/// A number for each thread, in the order in which they first count something.
std::size_t number_of_this_thread() {
  static std::atomic<std::size_t> next{0};
  thread_local const std::size_t mine = next.fetch_add(1, std::memory_order_relaxed);
  return mine;
}

/// One shard per core is enough where a thread stays on its core; more threads share.
std::size_t shards_wanted() {
  return std::clamp<std::size_t>(std::thread::hardware_concurrency() + 1, 2, 64);
}

}  // namespace

struct Metrics::State {
  explicit State(Build of) : build(std::move(of)), shards(shards_wanted()) {}

  Shard& shard() { return shards[number_of_this_thread() % shards.size()]; }

  /// `of(shard)` added up over all shards, in 128 bits.
  template <typename Of>
  unsigned __int128 total(Of of) const {
    unsigned __int128 sum = 0;
    for (const Shard& shard : shards) sum += of(shard).load(std::memory_order_relaxed);
    return sum;
  }
  template <typename Of>
  std::string total_text(Of of) const {
    return exact_decimal(total(of), 0);
  }
  template <typename Of>
  std::int64_t level(Of of) const {
    std::int64_t sum = 0;
    for (const Shard& shard : shards) sum += of(shard).load(std::memory_order_relaxed);
    return sum;
  }

  void render_requests(Exposition& out) const;
  void render_faults(Exposition& out) const;
  void render_usage(Exposition& out) const;
  void render_levels(Exposition& out) const;
  template <typename Of, std::size_t kBounds>
  void render_histogram(Exposition& out, std::string_view name, std::string_view help,
                        const std::array<std::int64_t, kBounds>& bounds, Of of) const;

  Build build;
  std::vector<Shard> shards;
  LabelSet<metric_operations_max> operations;
  LabelSet<metric_providers_max> providers;
  LabelSet<metric_faults_max> faults;                ///< "party cause"
  LabelSet<metric_soft_failures_max> soft_failures;  ///< "kind model"
  std::atomic<std::int64_t> records_lost{0};
  std::atomic<std::int64_t> contents_lost{0};
};

Metrics::Metrics(Build build) : state_(std::make_unique<State>(std::move(build))) {}
Metrics::~Metrics() = default;

std::string_view provider_of(std::string_view model) {
  const std::size_t slash = model.find('/');
  return slash == std::string_view::npos ? std::string_view() : model.substr(0, slash);
}

void Metrics::count(const Record& record) {
  Shard& shard = state_->shard();
  const std::string_view routed = provider_of(record.model);
  const std::size_t operation =
      state_->operations.number_of(record.operation.empty() ? "none" : record.operation);
  const std::size_t provider = state_->providers.number_of(routed.empty() ? "none" : routed);
  add(shard.requests[operation][provider][status_class(record.status)], 1);
  add(shard.cost_nanos[provider], record.cost.nanos());

  if (!record.at_fault.empty()) {
    add(shard.faults[state_->faults.number_of(record.at_fault + ' ' + record.error_code)], 1);
  }
  for (std::string_view rest = record.soft_failures; !rest.empty();) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    const std::string pair = std::string(rest.substr(0, comma)) + ' ' + record.model;
    add(shard.soft_failures[state_->soft_failures.number_of(pair)], 1);
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }

  const exchange::Usage& usage = record.usage;
  add(shard.tokens[input], usage.input_tokens);
  add(shard.tokens[cached_input], usage.cached_input_tokens);
  add(shard.tokens[cache_write], usage.cache_write_tokens);
  add(shard.tokens[cache_write_1h], usage.cache_write_1h_tokens);
  const std::int64_t thought = std::clamp<std::int64_t>(
      usage.reasoning_tokens, 0, std::max<std::int64_t>(usage.output_tokens, 0));
  add(shard.tokens[output], usage.output_tokens - thought);
  add(shard.tokens[reasoning], thought);

  // 402 of a provider means its own account; ours is given before any provider was asked.
  if (record.status == 402 && record.provider_status == 0) add(shard.budget_refusals, 1);
  if (record.clamped) add(shard.clamped, 1);
  if (record.error_code == kProviderOverran) add(shard.overruns[provider], 1);
  shard.duration.observe(kAnswerBoundsUs, record.times.total_us);
  shard.first_byte.observe(kAnswerBoundsUs, record.times.first_byte_us);
  shard.overhead.observe(kOverheadBoundsUs, record.times.overhead_us);
}

void Metrics::change_open_connections(std::int64_t by) {
  state_->shard().open_connections.fetch_add(by, std::memory_order_relaxed);
}
void Metrics::change_open_streams(std::int64_t by) {
  state_->shard().open_streams.fetch_add(by, std::memory_order_relaxed);
}
void Metrics::set_records_lost(std::int64_t records) {
  state_->records_lost.store(records, std::memory_order_relaxed);
}
void Metrics::set_contents_lost(std::int64_t contents) {
  state_->contents_lost.store(contents, std::memory_order_relaxed);
}

void Metrics::State::render_requests(Exposition& out) const {
  out.family("claviger_requests_total", "counter",
             "Requests answered, by operation, provider and class of status.");
  for (std::size_t operation = 0; operation < metric_operations_max; ++operation) {
    for (std::size_t provider = 0; provider < metric_providers_max; ++provider) {
      for (std::size_t status = 0; status < kStatusClasses.size(); ++status) {
        const auto count = total([&](const Shard& shard) -> const Counter& {
          return shard.requests[operation][provider][status];
        });
        if (count == 0) continue;
        out.sample("",
                   {{"operation", operations.value_of(operation)},
                    {"provider", providers.value_of(provider)},
                    {"status_class", kStatusClasses[status]}},
                   exact_decimal(count, 0));
      }
    }
  }
}

void Metrics::State::render_faults(Exposition& out) const {
  const auto render = [&](const auto& pairs, const char* first, const char* second, auto of,
                          std::size_t count_max) {
    for (std::size_t i = 0; i < count_max; ++i) {
      const auto count = total([&](const Shard& s) -> const Counter& { return of(s)[i]; });
      if (count == 0) continue;
      const std::string_view pair = pairs.value_of(i);
      const std::size_t space = std::min(pair.find(' '), pair.size());
      out.sample(
          "",
          {{first, pair.substr(0, space)}, {second, pair.substr(std::min(space + 1, pair.size()))}},
          exact_decimal(count, 0));
    }
  };
  out.family("claviger_faults_total", "counter",
             "Failed requests, by the party at fault and the cause (docs/reference/faults.md).");
  render(
      faults, "at_fault", "cause", [](const Shard& s) -> auto& { return s.faults; },
      metric_faults_max);
  out.family("claviger_soft_failures_total", "counter",
             "Answers that were given and are of no use, by kind and model.");
  render(
      soft_failures, "kind", "model", [](const Shard& s) -> auto& { return s.soft_failures; },
      metric_soft_failures_max);
}

void Metrics::State::render_usage(Exposition& out) const {
  out.family("claviger_tokens_total", "counter",
             "Tokens by kind; kinds do not overlap: output is without reasoning.");
  for (std::size_t kind = 0; kind < kKinds.size(); ++kind) {
    out.sample("", {{"kind", kKinds[kind]}},
               total_text([&](const Shard& s) -> const Counter& { return s.tokens[kind]; }));
  }
  out.family("claviger_cost_usd_total", "counter", "Settled cost in US dollars, exact.");
  for (std::size_t provider = 0; provider < metric_providers_max; ++provider) {
    const auto nanos =
        total([&](const Shard& s) -> const Counter& { return s.cost_nanos[provider]; });
    if (nanos == 0) continue;
    out.sample("", {{"provider", providers.value_of(provider)}}, exact_decimal(nanos, 9));
  }
  out.family("claviger_budget_refusals_total", "counter",
             "Requests refused because a budget was exhausted.");
  out.sample("", {},
             total_text([](const Shard& s) -> const Counter& { return s.budget_refusals; }));
  out.family("claviger_clamped_total", "counter",
             "Requests whose output a budget bounded more tightly than was asked.");
  out.sample("", {}, total_text([](const Shard& s) -> const Counter& { return s.clamped; }));
  out.family("claviger_overruns_total", "counter",
             "Requests for which a provider billed more than the bound that it was given.");
  for (std::size_t provider = 0; provider < metric_providers_max; ++provider) {
    const auto count =
        total([&](const Shard& s) -> const Counter& { return s.overruns[provider]; });
    if (count == 0) continue;
    out.sample("", {{"provider", providers.value_of(provider)}}, exact_decimal(count, 0));
  }
}

template <typename Of, std::size_t kBounds>
void Metrics::State::render_histogram(Exposition& out, std::string_view name, std::string_view help,
                                      const std::array<std::int64_t, kBounds>& bounds,
                                      Of of) const {
  out.family(name, "histogram", help);
  // Buckets of this format are cumulative.
  unsigned __int128 count = 0;
  for (std::size_t bucket = 0; bucket <= kBounds; ++bucket) {
    count += total([&](const Shard& s) -> const Counter& { return of(s).buckets[bucket]; });
    const std::string bound =
        bucket == kBounds ? "+Inf"
                          : exact_decimal(static_cast<unsigned __int128>(bounds[bucket]), 6);
    out.sample("_bucket", {{"le", bound}}, exact_decimal(count, 0));
  }
  const auto sum = total([&](const Shard& s) -> const Counter& { return of(s).sum_us; });
  out.sample("_sum", {}, exact_decimal(sum, 6));
  out.sample("_count", {}, exact_decimal(count, 0));
}

void Metrics::State::render_levels(Exposition& out) const {
  out.family("claviger_open_connections", "gauge", "Connections of callers that are open now.");
  out.sample("", {}, level([](const Shard& s) -> auto& { return s.open_connections; }));
  out.family("claviger_open_streams", "gauge", "Streamed answers under way now.");
  out.sample("", {}, level([](const Shard& s) -> auto& { return s.open_streams; }));
  out.family("claviger_records_lost_total", "counter",
             "Records of requests that could not be kept; their money is in the ledger.");
  out.sample("", {}, records_lost.load(std::memory_order_relaxed));
  out.family("claviger_contents_lost_total", "counter",
             "Requests whose owner has content kept, and that were too large or too many to keep.");
  out.sample("", {}, contents_lost.load(std::memory_order_relaxed));
  out.family("claviger_build_info", "gauge", "Always 1; says which build this is.");
  out.sample("", {{"version", build.version}, {"revision", build.revision}}, std::int64_t{1});
}

std::string Metrics::render() const {
  Exposition out;
  state_->render_requests(out);
  state_->render_faults(out);
  state_->render_histogram(out, "claviger_request_duration_seconds",
                           "From a request's first byte to its answer's last.", kAnswerBoundsUs,
                           [](const Shard& s) -> auto& { return s.duration; });
  state_->render_histogram(out, "claviger_first_byte_seconds",
                           "From a request's first byte to the first byte of the provider.",
                           kAnswerBoundsUs, [](const Shard& s) -> auto& { return s.first_byte; });
  state_->render_histogram(out, "claviger_overhead_seconds",
                           "What Claviger itself took of a request before it was sent on.",
                           kOverheadBoundsUs, [](const Shard& s) -> auto& { return s.overhead; });
  state_->render_usage(out);
  state_->render_levels(out);
  return out.take();
}

}  // namespace claviger::record

// What finding out who calls costs each request.

#include <benchmark/benchmark.h>

#include <string>

#include "access/directory.h"
#include "access/key_format.h"
#include "access/model_pattern.h"

namespace claviger::access {
namespace {

const Secret& hash_key() {
  static const Secret key = Secret::copy_of(std::string(kHashKeyBytes, 'h'));
  return key;
}

void check_format(benchmark::State& state) {
  const NewKey key = make_key(KeyType::virtual_key, hash_key());
  for (auto _ : state) {
    benchmark::DoNotOptimize(access::check_format(key.text.reveal()));
  }
}
BENCHMARK(check_format);

void hash_into(benchmark::State& state) {
  const NewKey key = make_key(KeyType::virtual_key, hash_key());
  unsigned char hash[kKeyHashBytes];
  for (auto _ : state) {
    access::hash_into(key.text.reveal(), hash_key(), hash);
    benchmark::DoNotOptimize(hash);
  }
}
BENCHMARK(hash_into);

void authenticate(benchmark::State& state) {
  std::vector<NewKey> issued;
  std::vector<VirtualKey> rows;
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    issued.push_back(make_key(KeyType::virtual_key, hash_key()));
    VirtualKey row;
    row.id = VirtualKeyId{i + 1};
    row.hash = issued.back().hash;
    rows.push_back(std::move(row));
  }
  const Directory directory({}, {}, std::move(rows), {},
                            std::make_shared<const Secret>(hash_key().clone()));
  const WallTime now = SystemClock().wall_now();
  std::size_t next = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(directory.authenticate(issued[next].text.reveal(), now));
    next = (next + 1) % issued.size();
  }
}
BENCHMARK(authenticate)->Arg(10)->Arg(10'000);

void enter_and_leave(benchmark::State& state) {
  Pace pace;
  const PaceLimits limits{.requests_per_minute = kPerMinuteMax,
                          .tokens_per_minute = kPerMinuteMax,
                          .concurrent_requests = 1000};
  const Instant now = SystemClock().now();
  std::int64_t moment = 0;
  for (auto _ : state) {
    const Instant at = now + std::chrono::nanoseconds{++moment * 100};
    benchmark::DoNotOptimize(pace.enter(limits, at));
    pace.leave(limits, 10, at);
  }
}
BENCHMARK(enter_and_leave);

void match_pattern(benchmark::State& state) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(matches_pattern("openai/gpt-4*", "openai/gpt-4o-mini"));
  }
}
BENCHMARK(match_pattern);

}  // namespace
}  // namespace claviger::access

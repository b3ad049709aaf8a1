// What opening the vault costs: paid at start and after each change, never on a request's way.
// What a request pays is `find`.

#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "vault/envelope.h"
#include "vault/memory_vault_store.h"
#include "vault/root_key.h"
#include "vault/vault.h"

namespace claviger::vault {
namespace {

Credential about(std::int64_t number) {
  Credential made;
  made.id = CredentialId{number};
  made.provider = "openai";
  made.name = std::to_string(number);
  made.base_url = "https://api.openai.com/v1";
  return made;
}

const std::string& key() {
  static const std::string text(164, 'k');  // As long as OpenAI's project keys.
  return text;
}

void seal_one(benchmark::State& state) {
  const auto root = RootKey::generate();
  for (auto _ : state) benchmark::DoNotOptimize(seal(*root, about(1), key()));
}
BENCHMARK(seal_one);

void open_one(benchmark::State& state) {
  const auto root = RootKey::generate();
  const SealedCredential sealed = seal(*root, about(1), key());
  for (auto _ : state) benchmark::DoNotOptimize(open(*root, sealed));
}
BENCHMARK(open_one);

void open_all(benchmark::State& state) {
  MemoryVaultStore store;
  Vault vault(store, RootKey::generate());
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    static_cast<void>(vault.add(about(i), Secret::copy_of(key())));
  }
  for (auto _ : state) benchmark::DoNotOptimize(vault.open_all());
}
BENCHMARK(open_all)->Arg(10)->Arg(1000);

void rewrap(benchmark::State& state) {
  MemoryVaultStore store;
  Vault vault(store, RootKey::generate());
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    static_cast<void>(vault.add(about(i), Secret::copy_of(key())));
  }
  for (auto _ : state) benchmark::DoNotOptimize(vault.rewrap(RootKey::generate()));
}
BENCHMARK(rewrap)->Arg(1000);

void find(benchmark::State& state) {
  MemoryVaultStore store;
  Vault vault(store, RootKey::generate());
  for (std::int64_t i = 0; i < 1000; ++i) {
    static_cast<void>(vault.add(about(i), Secret::copy_of(key())));
  }
  const auto all = vault.open_all().value();
  std::int64_t next = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(all->find(CredentialId{next % 1000 + 1})->key.reveal());
    ++next;
  }
}
BENCHMARK(find);

void stretch_passphrase(benchmark::State& state) {
  // The default cost; the file goes to a folder that is gone afterwards.
  for (auto _ : state) {
    char folder[] = "/tmp/claviger_bench_XXXXXX";
    if (mkdtemp(folder) == nullptr) return state.SkipWithError("no temporary folder");
    const std::string path = std::string(folder) + "/root.passphrase";
    benchmark::DoNotOptimize(
        RootKey::create_passphrase_file(path, Secret::copy_of("correct horse battery")));
    std::remove(path.c_str());
    std::remove(folder);
  }
}
BENCHMARK(stretch_passphrase)->Unit(benchmark::kMillisecond)->Iterations(3);

}  // namespace
}  // namespace claviger::vault

#include <benchmark/benchmark.h>

#include "store/sqlite/ledger_store.h"
#include "store/sqlite/record_store.h"
#include "store/testing/scratch_folder.h"

namespace claviger::store {
namespace {

struct Opened {
  explicit Opened(Durability durability)
      : database(Database::open(folder.path() / "claviger.db", Database::Mode::create, durability)
                     .value()) {
    migrate(database).value();
  }
  ScratchFolder folder;
  Database database;
};

/// Records a second that the background writer can keep up with: `range` per transaction.
void append_records(benchmark::State& state) {
  Opened opened(Durability::process_crash);
  SqliteRecordStore store(opened.database);
  WallTime now = from_unix_micros(1'700'000'000'000'000);
  std::vector<record::Record> batch(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    for (record::Record& record : batch) {
      now += std::chrono::milliseconds(1);
      record.id = new_request_id(now);
      record.started_at = now;
      record.owner = OwnerId{static_cast<std::int64_t>(record.id.low % 50) + 1};
      record.key = VirtualKeyId{record.owner.value * 2};
      record.operation = "chat";
      record.model = "openai/gpt-4o-mini";
      record.model_asked = "gpt-4o-mini";
      record.provider_request_id = "chatcmpl-AbCdEfGhIjKlMnOpQrStUvWxYz012";
      record.status = 200;
    }
    if (!store.append(batch)) state.SkipWithError("append failed");
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(append_records)->Arg(100)->Arg(1'000);

/// Settled holds a second that folding keeps up with, the disk's fsync included.
void fold_holds(benchmark::State& state) {
  Opened opened(Durability::power_cut);
  SqliteLedgerStore store(opened.database);
  budget::FoldBatch batch;
  batch.holds.resize(static_cast<std::size_t>(state.range(0)));
  WallTime now = from_unix_micros(1'700'000'000'000'000);
  for (std::int64_t i = 1; i <= 5; ++i) {
    batch.spent_changes.push_back({BudgetId{i}, WallTime{}, NanoUsd(1)});
  }
  for (auto _ : state) {
    batch.from = batch.to;
    batch.to.slot += batch.holds.size();
    for (budget::StoredHold& hold : batch.holds) {
      now += std::chrono::milliseconds(1);
      hold.attempt.request = new_request_id(now);
      hold.opened_at = now;
      hold.held = NanoUsd(2);
      hold.budgets = {};
      for (std::int64_t i = 1; i <= 5; ++i) {
        if (!hold.budgets.add({BudgetId{i}, now})) std::abort();
      }
      hold.state = budget::HoldState::settled;
      hold.cost = NanoUsd(1);
      hold.certainty = budget::Certainty::billed;
    }
    if (!store.fold(batch)) state.SkipWithError("fold failed");
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(fold_holds)->Arg(1'000)->Arg(10'000);

}  // namespace
}  // namespace claviger::store

#include "store/sqlite/lease_store.h"

#include "store/sqlite/sql.h"

namespace claviger::store {

using budget::EarlierRun;
using budget::Lease;
using budget::LedgerStoreError;

std::expected<EarlierRun, LedgerStoreError> SqliteLeaseStore::earlier_run() {
  const auto boot = select_one<std::string>(
      database_, "SELECT boot_id FROM ledger_run",
      [](const Query& row) { return std::optional(std::string(row.text(0))); });
  auto leases = select<Lease>(
      database_,
      "SELECT budget_id, period_start, up_to_nanos FROM leases"
      " ORDER BY budget_id",
      [](const Query& row) {
        return std::optional(Lease{BudgetId{row.integer(0)}, from_unix_micros(row.integer(1)),
                                   NanoUsd(row.integer(2))});
      });
  if (!boot || !leases) return std::unexpected(LedgerStoreError::unavailable);
  return EarlierRun{.boot_id = boot->value_or(""), .leases = std::move(*leases)};
}

std::expected<void, LedgerStoreError> SqliteLeaseStore::begin_run(const std::string& boot_id) {
  const auto begun = database_.transaction([&]() -> DbResult<void> {
    if (const auto ended = change(database_, "DELETE FROM leases"); !ended) {
      return std::unexpected(ended.error());
    }
    const auto written = change(database_,
                                "INSERT INTO ledger_run (one, boot_id) VALUES (1, ?)"
                                " ON CONFLICT (one) DO UPDATE SET boot_id = excluded.boot_id",
                                boot_id);
    if (!written) return std::unexpected(written.error());
    return {};
  });
  if (!begun) return std::unexpected(LedgerStoreError::unavailable);
  return {};
}

std::expected<void, LedgerStoreError> SqliteLeaseStore::lease(const std::vector<Lease>& leases) {
  const auto written = database_.transaction([&]() -> DbResult<void> {
    for (const Lease& lease : leases) {
      const auto set = change(database_,
                              "INSERT INTO leases (budget_id, period_start, up_to_nanos)"
                              " VALUES (?, ?, ?) ON CONFLICT (budget_id) DO UPDATE SET"
                              " period_start = excluded.period_start,"
                              " up_to_nanos = excluded.up_to_nanos",
                              lease.budget, lease.period_start, lease.up_to);
      if (!set) return std::unexpected(set.error());
    }
    return {};
  });
  if (!written) return std::unexpected(LedgerStoreError::unavailable);
  return {};
}

}  // namespace claviger::store

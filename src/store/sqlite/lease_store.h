#pragma once

#include "budget/lease_store.h"
#include "store/sqlite/database.h"

namespace claviger::store {

/// Called under the ledger's lock, with the connection of its store.
class SqliteLeaseStore final : public budget::LeaseStore {
 public:
  /// `database` outlives this, is migrated, and was opened with Durability::power_cut.
  explicit SqliteLeaseStore(Database& database) : database_(database) {}

  std::expected<budget::EarlierRun, budget::LedgerStoreError> earlier_run() override;
  std::expected<void, budget::LedgerStoreError> begin_run(const std::string& boot_id) override;
  std::expected<void, budget::LedgerStoreError> lease(
      const std::vector<budget::Lease>& leases) override;

 private:
  Database& database_;
};

}  // namespace claviger::store

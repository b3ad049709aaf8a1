#pragma once

/// The ledger's money in SQLite; see budget/ledger_store.h for the promises.

#include "budget/ledger_store.h"
#include "store/sqlite/database.h"

namespace claviger::store {

class SqliteLedgerStore final : public budget::LedgerStore {
 public:
  /// `database` outlives this, is migrated, and was opened with Durability::power_cut: the
  /// ledger drops journal segments once they are folded.
  explicit SqliteLedgerStore(Database& database) : database_(database) {}

  std::expected<budget::LedgerState, budget::LedgerStoreError> load() override;
  std::expected<void, budget::LedgerStoreError> fold(const budget::FoldBatch& batch) override;
  std::expected<std::optional<budget::StoredHold>, budget::LedgerStoreError> find(
      const AttemptId& attempt) override;
  std::expected<std::vector<budget::StoredHold>, budget::LedgerStoreError> find_all(
      const RequestId& request) override;
  std::expected<std::vector<budget::StoredHold>, budget::LedgerStoreError> uncertain(
      std::size_t most) override;
  std::expected<std::uint32_t, budget::LedgerStoreError> add_note(
      const budget::CorrectionNote& note, WallTime now) override;
  std::expected<std::vector<budget::CorrectionEntry>, budget::LedgerStoreError> corrections(
      WallTime since, std::size_t most) override;

 private:
  Database& database_;
};

}  // namespace claviger::store

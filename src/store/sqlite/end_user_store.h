#pragma once

#include "budget/end_users.h"
#include "store/sqlite/database.h"

namespace claviger::store {

/// Rows of `end_users`, and of `budgets` with scope `end_user`. Called under the ledger's lock,
/// with the connection of its store.
class SqliteEndUserStore final : public budget::EndUserStore {
 public:
  /// `database` outlives this and is migrated.
  explicit SqliteEndUserStore(Database& database) : database_(database) {}

  std::expected<std::vector<budget::StoredEndUser>, budget::LedgerStoreError> end_users() override;
  std::expected<std::optional<BudgetId>, budget::LedgerStoreError> budget_of_end_user(
      const budget::EndUser& user, WallTime now) override;

 private:
  Database& database_;
};

}  // namespace claviger::store

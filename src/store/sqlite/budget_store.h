#pragma once

/// Budget definitions in SQLite; see budget/budget_store.h for the promises.

#include "budget/budget_store.h"
#include "store/sqlite/database.h"

namespace claviger::store {

class SqliteBudgetStore final : public budget::BudgetStore {
 public:
  /// `database` outlives this and is migrated.
  explicit SqliteBudgetStore(Database& database) : database_(database) {}

  budget::BudgetStoreResult<budget::Budget> add(budget::Budget budget, WallTime now) override;
  budget::BudgetStoreResult<void> replace(const budget::Budget& budget) override;
  budget::BudgetStoreResult<void> remove(BudgetId id, WallTime now) override;
  budget::BudgetStoreResult<std::vector<budget::Budget>> list() override;

 private:
  Database& database_;
};

/// Makes what the each_owner rules in force ask for and is not there yet: for one owner or,
/// with `owner` none, for all. Called inside the transaction that adds an owner or a rule.
DbResult<void> make_budgets_of_rules(Database& database, OwnerId owner, WallTime now);

/// Takes an owner's budgets out of force, inside the transaction that removes the owner.
DbResult<void> remove_budgets_of_owner(Database& database, OwnerId owner, WallTime now);

}  // namespace claviger::store

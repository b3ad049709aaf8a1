#include "store/sqlite/end_user_store.h"

#include "store/sqlite/sql.h"

namespace claviger::store {

using budget::EndUser;
using budget::LedgerStoreError;
using budget::StoredEndUser;

std::expected<std::vector<StoredEndUser>, LedgerStoreError> SqliteEndUserStore::end_users() {
  auto users = select<StoredEndUser>(
      database_,
      "SELECT budgets.id, budgets.rule_id, end_users.app_id, end_users.name"
      " FROM budgets JOIN end_users ON end_users.id = budgets.subject_id"
      " WHERE budgets.scope = 'end_user' AND budgets.removed_at IS NULL"
      " AND budgets.rule_id IS NOT NULL ORDER BY budgets.id",
      [](const Query& row) -> std::optional<StoredEndUser> {
        return StoredEndUser{BudgetId{row.integer(0)}, BudgetId{row.integer(1)},
                             AppId{row.integer(2)}, std::string(row.text(3))};
      });
  if (!users) return std::unexpected(LedgerStoreError::unavailable);
  return std::move(*users);
}

std::expected<std::optional<BudgetId>, LedgerStoreError> SqliteEndUserStore::budget_of_end_user(
    const EndUser& user, WallTime now) {
  const std::string name(user.name);
  const auto found = database_.transaction([&]() -> DbResult<std::optional<std::int64_t>> {
    const auto added = change(database_,
                              "INSERT INTO end_users (app_id, name, created_at) VALUES (?, ?, ?)"
                              " ON CONFLICT (app_id, name) DO NOTHING",
                              user.app, name, now);
    if (!added) return std::unexpected(added.error());
    const auto made = change(
        database_,
        "INSERT INTO budgets (scope, subject_id, limit_nanos, period, when_exhausted, warn,"
        " rule_id, created_at, time_zone, downgrade_to)"
        " SELECT 'end_user', end_users.id, rule.limit_nanos, rule.period, rule.when_exhausted,"
        " rule.warn, rule.id, ?, rule.time_zone, rule.downgrade_to"
        " FROM budgets AS rule JOIN end_users ON end_users.app_id = ? AND end_users.name = ?"
        " WHERE rule.id = ? AND rule.scope = 'each_user' AND rule.removed_at IS NULL"
        " ON CONFLICT DO NOTHING",
        now, user.app, name, user.rule);
    if (!made) return std::unexpected(made.error());
    return select_one<std::int64_t>(
        database_,
        "SELECT budgets.id FROM budgets JOIN end_users ON end_users.id = budgets.subject_id"
        " WHERE budgets.scope = 'end_user' AND budgets.rule_id = ? AND budgets.removed_at IS NULL"
        " AND end_users.app_id = ? AND end_users.name = ?",
        read_integer, user.rule, user.app, name);
  });
  if (!found) return std::unexpected(LedgerStoreError::unavailable);
  if (!*found) return std::optional<BudgetId>();
  return std::optional(BudgetId{**found});
}

}  // namespace claviger::store

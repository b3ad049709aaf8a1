#include "store/sqlite/budget_store.h"

#include <algorithm>
#include <charconv>

#include "store/sqlite/budget_words.h"
#include "store/sqlite/sql.h"

namespace claviger::store {
namespace {

using budget::Budget;
using budget::BudgetStoreError;
using budget::BudgetStoreResult;
using budget::Scope;

constexpr EnumWords<Scope, 8> kScopes{{{{Scope::workspace, "workspace"},
                                        {Scope::owner, "owner"},
                                        {Scope::app, "app"},
                                        {Scope::credential, "credential"},
                                        {Scope::virtual_key, "virtual_key"},
                                        {Scope::model, "model"},
                                        {Scope::each_owner, "each_owner"},
                                        {Scope::each_user, "each_user"}}}};

std::unexpected<BudgetStoreError> failed(const DatabaseError& error) {
  return std::unexpected(error.is_unique() ? BudgetStoreError::exists
                                           : BudgetStoreError::unavailable);
}

std::string percents_text(const std::vector<int>& percents) {
  std::string text;
  for (const int percent : percents) {
    if (!text.empty()) text += ',';
    text += std::to_string(percent);
  }
  return text;
}

std::string lines_of(const std::vector<std::string>& texts) {
  std::string lines;
  for (const std::string& text : texts) {
    if (!lines.empty()) lines += '\n';
    lines += text;
  }
  return lines;
}

std::vector<std::string> parse_lines(std::string_view lines) {
  std::vector<std::string> texts;
  while (!lines.empty()) {
    const std::size_t end = std::min(lines.find('\n'), lines.size());
    texts.emplace_back(lines.substr(0, end));
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
  return texts;
}

std::optional<std::vector<int>> parse_percents(std::string_view text) {
  std::vector<int> percents;
  while (!text.empty()) {
    int percent = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), percent);
    if (error != std::errc()) return std::nullopt;
    percents.push_back(percent);
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (text.empty()) break;
    if (text.front() != ',' || text.size() == 1) return std::nullopt;
    text.remove_prefix(1);
  }
  return percents;
}

std::optional<Budget> read_budget(const Query& row) {
  const auto scope = kScopes.parse(row.text(1));
  const auto period = kPeriods.parse(row.text(5));
  const auto policy = kPolicies.parse(row.text(6));
  auto percents = parse_percents(row.text(7));
  if (!scope || !period || !policy || !percents) return std::nullopt;
  return Budget{.terms = {.id = BudgetId{row.integer(0)},
                          .limit = NanoUsd(row.integer(4)),
                          .period = *period,
                          .when_exhausted = *policy},
                .scope = *scope,
                .subject = row.integer(2),
                .pattern = row.text(3),
                .rule = BudgetId{integer_or_null(row, 8).value_or(0)},
                .warn_percents = std::move(*percents),
                .time_zone = row.text(9),
                .downgrade_to = parse_lines(row.text(10))};
}

std::optional<std::int64_t> rule_or_null(BudgetId rule) {
  return rule.is_none() ? std::nullopt : std::optional(rule.value);
}

/// Whether what the budget is to be on is there and in force.
DbResult<bool> subject_exists(Database& database, Scope scope, std::int64_t subject) {
  std::string_view sql;
  switch (scope) {
    case Scope::workspace:
    case Scope::model:
    case Scope::each_owner:
    case Scope::each_user:
      return subject == 0;
    case Scope::owner:
      sql = "SELECT 1 FROM owners WHERE id = ? AND removed_at IS NULL";
      break;
    case Scope::app:
      sql = "SELECT 1 FROM apps WHERE id = ? AND removed_at IS NULL";
      break;
    case Scope::credential:
      sql = "SELECT 1 FROM credentials WHERE id = ? AND removed = 0";
      break;
    case Scope::virtual_key:
      sql = "SELECT 1 FROM virtual_keys WHERE id = ? AND revoked_at IS NULL";
      break;
  }
  const auto found = select_one<std::int64_t>(database, sql, read_integer, subject);
  if (!found) return std::unexpected(found.error());
  return found->has_value();
}

/// Puts an owner's budget back under the rule for its period, where there is one. In place,
/// with what was spent: removing and making anew would start again at zero.
DbResult<std::int64_t> fall_back_to_rule(Database& database, BudgetId id) {
  return change(database,
                "UPDATE budgets SET limit_nanos = rule.limit_nanos,"
                " when_exhausted = rule.when_exhausted, warn = rule.warn, rule_id = rule.id,"
                " time_zone = rule.time_zone, downgrade_to = rule.downgrade_to"
                " FROM budgets AS rule WHERE rule.scope = 'each_owner' AND rule.removed_at IS NULL"
                " AND rule.period = budgets.period AND budgets.id = ?"
                " AND budgets.scope = 'owner' AND budgets.removed_at IS NULL",
                id);
}

}  // namespace

DbResult<void> make_budgets_of_rules(Database& database, OwnerId owner, WallTime now) {
  const auto made = change(
      database,
      "INSERT INTO budgets (scope, subject_id, limit_nanos, period, when_exhausted, warn, rule_id,"
      " created_at, time_zone, downgrade_to)"
      " SELECT 'owner', owners.id, rule.limit_nanos, rule.period, rule.when_exhausted, rule.warn,"
      " rule.id, ?, rule.time_zone, rule.downgrade_to"
      " FROM budgets AS rule JOIN owners ON owners.removed_at IS NULL"
      " WHERE rule.scope = 'each_owner' AND rule.removed_at IS NULL AND ? IN (0, owners.id)"
      " AND NOT EXISTS (SELECT 1 FROM budgets AS own WHERE own.scope = 'owner'"
      "  AND own.subject_id = owners.id AND own.pattern = '' AND own.period = rule.period"
      "  AND own.removed_at IS NULL)"
      " ORDER BY owners.id, rule.id",
      now, owner);
  if (!made) return std::unexpected(made.error());
  return {};
}

DbResult<void> remove_budgets_of_owner(Database& database, OwnerId owner, WallTime now) {
  const auto removed = change(database,
                              "UPDATE budgets SET removed_at = ? WHERE scope = 'owner'"
                              " AND subject_id = ? AND removed_at IS NULL",
                              now, owner);
  if (!removed) return std::unexpected(removed.error());
  return {};
}

BudgetStoreResult<Budget> SqliteBudgetStore::add(Budget budget, WallTime now) {
  const auto added = database_.transaction([&]() -> DbResult<bool> {
    const auto exists = subject_exists(database_, budget.scope, budget.subject);
    if (!exists || !*exists) return exists;
    const auto inserted = change(
        database_,
        "INSERT INTO budgets (scope, subject_id, pattern, limit_nanos, period, when_exhausted,"
        " warn, rule_id, created_at, time_zone, downgrade_to)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        kScopes.of(budget.scope), budget.subject, budget.pattern, budget.terms.limit,
        kPeriods.of(budget.terms.period), kPolicies.of(budget.terms.when_exhausted),
        percents_text(budget.warn_percents), rule_or_null(budget.rule), now, budget.time_zone,
        lines_of(budget.downgrade_to));
    if (!inserted) return std::unexpected(inserted.error());
    budget.terms.id = BudgetId{database_.last_insert_id()};
    if (budget.scope == Scope::each_owner) {
      if (auto made = make_budgets_of_rules(database_, OwnerId{}, now); !made) {
        return std::unexpected(made.error());
      }
    }
    return true;
  });
  if (!added) return failed(added.error());
  if (!*added) return std::unexpected(BudgetStoreError::not_found);
  return budget;
}

BudgetStoreResult<void> SqliteBudgetStore::replace(const Budget& budget) {
  const auto replaced = database_.transaction([&]() -> DbResult<std::int64_t> {
    const std::string warn = percents_text(budget.warn_percents);
    const std::string_view policy = kPolicies.of(budget.terms.when_exhausted);
    const std::string downgrade_to = lines_of(budget.downgrade_to);
    const auto changed =
        change(database_,
               "UPDATE budgets SET limit_nanos = ?, when_exhausted = ?, warn = ?, rule_id = ?,"
               " time_zone = ?, downgrade_to = ?"
               " WHERE id = ? AND scope = ? AND subject_id = ? AND pattern = ? AND period = ?"
               " AND removed_at IS NULL",
               budget.terms.limit, policy, warn, rule_or_null(budget.rule), budget.time_zone,
               downgrade_to, budget.terms.id, kScopes.of(budget.scope), budget.subject,
               budget.pattern, kPeriods.of(budget.terms.period));
    const bool is_rule = budget.scope == Scope::each_owner || budget.scope == Scope::each_user;
    if (!changed || *changed == 0 || !is_rule) return changed;
    const auto handed_on =
        change(database_,
               "UPDATE budgets SET limit_nanos = ?, when_exhausted = ?,"
               " warn = ?, time_zone = ?, downgrade_to = ?"
               " WHERE rule_id = ? AND removed_at IS NULL",
               budget.terms.limit, policy, warn, budget.time_zone, downgrade_to, budget.terms.id);
    if (!handed_on) return handed_on;
    return changed;
  });
  if (!replaced) return failed(replaced.error());
  if (*replaced == 0) return std::unexpected(BudgetStoreError::not_found);
  return {};
}

BudgetStoreResult<void> SqliteBudgetStore::remove(BudgetId id, WallTime now) {
  const auto removed = database_.transaction([&]() -> DbResult<std::int64_t> {
    const auto fell_back = fall_back_to_rule(database_, id);
    if (!fell_back || *fell_back != 0) return fell_back;
    return change(database_,
                  "UPDATE budgets SET removed_at = ?1 WHERE removed_at IS NULL"
                  " AND (id = ?2 OR rule_id = ?2)",
                  now, id);
  });
  if (!removed) return failed(removed.error());
  if (*removed == 0) return std::unexpected(BudgetStoreError::not_found);
  return {};
}

BudgetStoreResult<std::vector<Budget>> SqliteBudgetStore::list() {
  auto budgets = select<Budget>(
      database_,
      "SELECT id, scope, subject_id, pattern, limit_nanos, period, when_exhausted, warn, rule_id,"
      " time_zone, downgrade_to"
      " FROM budgets WHERE removed_at IS NULL AND scope <> 'end_user' ORDER BY id",
      read_budget);
  if (!budgets) return failed(budgets.error());
  return std::move(*budgets);
}

}  // namespace claviger::store

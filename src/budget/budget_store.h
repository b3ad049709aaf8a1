#pragma once

/// Where the definitions of budgets are kept. The money itself (spent, held) is the ledger's
/// and lives in the LedgerStore: changing a limit must never touch what was spent.
///
/// What a budget *is*: its scope, subject, pattern and period. There is one in force for each
/// such four, and they never change. How much it allows can be replaced.
///
/// An each_owner rule is a template: it makes one budget of scope `owner` for every owner, in
/// the same transaction in which the rule or the owner appears, so that there is no moment at
/// which an owner has no ceiling. An owner who has a budget of their own for that period keeps
/// it, and the rule makes none for them.
///
/// Implemented by store/; the control thread is the only caller, so methods block.

#include <cstdint>
#include <expected>
#include <vector>

#include "base/time.h"
#include "budget/budget_book.h"

namespace claviger::budget {

enum class BudgetStoreError : std::uint8_t {
  unavailable,  ///< The database did not take it (locked, full disk, I/O error).
  exists,       ///< There is one in force with this scope, subject, pattern and period.
  not_found,    ///< No such budget, or its subject (owner, app, credential, key) is not there.
};

template <typename T>
using BudgetStoreResult = std::expected<T, BudgetStoreError>;

class BudgetStore {
 public:
  virtual ~BudgetStore() = default;

  /// Stores a new budget; `budget.terms.id` is ignored and set in what is returned. A rule
  /// (Scope::each_owner) makes budgets for all owners at once: list() has them.
  /// Errors: exists, not_found, unavailable.
  virtual BudgetStoreResult<Budget> add(Budget budget, WallTime now) = 0;

  /// Replaces limit, policy, warnings and rule of the budget with this id. A rule hands its
  /// new limit, policy and warnings on to the budgets that it made. Replacing one of those
  /// with `rule` none makes it the owner's own: the rule leaves it alone from then on.
  /// Errors: not_found (also where scope, subject, pattern or period differ), unavailable.
  virtual BudgetStoreResult<void> replace(const Budget& budget) = 0;

  /// What was spent under it stays on record. A rule takes the budgets that it made along. An
  /// owner's budget for whose period a rule is in force falls back to the rule instead, with
  /// what was spent: it stays in list(), with the rule's limit.
  /// Errors: not_found, unavailable.
  virtual BudgetStoreResult<void> remove(BudgetId id, WallTime now) = 0;

  /// Those in force, by id, rules included (nothing is ever spent on a rule itself). Budgets of
  /// end users are not among them: the ledger keeps those, in an EndUserStore.
  virtual BudgetStoreResult<std::vector<Budget>> list() = 0;
};

}  // namespace claviger::budget

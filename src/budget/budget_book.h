#pragma once

/// Which budgets a request concerns: the definitions, matched by scope. The ledger keeps the
/// money; this says where it applies.

#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "budget/ledger.h"

namespace claviger::budget {

/// What a budget is on. An `each_user` rule gives each end user whom an application names a
/// budget when it is first needed; those are the ledger's to keep (end_users.h). An `each_owner`
/// rule holds no money itself: it makes a budget of
/// Scope::owner for every owner, which names it in `rule`.
enum class Scope : std::uint8_t {
  workspace,
  owner,
  app,
  credential,
  virtual_key,
  model,
  each_owner,
  each_user
};

struct Budget {
  BudgetTerms terms;
  Scope scope = Scope::workspace;
  std::int64_t subject = 0;  ///< Row id of the owner, app, credential or key.
  std::string pattern;       ///< For Scope::model: `openai/*`, `openai/gpt-4o*`.
  BudgetId rule;             ///< The each_owner rule that made this owner's budget, or none.
  std::vector<int> warn_percents{50, 80, 95, 100};
  /// IANA name of the zone in which its periods begin; empty: that of its subject's owner, or
  /// UTC. What is in force stands in `terms.zone`.
  std::string time_zone;
  /// For WhenExhausted::downgrade: the models that may stand in. The cheapest is asked first.
  std::vector<std::string> downgrade_to;
};
inline constexpr std::size_t kDowngradesMax = 16;

/// Everything about a request that a budget can be set on.
struct Subjects {
  OwnerId owner;
  AppId app;
  CredentialId credential;
  VirtualKeyId key;
  std::string_view model;  ///< `provider/model`.
};

/// Immutable once built; share it between threads freely. Look-ups take no lock and allocate
/// nothing.
class BudgetBook {
 public:
  /// Ids are unique: they come from one table.
  explicit BudgetBook(std::vector<Budget> budgets);

  /// All budgets on any of these. Errors: how many there were, where more than
  /// BudgetSet::kMost; or 0 where there was none: no credential without a ceiling. Rules for
  /// each end user count as one each, and are not in the set: user_rules() has them.
  std::expected<BudgetSet, std::size_t> concerned(const Subjects& subjects) const;
  std::span<const BudgetId> user_rules() const { return user_rules_; }
  /// Null where there is none. Lives as long as the book.
  const Budget* find(BudgetId id) const;
  const std::vector<Budget>& budgets() const { return budgets_; }

 private:
  /// A budget on one subject, so that a request looks at those that concern it and not at all.
  struct Place {
    Scope scope;
    std::int64_t subject;
    std::size_t index;
  };
  std::vector<Budget> budgets_;
  std::vector<Place> by_subject_;        ///< Sorted by scope and subject.
  std::vector<std::size_t> by_pattern_;  ///< Budgets on models: each pattern is tried.
  std::vector<std::size_t> by_id_;       ///< Sorted by id.
  std::vector<BudgetId> user_rules_;
};

/// `openai/*` and the like: '*' stands for any run of characters, all else for itself.
bool matches_pattern(std::string_view pattern, std::string_view text);

}  // namespace claviger::budget

#include "budget/end_users.h"

namespace claviger::budget {

std::optional<BudgetId> EndUserBudgets::find(const EndUser& user) const {
  const Shard& shard = shard_of(user);
  const std::scoped_lock lock(shard.mutex);
  const auto place = shard.budgets.find(user);
  if (place == shard.budgets.end()) return std::nullopt;
  return place->second;
}

void EndUserBudgets::add(const StoredEndUser& user) {
  const EndUser key{.rule = user.rule, .app = user.app, .name = user.name};
  Shard& shard = shards_[Hash{}(key) % kShards];
  const std::scoped_lock lock(shard.mutex);
  if (shard.budgets.emplace(Key{user.rule, user.app, user.name}, user.budget).second) ++size_;
}

void EndUserBudgets::set_rule(const BudgetTerms& terms) {
  const std::scoped_lock lock(rules_mutex_);
  rules_[terms.id] = terms;
}

std::optional<std::vector<BudgetId>> EndUserBudgets::remove_rule(BudgetId rule) {
  {
    const std::scoped_lock lock(rules_mutex_);
    if (rules_.erase(rule) == 0) return std::nullopt;
  }
  std::vector<BudgetId> made;
  for (Shard& shard : shards_) {
    const std::scoped_lock lock(shard.mutex);
    size_ -= std::erase_if(shard.budgets, [&](const auto& entry) {
      if (entry.first.rule != rule) return false;
      made.push_back(entry.second);
      return true;
    });
  }
  return made;
}

std::optional<BudgetTerms> EndUserBudgets::terms_for(BudgetId rule, BudgetId budget) const {
  const std::scoped_lock lock(rules_mutex_);
  const auto place = rules_.find(rule);
  if (place == rules_.end()) return std::nullopt;
  BudgetTerms terms = place->second;
  terms.id = budget;
  return terms;
}

std::vector<StoredEndUser> EndUserBudgets::of_rule(BudgetId rule) const {
  std::vector<StoredEndUser> found;
  for (const Shard& shard : shards_) {
    const std::scoped_lock lock(shard.mutex);
    for (const auto& [key, budget] : shard.budgets) {
      if (key.rule == rule) found.push_back({budget, rule, key.app, key.name});
    }
  }
  return found;
}

}  // namespace claviger::budget

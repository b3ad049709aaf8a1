#include "budget/budget_book.h"

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

namespace claviger::budget {

BudgetBook::BudgetBook(std::vector<Budget> budgets) : budgets_(std::move(budgets)) {
  for (std::size_t index = 0; index < budgets_.size(); ++index) {
    const Budget& budget = budgets_[index];
    by_id_.push_back(index);
    switch (budget.scope) {
      case Scope::each_owner:
        break;
      case Scope::each_user:
        user_rules_.push_back(budget.terms.id);
        break;
      case Scope::model:
        by_pattern_.push_back(index);
        break;
      case Scope::workspace:
        by_subject_.push_back({budget.scope, 0, index});
        break;
      case Scope::owner:
      case Scope::app:
      case Scope::credential:
      case Scope::virtual_key:
        by_subject_.push_back({budget.scope, budget.subject, index});
        break;
    }
  }
  std::ranges::sort(by_subject_, {}, [](const Place& place) {
    return std::tuple(place.scope, place.subject, place.index);
  });
  std::ranges::sort(by_id_, {}, [this](std::size_t index) { return budgets_[index].terms.id; });
}

std::expected<BudgetSet, std::size_t> BudgetBook::concerned(const Subjects& subjects) const {
  BudgetSet set;
  std::size_t found = user_rules_.size();
  const auto take = [&](std::size_t index) {
    ++found;
    // A full set is found out by the count, which goes on: the caller is told how many.
    [[maybe_unused]] const bool fits = set.add(budgets_[index].terms.id);
  };

  const std::array<std::pair<Scope, std::int64_t>, 5> wanted{{
      {Scope::workspace, 0},
      {Scope::owner, subjects.owner.value},
      {Scope::app, subjects.app.value},
      {Scope::credential, subjects.credential.value},
      {Scope::virtual_key, subjects.key.value},
  }};
  for (const auto& key : wanted) {
    const auto range = std::ranges::equal_range(by_subject_, key, {}, [](const Place& place) {
      return std::pair(place.scope, place.subject);
    });
    for (const Place& place : range) take(place.index);
  }
  for (const std::size_t index : by_pattern_) {
    if (matches_pattern(budgets_[index].pattern, subjects.model)) take(index);
  }

  if (found == 0 || found > BudgetSet::kMost) return std::unexpected(found);
  return set;
}

const Budget* BudgetBook::find(BudgetId id) const {
  const auto place = std::ranges::lower_bound(
      by_id_, id, {}, [this](std::size_t index) { return budgets_[index].terms.id; });
  if (place == by_id_.end() || budgets_[*place].terms.id != id) return nullptr;
  return &budgets_[*place];
}

bool matches_pattern(std::string_view pattern, std::string_view text) {
  constexpr std::size_t kNone = std::string_view::npos;
  std::size_t at = 0;
  std::size_t star = kNone;        // The last '*' met, and how much of the text it stands for
  std::size_t star_covers_to = 0;  // so far: the only choice that ever has to be taken back.
  for (std::size_t here = 0; here < text.size();) {
    if (at < pattern.size() && pattern[at] == '*') {
      star = at++;
      star_covers_to = here;
    } else if (at < pattern.size() && pattern[at] == text[here]) {
      ++at;
      ++here;
    } else if (star != kNone) {
      at = star + 1;
      here = ++star_covers_to;
    } else {
      return false;
    }
  }
  while (at < pattern.size() && pattern[at] == '*') ++at;
  return at == pattern.size();
}

}  // namespace claviger::budget

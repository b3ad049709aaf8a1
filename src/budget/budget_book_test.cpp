#include "budget/budget_book.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

namespace claviger::budget {
namespace {

Budget on(std::int64_t id, Scope scope, std::int64_t subject, std::string pattern = {}) {
  Budget budget;
  budget.terms.id = BudgetId{id};
  budget.terms.limit = dollars(1);
  budget.scope = scope;
  budget.subject = subject;
  budget.pattern = std::move(pattern);
  return budget;
}

const Subjects kRequest{
    .owner = {7}, .app = {8}, .credential = {9}, .key = {10}, .model = "openai/gpt-4o-mini"};

std::vector<std::int64_t> ids(const BudgetSet& set) {
  std::vector<std::int64_t> values;
  for (const BudgetId id : set.ids()) values.push_back(id.value);
  std::ranges::sort(values);
  return values;
}

TEST(BudgetBook, ARequestConcernsTheBudgetsOnEverythingItTouches) {
  const BudgetBook book({on(1, Scope::workspace, 0), on(2, Scope::owner, 7), on(3, Scope::owner, 6),
                         on(4, Scope::app, 8), on(5, Scope::app, 7), on(6, Scope::credential, 9),
                         on(7, Scope::virtual_key, 10), on(8, Scope::virtual_key, 9),
                         on(9, Scope::model, 0, "openai/*"), on(10, Scope::model, 0, "google/*")});

  const auto set = book.concerned(kRequest);

  ASSERT_TRUE(set);
  EXPECT_EQ(ids(*set), (std::vector<std::int64_t>{1, 2, 4, 6, 7, 9}));
}

TEST(BudgetBook, SeveralBudgetsOnOneSubjectAllCount) {
  const BudgetBook book({on(1, Scope::owner, 7), on(2, Scope::owner, 7)});

  EXPECT_EQ(ids(book.concerned(kRequest).value()), (std::vector<std::int64_t>{1, 2}));
}

TEST(BudgetBook, NoBudgetAtAllIsAnErrorAndNotFreedom) {
  EXPECT_EQ(BudgetBook({}).concerned(kRequest).error(), 0u);
  EXPECT_EQ(BudgetBook({on(1, Scope::owner, 6)}).concerned(kRequest).error(), 0u);
}

TEST(BudgetBook, ARuleHoldsNoMoneyItself) {
  const BudgetBook book({on(1, Scope::each_owner, 0)});

  EXPECT_EQ(book.concerned(kRequest).error(), 0u);
  ASSERT_NE(book.find(BudgetId{1}), nullptr);
}

TEST(BudgetBook, MoreBudgetsThanFitAreCountedAndNoneIsSilentlyLeftOut) {
  std::vector<Budget> budgets;
  for (std::int64_t id = 1; id <= 8; ++id) budgets.push_back(on(id, Scope::owner, 7));
  EXPECT_EQ(BudgetBook(budgets).concerned(kRequest).value().size(), BudgetSet::kMost);

  budgets.push_back(on(9, Scope::model, 0, "*"));
  EXPECT_EQ(BudgetBook(budgets).concerned(kRequest).error(), 9u);
}

TEST(BudgetBook, FindsABudgetById) {
  const BudgetBook book({on(5, Scope::owner, 1), on(2, Scope::app, 1), on(9, Scope::workspace, 0)});

  EXPECT_EQ(book.find(BudgetId{2})->scope, Scope::app);
  EXPECT_EQ(book.find(BudgetId{9})->scope, Scope::workspace);
  EXPECT_EQ(book.find(BudgetId{3}), nullptr);
  EXPECT_EQ(book.find(BudgetId{}), nullptr);
}

TEST(ModelPattern, AStarStandsForAnyRunOfCharacters) {
  EXPECT_TRUE(matches_pattern("openai/*", "openai/gpt-4o"));
  EXPECT_TRUE(matches_pattern("openai/gpt-4o*", "openai/gpt-4o"));
  EXPECT_TRUE(matches_pattern("*/gpt-4o*", "azure/gpt-4o-mini"));
  EXPECT_TRUE(matches_pattern("*mini", "openai/gpt-4o-mini-mini"));
  EXPECT_TRUE(matches_pattern("*", ""));
  EXPECT_TRUE(matches_pattern("", ""));
  EXPECT_FALSE(matches_pattern("", "x"));
  EXPECT_FALSE(matches_pattern("openai/*", "openai"));
  EXPECT_FALSE(matches_pattern("openai/gpt-4o", "openai/gpt-4o-mini"));
  EXPECT_FALSE(matches_pattern("*mini", "openai/gpt-4o-mini-high"));
}

TEST(ModelPattern, EverythingButTheStarStandsForItself) {
  EXPECT_TRUE(matches_pattern("a.b", "a.b"));
  EXPECT_FALSE(matches_pattern("a.b", "axb"));
  EXPECT_FALSE(matches_pattern("a?b", "axb"));
  EXPECT_FALSE(matches_pattern("OpenAI/*", "openai/gpt-4o"));
}

/// The definition itself, too slow for long texts.
bool matches_by_definition(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern.front() == '*') {
    return matches_by_definition(pattern.substr(1), text) ||
           (!text.empty() && matches_by_definition(pattern, text.substr(1)));
  }
  return !text.empty() && pattern.front() == text.front() &&
         matches_by_definition(pattern.substr(1), text.substr(1));
}

TEST(ModelPattern, AgreesWithTheDefinition) {
  constexpr unsigned kSeed = 20261123;
  RecordProperty("seed", static_cast<int>(kSeed));
  std::mt19937 random(kSeed);
  const auto text_of = [&random](std::string_view letters, std::size_t length_max) {
    std::string text(random() % (length_max + 1), ' ');
    for (char& letter : text) letter = letters[random() % letters.size()];
    return text;
  };
  for (int round = 0; round < 20'000; ++round) {
    const std::string pattern = text_of("ab*", 7);
    const std::string text = text_of("ab", 9);
    ASSERT_EQ(matches_pattern(pattern, text), matches_by_definition(pattern, text))
        << pattern << " on " << text << ", seed " << kSeed;
  }
}

}  // namespace
}  // namespace claviger::budget

#include "budget/end_users.h"

#include <gtest/gtest.h>

#include <map>

#include "budget/journal_ledger_fixture.h"

namespace claviger::budget {
namespace {

/// Remembers, and counts how often it was asked to make one.
class MemoryEndUsers final : public EndUserStore {
 public:
  std::expected<std::vector<StoredEndUser>, LedgerStoreError> end_users() override {
    std::vector<StoredEndUser> all;
    for (const auto& [name, user] : users_) all.push_back(user);
    return all;
  }
  std::expected<std::optional<BudgetId>, LedgerStoreError> budget_of_end_user(const EndUser& user,
                                                                              WallTime) override {
    ++asked;
    if (is_broken) return std::unexpected(LedgerStoreError::unavailable);
    const auto [place, is_new] = users_.try_emplace(
        std::to_string(user.app.value) + "/" + std::string(user.name),
        StoredEndUser{BudgetId{next_}, user.rule, user.app, std::string(user.name)});
    if (is_new) ++next_;
    return place->second.budget;
  }
  int asked = 0;
  bool is_broken = false;

 private:
  std::int64_t next_ = 500;
  std::map<std::string, StoredEndUser> users_;
};

struct EndUsersTest : JournalLedgerTest {
  std::unique_ptr<JournalLedger> start(std::size_t most = 100) {
    JournalLedgerConfig config = by_hand();
    config.end_users = &users;
    config.end_users_max = most;
    auto ledger = open(std::move(config));
    set_rule(*ledger, cents(10));
    return ledger;
  }
  static void set_rule(Ledger& ledger, NanoUsd limit) {
    ASSERT_TRUE(run(ledger.set_rule({.id = kRule,
                                     .limit = limit,
                                     .period = Period::total,
                                     .when_exhausted = WhenExhausted::refuse})));
  }
  static Result<BudgetId> of(Ledger& ledger, std::string_view name, std::int64_t app = 1) {
    return run(ledger.budget_of({.rule = kRule, .app = AppId{app}, .name = name}));
  }
  static constexpr BudgetId kRule{9};
  MemoryEndUsers users;
};

TEST_F(EndUsersTest, EachEndUserHasALimitOfTheirOwn) {
  const auto ledger = start();
  const BudgetId ann = of(*ledger, "ann").value();
  const BudgetId bob = of(*ledger, "bob").value();
  ASSERT_NE(ann, bob);

  ASSERT_TRUE(run(ledger->reserve(reservation(attempt(1), on({ann.value}), cents(9)))));

  EXPECT_FALSE(run(ledger->reserve(reservation(attempt(2), on({ann.value}), cents(9)))));
  EXPECT_TRUE(run(ledger->reserve(reservation(attempt(3), on({bob.value}), cents(9)))));
}

TEST_F(EndUsersTest, TheSameNameInTwoAppsIsTwoPeopleAndNoNameIsOne) {
  const auto ledger = start();

  EXPECT_NE(of(*ledger, "ann", 1).value(), of(*ledger, "ann", 2).value());
  EXPECT_EQ(of(*ledger, "", 1).value(), of(*ledger, "", 1).value());
}

TEST_F(EndUsersTest, OnlyTheFirstRequestOfSomebodyAsksTheStore) {
  const auto ledger = start();
  for (int time = 0; time < 5; ++time) ASSERT_TRUE(of(*ledger, "ann"));

  EXPECT_EQ(users.asked, 1);
}

TEST_F(EndUsersTest, WhatTheySpentOutlastsACrash) {
  auto ledger = start();
  const BudgetId ann = of(*ledger, "ann").value();
  ASSERT_TRUE(run(ledger->reserve(reservation(attempt(1), on({ann.value}), cents(9)))));
  ASSERT_TRUE(run(ledger->settle(HoldId{attempt(1)}, cents(9), Certainty::billed)));
  ledger->abandon();
  ledger.reset();

  ledger = start();

  EXPECT_EQ(of(*ledger, "ann").value(), ann);
  EXPECT_EQ(users.asked, 1) << "it is known from the start";
  EXPECT_FALSE(run(ledger->reserve(reservation(attempt(2), on({ann.value}), cents(2)))));
}

TEST_F(EndUsersTest, AtTheBoundThoseWhoAreKnownGoOnAndOthersAreRefused) {
  const auto ledger = start(2);
  ASSERT_TRUE(of(*ledger, "ann"));
  ASSERT_TRUE(of(*ledger, "bob"));

  EXPECT_EQ(of(*ledger, "eve").error().error, LedgerError::too_many_end_users);
  EXPECT_TRUE(of(*ledger, "ann"));
}

TEST_F(EndUsersTest, WhereTheStoreDoesNotAnswerNobodyNewIsServed) {
  const auto ledger = start();
  users.is_broken = true;

  EXPECT_EQ(of(*ledger, "ann").error().error, LedgerError::unavailable);
}

TEST_F(EndUsersTest, ARulesNewLimitHoldsForAllAtOnceAndARemovedRuleTakesThemAlong) {
  const auto ledger = start();
  const BudgetId ann = of(*ledger, "ann").value();

  set_rule(*ledger, cents(20));
  EXPECT_EQ(run(ledger->balance(ann))->limit, cents(20));
  ASSERT_TRUE(run(ledger->remove(kRule)));

  EXPECT_FALSE(run(ledger->balance(ann)));
  EXPECT_EQ(of(*ledger, "ann").error().error, LedgerError::unknown_budget);
}

}  // namespace
}  // namespace claviger::budget

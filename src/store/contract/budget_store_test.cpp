#include <gmock/gmock.h>

#include "store/contract/store_under_test.h"

namespace claviger::store {
namespace {

using budget::Budget;
using budget::BudgetStoreError;
using budget::Period;
using budget::Scope;
using budget::WhenExhausted;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class BudgetStoreContract : public StoreContract {
 protected:
  budget::BudgetStore& budgets() { return store_->budgets(); }

  static Budget on(Scope scope, std::int64_t subject = 0, NanoUsd limit = dollars(10)) {
    Budget budget;
    budget.scope = scope;
    budget.subject = subject;
    budget.terms.limit = limit;
    return budget;
  }
  /// The budgets in force on one owner.
  std::vector<Budget> of(OwnerId owner) {
    std::vector<Budget> found;
    for (Budget& budget : budgets().list().value()) {
      if (budget.scope == Scope::owner && budget.subject == owner.value) {
        found.push_back(std::move(budget));
      }
    }
    return found;
  }
};
CLAVIGER_OVER_ALL_STORES(BudgetStoreContract);

TEST_P(BudgetStoreContract, ABudgetComesBackWithEverythingAboutIt) {
  Budget budget = on(Scope::model, 0, NanoUsd(123'456'789));
  budget.pattern = "openai/gpt-4o*";
  budget.terms.period = Period::week;
  budget.terms.when_exhausted = WhenExhausted::refuse;
  budget.warn_percents = {10, 99};
  budget.time_zone = "Asia/Kathmandu";
  budget.downgrade_to = {"openai/gpt-4o-mini", "local/my-model"};
  const Budget added = budgets().add(budget, now_).value();
  store_->reopen();

  const auto list = budgets().list().value();
  ASSERT_THAT(list, SizeIs(1));
  EXPECT_FALSE(added.terms.id.is_none());
  EXPECT_EQ(list[0].terms.id, added.terms.id);
  EXPECT_EQ(list[0].terms.limit, NanoUsd(123'456'789));
  EXPECT_EQ(list[0].terms.period, Period::week);
  EXPECT_EQ(list[0].terms.when_exhausted, WhenExhausted::refuse);
  EXPECT_EQ(list[0].scope, Scope::model);
  EXPECT_EQ(list[0].subject, 0);
  EXPECT_EQ(list[0].pattern, "openai/gpt-4o*");
  EXPECT_TRUE(list[0].rule.is_none());
  EXPECT_EQ(list[0].warn_percents, (std::vector<int>{10, 99}));
  EXPECT_EQ(list[0].time_zone, "Asia/Kathmandu");
  EXPECT_EQ(list[0].downgrade_to, budget.downgrade_to);
}

TEST_P(BudgetStoreContract, NoWarningsAreNoWarnings) {
  Budget budget = on(Scope::workspace);
  budget.warn_percents.clear();
  ASSERT_TRUE(budgets().add(budget, now_));
  EXPECT_THAT(budgets().list().value().at(0).warn_percents, IsEmpty());
}

TEST_P(BudgetStoreContract, OneBudgetPerScopeSubjectPatternAndPeriod) {
  Budget budget = on(Scope::owner, owner().value);
  ASSERT_TRUE(budgets().add(budget, now_));
  EXPECT_EQ(budgets().add(budget, now_).error(), BudgetStoreError::exists);
  budget.terms.period = Period::day;
  EXPECT_TRUE(budgets().add(budget, now_));
  budget.subject = owner("bob").value;
  EXPECT_TRUE(budgets().add(budget, now_));
}

TEST_P(BudgetStoreContract, WhatABudgetIsOnHasToBeThere) {
  const auto missing = std::unexpected(BudgetStoreError::not_found);
  for (const Scope scope : {Scope::owner, Scope::app, Scope::credential, Scope::virtual_key}) {
    const auto added = budgets().add(on(scope, 77), now_);
    ASSERT_FALSE(added);
    EXPECT_EQ(added.error(), missing.error());
  }
  const OwnerId gone = owner("gone");
  ASSERT_TRUE(store_->access().remove_owner(gone, now_));
  EXPECT_EQ(budgets().add(on(Scope::owner, gone.value), now_).error(), BudgetStoreError::not_found);
  EXPECT_THAT(budgets().list().value(), IsEmpty());
}

TEST_P(BudgetStoreContract, BudgetsOnAppsCredentialsAndKeysAreTaken) {
  const OwnerId ada = owner();
  const AppId notes = app();
  access::VirtualKey key;
  key.hash = std::string(32, 'h');
  key.owner = ada;
  key.app = notes;
  const auto key_id = store_->access().add_key(key).value().id;
  vault::SealedCredential sealed;
  sealed.about.id = store_->vault().next_credential_id().value();
  sealed.about.owner = ada;
  sealed.about.name = "work";
  ASSERT_TRUE(store_->vault().put(sealed));
  EXPECT_TRUE(budgets().add(on(Scope::app, notes.value), now_));
  EXPECT_TRUE(budgets().add(on(Scope::credential, sealed.about.id.value), now_));
  EXPECT_TRUE(budgets().add(on(Scope::virtual_key, key_id.value), now_));
}

TEST_P(BudgetStoreContract, ReplaceChangesWhatABudgetAllows) {
  Budget budget = budgets().add(on(Scope::workspace), now_).value();
  budget.terms.limit = dollars(3);
  budget.terms.when_exhausted = WhenExhausted::refuse;
  budget.warn_percents = {90};
  ASSERT_TRUE(budgets().replace(budget));
  const Budget found = budgets().list().value().at(0);
  EXPECT_EQ(found.terms.id, budget.terms.id);
  EXPECT_EQ(found.terms.limit, dollars(3));
  EXPECT_EQ(found.terms.when_exhausted, WhenExhausted::refuse);
  EXPECT_EQ(found.warn_percents, std::vector<int>{90});
}

TEST_P(BudgetStoreContract, ReplaceCannotChangeWhatABudgetIs) {
  const Budget budget = budgets().add(on(Scope::workspace), now_).value();
  Budget other = budget;
  other.terms.period = Period::day;
  EXPECT_EQ(budgets().replace(other).error(), BudgetStoreError::not_found);
  other = budget;
  other.scope = Scope::model;
  other.pattern = "*";
  EXPECT_EQ(budgets().replace(other).error(), BudgetStoreError::not_found);
  other = budget;
  other.terms.id = BudgetId{999};
  EXPECT_EQ(budgets().replace(other).error(), BudgetStoreError::not_found);
}

TEST_P(BudgetStoreContract, RemovedBudgetsAreGoneAndTheirPlaceIsFree) {
  const Budget budget = budgets().add(on(Scope::workspace), now_).value();
  ASSERT_TRUE(budgets().remove(budget.terms.id, later_));
  EXPECT_EQ(budgets().remove(budget.terms.id, later_).error(), BudgetStoreError::not_found);
  EXPECT_EQ(budgets().replace(budget).error(), BudgetStoreError::not_found);
  EXPECT_THAT(budgets().list().value(), IsEmpty());
  EXPECT_NE(budgets().add(on(Scope::workspace), later_).value().terms.id, budget.terms.id);
}

TEST_P(BudgetStoreContract, ANewOwnerGetsWhatTheRulesSay) {
  Budget daily = on(Scope::each_owner, 0, dollars(1));
  daily.terms.period = Period::day;
  daily.terms.when_exhausted = WhenExhausted::refuse;
  daily.warn_percents = {75};
  const Budget monthly = budgets().add(on(Scope::each_owner, 0, dollars(10)), now_).value();
  daily = budgets().add(daily, now_).value();

  const auto made = of(owner("ada"));

  ASSERT_THAT(made, SizeIs(2));
  EXPECT_EQ(made[0].rule, monthly.terms.id);
  EXPECT_EQ(made[0].terms.limit, dollars(10));
  EXPECT_EQ(made[1].rule, daily.terms.id);
  EXPECT_EQ(made[1].terms.limit, dollars(1));
  EXPECT_EQ(made[1].terms.period, Period::day);
  EXPECT_EQ(made[1].terms.when_exhausted, WhenExhausted::refuse);
  EXPECT_EQ(made[1].warn_percents, std::vector<int>{75});
}

TEST_P(BudgetStoreContract, AnOwnerWhoCannotHaveABudgetIsNotAdded) {
  ASSERT_TRUE(budgets().add(on(Scope::each_owner), now_));
  store_->refuse_writes();
  ASSERT_FALSE(store_->access().add_owner("ada", access::OwnerType::person, now_));
  store_->reopen();
  EXPECT_THAT(store_->access().owners().value(), IsEmpty());
  EXPECT_THAT(budgets().list().value(), SizeIs(1));
}

TEST_P(BudgetStoreContract, ANewRuleReachesTheOwnersWhoAreThere) {
  const OwnerId ada = owner("ada");
  const OwnerId bob = owner("bob");
  const OwnerId gone = owner("gone");
  ASSERT_TRUE(store_->access().remove_owner(gone, now_));
  const Budget rule = budgets().add(on(Scope::each_owner), now_).value();
  ASSERT_THAT(of(ada), SizeIs(1));
  ASSERT_THAT(of(bob), SizeIs(1));
  EXPECT_THAT(of(gone), IsEmpty());
  EXPECT_EQ(of(ada)[0].rule, rule.terms.id);
}

TEST_P(BudgetStoreContract, AnOwnersOwnBudgetBeatsTheRule) {
  const OwnerId ada = owner("ada");
  const Budget own = budgets().add(on(Scope::owner, ada.value, dollars(50)), now_).value();
  ASSERT_TRUE(budgets().add(on(Scope::each_owner, 0, dollars(10)), now_));
  ASSERT_THAT(of(ada), SizeIs(1));
  EXPECT_EQ(of(ada)[0].terms.id, own.terms.id);
  EXPECT_EQ(of(ada)[0].terms.limit, dollars(50));
}

TEST_P(BudgetStoreContract, ChangingARuleChangesWhatItMadeAndNothingElse) {
  const OwnerId ada = owner("ada");
  const OwnerId bob = owner("bob");
  Budget rule = budgets().add(on(Scope::each_owner, 0, dollars(10)), now_).value();
  Budget own = of(bob).at(0);
  own.rule = BudgetId{};
  own.terms.limit = dollars(70);
  ASSERT_TRUE(budgets().replace(own));

  rule.terms.limit = dollars(4);
  rule.terms.when_exhausted = WhenExhausted::refuse;
  rule.warn_percents = {60};
  ASSERT_TRUE(budgets().replace(rule));

  EXPECT_EQ(of(ada).at(0).terms.limit, dollars(4));
  EXPECT_EQ(of(ada).at(0).terms.when_exhausted, WhenExhausted::refuse);
  EXPECT_EQ(of(ada).at(0).warn_percents, std::vector<int>{60});
  EXPECT_EQ(of(bob).at(0).terms.limit, dollars(70));
}

TEST_P(BudgetStoreContract, RemovingAnOwnersBudgetFallsBackToTheRuleWithItsSpend) {
  const OwnerId ada = owner("ada");
  const Budget rule = budgets().add(on(Scope::each_owner, 0, dollars(10)), now_).value();
  Budget own = of(ada).at(0);
  own.rule = BudgetId{};
  own.terms.limit = dollars(70);
  ASSERT_TRUE(budgets().replace(own));

  ASSERT_TRUE(budgets().remove(own.terms.id, later_));

  ASSERT_THAT(of(ada), SizeIs(1));
  EXPECT_EQ(of(ada)[0].terms.id, own.terms.id) << "spend starts at zero under a new id";
  EXPECT_EQ(of(ada)[0].terms.limit, dollars(10));
  EXPECT_EQ(of(ada)[0].rule, rule.terms.id);
}

TEST_P(BudgetStoreContract, ARuleTakesWhatItMadeAlong) {
  const OwnerId ada = owner("ada");
  const Budget rule = budgets().add(on(Scope::each_owner), now_).value();
  ASSERT_TRUE(budgets().remove(rule.terms.id, later_));
  EXPECT_THAT(budgets().list().value(), IsEmpty());
  EXPECT_THAT(of(ada), IsEmpty());
  EXPECT_THAT(of(owner("bob")), IsEmpty());
}

TEST_P(BudgetStoreContract, ARemovedOwnersBudgetsAreNotInForce) {
  ASSERT_TRUE(budgets().add(on(Scope::each_owner), now_));
  const OwnerId ada = owner("ada");
  ASSERT_TRUE(store_->access().remove_owner(ada, later_));
  EXPECT_THAT(of(ada), IsEmpty());
}

TEST_P(BudgetStoreContract, AFullDiskIsSaid) {
  const Budget budget = budgets().add(on(Scope::workspace), now_).value();
  store_->refuse_writes();
  EXPECT_EQ(budgets().add(on(Scope::each_owner), now_).error(), BudgetStoreError::unavailable);
  EXPECT_EQ(budgets().replace(budget).error(), BudgetStoreError::unavailable);
  EXPECT_EQ(budgets().remove(budget.terms.id, now_).error(), BudgetStoreError::unavailable);
}

}  // namespace
}  // namespace claviger::store

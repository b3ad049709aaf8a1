#pragma once

/// What every Ledger promises, as tests that run unchanged over each implementation.
///
/// Include this in one test file of a program and instantiate LedgerContract there, with a
/// function that makes a ledger to test:
///
///   INSTANTIATE_TEST_SUITE_P(Memory, LedgerContract, testing::Values(&make_memory));

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <initializer_list>
#include <map>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "base/ids.h"
#include "base/money.h"
#include "base/task.h"
#include "base/time.h"
#include "budget/ledger.h"

namespace claviger::budget {

/// A ledger and the world around it.
class LedgerUnderTest {
 public:
  virtual ~LedgerUnderTest() = default;
  virtual Ledger& ledger() = 0;
  virtual ManualClock& clock() = 0;

  enum class Durability : std::uint8_t { none, survives_a_kill };
  virtual Durability durability() const = 0;
  /// As after `kill -9` and a new start: nothing is closed in an orderly way. The terms of all
  /// budgets are set again, as main() does at start.
  virtual void crash_and_reopen(const std::vector<BudgetTerms>& terms) = 0;
};

using MakeLedger = std::unique_ptr<LedgerUnderTest> (*)();

inline BudgetSet on(std::initializer_list<std::int64_t> ids) {
  BudgetSet set;
  for (const std::int64_t id : ids) EXPECT_TRUE(set.add(BudgetId{id}));
  return set;
}

/// The same number is the same attempt; larger ones are younger.
inline AttemptId attempt(std::uint64_t number) {
  return {.request = {.high = (1'728'000'000'000 + number) << 16, .low = number}, .number = 1};
}

inline Reservation reservation(AttemptId attempt, BudgetSet budgets, NanoUsd cost_max,
                               NanoUsd cost_least) {
  return {.attempt = attempt, .budgets = budgets, .cost_max = cost_max, .cost_least = cost_least};
}
inline Reservation reservation(AttemptId attempt, BudgetSet budgets, NanoUsd cost) {
  return reservation(attempt, budgets, cost, cost);
}

/// Counts, apart from any ledger, what callers were granted: what a provider could bill.
///
/// It never counts more than a correct ledger does at the same moment: up after a grant, down
/// before a settlement. So whatever it finds above the limit is really above the limit.
class Observer {
 public:
  explicit Observer(NanoUsd limit) : limit_(limit.nanos()) {}
  void granted(NanoUsd amount) {
    if (committed_.fetch_add(amount.nanos()) + amount.nanos() > limit_) ++overspends_;
  }
  void settling(NanoUsd amount, NanoUsd cost) { committed_.fetch_sub((amount - cost).nanos()); }
  std::int64_t overspends() const { return overspends_; }

 private:
  const std::int64_t limit_;
  std::atomic<std::int64_t> committed_{0};
  std::atomic<std::int64_t> overspends_{0};
};

struct Stress {
  unsigned seed = 1;
  int threads = 8;
  int rounds = 2'000;  ///< Per thread.
  NanoUsd limit;       ///< Of budgets 1, 2 and 3, which exist already.
};

/// Threads hold and settle random amounts on random sets of budgets, several holds each at a
/// time. Returns how often a grant went beyond a limit: 0 with a real ledger.
inline std::int64_t overspends_under_stress(Ledger& ledger, const Stress& stress) {
  std::array<Observer, 3> observers{Observer(stress.limit), Observer(stress.limit),
                                    Observer(stress.limit)};
  const std::array<std::vector<std::int64_t>, 5> choices{{{1}, {1, 2}, {2, 3}, {3, 2, 1}, {2}}};
  struct Open {
    Grant grant;
    const std::vector<std::int64_t>* budgets;
  };
  const auto work = [&](int thread) {
    std::mt19937_64 random(stress.seed * 1'000u + static_cast<unsigned>(thread));
    std::vector<Open> open;
    const auto settle_one = [&] {
      const Open mine = open[random() % open.size()];
      std::erase_if(open, [&](const Open& each) { return each.grant.hold == mine.grant.hold; });
      // Mostly little of it, as in real life; sometimes all of it.
      const std::int64_t used =
          random() % 64 == 0
              ? mine.grant.amount.nanos()
              : static_cast<std::int64_t>(
                    random() % static_cast<std::uint64_t>(mine.grant.amount.nanos() / 400 + 1));
      for (const std::int64_t budget : *mine.budgets) {
        observers[static_cast<std::size_t>(budget - 1)].settling(mine.grant.amount, NanoUsd(used));
      }
      EXPECT_TRUE(run(ledger.settle(mine.grant.hold, NanoUsd(used), Certainty::billed)));
    };
    for (int round = 0; round < stress.rounds; ++round) {
      const auto& budgets = choices[random() % choices.size()];
      BudgetSet set;
      for (const std::int64_t budget : budgets) EXPECT_TRUE(set.add(BudgetId{budget}));
      const auto most = static_cast<std::int64_t>(
          random() % static_cast<std::uint64_t>(stress.limit.nanos() / 3));
      const auto least = most / static_cast<std::int64_t>(1 + random() % 8);
      const auto number =
          static_cast<std::uint64_t>(thread) * 1'000'000 + 1 + static_cast<std::uint64_t>(round);
      const auto granted =
          run(ledger.reserve(reservation(attempt(number), set, NanoUsd(most), NanoUsd(least))));
      if (granted) {
        EXPECT_GE(granted->amount, NanoUsd(least));
        EXPECT_LE(granted->amount, NanoUsd(most));
        for (const std::int64_t budget : budgets) {
          observers[static_cast<std::size_t>(budget - 1)].granted(granted->amount);
        }
        open.push_back({*granted, &budgets});
      } else {
        EXPECT_EQ(granted.error().error, LedgerError::exhausted);
      }
      if (open.size() > 4 || (!granted && !open.empty())) settle_one();
    }
    while (!open.empty()) settle_one();
  };
  std::vector<std::thread> threads;
  for (int thread = 0; thread < stress.threads; ++thread) threads.emplace_back(work, thread);
  for (std::thread& thread : threads) thread.join();

  std::int64_t overspends = 0;
  for (const Observer& observer : observers) overspends += observer.overspends();
  return overspends;
}

class LedgerContract : public testing::TestWithParam<MakeLedger> {
 protected:
  LedgerContract() : under_test_(GetParam()()) {}

  Ledger& ledger() { return under_test_->ledger(); }
  ManualClock& clock() { return under_test_->clock(); }
  bool is_durable() const {
    return under_test_->durability() == LedgerUnderTest::Durability::survives_a_kill;
  }
  void crash_and_reopen() {
    std::vector<BudgetTerms> terms;
    for (const auto& [id, each] : terms_) terms.push_back(each);
    under_test_->crash_and_reopen(terms);
  }

  void budget(std::int64_t id, NanoUsd limit, WhenExhausted when = WhenExhausted::refuse,
              Period period = Period::month) {
    const BudgetTerms terms{
        .id = BudgetId{id}, .limit = limit, .period = period, .when_exhausted = when};
    ASSERT_TRUE(run(ledger().set_terms(terms)));
    terms_[id] = terms;
  }
  Result<Grant> reserve(std::uint64_t number, BudgetSet budgets, NanoUsd cost_max,
                        NanoUsd cost_least) {
    return run(ledger().reserve(reservation(attempt(number), budgets, cost_max, cost_least)));
  }
  Result<Grant> reserve(std::uint64_t number, BudgetSet budgets, NanoUsd cost) {
    return reserve(number, budgets, cost, cost);
  }
  Result<Receipt> settle(std::uint64_t number, NanoUsd cost,
                         Certainty certainty = Certainty::billed) {
    return run(ledger().settle(HoldId{attempt(number)}, cost, certainty));
  }
  Balance balance(std::int64_t id) { return run(ledger().balance(BudgetId{id})).value(); }

 private:
  std::unique_ptr<LedgerUnderTest> under_test_;
  std::map<std::int64_t, BudgetTerms> terms_;
};

// ---- Holding ----

TEST_P(LedgerContract, TheSameMoneyCannotBeHeldTwice) {
  budget(1, cents(10));
  ASSERT_TRUE(reserve(1, on({1}), cents(8)));

  const auto second = reserve(2, on({1}), cents(8));

  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().error, LedgerError::exhausted);
}

TEST_P(LedgerContract, TheLastNanoDollarCanBeHeldAndNotOneMore) {
  budget(1, cents(10));
  ASSERT_TRUE(reserve(1, on({1}), cents(10) - NanoUsd(1)));

  EXPECT_FALSE(reserve(2, on({1}), NanoUsd(2)));
  EXPECT_TRUE(reserve(3, on({1}), NanoUsd(1)));
  EXPECT_FALSE(reserve(4, on({1}), NanoUsd(1)));
}

TEST_P(LedgerContract, AllBudgetsAreHeldOrNone) {
  budget(1, cents(10));
  budget(2, cents(5));
  budget(3, cents(10));

  ASSERT_FALSE(reserve(1, on({1, 2, 3}), cents(6)));

  for (const std::int64_t id : {1, 2, 3}) {
    EXPECT_EQ(balance(id).held, NanoUsd()) << id;
    EXPECT_EQ(balance(id).left, balance(id).limit) << id;
  }
  ASSERT_TRUE(reserve(2, on({1, 2, 3}), cents(5)));
  for (const std::int64_t id : {1, 2, 3}) EXPECT_EQ(balance(id).held, cents(5)) << id;
}

TEST_P(LedgerContract, ABudgetNamedTwiceIsChargedOnce) {
  budget(1, cents(10));

  ASSERT_TRUE(reserve(1, on({1, 1}), cents(8)));

  EXPECT_EQ(balance(1).held, cents(8));
}

TEST_P(LedgerContract, ReservingAgainReturnsTheSameHold) {
  budget(1, cents(10));
  const auto first = reserve(1, on({1}), cents(8));
  ASSERT_TRUE(first);

  const auto again = reserve(1, on({1}), cents(8));

  ASSERT_TRUE(again);
  EXPECT_EQ(again->hold, first->hold);
  EXPECT_EQ(again->amount, cents(8));
  EXPECT_EQ(balance(1).held, cents(8));

  ASSERT_TRUE(settle(1, cents(3)));
  EXPECT_EQ(reserve(1, on({1}), cents(8)).value().amount, cents(8));
  EXPECT_EQ(balance(1).held, NanoUsd()) << "a settled hold is not taken again";
  EXPECT_EQ(balance(1).spent, cents(3));
}

TEST_P(LedgerContract, EachAttemptOfARequestHoldsForItself) {
  budget(1, cents(10));
  AttemptId first = attempt(1);
  AttemptId second = first;
  second.number = 2;
  ASSERT_TRUE(run(ledger().reserve(reservation(first, on({1}), cents(2)))));
  ASSERT_TRUE(run(ledger().reserve(reservation(second, on({1}), cents(3)))));
  EXPECT_EQ(balance(1).held, cents(5));
  ASSERT_TRUE(run(ledger().settle(HoldId{first}, cents(1), Certainty::estimated)));

  const auto attempts = run(ledger().attempts(first.request));

  ASSERT_TRUE(attempts);
  ASSERT_EQ(attempts->size(), 2u);
  EXPECT_EQ((*attempts)[0].state, HoldState::settled);
  EXPECT_EQ((*attempts)[0].cost, cents(1));
  EXPECT_EQ((*attempts)[0].certainty, Certainty::estimated);
  EXPECT_EQ((*attempts)[1].attempt, second);
  EXPECT_EQ((*attempts)[1].state, HoldState::open);
  EXPECT_EQ((*attempts)[1].held, cents(3));
  EXPECT_EQ((*attempts)[1].cost, std::nullopt);
}

TEST_P(LedgerContract, WithoutABudgetThereIsNoHold) {
  budget(1, cents(10));

  EXPECT_EQ(reserve(1, BudgetSet{}, cents(1)).error().error, LedgerError::unknown_budget);
  EXPECT_EQ(reserve(2, on({1, 9}), cents(1)).error().error, LedgerError::unknown_budget);
  EXPECT_EQ(reserve(2, on({1, 9}), cents(1)).error().budget, BudgetId{9});
  EXPECT_EQ(balance(1).held, NanoUsd());
  EXPECT_EQ(run(ledger().balance(BudgetId{9})).error().error, LedgerError::unknown_budget);
  EXPECT_EQ(run(ledger().remove(BudgetId{9})).error().error, LedgerError::unknown_budget);
  EXPECT_FALSE(run(ledger().set_terms({.id = BudgetId{}, .limit = cents(1)})));
}

TEST_P(LedgerContract, AFreeRequestIsHeldAndSettledAtNothing) {
  budget(1, NanoUsd());

  const auto granted = reserve(1, on({1}), NanoUsd());

  ASSERT_TRUE(granted);
  EXPECT_EQ(settle(1, NanoUsd()).value().cost, NanoUsd());
}

TEST_P(LedgerContract, ARefusalNamesTheTightestBudgetAndWhenItResets) {
  budget(1, cents(10), WhenExhausted::refuse, Period::total);
  budget(2, cents(5), WhenExhausted::refuse, Period::day);
  budget(3, cents(6), WhenExhausted::clamp, Period::month);
  ASSERT_TRUE(reserve(1, on({2}), cents(1)));

  const auto refused = reserve(2, on({1, 2, 3}), cents(11));

  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().budget, BudgetId{2});
  EXPECT_EQ(refused.error().left, cents(4));
  EXPECT_EQ(refused.error().resets_at, balance(2).resets_at);
  EXPECT_EQ(reserve(3, on({1}), cents(11)).error().resets_at, std::nullopt);
}

// ---- Settling ----

TEST_P(LedgerContract, WhatWasNotSpentCanBeHeldAgain) {
  budget(1, cents(10));
  ASSERT_TRUE(reserve(1, on({1}), cents(8)));

  const auto receipt = settle(1, cents(3));

  ASSERT_TRUE(receipt);
  EXPECT_EQ(receipt->cost, cents(3));
  EXPECT_EQ(receipt->left, cents(7));
  EXPECT_TRUE(reserve(2, on({1}), cents(7)));
  EXPECT_FALSE(reserve(3, on({1}), NanoUsd(1)));
}

TEST_P(LedgerContract, SettlingAtZeroReleases) {
  budget(1, cents(10));
  ASSERT_TRUE(reserve(1, on({1}), cents(10)));

  EXPECT_EQ(settle(1, NanoUsd()).value().left, cents(10));

  EXPECT_EQ(balance(1).spent, NanoUsd());
  EXPECT_TRUE(reserve(2, on({1}), cents(10)));
}

TEST_P(LedgerContract, SettlingAgainReplacesAndNeverAdds) {
  budget(1, cents(10));
  ASSERT_TRUE(reserve(1, on({1}), cents(8)));
  ASSERT_TRUE(settle(1, cents(8), Certainty::estimated));

  EXPECT_EQ(settle(1, cents(8), Certainty::estimated).value().left, cents(2));
  EXPECT_EQ(settle(1, cents(3), Certainty::reconciled).value().left, cents(7));
  EXPECT_EQ(settle(1, cents(3), Certainty::reconciled).value().left, cents(7));
  EXPECT_EQ(settle(1, cents(9), Certainty::reconciled).value().left, cents(1));

  EXPECT_EQ(balance(1).spent, cents(9));
  EXPECT_EQ(balance(1).held, NanoUsd());
}

TEST_P(LedgerContract, AnOverrunIsRecordedInFullAndBlocksNewHolds) {
  budget(1, cents(10));
  ASSERT_TRUE(reserve(1, on({1}), cents(8)));

  const auto receipt = settle(1, cents(25));

  ASSERT_TRUE(receipt);
  EXPECT_EQ(receipt->cost, cents(25));
  EXPECT_EQ(receipt->left, NanoUsd());
  EXPECT_EQ(balance(1).spent, cents(25));
  EXPECT_EQ(reserve(2, on({1}), NanoUsd(1)).error().left, NanoUsd());

  ASSERT_TRUE(settle(1, cents(4), Certainty::reconciled));
  EXPECT_TRUE(reserve(3, on({1}), cents(6))) << "a bill can take an overrun back";
}

TEST_P(LedgerContract, AnAbsurdCostNeverMakesRoom) {
  budget(1, cents(10));
  ASSERT_TRUE(reserve(1, on({1}), cents(1)));
  ASSERT_TRUE(reserve(2, on({1}), cents(1)));
  ASSERT_TRUE(reserve(3, on({1}), cents(1)));

  ASSERT_TRUE(settle(1, NanoUsd::max()));
  ASSERT_TRUE(settle(2, NanoUsd::max()));
  ASSERT_TRUE(settle(3, NanoUsd::max()));
  ASSERT_TRUE(settle(1, cents(1), Certainty::reconciled));

  EXPECT_FALSE(reserve(4, on({1}), NanoUsd(1)));
  EXPECT_EQ(balance(1).left, NanoUsd());
}

TEST_P(LedgerContract, AHoldThatNobodyRemembersIsRecordedAsSpendWhereBudgetsAreKnown) {
  budget(1, cents(10));
  budget(2, cents(20));
  EXPECT_EQ(settle(7, cents(3)).error().error, LedgerError::unknown_hold);

  const HoldId hold{attempt(7)};
  const auto receipt =
      run(ledger().settle_forgotten(hold, on({1, 2}), cents(3), Certainty::reconciled));

  ASSERT_TRUE(receipt);
  EXPECT_EQ(receipt->left, cents(7));
  EXPECT_EQ(balance(1).spent, cents(3));
  EXPECT_EQ(balance(2).spent, cents(3));
  ASSERT_TRUE(run(ledger().settle_forgotten(hold, on({1, 2}), cents(4), Certainty::reconciled)));
  EXPECT_EQ(balance(1).spent, cents(4)) << "it is remembered now, so it is replaced";
  EXPECT_EQ(
      run(ledger().settle_forgotten(HoldId{attempt(8)}, on({9}), cents(1), Certainty::reconciled))
          .error()
          .error,
      LedgerError::unknown_budget);
}

// ---- Changing terms ----

TEST_P(LedgerContract, LoweringALimitTakesEffectAtOnceForNewHolds) {
  budget(1, cents(10));
  ASSERT_TRUE(reserve(1, on({1}), cents(4)));
  ASSERT_TRUE(settle(1, cents(4)));
  ASSERT_TRUE(reserve(2, on({1}), cents(4)));

  budget(1, cents(5));

  EXPECT_EQ(balance(1).left, NanoUsd());
  EXPECT_FALSE(reserve(3, on({1}), NanoUsd(1)));
  EXPECT_EQ(settle(2, NanoUsd()).value().left, cents(1)) << "running requests finish";
  EXPECT_TRUE(reserve(4, on({1}), cents(1)));
}

TEST_P(LedgerContract, RaisingALimitTakesEffectAtOnce) {
  budget(1, cents(10));
  ASSERT_TRUE(reserve(1, on({1}), cents(10)));
  ASSERT_FALSE(reserve(2, on({1}), cents(1)));

  budget(1, cents(11));

  EXPECT_TRUE(reserve(2, on({1}), cents(1)));
  EXPECT_EQ(balance(1).held, cents(11));
}

TEST_P(LedgerContract, ARemovedBudgetGrantsNothingAndItsHoldsStillSettle) {
  budget(1, cents(10));
  budget(2, cents(10));
  ASSERT_TRUE(reserve(1, on({1, 2}), cents(4)));

  ASSERT_TRUE(run(ledger().remove(BudgetId{1})));

  EXPECT_EQ(reserve(2, on({1, 2}), cents(1)).error().error, LedgerError::unknown_budget);
  EXPECT_TRUE(settle(1, cents(3)));
  EXPECT_EQ(balance(2).spent, cents(3));
  budget(1, cents(10));
  EXPECT_EQ(balance(1).spent, cents(3)) << "removing and adding again is no way to a new limit";
}

// ---- Clamping ----

TEST_P(LedgerContract, ARefusingBudgetNeedsRoomForTheWorstCase) {
  budget(1, cents(10), WhenExhausted::refuse);

  EXPECT_FALSE(reserve(1, on({1}), cents(11), cents(1)));
  EXPECT_EQ(reserve(2, on({1}), cents(10), cents(1)).value().amount, cents(10));
}

TEST_P(LedgerContract, AClampingBudgetGrantsLessWhereTheWorstCaseDoesNotFit) {
  budget(1, cents(10), WhenExhausted::clamp);

  const auto granted = reserve(1, on({1}), cents(30), cents(1));

  ASSERT_TRUE(granted);
  EXPECT_LT(granted->amount, cents(10)) << "something is left for whoever comes next";
  EXPECT_GE(granted->amount, cents(1));
  EXPECT_EQ(balance(1).held, granted->amount);
  EXPECT_TRUE(reserve(2, on({1}), cents(30), cents(1)));
}

TEST_P(LedgerContract, AWorstCaseThatFitsIsNotClampedWhereNobodyElseCompetes) {
  budget(1, cents(10), WhenExhausted::clamp);

  EXPECT_EQ(reserve(1, on({1}), cents(10), cents(1)).value().amount, cents(10));
}

TEST_P(LedgerContract, AClampingBudgetRefusesWhereNotEvenTheLeastFits) {
  budget(1, cents(10), WhenExhausted::clamp);
  ASSERT_TRUE(reserve(1, on({1}), cents(9)));

  const auto refused = reserve(2, on({1}), cents(30), cents(2));

  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().error, LedgerError::exhausted);
  EXPECT_EQ(refused.error().left, cents(1));
  EXPECT_EQ(reserve(3, on({1}), cents(30), cents(1)).value().amount, cents(1));
}

TEST_P(LedgerContract, EveryBudgetThatDoesNotFitMustClampElseTheRequestIsRefused) {
  budget(1, cents(10), WhenExhausted::clamp);
  budget(2, cents(20), WhenExhausted::refuse);
  budget(3, cents(8), WhenExhausted::clamp);

  EXPECT_FALSE(reserve(1, on({1, 2, 3}), cents(30), cents(1)));
  const auto granted = reserve(2, on({1, 2, 3}), cents(20), cents(1));

  ASSERT_TRUE(granted);
  EXPECT_LE(granted->amount, cents(8));
  for (const std::int64_t id : {1, 2, 3}) EXPECT_EQ(balance(id).held, granted->amount) << id;
}

/// 64 agents at once on $25, nothing spent. What they really use is little.
inline void expect_that_all_are_served(Ledger& ledger, NanoUsd cost_max, NanoUsd cost_least) {
  constexpr std::uint64_t kCallers = 64;
  NanoUsd held;
  for (std::uint64_t caller = 1; caller <= kCallers; ++caller) {
    const auto granted =
        run(ledger.reserve(reservation(attempt(caller), on({1}), cost_max, cost_least)));
    ASSERT_TRUE(granted) << caller << " was locked out at $0 spent";
    EXPECT_GE(granted->amount, cost_least) << caller;
    held += granted->amount;
  }
  EXPECT_LE(held, dollars(25));
  for (std::uint64_t caller = 1; caller <= kCallers; ++caller) {
    ASSERT_TRUE(run(ledger.settle(HoldId{attempt(caller)}, cost_least, Certainty::billed)));
  }
}

TEST_P(LedgerContract, NobodyIsLockedOutByOthersWorstCases) {
  budget(1, dollars(25), WhenExhausted::clamp);

  // 64k output tokens at $15 per million each: 61 dollars together. 1k is really used.
  expect_that_all_are_served(ledger(), NanoUsd(983'040'000), NanoUsd(15'360'000));

  EXPECT_EQ(balance(1).spent, NanoUsd(64 * 15'360'000));
  EXPECT_EQ(balance(1).held, NanoUsd());
}

TEST_P(LedgerContract, NobodyIsLockedOutByWorstCasesAboveTheWholeLimit) {
  budget(1, dollars(25), WhenExhausted::clamp);

  expect_that_all_are_served(ledger(), dollars(61), NanoUsd(5'000'000));
}

// ---- Ceilings per request ----

TEST_P(LedgerContract, ACeilingPerRequestBoundsEachHoldAndAccumulatesNothing) {
  budget(1, cents(10), WhenExhausted::refuse, Period::request);
  budget(2, dollars(5));

  for (std::uint64_t number = 1; number <= 5; ++number) {
    const auto granted = reserve(number, on({1, 2}), cents(10));
    ASSERT_TRUE(granted) << number;
    EXPECT_EQ(granted->left, dollars(5) - cents(10 * static_cast<std::int64_t>(number)));
  }
  const auto refused = reserve(6, on({1, 2}), cents(11), cents(1));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().budget, BudgetId{1});
  EXPECT_EQ(refused.error().left, cents(10));
  EXPECT_EQ(refused.error().resets_at, std::nullopt);
  EXPECT_EQ(balance(1).left, cents(10));
}

TEST_P(LedgerContract, AClampingCeilingPerRequestLowersAHoldToIt) {
  budget(1, cents(10), WhenExhausted::clamp, Period::request);

  EXPECT_EQ(reserve(1, on({1}), cents(30), cents(1)).value().amount, cents(10));
  EXPECT_EQ(reserve(2, on({1}), cents(30), cents(1)).value().amount, cents(10));
  EXPECT_FALSE(reserve(3, on({1}), cents(30), cents(11)));
}

// ---- Periods ----

TEST_P(LedgerContract, ANewDayBringsTheWholeLimitAgain) {
  budget(1, cents(10), WhenExhausted::refuse, Period::day);
  ASSERT_TRUE(reserve(1, on({1}), cents(10)));
  ASSERT_TRUE(settle(1, cents(10)));
  clock().advance(std::chrono::hours{23});
  ASSERT_FALSE(reserve(2, on({1}), NanoUsd(1)));

  clock().advance(std::chrono::hours{1});

  EXPECT_TRUE(reserve(2, on({1}), cents(10)));
  EXPECT_EQ(balance(1).spent, NanoUsd());
}

TEST_P(LedgerContract, ACostBelongsToThePeriodOfItsHold) {
  budget(1, cents(10), WhenExhausted::refuse, Period::day);
  budget(2, cents(30), WhenExhausted::refuse, Period::total);
  ASSERT_TRUE(reserve(1, on({1, 2}), cents(10)));
  clock().advance(std::chrono::hours{24});
  ASSERT_TRUE(reserve(2, on({1, 2}), cents(10)));

  ASSERT_TRUE(settle(1, cents(9)));

  EXPECT_EQ(balance(1).spent, NanoUsd()) << "yesterday's hold is not today's spend";
  EXPECT_EQ(balance(1).held, cents(10));
  EXPECT_EQ(balance(2).spent, cents(9));
  EXPECT_EQ(balance(2).held, cents(10));
}

TEST_P(LedgerContract, APeriodNeverGoesBack) {
  budget(1, cents(10), WhenExhausted::refuse, Period::day);
  clock().advance(std::chrono::hours{24});
  ASSERT_TRUE(reserve(1, on({1}), cents(10)));
  ASSERT_TRUE(settle(1, cents(10)));

  clock().jump(-std::chrono::minutes{30});  // Back into the day before.

  EXPECT_FALSE(reserve(2, on({1}), NanoUsd(1)));
  EXPECT_EQ(balance(1).spent, cents(10));
}

TEST_P(LedgerContract, AWallClockThatJumpedOpensNoNewPeriod) {
  budget(1, cents(10), WhenExhausted::refuse, Period::day);
  ASSERT_TRUE(reserve(1, on({1}), cents(10)));
  ASSERT_TRUE(settle(1, cents(10)));

  clock().jump(std::chrono::hours{24});
  EXPECT_FALSE(reserve(2, on({1}), NanoUsd(1)));
  EXPECT_EQ(balance(1).spent, cents(10)) << "spend goes on in the old period";

  clock().jump(-std::chrono::hours{24});
  clock().advance(std::chrono::hours{24});
  EXPECT_TRUE(reserve(3, on({1}), cents(10))) << "a day that really passed counts";
}

// ---- Many at once ----

TEST_P(LedgerContract, ManyThreadsNeverExceedALimit) {
  const Stress stress{.seed = 20261123, .limit = cents(100)};
  RecordProperty("seed", static_cast<int>(stress.seed));
  budget(1, stress.limit, WhenExhausted::refuse);
  budget(2, stress.limit, WhenExhausted::clamp);
  budget(3, stress.limit, WhenExhausted::clamp);

  EXPECT_EQ(overspends_under_stress(ledger(), stress), 0) << "seed " << stress.seed;

  for (const std::int64_t id : {1, 2, 3}) {
    EXPECT_EQ(balance(id).held, NanoUsd()) << id;
    EXPECT_LE(balance(id).spent, stress.limit) << id;
    EXPECT_EQ(balance(id).left, balance(id).limit - balance(id).spent) << id;
  }
}

TEST_P(LedgerContract, NobodyIsRefusedByAHoldThatIsTakenBack) {
  // Budget 1 has room for one hold; budget 2 for none. Those who ask for both pass through
  // budget 1 and take it back; those who ask for 1 alone must never notice.
  budget(1, cents(10));
  budget(2, NanoUsd());
  constexpr int kRounds = 5'000;
  std::atomic<bool> done{false};
  std::thread hopeless([&] {
    for (std::uint64_t number = 1; !done; ++number) {
      EXPECT_FALSE(reserve(number, on({1, 2}), cents(10)));
    }
  });
  int refused = 0;
  for (int round = 0; round < kRounds; ++round) {
    const std::uint64_t number = 1'000'000'000 + static_cast<std::uint64_t>(round);
    if (!reserve(number, on({1}), cents(10))) {
      ++refused;
    } else {
      EXPECT_TRUE(settle(number, NanoUsd()));
    }
  }
  done = true;
  hopeless.join();

  EXPECT_EQ(refused, 0);
}

TEST_P(LedgerContract, TheSameAttemptFromManyThreadsIsOneHold) {
  budget(1, dollars(1));
  constexpr int kThreads = 4;
  constexpr std::uint64_t kAttempts = 500;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([this] {
      for (std::uint64_t number = 1; number <= kAttempts; ++number) {
        EXPECT_TRUE(reserve(number, on({1}), NanoUsd(1'000)));
        EXPECT_TRUE(settle(number, NanoUsd(10)));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();

  EXPECT_EQ(balance(1).spent, NanoUsd(10 * kAttempts));
  EXPECT_EQ(balance(1).held, NanoUsd());
}

/// The rules once more, as plainly as they can be written: one caller, no clamping.
struct PlainLedger {
  struct Money {
    NanoUsd limit, spent, held;
  };
  struct Held {
    std::vector<std::int64_t> budgets;
    NanoUsd amount;
    std::optional<NanoUsd> cost;
  };
  std::map<std::int64_t, Money> budgets;
  std::map<std::uint64_t, Held> holds;

  bool reserve(std::uint64_t number, const std::vector<std::int64_t>& on, NanoUsd cost) {
    if (holds.contains(number)) return true;
    for (const std::int64_t id : on) {
      if (budgets[id].spent + budgets[id].held + cost > budgets[id].limit) return false;
    }
    for (const std::int64_t id : on) budgets[id].held += cost;
    holds[number] = {on, cost, std::nullopt};
    return true;
  }
  void settle(std::uint64_t number, NanoUsd cost) {
    Held& hold = holds.at(number);
    for (const std::int64_t id : hold.budgets) {
      if (hold.cost) budgets[id].spent -= *hold.cost;
      if (!hold.cost) budgets[id].held -= hold.amount;
      budgets[id].spent += cost;
    }
    hold.cost = cost;
  }
};

TEST_P(LedgerContract, AgreesWithThePlainRulesOnRandomHistories) {
  constexpr unsigned kSeed = 4711;
  RecordProperty("seed", static_cast<int>(kSeed));
  std::mt19937_64 random(kSeed);
  PlainLedger plain;
  for (const std::int64_t id : {1, 2, 3, 4}) {
    budget(id, cents(100 * id));
    plain.budgets[id].limit = cents(100 * id);
  }
  const auto money = [&random](std::int64_t cents_max) {
    return NanoUsd(
        static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(cents(cents_max).nanos())));
  };
  for (int step = 0; step < 4'000; ++step) {
    const std::uint64_t number = 1 + random() % 600;
    if (random() % 2 == 0) {
      std::vector<std::int64_t> ids;
      BudgetSet set;
      for (std::int64_t id = 1; id <= 4; ++id) {
        if (random() % 2 == 0 || (id == 4 && ids.empty())) {
          ids.push_back(id);
          ASSERT_TRUE(set.add(BudgetId{id}));
        }
      }
      const NanoUsd cost = money(40);
      ASSERT_EQ(reserve(number, set, cost).has_value(), plain.reserve(number, ids, cost))
          << "step " << step << ", seed " << kSeed;
    } else if (plain.holds.contains(number)) {
      const NanoUsd cost = random() % 50 == 0 ? money(80) : money(3);
      ASSERT_TRUE(settle(number, cost));
      plain.settle(number, cost);
    } else if (random() % 40 == 0) {
      const auto id = static_cast<std::int64_t>(1 + random() % 4);
      plain.budgets[id].limit = money(600);
      budget(id, plain.budgets[id].limit);
    }
    for (const auto& [id, expected] : plain.budgets) {
      const Balance actual = balance(id);
      ASSERT_EQ(actual.spent, expected.spent) << "step " << step << ", seed " << kSeed;
      ASSERT_EQ(actual.held, expected.held) << "step " << step << ", seed " << kSeed;
    }
  }
}

// ---- Crashes ----

TEST_P(LedgerContract, AHoldThatACrashLeftOpenCountsUntilTheBillSaysOtherwise) {
  if (!is_durable()) GTEST_SKIP() << "this ledger forgets on purpose";
  budget(1, cents(10));
  ASSERT_TRUE(reserve(1, on({1}), cents(8)));

  crash_and_reopen();

  EXPECT_EQ(balance(1).unconfirmed, cents(8));
  EXPECT_EQ(balance(1).held, NanoUsd());
  EXPECT_EQ(balance(1).left, cents(2));
  EXPECT_FALSE(reserve(2, on({1}), cents(8)));
  EXPECT_EQ(settle(1, cents(1), Certainty::reconciled).value().left, cents(9));
  EXPECT_EQ(balance(1).unconfirmed, NanoUsd());
  EXPECT_EQ(balance(1).spent, cents(1));
}

TEST_P(LedgerContract, NoSettledSpendIsForgottenInACrash) {
  if (!is_durable()) GTEST_SKIP() << "this ledger forgets on purpose";
  budget(1, cents(10));
  budget(2, dollars(10), WhenExhausted::clamp, Period::total);
  for (std::uint64_t number = 1; number <= 4; ++number) {
    ASSERT_TRUE(reserve(number, on({1, 2}), cents(2)));
    ASSERT_TRUE(settle(number, cents(1)));
  }
  ASSERT_TRUE(settle(2, cents(3), Certainty::reconciled));

  for (int crash = 0; crash < 3; ++crash) {
    crash_and_reopen();
    EXPECT_EQ(balance(1).spent, cents(6));
    EXPECT_EQ(balance(2).spent, cents(6));
    EXPECT_EQ(balance(1).left, cents(4));
  }
}

TEST_P(LedgerContract, UnconfirmedMoneyOutlastsAnyNumberOfCrashes) {
  if (!is_durable()) GTEST_SKIP() << "this ledger forgets on purpose";
  budget(1, cents(10));
  ASSERT_TRUE(reserve(1, on({1}), cents(3)));
  crash_and_reopen();
  ASSERT_TRUE(reserve(2, on({1}), cents(3)));
  crash_and_reopen();
  crash_and_reopen();

  EXPECT_EQ(balance(1).unconfirmed, cents(6));
  EXPECT_FALSE(reserve(3, on({1}), cents(5)));
  EXPECT_EQ(reserve(1, on({1}), cents(3)).value().amount, cents(3)) << "the same hold still";
  EXPECT_EQ(balance(1).unconfirmed, cents(6));
}

TEST_P(LedgerContract, SettlingIsAbsoluteAcrossCrashes) {
  if (!is_durable()) GTEST_SKIP() << "this ledger forgets on purpose";
  budget(1, cents(10));
  ASSERT_TRUE(reserve(1, on({1}), cents(5)));
  ASSERT_TRUE(settle(1, cents(5), Certainty::estimated));
  crash_and_reopen();

  EXPECT_EQ(settle(1, cents(2), Certainty::reconciled).value().left, cents(8));
  crash_and_reopen();
  EXPECT_EQ(settle(1, cents(2), Certainty::reconciled).value().left, cents(8));
  EXPECT_EQ(settle(1, cents(4), Certainty::reconciled).value().left, cents(6));
  EXPECT_EQ(balance(1).spent, cents(4));
}

TEST_P(LedgerContract, AnOldPeriodsHoldDoesNotBurdenTheNewOneAfterACrash) {
  if (!is_durable()) GTEST_SKIP() << "this ledger forgets on purpose";
  budget(1, cents(10), WhenExhausted::refuse, Period::day);
  ASSERT_TRUE(reserve(1, on({1}), cents(8)));
  clock().advance(std::chrono::hours{24});
  ASSERT_TRUE(reserve(2, on({1}), cents(2)));

  crash_and_reopen();

  EXPECT_EQ(balance(1).unconfirmed, cents(2));
  ASSERT_TRUE(settle(1, cents(7), Certainty::reconciled));
  EXPECT_EQ(balance(1).spent, NanoUsd());
}

TEST_P(LedgerContract, APeriodDoesNotGoBackAcrossACrash) {
  if (!is_durable()) GTEST_SKIP() << "this ledger forgets on purpose";
  budget(1, cents(10), WhenExhausted::refuse, Period::day);
  clock().advance(std::chrono::hours{24});
  ASSERT_TRUE(reserve(1, on({1}), cents(10)));
  ASSERT_TRUE(settle(1, cents(10)));

  clock().jump(-std::chrono::hours{20});
  crash_and_reopen();

  EXPECT_FALSE(reserve(2, on({1}), NanoUsd(1)));
}

TEST_P(LedgerContract, CrashesAtRandomMomentsNeverLoosenALimit) {
  if (!is_durable()) GTEST_SKIP() << "this ledger forgets on purpose";
  constexpr unsigned kSeed = 815;
  RecordProperty("seed", static_cast<int>(kSeed));
  std::mt19937_64 random(kSeed);
  const NanoUsd limit = dollars(2);
  budget(1, limit, WhenExhausted::clamp, Period::total);
  NanoUsd billed;      // By a provider that bills what it was granted at most,
  NanoUsd could_bill;  // and may yet bill for what a crash left open.
  std::vector<std::pair<std::uint64_t, NanoUsd>> open;
  for (std::uint64_t number = 1; number <= 1'500; ++number) {
    const auto granted = reserve(
        number, on({1}), NanoUsd(static_cast<std::int64_t>(random() % 90'000'000)), NanoUsd());
    ASSERT_TRUE(granted);
    could_bill += granted->amount;
    open.emplace_back(number, granted->amount);
    ASSERT_LE(billed + could_bill, limit) << "attempt " << number << ", seed " << kSeed;
    if (random() % 4 != 0) {
      const auto [settled, amount] = open[random() % open.size()];
      std::erase_if(open, [&](const auto& each) { return each.first == settled; });
      const NanoUsd cost(static_cast<std::int64_t>(
          random() % static_cast<std::uint64_t>(amount.nanos() / 200 + 1)));
      ASSERT_TRUE(settle(settled, cost));
      billed += cost;
      could_bill -= amount;
    }
    if (random() % 100 == 0) crash_and_reopen();
    const Balance now = balance(1);
    ASSERT_EQ(now.spent, billed) << "attempt " << number << ", seed " << kSeed;
    ASSERT_EQ(now.held + now.unconfirmed, could_bill) << number << ", seed " << kSeed;
  }
}

}  // namespace claviger::budget

#pragma once

/// What the contract of every Ledger stands on: a ledger with a world around it that a test
/// can turn, an independent observer, and many threads at once. See ledger_contract.h.

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

}  // namespace claviger::budget

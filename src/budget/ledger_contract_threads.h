#pragma once

/// Part of the contract of every Ledger; see ledger_contract.h.
///
/// Many at once, and long random histories.

#include "budget/ledger_contract_fixture.h"

namespace claviger::budget {

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
  // Two rivals want budgets 1 and 2; in 2 there is room for one of them, so that the other
  // takes its hold on budget 1 back. In budget 1 there is room for one rival and one more,
  // who must never notice the passing hold of the other rival.
  budget(1, cents(20));
  budget(2, cents(10));
  constexpr int kRounds = 30'000;
  std::atomic<bool> done{false};
  std::vector<std::thread> rivals;
  for (std::uint64_t rival = 1; rival <= 2; ++rival) {
    rivals.emplace_back([&, rival] {
      for (std::uint64_t number = rival * 1'000'000'000; !done; ++number) {
        if (reserve(number, on({1, 2}), cents(10))) EXPECT_TRUE(settle(number, NanoUsd()));
      }
    });
  }
  int refused = 0;
  for (int round = 0; round < kRounds; ++round) {
    const auto number = static_cast<std::uint64_t>(1 + round);
    const auto granted = reserve(number, on({1}), cents(10));
    if (granted) {
      EXPECT_TRUE(settle(number, NanoUsd()));
    } else if (granted.error().error == LedgerError::exhausted) {
      ++refused;  // Anything else, such as a journal without room, is not about money.
    }
  }
  done = true;
  for (std::thread& rival : rivals) rival.join();

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

}  // namespace claviger::budget

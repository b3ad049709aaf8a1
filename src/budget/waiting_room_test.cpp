#include "budget/waiting_room.h"

#include <gtest/gtest.h>

#include <deque>

#include "budget/ledger_contract_fixture.h"
#include "budget/memory_ledger.h"

namespace claviger::budget {
namespace {

/// Runs what is posted when the test says so, all on the test's own thread.
class HandExecutor final : public Executor {
 public:
  HandExecutor() { current_ = this; }
  ~HandExecutor() override { current_ = nullptr; }
  void post(std::coroutine_handle<> waiting) override { posted_.push_back(waiting); }
  void run_all() {
    while (!posted_.empty()) {
      const auto next = posted_.front();
      posted_.pop_front();
      next.resume();
    }
  }

 private:
  std::deque<std::coroutine_handle<>> posted_;
};

/// One request that may wait, and what became of it.
struct Request {
  Request(std::uint64_t its_number, Instant until) : number(its_number), patience(until) {}
  std::uint64_t number;
  Patience patience;
  std::optional<Result<Grant>> result;
};

Task<void> ask(Ledger& ledger, Request& request, Reservation reservation) {
  request.result = co_await ledger.reserve(reservation);
}

struct WaitingRoomTest : testing::Test {
  void limit(NanoUsd limit, WhenExhausted when, std::int64_t id = 1,
             Period period = Period::total) {
    ASSERT_TRUE(run(ledger.set_terms(
        {.id = BudgetId{id}, .limit = limit, .period = period, .when_exhausted = when})));
    executor.run_all();
  }
  Request& arrive(std::uint64_t number, NanoUsd most, NanoUsd least,
                  std::initializer_list<std::int64_t> budgets = {1}) {
    Request& request = requests.emplace_back(number, clock.now() + std::chrono::seconds{30});
    Reservation wanted = reservation(attempt(number), on(budgets), most, least);
    wanted.patience = &request.patience;
    spawn(ask(ledger, request, wanted));
    return request;
  }
  Request& arrive(std::uint64_t number, NanoUsd cost) { return arrive(number, cost, cost); }
  void settle(std::uint64_t number, NanoUsd cost) {
    ASSERT_TRUE(run(ledger.settle(HoldId{attempt(number)}, cost, Certainty::billed)));
    executor.run_all();
  }
  static bool is_served(const Request& request) { return request.result && *request.result; }
  std::size_t waiting() { return ledger.waiting_room().size(); }

  HandExecutor executor;
  ManualClock clock;
  MemoryLedger ledger{clock};
  std::deque<Request> requests;
};

TEST_F(WaitingRoomTest, WhoeverDoesNotFitWaitsForAnotherToSettle) {
  limit(cents(10), WhenExhausted::queue);
  ASSERT_TRUE(is_served(arrive(1, cents(8))));
  Request& second = arrive(2, cents(8));
  EXPECT_FALSE(second.result);

  settle(1, cents(1));

  ASSERT_TRUE(is_served(second));
  EXPECT_EQ((**second.result).amount, cents(8));
  EXPECT_EQ(waiting(), 0u);
}

TEST_F(WaitingRoomTest, TheFirstInLineIsServedFirstAndNobodyOvertakes) {
  limit(cents(10), WhenExhausted::queue);
  ASSERT_TRUE(is_served(arrive(1, cents(9))));
  Request& large = arrive(2, cents(9));
  Request& small = arrive(3, cents(1));
  EXPECT_FALSE(large.result);
  EXPECT_FALSE(small.result) << "it would fit, but others were here before it";

  settle(1, cents(0));

  EXPECT_TRUE(is_served(large));
  EXPECT_TRUE(is_served(small)) << "what the first left is for the next";
}

TEST_F(WaitingRoomTest, WhatCanNeverFitDoesNotWait) {
  limit(cents(10), WhenExhausted::queue);
  ASSERT_TRUE(is_served(arrive(1, cents(6))));
  settle(1, cents(6));

  Request& never = arrive(2, cents(5));

  ASSERT_TRUE(never.result);
  EXPECT_EQ((*never.result).error().error, LedgerError::exhausted);
}

TEST_F(WaitingRoomTest, RefuseAndDowngradeDoNotWait) {
  for (const WhenExhausted when : {WhenExhausted::refuse, WhenExhausted::downgrade}) {
    limit(cents(10), when);
    const std::uint64_t number = when == WhenExhausted::refuse ? 1 : 11;
    ASSERT_TRUE(is_served(arrive(number, cents(8))));
    Request& second = arrive(number + 1, cents(8), cents(1));
    ASSERT_TRUE(second.result);
    EXPECT_FALSE(*second.result);
    settle(number, cents(0));
  }
}

TEST_F(WaitingRoomTest, ClampWaitsOnlyWhereNotEvenTheLeastFits) {
  limit(cents(10), WhenExhausted::clamp);
  ASSERT_TRUE(is_served(arrive(1, cents(9), cents(9))));
  Request& second = arrive(2, cents(60), cents(2));
  EXPECT_FALSE(second.result);

  settle(1, cents(1));

  ASSERT_TRUE(is_served(second));
  EXPECT_GE((**second.result).amount, cents(2));
  EXPECT_LE((**second.result).amount, cents(9));
}

TEST_F(WaitingRoomTest, PatienceEnds) {
  limit(cents(10), WhenExhausted::queue);
  ASSERT_TRUE(is_served(arrive(1, cents(8))));
  Request& second = arrive(2, cents(8));
  EXPECT_EQ(ledger.waiting_room().next_look(), second.patience.until);

  clock.advance(std::chrono::seconds{30});
  ledger.waiting_room().look_around();
  executor.run_all();

  ASSERT_TRUE(second.result);
  EXPECT_EQ((*second.result).error().error, LedgerError::exhausted);
  EXPECT_EQ(waiting(), 0u);
}

TEST_F(WaitingRoomTest, ACallerWhoGoesTakesTheirPlaceAlong) {
  limit(cents(10), WhenExhausted::queue);
  ASSERT_TRUE(is_served(arrive(1, cents(8))));
  Request& gone = arrive(2, cents(10));
  Request& third = arrive(3, cents(2));

  gone.patience.end();
  executor.run_all();

  ASSERT_TRUE(gone.result);
  EXPECT_FALSE(*gone.result);
  EXPECT_TRUE(is_served(third)) << "nobody is in its way any more";
}

TEST_F(WaitingRoomTest, ARaisedLimitWakesTheLine) {
  limit(cents(10), WhenExhausted::queue);
  ASSERT_TRUE(is_served(arrive(1, cents(8))));
  Request& second = arrive(2, cents(8));

  limit(cents(20), WhenExhausted::queue);

  EXPECT_TRUE(is_served(second));
}

TEST_F(WaitingRoomTest, ALoweredLimitHoldsForWhoeverWaits) {
  limit(cents(10), WhenExhausted::queue);
  ASSERT_TRUE(is_served(arrive(1, cents(8))));
  Request& second = arrive(2, cents(8));

  limit(cents(5), WhenExhausted::queue);

  ASSERT_TRUE(second.result);
  EXPECT_FALSE(*second.result) << "it can never fit now, and is told at once";
  settle(1, cents(8));
}

TEST_F(WaitingRoomTest, ANewPeriodWakesTheLine) {
  limit(cents(10), WhenExhausted::queue, 1, Period::day);
  ASSERT_TRUE(is_served(arrive(1, cents(8))));
  Request& second =
      requests.emplace_back(2, clock.now() + std::chrono::hours{48});  // Longer than any relay.
  Reservation wanted = reservation(attempt(2), on({1}), cents(8));
  wanted.patience = &second.patience;
  spawn(ask(ledger, second, wanted));
  EXPECT_FALSE(second.result);

  clock.advance(std::chrono::hours{24});
  ledger.waiting_room().look_around();
  executor.run_all();

  EXPECT_TRUE(is_served(second)) << "what the first holds belongs to yesterday";
}

TEST_F(WaitingRoomTest, WhoeverWaitsForOneBudgetMayNextWaitForAnother) {
  limit(cents(10), WhenExhausted::queue, 1);
  limit(cents(10), WhenExhausted::queue, 2);
  ASSERT_TRUE(is_served(arrive(1, cents(8), cents(8), {1})));
  ASSERT_TRUE(is_served(arrive(2, cents(8), cents(8), {2})));
  Request& both = arrive(3, cents(5), cents(5), {1, 2});

  settle(1, cents(0));
  EXPECT_FALSE(both.result);
  settle(2, cents(0));

  EXPECT_TRUE(is_served(both));
}

TEST_F(WaitingRoomTest, ABudgetThatIsRemovedLetsItsLineGo) {
  limit(cents(10), WhenExhausted::queue);
  ASSERT_TRUE(is_served(arrive(1, cents(8))));
  Request& second = arrive(2, cents(8));

  ASSERT_TRUE(run(ledger.remove(BudgetId{1})));
  executor.run_all();

  ASSERT_TRUE(second.result);
  EXPECT_EQ((*second.result).error().error, LedgerError::unknown_budget);
}

TEST(WaitingRoom, HoldsNoMoreThanItsBound) {
  HandExecutor executor;
  ManualClock clock;
  Accounts accounts(clock);
  WaitingRoom room(accounts, clock, {.waiting_max = 1});
  const Refusal refusal{.error = LedgerError::exhausted,
                        .budget = BudgetId{1},
                        .left = NanoUsd(),
                        .resets_at = std::nullopt,
                        .may_fit_later = true};
  const auto never = [&]() -> Task<Result<Grant>> { co_return std::unexpected(refusal); };
  std::deque<Patience> patience;
  int refused = 0;
  const auto wait = [](WaitingRoom& in, Patience& mine, Refusal why, auto again,
                       int& count) -> Task<void> {
    if (!co_await in.wait(mine, why, again)) ++count;
  };
  for (int each = 0; each < 2; ++each) {
    spawn(wait(room, patience.emplace_back(clock.now() + std::chrono::seconds{1}), refusal, never,
               refused));
  }
  EXPECT_EQ(refused, 1) << "the second found it full";
  patience.front().end();
  executor.run_all();
  EXPECT_EQ(refused, 2);
}

/// A budget of $25, nothing spent, and 64 agents at once that each ask for 64k tokens at $15 a
/// million with a long context: $61 at worst, of which they really use 1k tokens.
TEST(NoStarvation, SixtyFourAgentsOnOneBudgetAreAllServed) {
  constexpr int kAgents = 64;
  const NanoUsd limit = dollars(25);
  const NanoUsd worst = dollars(61);
  const NanoUsd least(256 * 15'000);
  const NanoUsd real(1'000 * 15'000);
  ManualClock clock;
  MemoryLedger ledger(clock);
  ASSERT_TRUE(run(ledger.set_terms({.id = BudgetId{1},
                                    .limit = limit,
                                    .period = Period::month,
                                    .when_exhausted = WhenExhausted::clamp})));
  Observer observer(limit);
  std::atomic<int> served{0};
  std::atomic<int> holding{0};
  std::vector<std::thread> agents;
  for (int agent = 0; agent < kAgents; ++agent) {
    agents.emplace_back([&, agent] {
      Patience patience(clock.now() + std::chrono::seconds{30});
      Reservation wanted =
          reservation(attempt(static_cast<std::uint64_t>(agent) + 1), on({1}), worst, least);
      wanted.patience = &patience;
      const auto granted = run(ledger.reserve(wanted));
      if (!granted) return;
      observer.granted(granted->amount);
      ++served;
      ++holding;
      // All at once: nobody settles before everybody has been served.
      while (holding < kAgents) std::this_thread::yield();
      const NanoUsd cost = std::min(granted->amount, real);
      observer.settling(granted->amount, cost);
      EXPECT_TRUE(run(ledger.settle(granted->hold, cost, Certainty::billed)));
    });
  }
  for (std::thread& agent : agents) agent.join();

  EXPECT_EQ(served, kAgents);
  EXPECT_EQ(observer.overspends(), 0);
  const Balance after = run(ledger.balance(BudgetId{1})).value();
  EXPECT_EQ(after.held, NanoUsd());
  EXPECT_LE(after.spent, NanoUsd(real.nanos() * kAgents));
}

TEST(NoStarvation, AgentsThatWaitForTheirWholeHoldAreServedOneAfterTheOther) {
  constexpr int kAgents = 32;
  ManualClock clock;
  MemoryLedger ledger(clock);
  ASSERT_TRUE(run(ledger.set_terms({.id = BudgetId{1},
                                    .limit = dollars(25),
                                    .period = Period::month,
                                    .when_exhausted = WhenExhausted::queue})));
  std::atomic<int> served{0};
  std::vector<std::thread> agents;
  for (int agent = 0; agent < kAgents; ++agent) {
    agents.emplace_back([&, agent] {
      Patience patience(clock.now() + std::chrono::seconds{30});
      Reservation wanted =
          reservation(attempt(static_cast<std::uint64_t>(agent) + 1), on({1}), dollars(20));
      wanted.patience = &patience;
      const auto granted = run(ledger.reserve(wanted));
      if (!granted) return;
      ++served;
      EXPECT_TRUE(run(ledger.settle(granted->hold, NanoUsd(15'000'000), Certainty::billed)));
    });
  }
  for (std::thread& agent : agents) agent.join();

  EXPECT_EQ(served, kAgents);
}

}  // namespace
}  // namespace claviger::budget

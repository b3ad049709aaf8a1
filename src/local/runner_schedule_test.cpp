#include "local/runner_schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace claviger::local {
namespace {

using namespace std::chrono_literals;
using route::RunnerError;
using ::testing::HasSubstr;

constexpr std::uint64_t seed = 7;
constexpr OwnerId ada{1};
constexpr OwnerId bob{2};
constexpr LocalModelId small{11};
constexpr LocalModelId large{12};
constexpr LocalModelId bobs{13};

/// Plays the supervisor: remembers what it was told to do.
class Schedule : public ::testing::Test {
 protected:
  Schedule() : schedule_(limits(), seed) {}

  static RunnerLimits limits() {
    RunnerLimits limits;
    limits.runners_max = 3;
    limits.leases_per_runner_max = 2;
    limits.waiting_max = 8;
    return limits;
  }

  WaiterId ask(LocalModelId model, OwnerId owner, Duration patience = 1h) {
    const WaiterId waiter = ++last_waiter_;
    const std::string name = model == small ? "small" : model == large ? "large" : "bobs";
    schedule_.ask({waiter, model, owner, name, Deadline(now_ + patience)});
    decide();
    return waiter;
  }
  void decide() {
    for (Action& action : schedule_.decide(now_)) {
      switch (action.kind) {
        case Action::Kind::start:
          started_.push_back(action.model);
          slot_of_[action.model] = action.slot;
          break;
        case Action::Kind::stop:
          stopped_.push_back(action.slot);
          break;
        case Action::Kind::kill:
          killed_.push_back(action.slot);
          break;
        case Action::Kind::serve:
          served_[action.waiter] = action.slot;
          break;
        case Action::Kind::refuse:
          refused_[action.waiter] = action.failure;
          break;
      }
    }
  }
  void advance(Duration by) {
    now_ += by;
    decide();
  }
  void ready(LocalModelId model) {
    schedule_.became_ready(slot_of_[model], now_);
    decide();
  }
  void ended(LocalModelId model, std::string last_words = "") {
    schedule_.ended(slot_of_[model], std::move(last_words), now_);
    decide();
  }
  /// What a request does at its end.
  void leave(LocalModelId model) {
    if (schedule_.gates()[slot_of_[model]].leave(now_)) decide();
  }
  void run(LocalModelId model, OwnerId owner) {
    ask(model, owner);
    ready(model);
  }

  RunnerSchedule schedule_;
  Instant now_{1000h};
  WaiterId last_waiter_ = 0;
  std::vector<LocalModelId> started_;
  std::vector<SlotNumber> stopped_;
  std::vector<SlotNumber> killed_;
  std::map<LocalModelId, SlotNumber> slot_of_;
  std::map<WaiterId, SlotNumber> served_;
  std::map<WaiterId, route::RunnerFailure> refused_;
};

TEST_F(Schedule, StartsOneRunnerForAllWhoWait) {
  const auto first = ask(small, ada);
  const auto second = ask(small, ada);
  EXPECT_EQ(started_, std::vector{small});
  EXPECT_TRUE(served_.empty());

  ready(small);
  EXPECT_TRUE(served_.contains(first) && served_.contains(second));
  EXPECT_EQ(schedule_.gates()[slot_of_[small]].inside(), 2u);
}

TEST_F(Schedule, AnotherModelOfTheOwnerReplacesTheIdleOne) {
  run(small, ada);
  leave(small);
  const auto waiter = ask(large, ada);

  EXPECT_EQ(stopped_, std::vector{slot_of_[small]});
  EXPECT_EQ(started_.size(), 1u) << "its memory has to be free first";
  ended(small);
  EXPECT_EQ(started_.back(), large);
  ready(large);
  EXPECT_TRUE(served_.contains(waiter));
}

TEST_F(Schedule, SeveralWhoWaitForAModelReplaceOneRunnerOnly) {
  run(small, ada);
  leave(small);
  run(bobs, bob);
  leave(bobs);
  ask(large, ada);
  ask(large, ada);
  decide();
  EXPECT_EQ(stopped_, std::vector{slot_of_[small]});
}

TEST_F(Schedule, WhatIsInUseIsNotTakenAwayASecondRunnerIsStarted) {
  run(small, ada);
  const auto waiter = ask(large, ada);
  EXPECT_TRUE(stopped_.empty());
  EXPECT_EQ(started_.back(), large);
  ready(large);
  EXPECT_TRUE(served_.contains(waiter));

  const auto third = ask(LocalModelId{20}, ada);
  EXPECT_EQ(started_.size(), 2u) << "at most two for each owner";
  leave(small);
  EXPECT_EQ(stopped_, std::vector{slot_of_[small]}) << "the first that gets idle makes room";
  ended(small);
  ready(LocalModelId{20});
  EXPECT_TRUE(served_.contains(third));
}

TEST_F(Schedule, WhenTheMachineIsFullTheLongestIdleGoesWhoseverItIs) {
  run(bobs, bob);
  leave(bobs);
  advance(1s);
  run(small, ada);
  leave(small);
  advance(1s);
  run(LocalModelId{30}, OwnerId{3});
  const auto waiter = ask(LocalModelId{40}, OwnerId{4});

  EXPECT_EQ(stopped_, std::vector{slot_of_[bobs]});
  ended(bobs);
  ready(LocalModelId{40});
  EXPECT_TRUE(served_.contains(waiter));
}

TEST_F(Schedule, WhenTheMachineIsFullAndBusyOneWaitsUntilTheDeadline) {
  run(bobs, bob);
  run(small, ada);
  run(LocalModelId{30}, OwnerId{3});
  const auto waiter = ask(LocalModelId{40}, OwnerId{4}, 10s);
  EXPECT_LE(schedule_.next_decision(), now_ + 10s);
  advance(10s);
  EXPECT_EQ(refused_[waiter].error, RunnerError::too_slow);
  EXPECT_THAT(refused_[waiter].message, HasSubstr("local.runners_max (now 3"));
}

TEST_F(Schedule, AFullRunnerLetsTheNextInWhenOneLeaves) {
  run(small, ada);
  ask(small, ada);
  const auto third = ask(small, ada);
  EXPECT_FALSE(served_.contains(third));
  leave(small);
  EXPECT_TRUE(served_.contains(third));
}

TEST_F(Schedule, AnIdleRunnerIsStoppedInTime) {
  run(small, ada);
  advance(1h);
  EXPECT_TRUE(stopped_.empty()) << "in use, however long";
  leave(small);
  decide();
  EXPECT_EQ(schedule_.next_decision(), now_ + 10min);
  advance(10min - 1s);
  EXPECT_TRUE(stopped_.empty());
  advance(1s);
  EXPECT_EQ(stopped_.size(), 1u);
  EXPECT_FALSE(schedule_.gates()[slot_of_[small]].try_enter(small, 2));

  const auto waiter = ask(small, ada);
  EXPECT_EQ(started_.size(), 1u) << "not beside the one that is ending";
  ended(small);
  EXPECT_EQ(started_.size(), 2u);
  ready(small);
  EXPECT_TRUE(served_.contains(waiter)) << "an orderly end costs nobody a pause";
}

TEST_F(Schedule, WhatDoesNotEndWhenAskedIsKilled) {
  run(small, ada);
  leave(small);
  advance(10min);
  advance(4s);
  EXPECT_TRUE(killed_.empty());
  advance(1s);
  EXPECT_EQ(killed_, std::vector{slot_of_[small]});
  advance(1h);
  EXPECT_EQ(killed_.size(), 1u);
}

TEST_F(Schedule, ACrashIsRepairedAtOnceThenWithPausesThatGrow) {
  run(small, ada);
  leave(small);
  ended(small, "GGML_ASSERT(x) failed");
  run(small, ada);
  EXPECT_EQ(started_.size(), 2u) << "the first time at once";
  leave(small);

  Duration pause_before{};
  for (int i = 0; i < 12; ++i) {
    ended(small, "GGML_ASSERT(x) failed");
    const auto refused = ask(small, ada);
    ASSERT_EQ(refused_[refused].error, RunnerError::backing_off);
    EXPECT_THAT(refused_[refused].message, HasSubstr("Its last words: GGML_ASSERT(x) failed"));
    Duration pause{};
    while (refused_.contains(last_waiter_)) {
      advance(250ms);
      pause += 250ms;
      ask(small, ada);
    }
    EXPECT_GE(pause * 2, pause_before);
    EXPECT_LE(pause, 376s);
    pause_before = pause;
    ready(small);
    leave(small);
  }
  EXPECT_GE(pause_before, 3min) << "grown to the most";
}

TEST_F(Schedule, ARunnerThatWasSteadyStartsAnew) {
  run(small, ada);
  leave(small);
  ended(small);
  run(small, ada);
  leave(small);
  advance(2min);
  ended(small);
  run(small, ada);
  EXPECT_TRUE(refused_.empty());
}

TEST_F(Schedule, ACrashLeavesOthersAloneAndItsSlotUntilTheLastLeaseIsGone) {
  run(small, ada);
  run(bobs, bob);
  ended(small, "signal 11");
  EXPECT_FALSE(schedule_.gates()[slot_of_[small]].try_enter(small, 2));
  EXPECT_EQ(schedule_.gates()[slot_of_[bobs]].inside(), 1u);

  const SlotNumber crashed = slot_of_[small];
  const auto waiter = ask(small, ada);
  EXPECT_NE(slot_of_[small], crashed) << "failed requests still hold that one";
  ready(small);
  EXPECT_TRUE(served_.contains(waiter));
  EXPECT_TRUE(schedule_.gates()[crashed].leave(now_)) << "the supervisor wants to know";
}

TEST_F(Schedule, WhoWaitsForARunnerThatDoesNotStartHearsItsLastWords) {
  const auto waiter = ask(small, ada);
  ended(small, "error: unknown model architecture");
  EXPECT_EQ(refused_[waiter].error, RunnerError::start_failed);
  EXPECT_EQ(refused_[waiter].message,
            "The runner of model \"small\" ended before it was ready. Its last words: error: "
            "unknown model architecture");
  const auto next = ask(small, ada);
  EXPECT_EQ(refused_[next].error, RunnerError::backing_off);
}

TEST_F(Schedule, ASlowStartIsGivenUpInTime) {
  const auto waiter = ask(small, ada);
  advance(5min);
  EXPECT_EQ(stopped_.size(), 1u);
  ended(small);
  EXPECT_THAT(refused_[waiter].message, HasSubstr("it was not ready within 300 s"));
}

TEST_F(Schedule, WhoCannotWaitForALoadingModelIsToldThatItGoesOn) {
  const auto waiter = ask(small, ada, 3s);
  advance(3s);
  EXPECT_EQ(refused_[waiter].error, RunnerError::too_slow);
  EXPECT_EQ(refused_[waiter].message,
            "Model \"small\" has been loading for 3 s and goes on. Try again shortly.");
  EXPECT_TRUE(stopped_.empty());
  ready(small);
  const auto next = ask(small, ada);
  EXPECT_TRUE(served_.contains(next));
}

TEST_F(Schedule, WhatCouldNotStartIsSaidAndTriedAgainAtOnce) {
  const auto waiter = ask(small, ada);
  schedule_.could_not_start(slot_of_[small], {RunnerError::not_enough_memory, "too large"});
  decide();
  EXPECT_EQ(refused_[waiter].error, RunnerError::not_enough_memory);
  ask(small, ada);
  EXPECT_EQ(started_.size(), 2u);
}

TEST_F(Schedule, AnIdleRunnerGivesItsMemoryToOneThatIsWanted) {
  run(bobs, bob);
  leave(bobs);
  const auto waiter = ask(small, ada);
  EXPECT_TRUE(schedule_.make_memory_for(slot_of_[small], now_));
  decide();
  EXPECT_EQ(stopped_, std::vector{slot_of_[bobs]});
  ended(bobs);
  EXPECT_EQ(started_.size(), 3u) << "tried again";
  EXPECT_FALSE(schedule_.make_memory_for(slot_of_[small], now_)) << "nobody is left";
  ready(small);
  EXPECT_TRUE(served_.contains(waiter));
}

TEST_F(Schedule, ARunnerThatStoppedAnsweringIsKilledAndCountsAsACrash) {
  run(small, ada);
  schedule_.stopped_answering(slot_of_[small], now_);
  decide();
  EXPECT_EQ(killed_, std::vector{slot_of_[small]});
  leave(small);
  ended(small);
  run(small, ada);
  leave(small);
  ended(small, "again");
  EXPECT_EQ(refused_[ask(small, ada)].error, RunnerError::backing_off);
}

TEST_F(Schedule, AModelThatChangedIsStartedAnewWhenNobodyUsesIt) {
  run(small, ada);
  schedule_.retire(small);
  decide();
  EXPECT_TRUE(stopped_.empty());
  EXPECT_FALSE(schedule_.gates()[slot_of_[small]].try_enter(small, 2));
  leave(small);
  EXPECT_EQ(stopped_.size(), 1u);
}

TEST_F(Schedule, ShuttingDownRefusesEverybodyAndStopsEverything) {
  run(small, ada);
  const auto waiter = ask(bobs, bob);
  schedule_.shut_down();
  decide();
  EXPECT_EQ(refused_[waiter].error, RunnerError::stopping);
  EXPECT_EQ(stopped_.size(), 2u);
  EXPECT_EQ(refused_[ask(small, ada)].error, RunnerError::stopping);
  ended(small);
  ended(bobs);
  EXPECT_TRUE(schedule_.all_gone());
}

TEST_F(Schedule, TheNumberOfThoseWhoWaitIsBounded) {
  for (int i = 0; i < 8; ++i) ask(small, ada);
  const auto one_too_many = ask(small, ada);
  EXPECT_EQ(refused_[one_too_many].error, RunnerError::too_slow);
  schedule_.forget(1);
  EXPECT_FALSE(refused_.contains(ask(small, ada)));
}

TEST(RunnerGate, NobodyEntersWhatWasFoundIdle) {
  RunnerGate gate;
  EXPECT_FALSE(gate.try_enter(small, 8)) << "closed at first";
  std::atomic<bool> done{false};
  std::atomic<int> inside{0};
  std::atomic<int> entered{0};
  std::vector<std::thread> requests;
  for (int i = 0; i < 2; ++i) {
    requests.emplace_back([&] {
      while (!done) {
        if (!gate.try_enter(small, 8)) continue;
        ++inside;
        ++entered;
        --inside;
        (void)gate.leave(Instant{});
      }
    });
  }
  constexpr int entered_wanted = 3'000'000;
  int closed = 0;
  const auto until = std::chrono::steady_clock::now() + 20s;
  while (entered < entered_wanted && std::chrono::steady_clock::now() < until) {
    gate.open(small, Instant{});
    // Look until nobody is there at the moment, among those who come and go.
    int looks = 0;
    while (!gate.try_close_idle() && looks < 1'000) ++looks;
    if (looks == 1'000) continue;
    ++closed;
    EXPECT_EQ(inside, 0);
    EXPECT_EQ(gate.inside(), 0u);
    if (::testing::Test::HasFailure()) break;
  }
  done = true;
  for (auto& request : requests) request.join();
  // A count that went wrong once never comes back to nobody.
  EXPECT_TRUE(gate.try_close_idle() || gate.inside() == 0);
  EXPECT_GT(closed, 1'000);
}

TEST(RunnerGate, IsForOneModelAndSoManyRequests) {
  RunnerGate gate;
  gate.open(small, Instant{});
  EXPECT_FALSE(gate.try_enter(large, 2));
  EXPECT_EQ(gate.inside(), 0u);
  EXPECT_TRUE(gate.try_enter(small, 2));
  EXPECT_TRUE(gate.try_enter(small, 2));
  EXPECT_FALSE(gate.try_enter(small, 2));
}

}  // namespace
}  // namespace claviger::local

#include "budget/gate.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace claviger::budget {
namespace {

TEST(Gate, WhoClosesItIsAlone) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 20'000;
  Gate gate;
  std::atomic<int> passing{0};
  std::atomic<int> meetings{0};
  std::int64_t plain = 0;  // Changed behind the closed gate only; the sanitizer would object.
  std::atomic<std::int64_t> seen{0};

  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int round = 0; round < kRounds; ++round) {
        if ((round + thread) % 16 == 0) {
          const Gate::Closed closed(gate);
          if (passing.load() != 0) ++meetings;
          ++plain;
        } else {
          const Gate::Pass pass(gate);
          ++passing;
          seen.store(plain, std::memory_order_relaxed);
          --passing;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();

  EXPECT_EQ(meetings.load(), 0);
  EXPECT_EQ(plain, kThreads * kRounds / 16);
}

TEST(Gate, ThoseWhoPassAreNotKeptOutByThoseWhoKeepClosingIt) {
  Gate gate;
  std::atomic<bool> done{false};
  std::vector<std::thread> closers;
  for (int closer = 0; closer < 3; ++closer) {
    closers.emplace_back([&] {
      while (!done) const Gate::Closed closed(gate);
    });
  }
  for (int round = 0; round < 2'000; ++round) const Gate::Pass pass(gate);
  done = true;
  for (std::thread& closer : closers) closer.join();
}

TEST(Gate, ManyPassTogether) {
  Gate gate;
  const Gate::Pass mine(gate);

  std::thread other([&gate] { const Gate::Pass theirs(gate); });
  other.join();
}

}  // namespace
}  // namespace claviger::budget

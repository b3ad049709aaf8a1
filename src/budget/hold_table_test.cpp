#include "budget/hold_table.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace claviger::budget {
namespace {

AttemptId attempt(std::uint64_t number) {
  return {.request = {.high = number << 16, .low = number}, .number = 1};
}

TEST(HoldTable, RemembersExactlyWhatWasPutInAndNotTakenOut) {
  constexpr unsigned kSeed = 99;
  RecordProperty("seed", static_cast<int>(kSeed));
  std::mt19937_64 random(kSeed);
  HoldTable table;
  std::map<std::uint64_t, std::int64_t> expected;
  for (int step = 0; step < 200'000; ++step) {
    const std::uint64_t number = random() % 20'000;
    HoldTable::Locked stripe(table, attempt(number));
    Hold* const hold = stripe.find();
    ASSERT_EQ(hold != nullptr, expected.contains(number)) << "step " << step << ", seed " << kSeed;
    if (hold == nullptr) {
      stripe.insert().held = NanoUsd(step);
      expected[number] = step;
    } else {
      ASSERT_EQ(hold->attempt, attempt(number));
      ASSERT_EQ(hold->held, NanoUsd(expected[number]));
      if (random() % 8 != 0) {
        stripe.erase();
        expected.erase(number);
      }
    }
  }
  EXPECT_EQ(table.size(), expected.size());
  std::size_t visited = 0;
  table.for_each([&](const Hold& hold) {
    ++visited;
    EXPECT_EQ(hold.held, NanoUsd(expected.at(hold.attempt.request.low)));
  });
  EXPECT_EQ(visited, expected.size());
}

TEST(HoldTable, MemoryOfForgottenHoldsIsUsedAgain) {
  HoldTable table;
  for (std::uint64_t number = 0; number < 100'000; ++number) {
    HoldTable::Locked stripe(table, attempt(number));
    stripe.insert();
    stripe.erase();
  }
  EXPECT_EQ(table.size(), 0u);
  EXPECT_LE(table.capacity(), 64u * 16u);
}

}  // namespace
}  // namespace claviger::budget

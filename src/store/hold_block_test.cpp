#include "store/hold_block.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace claviger::store {
namespace {

using budget::Certainty;
using budget::StoredHold;

std::vector<StoredHold> some_holds(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<StoredHold> holds(seed);
  RequestId id{.high = random() >> 16, .low = random()};
  for (StoredHold& hold : holds) {
    id = {.high = id.high + random() % 2, .low = random()};
    hold.attempt = {.request = id, .number = static_cast<std::uint32_t>(random())};
    hold.opened_at = from_unix_micros(static_cast<std::int64_t>(random() >> 2));
    hold.held = NanoUsd(static_cast<std::int64_t>(random()));
    for (std::uint64_t i = random() % 4; i > 0; --i) {
      EXPECT_TRUE(hold.budgets.add(
          {BudgetId{static_cast<std::int64_t>(random() % 9)}, from_unix_micros(60)}));
    }
    hold.state = budget::HoldState::settled;
    hold.cost = NanoUsd(static_cast<std::int64_t>(random()));
    hold.certainty = static_cast<Certainty>(random() % 4);
  }
  return holds;
}

std::string packed(const std::vector<StoredHold>& holds) {
  std::vector<const StoredHold*> pointers;
  for (const StoredHold& hold : holds) pointers.push_back(&hold);
  return pack_holds(pointers);
}

TEST(HoldBlock, GivesBackWhatWasPacked) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE(seed);
    const std::vector<StoredHold> holds = some_holds(seed);
    const std::string block = packed(holds);
    HoldBlockReader reader(block);
    for (const StoredHold& in : holds) {
      ASSERT_TRUE(reader.next());
      EXPECT_EQ(reader.hold().attempt, in.attempt);
      EXPECT_EQ(reader.hold().opened_at, in.opened_at);
      EXPECT_EQ(reader.hold().held, in.held);
      EXPECT_EQ(reader.hold().budgets, in.budgets);
      EXPECT_EQ(reader.hold().state, in.state);
      EXPECT_EQ(reader.hold().cost, in.cost);
      EXPECT_EQ(reader.hold().certainty, in.certainty);
    }
    EXPECT_FALSE(reader.next());
    EXPECT_FALSE(reader.is_broken());
  }
}

TEST(HoldBlock, ABlockThatWasCutOrAddedToIsBroken) {
  const std::string block = packed(some_holds(7));
  for (std::size_t size = 0; size < block.size(); ++size) {
    HoldBlockReader reader(std::string_view(block).substr(0, size));
    while (reader.next()) {
    }
    EXPECT_TRUE(reader.is_broken()) << size;
  }
  const std::string longer = block + '\0';
  HoldBlockReader reader(longer);
  while (reader.next()) {
  }
  EXPECT_TRUE(reader.is_broken());
}

}  // namespace
}  // namespace claviger::store

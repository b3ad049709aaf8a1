#include "budget/bookkeeper.h"

#include <gtest/gtest.h>

#include "budget/ledger_contract_fixture.h"

namespace claviger::budget {
namespace {

/// A log that a test can fill up.
class SmallLog final : public LedgerLog {
 public:
  bool claim_room(std::uint32_t records) override {
    if (room < records) return false;
    room -= records;
    return true;
  }
  void give_back_room(std::uint32_t records) override { room += records; }
  std::uint64_t append(const LogRecord& record) override {
    written.push_back(record);
    return written.size();
  }

  std::uint32_t room = 100;
  std::vector<LogRecord> written;
};

struct BookkeeperTest : testing::Test {
  BookkeeperTest() {
    EXPECT_TRUE(books.accounts().set_terms({.id = BudgetId{1},
                                            .limit = cents(10),
                                            .period = Period::month,
                                            .when_exhausted = WhenExhausted::refuse},
                                           clock.wall_now()));
  }
  Result<Bookkeeper::Granted> reserve(std::uint64_t number, NanoUsd cost) {
    return *books.reserve(reservation(attempt(number), on({1}), cost), Bookkeeper::Recall::done);
  }
  Result<Receipt> settle(std::uint64_t number, NanoUsd cost) {
    return *books.settle({attempt(number), cost, Certainty::billed, std::nullopt},
                         Bookkeeper::Recall::done);
  }

  ManualClock clock;
  SmallLog log;
  Bookkeeper books{clock, log, {.open_holds_max = 3}};
};

TEST_F(BookkeeperTest, ARefusedHoldLeavesNoTrace) {
  ASSERT_FALSE(reserve(1, cents(11)));

  EXPECT_EQ(log.room, 100u);
  EXPECT_TRUE(log.written.empty());
  EXPECT_EQ(books.open_holds(), 0);
  EXPECT_EQ(books.holds().size(), 0u);
}

TEST_F(BookkeeperTest, EveryGrantedHoldHasRoomForItsSettlement) {
  log.room = 5;
  ASSERT_TRUE(reserve(1, cents(1)));
  ASSERT_TRUE(reserve(2, cents(1)));

  EXPECT_EQ(reserve(3, cents(1)).error().error, LedgerError::unavailable);
  EXPECT_EQ(log.room, 1u);

  EXPECT_TRUE(settle(1, cents(1)));
  EXPECT_TRUE(settle(2, cents(1)));
  EXPECT_EQ(log.room, 1u) << "settling used the room that the holds had claimed";
}

TEST_F(BookkeeperTest, HoldsInFlightAreBounded) {
  for (std::uint64_t number = 1; number <= 3; ++number) ASSERT_TRUE(reserve(number, cents(1)));

  EXPECT_EQ(reserve(4, cents(1)).error().error, LedgerError::too_many_holds);
  EXPECT_TRUE(reserve(3, cents(1))) << "one that is there already";
  ASSERT_TRUE(settle(1, cents(1)));
  EXPECT_TRUE(reserve(4, cents(1)));
}

TEST_F(BookkeeperTest, OnlyWhatTheStoreHasInItsLastStateIsForgotten) {
  ASSERT_TRUE(reserve(1, cents(1)));  // Record 1.
  EXPECT_EQ(books.forget(attempt(1), 1), Bookkeeper::Forgotten::not_yet) << "not settled";
  ASSERT_TRUE(settle(1, cents(1)));  // Record 2.
  ASSERT_TRUE(settle(1, cents(2)));  // Record 3.

  EXPECT_EQ(books.forget(attempt(1), 2), Bookkeeper::Forgotten::not_yet);
  EXPECT_EQ(books.forget(attempt(1), 3), Bookkeeper::Forgotten::yes);

  EXPECT_FALSE(books
                   .settle({attempt(1), cents(1), Certainty::billed, std::nullopt},
                           Bookkeeper::Recall::may_be_needed)
                   .has_value());
  EXPECT_FALSE(
      books.reserve(reservation(attempt(1), on({1}), cents(1)), Bookkeeper::Recall::may_be_needed)
          .has_value())
      << "somebody has to look before it is taken for a new one";
}

TEST_F(BookkeeperTest, RecordsCarryAllThatIsNeededToUnderstandThemAlone) {
  ASSERT_TRUE(reserve(1, cents(3)));
  ASSERT_TRUE(settle(1, cents(2)));
  ASSERT_TRUE(settle(1, cents(1)));

  ASSERT_EQ(log.written.size(), 3u);
  EXPECT_EQ(log.written[0].type, LogRecord::Type::hold);
  EXPECT_EQ(log.written[1].type, LogRecord::Type::settle);
  EXPECT_EQ(log.written[2].type, LogRecord::Type::correct);
  for (const LogRecord& record : log.written) {
    EXPECT_EQ(record.attempt, attempt(1));
    EXPECT_EQ(record.held, cents(3));
    ASSERT_EQ(record.budgets.size(), 1u);
    EXPECT_EQ(record.budgets.items()[0].budget, BudgetId{1});
    EXPECT_EQ(record.budgets.items()[0].period_start,
              books.accounts().balance(BudgetId{1}, clock.wall_now())->period_start);
  }
}

}  // namespace
}  // namespace claviger::budget

#include <gmock/gmock.h>

#include "store/contract/store_under_test.h"

namespace claviger::store {
namespace {

using budget::Certainty;
using budget::FoldBatch;
using budget::HoldState;
using budget::JournalPosition;
using budget::LedgerStoreError;
using budget::StoredHold;
using budget::StoredPeriod;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class LedgerStoreContract : public StoreContract {
 protected:
  budget::LedgerStore& ledger() { return store_->ledger(); }

  StoredHold open_hold(std::uint64_t request, std::uint32_t attempt = 1) {
    StoredHold hold;
    hold.attempt = {.request = {.high = 0xF000'0000'0000'0000, .low = request}, .number = attempt};
    hold.opened_at = now_;
    hold.held = NanoUsd(500);
    EXPECT_TRUE(hold.budgets.add({BudgetId{3}, now_}));
    EXPECT_TRUE(hold.budgets.add({BudgetId{9}, WallTime{}}));
    return hold;
  }
  static StoredHold settled(StoredHold hold, NanoUsd cost) {
    hold.state = HoldState::settled;
    hold.cost = cost;
    hold.certainty = Certainty::billed;
    return hold;
  }
  FoldBatch next_batch(std::vector<StoredHold> holds, std::vector<StoredPeriod> spent = {}) {
    FoldBatch batch;
    batch.from = position_;
    position_.slot += 10;
    batch.to = position_;
    batch.holds = std::move(holds);
    batch.spent_changes = std::move(spent);
    return batch;
  }
  JournalPosition position_;
};
CLAVIGER_OVER_ALL_STORES(LedgerStoreContract);

void expect_same(const StoredHold& a, const StoredHold& b) {
  EXPECT_EQ(a.attempt, b.attempt);
  EXPECT_EQ(a.opened_at, b.opened_at);
  EXPECT_EQ(a.held, b.held);
  EXPECT_EQ(a.budgets, b.budgets);
  EXPECT_EQ(a.state, b.state);
  EXPECT_EQ(a.cost, b.cost);
  EXPECT_EQ(a.certainty, b.certainty);
}

TEST_P(LedgerStoreContract, AnEmptyStoreIsAtTheBeginning) {
  const auto state = ledger().load().value();
  EXPECT_EQ(state.folded_up_to, JournalPosition{});
  EXPECT_THAT(state.latest_periods, IsEmpty());
  EXPECT_THAT(state.unsettled, IsEmpty());
  EXPECT_EQ(state.newest_request, std::nullopt);
}

TEST_P(LedgerStoreContract, WhatWasFoldedIsThereAfterARestart) {
  const StoredHold open = open_hold(1);
  StoredHold unconfirmed = open_hold(2);
  unconfirmed.state = HoldState::unconfirmed;
  const StoredHold done = settled(open_hold(3, 2), NanoUsd(70));
  const StoredPeriod spent{BudgetId{3}, now_, NanoUsd(70)};
  ASSERT_TRUE(ledger().fold(next_batch({open, unconfirmed, done}, {spent})));
  store_->reopen();

  const auto state = ledger().load().value();
  EXPECT_EQ(state.folded_up_to, position_);
  EXPECT_THAT(state.latest_periods, ElementsAre(spent));
  ASSERT_THAT(state.unsettled, SizeIs(2));
  expect_same(state.unsettled[0], open);
  expect_same(state.unsettled[1], unconfirmed);
  EXPECT_EQ(state.newest_request, done.attempt.request);
  expect_same(ledger().find(done.attempt).value().value(), done);
}

TEST_P(LedgerStoreContract, ABatchIsFoldedOnce) {
  const FoldBatch batch = next_batch({open_hold(1)}, {{BudgetId{3}, now_, NanoUsd(70)}});
  ASSERT_TRUE(ledger().fold(batch));
  EXPECT_EQ(ledger().fold(batch).error(), LedgerStoreError::out_of_step);
  EXPECT_EQ(ledger().load().value().latest_periods.at(0).spent, NanoUsd(70));
}

TEST_P(LedgerStoreContract, ABatchThatSkipsSlotsIsRefused) {
  FoldBatch batch = next_batch({open_hold(1)});
  batch.from = {.segment = 1, .slot = 0};
  batch.to = {.segment = 1, .slot = 5};
  EXPECT_EQ(ledger().fold(batch).error(), LedgerStoreError::out_of_step);
  EXPECT_THAT(ledger().load().value().unsettled, IsEmpty());
}

TEST_P(LedgerStoreContract, PositionsUseAll64Bits) {
  FoldBatch batch;
  batch.to = {.segment = ~std::uint64_t{0}, .slot = std::uint64_t{1} << 63};
  ASSERT_TRUE(ledger().fold(batch));
  EXPECT_EQ(ledger().load().value().folded_up_to, batch.to);
}

TEST_P(LedgerStoreContract, ALaterStateReplacesOnlyWhatASettlementChanges) {
  const StoredHold open = open_hold(1);
  ASSERT_TRUE(ledger().fold(next_batch({open})));
  StoredHold later = settled(open, NanoUsd(70));
  later.held = NanoUsd(1);
  later.opened_at = later_;
  later.budgets = {};
  ASSERT_TRUE(ledger().fold(next_batch({later})));

  expect_same(ledger().find(open.attempt).value().value(), settled(open, NanoUsd(70)));
  EXPECT_THAT(ledger().load().value().unsettled, IsEmpty());
}

TEST_P(LedgerStoreContract, SpentAddsUpPerBudgetAndPeriodAndTheLatestIsLoaded) {
  ASSERT_TRUE(ledger().fold(
      next_batch({}, {{BudgetId{3}, now_, NanoUsd(70)}, {BudgetId{9}, WallTime{}, NanoUsd(5)}})));
  ASSERT_TRUE(ledger().fold(next_batch({}, {{BudgetId{3}, later_, NanoUsd(1)},
                                            {BudgetId{3}, now_, NanoUsd(30)},
                                            {BudgetId{9}, WallTime{}, NanoUsd(-2)}})));
  EXPECT_THAT(ledger().load().value().latest_periods,
              testing::UnorderedElementsAre(StoredPeriod{BudgetId{3}, later_, NanoUsd(1)},
                                            StoredPeriod{BudgetId{9}, WallTime{}, NanoUsd(3)}));
}

TEST_P(LedgerStoreContract, ASumStopsAtTheEndOfItsRange) {
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(ledger().fold(next_batch({}, {{BudgetId{3}, now_, NanoUsd::max()}})));
  }
  EXPECT_EQ(ledger().load().value().latest_periods.at(0).spent, NanoUsd::max());
}

TEST_P(LedgerStoreContract, SpendOfABudgetThatNobodyKnowsIsKept) {
  ASSERT_TRUE(ledger().fold(next_batch({}, {{BudgetId{12345}, now_, NanoUsd(70)}})));
  EXPECT_EQ(ledger().load().value().latest_periods.at(0).budget, BudgetId{12345});
}

TEST_P(LedgerStoreContract, AHoldOnAsManyBudgetsAsThereCanBeComesBack) {
  StoredHold hold = open_hold(1);
  hold.budgets = {};
  for (std::int64_t i = 0; i < std::int64_t{budget::BudgetSet::kMost}; ++i) {
    EXPECT_TRUE(
        hold.budgets.add({BudgetId{1'000'000'000'000'000 + i}, now_ + std::chrono::minutes(i)}));
  }
  StoredHold bare = open_hold(2);
  bare.budgets = {};
  ASSERT_TRUE(ledger().fold(next_batch({hold, bare})));
  expect_same(ledger().find(hold.attempt).value().value(), hold);
  expect_same(ledger().find(bare.attempt).value().value(), bare);
}

TEST_P(LedgerStoreContract, AClosedHoldIsFoundAndCountsAmongTheNewest) {
  FoldBatch batch = next_batch({open_hold(2)});
  for (const std::uint64_t request : {7, 1, 3, 2}) {
    batch.closed.push_back(settled(open_hold(request, 2), NanoUsd(70)));
  }
  ASSERT_TRUE(ledger().fold(batch));
  store_->reopen();

  for (const StoredHold& hold : batch.closed) {
    expect_same(ledger().find(hold.attempt).value().value(), hold);
  }
  EXPECT_EQ(ledger().find(open_hold(7, 1).attempt).value(), std::nullopt);
  EXPECT_THAT(ledger().find_all(open_hold(2).attempt.request).value(), SizeIs(2));
  const auto state = ledger().load().value();
  EXPECT_THAT(state.unsettled, SizeIs(1));
  EXPECT_EQ(state.newest_request, open_hold(7).attempt.request);
}

TEST_P(LedgerStoreContract, MoreHoldsThanABlockTakesAreAllFound) {
  FoldBatch batch = next_batch({});
  for (std::uint64_t request = 1; request <= 2'500; ++request) {
    StoredHold hold = settled(open_hold(request), NanoUsd(static_cast<std::int64_t>(request)));
    hold.attempt.request.high += (request << 16) * 50;  // Of several minutes.
    batch.closed.push_back(hold);
  }
  ASSERT_TRUE(ledger().fold(batch));
  for (std::size_t i = 0; i < batch.closed.size(); i += 97) {
    expect_same(ledger().find(batch.closed[i].attempt).value().value(), batch.closed[i]);
  }
}

TEST_P(LedgerStoreContract, ACorrectionOfAClosedHoldReplacesWhatItCostAndNothingElse) {
  const StoredHold closed = settled(open_hold(1), NanoUsd(70));
  FoldBatch batch = next_batch({});
  batch.closed = {closed};
  ASSERT_TRUE(ledger().fold(batch));
  StoredHold later = settled(closed, NanoUsd(90));
  later.held = NanoUsd(1);
  later.opened_at = later_;
  later.budgets = {};
  ASSERT_TRUE(ledger().fold(next_batch({later})));

  expect_same(ledger().find(closed.attempt).value().value(), settled(closed, NanoUsd(90)));
  EXPECT_THAT(ledger().find_all(closed.attempt.request).value(), SizeIs(1));
}

TEST_P(LedgerStoreContract, TheAttemptsOfARequestComeByNumber) {
  ASSERT_TRUE(ledger().fold(next_batch({open_hold(1, 10), open_hold(1, 9), open_hold(2, 1)})));
  const auto all = ledger().find_all(open_hold(1).attempt.request).value();
  ASSERT_THAT(all, SizeIs(2));
  EXPECT_EQ(all[0].attempt.number, 9u);
  EXPECT_EQ(all[1].attempt.number, 10u);
  EXPECT_THAT(ledger().find_all({.high = 1, .low = 1}).value(), IsEmpty());
  EXPECT_EQ(ledger().find({.request = {.high = 1, .low = 1}, .number = 1}).value(), std::nullopt);
}

TEST_P(LedgerStoreContract, WhatNoBillHasConfirmedIsFoundTheOldestFirst) {
  StoredHold unconfirmed = open_hold(1);
  unconfirmed.state = HoldState::unconfirmed;
  StoredHold estimated = settled(open_hold(2), NanoUsd(500));
  estimated.certainty = Certainty::estimated;
  StoredHold quarantined = settled(open_hold(3), NanoUsd(500));
  quarantined.certainty = Certainty::quarantined;
  StoredHold reconciled = settled(open_hold(4), NanoUsd(70));
  reconciled.certainty = Certainty::reconciled;
  ASSERT_TRUE(ledger().fold(next_batch({quarantined, estimated, unconfirmed, open_hold(5),
                                        settled(open_hold(6), NanoUsd(70)), reconciled})));

  const auto found = ledger().uncertain(10).value();
  ASSERT_THAT(found, SizeIs(3));
  expect_same(found[0], unconfirmed);
  expect_same(found[1], estimated);
  expect_same(found[2], quarantined);
  EXPECT_THAT(ledger().uncertain(2).value(), SizeIs(2));
}

TEST_P(LedgerStoreContract, CorrectionsAreTaken) {
  FoldBatch batch = next_batch({settled(open_hold(1), NanoUsd(5))});
  batch.corrections.push_back({.attempt = open_hold(1).attempt,
                               .at = later_,
                               .cost_before = std::nullopt,
                               .cost_after = NanoUsd(5),
                               .certainty = Certainty::reconciled});
  EXPECT_TRUE(ledger().fold(batch));
}

TEST_P(LedgerStoreContract, CorrectionsComeLatestFirstWithWhatPeopleSaidOfThem) {
  const budget::CorrectionNote note{budget::CorrectionKind::refund, "credit note 17"};
  const auto number = ledger().add_note(note, later_).value();
  EXPECT_NE(number, 0u);
  FoldBatch batch = next_batch({settled(open_hold(1), NanoUsd(5))});
  budget::Correction correction{.attempt = open_hold(1).attempt,
                                .at = now_,
                                .cost_before = std::nullopt,
                                .cost_after = NanoUsd(9),
                                .certainty = Certainty::billed,
                                .note = 0};
  batch.corrections.push_back(correction);
  correction.at = later_;
  correction.cost_before = NanoUsd(9);
  correction.cost_after = NanoUsd(5);
  correction.certainty = Certainty::reconciled;
  correction.note = number;
  batch.corrections.push_back(correction);
  ASSERT_TRUE(ledger().fold(batch));

  const auto found = ledger().corrections(now_, 10).value();
  ASSERT_THAT(found, SizeIs(2));
  EXPECT_EQ(found[0].note, note);
  EXPECT_EQ(found[0].at, later_);
  EXPECT_EQ(found[0].cost_before, NanoUsd(9));
  EXPECT_EQ(found[0].cost_after, NanoUsd(5));
  EXPECT_EQ(found[0].certainty, Certainty::reconciled);
  EXPECT_EQ(found[1].note, std::nullopt);
  EXPECT_EQ(found[1].cost_before, std::nullopt);
  EXPECT_THAT(ledger().corrections(later_, 10).value(), SizeIs(1));
  EXPECT_THAT(ledger().corrections(now_, 1).value(), SizeIs(1));
}

TEST_P(LedgerStoreContract, AFoldThatFailsLeavesNothingAndCanBeRepeated) {
  const FoldBatch batch = next_batch({open_hold(1)}, {{BudgetId{3}, now_, NanoUsd(70)}});
  store_->refuse_writes();
  EXPECT_EQ(ledger().fold(batch).error(), LedgerStoreError::unavailable);
  store_->reopen();
  EXPECT_EQ(ledger().load().value().folded_up_to, JournalPosition{});
  EXPECT_THAT(ledger().load().value().latest_periods, IsEmpty());
  EXPECT_TRUE(ledger().fold(batch));
}

}  // namespace
}  // namespace claviger::store

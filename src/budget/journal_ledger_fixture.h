#pragma once

/// What tests of the journal's ledger stand on: a scratch folder, a store, and ledgers over
/// them with or without threads of their own.

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "budget/journal_ledger.h"
#include "budget/ledger_contract_fixture.h"
#include "budget/memory_ledger_store.h"
#include "budget/scratch_folder.h"

namespace claviger::budget {

struct JournalLedgerTest : testing::Test {
  JournalLedgerConfig by_hand(std::uint32_t slots_per_segment = 2'048) {
    JournalLedgerConfig config;
    config.journal = {.folder = folder.path() + "/journal",
                      .slots_per_segment = slots_per_segment,
                      .segments_max = 4,
                      .group_every = std::nullopt};
    config.fold_every = std::nullopt;
    return config;
  }
  JournalLedgerConfig with_threads() {
    JournalLedgerConfig config = by_hand();
    config.journal.group_every = std::chrono::milliseconds{1};
    config.journal.slots_per_segment = 16'384;
    config.journal.segments_max = 64;
    config.fold_every = std::chrono::milliseconds{2};
    return config;
  }
  std::unique_ptr<JournalLedger> open(JournalLedgerConfig config, NanoUsd limit = dollars(100)) {
    auto opened = JournalLedger::open(clock, store, std::move(config));
    if (!opened) throw std::runtime_error(opened.error());
    for (const std::int64_t id : {1, 2, 3}) {
      EXPECT_TRUE(run((*opened)->set_terms({.id = BudgetId{id},
                                            .limit = limit,
                                            .period = Period::total,
                                            .when_exhausted = WhenExhausted::clamp})));
    }
    return *std::move(opened);
  }
  std::string refusal_to_open() {
    const auto opened = JournalLedger::open(clock, store, by_hand());
    return opened ? "" : opened.error();
  }
  static void hold_and_settle(Ledger& ledger, std::uint64_t first, std::uint64_t last) {
    for (std::uint64_t number = first; number <= last; ++number) {
      ASSERT_TRUE(run(ledger.reserve(reservation(attempt(number), on({1}), cents(8)))));
      ASSERT_TRUE(run(ledger.settle(HoldId{attempt(number)}, cents(1), Certainty::billed)));
    }
  }
  std::string segment_path(std::uint64_t segment) {
    return folder.path() + "/journal/" + segment_name(segment);
  }
  std::size_t files() { return list_segments(folder.path() + "/journal").value().size(); }

  ScratchFolder folder;
  SystemClock clock;
  MemoryLedgerStore store;
};

}  // namespace claviger::budget

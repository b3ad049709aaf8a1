#pragma once

/// Sums journal records up into what the store is told: the same when a running ledger folds
/// and when a new one finds what a crash left.

#include <cstdint>
#include <expected>
#include <unordered_map>
#include <vector>

#include "budget/ledger_log.h"
#include "budget/ledger_store.h"

namespace claviger::budget {

/// Threads: one at a time.
class Fold {
 public:
  /// `store` outlives this. It is asked what an attempt cost before, where a correction comes
  /// without what it corrects: that may have been folded long ago, or been torn by a crash.
  explicit Fold(LedgerStore& store) : store_(store) {}

  /// Takes the next record; those of one attempt come in order. Errors: unavailable.
  std::expected<void, LedgerStoreError> add(const LogRecord& record);

  std::size_t records() const { return records_; }
  /// Attempts that were settled by the records so far.
  std::vector<AttemptId> settled() const;

  /// Gives out all that was added, and is empty again.
  FoldBatch take(JournalPosition from, JournalPosition to);

 private:
  std::expected<std::optional<NanoUsd>, LedgerStoreError> cost_before(const LogRecord& record);
  void add_spent(const HeldOnSet& budgets, NanoUsd change);

  struct HashHeldOn {
    std::size_t operator()(const HeldOn& held_on) const {
      return std::hash<BudgetId>{}(held_on.budget) ^
             static_cast<std::size_t>(unix_micros(held_on.period_start));
    }
  };

  LedgerStore& store_;
  std::size_t records_ = 0;
  /// Where an attempt stands, and whether these records hold all that ever happened to it.
  struct Place {
    std::size_t index = 0;  ///< In batch_.holds.
    bool is_whole = false;
  };
  FoldBatch batch_;
  std::unordered_map<AttemptId, Place> holds_;
  std::unordered_map<HeldOn, std::size_t, HashHeldOn> changes_;  ///< In spent_changes.
};

}  // namespace claviger::budget

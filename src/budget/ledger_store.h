#pragma once

/// Where the ledger's money rests: what the journal has been folded into. A store implements
/// this; the ledger is its only caller.
///
/// Why beside the journal: a row per settlement on the spot would be the bottleneck, so holds
/// and settlements go to a file first (journal.h) and reach the store in batches, about once
/// a second. The store is therefore always a little behind, and always consistent: a batch
/// and the position that it reaches in the journal are one transaction, so that folding again
/// after a crash neither repeats nor skips anything.

#include <algorithm>
#include <array>
#include <compare>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <vector>

#include "base/ids.h"
#include "base/money.h"
#include "base/time.h"
#include "budget/ledger.h"

namespace claviger::budget {

/// A place in the journal: all slots before it have been folded. {0, 0} before the first.
struct JournalPosition {
  std::uint64_t segment = 0;
  std::uint64_t slot = 0;
  friend auto operator<=>(const JournalPosition&, const JournalPosition&) = default;
};

/// One budget that a hold counts against, in the period in which it was taken: its cost
/// belongs there, however late it is settled.
struct HeldOn {
  BudgetId budget;
  WallTime period_start;  ///< Whole minutes; 1970-01-01 for Period::total.
  friend auto operator<=>(const HeldOn&, const HeldOn&) = default;
};

/// At most BudgetSet::kMost of them, without an allocation.
class HeldOnSet {
 public:
  /// False where the set is full, which a hold that was granted never meets.
  [[nodiscard]] bool add(HeldOn held_on) {
    if (size_ == items_.size()) return false;
    items_[size_++] = held_on;
    return true;
  }
  std::span<const HeldOn> items() const { return {items_.data(), size_}; }
  std::size_t size() const { return size_; }
  friend bool operator==(const HeldOnSet& a, const HeldOnSet& b) {
    return std::ranges::equal(a.items(), b.items());
  }

 private:
  std::array<HeldOn, BudgetSet::kMost> items_{};
  std::size_t size_ = 0;
};

/// One attempt that held money. Budgets of Period::request are not listed: nothing
/// accumulates on them.
struct StoredHold {
  AttemptId attempt;
  WallTime opened_at;
  NanoUsd held;
  HeldOnSet budgets;
  HoldState state = HoldState::open;
  std::optional<NanoUsd> cost;         ///< Present exactly where state is `settled`.
  std::optional<Certainty> certainty;  ///< Likewise.
};

/// Spend of one budget in one period; in a FoldBatch, the change to it.
struct StoredPeriod {
  BudgetId budget;
  WallTime period_start;
  NanoUsd spent;  ///< In a FoldBatch a change, which a correction can make negative.
  friend bool operator==(const StoredPeriod&, const StoredPeriod&) = default;
};

/// A settlement that was replaced, or that came from a person. History is never rewritten.
struct Correction {
  AttemptId attempt;
  WallTime at;
  std::optional<NanoUsd> cost_before;  ///< None where the hold had not been settled.
  NanoUsd cost_after;
  Certainty certainty = Certainty::reconciled;
  std::uint32_t note = 0;  ///< Of add_note(); 0: none.
  friend bool operator==(const Correction&, const Correction&) = default;
};

/// Slots [from, to) of the journal, summed up: each attempt once, in its last state, and each
/// budget and period once.
struct FoldBatch {
  JournalPosition from;
  JournalPosition to;
  /// A new attempt is inserted whole. For one that is there already, only state, cost and
  /// certainty are taken over; when it was opened, what it held and on which budgets stays.
  std::vector<StoredHold> holds;
  /// Opened by these very slots and settled as the provider billed it, and not corrected since:
  /// the store knows nothing of them, and may never hear of them again. Not in `holds`.
  std::vector<StoredHold> closed;
  std::vector<StoredPeriod> spent_changes;
  std::vector<Correction> corrections;
};

/// What the ledger needs at start.
struct LedgerState {
  JournalPosition folded_up_to;
  /// The latest period of each budget that has one; earlier ones are over.
  std::vector<StoredPeriod> latest_periods;
  /// All holds whose state is `open` or `unconfirmed`.
  std::vector<StoredHold> unsettled;
  /// The largest request id among all holds, settled ones included.
  std::optional<RequestId> newest_request;
};

enum class LedgerStoreError : std::uint8_t {
  unavailable,  ///< The database did not answer, or the disk is full. Trying again may help.
  out_of_step,  ///< `from` is not where the last fold ended: somebody else folds this journal.
};

/// Threads: any thread, but one call at a time; the ledger sees to it. Methods may block, and
/// are never called on a request's way.
class LedgerStore {
 public:
  virtual ~LedgerStore() = default;

  /// Errors: unavailable.
  virtual std::expected<LedgerState, LedgerStoreError> load() = 0;

  /// Applies a batch and moves the position from `from` to `to`, which may be the same, in one
  /// durable transaction: all of it or nothing. A budget that has been removed is no reason to
  /// fail. A sum that leaves 64 bits stops at their end. Errors: unavailable, out_of_step.
  virtual std::expected<void, LedgerStoreError> fold(const FoldBatch& batch) = 0;

  /// None where no such attempt was folded. Errors: unavailable.
  virtual std::expected<std::optional<StoredHold>, LedgerStoreError> find(
      const AttemptId& attempt) = 0;

  /// All attempts of a request, by number. Errors: unavailable.
  virtual std::expected<std::vector<StoredHold>, LedgerStoreError> find_all(
      const RequestId& request) = 0;

  /// Attempts whose cost no bill has confirmed (UncertainCost), the oldest first, at most `most`.
  /// Errors: unavailable.
  virtual std::expected<std::vector<StoredHold>, LedgerStoreError> uncertain(std::size_t most) = 0;

  /// Keeps why somebody is about to correct a cost. Returns its number, never 0; a Correction that
  /// is folded later names it. Errors: unavailable.
  virtual std::expected<std::uint32_t, LedgerStoreError> add_note(const CorrectionNote& note,
                                                                  WallTime now) = 0;

  /// The latest first, with their notes, at most `most`. Errors: unavailable.
  virtual std::expected<std::vector<CorrectionEntry>, LedgerStoreError> corrections(
      WallTime since, std::size_t most) = 0;
};

/// Whether `hold` is one of LedgerStore::uncertain().
inline bool is_uncertain(const StoredHold& hold) {
  return hold.state == HoldState::unconfirmed || hold.certainty == Certainty::estimated ||
         hold.certainty == Certainty::quarantined;
}

}  // namespace claviger::budget

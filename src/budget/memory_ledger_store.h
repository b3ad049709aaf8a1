#pragma once

/// A LedgerStore in memory, for tests: it keeps the promises of the interface, can refuse on
/// demand, and lets a test look at what was folded.

#include <map>
#include <tuple>

#include "budget/ledger_store.h"

namespace claviger::budget {

/// Threads: as the interface says. A test looks in only while the ledger does nothing.
class MemoryLedgerStore final : public LedgerStore {
 public:
  std::expected<LedgerState, LedgerStoreError> load() override;
  std::expected<void, LedgerStoreError> fold(const FoldBatch& batch) override;
  std::expected<std::optional<StoredHold>, LedgerStoreError> find(
      const AttemptId& attempt) override;
  std::expected<std::vector<StoredHold>, LedgerStoreError> uncertain(std::size_t most) override;
  std::expected<std::vector<StoredHold>, LedgerStoreError> find_all(
      const RequestId& request) override;
  std::expected<std::uint32_t, LedgerStoreError> add_note(const CorrectionNote& note,
                                                          WallTime now) override;
  std::expected<std::vector<CorrectionEntry>, LedgerStoreError> corrections(
      WallTime since, std::size_t most) override;

  /// From now on every call answers `unavailable`, until it is called with `answers`.
  enum class Health : std::uint8_t { answers, unavailable };
  void set_health(Health health) { health_ = health; }

  NanoUsd spent(BudgetId budget, WallTime period_start) const;
  const std::vector<Correction>& corrections() const { return corrections_; }
  JournalPosition folded_up_to() const { return folded_up_to_; }

 private:
  Health health_ = Health::answers;
  JournalPosition folded_up_to_;
  std::map<AttemptId, StoredHold> holds_;
  std::map<std::tuple<BudgetId, WallTime>, NanoUsd> spent_;
  std::vector<Correction> corrections_;
  std::vector<CorrectionNote> notes_;  ///< By number, counted from 1.
};

}  // namespace claviger::budget

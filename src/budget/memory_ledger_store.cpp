#include "budget/memory_ledger_store.h"

#include <ranges>

namespace claviger::budget {

std::expected<LedgerState, LedgerStoreError> MemoryLedgerStore::load() {
  if (health_ == Health::unavailable) return std::unexpected(LedgerStoreError::unavailable);
  LedgerState state;
  state.folded_up_to = folded_up_to_;
  for (const auto& [key, spent] : spent_) {
    const auto& [budget, period_start] = key;
    // In order of budget and period: the last one of a budget is its latest.
    if (!state.latest_periods.empty() && state.latest_periods.back().budget == budget) {
      state.latest_periods.pop_back();
    }
    state.latest_periods.push_back({budget, period_start, spent});
  }
  for (const auto& [attempt, hold] : holds_) {
    if (hold.state != HoldState::settled) state.unsettled.push_back(hold);
  }
  if (!holds_.empty()) state.newest_request = holds_.rbegin()->first.request;
  return state;
}

std::expected<void, LedgerStoreError> MemoryLedgerStore::fold(const FoldBatch& batch) {
  if (health_ == Health::unavailable) return std::unexpected(LedgerStoreError::unavailable);
  if (batch.from != folded_up_to_) return std::unexpected(LedgerStoreError::out_of_step);
  for (const StoredHold& hold : batch.holds) {
    const auto [place, is_new] = holds_.try_emplace(hold.attempt, hold);
    if (is_new) continue;
    place->second.state = hold.state;
    place->second.cost = hold.cost;
    place->second.certainty = hold.certainty;
  }
  for (const StoredHold& hold : batch.closed) holds_.insert_or_assign(hold.attempt, hold);
  for (const StoredPeriod& change : batch.spent_changes) {
    spent_[{change.budget, change.period_start}] += change.spent;
  }
  corrections_.insert(corrections_.end(), batch.corrections.begin(), batch.corrections.end());
  folded_up_to_ = batch.to;
  return {};
}

std::expected<std::optional<StoredHold>, LedgerStoreError> MemoryLedgerStore::find(
    const AttemptId& attempt) {
  if (health_ == Health::unavailable) return std::unexpected(LedgerStoreError::unavailable);
  const auto place = holds_.find(attempt);
  if (place == holds_.end()) return std::nullopt;
  return place->second;
}

std::expected<std::vector<StoredHold>, LedgerStoreError> MemoryLedgerStore::find_all(
    const RequestId& request) {
  if (health_ == Health::unavailable) return std::unexpected(LedgerStoreError::unavailable);
  std::vector<StoredHold> found;
  for (auto place = holds_.lower_bound({request, 0});
       place != holds_.end() && place->first.request == request; ++place) {
    found.push_back(place->second);
  }
  return found;
}

std::expected<std::vector<StoredHold>, LedgerStoreError> MemoryLedgerStore::uncertain(
    std::size_t most) {
  if (health_ == Health::unavailable) return std::unexpected(LedgerStoreError::unavailable);
  std::vector<StoredHold> found;
  for (const auto& [attempt, hold] : holds_) {
    if (found.size() == most) break;
    if (is_uncertain(hold)) found.push_back(hold);
  }
  return found;
}

std::expected<std::uint32_t, LedgerStoreError> MemoryLedgerStore::add_note(
    const CorrectionNote& note, WallTime) {
  if (health_ == Health::unavailable) return std::unexpected(LedgerStoreError::unavailable);
  notes_.push_back(note);
  return static_cast<std::uint32_t>(notes_.size());
}

std::expected<std::vector<CorrectionEntry>, LedgerStoreError> MemoryLedgerStore::corrections(
    WallTime since, std::size_t most) {
  if (health_ == Health::unavailable) return std::unexpected(LedgerStoreError::unavailable);
  std::vector<CorrectionEntry> found;
  for (const Correction& correction : std::views::reverse(corrections_)) {
    if (found.size() == most) break;
    if (correction.at < since) continue;
    found.push_back({.attempt = correction.attempt,
                     .at = correction.at,
                     .cost_before = correction.cost_before,
                     .cost_after = correction.cost_after,
                     .certainty = correction.certainty,
                     .note = std::nullopt});
    if (correction.note != 0) found.back().note = notes_.at(correction.note - 1);
  }
  return found;
}

NanoUsd MemoryLedgerStore::spent(BudgetId budget, WallTime period_start) const {
  const auto place = spent_.find({budget, period_start});
  return place == spent_.end() ? NanoUsd() : place->second;
}

}  // namespace claviger::budget

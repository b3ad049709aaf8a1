#include "budget/fold.h"

#include <utility>

namespace claviger::budget {

std::expected<std::optional<NanoUsd>, LedgerStoreError> Fold::cost_before(const LogRecord& record) {
  if (const auto known = holds_.find(record.attempt); known != holds_.end()) {
    return batch_.holds[known->second.index].cost;
  }
  // The first settlement of a hold has nothing before it.
  if (record.type != LogRecord::Type::correct) return std::nullopt;
  const auto stored = store_.find(record.attempt);
  if (!stored) return std::unexpected(stored.error());
  return *stored ? (*stored)->cost : std::nullopt;
}

std::expected<void, LedgerStoreError> Fold::add(const LogRecord& record) {
  std::optional<NanoUsd> before;
  if (record.type != LogRecord::Type::hold) {
    const auto found = cost_before(record);
    if (!found) return std::unexpected(found.error());
    before = *found;
  }
  ++records_;
  const auto [place, is_new] = holds_.try_emplace(record.attempt);
  if (is_new) {
    place->second = {.index = batch_.holds.size(),
                     .is_whole = record.type == LogRecord::Type::hold};
    batch_.holds.push_back({.attempt = record.attempt,
                            .opened_at = record.at,
                            .held = record.held,
                            .budgets = record.budgets,
                            .state = HoldState::open,
                            .cost = std::nullopt,
                            .certainty = std::nullopt});
  }
  if (record.type == LogRecord::Type::hold) return {};

  StoredHold& hold = batch_.holds[place->second.index];
  hold.state = HoldState::settled;
  hold.cost = record.cost;
  hold.certainty = record.certainty;
  add_spent(record.budgets, record.cost - before.value_or(NanoUsd()));
  if (record.type == LogRecord::Type::correct) {
    place->second.is_whole = false;
    batch_.corrections.push_back({.attempt = record.attempt,
                                  .at = record.at,
                                  .cost_before = before,
                                  .cost_after = record.cost,
                                  .certainty = record.certainty,
                                  .note = record.note});
  }
  return {};
}

void Fold::add_spent(const HeldOnSet& budgets, NanoUsd change) {
  for (const HeldOn& item : budgets.items()) {
    const auto [place, is_new] = changes_.try_emplace(item, batch_.spent_changes.size());
    if (is_new) batch_.spent_changes.push_back({item.budget, item.period_start, NanoUsd()});
    batch_.spent_changes[place->second].spent += change;
  }
}

std::vector<AttemptId> Fold::settled() const {
  std::vector<AttemptId> attempts;
  attempts.reserve(batch_.holds.size());
  for (const StoredHold& hold : batch_.holds) {
    if (hold.state == HoldState::settled) attempts.push_back(hold.attempt);
  }
  return attempts;
}

FoldBatch Fold::take(JournalPosition from, JournalPosition to) {
  batch_.from = from;
  batch_.to = to;
  FoldBatch batch = std::exchange(batch_, {});
  std::vector<StoredHold> holds = std::exchange(batch.holds, {});
  for (const auto& [attempt, place] : holds_) {
    StoredHold& hold = holds[place.index];
    const bool is_closed = place.is_whole && hold.certainty == Certainty::billed;
    (is_closed ? batch.closed : batch.holds).push_back(std::move(hold));
  }
  records_ = 0;
  holds_.clear();
  changes_.clear();
  return batch;
}

}  // namespace claviger::budget

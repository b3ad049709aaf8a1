#include "budget/memory_ledger.h"

#include <ranges>
#include <utility>

namespace claviger::budget {

Task<Result<Grant>> MemoryLedger::try_once(Reservation reservation, Accounts::Demand::Turn turn) {
  const auto granted = *books_.reserve(reservation, Bookkeeper::Recall::done, turn);
  if (!granted) co_return std::unexpected(granted.error());
  co_return granted->grant;
}

Task<Result<Grant>> MemoryLedger::reserve(Reservation reservation) {
  using Turn = Accounts::Demand::Turn;
  const bool may_wait = reservation.patience != nullptr;
  auto granted =
      co_await try_once(reservation, may_wait ? Turn::behind_those_who_wait : Turn::its_own);
  if (granted || !may_wait || !granted.error().may_fit_later) co_return granted;
  co_return co_await waiting_room_.wait(*reservation.patience, granted.error(),
                                        [&] { return try_once(reservation, Turn::its_own); });
}

Task<Result<Receipt>> MemoryLedger::settle(HoldId hold, NanoUsd cost, Certainty certainty) {
  co_return *books_.settle({hold.attempt, cost, certainty, std::nullopt}, Bookkeeper::Recall::done);
}

Task<Result<Receipt>> MemoryLedger::settle_forgotten(HoldId hold, BudgetSet budgets, NanoUsd cost,
                                                     Certainty certainty) {
  co_return *books_.settle({hold.attempt, cost, certainty, budgets}, Bookkeeper::Recall::done);
}

Task<Result<std::vector<AttemptMoney>>> MemoryLedger::attempts(RequestId request) {
  co_return books_.attempts(request);
}

Task<Result<Receipt>> MemoryLedger::correct(HoldId hold, NanoUsd cost, CorrectionNote note) {
  const std::scoped_lock lock(corrections_mutex_);
  CorrectionEntry entry{.attempt = hold.attempt,
                        .at = clock_.wall_now(),
                        .cost_before = std::nullopt,
                        .cost_after = cost,
                        .note = std::move(note)};
  for (const AttemptMoney& money : books_.attempts(hold.attempt.request)) {
    if (money.attempt == hold.attempt) entry.cost_before = money.cost;
  }
  auto corrected = *books_.settle({hold.attempt, cost, Certainty::reconciled, std::nullopt},
                                  Bookkeeper::Recall::done);
  if (corrected && entry.cost_before != cost) corrections_.push_back(std::move(entry));
  co_return corrected;
}

Task<Result<std::vector<CorrectionEntry>>> MemoryLedger::corrections(WallTime since,
                                                                     std::size_t most) {
  const std::scoped_lock lock(corrections_mutex_);
  std::vector<CorrectionEntry> found;
  for (const CorrectionEntry& entry : std::views::reverse(corrections_)) {
    if (found.size() == most) break;
    if (entry.at >= since) found.push_back(entry);
  }
  co_return found;
}

Task<Result<std::vector<UncertainCost>>> MemoryLedger::uncertain(std::size_t) {
  co_return std::vector<UncertainCost>{};  // It keeps no history that one could look through.
}

Task<Result<void>> MemoryLedger::set_terms(BudgetTerms terms) {
  co_return books_.accounts().set_terms(terms, clock_.wall_now());
}

Task<Result<void>> MemoryLedger::set_rule(BudgetTerms terms) {
  end_users_.set_rule(terms);
  for (const StoredEndUser& user : end_users_.of_rule(terms.id)) {
    const auto set = books_.accounts().set_terms(*end_users_.terms_for(terms.id, user.budget),
                                                 clock_.wall_now());
    if (!set) co_return set;
  }
  co_return Result<void>{};
}

Task<Result<BudgetId>> MemoryLedger::budget_of(EndUser user) {
  const std::scoped_lock lock(end_users_mutex_);
  if (const auto known = end_users_.find(user)) co_return *known;
  const auto failed = [](LedgerError error) {
    return std::unexpected(Refusal{.error = error, .budget = {}, .left = {}, .resets_at = {}});
  };
  const BudgetId made{next_end_user_};
  const auto terms = end_users_.terms_for(user.rule, made);
  if (!terms) co_return failed(LedgerError::unknown_budget);
  if (!end_users_.has_room()) co_return failed(LedgerError::too_many_end_users);
  ++next_end_user_;
  if (auto set = books_.accounts().set_terms(*terms, clock_.wall_now()); !set) {
    co_return std::unexpected(set.error());
  }
  end_users_.add({made, user.rule, user.app, std::string(user.name)});
  co_return made;
}

Task<Result<void>> MemoryLedger::remove(BudgetId budget) {
  if (const auto made = end_users_.remove_rule(budget)) {
    for (const BudgetId each : *made) static_cast<void>(books_.accounts().remove(each));
    co_return Result<void>{};
  }
  co_return books_.accounts().remove(budget);
}

Task<Result<Balance>> MemoryLedger::balance(BudgetId budget) {
  co_return books_.accounts().balance(budget, clock_.wall_now());
}

}  // namespace claviger::budget

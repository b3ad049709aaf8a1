#include "budget/memory_ledger.h"

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

Task<Result<std::vector<UncertainCost>>> MemoryLedger::uncertain(std::size_t) {
  co_return std::vector<UncertainCost>{};  // It keeps no history that one could look through.
}

Task<Result<void>> MemoryLedger::set_terms(BudgetTerms terms) {
  co_return books_.accounts().set_terms(terms, clock_.wall_now());
}

Task<Result<void>> MemoryLedger::remove(BudgetId budget) {
  co_return books_.accounts().remove(budget);
}

Task<Result<Balance>> MemoryLedger::balance(BudgetId budget) {
  co_return books_.accounts().balance(budget, clock_.wall_now());
}

}  // namespace claviger::budget

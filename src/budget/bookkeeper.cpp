#include "budget/bookkeeper.h"

#include <algorithm>
#include <cassert>

namespace claviger::budget {
namespace {

/// A hold needs room for itself and for its settlement.
constexpr std::uint32_t kRecordsPerHold = 2;

Refusal failure(LedgerError error) {
  return {.error = error, .budget = BudgetId{}, .left = NanoUsd(), .resets_at = std::nullopt};
}

std::uint64_t milliseconds_of(const RequestId& request) {
  return request.high >> 16;
}

AttemptMoney money_of(const Hold& hold) {
  AttemptMoney money{.attempt = hold.attempt,
                     .state = hold.state,
                     .held = hold.held,
                     .cost = std::nullopt,
                     .certainty = std::nullopt};
  if (hold.state == HoldState::settled) {
    money.cost = hold.cost;
    money.certainty = hold.certainty;
  }
  return money;
}

}  // namespace

std::optional<Result<Bookkeeper::Granted>> Bookkeeper::reserve(const Reservation& reservation,
                                                               Recall recall,
                                                               Accounts::Demand::Turn turn) {
  HoldTable::Locked stripe(holds_, reservation.attempt);
  if (const Hold* const known = stripe.find()) {
    const NanoUsd left = accounts_.apply(known->accounts, {});
    return Granted{{HoldId{known->attempt}, known->held, left}, known->written_up_to};
  }
  if (recall == Recall::may_be_needed && milliseconds_of(reservation.attempt.request) <=
                                             left_up_to_ms_.load(std::memory_order_relaxed)) {
    return std::nullopt;
  }
  if (open_holds_.fetch_add(1, std::memory_order_relaxed) >= limits_.open_holds_max) {
    open_holds_.fetch_sub(1, std::memory_order_relaxed);
    return std::unexpected(failure(LedgerError::too_many_holds));
  }
  if (!log_.claim_room(kRecordsPerHold)) {
    open_holds_.fetch_sub(1, std::memory_order_relaxed);
    return std::unexpected(failure(LedgerError::unavailable));
  }
  stripe.make_room();
  const WallTime now = clock_.wall_now();
  const auto holding = accounts_.reserve(reservation.budgets, {.cost_max = reservation.cost_max,
                                                               .cost_least = reservation.cost_least,
                                                               .now = now,
                                                               .turn = turn});
  if (!holding) {
    log_.give_back_room(kRecordsPerHold);
    open_holds_.fetch_sub(1, std::memory_order_relaxed);
    return std::unexpected(holding.error());
  }
  // From here on nothing fails: the money is held, and it is written down.
  Hold& hold = stripe.insert();
  hold.held = holding->amount;
  hold.accounts = holding->accounts;
  hold.written_up_to = log_.append({.type = LogRecord::Type::hold,
                                    .certainty = Certainty::billed,
                                    .attempt = hold.attempt,
                                    .held = hold.held,
                                    .cost = NanoUsd(),
                                    .at = now,
                                    .budgets = hold.accounts.budgets()});
  return Granted{{HoldId{hold.attempt}, hold.held, holding->left}, hold.written_up_to};
}

std::optional<Result<Receipt>> Bookkeeper::settle(const Settlement& settlement, Recall recall) {
  assert(!settlement.cost.is_negative());
  if (settlement.cost.is_negative()) {
    // A caller's bug. Where assertions are off it must not give money back: the hold stays.
    return std::unexpected(failure(LedgerError::unavailable));
  }
  HoldTable::Locked stripe(holds_, settlement.attempt);
  if (Hold* const hold = stripe.find()) return settle_known(*hold, settlement);
  if (recall == Recall::may_be_needed) return std::nullopt;
  if (!settlement.budgets_if_forgotten) return std::unexpected(failure(LedgerError::unknown_hold));
  return record_forgotten(stripe, settlement);
}

Result<Receipt> Bookkeeper::settle_known(Hold& hold, const Settlement& settlement) {
  if (hold.state == HoldState::settled && hold.cost == settlement.cost &&
      hold.certainty == settlement.certainty) {
    return Receipt{hold.cost, accounts_.apply(hold.accounts, {})};
  }
  // The room for a hold's first settlement was claimed together with the hold.
  if (hold.state != HoldState::open && !log_.claim_room(1)) {
    return std::unexpected(failure(LedgerError::unavailable));
  }
  const std::int64_t held = hold.held.nanos();
  const std::int64_t cost = settlement.cost.nanos();
  Accounts::Change change;
  switch (hold.state) {
    case HoldState::open:
      change = {.committed = cost - held, .held = -held, .unconfirmed = 0, .open_holds = -1};
      open_holds_.fetch_sub(1, std::memory_order_relaxed);
      break;
    case HoldState::unconfirmed:
      change = {.committed = cost - held, .held = 0, .unconfirmed = -held, .open_holds = 0};
      break;
    case HoldState::settled:
      change = {
          .committed = cost - hold.cost.nanos(), .held = 0, .unconfirmed = 0, .open_holds = 0};
      break;
  }
  const NanoUsd left = accounts_.apply(hold.accounts, change);
  hold.written_up_to = log_.append(
      {.type = hold.state == HoldState::open ? LogRecord::Type::settle : LogRecord::Type::correct,
       .certainty = settlement.certainty,
       .attempt = hold.attempt,
       .held = hold.held,
       .cost = settlement.cost,
       .at = clock_.wall_now(),
       .budgets = hold.accounts.budgets(),
       .note = settlement.note});
  hold.state = HoldState::settled;
  hold.cost = settlement.cost;
  hold.certainty = settlement.certainty;
  return Receipt{hold.cost, left};
}

Result<Receipt> Bookkeeper::record_forgotten(HoldTable::Locked& stripe,
                                             const Settlement& settlement) {
  if (!log_.claim_room(1)) return std::unexpected(failure(LedgerError::unavailable));
  stripe.make_room();
  const WallTime now = clock_.wall_now();
  const auto accounts = accounts_.present(*settlement.budgets_if_forgotten, now);
  if (!accounts) {
    log_.give_back_room(1);
    return std::unexpected(accounts.error());
  }
  Hold& hold = stripe.insert();
  hold.accounts = *accounts;
  hold.state = HoldState::settled;
  hold.cost = settlement.cost;
  hold.certainty = settlement.certainty;
  const NanoUsd left = accounts_.apply(
      hold.accounts,
      {.committed = settlement.cost.nanos(), .held = 0, .unconfirmed = 0, .open_holds = 0});
  hold.written_up_to = log_.append({.type = LogRecord::Type::settle,
                                    .certainty = hold.certainty,
                                    .attempt = hold.attempt,
                                    .held = NanoUsd(),
                                    .cost = hold.cost,
                                    .at = now,
                                    .budgets = hold.accounts.budgets()});
  return Receipt{hold.cost, left};
}

void Bookkeeper::recall(const StoredHold& stored) {
  HoldTable::Locked stripe(holds_, stored.attempt);
  if (stripe.find() != nullptr) return;
  Hold& hold = stripe.insert();
  hold.held = stored.held;
  hold.accounts = accounts_.restore(stored.budgets);
  if (stored.state == HoldState::settled) {
    hold.state = HoldState::settled;
    hold.cost = stored.cost.value_or(stored.held);
    hold.certainty = stored.certainty.value_or(Certainty::estimated);
  } else {
    hold.state = HoldState::unconfirmed;
  }
}

void Bookkeeper::restore_unsettled(const StoredHold& stored) {
  recall(stored);
  HoldTable::Locked stripe(holds_, stored.attempt);
  const std::int64_t held = stored.held.nanos();
  accounts_.apply(stripe.find()->accounts,
                  {.committed = held, .held = 0, .unconfirmed = held, .open_holds = 0});
}

void Bookkeeper::remember_left(const RequestId& request) {
  const std::uint64_t at_ms = milliseconds_of(request);
  std::uint64_t before_ms = left_up_to_ms_.load(std::memory_order_relaxed);
  while (before_ms < at_ms && !left_up_to_ms_.compare_exchange_weak(before_ms, at_ms)) {
  }
}

Bookkeeper::Forgotten Bookkeeper::forget(const AttemptId& attempt, std::uint64_t folded_up_to) {
  HoldTable::Locked stripe(holds_, attempt);
  const Hold* const hold = stripe.find();
  if (hold == nullptr) return Forgotten::yes;
  if (hold->state != HoldState::settled || hold->written_up_to > folded_up_to) {
    return Forgotten::not_yet;
  }
  remember_left(attempt.request);  // Before it goes, so that nobody takes it for a new one.
  stripe.erase();
  return Forgotten::yes;
}

std::vector<AttemptMoney> Bookkeeper::attempts(const RequestId& request) {
  std::vector<AttemptMoney> found;
  holds_.for_each([&](const Hold& hold) {
    if (hold.attempt.request == request) found.push_back(money_of(hold));
  });
  std::ranges::sort(found, {}, &AttemptMoney::attempt);
  return found;
}

}  // namespace claviger::budget

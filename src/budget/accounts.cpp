#include "budget/accounts.h"

#include <algorithm>
#include <cassert>
#include <limits>
#include <utility>

#include "budget/period.h"

namespace claviger::budget {
namespace {

constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

/// Adds, but a sum that has reached kSumMaxNanos stays there: see its comment.
std::int64_t add_up_to_the_end(std::atomic<std::int64_t>& sum, std::int64_t change) {
  std::int64_t before = sum.load(std::memory_order_relaxed);
  std::int64_t after = 0;
  do {
    if (before >= Accounts::kSumMaxNanos) return before;
    // Neither operand is beyond +-2^62 but for a cost, which is positive.
    if (__builtin_add_overflow(before, change, &after)) after = Accounts::kSumMaxNanos;
    after = std::clamp<std::int64_t>(after, 0, Accounts::kSumMaxNanos);
  } while (!sum.compare_exchange_weak(before, after, std::memory_order_acq_rel,
                                      std::memory_order_relaxed));
  return after;
}

std::int64_t left_of(const Account& account, std::int64_t committed) {
  return std::max<std::int64_t>(0, account.limit_nanos - committed);
}

bool accumulates(const Account& account) {
  return account.terms.period != Period::request;
}

/// The most that this budget allows one more hold to be, with `committed` taken already; or
/// none where the hold does not fit. Exact integers throughout.
///
/// The fair share: a request that asks for more than what is left divided by the requests in
/// flight gets just that. So 64 callers whose worst cases together exceed the limit all get
/// something, though each alone would fit; without it the first would take everything for
/// their worst cases, which almost never happen, and lock the rest out at nothing spent. One
/// that asks for more than all there is leaves a share for whoever comes next.
std::optional<std::int64_t> allowed(const Account& account, std::int64_t committed,
                                    const Accounts::Demand& demand) {
  const std::int64_t most = demand.cost_max.nanos();
  const std::int64_t least = demand.cost_least.nanos();
  const bool clamps = account.terms.when_exhausted == WhenExhausted::clamp;
  if (!accumulates(account)) {
    if (most <= account.limit_nanos) return most;
    if (!clamps || least > account.limit_nanos) return std::nullopt;
    return account.limit_nanos;
  }
  const std::int64_t room = account.limit_nanos - committed;
  if (!clamps) return room >= most ? std::optional(most) : std::nullopt;
  if (room < least) return std::nullopt;
  const std::int64_t competing =
      std::max<std::int64_t>(1, account.open_holds.load(std::memory_order_relaxed) +
                                    account.waiting.load(std::memory_order_relaxed));
  const std::int64_t share = room / (most > room ? competing + 1 : competing);
  return std::min(most, std::max(least, share));
}

/// The sum at which a budget passes that threshold: rounded up, and never 0.
std::int64_t threshold_nanos(const Account& account, int percent) {
  const auto product = static_cast<__int128>(account.limit_nanos) * percent;
  return std::max<std::int64_t>(1, static_cast<std::int64_t>((product + 99) / 100));
}

/// The first threshold above `counted_nanos`.
std::int64_t threshold_after(const Account& account, std::int64_t counted_nanos) {
  if (!accumulates(account)) return Account::kNoThreshold;
  for (auto percent = account.terms.warn_at.after(0); percent;
       percent = account.terms.warn_at.after(*percent)) {
    const std::int64_t at = threshold_nanos(account, *percent);
    if (at > counted_nanos) return at;
  }
  return Account::kNoThreshold;
}

Refusal refuse(LedgerError error, BudgetId budget) {
  return {.error = error, .budget = budget, .left = NanoUsd(), .resets_at = std::nullopt};
}

/// Whether it would fit if everything that is held now were given back.
bool may_fit_later(const Account& account, std::int64_t committed, const Accounts::Demand& demand) {
  if (!accumulates(account)) return false;
  const std::int64_t counted = committed - account.held_nanos.load(std::memory_order_relaxed);
  const std::int64_t room = account.limit_nanos - std::max<std::int64_t>(0, counted);
  switch (account.terms.when_exhausted) {
    case WhenExhausted::clamp:
      return room >= demand.cost_least.nanos();
    case WhenExhausted::queue:
      return room >= demand.cost_max.nanos();
    case WhenExhausted::refuse:
    case WhenExhausted::downgrade:
      break;
  }
  return false;
}

Refusal exhausted(const Account& account, std::int64_t committed, const Accounts::Demand& demand) {
  Refusal refusal = refuse(LedgerError::exhausted, account.id);
  refusal.left = NanoUsd(accumulates(account) ? left_of(account, committed) : account.limit_nanos);
  if (account.period_end_us != kNever) refusal.resets_at = from_unix_micros(account.period_end_us);
  refusal.may_fit_later = may_fit_later(account, committed, demand);
  return refusal;
}

/// Of two refusals, the one that a person has to know of: what waiting does not mend first.
bool is_worse(const Refusal& one, const Refusal& other) {
  if (one.may_fit_later != other.may_fit_later) return !one.may_fit_later;
  return one.left < other.left;
}

}  // namespace

HeldOnSet HeldAccounts::budgets() const {
  HeldOnSet set;
  for (const Item& item : items()) {
    [[maybe_unused]] const bool fits =
        set.add({item.account->id, from_unix_micros(item.period_start_us)});
  }
  return set;
}

void Accounts::Concerned::add(Account* account) {
  // A budget named twice is one budget: it must not be charged twice.
  if (std::ranges::find(items(), account) == items().end()) items_[size_++] = account;
}

Account* Accounts::find(BudgetId budget) const {
  if (index_.empty()) return nullptr;
  const std::size_t mask = index_.size() - 1;
  for (std::size_t place = (std::hash<BudgetId>{}(budget) >> 20) & mask;;
       place = (place + 1) & mask) {
    Account* const account = index_[place];
    if (account == nullptr || account->id == budget) return account;
  }
}

Account& Accounts::find_or_make(BudgetId budget) {
  if (Account* const account = find(budget)) return *account;
  Account& made = accounts_.emplace_back();
  made.id = budget;
  made.period_end_us = kNever;
  made.ceiling_nanos = leasing_ == Leasing::none ? kNever : 0;
  if (index_.size() >= accounts_.size() * 2) {
    put_into_index(made);
  } else {
    index_.assign(std::max<std::size_t>(64, index_.size() * 2), nullptr);
    for (Account& account : accounts_) put_into_index(account);
  }
  return made;
}

void Accounts::put_into_index(Account& account) {
  const std::size_t mask = index_.size() - 1;
  std::size_t place = (std::hash<BudgetId>{}(account.id) >> 20) & mask;
  while (index_[place] != nullptr) place = (place + 1) & mask;
  index_[place] = &account;
}

Result<Accounts::Concerned> Accounts::resolve(const BudgetSet& budgets) const {
  if (budgets.size() == 0) return std::unexpected(refuse(LedgerError::unknown_budget, BudgetId{}));
  Concerned concerned;
  for (const BudgetId budget : budgets.ids()) {
    Account* const account = find(budget);
    if (account == nullptr || account->state != Account::State::in_force) {
      return std::unexpected(refuse(LedgerError::unknown_budget, budget));
    }
    concerned.add(account);
  }
  return concerned;
}

Result<Accounts::Holding> Accounts::reserve(const BudgetSet& budgets, const Demand& demand) {
  assert(!demand.cost_least.is_negative() && demand.cost_least <= demand.cost_max);
  if (demand.cost_least.is_negative() || demand.cost_least > demand.cost_max) {
    // A caller's bug. Where assertions are off it must not cost money: fail closed.
    return std::unexpected(refuse(LedgerError::unavailable, BudgetId{}));
  }
  constexpr int kTriesWhilePassing = 3;
  const std::int64_t now_us = unix_micros(demand.now);
  enum class Periods : std::uint8_t { unchecked, checked } periods = Periods::unchecked;
  for (int attempt = 0; attempt < kTriesWhilePassing;) {
    std::optional<Concerned> due;
    {
      const Gate::Pass pass(gate_);
      const Result<Concerned> concerned = resolve(budgets);
      if (!concerned) return std::unexpected(concerned.error());
      if (periods == Periods::unchecked &&
          std::ranges::any_of(concerned->items(), [now_us](const Account* account) {
            return now_us >= account->period_end_us;
          })) {
        due = *concerned;
      } else {
        ++attempt;
        auto holding = take(*concerned, demand);
        if (holding) return *std::move(holding);
        if (holding.error().kind == Miss::Kind::not_leased) {
          return std::unexpected(refuse(LedgerError::needs_lease, BudgetId{}));
        }
        if (holding.error().kind == Miss::Kind::refused) break;  // Perhaps; see below.
      }
    }
    if (due) open_due_periods(*due, demand.now);
    periods = Periods::checked;
  }
  // Alone: whatever stands committed now is spent, held or unconfirmed, and no hold that is
  // about to be taken back is among it. What is refused here is refused for good.
  const Gate::Closed closed(gate_);
  const Result<Concerned> concerned = resolve(budgets);
  if (!concerned) return std::unexpected(concerned.error());
  auto holding = take(*concerned, demand);
  if (holding) return *std::move(holding);
  if (holding.error().kind == Miss::Kind::not_leased) {
    return std::unexpected(refuse(LedgerError::needs_lease, BudgetId{}));
  }
  assert(holding.error().kind == Miss::Kind::refused);
  note_refusal(*concerned, holding.error().refusal);
  return std::unexpected(holding.error().refusal);
}

void Accounts::note_refusal(const Concerned& concerned, const Refusal& refusal) {
  const auto place = std::ranges::find(concerned.items(), refusal.budget,
                                       [](const Account* account) { return account->id; });
  if (place == concerned.items().end()) return;
  Account& account = **place;
  if (!accumulates(account) || !account.terms.warn_at.has(Thresholds::kPercentMax)) return;
  if (account.has_refused.exchange(true, std::memory_order_relaxed)) return;
  const std::int64_t committed = account.committed_nanos.load(std::memory_order_relaxed);
  crossings_.note(
      {.budget = account.id,
       .period_start = from_unix_micros(account.period_start_us),
       .percent = Thresholds::kPercentMax,
       .counted = NanoUsd(committed - account.held_nanos.load(std::memory_order_relaxed)),
       .limit = account.terms.limit});
}

void Accounts::pass_thresholds(Account& account, std::int64_t counted_nanos) {
  std::int64_t next = account.next_threshold_nanos.load(std::memory_order_relaxed);
  // Whoever moves it on tells of all that lies between.
  do {
    if (counted_nanos < next) return;
  } while (!account.next_threshold_nanos.compare_exchange_weak(
      next, threshold_after(account, counted_nanos), std::memory_order_relaxed));
  for (auto percent = account.terms.warn_at.after(0); percent;
       percent = account.terms.warn_at.after(*percent)) {
    const std::int64_t at = threshold_nanos(account, *percent);
    if (at < next || at > counted_nanos) continue;
    if (*percent == Thresholds::kPercentMax &&
        account.has_refused.exchange(true, std::memory_order_relaxed)) {
      continue;
    }
    crossings_.note({.budget = account.id,
                     .period_start = from_unix_micros(account.period_start_us),
                     .percent = *percent,
                     .counted = NanoUsd(counted_nanos),
                     .limit = account.terms.limit});
  }
}

std::expected<NanoUsd, Accounts::Miss> Accounts::amount_for(const Concerned& concerned,
                                                            const Demand& demand) {
  std::int64_t amount = demand.cost_max.nanos();
  std::optional<Refusal> tightest;
  for (const Account* const account : concerned.items()) {
    const std::int64_t committed = account->committed_nanos.load(std::memory_order_acquire);
    if (const auto most = allowed(*account, committed, demand)) {
      amount = std::min(amount, *most);
    } else if (const Refusal refusal = exhausted(*account, committed, demand);
               !tightest || is_worse(refusal, *tightest)) {
      tightest = refusal;
    }
  }
  if (tightest) return std::unexpected(Miss{Miss::Kind::refused, *tightest});
  return NanoUsd(amount);
}

std::expected<std::int64_t, Accounts::Miss::Kind> Accounts::raise(Account& account, NanoUsd amount,
                                                                  const Demand& demand) {
  std::int64_t committed = account.committed_nanos.load(std::memory_order_acquire);
  for (;;) {
    const auto most = allowed(account, committed, demand);
    if (!most || *most < amount.nanos()) return std::unexpected(Miss::Kind::raced);
    const std::int64_t raised = committed + amount.nanos();
    if (raised > account.ceiling_nanos) return std::unexpected(Miss::Kind::not_leased);
    if (account.committed_nanos.compare_exchange_weak(committed, raised, std::memory_order_acq_rel,
                                                      std::memory_order_acquire)) {
      return raised;
    }
  }
}

std::expected<Accounts::Holding, Accounts::Miss> Accounts::take(const Concerned& concerned,
                                                                const Demand& demand) {
  const auto announce = [&concerned](std::int64_t requests) {
    for (Account* const account : concerned.items()) {
      if (accumulates(*account)) {
        account->open_holds.fetch_add(requests, std::memory_order_relaxed);
      }
    }
  };
  // Announced before anything is looked at, so that requests that come at the same moment
  // count each other when they share.
  announce(1);
  auto amount = amount_for(concerned, demand);
  if (amount && demand.turn == Demand::Turn::behind_those_who_wait) {
    for (const Account* const account : concerned.items()) {
      if (account->waiting.load(std::memory_order_relaxed) == 0) continue;
      Refusal refusal =
          exhausted(*account, account->committed_nanos.load(std::memory_order_acquire), demand);
      refusal.may_fit_later = true;
      amount = std::unexpected(Miss{Miss::Kind::refused, refusal});
      break;
    }
  }
  if (!amount) {
    announce(-1);
    return std::unexpected(amount.error());
  }

  Holding holding{.accounts = {}, .amount = *amount, .left = NanoUsd::max()};
  for (Account* const account : concerned.items()) {
    if (!accumulates(*account)) continue;
    // Before it is committed, so that nobody takes what is only held for spent.
    account->held_nanos.fetch_add(amount->nanos(), std::memory_order_relaxed);
    const auto committed = raise(*account, *amount, demand);
    if (!committed) {
      account->held_nanos.fetch_sub(amount->nanos(), std::memory_order_relaxed);
      // Somebody else took it since we looked. Take back what we hold, and look afresh.
      for (const HeldAccounts::Item& item : holding.accounts.items()) {
        add_up_to_the_end(item.account->committed_nanos, -amount->nanos());
        item.account->held_nanos.fetch_sub(amount->nanos(), std::memory_order_relaxed);
      }
      announce(-1);
      return std::unexpected(Miss{committed.error(), {}});
    }
    holding.accounts.add({account, account->period_start_us});
    holding.left = std::min(holding.left, NanoUsd(left_of(*account, *committed)));
  }
  if (holding.accounts.items().empty()) {
    for (const Account* const account : concerned.items()) {
      holding.left = std::min(holding.left, NanoUsd(account->limit_nanos));
    }
  }
  return holding;
}

void Accounts::tell_room(std::span<const BudgetId> budgets) {
  if (listener_ == nullptr) return;
  for (const BudgetId budget : budgets) listener_->room_grew(budget);
}

void Accounts::count_waiting(BudgetId budget, std::int64_t change) {
  const Gate::Pass pass(gate_);
  if (Account* const account = find(budget)) {
    account->waiting.fetch_add(change, std::memory_order_relaxed);
  }
}

NanoUsd Accounts::apply(const HeldAccounts& accounts, const Change& change) {
  std::array<BudgetId, BudgetSet::kMost> waited_for;
  std::size_t waited_for_count = 0;
  const NanoUsd left = apply_while_open(
      accounts, change, [&](BudgetId budget) { waited_for[waited_for_count++] = budget; });
  // Whoever is woken may pass the gate at once.
  if (waited_for_count > 0) tell_room(std::span(waited_for).first(waited_for_count));
  return left;
}

template <typename Waited>
NanoUsd Accounts::apply_while_open(const HeldAccounts& accounts, const Change& change,
                                   Waited waited) {
  const Gate::Pass pass(gate_);
  std::int64_t left = kNever;
  for (const HeldAccounts::Item& item : accounts.items()) {
    Account& account = *item.account;
    std::int64_t committed = account.committed_nanos.load(std::memory_order_acquire);
    if (account.period_start_us == item.period_start_us) {
      committed = add_up_to_the_end(account.committed_nanos, change.committed);
      if (change.held != 0) {
        account.held_nanos.fetch_add(change.held, std::memory_order_relaxed);
      }
      if (change.unconfirmed != 0) {
        account.unconfirmed_nanos.fetch_add(change.unconfirmed, std::memory_order_relaxed);
      }
      if (change.open_holds != 0) {
        account.open_holds.fetch_add(change.open_holds, std::memory_order_relaxed);
      }
      // The gate orders this after whoever was refused and got in line.
      if (change.committed < 0 && account.waiting.load(std::memory_order_relaxed) > 0) {
        waited(account.id);
      }
      const std::int64_t counted = committed - account.held_nanos.load(std::memory_order_relaxed);
      if (counted >= account.next_threshold_nanos.load(std::memory_order_relaxed)) {
        pass_thresholds(account, counted);
      }
    }
    if (account.state == Account::State::in_force) {
      left = std::min(left, left_of(account, committed));
    }
  }
  return NanoUsd(left == kNever ? 0 : left);
}

std::vector<Lease> Accounts::leases_for(const BudgetSet& budgets, const Demand& demand) {
  const Gate::Closed closed(gate_);
  std::vector<Lease> leases;
  const Result<Concerned> concerned = resolve(budgets);
  if (!concerned) return leases;
  const auto amount = amount_for(*concerned, demand);
  if (!amount) return leases;
  for (Account* const account : concerned->items()) {
    if (!accumulates(*account)) continue;
    const std::int64_t wanted =
        account->committed_nanos.load(std::memory_order_relaxed) + amount->nanos();
    if (wanted <= account->ceiling_nanos) continue;
    // The first is for some requests like this one; whoever comes back soon is given more, so
    // that a busy budget asks some times in its period, and a power cut finds little in an idle
    // one.
    constexpr int kStepsMin = 256;
    constexpr int kStepsMax = 8;
    const std::int64_t step =
        std::max({account->lease_step_nanos, account->limit_nanos / kStepsMin, amount->nanos()});
    account->lease_step_nanos =
        std::min(step * 2, std::max(account->limit_nanos / kStepsMax, amount->nanos()));
    leases.push_back(
        {.budget = account->id,
         .period_start = from_unix_micros(account->period_start_us),
         .up_to = NanoUsd(std::min(wanted + step, std::max(wanted, account->limit_nanos)))});
  }
  return leases;
}

void Accounts::take_leases(const std::vector<Lease>& leases) {
  const Gate::Closed closed(gate_);
  for (const Lease& lease : leases) {
    Account* const account = find(lease.budget);
    if (account == nullptr || account->period_start_us != unix_micros(lease.period_start)) continue;
    account->ceiling_nanos = std::max(account->ceiling_nanos, lease.up_to.nanos());
    account->committed_when_seen = -1;
    if (std::ranges::find(leased_, account) == leased_.end()) leased_.push_back(account);
  }
}

std::vector<Lease> Accounts::give_back_idle(std::size_t most) {
  const Gate::Closed closed(gate_);
  std::vector<Lease> left;
  std::erase_if(leased_, [&](Account* account) {
    const std::int64_t committed = account->committed_nanos.load(std::memory_order_relaxed);
    if (account->ceiling_nanos <= committed) return true;  // Nothing to spare, or a new period.
    const bool is_idle = committed == std::exchange(account->committed_when_seen, committed);
    if (!is_idle || left.size() == most) return false;
    account->ceiling_nanos = committed;
    account->lease_step_nanos = 0;
    left.push_back({.budget = account->id,
                    .period_start = from_unix_micros(account->period_start_us),
                    .up_to = NanoUsd(committed)});
    return true;
  });
  return left;
}

void Accounts::start_afresh(Account& account, std::int64_t period_start_us) const {
  account.ceiling_nanos = leasing_ == Leasing::none ? kNever : 0;
  account.committed_nanos.store(0, std::memory_order_relaxed);
  account.held_nanos.store(0, std::memory_order_relaxed);
  account.unconfirmed_nanos.store(0, std::memory_order_relaxed);
  account.open_holds.store(0, std::memory_order_relaxed);
  account.next_threshold_nanos.store(threshold_after(account, 0), std::memory_order_relaxed);
  account.has_refused.store(false, std::memory_order_relaxed);
  account.period_start_us = period_start_us;
}

void Accounts::open_period(Account& account, WallTime now) {
  const WallTime running_since = from_unix_micros(account.period_start_us);
  const PeriodBounds bounds =
      running_period(account.terms.period, now, running_since, account.terms.zone);
  if (bounds.start > running_since) start_afresh(account, unix_micros(bounds.start));
  account.period_end_us = bounds.end ? unix_micros(*bounds.end) : kNever;
}

void Accounts::open_due_periods(const Concerned& concerned, WallTime now) {
  if (!watch_.is_trusted()) return;
  const Gate::Closed closed(gate_);
  for (Account* const account : concerned.items()) {
    if (unix_micros(now) >= account->period_end_us) open_period(*account, now);
  }
}

Result<void> Accounts::set_terms(const BudgetTerms& terms, WallTime now) {
  auto set = put_in_force(terms, now);
  if (set) tell_room({&terms.id, 1});
  return set;
}

Result<void> Accounts::put_in_force(const BudgetTerms& terms, WallTime now) {
  assert(!terms.limit.is_negative());
  if (terms.id <= BudgetId{} || terms.id > kBudgetIdMax)
    return std::unexpected(refuse(LedgerError::unknown_budget, terms.id));
  const bool trusted = watch_.is_trusted();
  const Gate::Closed closed(gate_);
  if (accounts_.size() >= kAccountsMax && find(terms.id) == nullptr) {
    return std::unexpected(refuse(LedgerError::unavailable, terms.id));
  }
  Account& account = find_or_make(terms.id);
  const bool runs = account.state == Account::State::in_force;
  const bool same_calendar =
      runs && account.terms.period == terms.period && account.terms.zone == terms.zone;
  account.terms = terms;
  account.limit_nanos = std::clamp<std::int64_t>(terms.limit.nanos(), 0, kSumMaxNanos - 1);
  account.state = Account::State::in_force;
  if (runs && !trusted) {
    // While the clock is in doubt a running period goes on, also under another kind.
    open_period(account, from_unix_micros(account.period_start_us));
  } else if (!same_calendar) {
    open_period(account, now);
  }
  // Told afresh: what was passed under another limit is passed again or not at all.
  account.next_threshold_nanos.store(threshold_after(account, 0), std::memory_order_relaxed);
  account.has_refused.store(false, std::memory_order_relaxed);
  pass_thresholds(account, account.committed_nanos.load(std::memory_order_relaxed) -
                               account.held_nanos.load(std::memory_order_relaxed));
  return {};
}

Result<void> Accounts::remove(BudgetId budget) {
  {
    const Gate::Closed closed(gate_);
    Account* const account = find(budget);
    if (account == nullptr || account->state != Account::State::in_force) {
      return std::unexpected(refuse(LedgerError::unknown_budget, budget));
    }
    account->state = Account::State::without_terms;
  }
  tell_room({&budget, 1});
  return {};
}

Result<Balance> Accounts::balance(BudgetId budget, WallTime now) {
  const bool trusted = watch_.is_trusted();
  const Gate::Closed closed(gate_);
  Account* const account = find(budget);
  if (account == nullptr || account->state != Account::State::in_force) {
    return std::unexpected(refuse(LedgerError::unknown_budget, budget));
  }
  if (trusted && unix_micros(now) >= account->period_end_us) open_period(*account, now);
  const std::int64_t committed = account->committed_nanos.load(std::memory_order_relaxed);
  Balance balance;
  balance.clock_in_doubt = !trusted;
  balance.limit = account->terms.limit;
  balance.held = NanoUsd(account->held_nanos.load(std::memory_order_relaxed));
  balance.unconfirmed = NanoUsd(account->unconfirmed_nanos.load(std::memory_order_relaxed));
  balance.spent = NanoUsd(committed) - balance.held - balance.unconfirmed;
  balance.left = NanoUsd(left_of(*account, committed));
  balance.period_start = from_unix_micros(account->period_start_us);
  if (account->period_end_us != kNever) {
    balance.resets_at = from_unix_micros(account->period_end_us);
  }
  return balance;
}

Result<HeldAccounts> Accounts::present(const BudgetSet& budgets, WallTime now) {
  const bool trusted = watch_.is_trusted();
  const Gate::Closed closed(gate_);
  const Result<Concerned> concerned = resolve(budgets);
  if (!concerned) return std::unexpected(concerned.error());
  HeldAccounts accounts;
  for (Account* const account : concerned->items()) {
    if (!accumulates(*account)) continue;
    if (trusted && unix_micros(now) >= account->period_end_us) open_period(*account, now);
    accounts.add({account, account->period_start_us});
  }
  return accounts;
}

void Accounts::restore(const StoredPeriod& period) {
  const Gate::Closed closed(gate_);
  Account& account = find_or_make(period.budget);
  const std::int64_t start_us = unix_micros(period.period_start);
  if (start_us < account.period_start_us) return;
  start_afresh(account, start_us);
  account.committed_nanos.store(std::clamp<std::int64_t>(period.spent.nanos(), 0, kSumMaxNanos),
                                std::memory_order_relaxed);
}

HeldAccounts Accounts::restore(const HeldOnSet& held_on) {
  const Gate::Closed closed(gate_);
  HeldAccounts accounts;
  for (const HeldOn& item : held_on.items()) {
    Account& account = find_or_make(item.budget);
    const std::int64_t start_us = unix_micros(item.period_start);
    // Later than all that the store has of this budget: nothing is spent in that period yet.
    if (account.state == Account::State::without_terms && start_us > account.period_start_us) {
      start_afresh(account, start_us);
    }
    accounts.add({&account, start_us});
  }
  return accounts;
}

}  // namespace claviger::budget

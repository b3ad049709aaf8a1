#include "budget/journal_ledger.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/executor.h"
#include "base/quiet_thread.h"
#include "budget/recovery.h"

namespace claviger::budget {
namespace {

Refusal unavailable() {
  return {.error = LedgerError::unavailable,
          .budget = BudgetId{},
          .left = NanoUsd(),
          .resets_at = std::nullopt};
}

AttemptMoney money_of(const StoredHold& stored) {
  return {.attempt = stored.attempt,
          .state = stored.state,
          .held = stored.held,
          .cost = stored.cost,
          .certainty = stored.certainty};
}

/// What was leased, and is neither spent nor held as far as anybody knows: one hold for each
/// budget, which a person settles like any other.
std::vector<StoredHold> uncovered(const std::vector<Lease>& leases, const LedgerState& state,
                                  WallTime now) {
  std::vector<StoredHold> rests;
  for (const Lease& lease : leases) {
    const auto period =
        std::ranges::find(state.latest_periods, lease.budget, &StoredPeriod::budget);
    const bool has_period = period != state.latest_periods.end();
    if (has_period && period->period_start > lease.period_start) continue;  // It is over.
    NanoUsd known;
    if (has_period && period->period_start == lease.period_start) known += period->spent;
    const HeldOn on{lease.budget, lease.period_start};
    for (const StoredHold& hold : state.unsettled) {
      const auto budgets = hold.budgets.items();
      if (std::ranges::find(budgets, on) != budgets.end()) known += hold.held;
    }
    if (lease.up_to <= known) continue;
    StoredHold rest{.attempt = {.request = new_request_id(now), .number = 1},
                    .opened_at = now,
                    .held = lease.up_to - known,
                    .budgets = {},
                    .state = HoldState::unconfirmed,
                    .cost = std::nullopt,
                    .certainty = std::nullopt};
    if (rest.budgets.add(on)) rests.push_back(rest);
  }
  return rests;
}

}  // namespace

JournalLedger::JournalLedger(const Clock& clock, LedgerStore& store, JournalLedgerConfig config,
                             FolderLock lock, std::unique_ptr<Journal> journal,
                             JournalPosition folded)
    : clock_(clock),
      store_(store),
      config_(std::move(config)),
      lock_(std::move(lock)),
      journal_(std::move(journal)),
      books_(clock, *journal_, config_.limits,
             leases_money() ? Accounts::Leasing::required : Accounts::Leasing::none),
      waiting_room_(books_.accounts(), clock, config_.waiting),
      end_users_(config_.end_users_max),
      folded_position_(folded) {}

std::expected<std::unique_ptr<JournalLedger>, std::string> JournalLedger::open(
    const Clock& clock, LedgerStore& store, JournalLedgerConfig config) {
  const auto failed = [](LedgerStoreError error) {
    return std::unexpected(
        fmt::format("cannot read what was spent from the database: {}", explain(error)));
  };
  auto lock = FolderLock::take(config.journal.folder);
  if (!lock) return std::unexpected(lock.error());
  const auto before = store.load();
  if (!before) return failed(before.error());
  const auto recovered = finish_earlier_run(config.journal.folder, store, before->folded_up_to,
                                            config.records_per_fold_max);
  if (!recovered) return std::unexpected(recovered.error());

  auto state = store.load();
  if (!state) return failed(state.error());
  FoldBatch crash{.from = recovered->next,
                  .to = recovered->next,
                  .holds = state->unsettled,
                  .spent_changes = {},
                  .corrections = {}};
  if (config.leases != nullptr) {
    const auto earlier = config.leases->earlier_run();
    if (!earlier) return failed(earlier.error());
    const bool is_whole =
        !config.boot_id.empty() && earlier->boot_id == config.boot_id && recovered->torn == 0;
    if (!is_whole) {
      // Nobody knows what was held last: all that was leased may have been.
      for (const StoredHold& rest : uncovered(earlier->leases, *state, clock.wall_now())) {
        crash.holds.push_back(rest);
        state->unsettled.push_back(rest);
      }
    }
  }
  for (StoredHold& hold : crash.holds) hold.state = HoldState::unconfirmed;
  if (const auto marked = store.fold(crash); !marked) return failed(marked.error());
  if (config.leases != nullptr) {
    if (const auto begun = config.leases->begin_run(config.boot_id); !begun) {
      return failed(begun.error());
    }
  }

  auto journal = Journal::open(config.journal, recovered->next.segment);
  if (!journal) return std::unexpected(journal.error());
  std::unique_ptr<JournalLedger> ledger(new JournalLedger(
      clock, store, std::move(config), *std::move(lock), *std::move(journal), recovered->next));
  ledger->restore(*state);
  if (ledger->config_.end_users != nullptr) {
    const auto users = ledger->config_.end_users->end_users();
    if (!users) return failed(users.error());
    for (const StoredEndUser& user : *users) ledger->end_users_.add(user);
  }
  if (ledger->config_.fold_every) {
    ledger->folder_ = quiet_thread("ledger", [&ledger = *ledger] { ledger.run(); });
  }
  return ledger;
}

void JournalLedger::restore(const LedgerState& state) {
  for (const StoredPeriod& period : state.latest_periods) books_.accounts().restore(period);
  for (const StoredHold& hold : state.unsettled) books_.restore_unsettled(hold);
  if (state.newest_request) books_.restore_newest(*state.newest_request);
}

JournalLedger::~JournalLedger() {
  stop();
  if (!abandoned_) close();
}

void JournalLedger::close() {
  const std::scoped_lock lock(store_mutex_);
  journal_->finish();
  if (fold_with_store()) {
    // Nothing is behind what was folded, nor will be: the next run begins with a new segment.
    FoldBatch nothing;
    nothing.from = folded_position_;
    nothing.to = journal_->end();
    if (store_.fold(nothing)) folded_position_ = nothing.to;
    // All is in the store: there is nothing that a lease would have to cover.
    if (config_.leases != nullptr) {
      static_cast<void>(config_.leases->begin_run(config_.boot_id).has_value());
    }
  }
  journal_.reset();
  if (const auto segments = list_segments(config_.journal.folder)) {
    for (const std::uint64_t segment : *segments) {
      if (segment >= folded_position_.segment) break;
      // What stays is removed at the next start.
      static_cast<void>(remove_segment(config_.journal.folder, segment).has_value());
    }
  }
}

void JournalLedger::abandon() {
  stop();
  journal_->abandon();
  abandoned_ = true;
}

// ---- The way of a request ----

template <typename T>
Task<T> JournalLedger::off_the_way(std::function<T()> work) {
  if (Executor::current() == nullptr || !config_.fold_every) co_return work();
  // Shared with the job, which may still run when the caller has gone.
  const auto result = std::make_shared<std::optional<T>>();
  const auto wakeup = std::make_shared<Wakeup>();
  {
    const std::scoped_lock lock(work_mutex_);
    jobs_.push_back([work = std::move(work), result, wakeup] {
      result->emplace(work());
      Wakeup::call(wakeup);
    });
  }
  work_.notify_one();
  co_await Wakeup::sleep(wakeup);
  co_return *std::move(*result);
}

Task<Result<Grant>> JournalLedger::reserve(Reservation reservation) {
  const bool may_wait = reservation.patience != nullptr;
  auto granted =
      co_await try_once(reservation, may_wait ? Turn::behind_those_who_wait : Turn::its_own);
  if (granted || !may_wait || !granted.error().may_fit_later) co_return granted;
  co_return co_await waiting_room_.wait(*reservation.patience, granted.error(),
                                        [&] { return try_once(reservation, Turn::its_own); });
}

Task<Result<Grant>> JournalLedger::try_once(Reservation reservation, Turn turn) {
  using Outcome = std::optional<Result<Bookkeeper::Granted>>;
  Outcome outcome = books_.reserve(reservation, Bookkeeper::Recall::may_be_needed, turn);
  if (!outcome || (!*outcome && outcome->error().error == LedgerError::needs_lease)) {
    outcome = co_await off_the_way<Outcome>([this, reservation, turn]() -> Outcome {
      const std::scoped_lock lock(store_mutex_);
      if (!recall(reservation.attempt)) return std::unexpected(unavailable());
      return reserve_with_lease(reservation, turn);
    });
  }
  if (!*outcome) co_return std::unexpected(outcome->error());
  if (config_.durability == Durability::strict) co_return co_await once_durable(**outcome);
  co_return (*outcome)->grant;
}

Result<Bookkeeper::Granted> JournalLedger::reserve_with_lease(const Reservation& reservation,
                                                              Turn turn) {
  constexpr int kTriesMax = 8;  // Others take from the same lease, on their own threads.
  for (int tries = 0; tries < kTriesMax; ++tries) {
    auto granted = *books_.reserve(reservation, Bookkeeper::Recall::done, turn);
    if (granted || granted.error().error != LedgerError::needs_lease) return granted;
    const std::vector<Lease> leases =
        books_.accounts().leases_for(reservation.budgets, {.cost_max = reservation.cost_max,
                                                           .cost_least = reservation.cost_least,
                                                           .now = clock_.wall_now(),
                                                           .turn = turn});
    if (leases.empty()) continue;  // It has been taken meanwhile; the next look says so.
    if (!config_.leases->lease(leases)) break;
    books_.accounts().take_leases(leases);
  }
  return std::unexpected(unavailable());
}

void JournalLedger::give_back_leases() {
  if (!leases_money() || clock_.now() < next_give_back_) return;
  next_give_back_ = clock_.now() + config_.give_back_after;
  constexpr std::size_t kLeasesMax = 1'024;
  const std::vector<Lease> left = books_.accounts().give_back_idle(kLeasesMax);
  // Where the store does not take it, a power cut finds more unconfirmed than need be.
  if (!left.empty()) static_cast<void>(config_.leases->lease(left).has_value());
}

Task<Result<Grant>> JournalLedger::once_durable(Bookkeeper::Granted granted) {
  if (journal_->durable_up_to() < granted.written_up_to) {
    const auto wakeup = std::make_shared<Wakeup>();
    journal_->when_durable(granted.written_up_to, wakeup);
    co_await Wakeup::sleep(wakeup);
  }
  if (journal_->durable_up_to() < granted.written_up_to) {
    // The disk failed. Nothing was sent for this hold, so it costs nothing.
    books_.settle({granted.grant.hold.attempt, NanoUsd(), Certainty::billed, std::nullopt},
                  Bookkeeper::Recall::done);
    co_return std::unexpected(unavailable());
  }
  co_return granted.grant;
}

Task<Result<Receipt>> JournalLedger::settle_wherever(Bookkeeper::Settlement settlement) {
  using Outcome = std::optional<Result<Receipt>>;
  Outcome outcome = books_.settle(settlement, Bookkeeper::Recall::may_be_needed);
  if (!outcome) {
    outcome = co_await off_the_way<Outcome>([this, settlement]() -> Outcome {
      const std::scoped_lock lock(store_mutex_);
      if (!recall(settlement.attempt)) return std::unexpected(unavailable());
      return books_.settle(settlement, Bookkeeper::Recall::done);
    });
  }
  co_return *std::move(outcome);
}

Task<Result<Receipt>> JournalLedger::settle(HoldId hold, NanoUsd cost, Certainty certainty) {
  return settle_wherever({hold.attempt, cost, certainty, std::nullopt});
}

Task<Result<Receipt>> JournalLedger::settle_forgotten(HoldId hold, BudgetSet budgets, NanoUsd cost,
                                                      Certainty certainty) {
  return settle_wherever({hold.attempt, cost, certainty, budgets});
}

Task<Result<std::vector<AttemptMoney>>> JournalLedger::attempts(RequestId request) {
  using Outcome = Result<std::vector<AttemptMoney>>;
  return off_the_way<Outcome>([this, request]() -> Outcome {
    const std::scoped_lock lock(store_mutex_);
    const auto stored = store_.find_all(request);
    if (!stored) return std::unexpected(unavailable());
    // What is in memory is at least as new as what is in the store.
    std::vector<AttemptMoney> found = books_.attempts(request);
    for (const StoredHold& hold : *stored) {
      if (std::ranges::find(found, hold.attempt, &AttemptMoney::attempt) == found.end()) {
        found.push_back(money_of(hold));
      }
    }
    std::ranges::sort(found, {}, &AttemptMoney::attempt);
    return found;
  });
}

Task<Result<Receipt>> JournalLedger::correct(HoldId hold, NanoUsd cost, CorrectionNote note) {
  using Outcome = Result<Receipt>;
  return off_the_way<Outcome>([this, hold, cost, note = std::move(note)]() -> Outcome {
    const std::scoped_lock lock(store_mutex_);
    if (!recall(hold.attempt)) return std::unexpected(unavailable());
    const auto number = store_.add_note(note, clock_.wall_now());
    if (!number) return std::unexpected(unavailable());
    return *books_.settle({hold.attempt, cost, Certainty::reconciled, std::nullopt, *number},
                          Bookkeeper::Recall::done);
  });
}

Task<Result<std::vector<CorrectionEntry>>> JournalLedger::corrections(WallTime since,
                                                                      std::size_t most) {
  using Outcome = Result<std::vector<CorrectionEntry>>;
  return off_the_way<Outcome>([this, since, most]() -> Outcome {
    const std::scoped_lock lock(store_mutex_);
    if (!fold_with_store()) return std::unexpected(unavailable());
    auto found = store_.corrections(since, most);
    if (!found) return std::unexpected(unavailable());
    return *std::move(found);
  });
}

Task<Result<std::vector<UncertainCost>>> JournalLedger::uncertain(std::size_t most) {
  using Outcome = Result<std::vector<UncertainCost>>;
  return off_the_way<Outcome>([this, most]() -> Outcome {
    const std::scoped_lock lock(store_mutex_);
    // What was settled a moment ago is in the journal alone until it is folded.
    if (!fold_with_store()) return std::unexpected(unavailable());
    const auto stored = store_.uncertain(most);
    if (!stored) return std::unexpected(unavailable());
    std::vector<UncertainCost> found;
    found.reserve(stored->size());
    for (const StoredHold& hold : *stored) {
      found.push_back({.money = money_of(hold), .opened_at = hold.opened_at});
    }
    return found;
  });
}

Task<Result<void>> JournalLedger::set_terms(BudgetTerms terms) {
  co_return books_.accounts().set_terms(terms, clock_.wall_now());
}

Task<Result<void>> JournalLedger::set_rule(BudgetTerms terms) {
  end_users_.set_rule(terms);
  for (const StoredEndUser& user : end_users_.of_rule(terms.id)) {
    const auto set = books_.accounts().set_terms(*end_users_.terms_for(terms.id, user.budget),
                                                 clock_.wall_now());
    if (!set) co_return set;
  }
  co_return Result<void>{};
}

Task<Result<BudgetId>> JournalLedger::budget_of(EndUser user) {
  if (const auto known = end_users_.find(user)) co_return *known;
  // A copy of the name: whoever asks may go while this is looked up.
  const std::string name(user.name);
  using Outcome = std::optional<Result<BudgetId>>;
  const Outcome made = co_await off_the_way<Outcome>([this, user, name]() -> Outcome {
    const std::scoped_lock lock(store_mutex_);
    return make_budget_of({.rule = user.rule, .app = user.app, .name = name});
  });
  co_return *made;
}

Result<BudgetId> JournalLedger::make_budget_of(const EndUser& user) {
  const auto failed = [](LedgerError error) {
    Refusal refusal = unavailable();
    refusal.error = error;
    return std::unexpected(refusal);
  };
  if (const auto known = end_users_.find(user)) return *known;  // By somebody just before.
  if (!end_users_.terms_for(user.rule, BudgetId{})) return failed(LedgerError::unknown_budget);
  if (!end_users_.has_room()) return failed(LedgerError::too_many_end_users);
  if (config_.end_users == nullptr) return failed(LedgerError::unavailable);
  const WallTime now = clock_.wall_now();
  const auto stored = config_.end_users->budget_of_end_user(user, now);
  if (!stored) return failed(LedgerError::unavailable);
  if (!*stored) return failed(LedgerError::unknown_budget);
  const auto terms = end_users_.terms_for(user.rule, **stored);
  if (!terms) return failed(LedgerError::unknown_budget);
  if (auto set = books_.accounts().set_terms(*terms, now); !set) {
    return std::unexpected(set.error());
  }
  end_users_.add({**stored, user.rule, user.app, std::string(user.name)});
  // The rule may have been changed meanwhile; what it says now is what counts.
  if (const auto latest = end_users_.terms_for(user.rule, **stored); latest && *latest != *terms) {
    if (auto set = books_.accounts().set_terms(*latest, now); !set) {
      return std::unexpected(set.error());
    }
  }
  return **stored;
}

Task<Result<void>> JournalLedger::remove(BudgetId budget) {
  if (const auto made = end_users_.remove_rule(budget)) {
    // What they are spent stays on record; one that was just being made grants nothing either,
    // since its rule is gone.
    for (const BudgetId each : *made) static_cast<void>(books_.accounts().remove(each));
    co_return Result<void>{};
  }
  co_return books_.accounts().remove(budget);
}

Task<Result<Balance>> JournalLedger::balance(BudgetId budget) {
  co_return books_.accounts().balance(budget, clock_.wall_now());
}

// ---- Off it ----

std::expected<void, LedgerStoreError> JournalLedger::recall(const AttemptId& attempt) {
  const auto stored = store_.find(attempt);
  if (!stored) return std::unexpected(stored.error());
  if (*stored) {
    books_.recall(**stored);
    remembered_.push_back({attempt, clock_.now() + config_.remembered_for});
  }
  return {};
}

std::expected<void, LedgerStoreError> JournalLedger::fold_now() {
  const std::scoped_lock lock(store_mutex_);
  return fold_with_store();
}

std::expected<void, LedgerStoreError> JournalLedger::fold_with_store() {
  const std::uint64_t written = journal_->written_up_to();
  while (folded_ < written) {
    const std::uint64_t end =
        std::min<std::uint64_t>(written, folded_ + config_.records_per_fold_max);
    Fold fold(store_);
    for (std::uint64_t sequence = folded_; sequence < end; ++sequence) {
      const auto record = journal_->read(sequence);
      if (!record) {
        journal_->fail("a record of the journal is damaged in memory");
        return std::unexpected(LedgerStoreError::unavailable);
      }
      if (const auto added = fold.add(*record); !added) return added;
    }
    const std::vector<AttemptId> settled = fold.settled();
    const JournalPosition to = journal_->position_of(end);
    if (const auto done = store_.fold(fold.take(folded_position_, to)); !done) {
      if (done.error() == LedgerStoreError::out_of_step) journal_->fail(explain(done.error()));
      return done;
    }
    folded_ = end;
    folded_position_ = to;
    journal_->release_before(end);
    const Instant until = clock_.now() + config_.remembered_for;
    for (const AttemptId& attempt : settled) remembered_.push_back({attempt, until});
  }
  forget_what_is_due();
  give_back_leases();
  return {};
}

void JournalLedger::forget_what_is_due() {
  const Instant now = clock_.now();
  while (!remembered_.empty() &&
         (remembered_.front().until <= now || remembered_.size() > config_.remembered_max)) {
    // One that was settled once more since stands further behind in the queue again.
    books_.forget(remembered_.front().attempt, folded_);
    remembered_.pop_front();
  }
}

void JournalLedger::run() {
  std::unique_lock lock(work_mutex_);
  Instant next_fold = clock_.now() + *config_.fold_every;
  while (!stopping_) {
    const Instant next_look = waiting_room_.next_look().value_or(next_fold);
    if (!stopping_ && jobs_.empty()) {
      work_.wait_for(lock,
                     std::max(std::min(next_fold, next_look) - clock_.now(), Duration::zero()));
    }
    std::deque<std::function<void()>> jobs;
    jobs.swap(jobs_);
    lock.unlock();
    for (const auto& job : jobs) job();
    waiting_room_.look_around();
    if (clock_.now() >= next_fold) {
      static_cast<void>(books_.accounts().clock_watch().is_trusted());
      const std::uint64_t before = folded_;
      const auto folded = fold_now();
      // Where a second brings more than one transaction takes, fold more often.
      const bool busy = folded && folded_ - before >= config_.records_per_fold_max;
      next_fold = clock_.now() + (busy ? *config_.fold_every / 16 : *config_.fold_every);
      lock.lock();
      fold_trouble_ = folded ? std::nullopt : std::optional(explain(folded.error()));
    } else {
      lock.lock();
    }
  }
}

void JournalLedger::stop() {
  {
    const std::scoped_lock lock(work_mutex_);
    stopping_ = true;
  }
  work_.notify_one();
  if (folder_.joinable()) folder_.join();
  for (const auto& job : std::exchange(jobs_, {})) job();
}

LedgerHealth JournalLedger::health() {
  LedgerHealth health;
  health.trouble = journal_->trouble();
  if (!health.trouble) {
    const std::scoped_lock lock(work_mutex_);
    health.trouble = fold_trouble_;
  }
  health.records_not_folded = journal_->written_up_to() - folded_;
  health.open_holds = books_.open_holds();
  health.waiting = waiting_room_.size();
  health.clock_is_trusted = books_.accounts().clock_watch().is_trusted();
  return health;
}

}  // namespace claviger::budget

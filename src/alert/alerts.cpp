#include "alert/alerts.h"

#include <algorithm>
#include <unordered_set>

#include "alert/retry.h"

namespace claviger::alert {
namespace {

/// Findings that wait for a store that does not answer.
constexpr std::size_t kFindingsWaitingMax = 4096;
constexpr int kDueAtOnceMax = 256;

}  // namespace

Alerts::Alerts(Parts parts)
    : parts_(std::move(parts)),
      random_(parts_.jitter_seed),
      published_(std::make_shared<const PassedThresholds>(std::vector<Passed>())) {}

void Alerts::start() {
  if (const auto samples = parts_.store.samples()) paces_.restore(*samples);
}

void Alerts::set_budgets(std::vector<WatchedBudget> budgets) {
  // A rule holds no money; the budgets that it makes do.
  std::erase_if(budgets, [](const WatchedBudget& watched) {
    return watched.budget.scope == budget::Scope::each_owner ||
           watched.budget.scope == budget::Scope::each_user;
  });
  budgets_ = std::move(budgets);
  std::unordered_set<BudgetId> known;
  for (const WatchedBudget& watched : budgets_) known.insert(watched.budget.terms.id);
  const auto is_known = [&known](BudgetId id) { return known.contains(id); };
  watch_.forget_unless(is_known);
  paces_.forget_unless(is_known);
  std::erase_if(outlooks_, [&](const auto& entry) { return !is_known(entry.first); });
  std::erase_if(passed_, [&](const auto& entry) { return !is_known(entry.first); });
  swept_at_ = Instant{};
}

Outlook Alerts::outlook(BudgetId budget) const {
  const auto found = outlooks_.find(budget);
  return found == outlooks_.end() ? Outlook{} : found->second;
}

Duration Alerts::sweep_every() const {
  return kSweepEvery * static_cast<Duration::rep>(1 + budgets_.size() / kBudgetsPerSweep);
}

Task<void> Alerts::tick() {
  if (is_ticking_) co_return;
  is_ticking_ = true;
  parts_.inbox.take_findings(waiting_);
  co_await look(parts_.take_crossed ? parts_.take_crossed() : std::vector<Crossed>());
  keep_findings();
  write_outcomes();
  start_deliveries();
  is_ticking_ = false;
}

Task<void> Alerts::look(const std::vector<Crossed>& crossed) {
  const Instant now = parts_.clock.now();
  const bool is_due = swept_at_ == Instant{} || now - swept_at_ >= sweep_every();
  if (!is_due && crossed.empty()) co_return;
  if (is_due) swept_at_ = now;
  const std::vector<WatchedBudget> budgets = budgets_;  // They may change while we wait.
  std::vector<PaceSample> samples;
  for (const WatchedBudget& watched : budgets) {
    const BudgetId id = watched.budget.terms.id;
    const auto concerns = [id](const Crossed& one) { return one.budget == id; };
    if (!is_due && std::ranges::none_of(crossed, concerns)) continue;
    const auto balance = co_await parts_.ledger.balance(id);
    if (!balance) continue;  // Removed a moment ago.
    // What is about a period that is over is too late to be a warning.
    const bool was_turned_away = std::ranges::any_of(crossed, [&](const Crossed& one) {
      return concerns(one) && one.percent >= 100 && one.period_start == balance->period_start;
    });
    look_at(watched, *balance,
            was_turned_away ? BudgetWatch::TurnedAway::yes : BudgetWatch::TurnedAway::no, samples);
  }
  // Pace is a guess; where the store does not take it, the next slot's will do.
  if (!samples.empty()) (void)parts_.store.keep(samples, parts_.clock.wall_now());
  publish_passed();
}

void Alerts::look_at(const WatchedBudget& watched, const budget::Balance& balance,
                     BudgetWatch::TurnedAway turned_away, std::vector<PaceSample>& samples) {
  const BudgetId id = watched.budget.terms.id;
  const WallTime now = parts_.clock.wall_now();
  if (watched.budget.terms.period != budget::Period::request) {
    paces_.observe(id, balance.period_start, balance.spent + balance.unconfirmed, now, samples);
  }
  auto seen = watch_.look(watched, balance, turned_away, paces_.rate(id, now), now);
  outlooks_[id] = seen.outlook;
  passed_.erase(id);
  if (seen.passed) passed_.emplace(id, std::move(*seen.passed));
  for (Finding& finding : seen.findings) {
    const bool is_waiting = std::ranges::any_of(
        waiting_, [&](const Finding& other) { return other.occasion == finding.occasion; });
    if (!is_waiting) waiting_.push_back(std::move(finding));
  }
}

void Alerts::publish_passed() {
  std::vector<Passed> passed;
  passed.reserve(passed_.size());
  for (const auto& [id, one] : passed_) passed.push_back(one);
  auto next = std::make_shared<const PassedThresholds>(std::move(passed));
  const bool is_same =
      std::ranges::equal(next->all(), published_->all(), [](const Passed& a, const Passed& b) {
        return a.budget == b.budget && a.header == b.header;
      });
  if (is_same) return;
  published_ = std::move(next);
  if (parts_.on_passed) parts_.on_passed(published_);
}

void Alerts::keep_findings() {
  bool is_new = false;
  std::size_t kept = 0;
  for (; kept < waiting_.size(); ++kept) {
    Finding& finding = waiting_[kept];
    const WallTime now = parts_.clock.wall_now();
    const auto added = parts_.store.add({.number = 0,
                                         .id = new_alert_id(now),
                                         .finding = finding,
                                         .detected_at = now,
                                         .acknowledged_at = std::nullopt,
                                         .acknowledged_by = {}});
    if (!added) break;  // It waits; the next tick tries again.
    if (!finding.budget.is_none()) watch_.found(finding.budget, finding.occasion);
    is_new = is_new || added->has_value();
  }
  waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(kept));
  if (waiting_.size() > kFindingsWaitingMax) waiting_.resize(kFindingsWaitingMax);
  if (!is_new) return;
  deliver_soon();
  if (parts_.on_alert) parts_.on_alert();
}

void Alerts::write_outcomes() {
  for (auto entry = outcomes_.begin(); entry != outcomes_.end();) {
    const auto written = parts_.store.update(entry->second);
    if (!written && written.error() == AlertStoreError::unavailable) return;
    entry = outcomes_.erase(entry);
  }
}

void Alerts::start_deliveries() {
  const Instant now = parts_.clock.now();
  if (now < look_for_due_at_ || !outcomes_.empty()) return;
  look_for_due_at_ = now + kSweepEvery;
  const WallTime wall_now = parts_.clock.wall_now();
  if (!forgot_at_ || wall_now - *forgot_at_ > std::chrono::hours(24)) {
    forgot_at_ = wall_now;
    (void)parts_.store.forget_before(wall_now - kKeptFor);
  }
  auto due = parts_.store.due(wall_now, kDueAtOnceMax);
  if (!due) return;
  for (DueDelivery& one : *due) {
    if (under_way_.size() >= kAttemptsAtOnceMax) break;
    const ChannelId channel = one.channel.id;
    const auto at_channel = static_cast<std::size_t>(std::ranges::count_if(
        under_way_, [channel](const DeliveryKey& key) { return key.second == channel; }));
    const DeliveryKey key{one.delivery.alert_number, channel};
    if (at_channel >= kAttemptsPerChannelMax || under_way_.contains(key)) continue;
    under_way_.insert(key);
    spawn(attempt(std::move(one)));
  }
}

Task<void> Alerts::attempt(DueDelivery due) {
  const DeliveryOutcome outcome = co_await parts_.deliverer.deliver(
      due.channel, message_of(due.alert), Deadline(parts_.clock.now() + kAttemptTimeMax));
  const DeliveryKey key{due.delivery.alert_number, due.channel.id};
  outcomes_[key] = after_attempt(due.delivery, outcome, parts_.clock.wall_now(), random_);
  under_way_.erase(key);
  write_outcomes();
  deliver_soon();
}

Task<DeliveryOutcome> Alerts::test(Channel channel) {
  co_return co_await parts_.deliverer.deliver(std::move(channel),
                                              test_message(parts_.clock.wall_now()),
                                              Deadline(parts_.clock.now() + kAttemptTimeMax));
}

}  // namespace claviger::alert

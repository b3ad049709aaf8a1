#include "alert/budget_watch.h"

#include <fmt/format.h>

#include <algorithm>

#include "alert/payload.h"
#include "record/record_json.h"

namespace claviger::alert {
namespace {

using budget::Balance;

/// A budget that never starts anew is forecast when so little time is left.
constexpr std::chrono::hours kTotalForecastWithin{72};

std::string_view period_word(budget::Period period) {
  switch (period) {
    case budget::Period::request:
      return "per request";
    case budget::Period::day:
      return "today";
    case budget::Period::week:
      return "this week";
    case budget::Period::month:
      return "this month";
    case budget::Period::total:
      return "in total";
  }
  return "";
}

std::string_view period_name(budget::Period period) {
  switch (period) {
    case budget::Period::request:
      return "request";
    case budget::Period::day:
      return "day";
    case budget::Period::week:
      return "week";
    case budget::Period::month:
      return "month";
    case budget::Period::total:
      return "total";
  }
  return "";
}

NanoUsd used(const Balance& balance) {
  return balance.spent + balance.unconfirmed;
}

std::string starts_anew(const Balance& balance) {
  return balance.resets_at ? fmt::format(" It starts anew on {}.", to_words(*balance.resets_at))
                           : std::string();
}

/// Names one occasion: what is warned of once for it.
std::string occasion(const WatchedBudget& watched, const Balance& balance, std::string_view what) {
  return fmt::format("budget/{}/{}/{}/{}", watched.budget.terms.id.value,
                     unix_micros(balance.period_start) / 1'000'000, balance.limit.nanos(), what);
}

Details details_of(const WatchedBudget& watched, const Balance& balance) {
  Details details;
  details.text("budget", watched.budget.terms.id.text())
      .text("scope", watched.scope)
      .text("per", period_name(watched.budget.terms.period))
      .usd("limit_usd", balance.limit)
      .usd("spent_usd", balance.spent)
      .usd("held_usd", balance.held)
      .usd("unconfirmed_usd", balance.unconfirmed)
      .usd("left_usd", balance.left)
      .number("used_percent", used_percent(balance))
      .time("period_start", balance.period_start)
      .time("resets_at", balance.resets_at);
  return details;
}

Finding threshold(const WatchedBudget& watched, const Balance& balance, int percent) {
  return {
      .condition = Condition::budget_threshold,
      .occasion = occasion(watched, balance, std::to_string(percent)),
      .owner = watched.owner,
      .budget = watched.budget.terms.id,
      .summary = fmt::format("The budget on {} has used {} % of {} {}: {} spent, {} left.{}",
                             watched.scope, used_percent(balance), to_display(balance.limit),
                             period_word(watched.budget.terms.period), to_display(used(balance)),
                             to_display(balance.left), starts_anew(balance)),
      .details = details_of(watched, balance).number("threshold_percent", percent).finish()};
}

Finding exhausted(const WatchedBudget& watched, const Balance& balance) {
  const bool clamps = watched.budget.terms.when_exhausted == budget::WhenExhausted::clamp;
  return {.condition = Condition::budget_exhausted,
          .occasion = occasion(watched, balance, "100"),
          .owner = watched.owner,
          .budget = watched.budget.terms.id,
          .summary = fmt::format(
              "The budget on {} has no room any more for what is asked of it: {} of {} spent {}, "
              "{} left. {}.{} More room: claviger budget set --scope {} --limit …",
              watched.scope, to_display(used(balance)), to_display(balance.limit),
              period_word(watched.budget.terms.period), to_display(balance.left),
              clamps ? "Answers are shortened, or requests refused"
                     : "Requests that do not fit are refused",
              starts_anew(balance), watched.scope),
          .details = details_of(watched, balance).number("threshold_percent", 100).finish()};
}

Finding overrun(const WatchedBudget& watched, const Balance& balance) {
  return {.condition = Condition::budget_overrun,
          .occasion = occasion(watched, balance, "overrun"),
          .owner = watched.owner,
          .budget = watched.budget.terms.id,
          .summary = fmt::format(
              "A provider billed more than the bound that it was given: {} of {} are spent {} on "
              "the budget of {}. New requests are refused.{}",
              to_display(balance.spent), to_display(balance.limit),
              period_word(watched.budget.terms.period), watched.scope, starts_anew(balance)),
          .details =
              details_of(watched, balance).usd("over_usd", balance.spent - balance.limit).finish()};
}

Finding forecast(const WatchedBudget& watched, const Balance& balance, const Outlook& outlook) {
  return {
      .condition = Condition::budget_forecast,
      .occasion = occasion(watched, balance, "forecast"),
      .owner = watched.owner,
      .budget = watched.budget.terms.id,
      .summary = fmt::format(
          "At this pace ({} a day) the budget on {} reaches its {} on {}: {} spent {}, {} "
          "left.{}",
          to_display(outlook.rate->per_day()), watched.scope, to_display(balance.limit),
          to_words(*outlook.used_up_at), to_display(used(balance)),
          period_word(watched.budget.terms.period), to_display(balance.left), starts_anew(balance)),
      .details = details_of(watched, balance)
                     .usd("pace_usd_per_day", outlook.rate->per_day())
                     .time("used_up_at", outlook.used_up_at)
                     .finish()};
}

Outlook outlook_of(const Balance& balance, const std::optional<Rate>& rate, WallTime now) {
  Outlook outlook{.rate = rate, .used_up_at = std::nullopt};
  const NanoUsd left = balance.limit - used(balance);
  if (!rate || left <= NanoUsd()) return outlook;
  const auto at = used_up_at(*rate, left, now);
  if (at && (!balance.resets_at || *at < *balance.resets_at)) outlook.used_up_at = at;
  return outlook;
}

/// Whether a forecast is worth a warning: clearly before the period is over.
bool is_worth_saying(const Balance& balance, const Outlook& outlook, WallTime now) {
  if (!outlook.used_up_at) return false;
  if (!balance.resets_at) return *outlook.used_up_at - now <= kTotalForecastWithin;
  return *balance.resets_at - *outlook.used_up_at >=
         (*balance.resets_at - balance.period_start) / 10;
}

std::optional<Passed> passed_of(const WatchedBudget& watched, const Balance& balance,
                                bool is_exhausted) {
  const std::int64_t percent = is_exhausted ? 100 : used_percent(balance);
  const auto& warn = watched.budget.warn_percents;
  std::optional<int> highest;
  for (const int one : warn) {
    if (one <= percent && (one < 100 || is_exhausted)) highest = std::max(highest.value_or(0), one);
  }
  if (!highest) return std::nullopt;
  return Passed{
      .budget = watched.budget.terms.id,
      .used_percent = percent,
      .header = fmt::format("{}; used={}%; threshold={}%{}", watched.budget.terms.id.text(),
                            used_percent(balance), *highest,
                            balance.resets_at ? "; resets=" + record::to_rfc3339(*balance.resets_at)
                                              : std::string())};
}

}  // namespace

std::int64_t used_percent(const Balance& balance) {
  if (balance.limit <= NanoUsd()) return 100;
  const auto percent = static_cast<__int128>(used(balance).nanos()) * 100 / balance.limit.nanos();
  return static_cast<std::int64_t>(std::clamp<__int128>(percent, 0, 1'000'000));
}

PassedThresholds::PassedThresholds(std::vector<Passed> passed) : passed_(std::move(passed)) {
  std::ranges::sort(passed_, {}, &Passed::budget);
}

const Passed* PassedThresholds::fullest_of(std::span<const BudgetId> budgets) const {
  const Passed* fullest = nullptr;
  if (passed_.empty()) return fullest;
  for (const BudgetId budget : budgets) {
    const auto found = std::ranges::lower_bound(passed_, budget, {}, &Passed::budget);
    if (found == passed_.end() || found->budget != budget) continue;
    if (fullest == nullptr || found->used_percent > fullest->used_percent) fullest = &*found;
  }
  return fullest;
}

BudgetWatch::Look BudgetWatch::look(const WatchedBudget& watched, const Balance& balance,
                                    TurnedAway turned_away, const std::optional<Rate>& rate,
                                    WallTime now) {
  Look seen;
  // Nothing accumulates on a ceiling for each request.
  if (watched.budget.terms.period == budget::Period::request) return seen;
  State& state = states_[watched.budget.terms.id];
  if (state.period_start != balance.period_start || state.limit != balance.limit) {
    state = State{.period_start = balance.period_start,
                  .limit = balance.limit,
                  .was_turned_away = false,
                  .forecast_since = std::nullopt,
                  .found = {}};
  }
  if (turned_away == TurnedAway::yes) state.was_turned_away = true;
  const bool is_exhausted = state.was_turned_away || used(balance) >= balance.limit;
  seen.outlook = outlook_of(balance, rate, now);
  seen.passed = passed_of(watched, balance, is_exhausted);

  const auto say = [&](Finding finding) {
    if (std::ranges::find(state.found, finding.occasion) == state.found.end()) {
      seen.findings.push_back(std::move(finding));
    }
  };
  for (const int percent : watched.budget.warn_percents) {
    if (percent < 100 && percent <= used_percent(balance)) {
      say(threshold(watched, balance, percent));
    }
    if (percent >= 100 && is_exhausted) say(exhausted(watched, balance));
  }
  if (balance.spent > balance.limit) say(overrun(watched, balance));

  if (!is_worth_saying(balance, seen.outlook, now)) {
    state.forecast_since.reset();
  } else {
    if (!state.forecast_since) state.forecast_since = now;
    if (now - *state.forecast_since >= kForecastHeldFor) {
      say(forecast(watched, balance, seen.outlook));
    }
  }
  return seen;
}

void BudgetWatch::found(BudgetId budget, const std::string& occasion) {
  State& state = states_[budget];
  if (std::ranges::find(state.found, occasion) == state.found.end()) {
    state.found.push_back(occasion);
  }
}

}  // namespace claviger::alert

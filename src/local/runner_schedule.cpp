#include "local/runner_schedule.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace claviger::local {
namespace {

using route::RunnerError;
using route::RunnerFailure;

Action refusal(WaiterId waiter, RunnerFailure failure) {
  Action action;
  action.kind = Action::Kind::refuse;
  action.waiter = waiter;
  action.failure = std::move(failure);
  return action;
}

Action on_slot(Action::Kind kind, SlotNumber slot) {
  Action action;
  action.kind = kind;
  action.slot = slot;
  return action;
}

std::int64_t whole_seconds(Duration duration) {
  return std::chrono::ceil<std::chrono::seconds>(duration).count();
}

std::string with_last_words(std::string text, const std::string& last_words) {
  if (!last_words.empty()) text += fmt::format(" Its last words: {}", last_words);
  return text;
}

}  // namespace

/// Twice as many slots as runners: a runner that crashed leaves its slot only when the last
/// request that it failed has let go, and must not keep the next one from starting.
RunnerSchedule::RunnerSchedule(const RunnerLimits& limits, std::uint64_t seed)
    : limits_(limits),
      random_state_(seed),
      gates_(std::size_t{2} * limits.runners_max),
      slots_(gates_.size()) {}

void RunnerSchedule::ask(Ask ask) {
  if (waiting_.size() >= limits_.waiting_max) {
    pending_.push_back(refusal(
        ask.waiter, {RunnerError::too_slow,
                     fmt::format("{} requests wait for own models already. Try again later.",
                                 waiting_.size())}));
    return;
  }
  waiting_.push_back(std::move(ask));
}

void RunnerSchedule::forget(WaiterId waiter) {
  std::erase_if(waiting_, [&](const Ask& ask) { return ask.waiter == waiter; });
}

void RunnerSchedule::became_ready(SlotNumber slot, Instant now) {
  Slot& at = slots_[slot];
  if (at.state != State::starting) return;
  at.state = State::ready;
  at.since = now;
  at.ready_at = now;
  if (!at.retiring) gates_[slot].open(at.model, now);
}

void RunnerSchedule::ended(SlotNumber slot, std::string last_words, Instant now) {
  Slot& at = slots_[slot];
  const State before = at.state;
  if (before == State::empty || before == State::draining) return;
  gates_[slot].close();
  const bool by_itself = before != State::stopping || !at.stopped_because.empty();
  if (by_itself && !shutting_down_) {
    std::string words = at.stopped_because.empty() ? std::move(last_words) : at.stopped_because;
    remember_trouble(at, words, now);
    if (!at.ready_at) {
      refuse_waiters_of(
          at.model,
          {RunnerError::start_failed,
           with_last_words(
               fmt::format("The runner of model \"{}\" ended before it was ready.", at.model_name),
               words)});
    }
  } else {
    troubles_.erase(at.model);
  }
  at = Slot{};
  at.state = State::draining;
  empty_drained_slots();
}

void RunnerSchedule::could_not_start(SlotNumber slot, const RunnerFailure& failure) {
  Slot& at = slots_[slot];
  refuse_waiters_of(at.model, failure);
  at = Slot{};
}

bool RunnerSchedule::make_memory_for(SlotNumber slot, Instant now) {
  const auto idle = longest_idle(std::nullopt);
  if (!idle || !stop_for(*idle, slots_[slot].model, now, pending_)) return false;
  slots_[slot] = Slot{};
  return true;
}

void RunnerSchedule::stopped_answering(SlotNumber slot, Instant now) {
  Slot& at = slots_[slot];
  if (at.state != State::ready) return;
  gates_[slot].close();
  at.state = State::stopping;
  at.since = now;
  at.kill_sent = true;
  at.stopped_because = "it stopped answering and was ended";
  pending_.push_back(on_slot(Action::Kind::kill, slot));
}

void RunnerSchedule::retire(LocalModelId model) {
  troubles_.erase(model);
  for (SlotNumber slot = 0; slot < slots_.size(); ++slot) {
    if (!is_alive(slot) || slots_[slot].model != model) continue;
    gates_[slot].close();
    slots_[slot].retiring = true;
  }
}

void RunnerSchedule::shut_down() {
  shutting_down_ = true;
}

std::vector<Action> RunnerSchedule::decide(Instant now) {
  std::vector<Action> actions = std::exchange(pending_, {});
  empty_drained_slots();
  watch_clocks(now, actions);
  std::deque<Ask> waiting = std::exchange(waiting_, {});
  for (Ask& ask : waiting) {
    if (serve(ask, now, actions) == Turn::waits) waiting_.push_back(std::move(ask));
  }
  stop_idle(now, actions);
  set_wanted();
  return actions;
}

void RunnerSchedule::empty_drained_slots() {
  for (SlotNumber slot = 0; slot < slots_.size(); ++slot) {
    if (slots_[slot].state != State::draining) continue;
    gates_[slot].set_wanted(true);
    if (gates_[slot].inside() == 0) slots_[slot] = Slot{};
  }
}

void RunnerSchedule::watch_clocks(Instant now, std::vector<Action>& actions) {
  for (SlotNumber slot = 0; slot < slots_.size(); ++slot) {
    Slot& at = slots_[slot];
    if (shutting_down_ && (at.state == State::starting || at.state == State::ready)) {
      gates_[slot].close();
      begin_stop(slot, now, actions);
    }
    if (at.state == State::starting && now >= at.since + limits_.start_time_max) {
      at.stopped_because =
          fmt::format("it was not ready within {} s", whole_seconds(limits_.start_time_max));
      begin_stop(slot, now, actions);
    }
    if (at.state == State::stopping && !at.kill_sent && now >= at.since + limits_.stop_grace) {
      at.kill_sent = true;
      actions.push_back(on_slot(Action::Kind::kill, slot));
    }
  }
}

void RunnerSchedule::stop_idle(Instant now, std::vector<Action>& actions) {
  for (SlotNumber slot = 0; slot < slots_.size(); ++slot) {
    Slot& at = slots_[slot];
    if (at.state == State::starting && at.retiring) begin_stop(slot, now, actions);
    if (at.state != State::ready) continue;
    if (at.retiring) {
      gates_[slot].set_wanted(true);
      if (gates_[slot].inside() == 0) begin_stop(slot, now, actions);
    } else if (now >= gates_[slot].idle_since() + limits_.idle_stop &&
               gates_[slot].try_close_idle()) {
      begin_stop(slot, now, actions);
    }
  }
}

RunnerSchedule::Turn RunnerSchedule::serve(const Ask& ask, Instant now,
                                           std::vector<Action>& actions) {
  if (shutting_down_) {
    actions.push_back(refusal(ask.waiter, {RunnerError::stopping, "The server is stopping."}));
    return Turn::done;
  }
  const std::optional<SlotNumber> slot = running(ask.model);
  if (slot && gates_[*slot].try_enter(ask.model, limits_.leases_per_runner_max)) {
    Action action = on_slot(Action::Kind::serve, *slot);
    action.waiter = ask.waiter;
    actions.push_back(std::move(action));
    return Turn::done;
  }
  if (!slot) {
    const auto trouble = troubles_.find(ask.model);
    if (trouble != troubles_.end() && now < trouble->second.retry_at) {
      const auto& [failures, retry_at, last_words] = trouble->second;
      actions.push_back(refusal(
          ask.waiter,
          {RunnerError::backing_off,
           with_last_words(fmt::format("The runner of model \"{}\" ended by itself {} times in a "
                                       "row; it is started again in {} s.",
                                       ask.model_name, failures, whole_seconds(retry_at - now)),
                           last_words)}));
      return Turn::done;
    }
  }
  if (ask.deadline.passed(now)) {
    actions.push_back(refusal(ask.waiter, too_slow(ask, now)));
    return Turn::done;
  }
  if (!slot && !makes_room_for(ask.model)) find_room(ask, now, actions);
  return Turn::waits;
}

std::optional<SlotNumber> RunnerSchedule::running(LocalModelId model) const {
  for (SlotNumber slot = 0; slot < slots_.size(); ++slot) {
    const Slot& at = slots_[slot];
    if (at.model == model && !at.retiring &&
        (at.state == State::starting || at.state == State::ready)) {
      return slot;
    }
  }
  return std::nullopt;
}

bool RunnerSchedule::makes_room_for(LocalModelId model) const {
  return std::ranges::any_of(slots_, [&](const Slot& at) {
    return at.state == State::stopping && (at.successor == model || at.model == model);
  });
}

void RunnerSchedule::find_room(const Ask& ask, Instant now, std::vector<Action>& actions) {
  if (const auto own = longest_idle(ask.owner)) {
    if (stop_for(*own, ask.model, now, actions)) return;
  }
  if (alive_count(ask.owner) >= limits_.runners_per_owner_max) return;
  if (alive_count(std::nullopt) < limits_.runners_max) {
    start(ask, now, actions);
    return;
  }
  if (const auto other = longest_idle(std::nullopt)) stop_for(*other, ask.model, now, actions);
}

std::optional<SlotNumber> RunnerSchedule::longest_idle(std::optional<OwnerId> owner) const {
  std::optional<SlotNumber> found;
  for (SlotNumber slot = 0; slot < slots_.size(); ++slot) {
    const Slot& at = slots_[slot];
    if (at.state != State::ready || at.retiring || (owner && at.owner != *owner)) continue;
    if (gates_[slot].inside() > 0) continue;
    if (!found || gates_[slot].idle_since() < gates_[*found].idle_since()) found = slot;
  }
  return found;
}

bool RunnerSchedule::stop_for(SlotNumber slot, LocalModelId successor, Instant now,
                              std::vector<Action>& actions) {
  if (!gates_[slot].try_close_idle()) return false;  // Somebody entered just now.
  slots_[slot].successor = successor;
  begin_stop(slot, now, actions);
  return true;
}

void RunnerSchedule::begin_stop(SlotNumber slot, Instant now, std::vector<Action>& actions) {
  slots_[slot].state = State::stopping;
  slots_[slot].since = now;
  actions.push_back(on_slot(Action::Kind::stop, slot));
}

void RunnerSchedule::start(const Ask& ask, Instant now, std::vector<Action>& actions) {
  const auto free = std::ranges::find(slots_, State::empty, &Slot::state);
  if (free == slots_.end()) return;  // Failed requests still hold all slots; they let go soon.
  *free = Slot{};
  free->state = State::starting;
  free->model = ask.model;
  free->owner = ask.owner;
  free->model_name = ask.model_name;
  free->since = now;
  Action action = on_slot(Action::Kind::start, static_cast<SlotNumber>(free - slots_.begin()));
  action.model = ask.model;
  actions.push_back(std::move(action));
}

std::uint32_t RunnerSchedule::alive_count(std::optional<OwnerId> owner) const {
  std::uint32_t count = 0;
  for (SlotNumber slot = 0; slot < slots_.size(); ++slot) {
    if (is_alive(slot) && (!owner || slots_[slot].owner == *owner)) ++count;
  }
  return count;
}

bool RunnerSchedule::is_alive(SlotNumber slot) const {
  const State state = slots_[slot].state;
  return state == State::starting || state == State::ready || state == State::stopping;
}

bool RunnerSchedule::all_gone() const {
  return std::ranges::all_of(slots_, [](const Slot& at) {
    return at.state == State::empty || at.state == State::draining;
  });
}

void RunnerSchedule::set_wanted() {
  for (SlotNumber slot = 0; slot < slots_.size(); ++slot) {
    const Slot& at = slots_[slot];
    if (at.state == State::ready && !at.retiring) gates_[slot].set_wanted(!waiting_.empty());
  }
}

RunnerFailure RunnerSchedule::too_slow(const Ask& ask, Instant now) const {
  const auto slot = running(ask.model);
  if (slot && slots_[*slot].state == State::starting) {
    return {RunnerError::too_slow,
            fmt::format("Model \"{}\" has been loading for {} s and goes on. Try again shortly.",
                        ask.model_name, whole_seconds(now - slots_[*slot].since))};
  }
  if (slot) {
    return {RunnerError::too_slow,
            fmt::format("{} requests are with model \"{}\" already. Try again later.",
                        limits_.leases_per_runner_max, ask.model_name)};
  }
  return {RunnerError::too_slow,
          fmt::format("No runner was free for model \"{}\": other models are in use. Try again "
                      "later, or raise local.runners_max (now {}, and {} for each owner).",
                      ask.model_name, limits_.runners_max, limits_.runners_per_owner_max)};
}

void RunnerSchedule::remember_trouble(const Slot& slot, std::string last_words, Instant now) {
  Trouble& trouble = troubles_[slot.model];
  if (slot.ready_at && now >= *slot.ready_at + limits_.steady_after) trouble.failures = 0;
  ++trouble.failures;
  trouble.last_words = std::move(last_words);
  const bool at_once = slot.ready_at.has_value() && trouble.failures == 1;
  trouble.retry_at = at_once ? now : now + pause_after(trouble.failures);
}

/// Doubles with each failure; between three and five quarters of it, so that runners that fell
/// together do not rise together.
Duration RunnerSchedule::pause_after(std::uint32_t failures) {
  Duration pause = limits_.pause_first;
  for (std::uint32_t i = 1; i < failures && pause < limits_.pause_max; ++i) pause *= 2;
  pause = std::min(pause, limits_.pause_max);
  // splitmix64, https://prng.di.unimi.it/splitmix64.c (read 2026-11-23).
  std::uint64_t mixed = (random_state_ += 0x9E3779B97F4A7C15ull);
  mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9ull;
  mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBull;
  mixed ^= mixed >> 31;
  const auto thousandths = static_cast<Duration::rep>(750 + mixed % 500);
  return pause / 1000 * thousandths;
}

void RunnerSchedule::refuse_waiters_of(LocalModelId model, const RunnerFailure& failure) {
  std::erase_if(waiting_, [&](const Ask& ask) {
    if (ask.model != model) return false;
    pending_.push_back(refusal(ask.waiter, failure));
    return true;
  });
}

Instant RunnerSchedule::next_decision() const {
  Instant next = Instant::max();
  if (!pending_.empty()) return Instant::min();
  for (const Ask& ask : waiting_) next = std::min(next, ask.deadline.at());
  for (SlotNumber slot = 0; slot < slots_.size(); ++slot) {
    const Slot& at = slots_[slot];
    if (at.state == State::starting) next = std::min(next, at.since + limits_.start_time_max);
    if (at.state == State::stopping && !at.kill_sent) {
      next = std::min(next, at.since + limits_.stop_grace);
    }
    if (at.state == State::ready && gates_[slot].inside() == 0) {
      next = std::min(next, gates_[slot].idle_since() + limits_.idle_stop);
    }
  }
  return next;
}

}  // namespace claviger::local

#include "budget/waiting_room.h"

#include <algorithm>
#include <utility>

namespace claviger::budget {
namespace {

std::int64_t minute_of(WallTime time) {
  return std::chrono::floor<std::chrono::minutes>(time.time_since_epoch()).count();
}

}  // namespace

WaitingRoom::Stay::Stay(WaitingRoom& room, Patience& patience) : room_(room), patience_(patience) {
  const std::scoped_lock lock(room_.mutex_);
  waiter_.arrival = ++room_.arrivals_;
  waiter_.until = patience.until;
  waiter_.is_over = !patience.begin(*this);
}

WaitingRoom::Stay::~Stay() {
  patience_.finish();
  std::shared_ptr<Wakeup> next;
  {
    const std::scoped_lock lock(room_.mutex_);
    next = room_.step_out(waiter_);
  }
  wake(next);
}

bool WaitingRoom::Stay::stand_in_line(BudgetId budget) {
  std::shared_ptr<Wakeup> next;
  {
    const std::scoped_lock lock(room_.mutex_);
    if (waiter_.budget == budget) return true;
    if (waiter_.budget.is_none() && room_.size_ >= room_.limits_.waiting_max) return false;
    next = room_.step_out(waiter_);
    Line& line = room_.lines_[budget];
    line.emplace(waiter_.arrival, &waiter_);
    waiter_.budget = budget;
    ++room_.size_;
    room_.accounts_.count_waiting(budget, 1);
    // Between its refusal and this, room may have grown unseen.
    if (line.begin()->second == &waiter_) waiter_.is_called = true;
  }
  wake(next);
  return true;
}

std::shared_ptr<Wakeup> WaitingRoom::Stay::next_call() {
  const std::scoped_lock lock(room_.mutex_);
  if (waiter_.is_called || waiter_.is_over) return nullptr;
  waiter_.wakeup = std::make_shared<Wakeup>();
  return waiter_.wakeup;
}

bool WaitingRoom::Stay::is_over() const {
  const std::scoped_lock lock(room_.mutex_);
  return waiter_.is_over;
}

bool WaitingRoom::Stay::is_called() {
  const std::scoped_lock lock(room_.mutex_);
  return std::exchange(waiter_.is_called, false);
}

void WaitingRoom::Stay::end() noexcept {
  std::shared_ptr<Wakeup> sleeping;
  {
    const std::scoped_lock lock(room_.mutex_);
    waiter_.is_over = true;
    sleeping = std::move(waiter_.wakeup);
  }
  wake(sleeping);
}

std::shared_ptr<Wakeup> WaitingRoom::call(Waiter& waiter) {
  waiter.is_called = true;
  return std::move(waiter.wakeup);
}

std::shared_ptr<Wakeup> WaitingRoom::step_out(Waiter& waiter) {
  if (waiter.budget.is_none()) return nullptr;
  const BudgetId budget = std::exchange(waiter.budget, BudgetId{});
  const auto place = lines_.find(budget);
  place->second.erase(waiter.arrival);
  waiter.is_called = false;
  --size_;
  accounts_.count_waiting(budget, -1);
  if (place->second.empty()) {
    lines_.erase(place);
    return nullptr;
  }
  // Whoever is first now may find room that the one before did not need.
  return call(*place->second.begin()->second);
}

void WaitingRoom::room_grew(BudgetId budget) noexcept {
  std::shared_ptr<Wakeup> first;
  {
    const std::scoped_lock lock(mutex_);
    const auto line = lines_.find(budget);
    if (line == lines_.end()) return;
    first = call(*line->second.begin()->second);
  }
  wake(first);
}

void WaitingRoom::look_around() {
  std::vector<std::shared_ptr<Wakeup>> awake;
  {
    const std::scoped_lock lock(mutex_);
    const Instant now = clock_.now();
    // Periods begin with whole minutes.
    const bool is_new_minute =
        std::exchange(minute_, minute_of(clock_.wall_now())) != minute_of(clock_.wall_now());
    for (auto& [budget, line] : lines_) {
      for (auto& [arrival, waiter] : line) {
        if (now < waiter->until) continue;
        waiter->is_over = true;
        awake.push_back(std::move(waiter->wakeup));
      }
      if (is_new_minute) awake.push_back(call(*line.begin()->second));
    }
  }
  for (const auto& wakeup : awake) wake(wakeup);
}

std::optional<Instant> WaitingRoom::next_look() const {
  if (size() == 0) return std::nullopt;
  const std::scoped_lock lock(mutex_);
  std::optional<Instant> next;
  for (const auto& [budget, line] : lines_) {
    for (const auto& [arrival, waiter] : line) {
      if (!next || waiter->until < *next) next = waiter->until;
    }
  }
  return next;
}

}  // namespace claviger::budget

#pragma once

/// Changes happen one after the other, also where one has to wait for the ledger in its middle:
/// otherwise two could publish what is true of neither.

#include <coroutine>
#include <deque>
#include <utility>

#include "base/executor.h"

namespace claviger::console {

/// Threads: the control thread only. First come, first served.
class Turns {
 public:
  /// Held by whoever has the turn; the next one goes on when it is destroyed.
  class Turn {
   public:
    explicit Turn(Turns* turns) : turns_(turns) {}
    Turn(Turn&& other) noexcept : turns_(std::exchange(other.turns_, nullptr)) {}
    Turn& operator=(Turn&&) = delete;
    ~Turn() {
      if (turns_ != nullptr) turns_->pass_on();
    }

   private:
    Turns* turns_;
  };

  class Awaiter {
   public:
    explicit Awaiter(Turns& turns) : turns_(turns) {}
    bool await_ready() const noexcept {
      if (turns_.is_taken_) return false;
      turns_.is_taken_ = true;
      return true;
    }
    void await_suspend(std::coroutine_handle<> waiting) { turns_.waiting_.push_back(waiting); }
    Turn await_resume() const noexcept { return Turn(&turns_); }

   private:
    Turns& turns_;
  };
  /// `const auto turn = co_await turns.take();`
  Awaiter take() { return Awaiter(*this); }

 private:
  void pass_on() {
    if (waiting_.empty()) {
      is_taken_ = false;
      return;
    }
    const std::coroutine_handle<> next = waiting_.front();
    waiting_.pop_front();
    // Posted, not resumed here: whoever ends a turn is still in the middle of something.
    if (Executor* const executor = Executor::current()) {
      executor->post(next);
    } else {
      next.resume();
    }
  }

  bool is_taken_ = false;
  std::deque<std::coroutine_handle<>> waiting_;  ///< Bounded by the door's connections.
};

}  // namespace claviger::console

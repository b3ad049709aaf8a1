#pragma once

/// Lets a coroutine sleep until another thread has something for it, and be destroyed
/// meanwhile without harm.

#include <atomic>
#include <coroutine>
#include <cstdlib>
#include <memory>

#include "base/executor.h"

namespace claviger::budget {

/// One sleep and one call that ends it, in either order. Shared by the two.
///
/// Threads: call() from any one thread, once. The sleeper sleeps, wakes up and may be destroyed
/// on its executor's thread; the executor outlives the call. A thread without an executor (a
/// command, a test) blocks instead.
class Wakeup {
 public:
  static void call(const std::shared_ptr<Wakeup>& wakeup) {
    if (wakeup->state_.exchange(State::called, std::memory_order_acq_rel) == State::asleep) {
      wakeup->executor_->post(deliver(wakeup).handle);
    }
    wakeup->state_.notify_one();
  }

  /// `co_await Wakeup::sleep(wakeup)`.
  class Sleep {
   public:
    explicit Sleep(std::shared_ptr<Wakeup> wakeup) : wakeup_(std::move(wakeup)) {}
    Sleep(const Sleep&) = delete;
    Sleep& operator=(const Sleep&) = delete;
    ~Sleep() { wakeup_->sleeper_ = nullptr; }

    bool await_ready() const noexcept {
      if (Executor::current() == nullptr) {
        wakeup_->state_.wait(State::awake, std::memory_order_acquire);
      }
      return wakeup_->state_.load(std::memory_order_acquire) == State::called;
    }
    bool await_suspend(std::coroutine_handle<> sleeper) const {
      wakeup_->sleeper_ = sleeper;
      wakeup_->executor_ = Executor::current();
      State expected = State::awake;
      return wakeup_->state_.compare_exchange_strong(expected, State::asleep,
                                                     std::memory_order_acq_rel);
    }
    void await_resume() const noexcept {}

   private:
    std::shared_ptr<Wakeup> wakeup_;
  };
  static Sleep sleep(std::shared_ptr<Wakeup> wakeup) { return Sleep(std::move(wakeup)); }

 private:
  enum class State : int { awake, asleep, called };

  /// What is posted: it runs on the sleeper's own thread, where the sleeper either still
  /// stands or has taken itself off the list.
  struct Delivery {
    struct promise_type {
      Delivery get_return_object() {
        return {std::coroutine_handle<promise_type>::from_promise(*this)};
      }
      std::suspend_always initial_suspend() const noexcept { return {}; }
      std::suspend_never final_suspend() const noexcept { return {}; }
      void return_void() const noexcept {}
      void unhandled_exception() const noexcept { std::abort(); }
    };
    std::coroutine_handle<> handle;
  };
  static Delivery deliver(std::shared_ptr<Wakeup> wakeup) {
    if (wakeup->sleeper_) wakeup->sleeper_.resume();
    co_return;
  }

  std::atomic<State> state_{State::awake};
  std::coroutine_handle<> sleeper_;  ///< Touched on the sleeper's thread only.
  Executor* executor_ = nullptr;
};

}  // namespace claviger::budget

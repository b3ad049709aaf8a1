#pragma once

/// Runs a task to its end on a thread that has no reactor: at start, before the control thread
/// serves. Where the task waits for another thread, so does this one.

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>

#include "base/executor.h"
#include "base/task.h"

namespace claviger::console {

class BlockingExecutor final : public Executor {
 public:
  BlockingExecutor() : previous_(current_) { current_ = this; }
  ~BlockingExecutor() override { current_ = previous_; }
  BlockingExecutor(const BlockingExecutor&) = delete;
  BlockingExecutor& operator=(const BlockingExecutor&) = delete;

  void post(std::coroutine_handle<> waiting) override {
    const std::lock_guard lock(mutex_);
    ready_.push_back(waiting);
    changed_.notify_one();
  }

  void resume_next() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !ready_.empty(); });
    const std::coroutine_handle<> next = ready_.front();
    ready_.pop_front();
    lock.unlock();
    next.resume();
  }

 private:
  Executor* previous_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::coroutine_handle<>> ready_;
};

template <typename T>
T block_on(Task<T> task) {
  BlockingExecutor executor;
  std::optional<T> result;
  spawn([](Task<T> owned, std::optional<T>& out) -> Task<void> { out.emplace(co_await owned); }(
                                                     std::move(task), result));
  while (!result) executor.resume_next();
  return std::move(*result);
}

}  // namespace claviger::console

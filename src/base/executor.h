#pragma once

/// Where a suspended coroutine wakes up again. A connection never changes thread, so whoever
/// makes a coroutine wait on another thread (the runner's supervisor, a ledger's queue, a
/// resolver) gives it back to the executor on which it was found.

#include <coroutine>

namespace claviger {
inline namespace base {

class Executor {
 public:
  virtual ~Executor() = default;
  /// Resumes `waiting` on the executor's own thread, soon. Threads: any.
  virtual void post(std::coroutine_handle<> waiting) = 0;

  /// The executor that runs this thread, or null where none does (a test, a worker).
  static Executor* current() { return current_; }

 protected:
  static inline thread_local Executor* current_ = nullptr;
};

/// `co_await resume_on(executor)`: goes on there.
struct resume_on {
  Executor& executor;
  bool await_ready() const noexcept { return Executor::current() == &executor; }
  void await_suspend(std::coroutine_handle<> waiting) const { executor.post(waiting); }
  void await_resume() const noexcept {}
};

}  // namespace base
}  // namespace claviger

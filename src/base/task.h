#pragma once

/// Task<T>: a coroutine that starts when it is awaited and hands its result back to whoever
/// awaited it, by symmetric transfer (no stack growth, no queue, no lock).
///
/// Why not asio::awaitable: its frames and its hidden stack of frames per "thread of
/// awaiting" cost more than a whole request may (see docs/decisions/reactor.md). Frames here
/// come from a free list per thread, so that a request allocates nothing after warm-up.
///
/// Threads: a Task runs where it is resumed; it may be destroyed on another thread than the
/// one that made it. It is not itself thread-safe.

#include <coroutine>
#include <cstddef>
#include <cstdlib>
#include <exception>
#include <optional>
#include <utility>

namespace claviger {
inline namespace base {

namespace task_detail {

/// Coroutine frames, from free lists of this thread by size class of 64 bytes.
void* allocate_frame(std::size_t bytes);
void release_frame(void* frame, std::size_t bytes) noexcept;

struct FrameFromFreeList {
  static void* operator new(std::size_t bytes) { return allocate_frame(bytes); }
  static void operator delete(void* frame, std::size_t bytes) noexcept {
    release_frame(frame, bytes);
  }
};

struct PromiseBase : FrameFromFreeList {
  struct ResumeAwaiter {
    bool await_ready() const noexcept { return false; }
    template <typename Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> done) const noexcept {
      return done.promise().continuation;
    }
    void await_resume() const noexcept {}
  };
  std::suspend_always initial_suspend() const noexcept { return {}; }
  ResumeAwaiter final_suspend() const noexcept { return {}; }
  void unhandled_exception() noexcept { exception = std::current_exception(); }

  std::coroutine_handle<> continuation = std::noop_coroutine();
  std::exception_ptr exception;
};

}  // namespace task_detail

template <typename T = void>
class [[nodiscard]] Task {
 public:
  struct promise_type : task_detail::PromiseBase {
    Task get_return_object() {
      return Task(std::coroutine_handle<promise_type>::from_promise(*this));
    }
    template <typename U>
    void return_value(U&& value) {
      result.emplace(std::forward<U>(value));
    }
    std::optional<T> result;
  };

  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Task() {
    if (handle_) handle_.destroy();
  }

  bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiting) noexcept {
    handle_.promise().continuation = awaiting;
    return handle_;
  }
  T await_resume() {
    if (handle_.promise().exception) std::rethrow_exception(handle_.promise().exception);
    return std::move(*handle_.promise().result);
  }

 private:
  explicit Task(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  std::coroutine_handle<promise_type> handle_;
};

template <>
class [[nodiscard]] Task<void> {
 public:
  struct promise_type : task_detail::PromiseBase {
    Task get_return_object() {
      return Task(std::coroutine_handle<promise_type>::from_promise(*this));
    }
    void return_void() const noexcept {}
  };

  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Task() {
    if (handle_) handle_.destroy();
  }

  bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiting) noexcept {
    handle_.promise().continuation = awaiting;
    return handle_;
  }
  void await_resume() {
    if (handle_.promise().exception) std::rethrow_exception(handle_.promise().exception);
  }

 private:
  explicit Task(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  std::coroutine_handle<promise_type> handle_;
};

namespace task_detail {

/// The root of a chain of tasks: runs at once, destroys itself at its end.
struct Detached {
  struct promise_type : FrameFromFreeList {
    Detached get_return_object() const noexcept { return {}; }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    /// A task that may throw is caught by its own root (the connection's, the command's).
    void unhandled_exception() const noexcept { std::abort(); }
  };
};

}  // namespace task_detail

/// Starts `task` on this thread; nobody waits for it.
inline void spawn(Task<void> task) {
  [](Task<void> owned) -> task_detail::Detached { co_await owned; }(std::move(task));
}

/// Runs a task that never has to wait, e.g. a Ledger over memory in a test. Ends the process
/// if it does wait: then the task needs a reactor (see net/reactor.h).
template <typename T>
T run(Task<T> task) {
  std::optional<T> result;
  [](Task<T> owned, std::optional<T>& out) -> task_detail::Detached {
    out.emplace(co_await owned);
  }(std::move(task), result);
  if (!result) std::abort();
  return std::move(*result);
}

}  // namespace base
}  // namespace claviger

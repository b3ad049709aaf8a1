#pragma once

/// One thread's event loop: sockets that become ready, deadlines that pass, messages from
/// other threads. A connection lives on the reactor that accepted it and never moves, so
/// nothing here is locked except the inbox.
///
/// Why an own reactor and not Asio's: see docs/decisions/reactor.md (measured). In short: one
/// edge-triggered registration per socket for its whole life, no allocation per wait, a
/// coarse timer wheel instead of a heap of timers, and a size at which a reader can hold all
/// of it in mind.
///
/// Deadlines are coarse: they fire up to one tick (50 ms) late, never early.

#include <array>
#include <atomic>
#include <coroutine>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "base/executor.h"
#include "base/time.h"

struct epoll_event;

namespace claviger::net {

class Reactor;
class Socket;

/// How a wait ended.
enum class Woken : std::uint8_t { ready, timed_out, cancelled };

/// One suspended coroutine: waiting for a socket, for a moment, or for another coroutine.
/// Lives in the awaiting frame; linked into the wheel while its deadline runs.
struct Wait {
  std::coroutine_handle<> waiting;
  Wait** slot = nullptr;  ///< Where whoever may wake us keeps us; cleared on waking.
  Wait* previous = nullptr;
  Wait* next = nullptr;
  std::int64_t tick = 0;
  bool in_wheel = false;
  bool on_either_event = false;  ///< TLS may need to write in order to read.
  Woken woken = Woken::ready;
};

class Reactor final : public Executor {
 public:
  /// Throws std::system_error where the kernel gives no epoll or eventfd (start-up only).
  explicit Reactor(const Clock& clock);
  ~Reactor() override;
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;

  /// Runs on the calling thread until stop().
  void run();
  /// Ends run() after the current turn. Threads: any.
  void stop();

  /// Threads: any.
  void post(std::coroutine_handle<> waiting) override;
  /// Runs `message` on this reactor's thread, soon. Threads: any.
  void post(std::function<void()> message);

  /// The time at the start of this turn. Good enough for deadlines; free of charge.
  Instant now() const { return now_; }
  Deadline after(Duration allowance) const { return Deadline(now_ + allowance); }
  const Clock& clock() const { return clock_; }

  /// `co_await reactor.sleep_until(deadline)`: timed_out at its end, cancelled where
  /// `cancel()` found it through `slot`.
  class SleepAwaiter {
   public:
    SleepAwaiter(Reactor& reactor, Deadline deadline, Wait** slot)
        : reactor_(reactor), deadline_(deadline) {
      wait_.slot = slot;
    }
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> waiting) {
      wait_.waiting = waiting;
      if (wait_.slot != nullptr) *wait_.slot = &wait_;
      reactor_.start_timer(wait_, deadline_);
    }
    Woken await_resume() const noexcept { return wait_.woken; }

   private:
    Reactor& reactor_;
    Deadline deadline_;
    Wait wait_;
  };
  SleepAwaiter sleep_until(Deadline deadline, Wait** slot = nullptr) {
    return {*this, deadline, slot};
  }

  /// `co_await reactor.yield()`: everybody else has a turn first. For loops that might never
  /// have to wait.
  struct YieldAwaiter {
    Reactor& reactor;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> waiting) const { reactor.post(waiting); }
    void await_resume() const noexcept {}
  };
  YieldAwaiter yield() { return {*this}; }

  /// Wakes `wait` at the end of this turn with `woken`. It must be suspended.
  void wake(Wait& wait, Woken woken);

 private:
  friend class Socket;

  static constexpr Duration kTick = std::chrono::milliseconds(50);
  static constexpr std::size_t kSlots = 1024;
  static constexpr int kEventsPerTurn = 256;

  void start_timer(Wait& wait, Deadline deadline);
  void stop_timer(Wait& wait);
  void register_socket(Socket& socket);
  void forget_socket(Socket& socket);
  void turn();
  void dispatch(int count);
  void read_inbox();
  void expire_timers();
  void resume_woken();

  const Clock& clock_;
  int epoll_ = -1;
  int wakeup_ = -1;
  Instant now_;
  std::int64_t tick_ = 0;  ///< The last tick whose deadlines were looked at.
  std::int64_t timers_ = 0;
  std::array<Wait*, kSlots> wheel_{};
  std::vector<std::coroutine_handle<>> woken_;
  std::vector<std::coroutine_handle<>> resuming_;
  std::unique_ptr<epoll_event[]> events_;
  int event_next_ = 0;
  int event_count_ = 0;
  std::atomic<bool> stopping_{false};

  std::mutex inbox_mutex_;
  std::vector<std::coroutine_handle<>> inbox_waiting_;
  std::vector<std::function<void()>> inbox_messages_;
};

}  // namespace claviger::net

#include "net/reactor.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "net/socket.h"

namespace claviger::net {

Reactor::Reactor(const Clock& clock)
    : clock_(clock), now_(clock.now()), tick_(now_.time_since_epoch() / kTick) {
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  wakeup_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  events_ = std::make_unique<epoll_event[]>(kEventsPerTurn);
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  event.data.ptr = nullptr;  // Null means the inbox.
  if (epoll_ < 0 || wakeup_ < 0 || epoll_ctl(epoll_, EPOLL_CTL_ADD, wakeup_, &event) != 0) {
    throw std::system_error(errno, std::generic_category(), "cannot create an event loop");
  }
}

Reactor::~Reactor() {
  close(epoll_);
  close(wakeup_);
}

void Reactor::run() {
  Executor* const outer = std::exchange(current_, this);
  while (!stopping_.load(std::memory_order_acquire)) turn();
  // What was posted together with the stop still runs, so that nobody waits for ever.
  read_inbox();
  while (!woken_.empty()) resume_woken();
  current_ = outer;
  stopping_ = false;
}

void Reactor::stop() {
  stopping_.store(true, std::memory_order_release);
  const std::uint64_t one = 1;
  (void)!write(wakeup_, &one, sizeof one);
}

void Reactor::post(std::coroutine_handle<> waiting) {
  if (current_ == this) {
    woken_.push_back(waiting);
    return;
  }
  {
    const std::lock_guard lock(inbox_mutex_);
    inbox_waiting_.push_back(waiting);
  }
  const std::uint64_t one = 1;
  (void)!write(wakeup_, &one, sizeof one);
}

void Reactor::post(std::function<void()> message) {
  {
    const std::lock_guard lock(inbox_mutex_);
    inbox_messages_.push_back(std::move(message));
  }
  const std::uint64_t one = 1;
  (void)!write(wakeup_, &one, sizeof one);
}

void Reactor::turn() {
  int timeout_ms = -1;
  if (!woken_.empty()) {
    timeout_ms = 0;
  } else if (timers_ > 0) {
    const Duration to_tick = (tick_ + 1) * kTick - now_.time_since_epoch();
    timeout_ms = static_cast<int>(
        std::max<std::int64_t>(1, std::chrono::ceil<std::chrono::milliseconds>(to_tick).count()));
  }
  const int count = epoll_wait(epoll_, events_.get(), kEventsPerTurn, timeout_ms);
  now_ = clock_.now();
  if (count > 0) dispatch(count);
  resume_woken();
  if (now_.time_since_epoch() >= (tick_ + 1) * kTick) {
    expire_timers();
    resume_woken();
  }
}

void Reactor::dispatch(int count) {
  event_count_ = count;
  for (event_next_ = 0; event_next_ < event_count_;) {
    const epoll_event& event = events_[static_cast<std::size_t>(event_next_++)];
    if (event.data.ptr == nullptr) {
      if (event.events != 0) read_inbox();
      continue;
    }
    static_cast<Socket*>(event.data.ptr)->on_events(event.events);
  }
  event_count_ = 0;
}

void Reactor::read_inbox() {
  std::uint64_t count = 0;
  (void)!read(wakeup_, &count, sizeof count);
  std::vector<std::function<void()>> messages;
  {
    const std::lock_guard lock(inbox_mutex_);
    woken_.insert(woken_.end(), inbox_waiting_.begin(), inbox_waiting_.end());
    inbox_waiting_.clear();
    messages.swap(inbox_messages_);
  }
  for (auto& message : messages) message();
}

void Reactor::wake(Wait& wait, Woken woken) {
  stop_timer(wait);
  if (wait.slot != nullptr) *wait.slot = nullptr;
  wait.woken = woken;
  woken_.push_back(wait.waiting);
}

void Reactor::resume_woken() {
  // Whoever is woken by them runs in the next turn, after sockets and deadlines had theirs.
  resuming_.swap(woken_);
  for (const auto waiting : resuming_) waiting.resume();
  resuming_.clear();
}

void Reactor::start_timer(Wait& wait, Deadline deadline) {
  if (deadline.at() == Instant::max()) return;
  // Rounded up: never early.
  wait.tick = std::max(tick_ + 1, (deadline.at().time_since_epoch() + kTick - Duration(1)) / kTick);
  Wait*& first = wheel_[static_cast<std::size_t>(wait.tick) % kSlots];
  wait.previous = nullptr;
  wait.next = first;
  if (first != nullptr) first->previous = &wait;
  first = &wait;
  wait.in_wheel = true;
  ++timers_;
}

void Reactor::stop_timer(Wait& wait) {
  if (!wait.in_wheel) return;
  Wait*& first = wheel_[static_cast<std::size_t>(wait.tick) % kSlots];
  (wait.previous != nullptr ? wait.previous->next : first) = wait.next;
  if (wait.next != nullptr) wait.next->previous = wait.previous;
  wait.in_wheel = false;
  --timers_;
}

void Reactor::expire_timers() {
  const std::int64_t until = now_.time_since_epoch() / kTick;
  // After a long sleep (a suspended laptop) one round over the wheel sees everything.
  const std::int64_t from = std::max(tick_ + 1, until - static_cast<std::int64_t>(kSlots) + 1);
  for (std::int64_t tick = from; tick <= until; ++tick) {
    for (Wait* wait = wheel_[static_cast<std::size_t>(tick) % kSlots]; wait != nullptr;) {
      Wait* const next = wait->next;
      if (wait->tick <= until) wake(*wait, Woken::timed_out);
      wait = next;
    }
  }
  tick_ = until;
}

void Reactor::register_socket(Socket& socket) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = &socket;
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, socket.fd(), &event) != 0) socket.mark_broken();
}

void Reactor::forget_socket(Socket& socket) {
  // Closing the descriptor removes it from epoll; events of this turn that were already
  // fetched must not find it any more.
  for (int i = event_next_; i < event_count_; ++i) {
    epoll_event& event = events_[static_cast<std::size_t>(i)];
    if (event.data.ptr == &socket) {
      event.data.ptr = nullptr;
      event.events = 0;
    }
  }
}

}  // namespace claviger::net

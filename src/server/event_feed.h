#pragma once

/// Wakes those who follow along when there is something new. Carries no events itself: whoever
/// is woken asks for what came behind the last one that they saw, so that nobody's slowness
/// makes anything pile up, and a stream that was broken off goes on without a gap.

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "base/task.h"
#include "net/reactor.h"
#include "net/socket.h"

namespace claviger::server {

/// Threads: subscribe() and tell() from any.
class EventFeed {
 public:
  static constexpr std::size_t kSubscribersMax = 64;

  /// One who follows along. Threads: its reactor's only.
  class Subscription final : public net::HangupListener {
   public:
    explicit Subscription(net::Reactor& reactor) : reactor_(reactor) {}

    /// Until there is news (true), or `deadline` (false).
    Task<bool> wait(Deadline deadline);
    /// No more waiting: the caller has gone, or we are stopping.
    void end();
    bool is_ended() const { return is_ended_; }
    void on_hangup() override { end(); }

   private:
    friend class EventFeed;
    void on_news();

    net::Reactor& reactor_;
    net::Wait* waiting_ = nullptr;
    bool has_news_ = false;
    bool is_ended_ = false;
  };

  /// Null where there are too many. It ends when it is let go of.
  std::shared_ptr<Subscription> subscribe(net::Reactor& reactor);
  /// There is news.
  void tell();

 private:
  std::mutex mutex_;
  std::vector<std::weak_ptr<Subscription>> subscriptions_;
};

}  // namespace claviger::server

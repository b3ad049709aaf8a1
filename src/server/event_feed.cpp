#include "server/event_feed.h"

#include <utility>

namespace claviger::server {

Task<bool> EventFeed::Subscription::wait(Deadline deadline) {
  if (!is_ended_ && !has_news_) (void)co_await reactor_.sleep_until(deadline, &waiting_);
  waiting_ = nullptr;
  co_return std::exchange(has_news_, false);
}

void EventFeed::Subscription::end() {
  is_ended_ = true;
  if (waiting_ != nullptr) reactor_.wake(*waiting_, net::Woken::cancelled);
}

void EventFeed::Subscription::on_news() {
  has_news_ = true;
  if (waiting_ != nullptr) reactor_.wake(*waiting_, net::Woken::ready);
}

std::shared_ptr<EventFeed::Subscription> EventFeed::subscribe(net::Reactor& reactor) {
  const std::scoped_lock lock(mutex_);
  std::erase_if(subscriptions_, [](const auto& one) { return one.expired(); });
  if (subscriptions_.size() >= kSubscribersMax) return nullptr;
  auto subscription = std::make_shared<Subscription>(reactor);
  subscriptions_.push_back(subscription);
  return subscription;
}

void EventFeed::tell() {
  const std::scoped_lock lock(mutex_);
  for (const auto& one : subscriptions_) {
    if (auto subscription = one.lock()) {
      net::Reactor& reactor = subscription->reactor_;
      reactor.post([subscription = std::move(subscription)] { subscription->on_news(); });
    }
  }
}

}  // namespace claviger::server

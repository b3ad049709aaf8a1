#include "server/event_feed.h"

#include <gtest/gtest.h>

#include <thread>

namespace claviger::server {
namespace {

using namespace std::chrono_literals;

class EventFeedTest : public testing::Test {
 protected:
  void serve(std::function<Task<void>()> work) {
    spawn([](EventFeedTest& self, std::function<Task<void>()> work) -> Task<void> {
      co_await resume_on{self.reactor_};
      co_await work();
      self.reactor_.stop();
    }(*this, std::move(work)));
    reactor_.run();
  }
  Deadline after(Duration duration) { return Deadline(clock_.now() + duration); }

  SystemClock clock_;
  net::Reactor reactor_{clock_};
  EventFeed feed_;
};

TEST_F(EventFeedTest, NewsFromAnotherThreadWakesWhoWaits) {
  std::thread teller;
  serve([&]() -> Task<void> {
    const auto subscription = feed_.subscribe(reactor_);
    teller = std::thread([this] { feed_.tell(); });
    EXPECT_TRUE(co_await subscription->wait(after(5s)));
    EXPECT_FALSE(co_await subscription->wait(after(10ms))) << "news is told once";
  });
  teller.join();
}

TEST_F(EventFeedTest, NewsThatComesBeforeWaitingIsNotMissed) {
  serve([&]() -> Task<void> {
    const auto subscription = feed_.subscribe(reactor_);
    feed_.tell();
    co_await reactor_.yield();
    co_await reactor_.yield();
    EXPECT_TRUE(co_await subscription->wait(after(5s)));
  });
}

TEST_F(EventFeedTest, ACallerWhoGoesEndsTheWaiting) {
  serve([&]() -> Task<void> {
    const auto subscription = feed_.subscribe(reactor_);
    reactor_.post([subscription] { subscription->on_hangup(); });
    EXPECT_FALSE(co_await subscription->wait(after(5s)));
    EXPECT_TRUE(subscription->is_ended());
  });
}

TEST_F(EventFeedTest, SubscribersAreBounded) {
  std::vector<std::shared_ptr<EventFeed::Subscription>> all;
  for (std::size_t i = 0; i < EventFeed::kSubscribersMax; ++i) {
    all.push_back(feed_.subscribe(reactor_));
    ASSERT_NE(all.back(), nullptr);
  }
  EXPECT_EQ(feed_.subscribe(reactor_), nullptr);
  all.pop_back();
  EXPECT_NE(feed_.subscribe(reactor_), nullptr);
}

}  // namespace
}  // namespace claviger::server

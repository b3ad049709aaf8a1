#include "net/resolver.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace claviger::net {
namespace {

using namespace std::chrono_literals;

std::atomic<int> lookups = 0;
std::atomic<bool> is_answering = true;

/// A name server that takes its time until it is let go, and knows no name that begins with x.
std::expected<Addresses, std::string> slow_server(const std::string& host, std::uint16_t port) {
  ++lookups;
  while (!is_answering) std::this_thread::yield();
  if (host.starts_with('x')) return std::unexpected("no such name: " + host);
  auto addresses = std::make_shared<std::vector<Address>>();
  addresses->resize(port);  // So that the test can tell who got which answer.
  return addresses;
}

class ResolverTest : public ::testing::Test {
 protected:
  void SetUp() override {
    lookups = 0;
    is_answering = true;
  }

  /// Asks, and notes how many addresses came; -1 for an error.
  void ask(const std::string& host, std::uint16_t port, Duration patience = 5s) {
    ++asked_;
    spawn([](ResolverTest& t, std::string name, std::uint16_t at, Duration wait) -> Task<void> {
      co_await resume_on{t.reactor_};
      const auto found = co_await t.resolver_.resolve(std::move(name), at, t.reactor_.after(wait));
      t.answers_.push_back(found ? static_cast<int>((*found)->size()) : -1);
      if (!found) t.errors_.push_back(found.error());
      if (static_cast<int>(t.answers_.size()) == t.asked_) t.reactor_.stop();
    }(*this, host, port, patience));
  }

  SystemClock clock_;
  Reactor reactor_{clock_};
  Resolver resolver_{clock_, {.queue_max = 3, .look_up = slow_server}};
  int asked_ = 0;
  std::vector<int> answers_;
  std::vector<std::string> errors_;
};

TEST_F(ResolverTest, ManyWhoAskForOneNameShareOneLookup) {
  is_answering = false;
  for (int i = 0; i < 50; ++i) ask("one.example", 7);
  reactor_.post([] { is_answering = true; });
  reactor_.run();
  EXPECT_EQ(answers_, std::vector<int>(50, 7));
  EXPECT_EQ(lookups, 1);
}

TEST_F(ResolverTest, AnAnswerIsKeptAndSoIsAFailure) {
  for (const std::string host : {"one.example", "x.example"}) {
    for (int i = 0; i < 3; ++i) {
      ask(host, 2);
      reactor_.run();
    }
  }
  EXPECT_EQ(answers_, (std::vector<int>{2, 2, 2, -1, -1, -1}));
  EXPECT_EQ(lookups, 2);
}

TEST_F(ResolverTest, WhoeverGivesUpDoesNotTakeTheOthersAlong) {
  is_answering = false;
  ask("one.example", 3, 60ms);
  ask("one.example", 3);
  spawn([](ResolverTest_WhoeverGivesUpDoesNotTakeTheOthersAlong_Test& t) -> Task<void> {
    co_await resume_on{t.reactor_};
    while (t.answers_.empty()) co_await t.reactor_.sleep_until(t.reactor_.after(1ms));
    is_answering = true;
  }(*this));
  reactor_.run();
  EXPECT_EQ(answers_, (std::vector<int>{-1, 3}));
  EXPECT_EQ(errors_.front(), "resolving the name one.example took too long");
}

TEST_F(ResolverTest, NamesBeyondTheBoundAreRefusedAndNotQueued) {
  is_answering = false;
  for (const std::string host : {"a", "b", "c", "d"}) ask(host, 1);
  ask("a", 1);  // Being looked up already.
  spawn([](ResolverTest_NamesBeyondTheBoundAreRefusedAndNotQueued_Test& t) -> Task<void> {
    co_await resume_on{t.reactor_};
    while (t.errors_.empty()) co_await t.reactor_.sleep_until(t.reactor_.after(1ms));
    is_answering = true;
  }(*this));
  reactor_.run();
  EXPECT_EQ(errors_,
            (std::vector<std::string>{"too many names are being resolved at once; try again"}));
  EXPECT_EQ(lookups, 3);
}

TEST_F(ResolverTest, LiteralAddressesAskNobody) {
  ask("127.0.0.1", 80);
  ask("::1", 80);
  reactor_.run();
  EXPECT_EQ(answers_, (std::vector<int>{1, 1}));
  EXPECT_EQ(lookups, 0);
}

}  // namespace
}  // namespace claviger::net

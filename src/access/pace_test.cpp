#include "access/pace.h"

#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <random>
#include <thread>
#include <vector>

namespace claviger::access {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::nanoseconds;
using std::chrono::seconds;

int admitted_at_once(Pace& pace, const PaceLimits& limits, Instant now, int tries) {
  int admitted = 0;
  for (int i = 0; i < tries; ++i) {
    if (!pace.enter(limits, now)) continue;
    ++admitted;
    pace.leave(limits, 0, now);
  }
  return admitted;
}

TEST(Pace, WithoutLimitsEverythingEnters) {
  ManualClock clock;
  Pace pace;
  EXPECT_EQ(admitted_at_once(pace, {}, clock.now(), 1000), 1000);
}

TEST(Pace, AFullBucketHoldsExactlyOneMinutesRequests) {
  ManualClock clock;
  for (const std::int64_t limit : {1, 2, 3, 7, 11, 60, 61, 999, 4096}) {
    Pace pace;
    const PaceLimits limits{.requests_per_minute = limit};
    EXPECT_EQ(admitted_at_once(pace, limits, clock.now(), 5000), limit);
  }
}

TEST(Pace, TheBucketFillsContinuously) {
  ManualClock clock;
  Pace pace;
  const PaceLimits limits{.requests_per_minute = 60};
  admitted_at_once(pace, limits, clock.now(), 60);

  clock.advance(milliseconds{999});
  EXPECT_EQ(admitted_at_once(pace, limits, clock.now(), 5), 0);
  clock.advance(milliseconds{1});
  EXPECT_EQ(admitted_at_once(pace, limits, clock.now(), 5), 1);
  clock.advance(seconds{10});
  EXPECT_EQ(admitted_at_once(pace, limits, clock.now(), 50), 10);
  clock.advance(hours{1});
  EXPECT_EQ(admitted_at_once(pace, limits, clock.now(), 500), 60);
}

TEST(Pace, TheLimitIsNeverRoundedInTheCallersFavour) {
  ManualClock clock;
  Pace pace;
  const PaceLimits limits{.requests_per_minute = 7};  // 8571428571.4 ns each.
  ASSERT_EQ(admitted_at_once(pace, limits, clock.now(), 7), 7);
  clock.advance(minutes{1} - nanoseconds{1});
  EXPECT_EQ(admitted_at_once(pace, limits, clock.now(), 7), 6);
}

TEST(Pace, SaysWhenItWillFitAndKeepsItsWord) {
  ManualClock clock;
  Pace pace;
  const PaceLimits limits{.requests_per_minute = 7};
  admitted_at_once(pace, limits, clock.now(), 7);

  const auto refused = pace.enter(limits, clock.now());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().which, PaceLimit::requests);
  EXPECT_EQ(refused.error().limit, 7);
  clock.advance(refused.error().retry_after - nanoseconds{1});
  EXPECT_FALSE(pace.enter(limits, clock.now()));
  clock.advance(nanoseconds{1});
  EXPECT_TRUE(pace.enter(limits, clock.now()));
}

TEST(Pace, NobodyIsToldToComeBackWithinASecond) {
  ManualClock clock;
  Pace pace;
  const PaceLimits limits{.requests_per_minute = 6000};
  admitted_at_once(pace, limits, clock.now(), 6000);
  EXPECT_EQ(pace.enter(limits, clock.now()).error().retry_after, Duration(seconds{1}));
}

TEST(Pace, ARefusedRequestCountsNothing) {
  ManualClock clock;
  Pace pace;
  const PaceLimits limits{
      .requests_per_minute = 2, .tokens_per_minute = 100, .concurrent_requests = 1};
  ASSERT_TRUE(pace.enter(limits, clock.now()));
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(pace.enter(limits, clock.now()).error().which, PaceLimit::concurrency);
  }
  EXPECT_EQ(pace.concurrent(), 1);
  pace.leave(limits, 0, clock.now());
  EXPECT_TRUE(pace.enter(limits, clock.now()));
  pace.leave(limits, 0, clock.now());
  EXPECT_EQ(pace.enter(limits, clock.now()).error().which, PaceLimit::requests);
  EXPECT_EQ(pace.concurrent(), 0);
}

TEST(Pace, TokensAreChargedWhenTheyAreKnownAndMayGoBelowZero) {
  ManualClock clock;
  Pace pace;
  const PaceLimits limits{.tokens_per_minute = 600};
  ASSERT_TRUE(pace.enter(limits, clock.now()));
  pace.leave(limits, 599, clock.now());
  ASSERT_TRUE(pace.enter(limits, clock.now()));  // One token is left, so it may start.
  pace.leave(limits, 1200, clock.now());         // Now 1199 below zero: 120 seconds' worth.

  const auto refused = pace.enter(limits, clock.now());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().which, PaceLimit::tokens);
  EXPECT_EQ(refused.error().retry_after, Duration(seconds{120}));
  clock.advance(seconds{120} - nanoseconds{1});
  EXPECT_FALSE(pace.enter(limits, clock.now()));
  clock.advance(nanoseconds{1});
  EXPECT_TRUE(pace.enter(limits, clock.now()));
}

TEST(Pace, NamesTheLimitThatTakesLongest) {
  ManualClock clock;
  Pace pace;
  const PaceLimits limits{.requests_per_minute = 1, .tokens_per_minute = 60};
  ASSERT_TRUE(pace.enter(limits, clock.now()));
  pace.leave(limits, 61, clock.now());
  EXPECT_EQ(pace.enter(limits, clock.now()).error().which, PaceLimit::requests);

  Pace other;
  ASSERT_TRUE(other.enter(limits, clock.now()));
  other.leave(limits, 600, clock.now());
  EXPECT_EQ(other.enter(limits, clock.now()).error().which, PaceLimit::tokens);
}

TEST(Pace, AnAbsurdUsageFigureShutsAKeyForADayAtMost) {
  ManualClock clock;
  const PaceLimits limits{.tokens_per_minute = 1};
  for (const std::int64_t tokens :
       {std::int64_t{1} << 40, std::numeric_limits<std::int64_t>::max()}) {
    Pace pace;
    ASSERT_TRUE(pace.enter(limits, clock.now()));
    pace.leave(limits, tokens, clock.now());
    EXPECT_FALSE(pace.enter(limits, clock.now()));
    EXPECT_FALSE(pace.enter(limits, clock.now() + kDebtMax - minutes{1}));
    EXPECT_TRUE(pace.enter(limits, clock.now() + kDebtMax));
  }
}

TEST(Pace, AbsurdDebtsOfManyRequestsDoNotWrapAround) {
  ManualClock clock;
  const PaceLimits limits{.tokens_per_minute = 1};
  Pace pace;
  for (int i = 0; i < 400'000; ++i) {  // 400'000 days are more than 64 bits of nanoseconds.
    static_cast<void>(pace.enter({}, clock.now()));
    pace.leave(limits, std::numeric_limits<std::int64_t>::max(), clock.now());
    ASSERT_FALSE(pace.enter(limits, clock.now() + hours{23}));
    if (i > 0) ASSERT_FALSE(pace.enter(limits, clock.now() + hours{47}));
  }
}

TEST(Pace, NegativeTokensBuyNothing) {
  ManualClock clock;
  const PaceLimits limits{.tokens_per_minute = 10};
  Pace pace;
  ASSERT_TRUE(pace.enter(limits, clock.now()));
  pace.leave(limits, 10, clock.now());
  static_cast<void>(pace.enter({}, clock.now()));
  pace.leave(limits, -1000, clock.now());
  EXPECT_FALSE(pace.enter(limits, clock.now()));
}

TEST(Pace, HugeLimitsAreNoLimit) {
  ManualClock clock;
  Pace pace;
  constexpr auto most = std::numeric_limits<std::int64_t>::max();
  const PaceLimits limits{
      .requests_per_minute = most, .tokens_per_minute = most, .concurrent_requests = most};
  EXPECT_EQ(admitted_at_once(pace, limits, clock.now(), 1000), 1000);
}

TEST(Pace, ALoweredLimitHoldsAtOnce) {
  ManualClock clock;
  Pace pace;
  ASSERT_EQ(admitted_at_once(pace, {.requests_per_minute = 100}, clock.now(), 100), 100);
  EXPECT_FALSE(pace.enter({.requests_per_minute = 10}, clock.now()));
}

// The promise of the header, over random arrivals: in any minute no more than what flows in
// during it and what the bucket held at its start.
TEST(Pace, NoMinuteSeesMoreThanItsLimitBeyondOneBurst) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    const auto limit = static_cast<std::int64_t>(1 + random() % 90);
    const PaceLimits limits{.requests_per_minute = limit};
    ManualClock clock;
    Pace pace;
    std::deque<Instant> entered;  // Within the last minute.
    std::int64_t total = 0;
    const Instant start = clock.now();
    for (int i = 0; i < 20'000; ++i) {
      clock.advance(random() % 50 == 0 ? milliseconds{random() % 90'000}
                                       : milliseconds{random() % 400});
      while (!entered.empty() && clock.now() - entered.front() >= minutes{1}) entered.pop_front();
      if (!pace.enter(limits, clock.now())) continue;
      pace.leave(limits, 0, clock.now());
      entered.push_back(clock.now());
      ++total;
      ASSERT_LE(static_cast<std::int64_t>(entered.size()), 2 * limit);
    }
    const std::int64_t elapsed_ns = nanoseconds{clock.now() - start}.count();
    EXPECT_LE(total, limit + limit * (elapsed_ns / 60'000'000'000 + 1));
    EXPECT_GT(total, limit);
  }
}

TEST(Pace, ThreadsTogetherGetNoMoreThanOne) {
  ManualClock clock;
  const Instant now = clock.now();
  const PaceLimits limits{.requests_per_minute = 5000};
  Pace pace;
  std::atomic<int> admitted{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] { admitted += admitted_at_once(pace, limits, now, 4000); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(admitted.load(), 5000);
  EXPECT_EQ(pace.concurrent(), 0);
}

TEST(Pace, ThreadsNeverRunMoreThanTheLimitAtOnce) {
  ManualClock clock;
  const Instant now = clock.now();
  const PaceLimits limits{.tokens_per_minute = kPerMinuteMax, .concurrent_requests = 3};
  Pace pace;
  std::atomic<int> inside{0};
  std::atomic<int> inside_max{0};
  std::atomic<int> entered{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 5000; ++i) {
        if (!pace.enter(limits, now)) continue;
        const int here = inside.fetch_add(1) + 1;
        int most = inside_max.load();
        while (most < here && !inside_max.compare_exchange_weak(most, here)) {
        }
        std::this_thread::yield();
        inside.fetch_sub(1);
        entered.fetch_add(1);
        pace.leave(limits, 1, now);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(inside_max.load(), 3);
  EXPECT_GT(entered.load(), 0);
  EXPECT_EQ(pace.concurrent(), 0);
}

TEST(Pace, ARefusalIsASentenceThatHelps) {
  EXPECT_EQ(explain(TooFast{PaceLimit::requests, 60, milliseconds{1500}}),
            "This virtual key may make 60 requests a minute. Try again in 2 s, or ask its owner "
            "for a higher limit.");
  EXPECT_NE(explain(TooFast{PaceLimit::concurrency, 4, seconds{1}}).find("4 requests running"),
            std::string::npos);
}

}  // namespace
}  // namespace claviger::access

#include "relay/place_health.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace claviger::relay {
namespace {

using namespace std::chrono_literals;

route::Target at(std::string provider, int credential, std::string model = "m") {
  return {.provider_model = std::move(model),
          .provider = std::move(provider),
          .credential = CredentialId{credential}};
}

class PlaceHealthTest : public ::testing::Test {
 protected:
  void fail(const route::Target& target, Fared how, int times) {
    for (int i = 0; i < times; ++i) health_.note(target, how, now_);
  }
  PlaceHealth health_;
  Instant now_{1h};
};

TEST_F(PlaceHealthTest, OneFailureIsNoReason) {
  fail(at("groq", 1), Fared::badly_itself, PlaceHealth::kFailuresMin - 1);
  EXPECT_FALSE(health_.is_ailing(at("groq", 1), now_));
}

TEST_F(PlaceHealthTest, AFailingHostIsAskedLastWhoeverAsksAndOtherModelsAreNot) {
  fail(at("groq", 1), Fared::badly_itself, 3);
  EXPECT_TRUE(health_.is_ailing(at("groq", 1), now_));
  EXPECT_TRUE(health_.is_ailing(at("groq", 2), now_));
  EXPECT_FALSE(health_.is_ailing(at("groq", 1, "another"), now_));
  EXPECT_FALSE(health_.is_ailing(at("openai", 1), now_));
}

TEST_F(PlaceHealthTest, OneOwnersBadKeyTurnsNobodyElseAway) {
  fail(at("groq", 1), Fared::badly_with_key, 3);
  EXPECT_TRUE(health_.is_ailing(at("groq", 1), now_));
  EXPECT_FALSE(health_.is_ailing(at("groq", 2), now_));
}

TEST_F(PlaceHealthTest, WhatIsNotItsDoingCountsForNothing) {
  fail(at("groq", 1), fared("budget"), 10);
  fail(at("groq", 1), fared("gateway"), 10);
  fail(at("groq", 1), fared("policy"), 10);  // It answered: a content filter works.
  EXPECT_FALSE(health_.is_ailing(at("groq", 1), now_));
}

TEST_F(PlaceHealthTest, PausesDoubleUpToABoundAndOneSuccessEndsThem) {
  fail(at("groq", 1), Fared::badly_itself, 3);
  EXPECT_FALSE(health_.is_ailing(at("groq", 1), now_ + PlaceHealth::kPauseMin));
  fail(at("groq", 1), Fared::badly_itself, 1);
  EXPECT_TRUE(health_.is_ailing(at("groq", 1), now_ + PlaceHealth::kPauseMin));
  fail(at("groq", 1), Fared::badly_itself, 1000);
  EXPECT_FALSE(health_.is_ailing(at("groq", 1), now_ + PlaceHealth::kPauseMax));
  health_.note(at("groq", 1), Fared::well, now_);
  EXPECT_FALSE(health_.is_ailing(at("groq", 1), now_));
}

TEST_F(PlaceHealthTest, MemoryIsBoundedAndTheLatestIsKnown) {
  const int places = 3 * static_cast<int>(PlaceHealth::kPlacesMax);
  const auto place = [](int i) { return at("groq", 1, "m" + std::to_string(i)); };
  std::size_t known = 0;
  for (int i = 0; i < places; ++i) {
    fail(place(i), Fared::badly_itself, 3);
    EXPECT_TRUE(health_.is_ailing(place(i), now_)) << i;
  }
  for (int i = 0; i < places; ++i) known += health_.is_ailing(place(i), now_) ? 1 : 0;
  EXPECT_LE(known, PlaceHealth::kPlacesMax);
  // All do well again, also those that were forgotten: then nothing ails.
  for (int i = 0; i < places; ++i) health_.note(place(i), Fared::well, now_);
  for (int i = 0; i < places; ++i) EXPECT_FALSE(health_.is_ailing(place(i), now_));
}

TEST_F(PlaceHealthTest, WhatOneThreadFoundOutAllKnow) {
  std::thread other([&] { fail(at("groq", 1), Fared::badly_itself, 3); });
  other.join();
  EXPECT_TRUE(health_.is_ailing(at("groq", 1), now_));
}

TEST_F(PlaceHealthTest, ManyThreadsAtOnceLeaveItSound) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20'000; ++i) {
        const route::Target target = at("p" + std::to_string(i % 700), t + 1);
        health_.note(target, i % 3 == 0 ? Fared::well : Fared::badly_itself, now_);
        static_cast<void>(health_.is_ailing(target, now_));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int i = 0; i < 700; ++i) {
    for (int t = 0; t < 4; ++t) health_.note(at("p" + std::to_string(i), t + 1), Fared::well, now_);
  }
  EXPECT_FALSE(health_.is_ailing(at("p1", 1), now_));
  fail(at("p1", 1), Fared::badly_itself, 3);
  EXPECT_TRUE(health_.is_ailing(at("p1", 1), now_));
}

}  // namespace
}  // namespace claviger::relay

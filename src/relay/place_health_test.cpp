#include "relay/place_health.h"

#include <gtest/gtest.h>

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

TEST_F(PlaceHealthTest, MemoryIsBounded) {
  for (int i = 0; i < static_cast<int>(PlaceHealth::kPlacesMax) + 10; ++i) {
    fail(at("groq", i, "m" + std::to_string(i)), Fared::badly_itself, 3);
  }
  EXPECT_FALSE(health_.is_ailing(at("groq", 1, "m1"), now_));
}

}  // namespace
}  // namespace claviger::relay

#include "relay/next_step.h"

#include <gtest/gtest.h>

namespace claviger::relay {
namespace {

using api::Retry;
using Kind = NextStep::Kind;

api::ErrorAnswer failed(std::string at_fault, Retry retry, int retry_after_s = 0) {
  return {.at_fault = std::move(at_fault), .retry = retry, .retry_after_s = retry_after_s};
}

Ending after_attempt(std::uint32_t number) {
  return {.attempt = {.request = {.low = 0xABCD}, .number = number}};
}

TEST(NextStep, WhatCannotSucceedIsNotTriedAgain) {
  EXPECT_EQ(next_step(failed("key", Retry::no), after_attempt(1), {}).kind, Kind::give_up);
  EXPECT_EQ(next_step(failed("account", Retry::no), after_attempt(1), {}).kind, Kind::give_up);
}

TEST(NextStep, ABadRequestIsBadEverywhere) {
  Ending ending = after_attempt(1);
  ending.has_alternative = true;
  EXPECT_EQ(next_step(failed("app", Retry::no), ending, {}).kind, Kind::give_up);
  EXPECT_EQ(next_step(failed("policy", Retry::no), ending, {}).kind, Kind::give_up);
  EXPECT_EQ(next_step(failed("budget", Retry::yes), ending, {}).kind, Kind::give_up);
}

TEST(NextStep, AnotherPlaceIsAskedAtOnceWhateverIsWrongWithThisOne) {
  Ending ending = after_attempt(1);
  ending.has_alternative = true;
  ending.may_be_billed = true;
  for (const char* const at_fault : {"key", "account", "model", "provider", "network"}) {
    const NextStep step = next_step(failed(at_fault, Retry::no), ending, {});
    EXPECT_EQ(step.kind, Kind::next_target) << at_fault;
    EXPECT_EQ(step.pause, Duration{}) << at_fault;
  }
}

TEST(NextStep, PausesGrowAndAreSpread) {
  const NextStep first = next_step(failed("provider", Retry::yes), after_attempt(1), {});
  const NextStep second = next_step(failed("provider", Retry::yes), after_attempt(2), {});
  EXPECT_EQ(first.kind, Kind::same_again);
  EXPECT_GE(first.pause, std::chrono::milliseconds(250));
  EXPECT_LE(first.pause, std::chrono::milliseconds(500));
  EXPECT_GT(second.pause, first.pause * 19 / 10);

  Ending other = after_attempt(1);
  other.attempt.request.low = 0x1234;
  EXPECT_NE(next_step(failed("provider", Retry::yes), other, {}).pause, first.pause);
}

TEST(NextStep, AProvidersOwnPauseIsKeptWhereItIsShortEnough) {
  const Limits limits;
  EXPECT_EQ(next_step(failed("account", Retry::after, 3), after_attempt(1), limits).pause,
            std::chrono::seconds(3));
  EXPECT_EQ(next_step(failed("account", Retry::after, 36), after_attempt(1), limits).kind,
            Kind::give_up);
}

TEST(NextStep, WhatMayBeBilledIsNotBoughtTwiceAtTheSamePlace) {
  Ending ending = after_attempt(1);
  ending.may_be_billed = true;
  EXPECT_EQ(next_step(failed("provider", Retry::yes), ending, {}).kind, Kind::give_up);
}

TEST(NextStep, AttemptsAreBounded) {
  const Limits limits{.attempts_max = 2};
  EXPECT_EQ(next_step(failed("provider", Retry::yes), after_attempt(1), limits).kind,
            Kind::same_again);
  EXPECT_EQ(next_step(failed("provider", Retry::yes), after_attempt(2), limits).kind,
            Kind::give_up);
}

}  // namespace
}  // namespace claviger::relay

#include "fault/probes.h"

#include <gtest/gtest.h>

namespace claviger::fault {
namespace {

const RuleBook& book() {
  return RuleBook::embedded();
}

double confidence_in(const std::vector<Suspect>& suspects, Party party) {
  for (const Suspect& suspect : suspects) {
    if (suspect.party == party) return suspect.confidence;
  }
  return 0;
}

std::vector<Suspect> refused_key(double confidence = 0.6) {
  return suspects_of(book(), Party::key, "key_invalid", confidence);
}

ProbeResult worked(Probe probe) {
  return {.probe = probe, .worked = true};
}
ProbeResult failed(Probe probe, Party blamed, std::string_view cause = "unknown") {
  return {.probe = probe, .worked = false, .blamed = blamed, .cause = cause};
}

TEST(Probes, WithoutResultsNothingChanges) {
  const Narrowed same = narrow(book(), refused_key(), {});
  ASSERT_EQ(same.suspects.size(), 3u);
  EXPECT_EQ(same.suspects[0].party, Party::key);
  EXPECT_DOUBLE_EQ(same.suspects[0].confidence, 0.6);
  EXPECT_TRUE(same.because.empty());
  EXPECT_FALSE(same.inconclusive);
}

TEST(Probes, AKeyThatListsModelsIsHardlyDead) {
  const ProbeResult results[] = {worked(Probe::models_with_key),
                                 failed(Probe::models_with_dummy_key, Party::key, "key_invalid")};
  const Narrowed after = narrow(book(), refused_key(), results);
  EXPECT_LT(confidence_in(after.suspects, Party::key), 0.4);
  EXPECT_NE(after.suspects[0].party, Party::key);
  ASSERT_EQ(after.because.size(), 2u);
  EXPECT_NE(after.because[0].find("worked; key (key_invalid) 0.60 -> "), std::string::npos)
      << after.because[0];
}

TEST(Probes, AListThatIsGivenToAnybodySaysNothingOfTheKey) {
  const ProbeResult results[] = {worked(Probe::models_with_key),
                                 worked(Probe::models_with_dummy_key)};
  const Narrowed after = narrow(book(), refused_key(), results);
  EXPECT_EQ(after.suspects[0].party, Party::key);
  EXPECT_GE(after.suspects[0].confidence, 0.6);
}

TEST(Probes, AKeyThatIsRefusedTwiceIsTheKey) {
  const ProbeResult results[] = {failed(Probe::models_with_key, Party::key, "key_invalid"),
                                 failed(Probe::models_with_dummy_key, Party::key, "key_invalid")};
  const Narrowed after = narrow(book(), refused_key(), results);
  EXPECT_EQ(after.suspects[0].party, Party::key);
  EXPECT_GT(after.suspects[0].confidence, 0.9);
  EXPECT_FALSE(after.inconclusive);
}

TEST(Probes, WhereNothingAnswersButAnotherHostDoesItIsTheProvider) {
  const auto before = suspects_of(book(), Party::network, "connect_timeout", 0.6);
  const ProbeResult results[] = {failed(Probe::models_with_key, Party::network, "connect_timeout"),
                                 worked(Probe::other_host)};
  const Narrowed after = narrow(book(), before, results);
  EXPECT_LT(confidence_in(after.suspects, Party::network), 0.75);
  const ProbeResult nothing[] = {failed(Probe::models_with_key, Party::network, "connect_timeout"),
                                 failed(Probe::other_host, Party::network, "connect_timeout")};
  const Narrowed dark = narrow(book(), before, nothing);
  EXPECT_GT(confidence_in(dark.suspects, Party::network),
            confidence_in(after.suspects, Party::network));
  EXPECT_GT(confidence_in(dark.suspects, Party::network), 0.9);
}

TEST(Probes, ARequestThatFailsElsewhereTooIsTheRequest) {
  const auto before = suspects_of(book(), Party::model, "model_lacks_capability", 0.5);
  const ProbeResult again[] = {failed(Probe::replay_other_provider, Party::app, "invalid_request")};
  EXPECT_EQ(narrow(book(), before, again).suspects[0].party, Party::app);
  const ProbeResult works[] = {worked(Probe::replay_other_provider)};
  const Narrowed elsewhere = narrow(book(), before, works);
  EXPECT_EQ(elsewhere.suspects[0].party, Party::model);
  EXPECT_GT(elsewhere.suspects[0].confidence, 0.6);
}

TEST(Probes, AnEmptyAccountThatNobodySuspectedComesInWhereAProbeNamesIt) {
  const auto before = suspects_of(book(), Party::model, "model_lacks_capability", 0.5);
  const ProbeResult results[] = {
      failed(Probe::minimal_request, Party::account, "insufficient_quota")};
  const Narrowed after = narrow(book(), before, results);
  EXPECT_EQ(after.suspects[0].party, Party::account);
  EXPECT_EQ(after.suspects[0].cause, "insufficient_quota");
}

TEST(Probes, WhereHalfOfItWorksItWasTooLong) {
  const ProbeResult half[] = {worked(Probe::half_request)};
  const Narrowed sure =
      narrow(book(), suspects_of(book(), Party::app, "context_overflow", 0.6), half);
  EXPECT_EQ(sure.suspects[0].cause, "context_overflow");
  EXPECT_GT(sure.suspects[0].confidence, 0.8);
  // A provider that answers what is too long with an error of its own.
  const auto before = suspects_of(book(), Party::provider, "provider_unavailable", 0.4);
  const Narrowed other = narrow(book(), before, half);
  EXPECT_LT(confidence_in(before, Party::app), confidence_in(other.suspects, Party::app));
  for (const Suspect& suspect : other.suspects) {
    if (suspect.party == Party::app) EXPECT_EQ(suspect.cause, "context_overflow");
  }
}

TEST(Probes, WhereHalfOfItFailsAlikeItsSizeIsLessLikely) {
  const auto before = suspects_of(book(), Party::app, "context_overflow", 0.6);
  const ProbeResult half[] = {failed(Probe::half_request, Party::model, "model_lacks_capability")};
  const Narrowed after = narrow(book(), before, half);
  EXPECT_LT(confidence_in(after.suspects, Party::app), 0.5);
  EXPECT_EQ(after.suspects[0].party, Party::model);
}

/// Every result makes whom it blames likelier, and never anybody more than certain.
TEST(Probes, AResultNeverSpeaksForWhomItClears) {
  for (std::size_t probe = 0; probe < probes; ++probe) {
    if (static_cast<Probe>(probe) == Probe::models_with_dummy_key) continue;
    for (std::size_t party = 0; party < parties; ++party) {
      const auto blamed = static_cast<Party>(party);
      const auto before = suspects_of(book(), blamed, "unknown", 0.4);
      const ProbeResult result[] = {failed(static_cast<Probe>(probe), blamed)};
      const Narrowed after = narrow(book(), before, result);
      EXPECT_GT(confidence_in(after.suspects, blamed), 0.4)
          << to_string(static_cast<Probe>(probe)) << " blames " << to_string(blamed);
      double sum = 0;
      for (const Suspect& suspect : after.suspects) sum += suspect.confidence;
      EXPECT_LE(sum, 1.0 + 1e-9);
    }
  }
}

TEST(Probes, WhatPassesByItselfMayHavePassed) {
  const ProbeResult results[] = {worked(Probe::minimal_request)};
  const auto pace = narrow(book(), suspects_of(book(), Party::account, "rate_limit", 0.8), results);
  const auto money =
      narrow(book(), suspects_of(book(), Party::account, "insufficient_quota", 0.8), results);
  EXPECT_GT(confidence_in(pace.suspects, Party::account),
            confidence_in(money.suspects, Party::account));
  EXPECT_EQ(pace.suspects[0].party, Party::account);
}

TEST(Probes, AKeyThatAnswersAfterAllIsClearedHoweverSureTheVerdictWas) {
  const ProbeResult results[] = {worked(Probe::models_with_key),
                                 failed(Probe::models_with_dummy_key, Party::key, "key_invalid"),
                                 worked(Probe::minimal_request)};
  EXPECT_LT(confidence_in(narrow(book(), refused_key(0.98), results).suspects, Party::key), 0.1);
}

TEST(Probes, ABadAnswerIsTheModelsOrTheRequestsUntilAnotherModelSaysWhich) {
  const ProbeResult works[] = {worked(Probe::replay_same_provider)};
  EXPECT_EQ(narrow(book(), suspects_of_bad_answer(), works).suspects[0].party, Party::model);
}

}  // namespace
}  // namespace claviger::fault

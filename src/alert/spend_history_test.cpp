#include "alert/spend_history.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "alert/watched_records.h"

namespace claviger::alert {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class SpendHistoryTest : public testing::Test {
 protected:
  std::vector<Finding> spend(NanoUsd cost, const std::string& model = "openai/gpt-4o-mini",
                             std::int64_t tokens = 1000, OwnerId owner = OwnerId{1}) {
    now_ += std::chrono::seconds(1);
    std::vector<Finding> findings;
    history_.judge({.request = new_request_id(now_),
                    .owner = owner,
                    .model = model,
                    .at = now_,
                    .cost = cost,
                    .tokens = tokens},
                   findings);
    return findings;
  }
  void usual(int requests, NanoUsd cost = cents(1)) {
    for (int i = 0; i < requests; ++i) EXPECT_THAT(spend(cost), IsEmpty());
  }
  void next_day(int days = 1) { now_ += std::chrono::hours(24 * days); }

  WallTime now_{std::chrono::days{20000} + std::chrono::hours(1)};
  SpendHistory history_;
};

TEST_F(SpendHistoryTest, ARequestThatCostsManyTimesTheUsualIsFound) {
  usual(100);
  const auto found = spend(cents(90));
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].condition, Condition::costly_request);
  EXPECT_EQ(found[0].owner, OwnerId{1});
  EXPECT_THAT(found[0].summary, HasSubstr("$0.90"));
  EXPECT_THAT(found[0].details, HasSubstr(R"("cost_usd":"0.90")"));
}

TEST_F(SpendHistoryTest, NothingIsUnusualBeforeTheUsualIsKnown) {
  usual(29);
  EXPECT_THAT(spend(dollars(5)), IsEmpty());
}

TEST_F(SpendHistoryTest, WhatIsDearForOneIsUsualForAnother) {
  usual(100);
  for (int i = 0; i < 100; ++i) {
    EXPECT_THAT(spend(cents(90), "openai/gpt-4o-mini", 1000, OwnerId{2}), IsEmpty());
  }
}

TEST_F(SpendHistoryTest, SmallChangeIsNotWorthAWord) {
  usual(100, NanoUsd(1000));
  EXPECT_THAT(spend(cents(4)), IsEmpty());
  EXPECT_THAT(spend(cents(5)), SizeIs(1));
}

TEST_F(SpendHistoryTest, WhoVariesWidelyIsNotWarned) {
  constexpr std::uint64_t kSeed = 7;
  SCOPED_TRACE(kSeed);
  std::mt19937_64 random(kSeed);
  for (int i = 0; i < 2000; ++i) {
    EXPECT_THAT(spend(cents(1 + static_cast<std::int64_t>(random() % 100))), IsEmpty()) << i;
  }
}

TEST_F(SpendHistoryTest, ANewHabitIsUsualSoon) {
  usual(100);
  int found = 0;
  for (int i = 0; i < 50; ++i) found += static_cast<int>(spend(cents(90)).size());
  EXPECT_GE(found, 1);
  EXPECT_LE(found, 6) << "one in twenty is what the usual allows";
}

TEST_F(SpendHistoryTest, FindingsOfADayAreBounded) {
  usual(1000);
  usual(1000);
  std::size_t found = 0;
  NanoUsd cost = cents(20);
  for (int i = 0; i < 60; ++i) {
    cost = NanoUsd(cost.nanos() + cost.nanos() / 4);
    for (int j = 0; j < 20; ++j) usual(1);
    found += spend(cost).size();
  }
  EXPECT_EQ(found, 10u);
}

TEST_F(SpendHistoryTest, AModelThatCostsFortyTimesYesterdaysIsFoundOnce) {
  usual(50);
  next_day();
  EXPECT_THAT(spend(cents(40), "openai/o1-pro"), IsEmpty());
  EXPECT_THAT(spend(cents(40), "openai/o1-pro"), IsEmpty());
  const auto found = spend(cents(40), "openai/o1-pro");
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].condition, Condition::costly_model);
  EXPECT_THAT(found[0].summary, HasSubstr("costs 40 times what this owner used yesterday"));
  EXPECT_THAT(found[0].details, HasSubstr(R"("times":40)"));
  for (int i = 0; i < 20; ++i) EXPECT_THAT(spend(cents(40), "openai/o1-pro"), IsEmpty());
}

TEST_F(SpendHistoryTest, AModelThatWasUsedYesterdayIsNoNews) {
  usual(50);
  for (int i = 0; i < 5; ++i) spend(cents(40), "openai/o1-pro");
  next_day();
  for (int i = 0; i < 5; ++i) EXPECT_THAT(spend(cents(40), "openai/o1-pro"), IsEmpty());
}

TEST_F(SpendHistoryTest, AfterALongPauseThereIsNoYesterday) {
  usual(50);
  next_day(9);
  for (int i = 0; i < 5; ++i) EXPECT_THAT(spend(cents(40), "openai/o1-pro"), IsEmpty());
}

TEST_F(SpendHistoryTest, MoreOwnersThanAreKeptDoNoHarm) {
  usual(100);
  for (std::size_t i = 0; i < SpendHistory::kTracksMax + 10; ++i) {
    EXPECT_THAT(spend(cents(1), "openai/gpt-4o-mini", 1, OwnerId{static_cast<std::int64_t>(i) + 2}),
                IsEmpty());
  }
  EXPECT_THAT(spend(dollars(9)), IsEmpty()) << "the first was forgotten, and is learned anew";
}

TEST_F(SpendHistoryTest, AbsurdNumbersDoNoHarm) {
  usual(50);
  next_day();
  for (int i = 0; i < 5; ++i) spend(NanoUsd::max(), "a/b", 1);
  for (int i = 0; i < 5; ++i) spend(NanoUsd(1), "a/c", std::int64_t{1} << 40);
}

/// Remembers what it was given.
class ListStore final : public record::RecordStore {
 public:
  record::Result<void> append(const std::vector<record::Record>& records) override {
    if (is_full) return std::unexpected(record::RecordError::unavailable);
    count += records.size();
    return {};
  }
  record::Result<record::Record> find(RequestId) override {
    return std::unexpected(record::RecordError::not_found);
  }
  record::Result<std::vector<record::Record>> list(const record::Query&) override {
    return records;
  }
  record::Result<std::vector<record::UsageRow>> usage(record::Grouping,
                                                      const record::Query&) override {
    return {};
  }
  std::vector<record::Record> records;
  std::size_t count = 0;
  bool is_full = false;
};

class WatchedRecordsTest : public testing::Test {
 protected:
  record::Record record_of(NanoUsd cost) {
    record::Record record;
    now_ += std::chrono::seconds(1);
    record.id = new_request_id(now_);
    record.started_at = now_;
    record.owner = OwnerId{1};
    record.model = "openai/gpt-4o-mini";
    record.cost = cost;
    record.cost_state = record::CostState::billed;
    record.usage.output_tokens = 10;
    return record;
  }
  std::size_t found() {
    std::vector<Finding> findings;
    inbox_.take_findings(findings);
    return findings.size();
  }
  void usual() {
    std::vector<record::Record> records;
    for (int i = 0; i < 100; ++i) records.push_back(record_of(cents(1)));
    ASSERT_TRUE(watched_.append(records));
  }

  WallTime now_{std::chrono::days{20000}};
  ListStore store_;
  Inbox inbox_;
  WatchedRecords watched_{store_, inbox_};
};

TEST_F(WatchedRecordsTest, WhatIsStoredIsJudged) {
  usual();
  EXPECT_EQ(found(), 0u);
  ASSERT_TRUE(watched_.append({record_of(cents(90))}));
  EXPECT_EQ(store_.count, 101u);
  EXPECT_EQ(found(), 1u);
}

TEST_F(WatchedRecordsTest, WhatTheStoreDidNotTakeIsJudgedWhenItDoes) {
  usual();
  const std::vector<record::Record> dear = {record_of(cents(90))};
  store_.is_full = true;
  EXPECT_FALSE(watched_.append(dear));
  EXPECT_EQ(found(), 0u);
  store_.is_full = false;
  EXPECT_TRUE(watched_.append(dear));
  EXPECT_EQ(found(), 1u);
}

TEST_F(WatchedRecordsTest, AnEstimateIsNoPrice) {
  usual();
  record::Record estimated = record_of(dollars(9));
  estimated.cost_state = record::CostState::estimated;
  ASSERT_TRUE(watched_.append({estimated}));
  EXPECT_EQ(found(), 0u);
}

TEST_F(WatchedRecordsTest, WhatACrashTookFromTheInboxIsFoundAgain) {
  std::vector<Spend> before;
  for (int i = 0; i < 100; ++i) before.push_back(*spend_of(record_of(cents(1))));
  now_ += std::chrono::hours(1);
  before.push_back(*spend_of(record_of(cents(90))));
  watched_.learn(before, now_);
  EXPECT_EQ(found(), 1u);
  WatchedRecords later(store_, inbox_);
  later.learn(before, now_ + std::chrono::hours(1));
  EXPECT_EQ(found(), 0u) << "old news";
}

TEST_F(WatchedRecordsTest, WhatTheStoreHasOfAnOwnerIsLearnt) {
  for (int i = 0; i < 100; ++i) store_.records.push_back(record_of(cents(1)));
  now_ += std::chrono::hours(1);
  watched_.learn_from_store({OwnerId{1}}, now_);
  ASSERT_TRUE(watched_.append({record_of(cents(90))}));
  EXPECT_EQ(found(), 1u);
}

TEST(Inbox, IsBounded) {
  Inbox inbox;
  for (std::size_t i = 0; i < Inbox::kFindingsMax + 5; ++i) inbox.leave({});
  EXPECT_EQ(inbox.dropped(), 5);
  std::vector<Finding> findings;
  inbox.take_findings(findings);
  EXPECT_THAT(findings, SizeIs(Inbox::kFindingsMax));
  inbox.leave({});
  inbox.take_findings(findings);
  EXPECT_THAT(findings, SizeIs(Inbox::kFindingsMax + 1));
}

}  // namespace
}  // namespace claviger::alert

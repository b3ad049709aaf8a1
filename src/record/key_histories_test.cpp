#include "record/key_histories.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace claviger::record {
namespace {

using std::chrono::minutes;
using testing::IsEmpty;
using testing::SizeIs;

constexpr CredentialId kKey{7};
constexpr WallTime kNoon{std::chrono::sys_days(std::chrono::year(2026) / 11 / 26) +
                         std::chrono::hours(12)};

Record answered(WallTime at) {
  Record record;
  record.credential = kKey;
  record.started_at = at;
  record.status = 200;
  record.provider_status = 200;
  return record;
}

Record refused(WallTime at, std::string_view at_fault = "key") {
  Record record = answered(at);
  record.status = record.provider_status = 401;
  record.at_fault = at_fault;
  record.error_code = "key_invalid";
  return record;
}

TEST(KeyHistories, TellWhenAKeyWorkedAndWhatItWasRefusedFor) {
  KeyHistories keys;
  EXPECT_FALSE(keys.of(kKey));
  keys.see({answered(kNoon), refused(kNoon + minutes(1)), refused(kNoon + minutes(2), "account")});
  const auto history = keys.of(kKey).value();
  EXPECT_EQ(history.worked_at, kNoon);
  EXPECT_EQ(history.failed_at, kNoon + minutes(2));
  EXPECT_EQ(history.failure, "key_invalid");
  EXPECT_EQ(history.failures_in_a_row, 2);
  keys.see({answered(kNoon + minutes(3))});
  EXPECT_EQ(keys.of(kKey)->failures_in_a_row, 0);
  EXPECT_EQ(keys.of(kKey)->failure, "key_invalid") << "what it was refused for stays";
}

TEST(KeyHistories, WhatIsNotTheKeysDoingSaysNothing) {
  KeyHistories keys;
  Record broken = answered(kNoon);
  broken.at_fault = "provider";
  Record left = answered(kNoon);
  left.caller_left = true;
  Record never_asked = answered(kNoon);
  never_asked.provider_status = 0;
  Record without = answered(kNoon);
  without.credential = {};
  EXPECT_THAT(keys.see({broken, left, never_asked, without}), IsEmpty());
  EXPECT_FALSE(keys.of(kKey));
}

TEST(KeyHistories, ASuccessIsStoredOnceInAWhileAndAChangeAtOnce) {
  KeyHistories keys;
  EXPECT_THAT(keys.see({answered(kNoon)}), SizeIs(1));
  EXPECT_THAT(keys.see({answered(kNoon + minutes(1)), answered(kNoon + minutes(2))}), IsEmpty());
  EXPECT_EQ(keys.of(kKey)->worked_at, kNoon + minutes(2));
  EXPECT_THAT(keys.see({answered(kNoon + minutes(5))}), SizeIs(1));
  EXPECT_THAT(keys.see({refused(kNoon + minutes(6))}), SizeIs(1));
  EXPECT_THAT(keys.see({answered(kNoon + minutes(7))}), SizeIs(1)) << "it works again";
}

TEST(KeyHistories, RecordsThatComeLateChangeNothing) {
  KeyHistories keys;
  keys.see({answered(kNoon), refused(kNoon)});
  EXPECT_THAT(keys.see({answered(kNoon - minutes(9)), refused(kNoon - minutes(9))}), IsEmpty());
  EXPECT_EQ(keys.of(kKey)->failures_in_a_row, 1);
}

TEST(KeyHistories, ANewKeyBeginsAnew) {
  KeyHistories keys;
  keys.see({answered(kNoon)});
  keys.forget(kKey, kNoon + minutes(1));
  EXPECT_FALSE(keys.of(kKey));
  // A stream that the old key began ends after the change.
  keys.see({answered(kNoon + minutes(0))});
  EXPECT_FALSE(keys.of(kKey));
  keys.see({refused(kNoon + minutes(2))});
  EXPECT_FALSE(keys.of(kKey)->worked_at);
}

class Store final : public RecordStore, public KeyHistoryStore {
 public:
  bool is_full = false;
  std::vector<KeyHistory> kept;
  Result<void> append(const std::vector<Record>&) override { return {}; }
  Result<Record> find(RequestId) override { return std::unexpected(RecordError::not_found); }
  Result<std::vector<Record>> list(const Query&) override { return std::vector<Record>(); }
  Result<std::vector<UsageRow>> usage(Grouping, const Query&) override {
    return std::vector<UsageRow>();
  }
  Result<void> put(const std::vector<KeyHistory>& histories) override {
    if (is_full) return std::unexpected(RecordError::unavailable);
    kept = histories;
    return {};
  }
  Result<std::vector<KeyHistory>> all() override { return kept; }
  Result<void> remove(CredentialId) override { return {}; }
};

TEST(KeyHistories, WhatAFullDiskDidNotTakeComesAgain) {
  Store store;
  KeyHistories keys;
  KeyWatchedRecords watched(store, keys, store);
  store.is_full = true;
  ASSERT_TRUE(watched.append({refused(kNoon)})) << "records are kept all the same";
  store.is_full = false;
  ASSERT_TRUE(watched.append({}));
  ASSERT_THAT(store.kept, SizeIs(1));

  KeyHistories after_restart;
  after_restart.learn(store.all().value());
  EXPECT_EQ(after_restart.of(kKey), keys.of(kKey));
}

}  // namespace
}  // namespace claviger::record

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "record/record.h"

namespace claviger::record {
namespace {

using std::chrono::hours;

/// A store in memory that can be told to fail, or to stand still in the middle of a write.
class MemoryStore final : public RecordStore {
 public:
  Result<void> append(const std::vector<Record>& records) override {
    std::unique_lock lock(mutex_);
    ++appends_;
    entered_ = true;
    changed_.notify_all();
    changed_.wait(lock, [&] { return !blocked_; });
    if (appends_ == failing_append_) return std::unexpected(RecordError::unavailable);
    if (failures_left_ > 0) {
      --failures_left_;
      return std::unexpected(RecordError::unavailable);
    }
    largest_batch_ = std::max(largest_batch_, records.size());
    records_.insert(records_.end(), records.begin(), records.end());
    return {};
  }
  Result<Record> find(RequestId) override { return std::unexpected(RecordError::not_found); }
  Result<std::vector<Record>> list(const Query&) override {
    return std::unexpected(RecordError::unavailable);
  }
  Result<std::vector<UsageRow>> usage(Grouping, const Query&) override {
    return std::unexpected(RecordError::unavailable);
  }

  void fail_next(int appends) {
    const std::lock_guard lock(mutex_);
    failures_left_ = appends;
  }
  /// The `number`th call, counted from the first of all.
  void fail_append(int number) {
    const std::lock_guard lock(mutex_);
    failing_append_ = number;
  }
  void block() {
    const std::lock_guard lock(mutex_);
    blocked_ = true;
    entered_ = false;
  }
  void wait_until_entered() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return entered_; });
  }
  void unblock() {
    const std::lock_guard lock(mutex_);
    blocked_ = false;
    changed_.notify_all();
  }
  std::vector<Record> records() {
    const std::lock_guard lock(mutex_);
    return records_;
  }
  std::size_t largest_batch() {
    const std::lock_guard lock(mutex_);
    return largest_batch_;
  }
  int appends() {
    const std::lock_guard lock(mutex_);
    return appends_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Record> records_;
  std::size_t largest_batch_ = 0;
  int appends_ = 0;
  int failures_left_ = 0;
  int failing_append_ = 0;
  bool blocked_ = false;
  bool entered_ = false;
};

/// Nothing is written unless a test flushes: rounds by the clock are an hour apart.
Recorder::Options by_hand(std::size_t queue_records_max = 65'536) {
  return {.queue_records_max = queue_records_max,
          .flush_every = hours(1),
          .retry_after = hours(1),
          .retry_after_max = hours(1)};
}

Record numbered(std::uint64_t thread, std::uint64_t number) {
  Record record;
  record.id = {.high = thread, .low = number};
  record.model = "fake/a-model-whose-name-does-not-fit-into-a-string-without-memory";
  return record;
}

TEST(Recorder, ASheetComesBackBlankWithTheMemoryOfItsTexts) {
  MemoryStore store;
  Recorder recorder(store, by_hand());
  auto sheet = recorder.blank();
  const Sheet* const where = sheet.get();
  sheet->record = numbered(1, 7);
  sheet->record.status = 500;
  sheet->record.usage.stated_cost = NanoUsd(3);
  const char* const text = sheet->record.model.data();
  recorder.submit(std::move(sheet));
  ASSERT_TRUE(recorder.flush());
  EXPECT_EQ(store.records().at(0).model, numbered(1, 7).model);

  // This thread's own come first, so they are used up until the one comes that was given back.
  std::vector<std::unique_ptr<Sheet>> others;
  auto again = recorder.blank();
  while (again.get() != where && others.size() < 10) {
    others.push_back(std::exchange(again, recorder.blank()));
  }
  ASSERT_EQ(again.get(), where);
  EXPECT_EQ(again->record.id, RequestId());
  EXPECT_EQ(again->record.status, 0);
  EXPECT_EQ(again->record.usage, exchange::Usage());
  EXPECT_EQ(again->record.times.total_us, -1);
  EXPECT_TRUE(again->record.model.empty());
  const std::string other = numbered(1, 8).model;
  again->record.model = other;
  EXPECT_EQ(again->record.model.data(), text);
}

TEST(Recorder, WhatABurstLeavesBehindIsBounded) {
  MemoryStore store;
  Recorder recorder(store, by_hand());
  for (std::uint64_t i = 0; i < 10'000; ++i) recorder.submit(numbered(1, i));
  ASSERT_TRUE(recorder.flush());
  std::vector<std::unique_ptr<Sheet>> sheets;
  std::size_t used_before = 0;
  for (int i = 0; i < 10'000; ++i) {
    sheets.push_back(recorder.blank());
    if (sheets.back()->record.model.capacity() > 20) ++used_before;
  }
  EXPECT_LE(used_before, 5'000u);
  EXPECT_GE(used_before, 1'000u);
}

TEST(Recorder, WritesWhatWasSubmittedInItsOrder) {
  MemoryStore store;
  Recorder recorder(store, by_hand());
  for (std::uint64_t i = 0; i < 5; ++i) recorder.submit(numbered(1, i));

  ASSERT_TRUE(recorder.flush());

  const auto records = store.records();
  ASSERT_EQ(records.size(), 5u);
  for (std::uint64_t i = 0; i < 5; ++i) EXPECT_EQ(records[i].id.low, i);
  EXPECT_EQ(records[0].model, numbered(1, 0).model);
  EXPECT_EQ(recorder.records_written(), 5);
  EXPECT_EQ(recorder.records_lost(), 0);
}

TEST(Recorder, NothingIsLostBelowTheBoundWhateverThreadsDo) {
  constexpr std::uint64_t kThreads = 4;
  constexpr std::uint64_t kEach = 4'000;
  MemoryStore store;
  Recorder recorder(store, by_hand());
  std::vector<std::thread> threads;
  for (std::uint64_t thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&recorder, thread] {
      for (std::uint64_t i = 0; i < kEach; ++i) {
        recorder.submit(numbered(thread, i));
        if (i % 500 == 0) ASSERT_TRUE(recorder.flush());
      }
    });
  }
  for (auto& thread : threads) thread.join();
  ASSERT_TRUE(recorder.flush());

  std::map<std::uint64_t, std::uint64_t> next;
  for (const Record& record : store.records()) {
    EXPECT_EQ(record.id.low, next[record.id.high]++) << "of thread " << record.id.high;
  }
  for (std::uint64_t thread = 0; thread < kThreads; ++thread) EXPECT_EQ(next[thread], kEach);
  EXPECT_EQ(recorder.records_written(), std::int64_t(kThreads * kEach));
  EXPECT_EQ(recorder.records_lost(), 0);
}

TEST(Recorder, CountsWhatIsBeyondTheBoundAsLostAndNothingElse) {
  MemoryStore store;
  store.block();
  Recorder recorder(store, by_hand(10));
  recorder.submit(numbered(1, 0));
  std::thread flusher([&] { ASSERT_TRUE(recorder.flush()); });
  store.wait_until_entered();

  // One is being written and counts; nine more have room.
  for (std::uint64_t i = 1; i < 15; ++i) recorder.submit(numbered(1, i));
  EXPECT_EQ(recorder.records_lost(), 5);

  store.unblock();
  flusher.join();
  ASSERT_TRUE(recorder.flush());
  EXPECT_EQ(store.records().size(), 10u);
  EXPECT_EQ(store.records().back().id.low, 9u);
  recorder.submit(numbered(1, 15));
  ASSERT_TRUE(recorder.flush());
  EXPECT_EQ(recorder.records_written(), 11);
  EXPECT_EQ(recorder.records_lost(), 5);
}

TEST(Recorder, KeepsWhatAFailingStoreRefusedUntilItTakesIt) {
  MemoryStore store;
  store.fail_next(2);
  Recorder recorder(store, by_hand());
  recorder.submit(numbered(1, 0));
  EXPECT_EQ(recorder.flush(), std::unexpected(RecordError::unavailable));
  recorder.submit(numbered(1, 1));
  EXPECT_EQ(recorder.flush(), std::unexpected(RecordError::unavailable));
  EXPECT_EQ(recorder.records_lost(), 0);

  ASSERT_TRUE(recorder.flush());

  const auto records = store.records();
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[0].id.low, 0u);
  EXPECT_EQ(records[0].model, numbered(1, 0).model);
  EXPECT_EQ(records[1].id.low, 1u);
}

TEST(Recorder, TriesAgainByItselfAfterAFailure) {
  MemoryStore store;
  store.fail_next(3);
  Recorder::Options options = by_hand();
  options.flush_every = std::chrono::milliseconds(1);
  options.retry_after = std::chrono::milliseconds(1);
  options.retry_after_max = std::chrono::milliseconds(2);
  Recorder recorder(store, options);
  recorder.submit(numbered(1, 0));

  // Bounded by the test's time-out: no flush helps it along.
  while (recorder.records_written() == 0) std::this_thread::yield();

  EXPECT_EQ(store.appends(), 4);
  EXPECT_EQ(recorder.records_lost(), 0);
}

TEST(Recorder, WhileTheStoreFailsTheQueueFillsUpAndTheRestIsCounted) {
  MemoryStore store;
  store.fail_next(1);
  Recorder recorder(store, by_hand(3));
  for (std::uint64_t i = 0; i < 3; ++i) recorder.submit(numbered(1, i));
  ASSERT_FALSE(recorder.flush());
  recorder.submit(numbered(1, 3));
  EXPECT_EQ(recorder.records_lost(), 1);

  ASSERT_TRUE(recorder.flush());
  EXPECT_EQ(store.records().size(), 3u);
}

TEST(Recorder, WritesInBatchesSoThatOtherWritersGetTheirTurn) {
  MemoryStore store;
  Recorder::Options options = by_hand();
  options.batch_records_max = 10;
  Recorder recorder(store, options);
  for (std::uint64_t i = 0; i < 25; ++i) recorder.submit(numbered(1, i));
  ASSERT_TRUE(recorder.flush());
  EXPECT_EQ(store.largest_batch(), 10u);
  EXPECT_EQ(store.appends(), 3);
  EXPECT_EQ(store.records().size(), 25u);
}

TEST(Recorder, WhatWasWrittenBeforeAFailureIsNotWrittenAgain) {
  MemoryStore store;
  Recorder::Options options = by_hand();
  options.batch_records_max = 2;
  Recorder recorder(store, options);
  for (std::uint64_t i = 0; i < 6; ++i) recorder.submit(numbered(1, i));
  store.fail_append(2);
  ASSERT_FALSE(recorder.flush());
  EXPECT_EQ(store.records().size(), 2u);
  EXPECT_EQ(recorder.records_written(), 2);

  ASSERT_TRUE(recorder.flush());

  const auto records = store.records();
  ASSERT_EQ(records.size(), 6u);
  for (std::uint64_t i = 0; i < 6; ++i) {
    EXPECT_EQ(records[i].id.low, i);
    EXPECT_EQ(records[i].model, numbered(1, i).model);
  }
}

TEST(Recorder, StoppingWritesWhatIsQueued) {
  MemoryStore store;
  {
    Recorder recorder(store, by_hand());
    for (std::uint64_t i = 0; i < 100; ++i) recorder.submit(numbered(1, i));
  }
  EXPECT_EQ(store.records().size(), 100u);
}

TEST(Recorder, StoppingOnAFullDiskDoesNotHang) {
  MemoryStore store;
  store.fail_next(1'000'000);
  {
    Recorder recorder(store, by_hand());
    for (std::uint64_t i = 0; i < 100; ++i) recorder.submit(numbered(1, i));
  }
  EXPECT_EQ(store.records().size(), 0u);
  EXPECT_EQ(store.appends(), 1);
}

}  // namespace
}  // namespace claviger::record

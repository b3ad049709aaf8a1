#include "store/record_block.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace claviger::store {
namespace {

using record::Record;

std::string some_text(std::mt19937& random) {
  return std::string(random() % 3 == 0 ? random() % 300 : 0, static_cast<char>(random()));
}

std::int64_t some_number(std::mt19937_64& random) {
  switch (random() % 4) {
    case 0:
      return 0;
    case 1:
      return static_cast<std::int64_t>(random() % 1000);
    case 2:
      return std::numeric_limits<std::int64_t>::min();
    default:
      return static_cast<std::int64_t>(random());
  }
}

record::Judgement some_judgement(std::mt19937& random) {
  record::Judgement judgement;
  if (random() % 2 == 0) return judgement;
  judgement.retry = "after";
  judgement.retry_after_s = static_cast<int>(random() % 86'400);
  judgement.confidence_permille = static_cast<int>(random() % 1001);
  for (std::size_t i = random() % (record::judged_suspects_max + 1); i > 0; --i) {
    judgement.suspects.push_back({.at_fault = some_text(random),
                                  .cause = some_text(random),
                                  .confidence_permille = static_cast<int>(random() % 1001)});
  }
  for (std::size_t i = random() % (record::judged_evidence_max + 1); i > 0; --i) {
    judgement.evidence.push_back(some_text(random));
  }
  return judgement;
}

std::vector<Record> some_records(std::uint64_t seed, std::size_t count) {
  std::mt19937_64 random(seed);
  std::mt19937 small(static_cast<std::uint32_t>(seed));
  std::vector<Record> records(count);
  RequestId id{.high = random() & 0xFFFF'FFFF, .low = random()};
  for (Record& r : records) {
    id = {.high = id.high + random() % 2, .low = random()};
    r.id = id;
    r.started_at = from_unix_micros(some_number(random) / 2);
    r.owner = OwnerId{some_number(random)};
    r.end_user = some_text(small);
    r.model = some_text(small);
    r.soft_failures = some_text(small);
    r.judgement = some_judgement(small);
    r.streamed = random() % 2 == 0;
    r.attempts = static_cast<std::uint32_t>(random());
    r.status = static_cast<int>(random());
    r.usage.input_tokens = some_number(random);
    r.usage.audio_input_tokens = some_number(random);
    r.usage.cached_audio_tokens = some_number(random);
    r.usage.audio_output_tokens = some_number(random);
    r.usage.image_input_tokens = some_number(random);
    r.usage.cached_image_tokens = some_number(random);
    r.usage.image_output_tokens = some_number(random);
    for (int pieces = static_cast<int>(random() % 3); pieces > 0; --pieces) {
      r.usage.units[static_cast<exchange::Unit>(random() % exchange::units_count)] =
          some_number(random);
    }
    r.usage.service_tier =
        static_cast<exchange::ServiceTier>(random() % exchange::service_tiers_count);
    r.usage.geography = static_cast<exchange::Geography>(random() % 2);
    r.unbounded = random() % 2 == 0;
    if (random() % 2 == 0) r.usage.stated_cost = NanoUsd(some_number(random));
    r.cost = NanoUsd(some_number(random));
    r.cost_state = static_cast<record::CostState>(random() % 4);
    r.times.total_us = some_number(random);
    r.answer_bytes = some_number(random);
  }
  return records;
}

std::string packed(const std::vector<Record>& records) {
  std::vector<const Record*> pointers;
  for (const Record& record : records) pointers.push_back(&record);
  return pack_records(pointers);
}

TEST(RecordBlock, GivesBackWhatWasPacked) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE(seed);
    const std::vector<Record> records = some_records(seed, seed);
    const std::string block = packed(records);
    RecordBlockReader reader(block);
    for (const Record& in : records) {
      ASSERT_TRUE(reader.next());
      const Record& out = reader.record();
      EXPECT_EQ(out.id, in.id);
      EXPECT_EQ(out.started_at, in.started_at);
      EXPECT_EQ(out.owner, in.owner);
      EXPECT_EQ(out.end_user, in.end_user);
      EXPECT_EQ(out.model, in.model);
      EXPECT_EQ(out.soft_failures, in.soft_failures);
      EXPECT_EQ(out.judgement, in.judgement);
      EXPECT_EQ(out.streamed, in.streamed);
      EXPECT_EQ(out.attempts, in.attempts);
      EXPECT_EQ(out.status, in.status);
      EXPECT_EQ(out.usage, in.usage);
      EXPECT_EQ(out.cost, in.cost);
      EXPECT_EQ(out.cost_state, in.cost_state);
      EXPECT_EQ(out.times.total_us, in.times.total_us);
      EXPECT_EQ(out.answer_bytes, in.answer_bytes);
    }
    EXPECT_FALSE(reader.next());
    EXPECT_FALSE(reader.is_broken());
  }
}

TEST(RecordBlock, WhatAllHaveInCommonIsWrittenOnce) {
  std::vector<Record> records(100);
  for (Record& record : records) {
    record.id = new_request_id(from_unix_micros(1'700'000'000'000'000));
    record.model = "openai/gpt-4o-mini";
    record.operation = "chat";
    record.status = 200;
  }
  std::ranges::sort(records, {}, &Record::id);
  EXPECT_LT(packed(records).size(), 100u * 16);
}

TEST(RecordBlock, ABlockThatWasCutOrAddedToIsBroken) {
  const std::string block = packed(some_records(7, 5));
  for (std::size_t size = 0; size < block.size(); ++size) {
    RecordBlockReader reader(std::string_view(block).substr(0, size));
    while (reader.next()) {
    }
    EXPECT_TRUE(reader.is_broken()) << size;
  }
  const std::string longer = block + '\0';
  RecordBlockReader reader(longer);
  while (reader.next()) {
  }
  EXPECT_TRUE(reader.is_broken());
}

TEST(RecordBlock, AMinuteHasItsIds) {
  const WallTime start = from_unix_micros(60'000'000ll * 28'333'333);
  const RequestId first = oldest_request_id(start);
  const RequestId last = new_request_id(start + std::chrono::milliseconds(59'999));
  const RequestId next = new_request_id(start + std::chrono::minutes(1));
  EXPECT_EQ(block_minute(first), 28'333'333u);
  EXPECT_EQ(block_minute(last), 28'333'333u);
  EXPECT_EQ(block_minute(next), 28'333'334u);
  EXPECT_EQ(first_id_of_minute(28'333'333), first);
}

}  // namespace
}  // namespace claviger::store

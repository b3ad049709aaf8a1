#include <gmock/gmock.h>

#include <algorithm>
#include <functional>

#include "store/contract/store_under_test.h"

namespace claviger::store {
namespace {

using record::CostState;
using record::Grouping;
using record::Query;
using record::Record;
using record::RecordError;
using record::UsageRow;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class RecordStoreContract : public StoreContract {
 protected:
  record::RecordStore& records() { return store_->records(); }

  /// A good request, `minutes` after now_, with everything set to something of its own.
  Record request(int minutes) {
    Record r;
    r.started_at = now_ + std::chrono::minutes(minutes);
    r.id = new_request_id(r.started_at);
    r.owner = OwnerId{1};
    r.app = AppId{2};
    r.key = VirtualKeyId{3};
    r.credential = CredentialId{4};
    r.end_user = "user-5";
    r.operation = "chat";
    r.model_asked = "mini";
    r.model = "openai/gpt-4o-mini";
    r.provider_request_id = "chatcmpl-6";
    r.streamed = true;
    r.clamped = true;
    r.caller_left = true;
    r.attempts = 2;
    r.status = 200;
    r.provider_status = 201;
    r.finish_reason = "stop";
    r.soft_failures = "refusal,loop";
    r.judgement = {.retry = "after",
                   .retry_after_s = 20,
                   .confidence_permille = 930,
                   .suspects = {{"account", "insufficient_quota", 930}, {"provider", "busy", 40}},
                   .evidence = {"status: 429", "code: insufficient_quota"}};
    r.usage = {.input_tokens = 10,
               .cached_input_tokens = 11,
               .cache_write_tokens = 12,
               .cache_write_1h_tokens = 13,
               .output_tokens = 14,
               .reasoning_tokens = 5,
               .stated_cost = NanoUsd(77)};
    r.held = NanoUsd(1'000);
    r.cost = NanoUsd(900);
    r.cost_state = CostState::billed;
    r.times = {.admitted_us = 1,
               .connected_us = 2,
               .sent_us = 3,
               .first_byte_us = 4,
               .total_us = 5,
               .overhead_us = 6};
    r.request_bytes = 700;
    r.answer_bytes = 800;
    return r;
  }
  std::vector<RequestId> listed(const Query& query) {
    std::vector<RequestId> ids;
    for (const Record& record : records().list(query).value()) ids.push_back(record.id);
    return ids;
  }
};
CLAVIGER_OVER_ALL_STORES(RecordStoreContract);

TEST_P(RecordStoreContract, ARecordComesBackWithEverythingInIt) {
  const Record in = request(0);
  ASSERT_TRUE(records().append({in}));
  store_->reopen();

  const Record out = records().find(in.id).value();
  EXPECT_EQ(out.id, in.id);
  EXPECT_EQ(out.started_at, in.started_at);
  EXPECT_EQ(out.owner, in.owner);
  EXPECT_EQ(out.app, in.app);
  EXPECT_EQ(out.key, in.key);
  EXPECT_EQ(out.credential, in.credential);
  EXPECT_EQ(out.end_user, in.end_user);
  EXPECT_EQ(out.operation, in.operation);
  EXPECT_EQ(out.model_asked, in.model_asked);
  EXPECT_EQ(out.model, in.model);
  EXPECT_EQ(out.provider_request_id, in.provider_request_id);
  EXPECT_EQ(out.streamed, in.streamed);
  EXPECT_EQ(out.clamped, in.clamped);
  EXPECT_EQ(out.caller_left, in.caller_left);
  EXPECT_EQ(out.attempts, in.attempts);
  EXPECT_EQ(out.status, in.status);
  EXPECT_EQ(out.provider_status, in.provider_status);
  EXPECT_EQ(out.error_code, in.error_code);
  EXPECT_EQ(out.at_fault, in.at_fault);
  EXPECT_EQ(out.finish_reason, in.finish_reason);
  EXPECT_EQ(out.soft_failures, in.soft_failures);
  EXPECT_EQ(out.judgement, in.judgement);
  EXPECT_EQ(out.usage, in.usage);
  EXPECT_EQ(out.held, in.held);
  EXPECT_EQ(out.cost, in.cost);
  EXPECT_EQ(out.cost_state, in.cost_state);
  EXPECT_EQ(out.times.admitted_us, 1);
  EXPECT_EQ(out.times.connected_us, 2);
  EXPECT_EQ(out.times.sent_us, 3);
  EXPECT_EQ(out.times.first_byte_us, 4);
  EXPECT_EQ(out.times.total_us, 5);
  EXPECT_EQ(out.times.overhead_us, 6);
  EXPECT_EQ(out.request_bytes, 700);
  EXPECT_EQ(out.answer_bytes, 800);
}

TEST_P(RecordStoreContract, ARequestThatGotNowhereIsARecordToo) {
  Record in;
  in.id = new_request_id(now_);
  in.started_at = now_;
  in.status = 401;
  in.error_code = std::string("bad\0code\xff", 9);
  in.at_fault = "caller";
  ASSERT_TRUE(records().append({in}));
  const Record out = records().find(in.id).value();
  EXPECT_TRUE(out.owner.is_none());
  EXPECT_EQ(out.error_code, in.error_code);
  EXPECT_EQ(out.at_fault, "caller");
  EXPECT_EQ(out.usage.stated_cost, std::nullopt);
  EXPECT_EQ(out.times.total_us, -1);
  EXPECT_EQ(out.cost_state, CostState::none);
}

TEST_P(RecordStoreContract, WhatIsNotThereIsNotFound) {
  EXPECT_EQ(records().find(RequestId{1, 2}).error(), RecordError::not_found);
  EXPECT_THAT(records().list({}).value(), IsEmpty());
  EXPECT_THAT(records().usage(Grouping::model, {}).value(), IsEmpty());
}

TEST_P(RecordStoreContract, AppendingAgainWhatMayHaveBeenTakenChangesNothing) {
  const Record before = request(-1);
  const Record record = request(0);
  ASSERT_TRUE(records().append({record, before}));
  store_->reopen();  // As if nobody had lived to hear that.
  Record altered = record;
  altered.cost = dollars(1);
  ASSERT_TRUE(records().append({altered, request(1), before}));
  EXPECT_EQ(records().find(record.id).value().cost, record.cost);
  EXPECT_THAT(records().list({}).value(), SizeIs(3));
  EXPECT_EQ(records().usage(Grouping::model, {}).value().at(0).requests, 3);
}

TEST_P(RecordStoreContract, ARecordThatComesTwiceInABatchIsTakenOnce) {
  const Record record = request(0);
  ASSERT_TRUE(records().append({record, request(1), record}));
  EXPECT_THAT(records().list({}).value(), SizeIs(2));
  EXPECT_EQ(records().usage(Grouping::model, {}).value().at(0).requests, 2);
}

TEST_P(RecordStoreContract, EachOfManyIsFoundAndListedWhateverCameTogether) {
  // Requests that take long are recorded among later ones, and a minute ends in between.
  std::vector<Record> all;
  for (int i = 0; i < 2'500; ++i) {
    Record record = request(0);
    record.started_at += std::chrono::milliseconds(7 * ((i * 997) % 2'500));
    record.id = new_request_id(record.started_at);
    record.owner = OwnerId{1 + i % 3};
    record.model = i % 2 == 0 ? "openai/gpt-4o" : "openai/gpt-4o-mini";
    record.provider_request_id = "chatcmpl-" + std::to_string(i);
    if (i % 100 == 7) record.status = 500;
    record.times.total_us = i;
    all.push_back(record);
  }
  for (std::size_t begin = 0; begin < all.size(); begin += 125) {
    ASSERT_TRUE(records().append({all.begin() + static_cast<std::ptrdiff_t>(begin),
                                  all.begin() + static_cast<std::ptrdiff_t>(begin + 125)}));
  }
  for (std::size_t i = 0; i < all.size(); i += 41) {
    const Record& record = all[i];
    const auto found = records().find(record.id);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->provider_request_id, record.provider_request_id);
    EXPECT_EQ(found->model, record.model);
    EXPECT_EQ(found->times.total_us, record.times.total_us);
  }
  for (const Query& query :
       {Query{.limit = 50}, Query{.limit = 1'000}, Query{.failed_only = true, .limit = 20},
        Query{.owner = OwnerId{2}, .limit = 300},
        Query{.failed_only = true, .since = all[40].started_at, .owner = OwnerId{3}}}) {
    std::vector<RequestId> expected;
    for (const Record& record : all) {
      if (record::matches(query, record)) expected.push_back(record.id);
    }
    std::ranges::sort(expected, std::greater());
    expected.resize(std::min(expected.size(), static_cast<std::size_t>(query.limit)));
    EXPECT_EQ(listed(query), expected);
  }
}

TEST_P(RecordStoreContract, UsageIsExactFromAnyMomentOn) {
  std::vector<Record> all;
  for (int i = 0; i < 200; ++i) all.push_back(request(i));
  ASSERT_TRUE(records().append(all));
  for (const int minutes : {0, 1, 59, 60, 61, 119, 199}) {
    const auto rows = records().usage(Grouping::model,
                                      {.since = all[static_cast<std::size_t>(minutes)].started_at});
    EXPECT_EQ(rows.value().at(0).requests, 200 - minutes);
  }
  const auto whole_hour = std::chrono::ceil<std::chrono::hours>(now_);
  EXPECT_EQ(
      records().usage(Grouping::model, {.since = whole_hour}).value().at(0).requests,
      std::ranges::count_if(all, [&](const Record& r) { return r.started_at >= whole_hour; }));
}

TEST_P(RecordStoreContract, TheLatestComeFirstUpToTheLimit) {
  const Record first = request(1);
  const Record second = request(2);
  const Record third = request(3);
  ASSERT_TRUE(records().append({second, third, first}));
  EXPECT_THAT(listed({}), ElementsAre(third.id, second.id, first.id));
  EXPECT_THAT(listed({.limit = 2}), ElementsAre(third.id, second.id));
  EXPECT_THAT(listed({.limit = -5}), SizeIs(1)) << "an absurd limit is brought into range";
}

TEST_P(RecordStoreContract, ListsBySinceOwnerAndKey) {
  Record mine = request(1);
  Record late = request(2);
  late.owner = OwnerId{9};
  Record other_key = request(3);
  other_key.key = VirtualKeyId{8};
  ASSERT_TRUE(records().append({mine, late, other_key}));
  EXPECT_THAT(listed({.since = late.started_at}), ElementsAre(other_key.id, late.id));
  EXPECT_THAT(listed({.owner = OwnerId{1}}), ElementsAre(other_key.id, mine.id));
  EXPECT_THAT(listed({.key = VirtualKeyId{3}}), ElementsAre(late.id, mine.id));
  EXPECT_THAT(listed({.since = late.started_at, .owner = OwnerId{9}, .key = VirtualKeyId{3}}),
              ElementsAre(late.id));
}

TEST_P(RecordStoreContract, FailedMeansAnErrorStatusOrAStreamThatBroke) {
  const Record fine = request(1);
  Record refused = request(2);
  refused.status = 402;
  Record broke_off = request(3);
  broke_off.error_code = "stream_broke";
  Record at_fault = request(4);
  at_fault.at_fault = "provider";
  ASSERT_TRUE(records().append({fine, refused, broke_off, at_fault}));
  EXPECT_THAT(listed({.failed_only = true}), ElementsAre(at_fault.id, broke_off.id, refused.id));
  const auto usage = records().usage(Grouping::model, {}).value();
  EXPECT_EQ(usage.at(0).requests, 4);
  EXPECT_EQ(usage.at(0).failed, 3);
}

TEST_P(RecordStoreContract, UsageAddsUpPerModelDearestFirst) {
  Record cheap = request(1);
  cheap.model = "local/small";
  cheap.cost = NanoUsd(1);
  Record dear = request(2);
  dear.cost = dollars(2) + NanoUsd(1);
  ASSERT_TRUE(records().append({cheap, dear, request(3)}));

  const auto usage = records().usage(Grouping::model, {}).value();

  ASSERT_THAT(usage, SizeIs(2));
  EXPECT_EQ(usage[0].group, "openai/gpt-4o-mini");
  EXPECT_EQ(usage[0].requests, 2);
  EXPECT_EQ(usage[0].input_tokens, 2 * (10 + 11 + 12 + 13));
  EXPECT_EQ(usage[0].output_tokens, 28);
  EXPECT_EQ(usage[0].cost, dollars(2) + NanoUsd(901));
  EXPECT_EQ(usage[1].group, "local/small");
  EXPECT_EQ(usage[1].cost, NanoUsd(1));
}

TEST_P(RecordStoreContract, UsageNamesPeopleAndThingsAlsoWhenTheyAreGone) {
  Record record = request(1);
  record.owner = owner("ada");
  record.app = app("notes");
  vault::SealedCredential sealed;
  sealed.about.id = store_->vault().next_credential_id().value();
  sealed.about.name = "work";
  ASSERT_TRUE(store_->vault().put(sealed));
  record.credential = sealed.about.id;
  Record stranger = request(2);
  stranger.owner = OwnerId{};
  stranger.app = AppId{};
  stranger.credential = CredentialId{};
  stranger.end_user = "";
  stranger.cost = NanoUsd(0);
  ASSERT_TRUE(records().append({record, stranger}));
  ASSERT_TRUE(store_->vault().remove(sealed.about.id));
  ASSERT_TRUE(store_->access().remove_owner(record.owner, later_));
  ASSERT_TRUE(store_->access().remove_app(record.app, later_));

  const auto groups = [&](Grouping by) {
    std::vector<std::string> names;
    for (const UsageRow& row : records().usage(by, {}).value()) names.push_back(row.group);
    return names;
  };
  EXPECT_THAT(groups(Grouping::owner), ElementsAre("ada", ""));
  EXPECT_THAT(groups(Grouping::app), ElementsAre("notes", ""));
  EXPECT_THAT(groups(Grouping::credential), ElementsAre("work", ""));
  EXPECT_THAT(groups(Grouping::user), ElementsAre("user-5", ""));
}

TEST_P(RecordStoreContract, TwoOwnersOfOneNameAreNotMixedUp) {
  Record before = request(1);
  before.owner = owner("ada");
  ASSERT_TRUE(store_->access().remove_owner(before.owner, now_));
  Record after = request(2);
  after.owner = owner("ada");
  ASSERT_TRUE(records().append({before, after}));
  EXPECT_THAT(records().usage(Grouping::owner, {}).value(), SizeIs(2));
}

TEST_P(RecordStoreContract, DaysAreUtcAndTheLatestComesFirst) {
  Record record = request(0);
  record.started_at = from_unix_micros(1'700'006'399'999'999);  // 2023-11-14 23:59:59.999999
  Record next = request(1);
  next.started_at = record.started_at + std::chrono::microseconds(1);
  ASSERT_TRUE(records().append({record, next}));
  const auto usage = records().usage(Grouping::day, {}).value();
  ASSERT_THAT(usage, SizeIs(2));
  EXPECT_EQ(usage[0].group, "2023-11-15");
  EXPECT_EQ(usage[1].group, "2023-11-14");
}

TEST_P(RecordStoreContract, UsageObeysItsConditions) {
  Record other = request(2);
  other.owner = OwnerId{9};
  ASSERT_TRUE(records().append({request(1), other, request(3)}));
  const Query query{.since = now_ + std::chrono::minutes(2), .owner = OwnerId{1}};
  EXPECT_EQ(records().usage(Grouping::model, query).value().at(0).requests, 1);
}

TEST_P(RecordStoreContract, AbsurdNumbersDoNotBreakTheSums) {
  Record absurd = request(1);
  absurd.cost = NanoUsd::max();
  absurd.usage.input_tokens = std::numeric_limits<std::int64_t>::max();
  absurd.usage.output_tokens = std::numeric_limits<std::int64_t>::min();
  Record again = absurd;
  again.id = new_request_id(now_);
  ASSERT_TRUE(records().append({absurd, again, request(2)}));
  EXPECT_EQ(records().find(absurd.id).value().usage, absurd.usage);
  const auto usage = records().usage(Grouping::model, {}).value();
  ASSERT_THAT(usage, SizeIs(1));
  EXPECT_EQ(usage[0].requests, 3);
  EXPECT_EQ(usage[0].cost, NanoUsd::max());
}

TEST_P(RecordStoreContract, ABatchIsTakenWholeOrNotAtAll) {
  store_->refuse_writes();
  EXPECT_EQ(records().append({request(1), request(2)}).error(), RecordError::unavailable);
  store_->reopen();
  EXPECT_THAT(records().list({}).value(), IsEmpty());
}

}  // namespace
}  // namespace claviger::store

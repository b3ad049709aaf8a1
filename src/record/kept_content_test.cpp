#include "record/kept_content.h"

#include <gtest/gtest.h>

namespace claviger::record {
namespace {

/// Keeps what it is given; deletes nothing by itself.
class StoreDouble final : public ContentStore {
 public:
  Result<void> append(const std::vector<SealedContent>& contents) override {
    if (is_broken) return std::unexpected(RecordError::unavailable);
    all.insert(all.end(), contents.begin(), contents.end());
    return {};
  }
  Result<std::optional<SealedContent>> find(RequestId request) override {
    for (const SealedContent& one : all) {
      if (one.request == request) return one;
    }
    return std::nullopt;
  }
  Result<void> remove_expired(WallTime now) override {
    std::erase_if(all, [&](const SealedContent& one) { return one.expires_at <= now; });
    return {};
  }
  Result<void> shorten(OwnerId owner, int days) override {
    if (days == 0) std::erase_if(all, [&](const SealedContent& one) { return one.owner == owner; });
    return {};
  }
  std::vector<SealedContent> all;
  bool is_broken = false;
};

class KeptContent : public testing::Test {
 protected:
  static ContentView content(std::uint64_t number, OwnerId owner = kAda) {
    return {.request = {7, number},
            .owner = owner,
            .path = "/v1/chat/completions",
            .body = R"({"messages":"a secret plan"})"};
  }
  void set(Keeping keeping, int days = 7) {
    ASSERT_TRUE(keeper_.set_terms({{kAda, {.keeping = keeping, .days = days}}}));
  }
  bool has(std::uint64_t number) { return keeper_.find({7, number}).value().has_value(); }

  static constexpr OwnerId kAda{1};
  static constexpr OwnerId kBob{2};
  ManualClock clock_;
  StoreDouble store_;
  ContentKeeper keeper_{clock_, store_, vault::ContentBox::of_this_process()};
};

TEST_F(KeptContent, NothingIsKeptWhereNobodySaidSo) {
  keeper_.keep(content(1), Ending::failed);
  set(Keeping::off);
  keeper_.keep(content(2), Ending::failed);
  set(Keeping::failed);
  keeper_.keep(content(3, kBob), Ending::failed);
  keeper_.keep(content(4), Ending::good);
  ASSERT_TRUE(keeper_.tick());
  for (const std::uint64_t number : {1, 2, 3, 4}) EXPECT_FALSE(has(number)) << number;
  EXPECT_TRUE(store_.all.empty());
}

TEST_F(KeptContent, AFailedRequestIsThereForAQuarterOfAnHour) {
  set(Keeping::failed);
  keeper_.keep(content(1), Ending::failed);
  clock_.advance(kept_in_memory_max - std::chrono::seconds(1));
  ASSERT_TRUE(keeper_.tick());
  const auto found = keeper_.find({7, 1}).value();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->path, "/v1/chat/completions");
  EXPECT_EQ(found->body, R"({"messages":"a secret plan"})");
  EXPECT_TRUE(store_.all.empty()) << "it never reaches a disk";
  clock_.advance(std::chrono::seconds(1));
  EXPECT_FALSE(has(1)) << "even before anybody tidied up";
}

TEST_F(KeptContent, WhatIsStoredIsSealedAndGoneAfterItsDays) {
  set(Keeping::stored, 2);
  keeper_.keep(content(1), Ending::good);
  EXPECT_TRUE(has(1)) << "also before it is written";
  ASSERT_TRUE(keeper_.tick());
  ASSERT_EQ(store_.all.size(), 1u);
  EXPECT_EQ(store_.all[0].sealed.find("secret"), std::string::npos);
  EXPECT_TRUE(has(1));
  clock_.advance(std::chrono::days(2));
  EXPECT_FALSE(has(1));
  ASSERT_TRUE(keeper_.tick());
  EXPECT_TRUE(store_.all.empty());
}

TEST_F(KeptContent, WhoTurnsItOffIsForgottenAtOnce) {
  set(Keeping::failed);
  keeper_.keep(content(1), Ending::failed);
  set(Keeping::stored);
  keeper_.keep(content(2), Ending::good);
  ASSERT_TRUE(keeper_.tick());
  keeper_.keep(content(3), Ending::good);  // Not written yet.
  set(Keeping::off);
  ASSERT_TRUE(keeper_.tick());
  for (const std::uint64_t number : {1, 2, 3}) EXPECT_FALSE(has(number)) << number;
  EXPECT_TRUE(store_.all.empty());
}

TEST_F(KeptContent, ASealedContentOfAnotherRequestDoesNotOpen) {
  set(Keeping::stored);
  keeper_.keep(content(1), Ending::good);
  ASSERT_TRUE(keeper_.tick());
  store_.all[0].request = {7, 2};
  EXPECT_FALSE(has(2));
  store_.all[0].request = {7, 1};
  store_.all[0].owner = kBob;
  EXPECT_FALSE(has(1));
}

TEST_F(KeptContent, AStoreThatFailsLosesNothingWithinTheBound) {
  set(Keeping::stored);
  store_.is_broken = true;
  keeper_.keep(content(1), Ending::good);
  EXPECT_FALSE(keeper_.tick());
  store_.is_broken = false;
  ASSERT_TRUE(keeper_.tick());
  EXPECT_TRUE(has(1));
}

TEST_F(KeptContent, OnlyWhatShouldHaveBeenKeptIsLost) {
  const std::string body(kept_request_bytes_max + 1, 'x');
  ContentView large = content(1);
  large.body = body;
  keeper_.keep(large, Ending::failed);  // Nobody said that it should be kept.
  set(Keeping::failed);
  keeper_.keep(large, Ending::good);
  EXPECT_EQ(keeper_.contents_lost(), 0);
  keeper_.keep(large, Ending::failed);
  EXPECT_EQ(keeper_.contents_lost(), 1);
}

TEST_F(KeptContent, WhatTheStoreDoesNotTakeIsLostBeyondTheBoundAndCounted) {
  set(Keeping::stored);
  store_.is_broken = true;
  const std::string body(kept_request_bytes_max / 2, 'x');
  const std::uint64_t sent = 2 * kept_waiting_bytes_max / kept_request_bytes_max + 3;
  ContentView half = content(0);
  half.body = body;
  for (std::uint64_t number = 0; number < sent; ++number) {
    half.request = {7, number};
    keeper_.keep(half, Ending::good);
  }
  EXPECT_FALSE(keeper_.tick());
  EXPECT_GT(keeper_.contents_lost(), 0);
  store_.is_broken = false;
  ASSERT_TRUE(keeper_.tick());
  EXPECT_EQ(static_cast<std::int64_t>(store_.all.size()) + keeper_.contents_lost(),
            static_cast<std::int64_t>(sent));
}

TEST_F(KeptContent, MemoryIsBoundedAndTheOldestGoes) {
  set(Keeping::failed);
  ContentView large = content(0);
  const std::string body(kept_request_bytes_max, 'x');
  large.body = std::string_view(body).substr(large.path.size());
  const std::uint64_t fits = kept_memory_bytes_max / kept_request_bytes_max;
  for (std::uint64_t number = 0; number <= fits; ++number) {
    large.request = {7, number};
    keeper_.keep(large, Ending::failed);
  }
  EXPECT_FALSE(has(0));
  EXPECT_TRUE(has(fits));
  large.body = std::string_view(body).substr(large.path.size() - 1);
  large.request = {7, 1'000};
  const std::int64_t lost = keeper_.contents_lost();
  keeper_.keep(large, Ending::failed);
  EXPECT_FALSE(has(1'000));
  EXPECT_EQ(keeper_.contents_lost(), lost + 1);
}

}  // namespace
}  // namespace claviger::record

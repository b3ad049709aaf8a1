#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "base/ids.h"
#include "base/money.h"
#include "base/secret.h"
#include "base/task.h"
#include "base/time.h"

namespace claviger {
namespace {

TEST(Money, ReadsWhatPeopleWrite) {
  EXPECT_EQ(parse_usd("10"), dollars(10));
  EXPECT_EQ(parse_usd("10.00"), dollars(10));
  EXPECT_EQ(parse_usd("$0.25"), cents(25));
  EXPECT_EQ(parse_usd(".5"), cents(50));
  EXPECT_EQ(parse_usd("0.000000001"), NanoUsd(1));
  EXPECT_EQ(parse_usd("0.0000000010"), NanoUsd(1));
}

TEST(Money, RefusesWhatIsNoAmount) {
  EXPECT_EQ(parse_usd(""), std::unexpected(MoneyError::malformed));
  EXPECT_EQ(parse_usd("$"), std::unexpected(MoneyError::malformed));
  EXPECT_EQ(parse_usd("1e3"), std::unexpected(MoneyError::malformed));
  EXPECT_EQ(parse_usd("1.2.3"), std::unexpected(MoneyError::malformed));
  EXPECT_EQ(parse_usd("nan"), std::unexpected(MoneyError::malformed));
  EXPECT_EQ(parse_usd("-1"), std::unexpected(MoneyError::negative));
  EXPECT_EQ(parse_usd("0.0000000001"), std::unexpected(MoneyError::too_precise));
  EXPECT_EQ(parse_usd("99999999999"), std::unexpected(MoneyError::too_large));
}

TEST(Money, ACostIsRoundedUpOnce) {
  CostSum sum;
  for (int i = 0; i < 10; ++i) sum.add(1, PicoUsdPerUnit{100});
  EXPECT_EQ(sum.rounded_up(), NanoUsd(1));
  sum.add(1, PicoUsdPerUnit{1});
  EXPECT_EQ(sum.rounded_up(), NanoUsd(2));
}

TEST(Money, AnAbsurdCostSaturatesInsteadOfWrapping) {
  CostSum sum;
  for (int i = 0; i < 3; ++i) {
    sum.add(std::numeric_limits<std::int64_t>::max(),
            PicoUsdPerUnit{std::numeric_limits<std::int64_t>::max() / 2});
  }
  EXPECT_EQ(sum.rounded_up(), NanoUsd::max());
  EXPECT_EQ(NanoUsd::max() + NanoUsd(1), NanoUsd::max());
}

TEST(Money, PricesPerMillionAreExact) {
  EXPECT_EQ(parse_usd_per_million("0.15")->picos, 150'000);
  EXPECT_EQ(parse_usd_per_million("15")->picos, 15'000'000);
  EXPECT_EQ(parse_usd_per_million("0.000001")->picos, 1);
}

TEST(Money, IsShownSoThatSmallAmountsCanBeRead) {
  EXPECT_EQ(to_display(dollars(10)), "$10.00");
  EXPECT_EQ(to_display(NanoUsd(4'213'000)), "$0.0042");
  EXPECT_EQ(to_display(NanoUsd(0)), "$0.00");
  EXPECT_EQ(to_display(NanoUsd(13'400)), "$0.000013");
  EXPECT_EQ(to_display(NanoUsd(-25'000'000)), "-$0.025");
  EXPECT_EQ(to_decimal(NanoUsd(4'213'000)), "0.004213");
  EXPECT_EQ(to_decimal(dollars(3)), "3.00");
}

TEST(Money, EveryAmountSurvivesWritingAndReading) {
  std::mt19937_64 random(20260101);
  for (int i = 0; i < 10'000; ++i) {
    const NanoUsd amount(static_cast<std::int64_t>(random() >> (1 + random() % 62)));
    EXPECT_EQ(parse_usd(to_decimal(amount)), amount) << to_decimal(amount);
  }
}

TEST(Ids, SayWhatTheyAreAndComeBack) {
  EXPECT_EQ(OwnerId{7}.text(), "own_7");
  EXPECT_EQ(OwnerId::parse("own_7"), OwnerId{7});
  EXPECT_EQ(OwnerId::parse("7"), OwnerId{7});
  EXPECT_EQ(OwnerId::parse("app_7"), std::nullopt);
  EXPECT_EQ(OwnerId::parse("own_"), std::nullopt);
  EXPECT_EQ(OwnerId::parse("own_0"), std::nullopt);
  EXPECT_EQ(OwnerId::parse("own_99999999999999999999"), std::nullopt);
}

TEST(Ids, RequestsSortByAgeAndComeBack) {
  const ManualClock clock;
  const RequestId first = new_request_id(clock.wall_now());
  const RequestId second = new_request_id(clock.wall_now() + std::chrono::milliseconds(1));
  EXPECT_LT(first, second);
  EXPECT_LT(first.text(), second.text());
  EXPECT_EQ(RequestId::parse(first.text()), first);
  EXPECT_EQ(first.text().size(), 30u);
  EXPECT_LE(oldest_request_id(clock.wall_now()), first);
  EXPECT_GT(oldest_request_id(clock.wall_now() + std::chrono::milliseconds(1)), first);
  EXPECT_EQ(RequestId::parse("req_short"), std::nullopt);
  EXPECT_EQ(RequestId::parse("req_UUUUUUUUUUUUUUUUUUUUUUUUUU"), std::nullopt);
}

TEST(Secrets, AreGoneAfterUse) {
  const char* where = nullptr;
  {
    const Secret secret = Secret::copy_of("sk-very-secret");
    where = secret.reveal().data();
    EXPECT_EQ(secret.reveal(), "sk-very-secret");
  }
  // The arena stays mapped, so what is left there may be looked at. (The first word of a
  // freed block belongs to the free list.)
  EXPECT_EQ(std::string_view(where + 8, 6), std::string_view("\0\0\0\0\0\0", 6));
}

TEST(Secrets, CompareWhole) {
  EXPECT_TRUE(equal_constant_time("abc", "abc"));
  EXPECT_FALSE(equal_constant_time("abc", "abd"));
  EXPECT_FALSE(equal_constant_time("abc", "ab"));
  EXPECT_TRUE(equal_constant_time("", ""));
}

Task<int> three() {
  co_return 3;
}
Task<int> deep(int n) {
  if (n == 0) co_return co_await three();
  co_return co_await deep(n - 1);
}

TEST(Tasks, HandTheirResultUpWithoutGrowingTheStack) {
  EXPECT_EQ(run(deep(10'000)), 3);
}

Task<int> fails() {
  throw 7;
  co_return 0;
}
Task<int> catches() {
  try {
    co_return co_await fails();
  } catch (int thrown) {
    co_return thrown;
  }
}
TEST(Tasks, CarryExceptionsToWhoeverAwaits) {
  EXPECT_EQ(run(catches()), 7);
}

}  // namespace
}  // namespace claviger

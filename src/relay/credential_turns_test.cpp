#include "relay/credential_turns.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

namespace claviger::relay {
namespace {

using namespace std::chrono_literals;
using route::Rotation;
using testing::ElementsAre;

const std::vector<CredentialId> kThree = {CredentialId{1}, CredentialId{2}, CredentialId{3}};
constexpr Instant kNow{1h};

TEST(CredentialTurns, InOrderTheFirstIsAlwaysFirst) {
  CredentialTurns turns;
  for (int i = 0; i < 5; ++i) {
    EXPECT_THAT(turns.order(Rotation::in_order, 0, kThree, kNow), ElementsAre(0, 1, 2));
  }
}

TEST(CredentialTurns, RoundRobinGivesEachItsTurnWhateverOtherListsDo) {
  CredentialTurns turns;
  std::array<int, 3> first{};
  for (int i = 0; i < 300; ++i) {
    const auto order = turns.order(Rotation::round_robin, 7, kThree, kNow);
    ++first.at(order.front());
    // The others stand in, in their order from there.
    EXPECT_EQ(order[1], (order[0] + 1) % 3);
    // A list that is asked in between must not take this one's turns.
    turns.order(Rotation::round_robin, 8, {CredentialId{1}, CredentialId{2}}, kNow);
  }
  EXPECT_THAT(first, ElementsAre(100, 100, 100));
}

TEST(CredentialTurns, TheLeastUsedHasTheFewestRequestsUnderWay) {
  CredentialTurns turns;
  const CredentialTurns::Use one(turns, CredentialId{1});
  const CredentialTurns::Use two(turns, CredentialId{2});
  const CredentialTurns::Use two_again(turns, CredentialId{2});
  EXPECT_THAT(turns.order(Rotation::least_used, 0, kThree, kNow), ElementsAre(2, 0, 1));
}

TEST(CredentialTurns, OfThoseThatRestTheOneWithTheFewestTokensLatelyIsFirst) {
  CredentialTurns turns;
  for (const auto& [credential, tokens] :
       {std::pair{1, 900}, std::pair{2, 100}, std::pair{3, 500}}) {
    CredentialTurns::Use use(turns, CredentialId{credential});
    use.used(tokens, kNow);
  }
  EXPECT_THAT(turns.order(Rotation::least_used, 0, kThree, kNow), ElementsAre(1, 2, 0));
  // What was long ago counts for little.
  {
    CredentialTurns::Use use(turns, CredentialId{2});
    use.used(300, kNow + 10min);
  }
  EXPECT_EQ(turns.order(Rotation::least_used, 0, kThree, kNow + 10min).back(), 1U);
}

TEST(CredentialTurns, UnusedOnesShareWhatComes) {
  CredentialTurns turns;
  std::array<int, 3> first{};
  for (int i = 0; i < 30; ++i) {
    ++first.at(turns.order(Rotation::least_used, 0, kThree, kNow).front());
  }
  EXPECT_THAT(first, ElementsAre(10, 10, 10));
}

TEST(CredentialTurns, ManyCredentialsAreForgottenAndNoneThatIsInUse) {
  CredentialTurns turns;
  const CredentialTurns::Use kept(turns, CredentialId{1});
  for (std::size_t i = 2; i < 3 * CredentialTurns::kCredentialsMax; ++i) {
    CredentialTurns::Use use(turns, CredentialId{static_cast<std::int64_t>(i)});
    use.used(5, kNow);
  }
  EXPECT_THAT(turns.order(Rotation::least_used, 0, {CredentialId{1}, CredentialId{2}}, kNow),
              ElementsAre(1, 0));
}

}  // namespace
}  // namespace claviger::relay

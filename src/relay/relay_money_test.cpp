/// What a request is held for, what it is refused for, and what helps where money is short.

#include "relay/relay_bed_test.h"

namespace claviger::relay {
namespace {

class RelayMoneyTest : public RelayTest {};

TEST_F(RelayMoneyTest, WhileAThresholdIsPassedAnswersSaySo) {
  provider_says_ = {json_answer(kAnswer)};
  EXPECT_THAT(ask(kAsk), Not(HasSubstr("x-claviger-budget-warning")));
  relay_.set_passed(std::make_shared<const alert::PassedThresholds>(std::vector<alert::Passed>{
      {.budget = terms_.id, .used_percent = 82, .header = "bud_1; used=82%; threshold=80%"},
      {.budget = BudgetId{77}, .used_percent = 100, .header = "bud_77; used=100%"}}));
  EXPECT_THAT(ask(kAsk),
              HasSubstr("x-claviger-budget-warning: bud_1; used=82%; threshold=80%\r\n"));
  relay_.set_passed(std::make_shared<const alert::PassedThresholds>(std::vector<alert::Passed>()));
  EXPECT_THAT(ask(kAsk), Not(HasSubstr("x-claviger-budget-warning")));
}

TEST_F(RelayMoneyTest, WhatDoesNotFitIsRefusedWithWhatWouldHelp) {
  limit(NanoUsd(100'000), budget::WhenExhausted::refuse);
  publish();
  const std::string answer =
      ask(R"({"model":"box/m","messages":[{"role":"user","content":"hi"}],"max_tokens":50000})");
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 402"));
  EXPECT_THAT(answer, HasSubstr("budget_exhausted"));
  EXPECT_THAT(answer, HasSubstr("the workspace's budget has $0.0001 left"));
  EXPECT_THAT(answer, HasSubstr("x-should-retry: false"));
  EXPECT_EQ(provider_requests_, 0);
}

TEST_F(RelayMoneyTest, WhereMoneyIsShortACheaperModelOnTheOwnersListIsAsked) {
  limit(NanoUsd(2'000'000), budget::WhenExhausted::downgrade);
  catalog::Price cheap = test_price();
  cheap.output = PicoUsdPerUnit{cheap.output.picos / 1'000};
  cheap.input = PicoUsdPerUnit{cheap.input.picos / 1'000};
  cheaper_price_ = cheap;
  downgrade_to_ = {"box/m", "box/n"};
  publish();
  provider_says_ = {json_answer(kAnswer)};

  const std::string answer =
      ask(R"({"model":"box/m","messages":[{"role":"user","content":"hi"}],"max_tokens":50000})");

  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 200"));
  EXPECT_THAT(answer, HasSubstr("x-claviger-model: box/n"));
  EXPECT_THAT(answer, HasSubstr("x-claviger-downgraded-from: box/m"));
  EXPECT_LE(record().held, NanoUsd(2'000'000));
}

TEST_F(RelayMoneyTest, EachEndUserWhomAnApplicationNamesHasALimitOfTheirOwn) {
  limit(dollars(100));
  const budget::BudgetTerms rule{.id = BudgetId{77},
                                 .limit = NanoUsd(1'000'000),
                                 .period = budget::Period::total,
                                 .when_exhausted = budget::WhenExhausted::refuse};
  ASSERT_TRUE(run(ledger_.set_rule(rule)));
  more_budgets_ = {{.terms = rule, .scope = budget::Scope::each_user}};
  publish();
  const std::string answer = ask(
      R"({"model":"box/m","messages":[{"role":"user","content":"hi"}],"max_tokens":50000,"user":"ann"})");
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 402"));
  EXPECT_THAT(answer, HasSubstr("the budget of the end user \\\"ann\\\" has $0.001 left"));
  EXPECT_EQ(provider_requests_, 0);
}

TEST_F(RelayMoneyTest, WhereNothingOnTheListFitsTheRefusalIsAboutWhatWasAskedFor) {
  limit(NanoUsd(1'000), budget::WhenExhausted::downgrade);
  downgrade_to_ = {"box/n", "nowhere/x"};
  publish();
  const std::string answer =
      ask(R"({"model":"box/m","messages":[{"role":"user","content":"hi"}],"max_tokens":50000})");
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 402"));
  EXPECT_THAT(answer, Not(HasSubstr("x-claviger-downgraded-from")));
  EXPECT_EQ(provider_requests_, 0);
}

TEST_F(RelayMoneyTest, AClampedBoundIsWrittenIntoTheProvidersRequest) {
  limit(NanoUsd(10'000'000));
  publish();
  provider_says_ = {json_answer(kAnswer)};
  const std::string answer =
      ask(R"({"model":"box/m","messages":[{"role":"user","content":"hi"}],"max_tokens":50000})");
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 200"));
  EXPECT_THAT(answer, HasSubstr("x-claviger-clamped: "));
  EXPECT_THAT(provider_saw_, Not(HasSubstr("50000")));
  EXPECT_LE(record().held, NanoUsd(10'000'000));
  EXPECT_EQ(balance().spent, NanoUsd(60'000));
}

/// A page of prose: about 900 tokens, and 4,400 bytes.
std::string page() {
  std::string text;
  for (int i = 0; i < 50; ++i) {
    text +=
        "It is a truth universally acknowledged, that a single man in possession of a fortune. ";
  }
  return text;
}

TEST_F(RelayMoneyTest, NearTheCeilingTokensAreCountedWhereBytesDoNotFit) {
  // $1 per million: 4,400 bytes and the template do not fit into 3,000 tokens' worth of money.
  limit(NanoUsd(3'000'000), budget::WhenExhausted::refuse);
  publish();
  provider_says_ = {json_answer(kAnswer)};
  const std::string fields =
      R"(","max_tokens":10,"messages":[{"role":"user","content":")" + page() + R"("}]})";
  EXPECT_THAT(ask(R"({"model":"openai/gpt-4o)" + fields), HasSubstr("HTTP/1.1 200"));
  EXPECT_LE(record().held, NanoUsd(3'000'000));
  EXPECT_GE(record().held, NanoUsd(1'000'000));
  // Where the tokenizer is not certain, bytes are all there is.
  EXPECT_THAT(ask(R"({"model":"box/m)" + fields), HasSubstr("HTTP/1.1 402"));
}

TEST_F(RelayMoneyTest, OfACutHoldMoreIsLeftForTheAnswerWhereTokensAreCounted) {
  limit(NanoUsd(12'000'000));
  publish();
  provider_says_ = {json_answer(kAnswer)};
  const std::string fields =
      R"(","max_tokens":50000,"messages":[{"role":"user","content":")" + page() + R"("}]})";
  const auto clamped_to = [&](std::string_view model) {
    const std::string answer = ask(R"({"model":")" + std::string(model) + fields);
    EXPECT_THAT(answer, HasSubstr("HTTP/1.1 200"));
    const auto at = answer.find("x-claviger-clamped: ");
    return at == std::string::npos ? 0 : std::stoi(answer.substr(at + 20));
  };
  const int by_bytes = clamped_to("box/m");
  const int by_tokens = clamped_to("openai/gpt-4o");
  EXPECT_GT(by_bytes, 0);
  EXPECT_GT(by_tokens, by_bytes + 250);
}

TEST_F(RelayMoneyTest, WithoutABoundOfTheCallersOursIsWrittenIn) {
  provider_says_ = {json_answer(kAnswer)};
  ask(R"({"model":"box/m","messages":[]})");
  EXPECT_THAT(provider_saw_, HasSubstr("max_tokens"));
}

TEST_F(RelayMoneyTest, AModelWithoutAPriceIsRefused) {
  publish(std::nullopt);
  EXPECT_THAT(ask(kAsk), HasSubstr("cannot_be_priced"));
  EXPECT_EQ(provider_requests_, 0);
}

TEST_F(RelayMoneyTest, WhatNothingBoundsIsRefusedUnlessTheCredentialsOwnerAllowsIt) {
  const std::string unbounded =
      R"({"model":"box/m","max_tokens":5,"moderation":{},"messages":[{"role":"user","content":"hi"}]})";
  EXPECT_THAT(ask(unbounded), AllOf(HasSubstr("HTTP/1.1 422"), HasSubstr("cannot_be_bounded"),
                                    HasSubstr("--allow-unbounded")));
  EXPECT_EQ(provider_requests_, 0);
  EXPECT_FALSE(record().unbounded);

  allows_unbounded_ = true;
  publish();
  provider_says_ = {json_answer(
      R"({"choices":[{"message":{"content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":5000}})")};
  EXPECT_THAT(ask(unbounded),
              AllOf(HasSubstr("HTTP/1.1 200"), HasSubstr("x-claviger-unbounded: true")));
  // More than was held is what nothing bounds, and no overrun; all of it counts.
  EXPECT_TRUE(record().unbounded);
  EXPECT_GT(record().cost, record().held);
  EXPECT_EQ(record().error_code, "");
  EXPECT_EQ(balance().spent, record().cost);
}

TEST_F(RelayMoneyTest, APriceThatChangesByTheHourIsHeldAtItsDearestAndSettledAtItsHour) {
  catalog::Price price = test_price();
  catalog::DailyCard all_day{.window = {.begin_minute = 0, .end_minute = 24 * 60},
                             .rates = static_cast<const catalog::RateCard&>(price)};
  all_day.rates.output = PicoUsdPerUnit{price.output.picos / 2};
  provider_says_ = {json_answer(kAnswer)};
  publish(price);
  ask(kAsk);
  const NanoUsd held_at_one_price = record().held;
  price.daily.push_back(all_day);
  publish(price);
  ask(kAsk);
  EXPECT_EQ(record().held, held_at_one_price);
  EXPECT_EQ(record().cost, NanoUsd(10 * 1000 + 5 * 5'000));
  EXPECT_EQ(record().cost_state, record::CostState::billed);
}

}  // namespace
}  // namespace claviger::relay

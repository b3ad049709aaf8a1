/// The way of a request, whole: a caller and a provider on loopback, everything between them
/// real but the store. Each test says what the provider answers and looks at what the caller
/// reads, what the ledger says and what was recorded.

#include "relay/relay.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "access/key_format.h"
#include "budget/memory_ledger.h"
#include "data/providers_toml.h"
#include "net/listener.h"

namespace claviger::relay {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

/// Keeps what was recorded.
class KeptRecords final : public record::RecordStore {
 public:
  record::Result<void> append(const std::vector<record::Record>& records) override {
    all.insert(all.end(), records.begin(), records.end());
    return {};
  }
  record::Result<record::Record> find(RequestId) override {
    return std::unexpected(record::RecordError::not_found);
  }
  record::Result<std::vector<record::Record>> list(const record::Query&) override { return all; }
  record::Result<std::vector<record::UsageRow>> usage(record::Grouping,
                                                      const record::Query&) override {
    return std::vector<record::UsageRow>{};
  }
  std::vector<record::Record> all;
};

/// One model, `box/m`: $1 per million input tokens, $10 per million output tokens.
catalog::Price test_price() {
  catalog::Price price;
  price.input = price.cached_input = price.cache_write = price.cache_write_1h =
      PicoUsdPerUnit{1'000'000};
  price.output = PicoUsdPerUnit{10'000'000};
  price.source = "owner";
  return price;
}

class RelayTest : public ::testing::Test {
 protected:
  static constexpr BudgetId kBudget{1};

  void SetUp() override {
    provider_listener_ = net::Listener::open(reactor_, {.host = "127.0.0.1", .port = 0}).value();
    caller_listener_ = net::Listener::open(reactor_, {.host = "127.0.0.1", .port = 0}).value();
    auto policy = std::make_shared<net::EgressPolicy>();
    policy->allow = {{"127.0.0.1", provider_listener_->port()},
                     {"127.0.0.1", caller_listener_->port()}};
    egress_.set_policy(policy);
    limit(dollars(1));
    publish();
  }

  /// Ends every connection and lets both sides see it, so that no coroutine is left waiting.
  void TearDown() override {
    spawn([](RelayTest& t) -> Task<void> {
      co_await resume_on{t.reactor_};
      t.provider_listener_->stop();
      t.caller_listener_->stop();
      t.pool_.close_idle();
      for (int i = 0; i < 3; ++i) co_await t.reactor_.sleep_until(t.reactor_.after(1ms));
      t.reactor_.stop();
    }(*this));
    reactor_.run();
  }

  /// Those of this build, with the test's own provider in the place of OpenAI.
  std::shared_ptr<const provider::Profiles> profiles_here() const {
    std::string toml(data::providers_toml);
    constexpr std::string_view openai = "https://api.openai.com/v1";
    toml.replace(toml.find(openai), openai.size(),
                 "http://127.0.0.1:" + std::to_string(provider_listener_->port()) + "/v1");
    constexpr std::string_view cave = "id = \"anthropic-compatible\"\n";
    toml.insert(toml.find(cave) + cave.size(),
                "count_tokens_path = \"/v1/messages/count_tokens\"\n");
    return provider::Profiles::parse(toml);
  }

  void limit(NanoUsd amount, budget::WhenExhausted when_exhausted = budget::WhenExhausted::clamp) {
    terms_ = {.id = kBudget,
              .limit = amount,
              .period = budget::Period::total,
              .when_exhausted = when_exhausted};
    ASSERT_TRUE(run(ledger_.set_terms(terms_)));
  }

  void publish(std::optional<catalog::Price> price = test_price()) {
    auto hash_key = std::make_shared<Secret>(Secret::of_size(32));
    access::NewKey key = access::make_key(access::KeyType::virtual_key, *hash_key);
    key_ = key.text.reveal();
    access::VirtualKey known;
    known.id = VirtualKeyId{1};
    known.hash = key.hash;
    known.owner = OwnerId{1};
    known.app = AppId{1};
    known.owner_name = "ada";
    known.models = models_;
    known.limits = pace_;
    known.pace = std::make_shared<access::Pace>();
    auto world = std::make_shared<Snapshot>();
    world->directory = std::make_shared<access::Directory>(
        std::vector<access::Owner>{{.id = OwnerId{1}, .name = "ada"}},
        std::vector<access::App>{{.id = AppId{1}, .name = "app"}},
        std::vector<access::VirtualKey>{known}, std::vector<access::AdminKey>{}, hash_key);
    std::vector<vault::OpenCredentials::Entry> entries;
    const std::string base_url =
        "http://127.0.0.1:" + std::to_string(provider_listener_->port()) + "/v1";
    entries.push_back({.about = {.id = CredentialId{1},
                                 .owner = OwnerId{1},
                                 .provider = "openai-compatible",
                                 .name = "box",
                                 .base_url = base_url,
                                 .allows_unbounded = allows_unbounded_},
                       .key = Secret::copy_of("sk-provider-key")});
    entries.push_back(
        {.about = {.id = CredentialId{2}, .owner = OwnerId{1}, .provider = "openai", .name = "o"},
         .key = Secret::copy_of("sk-openai-key")});
    entries.push_back({.about = {.id = CredentialId{3},
                                 .owner = OwnerId{1},
                                 .provider = "anthropic-compatible",
                                 .name = "cave",
                                 .base_url = base_url},
                       .key = Secret::copy_of("sk-ant-provider-key")});
    world->credentials = std::make_shared<vault::OpenCredentials>(std::move(entries));
    std::vector<route::StatedPrice> prices;
    for (const char* const model : {"box/m", "box/n", "openai/gpt-4o", "cave/claude-x"}) {
      const bool is_cheaper = cheaper_price_ && std::string_view(model) == "box/n";
      const auto& its_price = is_cheaper ? cheaper_price_ : price;
      if (!its_price) continue;
      prices.push_back({.owner = OwnerId{1},
                        .model = model,
                        .price = std::make_shared<const catalog::Price>(*its_price)});
    }
    world->routes = std::make_shared<route::Table>(
        std::vector<route::Place>{{.credential = CredentialId{1},
                                   .owner = OwnerId{1},
                                   .provider = "openai-compatible",
                                   .name = "box",
                                   .base_url = base_url,
                                   .is_own_endpoint = true},
                                  {.credential = CredentialId{2},
                                   .owner = OwnerId{1},
                                   .provider = "openai",
                                   .name = "openai"},
                                  {.credential = CredentialId{3},
                                   .owner = OwnerId{1},
                                   .provider = "anthropic-compatible",
                                   .name = "cave",
                                   .base_url = base_url,
                                   .is_own_endpoint = true}},
        std::vector<route::LocalPlace>{}, prices, catalog::PriceBook::embedded(),
        std::vector<route::Alias>{{.owner = {}, .name = "fast", .models = {"box/m", "box/n"}}});
    std::vector<budget::Budget> budgets = more_budgets_;
    budgets.push_back(
        {.terms = terms_, .scope = budget::Scope::workspace, .downgrade_to = downgrade_to_});
    world->budgets = std::make_shared<budget::BudgetBook>(std::move(budgets));
    world->profiles = profiles_here();
    relay_.set_world(world);
  }

  /// What the provider sees, and says: raw bytes, after which it may close.
  Task<void> play_provider(net::Stream stream) {
    net::ServerConnection connection(std::move(stream), caller_limits_, date_line_);
    for (;;) {
      auto read = co_await connection.read_head();
      if (read && provider_answers_early_) {
        (void)co_await connection.stream().write_all(provider_says_.front(), reactor_.after(5s));
        co_return;
      }
      if (read) read = co_await connection.read_body();
      if (!read) break;
      provider_saw_ = std::string(connection.body());
      provider_saw_key_ = std::string(connection.head().value_of("authorization"));
      provider_saw_version_ = std::string(connection.head().value_of("anthropic-version"));
      provider_saw_x_key_ = std::string(connection.head().value_of("x-api-key"));
      provider_saw_target_ = std::string(connection.head().target);
      ++provider_requests_;
      connection.release_request();
      const auto turn = static_cast<std::size_t>(provider_requests_);
      const auto& says =
          turn <= provider_says_first_.size() ? provider_says_first_[turn - 1] : provider_says_;
      for (const std::string& piece : says) {
        if (piece == "WAIT") {
          char byte = 0;
          const auto gone = co_await connection.stream().read_some({&byte, 1}, reactor_.after(5s));
          provider_was_left_ = !gone && gone.error() != net::IoError::timed_out;
          co_return;
        }
        if (!co_await connection.stream().write_all(piece, reactor_.after(5s))) co_return;
        co_await reactor_.sleep_until(reactor_.after(1ms));
      }
      if (provider_closes_) break;
    }
  }

  Task<void> play_claviger(net::Stream stream) {
    net::ServerConnection connection(std::move(stream), caller_limits_, date_line_);
    while (connection.keeps_open() && co_await connection.read_head()) {
      const auto target = net::http::split_target(connection.head().target);
      co_await relay_.serve(connection, *target);
      connection.release_request();
    }
    co_await connection.linger();
  }

  /// Sends one request and reads the whole answer.
  std::string ask(const std::string& body, const std::string& path = "/v1/chat/completions",
                  const std::string& method = "POST") {
    std::string answer;
    if (!is_listening_) {
      spawn(provider_listener_->run([this](net::Stream s) { spawn(play_provider(std::move(s))); }));
      spawn(caller_listener_->run([this](net::Stream s) { spawn(play_claviger(std::move(s))); }));
      is_listening_ = true;
    }
    const std::string request =
        method + " " + path + " HTTP/1.1\r\nhost: x\r\nauthorization: Bearer " + key_ + "\r\n" +
        more_headers_ +
        "content-type: application/json\r\ncontent-length: " + std::to_string(body.size()) +
        "\r\nconnection: close\r\n\r\n" + body;
    spawn([](RelayTest& t, const std::string& bytes, std::string& out) -> Task<void> {
      co_await resume_on{t.reactor_};
      auto stream = co_await t.egress_.connect(
          t.reactor_, {.host = "127.0.0.1", .port = t.caller_listener_->port()},
          t.reactor_.after(5s));
      (void)co_await stream->write_all(bytes, t.reactor_.after(5s));
      char piece[8192];
      while (out.find(t.caller_leaves_at_) == std::string::npos || t.caller_leaves_at_.empty()) {
        const auto count = co_await stream->read_some(piece, t.reactor_.after(5s));
        if (!count) break;
        out.append(piece, *count);
      }
      stream->close();
      co_await t.reactor_.sleep_until(t.reactor_.after(150ms));
      t.reactor_.stop();
    }(*this, request, answer));
    reactor_.run();
    recorder_.flush();
    return answer;
  }

  const record::Record& record() const { return records_.all.back(); }
  budget::Balance balance() { return run(ledger_.balance(kBudget)).value(); }

  static std::string json_answer(const std::string& body, const std::string& status = "200 OK",
                                 const std::string& more_headers = "") {
    return "HTTP/1.1 " + status + "\r\ncontent-type: application/json\r\n" + more_headers +
           "content-length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }
  static std::string chunk(const std::string& bytes) {
    const net::http::ChunkHead head(bytes.size());
    return std::string(head.text()) + bytes + "\r\n";
  }
  static std::string stream_head() {
    return "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: "
           "chunked\r\n\r\n";
  }

  SystemClock clock_;
  net::Reactor reactor_{clock_};
  net::Resolver resolver_{clock_};
  net::Egress egress_{resolver_, nullptr};
  net::ProviderPool pool_{reactor_, egress_};
  net::ServerLimits caller_limits_;
  net::http::DateLine date_line_;
  budget::MemoryLedger ledger_{clock_};
  budget::BudgetTerms terms_;
  bool allows_unbounded_ = false;                ///< The box's credential.
  std::optional<catalog::Price> cheaper_price_;  ///< Of box/n, where it is set.
  std::vector<std::string> downgrade_to_;
  std::vector<budget::Budget> more_budgets_;
  KeptRecords records_;
  record::Recorder recorder_{records_, {}};
  record::Metrics metrics_{{.version = "test", .revision = ""}};
  Limits limits_;
  Relay relay_{{.reactor = reactor_,
                .pool = pool_,
                .ledger = ledger_,
                .recorder = recorder_,
                .metrics = metrics_,
                .runner = nullptr,
                .history = nullptr},
               limits_};
  std::unique_ptr<net::Listener> provider_listener_;
  std::unique_ptr<net::Listener> caller_listener_;
  std::vector<std::string> models_;
  access::PaceLimits pace_;
  std::string key_;
  bool is_listening_ = false;
  std::vector<std::string> provider_says_;
  std::vector<std::vector<std::string>> provider_says_first_;  ///< To the first requests.
  bool provider_closes_ = false;
  bool provider_answers_early_ = false;  ///< And hangs up, with most of the body unread.
  bool provider_was_left_ = false;
  std::string caller_leaves_at_;
  std::string provider_saw_;
  std::string provider_saw_key_;
  std::string provider_saw_target_;
  std::string provider_saw_version_;
  std::string provider_saw_x_key_;
  std::string more_headers_;  ///< Of the caller; whole lines.
  int provider_requests_ = 0;
};

const std::string kAsk =
    R"({"model":"box/m","messages":[{"role":"user","content":"hi"}],"max_tokens":50})";
const std::string kAskStream =
    R"({"model":"box/m","messages":[{"role":"user","content":"hi"}],"max_tokens":50,"stream":true})";
const std::string kAnswer =
    R"({"id":"x","choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15},"new_field":[1,2]})";

TEST_F(RelayTest, AnAnswerComesBackWithItsCostAndIsSettledToTheNanoDollar) {
  provider_says_ = {json_answer(kAnswer)};
  const std::string answer = ask(kAsk);
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 200 OK"));
  EXPECT_THAT(answer, HasSubstr(R"("content":"hello")"));
  EXPECT_THAT(answer, HasSubstr(R"("new_field":[1,2])"));
  EXPECT_THAT(answer, HasSubstr(R"("cost":0.00006)"));
  EXPECT_THAT(answer, HasSubstr("x-claviger-cost: 0.00006"));
  EXPECT_THAT(answer, HasSubstr("x-claviger-model: box/m"));
  EXPECT_THAT(answer, HasSubstr("x-claviger-budget-remaining: 0.99994"));
  EXPECT_EQ(balance().spent, NanoUsd(10 * 1000 + 5 * 10'000));
  EXPECT_EQ(balance().held, NanoUsd(0));
  EXPECT_EQ(record().cost, NanoUsd(60'000));
  EXPECT_EQ(record().status, 200);
  EXPECT_EQ(record().finish_reason, "stop");
  EXPECT_EQ(record().cost_state, record::CostState::billed);
}

TEST_F(RelayTest, WhileAThresholdIsPassedAnswersSaySo) {
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

TEST_F(RelayTest, TheProviderGetsTheCallersBytesApartFromTheModelsName) {
  provider_says_ = {json_answer(kAnswer)};
  ask(R"({"model":"box/m", "messages":[{"role":"user","content":"h\u00e9"}], "max_tokens":50, "xyz": {"a":1}})");
  EXPECT_EQ(
      provider_saw_,
      R"({"model":"m", "messages":[{"role":"user","content":"h\u00e9"}], "max_tokens":50, "xyz": {"a":1}})");
  EXPECT_EQ(provider_saw_key_, "Bearer sk-provider-key");
  EXPECT_EQ(provider_saw_target_, "/v1/chat/completions");
}

TEST_F(RelayTest, AStreamIsPassedOnEventByEventAndItsUsageIsHiddenUnlessAskedFor) {
  const std::string usage =
      "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":5}}\n\n";
  provider_says_ = {
      stream_head(), chunk("data: {\"choices\":[{\"delta\":{\"content\":\"he\"}}]}\n\nda"),
      chunk("ta: {\"choices\":[{\"delta\":{\"content\":\"llo\"},\"finish_reason\":\"stop\"}]}\n\n"),
      chunk(usage + "data: [DONE]\n\n"), "0\r\n\r\n"};
  const std::string hidden = ask(kAskStream);
  EXPECT_THAT(provider_saw_, HasSubstr(R"("include_usage":true)"));
  EXPECT_THAT(hidden, HasSubstr(R"("content":"he")"));
  EXPECT_THAT(hidden, HasSubstr(R"("content":"llo")"));
  EXPECT_THAT(hidden, HasSubstr("data: [DONE]"));
  EXPECT_THAT(hidden, Not(HasSubstr("prompt_tokens")));
  EXPECT_EQ(balance().spent, NanoUsd(60'000));

  const std::string shown = ask(
      R"({"model":"box/m","messages":[],"max_tokens":50,"stream":true,"stream_options":{"include_usage":true}})");
  EXPECT_THAT(shown, HasSubstr(R"("cost":0.00006)"));
  EXPECT_EQ(balance().spent, NanoUsd(120'000));
}

TEST_F(RelayTest, AStreamThatDiesEndsWithAnHonestErrorAndCostsItsHold) {
  provider_says_ = {stream_head(),
                    chunk("data: {\"choices\":[{\"delta\":{\"content\":\"he\"}}]}\n\n")};
  provider_closes_ = true;
  const std::string answer = ask(kAskStream);
  EXPECT_THAT(answer, HasSubstr(R"("content":"he")"));
  EXPECT_THAT(answer, HasSubstr("host_crashed"));
  EXPECT_THAT(answer, Not(HasSubstr("[DONE]")));
  EXPECT_EQ(record().cost_state, record::CostState::estimated);
  EXPECT_EQ(record().cost, record().held);
  EXPECT_EQ(balance().spent, record().held);
  EXPECT_EQ(balance().held, NanoUsd(0));
}

TEST_F(RelayTest, ACallerWhoLeavesTakesTheProvidersConnectionAlong) {
  provider_says_ = {stream_head(),
                    chunk("data: {\"choices\":[{\"delta\":{\"content\":\"he\"}}]}\n\n"), "WAIT"};
  caller_leaves_at_ = "\"he\"";
  ask(kAskStream);
  EXPECT_TRUE(provider_was_left_);
  ASSERT_FALSE(records_.all.empty());
  EXPECT_TRUE(record().caller_left);
  EXPECT_EQ(record().cost_state, record::CostState::estimated);
}

TEST_F(RelayTest, APassingFailureOfTheProviderIsTriedAgainUnderAHoldOfItsOwn) {
  provider_says_first_ = {
      {json_answer(R"({"error":{"message":"overloaded"}})", "503 Service Unavailable")}};
  provider_says_ = {json_answer(kAnswer)};
  const std::string answer = ask(kAsk);
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 200 OK"));
  EXPECT_EQ(provider_requests_, 2);
  EXPECT_EQ(record().attempts, 2U);
  EXPECT_EQ(record().cost, NanoUsd(60'000));
  EXPECT_EQ(balance().spent, NanoUsd(60'000));
  EXPECT_EQ(balance().held, NanoUsd(0));
  EXPECT_EQ(record().error_code, "");
}

TEST_F(RelayTest, WhenAllAttemptsFailTheLastErrorIsToldWithWhatWasMetBefore) {
  provider_says_ = {
      json_answer(R"({"error":{"message":"overloaded"}})", "503 Service Unavailable")};
  const std::string answer = ask(kAsk);
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 503"));
  EXPECT_THAT(answer, HasSubstr("overloaded"));
  EXPECT_THAT(answer, HasSubstr("attempt 1 at box/m"));
  EXPECT_EQ(provider_requests_, 3);
  EXPECT_EQ(balance().spent, NanoUsd(0));
}

TEST_F(RelayTest, AVerdictStandsBesideTheProvidersErrorAndInTheRecord) {
  provider_says_ = {json_answer(
      R"({"error":{"message":"You have no credits left. Please top up.","code":"no_funds"}})",
      "429 Too Many Requests")};
  const std::string answer = ask(kAsk);
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 429"));
  EXPECT_THAT(answer, HasSubstr("x-claviger-fault: account"));
  EXPECT_THAT(answer, HasSubstr("x-should-retry: false"));
  EXPECT_THAT(answer, HasSubstr("\"cause\":\"credit_exhausted\""));
  EXPECT_THAT(answer, HasSubstr("top up"));
  EXPECT_EQ(record().error_code, "credit_exhausted");
  EXPECT_EQ(record().at_fault, "account");
  EXPECT_EQ(provider_requests_, 1);
  const record::Judgement judgement = record().judgement;
  EXPECT_EQ(judgement.retry, "no");
  EXPECT_GT(judgement.confidence_permille, 500);
  ASSERT_FALSE(judgement.suspects.empty());
  EXPECT_EQ(judgement.suspects[0].cause, "credit_exhausted");
  EXPECT_EQ(judgement.suspects[0].confidence_permille, judgement.confidence_permille);
  EXPECT_THAT(judgement.evidence, Contains("status: 429"));
  EXPECT_THAT(judgement.evidence, Contains("code: no_funds"));
}

TEST_F(RelayTest, AnAnswerThatWentWellHasNoJudgementOnRecord) {
  provider_says_ = {json_answer(kAnswer)};
  ask(kAsk);
  EXPECT_TRUE(record().judgement.is_empty());
}

TEST_F(RelayTest, AnErrorInsideAGoodStatusIsAnErrorAndCostsNothing) {
  provider_says_ = {json_answer(R"({"error":{"message":"invalid api key","code":401}})")};
  const std::string answer = ask(kAsk);
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 401"));
  EXPECT_THAT(answer, HasSubstr("x-claviger-fault: key"));
  EXPECT_EQ(balance().spent, NanoUsd(0));
}

TEST_F(RelayTest, ASignInPageIsNobodysAnswer) {
  provider_says_ = {
      "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 52\r\n\r\n"
      "<html><title>Hotel Wi-Fi</title><body>Sign in</html>"};
  const std::string answer = ask(kAsk);
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 502"));
  EXPECT_THAT(answer, HasSubstr("x-claviger-fault: network"));
  EXPECT_THAT(answer, testing::Not(HasSubstr("<html>")));
}

TEST_F(RelayTest, AnAliasFallsBackAlongItsListAndSaysWhoAnswered) {
  provider_says_first_ = {
      {json_answer(R"({"error":{"message":"no such model"}})", "401 Unauthorized")}};
  provider_says_ = {json_answer(kAnswer)};
  const std::string answer =
      ask(R"({"model":"fast","messages":[{"role":"user","content":"hi"}],"max_tokens":50})");
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 200 OK"));
  EXPECT_THAT(answer, HasSubstr("x-claviger-model: box/n"));
  EXPECT_THAT(provider_saw_, HasSubstr(R"("model":"n")"));
  EXPECT_EQ(record().model_asked, "fast");
  EXPECT_EQ(record().model, "box/n");
  EXPECT_EQ(balance().spent, NanoUsd(60'000));
}

TEST_F(RelayTest, APlaceThatFailedAgainAndAgainIsAskedLast) {
  const std::string refused =
      json_answer(R"({"error":{"message":"overloaded"}})", "503 Service Unavailable");
  const std::string good = json_answer(kAnswer);
  // The first of the list fails three times, and its stand-in answers each time.
  provider_says_first_ = {{refused}, {good}, {refused}, {good}, {refused}, {good}};
  provider_says_ = {good};
  const std::string ask_fast =
      R"({"model":"fast","messages":[{"role":"user","content":"hi"}],"max_tokens":50})";
  for (int i = 0; i < 3; ++i) EXPECT_THAT(ask(ask_fast), HasSubstr("x-claviger-model: box/n"));
  ask(ask_fast);
  EXPECT_EQ(record().attempts, 1U);
  EXPECT_EQ(record().model, "box/n");
}

constexpr std::string_view kGeminiPath = "/v1beta/models/box/m:generateContent";
const std::string kAskGemini =
    R"({"contents":[{"role":"user","parts":[{"text":"hi"}]}],"generationConfig":{"maxOutputTokens":50}})";

TEST_F(RelayTest, AGeminiCallerReachesAModelThatSpeaksOpenAi) {
  provider_says_ = {json_answer(kAnswer)};
  const std::string answer = ask(kAskGemini, std::string(kGeminiPath));
  EXPECT_THAT(provider_saw_, HasSubstr(R"("model":"m")"));
  EXPECT_THAT(provider_saw_, HasSubstr(R"("content":"hi")"));
  EXPECT_THAT(provider_saw_, HasSubstr(R"("max_tokens":50)"));
  EXPECT_THAT(answer, HasSubstr(R"("parts":[{"text":"hello"}])"));
  EXPECT_THAT(answer, HasSubstr(R"("finishReason":"STOP")"));
  EXPECT_THAT(answer, HasSubstr(R"("cost":0.00006)"));
  EXPECT_EQ(balance().spent, NanoUsd(60'000));
  EXPECT_EQ(record().model, "box/m");
}

TEST_F(RelayTest, AGeminiCallersStreamEndsWithItsCost) {
  provider_says_ = {
      stream_head(),
      chunk("data: {\"id\":\"x\",\"choices\":[{\"delta\":{\"content\":\"he\"}}]}\n\n"),
      chunk("data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}]}\n\n"),
      chunk("data: {\"choices\":[],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":5}}\n\n"
            "data: [DONE]\n\n"),
      "0\r\n\r\n"};
  const std::string answer =
      ask(kAskGemini, "/v1beta/models/box%2Fm:streamGenerateContent?alt=sse");
  EXPECT_THAT(answer, HasSubstr(R"("parts":[{"text":"he"}])"));
  EXPECT_THAT(answer, HasSubstr(R"("finishReason":"MAX_TOKENS")"));
  EXPECT_THAT(answer, HasSubstr(R"("cost":0.00006)"));
  EXPECT_THAT(answer, Not(HasSubstr("[DONE]")));
  EXPECT_TRUE(record().streamed);
}

TEST_F(RelayTest, AGeminiCallerIsToldErrorsInItsOwnDialect) {
  const std::string unknown = ask(kAskGemini, "/v1beta/models/box/none/such:generateContent");
  EXPECT_THAT(unknown, HasSubstr(R"("status":")"));
  EXPECT_THAT(unknown, HasSubstr(R"("claviger":{)"));
  const std::string no_sse = ask(kAskGemini, "/v1beta/models/box/m:streamGenerateContent");
  EXPECT_THAT(no_sse, HasSubstr("HTTP/1.1 400"));
  EXPECT_THAT(no_sse, HasSubstr("alt=sse"));
  EXPECT_EQ(provider_requests_, 0);
  EXPECT_EQ(balance().spent, NanoUsd(0));
}

TEST_F(RelayTest, TokensAreCountedForAGeminiCallerInItsOwnWords) {
  const std::string answer = ask(kAskGemini, "/v1beta/models/box/m:countTokens");
  EXPECT_THAT(answer, HasSubstr(R"("totalTokens":)"));
  EXPECT_EQ(provider_requests_, 0);
}

TEST_F(RelayTest, WhatMayHaveBeenBilledIsNotBoughtTwice) {
  provider_says_ = {
      "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 999\r\n\r\n{"};
  provider_closes_ = true;
  const std::string answer = ask(kAsk);
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 502"));
  EXPECT_EQ(provider_requests_, 1);
  EXPECT_EQ(balance().spent, record().held);
}

TEST_F(RelayTest, AProvidersErrorKeepsItsStatusAndWordsAndCostsNothing) {
  provider_says_ = {json_answer(
      R"({"error":{"message":"slow down","type":"rate_limit","code":"rate_limit_exceeded"}})",
      "429 Too Many Requests", "retry-after: 7\r\nx-ratelimit-remaining-requests: 0\r\n")};
  const std::string answer = ask(kAsk);
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 429"));
  EXPECT_THAT(answer, HasSubstr("slow down"));
  EXPECT_THAT(answer, HasSubstr(R"("claviger":)"));
  EXPECT_THAT(answer, HasSubstr("x-should-retry: true"));
  EXPECT_THAT(answer, HasSubstr("retry-after: 7"));
  EXPECT_THAT(answer, HasSubstr("x-ratelimit-remaining-requests: 0"));
  EXPECT_EQ(balance().spent, NanoUsd(0));
  EXPECT_EQ(balance().held, NanoUsd(0));
}

TEST_F(RelayTest, AnEdgesErrorPageCountsAsSpentUntilTheBillSaysOtherwise) {
  provider_says_ = {
      "HTTP/1.1 504 Gateway Timeout\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>"};
  const std::string answer = ask(kAsk);
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 504"));
  EXPECT_EQ(record().cost_state, record::CostState::estimated);
  EXPECT_EQ(balance().spent, record().held);
}

TEST_F(RelayTest, ImpossibleUsageIsQuarantinedAtTheHold) {
  provider_says_ = {
      json_answer(R"({"choices":[],"usage":{"prompt_tokens":-5,"completion_tokens":1}})")};
  ask(kAsk);
  EXPECT_EQ(record().cost_state, record::CostState::quarantined);
  EXPECT_EQ(balance().spent, record().held);
}

TEST_F(RelayTest, WhatDoesNotFitIsRefusedWithWhatWouldHelp) {
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

TEST_F(RelayTest, WhereMoneyIsShortACheaperModelOnTheOwnersListIsAsked) {
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

TEST_F(RelayTest, EachEndUserWhomAnApplicationNamesHasALimitOfTheirOwn) {
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

TEST_F(RelayTest, WhereNothingOnTheListFitsTheRefusalIsAboutWhatWasAskedFor) {
  limit(NanoUsd(1'000), budget::WhenExhausted::downgrade);
  downgrade_to_ = {"box/n", "nowhere/x"};
  publish();
  const std::string answer =
      ask(R"({"model":"box/m","messages":[{"role":"user","content":"hi"}],"max_tokens":50000})");
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 402"));
  EXPECT_THAT(answer, Not(HasSubstr("x-claviger-downgraded-from")));
  EXPECT_EQ(provider_requests_, 0);
}

TEST_F(RelayTest, AClampedBoundIsWrittenIntoTheProvidersRequest) {
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

TEST_F(RelayTest, NearTheCeilingTokensAreCountedWhereBytesDoNotFit) {
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

TEST_F(RelayTest, OfACutHoldMoreIsLeftForTheAnswerWhereTokensAreCounted) {
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

TEST_F(RelayTest, ARefusalThatComesBeforeTheRequestIsWholeIsPassedOn) {
  limit(dollars(1'000'000));
  publish();
  provider_answers_early_ = true;
  provider_says_ = {json_answer(R"({"error":{"message":"send less"}})", "413 Content Too Large",
                                "connection: close\r\n")};
  const std::string answer =
      ask(R"({"model":"box/m","messages":[{"role":"user","content":")" +
          std::string(std::size_t{20} << 20, 'x') + R"("}],"max_tokens":5})");
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 413"));
  EXPECT_THAT(answer, HasSubstr("send less"));
  EXPECT_EQ(balance().spent, NanoUsd(0));
  EXPECT_EQ(balance().held, NanoUsd(0));
  EXPECT_EQ(pool_.idle(), 0u);
}

TEST_F(RelayTest, WithoutABoundOfTheCallersOursIsWrittenIn) {
  provider_says_ = {json_answer(kAnswer)};
  ask(R"({"model":"box/m","messages":[]})");
  EXPECT_THAT(provider_saw_, HasSubstr("max_tokens"));
}

TEST_F(RelayTest, AModelWithoutAPriceIsRefused) {
  publish(std::nullopt);
  EXPECT_THAT(ask(kAsk), HasSubstr("cannot_be_priced"));
  EXPECT_EQ(provider_requests_, 0);
}

TEST_F(RelayTest, WhatNothingBoundsIsRefusedUnlessTheCredentialsOwnerAllowsIt) {
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

TEST_F(RelayTest, APriceThatChangesByTheHourIsHeldAtItsDearestAndSettledAtItsHour) {
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

TEST_F(RelayTest, StrangersAndStrangeRequestsAreRefusedBeforeAnythingIsSpent) {
  EXPECT_THAT(ask("not json"), HasSubstr("HTTP/1.1 400"));
  EXPECT_THAT(ask(R"({"model":"box/m","model":"box/n","messages":[]})"), HasSubstr("repeated_key"));
  EXPECT_THAT(ask(R"({"model":"nope","messages":[]})"), HasSubstr("unknown_model"));
  EXPECT_THAT(ask("{}", "/v1/nothing"), HasSubstr("HTTP/1.1 404"));
  EXPECT_THAT(ask("", "/v1/chat/completions", "GET"), HasSubstr("HTTP/1.1 405"));
  key_[10] = key_[10] == 'A' ? 'B' : 'A';
  EXPECT_THAT(ask(kAsk), HasSubstr("HTTP/1.1 401"));
  EXPECT_EQ(provider_requests_, 0);
  EXPECT_EQ(balance().spent, NanoUsd(0));
}

TEST_F(RelayTest, AKeyIsHeldToItsModelsAndItsPace) {
  models_ = {"other/*"};
  publish();
  EXPECT_THAT(ask(kAsk), HasSubstr("model_not_allowed"));
  models_ = {};
  pace_.requests_per_minute = 1;
  publish();
  provider_says_ = {json_answer(kAnswer)};
  EXPECT_THAT(ask(kAsk), HasSubstr("HTTP/1.1 200"));
  const std::string second = ask(kAsk);
  EXPECT_THAT(second, HasSubstr("HTTP/1.1 429"));
  EXPECT_THAT(second, HasSubstr("retry-after: "));
}

TEST_F(RelayTest, AnUnreachableProviderIsSaidAndCostsNothing) {
  provider_listener_.reset();
  provider_listener_ = net::Listener::open(reactor_, {.host = "127.0.0.1", .port = 0}).value();
  egress_.set_policy(std::make_shared<net::EgressPolicy>(
      net::EgressPolicy{.allow = {{"127.0.0.1", caller_listener_->port()}}}));
  const std::string answer = ask(kAsk);
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 403"));
  EXPECT_THAT(answer, HasSubstr("egress_refused"));
  EXPECT_EQ(balance().spent, NanoUsd(0));
  EXPECT_EQ(balance().held, NanoUsd(0));
}

TEST_F(RelayTest, ListsOnlyWhatTheKeyCanUse) {
  const std::string answer = ask("", "/v1/models", "GET");
  EXPECT_THAT(answer, HasSubstr(R"("id":"box/m")"));
  EXPECT_THAT(ask("", "/v1/models/box%2Fm", "GET"), HasSubstr(R"("id":"box/m")"));
  EXPECT_THAT(ask("", "/v1/models/unknown", "GET"), HasSubstr("HTTP/1.1 404"));
}

const std::string kMessages =
    R"({"model":"box/m","max_tokens":50,"system":"be kind","messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]})";
const std::string kMessagesStream =
    R"({"model":"box/m","max_tokens":50,"stream":true,"messages":[{"role":"user","content":"hi"}]})";

TEST_F(RelayTest, AnAnthropicCallerIsAnsweredByAnOpenAiProvider) {
  provider_says_ = {json_answer(kAnswer)};
  const std::string answer = ask(kMessages, "/v1/messages");
  EXPECT_EQ(
      provider_saw_,
      R"({"model":"m","messages":[{"role":"system","content":"be kind"},{"role":"user","content":"hi"}],"max_tokens":50})");
  EXPECT_EQ(provider_saw_target_, "/v1/chat/completions");
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 200 OK"));
  EXPECT_THAT(answer, HasSubstr(R"("content":[{"type":"text","text":"hello","citations":null}])"));
  EXPECT_THAT(answer, HasSubstr(R"("stop_reason":"end_turn")"));
  EXPECT_THAT(answer, HasSubstr(R"("input_tokens":10)"));
  EXPECT_THAT(answer, HasSubstr(R"("cost":0.00006)"));
  EXPECT_EQ(balance().spent, NanoUsd(60'000));
}

TEST_F(RelayTest, AnOpenAiStreamReachesAnAnthropicCallerInItsOwnEvents) {
  provider_says_ = {
      stream_head(),
      chunk("data: {\"id\":\"c1\",\"choices\":[{\"delta\":{\"content\":\"he\"}}]}\n\nda"),
      chunk("ta: {\"choices\":[{\"delta\":{\"content\":\"llo\"},\"finish_reason\":\"stop\"}]}\n\n"),
      chunk("data: {\"choices\":[],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":5}}\n\n"
            "data: [DONE]\n\n"),
      "0\r\n\r\n"};
  const std::string answer = ask(kMessagesStream, "/v1/messages");
  EXPECT_THAT(provider_saw_, HasSubstr(R"("stream_options":{"include_usage":true})"));
  EXPECT_THAT(answer, HasSubstr("event: message_start\ndata: "));
  EXPECT_THAT(answer, HasSubstr(R"("delta":{"type":"text_delta","text":"llo"})"));
  EXPECT_THAT(answer, HasSubstr(R"("stop_reason":"end_turn")"));
  EXPECT_THAT(answer, HasSubstr(R"("output_tokens":5,"cost":0.00006)"));
  EXPECT_THAT(answer, HasSubstr("event: message_stop"));
  EXPECT_THAT(answer, Not(HasSubstr("[DONE]")));
  EXPECT_EQ(balance().spent, NanoUsd(60'000));
}

TEST_F(RelayTest, ATranslatedStreamThatDiesEndsWithAnErrorOfTheCallersDialect) {
  provider_says_ = {stream_head(),
                    chunk("data: {\"choices\":[{\"delta\":{\"content\":\"he\"}}]}\n\n")};
  provider_closes_ = true;
  const std::string answer = ask(kMessagesStream, "/v1/messages");
  EXPECT_THAT(answer, HasSubstr(R"("text":"he")"));
  EXPECT_THAT(answer, HasSubstr("event: error\ndata: {\"type\":\"error\""));
  EXPECT_THAT(answer, HasSubstr("host_crashed"));
  EXPECT_THAT(answer, Not(HasSubstr("message_stop")));
  EXPECT_EQ(balance().spent, record().held);
}

/// One way in which a stream can go wrong, and what is said of it.
struct BrokenStream {
  std::string_view what;
  std::string bytes;
  std::string_view cause;
};

TEST_F(RelayTest, AStreamThatGoesWrongIsJudgedByTheEngineInEveryDialect) {
  const std::string begin = chunk("data: {\"choices\":[{\"delta\":{\"content\":\"he\"}}]}\n\n");
  const BrokenStream ways[] = {
      {"an event that is cut", "data: {\"choices\":[{\"del\n\n", "bad_provider_answer"},
      {"a page", "<html><body>502 Bad Gateway</body></html>\n\n", "bad_provider_answer"},
      {"an error in llama.cpp's form",
       "error: {\"code\":400,\"message\":\"the request exceeds the available context size\","
       "\"type\":\"exceed_context_size_error\"}\n\n",
       "context_overflow"},
      {"an error without framing",
       "{\"error\":{\"message\":\"Incorrect API key provided\",\"code\":\"invalid_api_key\"}}\n\n",
       "key_invalid"}};
  const std::pair<std::string, std::string> callers[] = {
      {kAskStream, "/v1/chat/completions"},
      {kMessagesStream, "/v1/messages"},
      {kAskGemini, "/v1beta/models/box%2Fm:streamGenerateContent?alt=sse"}};
  for (const BrokenStream& way : ways) {
    for (const auto& [body, path] : callers) {
      SCOPED_TRACE(fmt::format("{} at {}", way.what, path));
      provider_says_ = {stream_head(), begin, chunk(way.bytes), "0\r\n\r\n"};
      const std::string answer = ask(body, path);
      EXPECT_THAT(answer, HasSubstr("he"));
      EXPECT_THAT(answer, HasSubstr(fmt::format(R"("cause":"{}")", way.cause)));
      EXPECT_THAT(answer, HasSubstr("stage: stream"));
      EXPECT_THAT(answer, Not(HasSubstr("[DONE]")));
      EXPECT_THAT(answer, Not(HasSubstr("message_stop")));
      EXPECT_EQ(record().error_code, way.cause);
      EXPECT_FALSE(record().judgement.suspects.empty());
    }
  }
}

TEST_F(RelayTest, AWholeAnswerThatIsNoWholeJsonIsAnErrorAndNotPassedOn) {
  provider_says_ = {json_answer(R"({"choices":[{"message":{"content":"hel)")};
  const std::string answer = ask(kAsk);
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 502"));
  EXPECT_THAT(answer, HasSubstr("\"cause\":\"bad_provider_answer\""));
  EXPECT_THAT(record().judgement.evidence, Contains(HasSubstr("stage: body")));
  EXPECT_EQ(record().cost, record().held);
}

TEST_F(RelayTest, AnErrorInATranslatedStreamIsSaidAndNotDressedUp) {
  provider_says_ = {stream_head(),
                    chunk("data: {\"choices\":[{\"delta\":{\"content\":\"he\"}}]}\n\n"
                          "data: {\"error\":{\"message\":\"out of memory\",\"code\":\"oom\"}}\n\n"),
                    "0\r\n\r\n"};
  const std::string answer = ask(kMessagesStream, "/v1/messages");
  EXPECT_THAT(answer, HasSubstr(R"("text":"he")"));
  EXPECT_THAT(answer, HasSubstr("out of memory"));
  EXPECT_THAT(answer, Not(HasSubstr("message_stop")));
}

const std::string kOverloaded =
    "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\","
    "\"message\":\"Overloaded\"}}\n\n";
const std::string kClaudeStream =
    R"({"model":"cave/claude-x","max_tokens":50,"stream":true,"messages":[{"role":"user","content":"hi"}]})";

TEST_F(RelayTest, AnErrorInAStreamOfTheSameDialectKeepsItsType) {
  provider_says_ = {
      stream_head(),
      chunk("event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,"
            "\"delta\":{\"type\":\"text_delta\",\"text\":\"he\"}}\n\n" +
            kOverloaded),
      "0\r\n\r\n"};
  const std::string answer = ask(kClaudeStream, "/v1/messages");
  EXPECT_THAT(answer, HasSubstr("event: error\ndata: "));
  EXPECT_THAT(answer, HasSubstr("Overloaded"));
  EXPECT_THAT(answer, HasSubstr(R"("claviger":{)"));
}

TEST_F(RelayTest, AStreamThatFailsBeforeItsFirstWordIsAStatusAndCountsUntilItsBill) {
  provider_says_ = {
      stream_head(),
      chunk("event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\","
            "\"content\":[],\"usage\":{\"input_tokens\":9,\"output_tokens\":1}}}\n\n"
            "event: ping\ndata: {\"type\":\"ping\"}\n\n"),
      chunk(kOverloaded), "0\r\n\r\n"};
  const std::string answer = ask(kClaudeStream, "/v1/messages");
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 529"));
  EXPECT_THAT(answer, HasSubstr("overloaded_error"));
  EXPECT_THAT(answer, Not(HasSubstr("message_start")));
  EXPECT_EQ(record().cost_state, record::CostState::estimated);
  EXPECT_EQ(balance().spent, record().held);
}

TEST_F(RelayTest, AStreamThatEndsWithoutAWordIsNoAnswer) {
  provider_says_ = {
      stream_head(),
      chunk(": comment\n\n"
            "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"},"
            "\"finish_reason\":null}]}\n\ndata: [DONE]\n\n"),
      "0\r\n\r\n"};
  const std::string answer = ask(kAskStream);
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 502"));
  EXPECT_THAT(answer, HasSubstr("before it said anything"));
}

TEST_F(RelayTest, AnEventThatIsCutOffIsNotPassedOn) {
  provider_says_ = {stream_head(),
                    chunk("data: {\"choices\":[{\"delta\":{\"content\":\"he\"}}]}\n\n"
                          "data: {\"choices\":[{\"del\n\n"),
                    "0\r\n\r\n"};
  const std::string answer = ask(kAskStream);
  EXPECT_THAT(answer, HasSubstr(R"("content":"he")"));
  EXPECT_THAT(answer, HasSubstr("malformed event"));
  EXPECT_THAT(answer, Not(HasSubstr(R"({"choices":[{"del)"
                                    "\n")));
}

TEST_F(RelayTest, AnAnswerThatIsNoJsonIsNotPassedOn) {
  provider_says_ = {json_answer(R"({"choices":[{"message":{"content":"he)")};
  const std::string answer = ask(kAsk);
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 502"));
  EXPECT_THAT(answer, HasSubstr("bad_provider_answer"));
}

const std::string kClaudeSays =
    R"({"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[{"type":"thinking","thinking":"hm","signature":"SIG"},{"type":"text","text":"hello"},{"type":"tool_use","id":"t1","name":"f","input":{"a": 1.0}}],"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":4,"cache_read_input_tokens":6,"output_tokens":5},"new_field":[1,2]})";

TEST_F(RelayTest, AnOpenAiCallerIsAnsweredByAnAnthropicProvider) {
  provider_says_ = {json_answer(kClaudeSays)};
  const std::string answer = ask(
      R"({"model":"cave/claude-x","messages":[{"role":"system","content":"s"},{"role":"user","content":"hi"}],"max_tokens":50,"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}]})");
  EXPECT_EQ(
      provider_saw_,
      R"({"model":"claude-x","max_tokens":50,"system":[{"type":"text","text":"s"}],"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}],"tools":[{"name":"f","input_schema":{"type":"object"}}]})");
  EXPECT_EQ(provider_saw_version_, "2023-06-01");
  EXPECT_EQ(provider_saw_x_key_, "sk-ant-provider-key");
  EXPECT_EQ(provider_saw_target_, "/v1/v1/messages");
  EXPECT_THAT(answer, HasSubstr(R"("content":"hello")"));
  EXPECT_THAT(answer, HasSubstr(R"("arguments":"{\"a\": 1.0}")"));
  EXPECT_THAT(answer, HasSubstr(R"("finish_reason":"tool_calls")"));
  EXPECT_THAT(answer, HasSubstr(R"("signature":"SIG")"));
  EXPECT_THAT(answer, HasSubstr(R"("prompt_tokens":10)"));
  EXPECT_THAT(answer, HasSubstr(R"("cost":0.00006)"));
  EXPECT_EQ(balance().spent, NanoUsd(60'000));
}

const std::string kClaudeStreams =
    "event: message_start\ndata: "
    R"({"type":"message_start","message":{"id":"msg_1","model":"claude-x","usage":{"input_tokens":4,"cache_read_input_tokens":6,"output_tokens":1}}})"
    "\n\nevent: ping\ndata: {\"type\": \"ping\"}\n\n"
    "event: content_block_start\ndata: "
    R"({"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}})"
    "\n\nevent: content_block_delta\ndata: "
    R"({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hello"}})"
    "\n\nevent: content_block_stop\ndata: "
    R"({"type":"content_block_stop","index":0})"
    "\n\nevent: message_delta\ndata: "
    R"({"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":5}})"
    "\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

TEST_F(RelayTest, AnAnthropicStreamReachesAnOpenAiCallerAndBothCountsAreBilled) {
  provider_says_ = {stream_head(), chunk(kClaudeStreams), "0\r\n\r\n"};
  const std::string answer = ask(
      R"({"model":"cave/claude-x","messages":[{"role":"user","content":"hi"}],"max_tokens":50,"stream":true,"stream_options":{"include_usage":true}})");
  EXPECT_THAT(answer, HasSubstr(R"("delta":{"role":"assistant","content":"hello"})"));
  EXPECT_THAT(answer, HasSubstr(R"("finish_reason":"stop")"));
  EXPECT_THAT(answer, HasSubstr(R"("prompt_tokens":10,"completion_tokens":5)"));
  EXPECT_THAT(answer, HasSubstr(R"("cost":0.00006)"));
  EXPECT_THAT(answer, HasSubstr("data: [DONE]"));
  EXPECT_EQ(balance().spent, NanoUsd(60'000));
}

TEST_F(RelayTest, TheAnthropicDialectIsPassedOnByteForByteToAProviderThatSpeaksIt) {
  provider_says_ = {json_answer(kClaudeSays)};
  more_headers_ = "anthropic-version: 2026-10-21\r\n";
  const std::string answer = ask(
      R"({"model":"cave/claude-x", "max_tokens":50, "messages":[{"role":"user","content":"h\u00e9"}]})",
      "/v1/messages");
  EXPECT_EQ(
      provider_saw_,
      R"({"model":"claude-x", "max_tokens":50, "messages":[{"role":"user","content":"h\u00e9"}]})");
  EXPECT_EQ(provider_saw_version_, "2026-10-21");
  EXPECT_THAT(answer, HasSubstr(R"("new_field":[1,2])"));
  EXPECT_THAT(answer, HasSubstr(R"("input":{"a": 1.0})"));
  EXPECT_EQ(balance().spent, NanoUsd(60'000));
}

TEST_F(RelayTest, AnAnthropicStreamIsPassedOnWithTheCostInItsLastUsage) {
  provider_says_ = {stream_head(), chunk(kClaudeStreams), "0\r\n\r\n"};
  const std::string answer = ask(
      R"({"model":"cave/claude-x","max_tokens":50,"stream":true,"messages":[{"role":"user","content":"hi"}]})",
      "/v1/messages");
  EXPECT_THAT(answer, HasSubstr(R"("usage":{"output_tokens":5,"cost":0.00006})"));
  EXPECT_THAT(answer, HasSubstr("event: ping"));
  EXPECT_EQ(balance().spent, NanoUsd(60'000));
}

TEST_F(RelayTest, SoftFailuresAreMarkedWhateverCallerAndProviderSpeak) {
  const std::string to_claude =
      R"({"model":"cave/claude-x","max_tokens":50,"messages":[{"role":"user","content":"hi"}],"tools":[)";
  const std::string as_openai =
      to_claude + R"({"type":"function","function":{"name":"g","parameters":{"type":"object"}}}]})";
  const std::string as_anthropic = to_claude + R"({"name":"g","input_schema":{"type":"object"}}]})";
  provider_says_ = {json_answer(kClaudeSays)};  // It calls a tool "f".
  EXPECT_THAT(ask(as_openai), HasSubstr("HTTP/1.1 200"));
  EXPECT_EQ(record().soft_failures, "unknown_tool");
  EXPECT_THAT(ask(as_anthropic, "/v1/messages"), HasSubstr("HTTP/1.1 200"));
  EXPECT_EQ(record().soft_failures, "unknown_tool");

  std::string cut = kClaudeStreams;
  cut.replace(cut.find("end_turn"), 8, "max_tokens");
  provider_says_ = {stream_head(), chunk(cut), "0\r\n\r\n"};
  for (const auto& [path, request] :
       {std::pair<std::string, std::string>{"/v1/messages", as_anthropic},
        {"/v1/chat/completions", as_openai}}) {
    const std::string answer = ask(R"({"stream":true,)" + request.substr(1), path);
    EXPECT_THAT(answer, HasSubstr("hello"));
    EXPECT_EQ(record().soft_failures, "cut_by_length") << path;
    EXPECT_EQ(record().at_fault, "");
  }

  provider_says_ = {json_answer(
      R"({"choices":[{"message":{"role":"assistant","content":""},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":0}})")};
  for (const auto& [path, request] :
       {std::pair<std::string, std::string>{"/v1/messages", kMessages},
        {std::string(kGeminiPath), kAskGemini}}) {
    EXPECT_THAT(ask(request, path), HasSubstr("HTTP/1.1 200"));
    EXPECT_EQ(record().soft_failures, "empty_output") << path;
  }
  EXPECT_THAT(
      metrics_.render(),
      HasSubstr(R"(claviger_soft_failures_total{kind="cut_by_length",model="cave/claude-x"} 2)"));
}

TEST_F(RelayTest, WhatATargetCannotExpressIsRefusedByNameAndCostsNothing) {
  provider_says_ = {json_answer(kClaudeSays)};
  const std::string ask_for_seed =
      R"({"model":"cave/claude-x","messages":[{"role":"user","content":"hi"}],"max_tokens":50,"seed":7})";
  const std::string refused = ask(ask_for_seed);
  EXPECT_THAT(refused, HasSubstr("HTTP/1.1 422"));
  EXPECT_THAT(refused, HasSubstr(R"("code":"not_expressible")"));
  EXPECT_THAT(refused, HasSubstr(R"("param":"seed")"));
  EXPECT_EQ(provider_requests_, 0);
  EXPECT_EQ(balance().held, NanoUsd(0));

  more_headers_ = "x-claviger-allow-drops: seed\r\n";
  const std::string dropped = ask(ask_for_seed);
  EXPECT_THAT(dropped, HasSubstr("HTTP/1.1 200"));
  EXPECT_THAT(dropped, HasSubstr("x-claviger-dropped: seed"));
  EXPECT_THAT(provider_saw_, Not(HasSubstr("seed")));
}

TEST_F(RelayTest, AProvidersErrorReachesTheOtherDialectInItsOwnShape) {
  provider_says_ = {
      json_answer(R"({"error":{"message":"no such tool","code":"x"}})", "400 Bad Request")};
  const std::string answer = ask(kMessages, "/v1/messages");
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 400"));
  EXPECT_THAT(answer, HasSubstr(R"({"type":"error","error":{"type":"invalid_request_error")"));
  EXPECT_THAT(answer, HasSubstr("no such tool"));
  EXPECT_THAT(answer, HasSubstr(R"("claviger":{"request_id")"));
}

TEST_F(RelayTest, TokensAreCountedByAnEstimateThatSaysSoWhereTheProviderCannot) {
  const std::string answer = ask(R"({"model":"box/m","messages":[{"role":"user","content":"hi"}]})",
                                 "/v1/messages/count_tokens");
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 200"));
  EXPECT_THAT(answer, HasSubstr(R"("input_tokens":)"));
  EXPECT_THAT(answer, HasSubstr(R"("counted_by":"estimate")"));
  EXPECT_EQ(provider_requests_, 0);
  EXPECT_EQ(balance().spent, NanoUsd(0));
  EXPECT_EQ(balance().held, NanoUsd(0));
}

TEST_F(RelayTest, CountingCostsNothingWhateverItsAnswerSaysAndWithoutAPrice) {
  for (const auto& price : {std::optional(test_price()), std::optional<catalog::Price>()}) {
    publish(price);
    provider_says_ = {
        json_answer(R"({"input_tokens":5,"usage":{"input_tokens":5,"output_tokens":900}})")};
    const std::string answer =
        ask(R"({"model":"cave/claude-x","messages":[{"role":"user","content":"hi"}]})",
            "/v1/messages/count_tokens");
    EXPECT_THAT(answer, HasSubstr("HTTP/1.1 200"));
    EXPECT_EQ(record().cost, NanoUsd(0));
    EXPECT_EQ(balance().spent, NanoUsd(0));
  }
  EXPECT_EQ(provider_requests_, 2);
}

TEST_F(RelayTest, ModelsAreListedInTheDialectOfWhoeverAsks) {
  more_headers_ = "anthropic-version: 2023-06-01\r\n";
  EXPECT_THAT(ask("", "/v1/models", "GET"), HasSubstr(R"("has_more":false)"));
  more_headers_.clear();
  EXPECT_THAT(ask("", "/v1/models", "GET"), HasSubstr(R"("object":"list")"));
}

}  // namespace
}  // namespace claviger::relay

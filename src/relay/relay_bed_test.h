#pragma once

/// The way of a request, whole: a caller and a provider on loopback, everything between them
/// real but the store. Each test says what the provider answers and looks at what the caller
/// reads, what the ledger says and what was recorded.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "access/key_format.h"
#include "budget/memory_ledger.h"
#include "data/providers_toml.h"
#include "net/listener.h"
#include "relay/relay.h"

namespace claviger::relay {

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

/// What the store knows of past requests, and what was said of them.
class HistoryDouble final : public History {
 public:
  Task<record::Result<PastRequest>> find(RequestId id) override {
    if (is_broken) co_return std::unexpected(record::RecordError::unavailable);
    if (past.record.id != id) co_return std::unexpected(record::RecordError::not_found);
    co_return past;
  }
  Task<record::Result<void>> keep(record::Feedback feedback) override {
    if (is_full) co_return std::unexpected(record::RecordError::unavailable);
    kept.push_back(std::move(feedback));
    co_return record::Result<void>{};
  }
  PastRequest past;
  std::vector<record::Feedback> kept;
  bool is_broken = false;  ///< It finds nothing,
  bool is_full = false;    ///< or takes nothing.
};

/// Of the provider `box`; it must reach nobody else.
inline constexpr std::string_view kProviderKey = "sk-provider-key";

/// One model, `box/m`: $1 per million input tokens, $10 per million output tokens.
inline catalog::Price test_price() {
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

  void publish(const std::optional<catalog::Price>& price = test_price()) {
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
                       .key = Secret::copy_of(kProviderKey)});
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
      if (errand_) {
        co_await relay_.serve_errand(connection, *target, *errand_);
      } else {
        co_await relay_.serve(connection, *target);
      }
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
    (void)recorder_.flush();
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
  HistoryDouble history_;
  std::optional<Errand> errand_;  ///< What is asked is asked in this key's place.
  Relay relay_{{.reactor = reactor_,
                .pool = pool_,
                .ledger = ledger_,
                .recorder = recorder_,
                .metrics = metrics_,
                .runner = nullptr,
                .history = &history_},
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

inline const std::string kAsk =
    R"({"model":"box/m","messages":[{"role":"user","content":"hi"}],"max_tokens":50})";
inline const std::string kAskStream =
    R"({"model":"box/m","messages":[{"role":"user","content":"hi"}],"max_tokens":50,"stream":true})";
inline const std::string kAnswer =
    R"({"id":"x","choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15},"new_field":[1,2]})";
inline const std::string kMessages =
    R"({"model":"box/m","max_tokens":50,"system":"be kind","messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]})";
inline const std::string kMessagesStream =
    R"({"model":"box/m","max_tokens":50,"stream":true,"messages":[{"role":"user","content":"hi"}]})";
inline constexpr std::string_view kGeminiPath = "/v1beta/models/box/m:generateContent";
inline const std::string kAskGemini =
    R"({"contents":[{"role":"user","parts":[{"text":"hi"}]}],"generationConfig":{"maxOutputTokens":50}})";

}  // namespace claviger::relay

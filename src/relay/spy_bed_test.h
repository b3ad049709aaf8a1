#pragma once

/// What tests of the relay's money stand on: a caller and a provider on loopback, a ledger and a
/// provider that both write down what happens to them, in one list, and a local model whose
/// runner is the same provider behind a socket of its own.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>
#include <deque>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "access/key_format.h"
#include "base/secret.h"
#include "budget/memory_ledger.h"
#include "budget/scratch_folder.h"
#include "net/listener.h"
#include "relay/relay.h"

namespace claviger::relay {

using namespace std::chrono_literals;

/// One thing that happened, in the order in which it did.
struct Happened {
  enum class What : std::uint8_t {
    held,           ///< The ledger granted a hold.
    refused,        ///< It did not.
    settled,        ///< A hold was settled.
    provider_byte,  ///< The first byte of a request arrived at the provider.
    provider_left,  ///< The provider saw its connection end.
    caller_left,
  } what;
  AttemptId attempt{};
  Instant at{};
};

class SpyLedger final : public budget::Ledger {
 public:
  SpyLedger(budget::Ledger& real, std::vector<Happened>& log) : real_(real), log_(log) {}

  Task<budget::Result<budget::Grant>> reserve(budget::Reservation reservation) override {
    const AttemptId attempt = reservation.attempt;
    auto grant = co_await real_.reserve(reservation);
    log_.push_back({grant ? Happened::What::held : Happened::What::refused, attempt});
    if (grant) last_grant = grant->amount;
    co_return grant;
  }
  Task<budget::Result<budget::Receipt>> settle(budget::HoldId hold, NanoUsd cost,
                                               budget::Certainty certainty) override {
    log_.push_back({Happened::What::settled, hold.attempt});
    return real_.settle(hold, cost, certainty);
  }
  Task<budget::Result<budget::Receipt>> settle_forgotten(budget::HoldId hold,
                                                         budget::BudgetSet budgets, NanoUsd cost,
                                                         budget::Certainty certainty) override {
    log_.push_back({Happened::What::settled, hold.attempt});
    last_cost = cost;
    return real_.settle_forgotten(hold, budgets, cost, certainty);
  }
  Task<budget::Result<std::vector<budget::AttemptMoney>>> attempts(RequestId request) override {
    return real_.attempts(request);
  }
  Task<budget::Result<budget::Receipt>> correct(budget::HoldId hold, NanoUsd cost,
                                                budget::CorrectionNote note) override {
    return real_.correct(hold, cost, std::move(note));
  }
  Task<budget::Result<std::vector<budget::CorrectionEntry>>> corrections(
      WallTime since, std::size_t most) override {
    return real_.corrections(since, most);
  }
  Task<budget::Result<std::vector<budget::UncertainCost>>> uncertain(std::size_t most) override {
    return real_.uncertain(most);
  }
  Task<budget::Result<void>> set_terms(budget::BudgetTerms terms) override {
    return real_.set_terms(std::move(terms));
  }
  Task<budget::Result<void>> remove(BudgetId budget) override { return real_.remove(budget); }
  Task<budget::Result<void>> set_rule(budget::BudgetTerms terms) override {
    return real_.set_rule(std::move(terms));
  }
  Task<budget::Result<BudgetId>> budget_of(budget::EndUser user) override {
    return real_.budget_of(std::move(user));
  }
  Task<budget::Result<budget::Balance>> balance(BudgetId budget) override {
    return real_.balance(budget);
  }

  NanoUsd last_grant;
  NanoUsd last_cost;

 private:
  budget::Ledger& real_;
  std::vector<Happened>& log_;
};

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

/// A runner that is the provider of the bed, or that throws.
class SpyRunner final : public route::Runner {
 public:
  Task<std::expected<route::RunnerLease, route::RunnerFailure>> acquire(LocalModelId,
                                                                        Deadline) override {
    if (throws) throw std::bad_alloc();
    co_return route::RunnerLease(socket_path, std::make_shared<Secret>(Secret::copy_of("token")),
                                 [] {});
  }
  std::string socket_path;
  bool throws = false;
};

class SpyBed : public ::testing::Test {
 protected:
  static constexpr BudgetId kBudget{1};
  using What = Happened::What;

  /// Pieces that the provider sends one after the other. "WAIT": nothing more, until it is left.
  struct Script {
    std::vector<std::string> pieces;
    bool closes = false;  ///< Behind the last piece.
  };

  void SetUp() override {
    runner_.socket_path = folder_.path() + "/runner";
    provider_listener_ = net::Listener::open(reactor_, {.host = "127.0.0.1", .port = 0}).value();
    runner_listener_ = net::Listener::open(reactor_, {.unix_path = runner_.socket_path}).value();
    caller_listener_ = net::Listener::open(reactor_, {.host = "127.0.0.1", .port = 0}).value();
    auto policy = std::make_shared<net::EgressPolicy>();
    policy->allow = {{"127.0.0.1", provider_listener_->port()},
                     {"127.0.0.1", caller_listener_->port()}};
    egress_.set_policy(policy);
    limit(dollars(1));
    publish();
    const auto provider = [this](net::Stream s) { spawn(play_provider(std::move(s))); };
    spawn(provider_listener_->run(provider));
    spawn(runner_listener_->run(provider));
    spawn(caller_listener_->run([this](net::Stream s) { spawn(play_claviger(std::move(s))); }));
  }

  void TearDown() override {
    spawn([](SpyBed& t) -> Task<void> {
      co_await resume_on{t.reactor_};
      t.provider_listener_->stop();
      t.runner_listener_->stop();
      t.caller_listener_->stop();
      t.pool_.close_idle();
      for (int i = 0; i < 3; ++i) co_await t.reactor_.sleep_until(t.reactor_.after(1ms));
      t.reactor_.stop();
    }(*this));
    reactor_.run();
  }

  void limit(NanoUsd amount, budget::WhenExhausted when_exhausted = budget::WhenExhausted::refuse) {
    terms_ = {.id = kBudget,
              .limit = amount,
              .period = budget::Period::total,
              .when_exhausted = when_exhausted};
    ASSERT_TRUE(run(memory_.set_terms(terms_)));
  }

  /// `box/m` at the provider and `local/m` at the runner: $1 per million input tokens, $10 per
  /// million output tokens.
  void publish() {
    auto hash_key = std::make_shared<Secret>(Secret::of_size(32));
    access::NewKey key = access::make_key(access::KeyType::virtual_key, *hash_key);
    key_ = key.text.reveal();
    access::VirtualKey known;
    known.id = VirtualKeyId{1};
    known.hash = key.hash;
    known.owner = OwnerId{1};
    known.app = AppId{1};
    known.owner_name = "ada";
    known.pace = std::make_shared<access::Pace>();
    auto world = std::make_shared<Snapshot>();
    world->directory = std::make_shared<access::Directory>(
        std::vector<access::Owner>{{.id = OwnerId{1}, .name = "ada"}},
        std::vector<access::App>{{.id = AppId{1}, .name = "app"}},
        std::vector<access::VirtualKey>{known}, std::vector<access::AdminKey>{}, hash_key);
    const std::string base_url =
        "http://127.0.0.1:" + std::to_string(provider_listener_->port()) + "/v1";
    std::vector<vault::OpenCredentials::Entry> entries;
    entries.push_back({.about = {.id = CredentialId{1},
                                 .owner = OwnerId{1},
                                 .provider = provider_,
                                 .name = "box",
                                 .base_url = base_url,
                                 .disabled = is_credential_disabled_},
                       .key = Secret::copy_of("sk-provider-key")});
    world->credentials = std::make_shared<vault::OpenCredentials>(std::move(entries));
    catalog::Price price;
    price.input = price.cached_input = price.cache_write = price.cache_write_1h =
        PicoUsdPerUnit{1'000'000};
    price.output = PicoUsdPerUnit{10'000'000};
    price.source = "owner";
    std::vector<route::StatedPrice> prices;
    for (const char* const model : {"box/m", "local/m"}) {
      prices.push_back({.owner = OwnerId{1},
                        .model = model,
                        .price = std::make_shared<const catalog::Price>(price)});
    }
    world->routes = std::make_shared<route::Table>(
        std::vector<route::Place>{{.credential = CredentialId{1},
                                   .owner = OwnerId{1},
                                   .provider = provider_,
                                   .name = "box",
                                   .base_url = base_url,
                                   .is_own_endpoint = true}},
        std::vector<route::LocalPlace>{{.model = LocalModelId{1},
                                        .owner = OwnerId{1},
                                        .name = "m",
                                        .context_tokens_max = 100'000}},
        prices, catalog::PriceBook::embedded(), std::vector<route::Alias>{});
    world->budgets = std::make_shared<budget::BudgetBook>(
        std::vector<budget::Budget>{{.terms = terms_, .scope = budget::Scope::workspace}});
    world->profiles = provider::Profiles::embedded();
    relay_.set_world(world);
  }

  /// Reads raw bytes, so that not one of them comes unseen.
  Task<void> play_provider(net::Stream stream) {
    std::string received;
    char piece[16384];
    for (;;) {
      const auto count = co_await stream.read_some(piece, reactor_.after(10s));
      if (!count) break;
      if (received.empty()) log_.push_back({What::provider_byte, {}, clock_.now()});
      received.append(piece, *count);
      if (!is_whole_request(received)) continue;
      provider_saw_ = std::exchange(received, {});
      const Script script = take_script();
      for (const std::string& bytes : script.pieces) {
        if (bytes == "WAIT") {
          (void)co_await stream.read_some(piece, reactor_.after(10s));
          log_.push_back({What::provider_left, {}, clock_.now()});
          co_return;
        }
        if (!co_await stream.write_all(bytes, reactor_.after(10s))) {
          log_.push_back({What::provider_left, {}, clock_.now()});
          co_return;
        }
        co_await reactor_.sleep_until(reactor_.after(1ms));
      }
      if (script.closes) co_return;
    }
  }

  static bool is_whole_request(std::string_view bytes) {
    const std::size_t head = bytes.find("\r\n\r\n");
    if (head == std::string_view::npos) return false;
    constexpr std::string_view kLength = "content-length: ";
    const std::size_t at = bytes.find(kLength);
    if (at > head) return false;
    std::size_t length = 0;
    std::from_chars(bytes.data() + at + kLength.size(), bytes.data() + head, length);
    return bytes.size() >= head + 4 + length;
  }

  Script take_script() {
    if (scripts_.size() <= 1) return scripts_.empty() ? Script{} : scripts_.front();
    Script script = std::move(scripts_.front());
    scripts_.pop_front();
    return script;
  }

  Task<void> play_claviger(net::Stream stream) {
    net::ServerConnection connection(std::move(stream), caller_limits_, date_line_);
    try {
      while (connection.keeps_open() && co_await connection.read_head()) {
        const auto target = net::http::split_target(connection.head().target);
        co_await relay_.serve(connection, *target);
        connection.release_request();
      }
    } catch (const std::exception&) {
      has_thrown_ = true;
    }
    co_await connection.linger();
  }

  /// Sends one request and reads the answer: whole, or until `leaves_at` has been read.
  std::string ask(const std::string& path, const std::string& body,
                  const std::string& leaves_at = "") {
    log_.clear();
    std::string answer;
    const std::string request =
        "POST " + path + " HTTP/1.1\r\nhost: x\r\nauthorization: Bearer " + key_ +
        "\r\ncontent-type: application/json\r\ncontent-length: " + std::to_string(body.size()) +
        "\r\nconnection: close\r\n\r\n" + body;
    spawn([](SpyBed& t, const std::string& bytes, const std::string& stop_at,
             std::string& out) -> Task<void> {
      co_await resume_on{t.reactor_};
      auto stream = co_await t.egress_.connect(
          t.reactor_, {.host = "127.0.0.1", .port = t.caller_listener_->port()},
          t.reactor_.after(5s));
      (void)co_await stream->write_all(bytes, t.reactor_.after(5s));
      char piece[8192];
      while (stop_at.empty() || out.find(stop_at) == std::string::npos) {
        const auto count = co_await stream->read_some(
            piece, stop_at == "AT ONCE" ? t.reactor_.after(20ms) : t.reactor_.after(5s));
        if (!count) break;
        out.append(piece, *count);
      }
      t.log_.push_back({What::caller_left, {}, t.clock_.now()});
      stream->close();
      co_await t.reactor_.sleep_until(t.reactor_.after(120ms));
      t.reactor_.stop();
    }(*this, request, leaves_at, answer));
    reactor_.run();
    recorder_.flush();
    return answer;
  }

  std::size_t times(What what) const {
    return static_cast<std::size_t>(std::ranges::count(log_, what, &Happened::what));
  }
  const Happened* first(What what) const {
    const auto found = std::ranges::find(log_, what, &Happened::what);
    return found == log_.end() ? nullptr : &*found;
  }

  const record::Record& record() const { return records_.all.back(); }
  budget::Balance balance() { return run(memory_.balance(kBudget)).value(); }

  static std::string whole(const std::string& body, const std::string& status = "200 OK") {
    return "HTTP/1.1 " + status +
           "\r\ncontent-type: application/json\r\ncontent-length: " + std::to_string(body.size()) +
           "\r\n\r\n" + body;
  }
  static std::string stream_head() {
    return "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: "
           "chunked\r\n\r\n";
  }
  static std::string chunk(const std::string& bytes) {
    return std::string(net::http::ChunkHead(bytes.size()).text()) + bytes + "\r\n";
  }
  static std::string event(const std::string& json) { return chunk("data: " + json + "\n\n"); }
  static std::string last_chunk() { return "0\r\n\r\n"; }

  SystemClock clock_;
  budget::ScratchFolder folder_;
  net::Reactor reactor_{clock_};
  net::Resolver resolver_{clock_};
  net::Egress egress_{resolver_, nullptr};
  net::ProviderPool pool_{reactor_, egress_};
  net::ServerLimits caller_limits_;
  net::http::DateLine date_line_;
  std::vector<Happened> log_;
  budget::MemoryLedger memory_{clock_};
  SpyLedger ledger_{memory_, log_};
  budget::BudgetTerms terms_;
  KeptRecords records_;
  record::Recorder recorder_{records_, {}};
  record::Metrics metrics_{{.version = "test", .revision = ""}};
  SpyRunner runner_;
  Limits limits_;
  Relay relay_{{.reactor = reactor_,
                .pool = pool_,
                .ledger = ledger_,
                .recorder = recorder_,
                .metrics = metrics_,
                .runner = &runner_,
                .history = nullptr},
               limits_};
  std::unique_ptr<net::Listener> provider_listener_;
  std::unique_ptr<net::Listener> runner_listener_;
  std::unique_ptr<net::Listener> caller_listener_;
  std::string provider_ = "openai-compatible";
  bool is_credential_disabled_ = false;
  std::string key_;
  std::deque<Script> scripts_;  ///< The last one stays.
  std::string provider_saw_;
  bool has_thrown_ = false;
};

}  // namespace claviger::relay

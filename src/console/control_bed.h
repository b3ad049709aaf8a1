#pragma once

/// For tests: a Control over SQLite in memory and a ledger in memory, and what it published.

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "alert/alerts.h"
#include "budget/memory_ledger.h"
#include "console/block_on.h"
#include "console/control.h"
#include "store/sqlite/access_store.h"
#include "store/sqlite/alert_store.h"
#include "store/sqlite/alias_store.h"
#include "store/sqlite/budget_store.h"
#include "store/sqlite/content_store.h"
#include "store/sqlite/egress_allowance_store.h"
#include "store/sqlite/feedback_store.h"
#include "store/sqlite/key_history_store.h"
#include "store/sqlite/local_model_store.h"
#include "store/sqlite/price_store.h"
#include "store/sqlite/record_store.h"
#include "store/sqlite/shared_page_store.h"
#include "store/sqlite/vault_store.h"
#include "vault/root_key.h"

namespace claviger::console {

class OperationsDouble final : public Operations {
 public:
  std::expected<std::vector<std::string>, std::string> reload_config() override {
    if (!fault.empty()) return std::unexpected(fault);
    return std::vector<std::string>{"log.level is debug now"};
  }
  std::expected<void, std::string> check_config() override { return outcome(); }
  std::expected<void, std::string> backup_to(const std::string& file) override {
    backup_file = file;
    return outcome();
  }
  std::expected<void, std::string> rotate_root_key() override { return outcome(); }
  bool are_keys_disabled() override { return keys_disabled; }
  void confirm_clock() override { ++clock_confirmations; }
  int clock_confirmations = 0;
  std::expected<void, std::string> confirm_keys() override {
    keys_disabled = false;
    return outcome();
  }
  std::vector<Finding> examine() override {
    return {{.level = Finding::Level::problem,
             .subject = "sandbox: landlock",
             .message = "the kernel has none"}};
  }
  Status status() override {
    return {.version = "1.2.3",
            .home = "/home/x/.claviger",
            .listening = {"http://127.0.0.1:8484"},
            .started_at = WallTime{std::chrono::days{20000}},
            .process_id = 42,
            .open_connections = 7};
  }

  std::string fault;
  std::string backup_file;
  bool keys_disabled = false;

 private:
  std::expected<void, std::string> outcome() const {
    if (!fault.empty()) return std::unexpected(fault);
    return {};
  }
};

/// What the control API said.
struct Said {
  int status = 0;
  std::string text;
  boost::json::value value;

  std::string member(const char* name) const {
    const auto* const found = value.is_object() ? value.get_object().if_contains(name) : nullptr;
    if (found == nullptr) return "(absent)";
    return found->is_string() ? std::string(found->get_string()) : boost::json::serialize(*found);
  }
  std::string error(const char* name) const {
    boost::json::error_code ignored;
    const auto* const found = value.find_pointer(std::string("/error/") + name, ignored);
    return found == nullptr ? "(absent)" : std::string(found->get_string());
  }
  std::size_t count() const { return value.at("data").get_array().size(); }
};

/// Notes what it is to deliver, and says what the test says.
class DelivererDouble final : public alert::Deliverer {
 public:
  Task<alert::DeliveryOutcome> deliver(alert::Channel channel, alert::Message message,
                                       Deadline) override {
    delivered.emplace_back(channel.target, std::move(message));
    co_return outcome;
  }
  alert::DeliveryOutcome outcome{.result = alert::DeliveryOutcome::Result::delivered};
  std::vector<std::pair<std::string, alert::Message>> delivered;
};

class ControlBed : public ::testing::Test {
 protected:
  explicit ControlBed(budget::Ledger* ledger = nullptr)
      : ledger_used_(ledger == nullptr ? memory_ledger_ : *ledger) {}

  void SetUp() override {
    ASSERT_TRUE(store::migrate(database_));
    ASSERT_TRUE(store::migrate(recorder_database_));
    make_control();
    const auto started = control_->start();
    ASSERT_TRUE(started) << started.error();
  }

  void make_control() {
    control_ = std::make_unique<Control>(
        Control::Parts{.clock = clock_,
                       .access = access_,
                       .vault = vault_,
                       .budgets = budgets_,
                       .ledger = ledger_used_,
                       .prices = prices_,
                       .aliases = aliases_,
                       .alerts = alerts_,
                       .local_models = local_models_,
                       .egress_allowances = allowances_,
                       .records = records_,
                       .feedback = feedback_,
                       .contents = contents_,
                       .shares = shares_,
                       .weather = weather_,
                       .keys = keys_,
                       .key_histories = key_histories_,
                       .recorder = recorder_,
                       .book = catalog::PriceBook::embedded(),
                       .profiles = provider::Profiles::embedded(),
                       .runner = nullptr,
                       .egress = egress_,
                       .errands = errands_,
                       .operations = operations_,
                       .publish = [this](auto world, auto opened, auto models) {
                         world_ = std::move(world);
                         opened_ = std::move(opened);
                         models_ = std::move(models);
                         ++publications_;
                       }});
  }

  Said said_by(ControlAnswer answer) {
    Said said{.status = answer.status, .text = std::move(answer.body), .value = nullptr};
    boost::json::error_code error;
    said.value = boost::json::parse(said.text, error);
    EXPECT_FALSE(error) << "no JSON: " << said.text;
    return said;
  }

  /// `target` may have a query.
  Said ask(std::string_view method, std::string_view target, std::string_view body = {}) {
    const std::size_t mark = target.find('?');
    return said_by(block_on(control_->handle(
        {.method = std::string(method),
         .path = std::string(target.substr(0, mark)),
         .query = mark == std::string_view::npos ? "" : std::string(target.substr(mark + 1)),
         .body = std::string(body),
         .who = "test"})));
  }
  Said must(std::string_view method, std::string_view target, std::string_view body = {}) {
    Said said = ask(method, target, body);
    EXPECT_TRUE(said.status == 200 || said.status == 201) << target << ": " << said.text;
    return said;
  }

  void add_alice_and_notes() {
    must("POST", "/owners", R"({"name":"alice"})");
    must("POST", "/apps", R"({"name":"notes"})");
  }
  /// The id of the budget.
  std::string set_budget(std::string_view scope, std::string_view limit,
                         std::string_view period = "month") {
    return must("POST", "/budgets",
                R"({"scope":")" + std::string(scope) + R"(","limit_usd":")" + std::string(limit) +
                    R"(","per":")" + std::string(period) + R"("})")
        .member("id");
  }

  static store::Database open_in_memory() {
    return std::move(*store::Database::open(":memory:", store::Database::Mode::create));
  }

  ManualClock clock_;
  store::Database database_ = open_in_memory();
  store::Database recorder_database_ = open_in_memory();
  store::SqliteAccessStore access_{database_};
  store::SqliteVaultStore vault_store_{database_};
  store::SqliteBudgetStore budgets_{database_};
  store::SqliteOwnerPriceStore prices_{database_};
  store::SqliteAliasStore aliases_{database_};
  store::SqliteAlertStore alert_store_{database_};
  store::SqliteLocalModelStore local_models_{database_};
  store::SqliteEgressAllowanceStore allowances_{database_};
  store::SqliteRecordStore records_{database_};
  store::SqliteFeedbackStore feedback_{database_};
  store::SqliteContentStore content_store_{database_};
  store::SqliteSharedPageStore shares_{database_};
  record::ContentKeeper contents_{clock_, content_store_, vault::ContentBox::of_this_process()};
  record::Weather weather_;
  record::KeyHistories keys_;
  store::SqliteKeyHistoryStore key_histories_{database_};
  /// The recorder writes on a thread of its own, so it has a database of its own here.
  store::SqliteRecordStore recorded_{recorder_database_};
  record::Recorder recorder_{recorded_, record::Recorder::Options{}};
  vault::Vault vault_{vault_store_, vault::RootKey::generate()};
  budget::MemoryLedger memory_ledger_{clock_};
  budget::Ledger& ledger_used_;
  net::Resolver resolver_{clock_};
  net::Egress egress_{resolver_, nullptr};
  Errands* errands_ = nullptr;
  OperationsDouble operations_;
  DelivererDouble deliverer_;
  alert::Inbox inbox_;
  alert::Alerts alerts_{{.clock = clock_,
                         .store = alert_store_,
                         .ledger = ledger_used_,
                         .deliverer = deliverer_,
                         .inbox = inbox_}};

  std::shared_ptr<const relay::Snapshot> world_;
  std::vector<net::EgressAllowance> opened_;
  std::vector<local::LocalModel> models_;
  int publications_ = 0;
  std::unique_ptr<Control> control_;
};

}  // namespace claviger::console

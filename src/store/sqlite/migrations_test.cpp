#include "store/sqlite/migrations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "data/golden_0001.h"
#include "data/golden_0003.h"
#include "data/golden_0004.h"
#include "data/golden_0005.h"
#include "data/golden_0006.h"
#include "data/golden_0008.h"
#include "data/golden_0009.h"
#include "data/golden_0010.h"
#include "data/golden_0011.h"
#include "data/golden_0012.h"
#include "data/golden_0013.h"
#include "data/golden_0014.h"
#include "store/sqlite/access_store.h"
#include "store/sqlite/alert_store.h"
#include "store/sqlite/alias_store.h"
#include "store/sqlite/budget_store.h"
#include "store/sqlite/feedback_store.h"
#include "store/sqlite/key_history_store.h"
#include "store/sqlite/lease_store.h"
#include "store/sqlite/ledger_store.h"
#include "store/sqlite/price_store.h"
#include "store/sqlite/record_store.h"
#include "store/sqlite/sql.h"
#include "store/sqlite/vault_store.h"
#include "store/testing/scratch_folder.h"

namespace claviger::store {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class MigrationsTest : public testing::Test {
 protected:
  Database open() { return Database::open(file_, Database::Mode::create).value(); }
  static std::int64_t number(Database& database, std::string_view sql) {
    return select_one<std::int64_t>(database, sql, read_integer).value().value();
  }
  ScratchFolder folder_;
  std::filesystem::path file_ = folder_.path() / "claviger.db";
};

constexpr Migration kFirst{1, "0001_one",
                           "CREATE TABLE one (a INTEGER); CREATE TABLE two (b TEXT)"};
constexpr Migration kSecond{2, "0002_two",
                            "INSERT INTO one VALUES (1); ALTER TABLE two ADD COLUMN c INTEGER"};

TEST_F(MigrationsTest, NumbersAreInOrderFromOne) {
  int expected = 1;
  for (const Migration& step : migrations()) {
    EXPECT_EQ(step.version, expected++);
    EXPECT_FALSE(step.sql.empty());
  }
  EXPECT_EQ(schema_version_of_build(), expected - 1);
}

TEST_F(MigrationsTest, AnEmptyFileGetsTheSchemaOfThisBuild) {
  Database database = open();
  ASSERT_TRUE(migrate(database));
  EXPECT_EQ(schema_version(database), schema_version_of_build());
  EXPECT_EQ(number(database, "PRAGMA application_id"), kApplicationId);
  EXPECT_EQ(number(database, "PRAGMA foreign_keys"), 1) << "left off";
  EXPECT_TRUE(SqliteAccessStore(database).owners());
}

TEST_F(MigrationsTest, MigratingAgainDoesNothing) {
  Database database = open();
  ASSERT_TRUE(migrate(database));
  const auto before = schema_of(database).value();
  ASSERT_TRUE(migrate(database));
  EXPECT_EQ(schema_of(database).value(), before);
}

TEST_F(MigrationsTest, ADatabaseOfVersionFourIsUpgradedAndItsUncertainCostsAreFound) {
  Database database = open();
  ASSERT_TRUE(database.execute(data::golden_0004));
  ASSERT_EQ(schema_version(database), 4);

  ASSERT_TRUE(migrate(database));

  Database fresh = Database::open(":memory:", Database::Mode::create).value();
  ASSERT_TRUE(migrate(fresh));
  EXPECT_EQ(schema_of(database).value(), schema_of(fresh).value());
  const auto uncertain = SqliteLedgerStore(database).uncertain(10).value();
  ASSERT_THAT(uncertain, SizeIs(1));
  EXPECT_EQ(uncertain[0].state, budget::HoldState::unconfirmed);
}

TEST_F(MigrationsTest, ADatabaseOfVersionFiveIsUpgradedAndItsBudgetsAreRead) {
  Database database = open();
  ASSERT_TRUE(database.execute(data::golden_0005));
  ASSERT_EQ(schema_version(database), 5);

  ASSERT_TRUE(migrate(database));

  Database fresh = Database::open(":memory:", Database::Mode::create).value();
  ASSERT_TRUE(migrate(fresh));
  EXPECT_EQ(schema_of(database).value(), schema_of(fresh).value());
  const auto budgets = SqliteBudgetStore(database).list().value();
  ASSERT_THAT(budgets, SizeIs(2));
  EXPECT_EQ(budgets[0].time_zone, "Europe/Berlin");
  EXPECT_EQ(budgets[0].downgrade_to,
            (std::vector<std::string>{"openai/gpt-4o-mini", "local/smollm2"}));
  EXPECT_EQ(budgets[1].time_zone, "");
}

TEST_F(MigrationsTest, ADatabaseOfVersionElevenIsUpgradedAndItsCorrectionsAreRead) {
  Database database = open();
  ASSERT_TRUE(database.execute(data::golden_0011));
  ASSERT_EQ(schema_version(database), 11);

  ASSERT_TRUE(migrate(database));

  Database fresh = Database::open(":memory:", Database::Mode::create).value();
  ASSERT_TRUE(migrate(fresh));
  EXPECT_EQ(schema_of(database).value(), schema_of(fresh).value());
  const auto corrections = SqliteLedgerStore(database).corrections(WallTime{}, 10).value();
  ASSERT_THAT(corrections, SizeIs(2));
  EXPECT_EQ(corrections[0].note,
            (budget::CorrectionNote{budget::CorrectionKind::refund, "credit note 17"}));
  EXPECT_EQ(corrections[1].note, std::nullopt);
}

TEST_F(MigrationsTest, ADatabaseOfVersionNineIsUpgradedAndItsLeasesAreRead) {
  Database database = open();
  ASSERT_TRUE(database.execute(data::golden_0009));
  ASSERT_EQ(schema_version(database), 9);

  ASSERT_TRUE(migrate(database));

  Database fresh = Database::open(":memory:", Database::Mode::create).value();
  ASSERT_TRUE(migrate(fresh));
  EXPECT_EQ(schema_of(database).value(), schema_of(fresh).value());
  const auto run = SqliteLeaseStore(database).earlier_run().value();
  ASSERT_THAT(run.leases, SizeIs(1));
  EXPECT_EQ(run.leases[0].up_to, NanoUsd(5'000'000));
}

TEST_F(MigrationsTest, WhatVersionTenKeepsForDiagnosesIsRead) {
  Database database = open();
  ASSERT_TRUE(database.execute(data::golden_0010));
  ASSERT_EQ(schema_version(database), 10);

  ASSERT_TRUE(migrate(database));

  Database fresh = Database::open(":memory:", Database::Mode::create).value();
  ASSERT_TRUE(migrate(fresh));
  EXPECT_EQ(schema_of(database).value(), schema_of(fresh).value());
  const record::Record record = SqliteRecordStore(database).list({}).value().at(0);
  const auto feedback = SqliteFeedbackStore(database).find(record.id).value();
  ASSERT_TRUE(feedback);
  EXPECT_EQ(feedback->opinion, record::Opinion::bad);
  EXPECT_EQ(feedback->why, "it made this up");
}

TEST_F(MigrationsTest, WhatVersionTwelveSaysOfUnboundedRequestsIsRead) {
  Database database = open();
  ASSERT_TRUE(database.execute(data::golden_0012));
  ASSERT_EQ(schema_version(database), 12);

  ASSERT_TRUE(migrate(database));

  Database fresh = Database::open(":memory:", Database::Mode::create).value();
  ASSERT_TRUE(migrate(fresh));
  EXPECT_EQ(schema_of(database).value(), schema_of(fresh).value());
  EXPECT_TRUE(SqliteVaultStore(database).all().value().at(0).about.allows_unbounded);
  const auto usage = SqliteRecordStore(database).usage(record::Grouping::model, {}).value().at(0);
  EXPECT_EQ(usage.cached_input_tokens, 7);
  EXPECT_EQ(usage.unbounded_requests, 1);
  EXPECT_EQ(usage.unbounded_cost, NanoUsd(5));
}

TEST_F(MigrationsTest, WhatVersionThirteenSaysOfKeysIsRead) {
  Database database = open();
  ASSERT_TRUE(database.execute(data::golden_0013));
  ASSERT_EQ(schema_version(database), 13);

  ASSERT_TRUE(migrate(database));

  Database fresh = Database::open(":memory:", Database::Mode::create).value();
  ASSERT_TRUE(migrate(fresh));
  EXPECT_EQ(schema_of(database).value(), schema_of(fresh).value());
  const auto history = SqliteKeyHistoryStore(database).all().value().at(0);
  EXPECT_EQ(history.failure, "key_revoked");
  EXPECT_EQ(history.failures_in_a_row, 2);
  EXPECT_TRUE(history.worked_at && history.failed_at);
}

TEST_F(MigrationsTest, WhatVersionFourteenSaysOfTurnsIsRead) {
  Database database = open();
  ASSERT_TRUE(database.execute(data::golden_0014));
  ASSERT_EQ(schema_version(database), 14);

  ASSERT_TRUE(migrate(database));

  Database fresh = Database::open(":memory:", Database::Mode::create).value();
  ASSERT_TRUE(migrate(fresh));
  EXPECT_EQ(schema_of(database).value(), schema_of(fresh).value());
  const auto aliases = SqliteAliasStore(database).list().value();
  const auto pair = std::ranges::find(aliases, "pair", &route::Alias::name);
  ASSERT_NE(pair, aliases.end());
  EXPECT_EQ(pair->rotation, route::Rotation::round_robin);
}

/// What each version wrote has to be readable for good: the same things, as it kept them.
class GoldenTest : public MigrationsTest {
 protected:
  void expect_all_is_there_after_upgrade_from(int version, std::string_view dump);
};

void GoldenTest::expect_all_is_there_after_upgrade_from(int version, std::string_view dump) {
  Database database = open();
  ASSERT_TRUE(database.execute(dump));
  ASSERT_EQ(schema_version(database), version);

  ASSERT_TRUE(migrate(database));

  EXPECT_EQ(schema_version(database), schema_version_of_build());
  Database fresh = Database::open(":memory:", Database::Mode::create).value();
  ASSERT_TRUE(migrate(fresh));
  EXPECT_EQ(schema_of(database).value(), schema_of(fresh).value());

  EXPECT_EQ(SqliteAccessStore(database).owners().value().at(0).name, "ada");
  const auto keys = SqliteAccessStore(database).keys().value();
  EXPECT_EQ(keys.at(0).hash, std::string(32, '\x2a'));
  EXPECT_THAT(keys.at(0).models, ElementsAre("openai/*", "local/*"));
  EXPECT_EQ(SqliteVaultStore(database).all().value().at(0).sealed_key, "sealed");
  EXPECT_EQ(SqliteVaultStore(database).wrapped_secret("virtual-key-hash-key").value(), "wrapped");
  const auto budgets = SqliteBudgetStore(database).list().value();
  ASSERT_THAT(budgets, SizeIs(2));
  EXPECT_EQ(budgets[1].rule, budgets[0].terms.id);
  EXPECT_EQ(budgets[1].terms.limit, dollars(10));
  const auto ledger = SqliteLedgerStore(database).load().value();
  EXPECT_EQ(ledger.folded_up_to, (budget::JournalPosition{3, 14}));
  EXPECT_EQ(ledger.latest_periods.at(0).spent, NanoUsd(159'265));
  ASSERT_THAT(ledger.unsettled, SizeIs(1));
  EXPECT_EQ(ledger.unsettled[0].state, budget::HoldState::unconfirmed);
  EXPECT_EQ(ledger.unsettled[0].budgets.items()[0].budget, budgets[1].terms.id);
  SqliteRecordStore records(database);
  const record::Record record = records.list({}).value().at(0);
  EXPECT_EQ(record.model, "openai/gpt-4o-mini");
  EXPECT_EQ(record.cost, NanoUsd(159'265));
  EXPECT_EQ(record.times.overhead_us, 29);
  EXPECT_EQ(record.answer_bytes, 800);
  EXPECT_EQ(records.find(record.id).value().end_user, "user-5");
  EXPECT_THAT(records.list({.owner = OwnerId{1}}).value(), SizeIs(1));
  EXPECT_EQ(records.usage(record::Grouping::model, {}).value().at(0).cost, NanoUsd(159'265));
}

TEST_F(GoldenTest, ADatabaseOfVersionOneIsUpgradedAndRead) {
  expect_all_is_there_after_upgrade_from(1, data::golden_0001);
}
TEST_F(GoldenTest, ADatabaseOfVersionEightIsUpgradedAndRead) {
  expect_all_is_there_after_upgrade_from(8, data::golden_0008);
  Database database = Database::open(file_, Database::Mode::read_write).value();
  const AttemptId closed{.request = {0x018b'cfe5'6800'0506, 0x0708'090a'0b0c'0d0e}, .number = 1};
  EXPECT_EQ(SqliteLedgerStore(database).find(closed).value().value().cost, NanoUsd(271'828));
}

TEST_F(MigrationsTest, AlertsThatAnEarlierVersionWroteAreReadAndDelivered) {
  Database database = open();
  ASSERT_TRUE(database.execute(data::golden_0003));
  ASSERT_TRUE(migrate(database));

  SqliteAlertStore alerts(database);
  ASSERT_THAT(alerts.channels().value(), SizeIs(2));
  const auto all = alerts.list({.only_dead = true}).value();
  ASSERT_THAT(all, SizeIs(1));
  EXPECT_EQ(all[0].finding.condition, alert::Condition::budget_threshold);
  EXPECT_EQ(alerts.due(WallTime::max(), 10).value().at(0).channel.target, "ops@example.com");
  EXPECT_EQ(alerts.samples().value().at(0).spent, NanoUsd(159'265));
}

TEST_F(MigrationsTest, PricesThatOwnersStatedComeThroughAsTheyWere) {
  for (const std::string_view dump : {data::golden_0004, data::golden_0006}) {
    Database database = Database::open(":memory:", Database::Mode::create).value();
    ASSERT_TRUE(database.execute(dump));
    ASSERT_TRUE(migrate(database));
    ASSERT_EQ(number(database, "SELECT count(*) FROM stated_prices"), 1);
    const auto prices = SqliteOwnerPriceStore(database).list().value();
    EXPECT_EQ(prices[0].model, "local/small");
    EXPECT_EQ(prices[0].price.cached_input, PicoUsdPerUnit{2});
    EXPECT_EQ(prices[0].price.cache_write_1h, PicoUsdPerUnit{4});
    EXPECT_EQ(prices[0].price.output, PicoUsdPerUnit{5});
    EXPECT_EQ(prices[0].price.per_request, PicoUsdPerUnit{6});
  }
}

TEST_F(MigrationsTest, AStepThatFailsLeavesNothingOfItselfBehind) {
  Database database = open();
  const Migration broken{2, "0002_broken",
                         "CREATE TABLE half (a INTEGER); INSERT INTO nowhere VALUES (1)"};
  const auto failed = migrate(database, std::vector{kFirst, broken});
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error().message, HasSubstr("0002_broken"));
  EXPECT_EQ(schema_version(database), 1);
  EXPECT_EQ(number(database, "SELECT count(*) FROM sqlite_schema WHERE name = 'half'"), 0);
  EXPECT_EQ(number(database, "PRAGMA foreign_keys"), 1);

  ASSERT_TRUE(migrate(database, std::vector{kFirst, kSecond}));
  EXPECT_EQ(schema_version(database), 2);
}

TEST_F(MigrationsTest, AKillInTheMiddleOfAStepIsAsIfItHadNotBegun) {
  const Migration deadly{2, "0002_deadly",
                         "INSERT INTO one VALUES (1); CREATE TABLE half (a INTEGER);"
                         "SELECT die(); ALTER TABLE two ADD COLUMN c INTEGER"};
  const pid_t child = ::fork();
  if (child == 0) {
    Database database = open();
    sqlite3_create_function(
        database.raw(), "die", 0, SQLITE_UTF8, nullptr,
        [](sqlite3_context*, int, sqlite3_value**) { ::kill(::getpid(), SIGKILL); }, nullptr,
        nullptr);
    (void)migrate(database, std::vector{kFirst, deadly});
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status)) << "the step was not reached";

  Database database = open();
  EXPECT_EQ(schema_version(database), 1);
  EXPECT_EQ(number(database, "SELECT count(*) FROM sqlite_schema WHERE name = 'half'"), 0);
  EXPECT_EQ(number(database, "SELECT count(*) FROM one"), 0);
  ASSERT_TRUE(migrate(database, std::vector{kFirst, kSecond}));
  EXPECT_EQ(number(database, "SELECT count(*) FROM one"), 1);
}

TEST_F(MigrationsTest, ANewerDatabaseIsRefusedAndLeftAlone) {
  Database database = open();
  ASSERT_TRUE(migrate(database));
  const std::string newer =
      "PRAGMA user_version = " + std::to_string(schema_version_of_build() + 1);
  database.execute(newer).value();

  const auto refused = migrate(database);

  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("Run the newer claviger"));
  EXPECT_THAT(refused.error().message, HasSubstr(file_.string()));
  EXPECT_EQ(schema_version(database), schema_version_of_build() + 1);
}

TEST_F(MigrationsTest, ADatabaseOfAnotherProgramIsRefusedAndLeftAlone) {
  Database database = open();
  database.execute("CREATE TABLE bookmarks (url TEXT)").value();
  const auto before = schema_of(database).value();
  const auto refused = migrate(database);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("another program"));
  EXPECT_EQ(schema_of(database).value(), before);
  EXPECT_EQ(schema_version(database), 0);
}

TEST_F(MigrationsTest, AStepMayRebuildATableThatOthersReferTo) {
  Database database = open();
  const std::vector<Migration> steps = {
      {1, "0001_a",
       "CREATE TABLE a (id INTEGER PRIMARY KEY, n INTEGER CHECK (n < 5));"
       "CREATE TABLE b (a INTEGER NOT NULL REFERENCES a (id) ON DELETE CASCADE);"
       "INSERT INTO a VALUES (1, 2); INSERT INTO b VALUES (1)"},
      {2, "0002_b",
       "CREATE TABLE a_new (id INTEGER PRIMARY KEY, n INTEGER CHECK (n < 50));"
       "INSERT INTO a_new SELECT * FROM a; DROP TABLE a;"
       "ALTER TABLE a_new RENAME TO a"}};
  ASSERT_TRUE(migrate(database, steps));
  EXPECT_EQ(number(database, "SELECT count(*) FROM b"), 1) << "cascaded away";
  EXPECT_FALSE(change(database, "INSERT INTO b VALUES (?)", 9)) << "keys are enforced again";
}

TEST_F(MigrationsTest, AStepThatLeavesRowsReferringToNothingIsUndone) {
  Database database = open();
  const Migration orphaning{2, "0002_b",
                            "CREATE TABLE b (a INTEGER REFERENCES one_keys (id));"
                            "CREATE TABLE one_keys (id INTEGER PRIMARY KEY);"
                            "INSERT INTO b VALUES (7)"};
  const auto failed = migrate(database, std::vector{kFirst, orphaning});
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error().message, HasSubstr("refer to nothing"));
  EXPECT_EQ(schema_version(database), 1);
}

}  // namespace
}  // namespace claviger::store

#include "store/sqlite/database.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <thread>

#include "store/sqlite/sql.h"
#include "store/testing/scratch_folder.h"

namespace claviger::store {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class DatabaseTest : public testing::Test {
 protected:
  Database open() { return Database::open(file_, Database::Mode::create).value(); }
  static mode_t mode_of(const std::filesystem::path& file) {
    struct stat about{};
    return ::stat(file.c_str(), &about) == 0 ? about.st_mode & 07777 : 0;
  }
  static std::string setting(Database& database, std::string_view pragma) {
    return select<std::string>(database, pragma,
                               [](const Query& row) { return std::optional(row.text(0)); })
        .value()
        .at(0);
  }
  ScratchFolder folder_;
  std::filesystem::path file_ = folder_.path() / "claviger.db";
};

TEST_F(DatabaseTest, IsSetUpToKeepWhatWasCommitted) {
  Database database = open();
  EXPECT_EQ(setting(database, "PRAGMA journal_mode"), "wal");
  EXPECT_EQ(setting(database, "PRAGMA synchronous"), "2");
  EXPECT_EQ(setting(database, "PRAGMA foreign_keys"), "1");
  EXPECT_EQ(setting(database, "PRAGMA busy_timeout"), "5000");
  EXPECT_EQ(setting(database, "PRAGMA trusted_schema"), "0");
  EXPECT_EQ(setting(database, "PRAGMA secure_delete"), "1");
  EXPECT_EQ(setting(database, "PRAGMA encoding"), "UTF-8");
}

TEST_F(DatabaseTest, RecordsMayGoWithoutTheDisksWord) {
  Database database =
      Database::open(file_, Database::Mode::create, Durability::process_crash).value();
  EXPECT_EQ(setting(database, "PRAGMA synchronous"), "1");
}

TEST_F(DatabaseTest, OnlyItsOwnUserMayReadIt) {
  const mode_t before = ::umask(0);
  Database database = open();
  database.execute("CREATE TABLE t (a INTEGER)").value();
  ::umask(before);
  EXPECT_EQ(mode_of(file_), 0600u);
  EXPECT_EQ(mode_of(file_.string() + "-wal"), 0600u);
  EXPECT_EQ(mode_of(file_.string() + "-shm"), 0600u);
}

TEST_F(DatabaseTest, AModeThatIsTooWideIsNarrowed) {
  {
    Database first = open();
    first.execute("CREATE TABLE t (a INTEGER)").value();
    for (const char* companion : {"", "-wal", "-shm"}) {
      ASSERT_EQ(::chmod((file_.string() + companion).c_str(), 0644), 0);
    }
    Database second = open();
    EXPECT_EQ(mode_of(file_), 0600u);
    EXPECT_EQ(mode_of(file_.string() + "-wal"), 0600u);
    EXPECT_EQ(mode_of(file_.string() + "-shm"), 0600u);
  }
}

TEST_F(DatabaseTest, AMissingFileIsSaidWithWhatToDo) {
  const auto missing = Database::open(file_, Database::Mode::read_write);
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().message, HasSubstr("claviger init"));
  EXPECT_FALSE(std::filesystem::exists(file_));
  const auto no_folder =
      Database::open(folder_.path() / "none" / "claviger.db", Database::Mode::create);
  ASSERT_FALSE(no_folder);
  EXPECT_THAT(no_folder.error().message, HasSubstr("the folder exists"));
}

TEST_F(DatabaseTest, WhatIsNoDatabaseIsSaidAndLeftAlone) {
  const std::string text = "This is a letter to my aunt, which is longer than a header.\n";
  std::ofstream(file_) << text << text;
  const auto opened = Database::open(file_, Database::Mode::create);
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().message, HasSubstr("is not a database"));
  EXPECT_EQ(std::filesystem::file_size(file_), 2 * text.size());
  EXPECT_FALSE(Database::open(folder_.path(), Database::Mode::create));
}

TEST_F(DatabaseTest, TextIsBytesWithALength) {
  Database database = open();
  database.execute("CREATE TABLE t (text TEXT NOT NULL, blob BLOB NOT NULL) STRICT").value();
  const std::vector<std::string> all = {
      "",        std::string("\0", 1),      std::string("a\0b", 3), "\xff\xfe", "\xed\xa0\x80",
      "'; DROP", std::string(100'000, '\0')};
  for (const std::string& bytes : all) {
    change(database, "INSERT INTO t VALUES (?, ?)", bytes, Blob{bytes}).value();
  }
  const auto pairs =
      select<std::pair<std::string, std::string>>(
          database, "SELECT text, blob FROM t ORDER BY rowid",
          [](const Query& row) { return std::optional(std::pair(row.text(0), row.blob(1))); })
          .value();
  ASSERT_THAT(pairs, SizeIs(all.size()));
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(pairs[i].first, all[i]);
    EXPECT_EQ(pairs[i].second, all[i]);
  }
  const auto found = select_one<std::int64_t>(database, "SELECT rowid FROM t WHERE text = ?",
                                              read_integer, std::string("a\0b", 3));
  EXPECT_EQ(found.value(), 3);
}

TEST_F(DatabaseTest, AnEmptyViewIsAnEmptyTextAndNotNull) {
  Database database = open();
  database.execute("CREATE TABLE t (a TEXT, b BLOB) STRICT").value();
  Query insert(**database.prepare("INSERT INTO t VALUES (?, ?)"));
  insert.bind_text(std::string_view()).bind_blob(std::string_view()).run().value();
  Query query(**database.prepare("SELECT a, b FROM t"));
  ASSERT_TRUE(query.step().value());
  EXPECT_FALSE(query.is_null(0));
  EXPECT_FALSE(query.is_null(1));
}

TEST_F(DatabaseTest, ATransactionHappensWhollyOrNotAtAll) {
  Database database = open();
  database.execute("CREATE TABLE t (a INTEGER UNIQUE)").value();
  const auto failed = database.transaction([&]() -> DbResult<void> {
    if (auto one = change(database, "INSERT INTO t VALUES (?)", 1); !one) {
      return std::unexpected(one.error());
    }
    if (auto again = change(database, "INSERT INTO t VALUES (?)", 1); !again) {
      return std::unexpected(again.error());
    }
    return {};
  });
  ASSERT_FALSE(failed);
  EXPECT_TRUE(failed.error().is_constraint());
  EXPECT_TRUE(failed.error().is_unique());
  EXPECT_EQ(setting(database, "SELECT count(*) FROM t"), "0");
  EXPECT_TRUE(
      database.transaction([&] { return change(database, "INSERT INTO t VALUES (?)", 1); }));
  EXPECT_EQ(setting(database, "SELECT count(*) FROM t"), "1");
}

TEST_F(DatabaseTest, AFullDiskIsSaidAndTheTransactionUndone) {
  Database database = open();
  database.execute("CREATE TABLE t (a BLOB); PRAGMA max_page_count = 10").value();
  const std::string large(1 << 20, 'x');
  const auto failed = database.transaction([&]() -> DbResult<std::int64_t> {
    if (auto small = change(database, "INSERT INTO t VALUES (?)", "x"); !small) return small;
    return change(database, "INSERT INTO t VALUES (?)", Blob{large});
  });
  ASSERT_FALSE(failed);
  EXPECT_TRUE(failed.error().is_full());
  EXPECT_THAT(failed.error().message, HasSubstr("free some space"));
  EXPECT_THAT(failed.error().message, HasSubstr(file_.string()));
  EXPECT_EQ(setting(database, "SELECT count(*) FROM t"), "0");
}

TEST_F(DatabaseTest, WhatRefersToNothingIsRefused) {
  Database database = open();
  database
      .execute(
          "CREATE TABLE a (id INTEGER PRIMARY KEY);"
          "CREATE TABLE b (a INTEGER REFERENCES a (id))")
      .value();
  const auto refused = change(database, "INSERT INTO b VALUES (?)", 7);
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().is_foreign_key());
  EXPECT_FALSE(refused.error().is_unique());
}

TEST_F(DatabaseTest, WritersWaitForEachOther) {
  constexpr int kEach = 100;
  {
    open().execute("CREATE TABLE t (a INTEGER)").value();
  }
  const auto write = [&] {
    Database database =
        Database::open(file_, Database::Mode::read_write, Durability::process_crash).value();
    for (int i = 0; i < kEach; ++i) {
      ASSERT_TRUE(
          database.transaction([&] { return change(database, "INSERT INTO t VALUES (?)", i); }));
    }
  };
  std::thread one(write);
  std::thread other(write);
  one.join();
  other.join();
  Database database = open();
  EXPECT_EQ(setting(database, "SELECT count(*) FROM t"), std::to_string(2 * kEach));
}

TEST_F(DatabaseTest, WhatWasCommittedSurvivesAKill) {
  const pid_t child = ::fork();
  if (child == 0) {
    Database database = open();
    database.execute("CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (1)").value();
    database.execute("BEGIN IMMEDIATE; INSERT INTO t VALUES (2)").value();
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  Database database = open();
  EXPECT_EQ(setting(database, "SELECT group_concat(a) FROM t"), "1");
}

TEST_F(DatabaseTest, AStatementIsPreparedOnceAndCanBeRunAgain) {
  Database database = open();
  EXPECT_EQ(database.prepare("SELECT 1").value(), database.prepare("SELECT 1").value());
  EXPECT_FALSE(database.prepare("SELECT nonsense FROM nowhere"));
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(select<std::int64_t>(database, "SELECT ?", read_integer, i).value(),
                ElementsAre(i));
  }
}

using DatabaseDeathTest = DatabaseTest;

TEST_F(DatabaseDeathTest, MisuseEndsTheProcessInsteadOfWritingNull) {
  Database database = Database::open(":memory:", Database::Mode::create).value();
  Statement& two = **database.prepare("SELECT ?, ?");
  EXPECT_DEATH((void)Query(two).bind(1).step(), "fewer parameters");
  EXPECT_DEATH(Query(two).bind(1).bind(2).bind(3), "more parameters");
  EXPECT_DEATH(
      {
        Query once(two);
        Query twice(two);
      },
      "twice at once");
  EXPECT_DEATH((void)Query(two).integer(0), "where there is no row");
  EXPECT_DEATH(
      {
        Query query(two);
        (void)query.bind(1).bind(2).step();
        (void)query.integer(2);
      },
      "does not have");
  EXPECT_DEATH(
      {
        Query query(two);
        (void)query.bind(1).bind(2).step();
        query.bind(3);
      },
      "after the first step");
  EXPECT_DEATH((void)Query(two).bind(1).bind(2).run(), "has rows");
  EXPECT_DEATH((void)database.prepare("SELECT 1; SELECT 2"), "not one statement");
}

}  // namespace
}  // namespace claviger::store

#include "store/sqlite/backup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <thread>

#include "store/sqlite/access_store.h"
#include "store/sqlite/sql.h"
#include "store/testing/scratch_folder.h"

namespace claviger::store {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

class BackupTest : public testing::Test {
 protected:
  BackupTest() {
    EXPECT_TRUE(migrate(database_));
    add_owner("ada");
  }
  void add_owner(std::string name) {
    ASSERT_TRUE(SqliteAccessStore(database_).add_owner(std::move(name), access::OwnerType::person,
                                                       WallTime{}));
  }
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
      names.push_back(entry.path().filename());
    }
    return names;
  }
  /// Changes the backup as somebody with an editor for databases would.
  void tamper(const char* sql) {
    Database opened = Database::open(backup_, Database::Mode::read_write).value();
    ASSERT_TRUE(opened.execute(sql));
    ASSERT_TRUE(opened.execute("PRAGMA journal_mode = DELETE"));
  }
  ScratchFolder folder_;
  std::filesystem::path file_ = folder_.path() / "claviger.db";
  std::filesystem::path backup_ = folder_.path() / "ba ck?up#1%.db";
  Database database_ = Database::open(file_, Database::Mode::create).value();
};

TEST_F(BackupTest, ABackupIsOneFileThatOnlyItsUserMayRead) {
  ASSERT_TRUE(database_.backup_to(backup_));
  struct stat about{};
  ASSERT_EQ(::stat(backup_.c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 07777, 0600u);

  const auto checked = check_backup(backup_);

  ASSERT_TRUE(checked) << checked.error().message;
  EXPECT_EQ(checked->schema_version, schema_version_of_build());
  EXPECT_EQ(checked->bytes, about.st_size);
  EXPECT_THAT(files(), testing::UnorderedElementsAre("claviger.db", "claviger.db-wal",
                                                     "claviger.db-shm", "ba ck?up#1%.db"));
}

TEST_F(BackupTest, ABackupIsCompleteWithoutALogBesideIt) {
  ASSERT_TRUE(database_.backup_to(backup_));
  // Bytes 18 and 19 of the header: 1 without a log, 2 with one
  // (https://www.sqlite.org/fileformat2.html, 1.3.3).
  std::ifstream file(backup_, std::ios::binary);
  std::string header(100, '\0');
  file.read(header.data(), 100);
  EXPECT_EQ(header.substr(18, 2), "\x01\x01");
}

TEST_F(BackupTest, RestoringBringsBackWhatWasThere) {
  ASSERT_TRUE(database_.backup_to(backup_));
  add_owner("bob");
  ASSERT_THAT(SqliteAccessStore(database_).owners().value(), SizeIs(2));

  const auto restored = restore_backup(backup_, database_);

  ASSERT_TRUE(restored) << restored.error().message;
  EXPECT_THAT(SqliteAccessStore(database_).owners().value(), SizeIs(1));
  add_owner("carol");
  Database again = Database::open(file_, Database::Mode::read_write).value();
  EXPECT_THAT(SqliteAccessStore(again).owners().value(), SizeIs(2));
}

TEST_F(BackupTest, ABackupCanBeRestoredIntoANewHome) {
  ASSERT_TRUE(database_.backup_to(backup_));
  Database fresh = Database::open(folder_.path() / "new.db", Database::Mode::create).value();
  ASSERT_TRUE(restore_backup(backup_, fresh));
  EXPECT_THAT(SqliteAccessStore(fresh).owners().value(), SizeIs(1));
}

TEST_F(BackupTest, ABackupReplacesAnOlderOne) {
  ASSERT_TRUE(database_.backup_to(backup_));
  add_owner("bob");
  ASSERT_TRUE(database_.backup_to(backup_));
  ASSERT_TRUE(restore_backup(backup_, database_));
  EXPECT_THAT(SqliteAccessStore(database_).owners().value(), SizeIs(2));
}

TEST_F(BackupTest, ABackupIsConsistentWhileOthersWrite) {
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    Database other =
        Database::open(file_, Database::Mode::read_write, Durability::process_crash).value();
    for (int i = 0; !stop; ++i) {
      ASSERT_TRUE(other.transaction([&]() -> DbResult<std::int64_t> {
        auto app = change(other, "INSERT INTO apps (name, created_at) VALUES (?, 0)",
                          "app" + std::to_string(i));
        if (!app) return app;
        return change(other, "INSERT INTO persons (name, created_at) VALUES (?, 0)",
                      "app" + std::to_string(i));
      }));
    }
  });
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(database_.backup_to(backup_));
    ASSERT_TRUE(check_backup(backup_));
    Database copy = Database::open(backup_, Database::Mode::read_write).value();
    const auto difference = select_one<std::int64_t>(
        copy, "SELECT (SELECT count(*) FROM apps) - (SELECT count(*) FROM persons)", read_integer);
    EXPECT_EQ(difference.value(), 0);
  }
  stop = true;
  writer.join();
}

TEST_F(BackupTest, ABackupThatCannotBeWrittenLeavesNothing) {
  const auto nowhere = database_.backup_to(folder_.path() / "none" / "backup.db");
  ASSERT_FALSE(nowhere);
  EXPECT_THAT(nowhere.error().message, HasSubstr("Choose a folder"));
  std::filesystem::create_directories(backup_ / "in the way");
  const std::size_t before = files().size();
  EXPECT_FALSE(database_.backup_to(backup_));
  EXPECT_THAT(files(), SizeIs(before)) << "a part was left";
}

TEST_F(BackupTest, ADamagedBackupIsRefused) {
  for (int i = 0; i < 200; ++i) add_owner("owner" + std::to_string(i));
  ASSERT_TRUE(database_.backup_to(backup_));
  const auto bytes = std::filesystem::file_size(backup_);
  {
    std::fstream file(backup_, std::ios::in | std::ios::out | std::ios::binary);
    for (std::uintmax_t at = 4096 * 2 + 100; at < bytes; at += 512) {
      file.seekp(static_cast<std::streamoff>(at));
      file << "damage";
    }
  }
  EXPECT_FALSE(check_backup(backup_));
  EXPECT_FALSE(restore_backup(backup_, database_));
  EXPECT_THAT(SqliteAccessStore(database_).owners().value(), SizeIs(201));
}

TEST_F(BackupTest, ACutOffBackupIsRefused) {
  ASSERT_TRUE(database_.backup_to(backup_));
  std::filesystem::resize_file(backup_, std::filesystem::file_size(backup_) / 2);
  EXPECT_FALSE(check_backup(backup_));
}

TEST_F(BackupTest, ABackupWithATriggerIsRefused) {
  ASSERT_TRUE(database_.backup_to(backup_));
  tamper(
      "CREATE TRIGGER t AFTER INSERT ON virtual_keys BEGIN"
      " UPDATE budgets SET limit_nanos = 9000000000000000000; END");
  const auto refused = check_backup(backup_);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("Somebody has changed it"));
}

TEST_F(BackupTest, ABackupWithRowsThatReferToNothingIsRefused) {
  ASSERT_TRUE(database_.backup_to(backup_));
  tamper(
      "PRAGMA foreign_keys = OFF; INSERT INTO grants (owner_id, app_id, created_at)"
      " VALUES (77, 78, 0)");
  const auto refused = check_backup(backup_);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("refer to nothing"));
}

TEST_F(BackupTest, ANewerBackupIsRefused) {
  ASSERT_TRUE(database_.backup_to(backup_));
  tamper("PRAGMA user_version = 99");
  const auto refused = check_backup(backup_);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("the newer claviger"));
}

TEST_F(BackupTest, WhatIsNoBackupIsRefused) {
  EXPECT_THAT(check_backup(folder_.path() / "none").error().message, HasSubstr("no backup at"));
  std::ofstream(backup_) << "a letter to my aunt";
  EXPECT_FALSE(check_backup(backup_));
  std::ofstream(backup_, std::ios::trunc).close();
  EXPECT_FALSE(check_backup(backup_)) << "an empty file is an empty database to SQLite";
}

}  // namespace
}  // namespace claviger::store

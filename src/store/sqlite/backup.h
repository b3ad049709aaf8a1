#pragma once

/// Copies of the whole database, made and read while others write
/// (https://www.sqlite.org/backup.html). A copy holds what the database holds: sealed keys,
/// hashes, records. Without the root key nobody reads a key from it.

#include <filesystem>

#include "store/sqlite/database.h"

namespace claviger::store {

struct BackupAbout {
  int schema_version = 0;
  std::int64_t bytes = 0;
};

/// Reads a backup from end to end before anything is overwritten by it: whether it is whole
/// (PRAGMA quick_check), Claviger's, not newer than this build, without rows that refer to
/// nothing, and made of exactly the tables and indexes of its version: a file from outside
/// could bring triggers along. Changes nothing, makes no file beside it.
DbResult<BackupAbout> check_backup(const std::filesystem::path& file);

/// Replaces everything in `database` by the backup, in one transaction: after a crash in the
/// middle, the old content is there. Checks the backup first and migrates it afterwards.
/// No other connection may be open on `database`.
DbResult<BackupAbout> restore_backup(const std::filesystem::path& file, Database& database);

}  // namespace claviger::store

#pragma once

/// The steps of the schema, as embedded from src/store/migrations. Separate from database.h,
/// so that tests can run steps of their own and stop in the middle of one.

#include <span>
#include <string_view>
#include <vector>

#include "store/sqlite/database.h"

namespace claviger::store {

struct Migration {
  int version = 0;  ///< The schema's version once this step is done; the first is 1.
  std::string_view name;
  std::string_view sql;
  /// What SQL cannot do, behind `sql` and in its transaction.
  DbResult<void> (*then)(Database& database) = nullptr;
};

/// "CLVG": says of a file that it is Claviger's (PRAGMA application_id, which the `file`
/// command reads too: https://www.sqlite.org/fileformat2.html, 1.3).
inline constexpr std::int64_t kApplicationId = 0x434c'5647;

/// Those of this build, in order.
std::vector<Migration> migrations();

/// Runs those `steps` that the database has not had yet.
DbResult<void> migrate(Database& database, std::span<const Migration> steps);

/// PRAGMA user_version: 0 where no step has been run.
DbResult<int> schema_version(Database& database);

/// The statements that make up the schema, sorted, without SQLite's own tables: to hold a
/// backup against what this build expects.
DbResult<std::vector<std::string>> schema_of(Database& database);

}  // namespace claviger::store

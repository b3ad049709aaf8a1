#include "store/sqlite/migrations.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include "data/migrations.h"
#include "store/sqlite/request_rows.h"
#include "store/sqlite/sql.h"

namespace claviger::store {
namespace {

DatabaseError refusal(const Database& database, std::string_view message) {
  return {SQLITE_SCHEMA, fmt::format("database \"{}\" {}", database.file().string(), message)};
}

DbResult<std::int64_t> one_number(Database& database, std::string_view sql) {
  const auto number = select_one<std::int64_t>(database, sql, read_integer);
  if (!number) return std::unexpected(number.error());
  return number->value_or(0);
}

/// A file of somebody else's must not get our tables.
DbResult<void> check_is_ours(Database& database, int version, int newest) {
  const auto application = one_number(database, "PRAGMA application_id");
  if (!application) return std::unexpected(application.error());
  const auto tables = one_number(database, "SELECT count(*) FROM sqlite_schema");
  if (!tables) return std::unexpected(tables.error());
  const bool is_new = version == 0 && *tables == 0 && *application == 0;
  if (!is_new && *application != kApplicationId) {
    return std::unexpected(
        refusal(database, "belongs to another program. Name Claviger's own home with --home."));
  }
  if (version > newest) {
    return std::unexpected(refusal(
        database, fmt::format("has schema version {}, and this build knows only up to {}. Run the "
                              "newer claviger that made it, or restore a backup from before.",
                              version, newest)));
  }
  return {};
}

DbResult<void> run_step(Database& database, const Migration& step) {
  return database.transaction([&]() -> DbResult<void> {
    // Again inside the transaction: another process may have run the step meanwhile.
    const auto version = schema_version(database);
    if (!version) return std::unexpected(version.error());
    if (*version >= step.version) return {};
    if (auto ran = database.execute(step.sql); !ran) return ran;
    if (step.then != nullptr) {
      if (auto ran = step.then(database); !ran) return ran;
    }
    const auto broken = one_number(database, "SELECT count(*) FROM pragma_foreign_key_check");
    if (!broken) return std::unexpected(broken.error());
    if (*broken != 0) {
      return std::unexpected(refusal(database, fmt::format("has {} rows that refer to nothing "
                                                           "after step {}.",
                                                           *broken, step.name)));
    }
    return database.execute(fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {}",
                                        kApplicationId, step.version));
  });
}

}  // namespace

std::vector<Migration> migrations() {
  std::vector<Migration> steps = {CLAVIGER_MIGRATIONS};
  for (Migration& step : steps) {
    // As this build writes records, their sums have the columns of this step.
    if (step.name.ends_with("_unbounded_requests")) step.then = move_request_rows;
  }
  return steps;
}

int schema_version_of_build() {
  return static_cast<int>(migrations().size());
}

DbResult<int> schema_version(Database& database) {
  const auto version = one_number(database, "PRAGMA user_version");
  if (!version) return std::unexpected(version.error());
  return static_cast<int>(*version);
}

DbResult<std::vector<std::string>> schema_of(Database& database) {
  return select<std::string>(
      database,
      "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY 1",
      [](const Query& row) { return std::optional(row.text(0)); });
}

DbResult<void> migrate(Database& database) {
  return migrate(database, migrations());
}

DbResult<void> migrate(Database& database, std::span<const Migration> steps) {
  const auto version = schema_version(database);
  if (!version) return std::unexpected(version.error());
  const int newest = steps.empty() ? 0 : steps.back().version;
  if (auto ours = check_is_ours(database, *version, newest); !ours) return ours;
  if (*version == newest) return {};

  // A step may rebuild a table that others refer to, which only works with the enforcement
  // off, and that cannot be switched inside a transaction
  // (https://www.sqlite.org/lang_altertable.html, 7). Each step checks the keys at its end.
  if (auto off = database.execute("PRAGMA foreign_keys = OFF"); !off) return off;
  DbResult<void> result;
  for (const Migration& step : steps) {
    if (step.version <= *version) continue;
    result = run_step(database, step);
    if (!result) {
      result.error().message += fmt::format(
          " (while upgrading to schema version {}, step {}; "
          "nothing of this step was kept)",
          step.version, step.name);
      break;
    }
  }
  auto on = database.execute("PRAGMA foreign_keys = ON");
  if (result && !on) return on;
  return result;
}

}  // namespace claviger::store

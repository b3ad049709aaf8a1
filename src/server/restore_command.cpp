#include <fmt/format.h>

#include <cstdio>
#include <system_error>

#include "budget/period.h"
#include "server/home.h"
#include "server/server.h"
#include "store/sqlite/backup.h"
#include "store/sqlite/budget_words.h"
#include "store/sqlite/database.h"
#include "vault/process_hardening.h"

namespace claviger::server {
namespace {

namespace fs = std::filesystem;
using Done = std::expected<void, std::string>;

/// The journal belongs to the database that is being replaced: it is put aside, not deleted,
/// since it may be what a person needs to find out what was spent.
Done put_journal_aside(const HomePaths& paths, WallTime now) {
  std::error_code error;
  if (fs::exists(paths.journal(), error)) {
    const fs::path aside =
        paths.root / fmt::format("journal.before-restore-{}", unix_micros(now) / 1'000'000);
    fs::rename(paths.journal(), aside, error);
    if (error) return std::unexpected("cannot put the journal aside: " + error.message());
  }
  fs::create_directory(paths.journal(), error);
  fs::permissions(paths.journal(), fs::perms::owner_all, error);
  if (error) return std::unexpected("cannot make a new journal folder: " + error.message());
  return {};
}

/// In which period a budget is now, as the ledger will find it.
struct RunningPeriod {
  BudgetId budget;
  WallTime start;
};

/// Of every budget on which something accumulates, those of end users included.
store::DbResult<std::vector<RunningPeriod>> running_periods(store::Database& database,
                                                            WallTime now) {
  return store::select<RunningPeriod>(
      database,
      "SELECT budgets.id, budgets.period,"
      " CASE WHEN budgets.time_zone <> '' THEN budgets.time_zone"
      "  ELSE coalesce(owner.time_zone, key_owner.time_zone, 'UTC') END,"
      " (SELECT max(period_start) FROM budget_periods WHERE budget_id = budgets.id)"
      " FROM budgets"
      " LEFT JOIN owners AS owner ON budgets.scope = 'owner' AND owner.id = budgets.subject_id"
      " LEFT JOIN virtual_keys ON budgets.scope = 'virtual_key'"
      "  AND virtual_keys.id = budgets.subject_id"
      " LEFT JOIN owners AS key_owner ON key_owner.id = virtual_keys.owner_id"
      " WHERE budgets.removed_at IS NULL AND budgets.period <> 'request'"
      " AND budgets.scope NOT IN ('each_owner', 'each_user')",
      [now](const store::Query& row) -> std::optional<RunningPeriod> {
        const auto period = store::kPeriods.parse(row.text(1));
        if (!period) return std::nullopt;
        // A zone that this machine lacks keeps the server from starting, and says so.
        const auto zone = budget::TimeZone::find(row.text(2)).value_or(budget::TimeZone());
        const WallTime latest = from_unix_micros(store::integer_or_null(row, 3).value_or(0));
        return RunningPeriod{BudgetId{row.integer(0)},
                             budget::running_period(*period, now, latest, zone).start};
      });
}

/// What was spent since the backup counts on every budget: nobody knows any more on which it
/// was, and a limit that is briefly too strict is easier to mend than one that leaks.
store::DbResult<void> add_spend(store::Database& database, NanoUsd spent, WallTime now) {
  const auto all = running_periods(database, now);
  if (!all) return std::unexpected(all.error());
  return database.transaction([&]() -> store::DbResult<void> {
    if (auto done = database.execute("DELETE FROM journal_checkpoint"); !done) return done;
    // What was leased at the time of the backup is part of what is asked for below.
    if (auto done = database.execute("DELETE FROM leases"); !done) return done;
    if (auto done = database.execute("UPDATE holds SET state = 'unconfirmed' WHERE state = 'open'");
        !done) {
      return done;
    }
    for (const RunningPeriod& one : *all) {
      const auto added = store::change(
          database,
          "INSERT INTO budget_periods (budget_id, period_start, spent_nanos) VALUES (?, ?, ?) "
          "ON CONFLICT (budget_id, period_start) DO UPDATE SET spent_nanos = "
          "spent_nanos + excluded.spent_nanos",
          one.budget, one.start, spent);
      if (!added) return std::unexpected(added.error());
    }
    return {};
  });
}

Done disable_keys(const HomePaths& paths) {
  std::FILE* const file = std::fopen(paths.keys_disabled().c_str(), "w");
  if (file == nullptr) return std::unexpected("cannot write " + paths.keys_disabled().string());
  std::fputs("Virtual keys are disabled after a restore until `claviger key confirm`.\n", file);
  std::fclose(file);
  return {};
}

Done restore_home(const HomePaths& paths, const fs::path& file, NanoUsd spent_since) {
  if (auto checked = store::check_backup(file); !checked) {
    return std::unexpected(file.string() + " cannot be restored: " + checked.error().message);
  }
  auto lock = HomeLock::take(paths);
  if (!lock) return std::unexpected(lock.error());
  // First the keys: whatever fails from here on leaves them disabled.
  if (auto done = disable_keys(paths); !done) return done;
  auto database = store::Database::open(paths.database(), store::Database::Mode::create);
  if (!database)
    return std::unexpected("the database cannot be opened: " + database.error().message);
  const WallTime now = SystemClock().wall_now();
  if (auto done = put_journal_aside(paths, now); !done) return done;
  if (auto done = store::restore_backup(file, *database); !done) {
    return std::unexpected("the restore failed: " + done.error().message);
  }
  if (auto done = add_spend(*database, spent_since, now); !done) {
    return std::unexpected("the spend since the backup could not be added: " +
                           done.error().message + "; run the restore again");
  }
  return {};
}

}  // namespace

int restore(const RestoreOptions& options) {
  vault::harden_process();
  const HomePaths paths(options.home);
  const Done done = restore_home(paths, options.file, options.spent_since);
  if (!done) {
    fmt::print(stderr, "claviger: {}\n", done.error());
    return 1;
  }
  if (options.as_json) {
    fmt::print("{{\"restored\":true,\"spent_since_usd\":\"{}\",\"virtual_keys\":\"disabled\"}}\n",
               to_decimal(options.spent_since));
    return 0;
  }
  fmt::print(
      "Restored. {} were added to what every budget has spent.\n"
      "Virtual keys are disabled: keys that were revoked since the backup would work again.\n"
      "Start the server, look at `claviger key list`, revoke what must not work, then run:\n"
      "\n"
      "  claviger key confirm\n",
      to_display(options.spent_since));
  return 0;
}

}  // namespace claviger::server

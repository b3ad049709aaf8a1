#include "store/sqlite/key_history_store.h"

#include "store/sqlite/sql.h"

namespace claviger::store {
namespace {

using record::KeyHistory;
using record::RecordError;
using record::Result;

std::optional<KeyHistory> read_history(const Query& row) {
  return KeyHistory{.credential = CredentialId{row.integer(0)},
                    .worked_at = time_or_null(row, 1),
                    .failed_at = time_or_null(row, 2),
                    .failure = row.text(3),
                    .failures_in_a_row = row.integer(4)};
}

}  // namespace

Result<void> SqliteKeyHistoryStore::put(const std::vector<KeyHistory>& histories) {
  const auto put = database_.transaction([&]() -> DbResult<void> {
    for (const KeyHistory& history : histories) {
      // A credential that is gone has no history any more.
      const auto one =
          change(database_,
                 "INSERT INTO key_histories (credential_id, worked_at, failed_at, failure,"
                 " failures_in_a_row) SELECT ?, ?, ?, ?, ? WHERE EXISTS"
                 " (SELECT 1 FROM credentials WHERE id = ? AND removed = 0)"
                 " ON CONFLICT (credential_id) DO UPDATE SET worked_at = excluded.worked_at,"
                 " failed_at = excluded.failed_at, failure = excluded.failure,"
                 " failures_in_a_row = excluded.failures_in_a_row",
                 history.credential, history.worked_at, history.failed_at, history.failure,
                 history.failures_in_a_row, history.credential);
      if (!one) return std::unexpected(one.error());
    }
    return {};
  });
  if (!put) return std::unexpected(RecordError::unavailable);
  return {};
}

Result<std::vector<KeyHistory>> SqliteKeyHistoryStore::all() {
  auto found = select<KeyHistory>(
      database_,
      "SELECT credential_id, worked_at, failed_at, failure, failures_in_a_row FROM key_histories"
      " ORDER BY credential_id",
      read_history);
  if (!found) return std::unexpected(RecordError::unavailable);
  return std::move(*found);
}

Result<void> SqliteKeyHistoryStore::remove(CredentialId credential) {
  const auto removed =
      change(database_, "DELETE FROM key_histories WHERE credential_id = ?", credential);
  if (!removed) return std::unexpected(RecordError::unavailable);
  return {};
}

}  // namespace claviger::store

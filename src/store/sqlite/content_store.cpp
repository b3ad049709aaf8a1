#include "store/sqlite/content_store.h"

#include "store/sqlite/sql.h"

namespace claviger::store {
namespace {

using record::RecordError;
using record::Result;
using record::SealedContent;

std::optional<SealedContent> read_content(const Query& row) {
  const auto id = request_id_of(row.blob(0));
  if (!id) return std::nullopt;
  return SealedContent{.request = *id,
                       .owner = OwnerId{row.integer(1)},
                       .kept_at = from_unix_micros(row.integer(2)),
                       .expires_at = from_unix_micros(row.integer(3)),
                       .sealed = row.blob(4)};
}

Result<void> outcome(const DbResult<std::int64_t>& changed) {
  if (!changed) return std::unexpected(RecordError::unavailable);
  return {};
}

}  // namespace

Result<void> SqliteContentStore::append(const std::vector<SealedContent>& contents) {
  const auto appended = database_.transaction([&]() -> DbResult<void> {
    for (const SealedContent& one : contents) {
      const auto put = change(database_,
                              "INSERT OR REPLACE INTO kept_contents"
                              " (request_id, owner_id, kept_at, expires_at, sealed)"
                              " VALUES (?, ?, ?, ?, ?)",
                              Blob{to_blob(one.request)}, one.owner, one.kept_at, one.expires_at,
                              Blob{one.sealed});
      if (!put) return std::unexpected(put.error());
    }
    return {};
  });
  if (!appended) return std::unexpected(RecordError::unavailable);
  return {};
}

Result<std::optional<SealedContent>> SqliteContentStore::find(RequestId request) {
  auto found = select_one<SealedContent>(
      database_,
      "SELECT request_id, owner_id, kept_at, expires_at, sealed FROM kept_contents"
      " WHERE request_id = ?",
      read_content, Blob{to_blob(request)});
  if (!found) return std::unexpected(RecordError::unavailable);
  return std::move(*found);
}

Result<void> SqliteContentStore::remove_expired(WallTime now) {
  // A look takes no lock that others wait for; this is asked every second.
  const auto due = select_one<std::int64_t>(
      database_, "SELECT EXISTS (SELECT 1 FROM kept_contents WHERE expires_at <= ?)", read_integer,
      now);
  if (!due) return std::unexpected(RecordError::unavailable);
  if (due->value_or(0) == 0) return {};
  return outcome(change(database_, "DELETE FROM kept_contents WHERE expires_at <= ?", now));
}

Result<void> SqliteContentStore::shorten(OwnerId owner, int days) {
  if (days == 0) {
    return outcome(change(database_, "DELETE FROM kept_contents WHERE owner_id = ?", owner));
  }
  const std::int64_t micros =
      std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::days(days)).count();
  return outcome(change(database_,
                        "UPDATE kept_contents SET expires_at = kept_at + ?1"
                        " WHERE owner_id = ?2 AND expires_at > kept_at + ?1",
                        micros, owner));
}

}  // namespace claviger::store

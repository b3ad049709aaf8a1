#include "store/sqlite/shared_page_store.h"

#include "store/sqlite/sql.h"

namespace claviger::store {
namespace {

using record::RecordError;
using record::Result;
using record::Share;
using record::ShareId;

std::optional<Share> read_share(const Query& row) {
  const auto request = request_id_of(row.blob(1));
  if (!request) return std::nullopt;
  return Share{.id = ShareId{row.integer(0)},
               .request = *request,
               .created_at = from_unix_micros(row.integer(2)),
               .expires_at = from_unix_micros(row.integer(3))};
}

}  // namespace

Result<ShareId> SqliteSharedPageStore::add(const Share& share, std::string_view token_hash,
                                           std::string_view page) {
  const auto added = change(database_,
                            "INSERT INTO shared_pages"
                            " (token_hash, request_id, created_at, expires_at, page)"
                            " VALUES (?, ?, ?, ?, ?)",
                            Blob{token_hash}, Blob{to_blob(share.request)}, share.created_at,
                            share.expires_at, page);
  if (!added) return std::unexpected(RecordError::unavailable);
  return ShareId{database_.last_insert_id()};
}

Result<std::optional<std::string>> SqliteSharedPageStore::find(std::string_view token_hash,
                                                               WallTime now) {
  auto found = select_one<std::string>(
      database_, "SELECT page FROM shared_pages WHERE token_hash = ? AND expires_at > ?",
      [](const Query& row) { return std::optional(row.text(0)); }, Blob{token_hash}, now);
  if (!found) return std::unexpected(RecordError::unavailable);
  return std::move(*found);
}

Result<std::vector<Share>> SqliteSharedPageStore::list(WallTime now) {
  auto found = select<Share>(database_,
                             "SELECT id, request_id, created_at, expires_at FROM shared_pages"
                             " WHERE expires_at > ? ORDER BY id DESC LIMIT ?",
                             read_share, now, record::shares_max);
  if (!found) return std::unexpected(RecordError::unavailable);
  return std::move(*found);
}

Result<void> SqliteSharedPageStore::take_back(ShareId id, WallTime now) {
  const auto taken = change(database_,
                            "UPDATE shared_pages SET page = '', expires_at = ?1"
                            " WHERE id = ?2 AND expires_at > ?1",
                            now, id);
  if (!taken) return std::unexpected(RecordError::unavailable);
  if (*taken == 0) return std::unexpected(RecordError::not_found);
  return {};
}

Result<void> SqliteSharedPageStore::remove_expired(WallTime now) {
  const auto due = select_one<std::int64_t>(
      database_, "SELECT EXISTS (SELECT 1 FROM shared_pages WHERE expires_at <= ?)", read_integer,
      now);
  if (!due) return std::unexpected(RecordError::unavailable);
  if (due->value_or(0) == 0) return {};
  if (!change(database_, "DELETE FROM shared_pages WHERE expires_at <= ?", now)) {
    return std::unexpected(RecordError::unavailable);
  }
  return {};
}

}  // namespace claviger::store

#include "store/sqlite/record_store.h"

#include <algorithm>
#include <set>

#include "store/sqlite/record_blocks.h"
#include "store/sqlite/record_usage.h"
#include "store/sqlite/sql.h"

namespace claviger::store {
namespace {

using record::Record;
using record::RecordError;
using record::Result;

using Records = std::vector<const Record*>;

/// Takes those out of `records`, all of one minute and sorted, that the database has already.
DbResult<void> leave_out_present(Database& database, Records& records) {
  const RequestId after = first_id_of_minute(block_minute(records.front()->id) + 1);
  const auto blocks = select<std::string>(
      database, "SELECT records FROM record_blocks WHERE last_id >= ? AND last_id < ?",
      [](const Query& row) { return std::optional(row.blob(0)); },
      Blob{to_blob(records.front()->id)}, Blob{to_blob(after)});
  if (!blocks) return std::unexpected(blocks.error());
  std::set<RequestId> present;
  for (const std::string& block : *blocks) {
    if (!each_record(block, [&](const Record& record) { present.insert(record.id); })) {
      return std::unexpected(not_understood(database));
    }
  }
  std::erase_if(records, [&](const Record* record) { return present.contains(record->id); });
  return {};
}

/// One block: `records` are of one minute, sorted, and not there yet.
DbResult<void> insert_block(Database& database, std::span<const Record* const> records) {
  const std::string last_id = to_blob(records.back()->id);
  const auto failed = std::ranges::count_if(
      records, [](const Record* record) { return record::has_failed(*record); });
  const auto inserted = change(database,
                               "INSERT INTO record_blocks (first_id, last_id, failed, records)"
                               " VALUES (?, ?, ?, ?)",
                               Blob{to_blob(records.front()->id)}, Blob{last_id}, failed,
                               Blob{pack_records(records)});
  if (!inserted) return std::unexpected(inserted.error());
  const std::int64_t block = database.last_insert_id();
  std::vector<OwnerId> owners;
  for (const Record* const record : records) {
    if (owners.empty() || owners.back() != record->owner) owners.push_back(record->owner);
  }
  std::ranges::sort(owners);
  owners.erase(std::unique(owners.begin(), owners.end()), owners.end());
  for (const OwnerId owner : owners) {
    const auto noted = change(database,
                              "INSERT INTO record_block_owners (owner_id, last_id, block)"
                              " VALUES (?, ?, ?)",
                              owner, Blob{last_id}, block);
    if (!noted) return std::unexpected(noted.error());
  }
  return add_usage(database, records);
}

/// The blocks among which a query's records are, latest last id first.
std::string blocks_sql(const record::Query& query) {
  std::string sql = "SELECT b.last_id, b.records FROM record_blocks AS b";
  if (query.owner) {
    sql =
        "SELECT o.last_id, b.records FROM record_block_owners AS o"
        " CROSS JOIN record_blocks AS b ON b.block = o.block";
  }
  const std::string_view id = query.owner ? "o.last_id" : "b.last_id";
  sql += " WHERE 1";
  if (query.owner) sql += " AND o.owner_id = ?";
  if (query.failed_only) sql += " AND b.failed > 0";
  if (query.since) sql.append(" AND ").append(id).append(" >= ?");
  return sql.append(" ORDER BY ").append(id).append(" DESC");
}

DbResult<std::vector<Record>> list_records(Database& database, const record::Query& query) {
  const auto limit =
      static_cast<std::size_t>(std::clamp(query.limit, 1, record::records_listed_max));
  const auto statement = database.prepare(blocks_sql(query));
  if (!statement) return std::unexpected(statement.error());
  Query bound(**statement);
  if (query.owner) bind_one(bound, *query.owner);
  if (query.since) bind_one(bound, Blob{to_blob(oldest_request_id(*query.since))});
  return youngest_of<Record>(database, bound, limit, [&](const Record& record) {
    return record::matches(query, record) ? std::optional(record) : std::nullopt;
  });
}

DbResult<std::optional<Record>> find_record(Database& database, RequestId id) {
  const RequestId after = first_id_of_minute(block_minute(id) + 1);
  const auto blocks = select<std::string>(
      database,
      "SELECT records FROM record_blocks WHERE last_id >= ? AND last_id < ? AND first_id <= ?",
      [](const Query& row) { return std::optional(row.blob(0)); }, Blob{to_blob(id)},
      Blob{to_blob(after)}, Blob{to_blob(id)});
  if (!blocks) return std::unexpected(blocks.error());
  std::optional<Record> found;
  for (const std::string& block : *blocks) {
    const bool is_sound = each_record(block, [&](const Record& record) {
      if (record.id == id) found = record;
    });
    if (!is_sound) return std::unexpected(not_understood(database));
    if (found) break;
  }
  return found;
}

}  // namespace

DbResult<void> append_records(Database& database, std::span<const Record> records,
                              Repeated repeated) {
  Records sorted;
  sorted.reserve(records.size());
  for (const Record& record : records) sorted.push_back(&record);
  std::ranges::stable_sort(sorted, {}, [](const Record* record) { return record->id; });
  const auto twice =
      std::ranges::unique(sorted, {}, [](const Record* record) { return record->id; });
  sorted.erase(twice.begin(), twice.end());

  for (auto begin = sorted.begin(); begin != sorted.end();) {
    const std::uint64_t minute = block_minute((*begin)->id);
    const auto end = std::find_if(begin, sorted.end(), [minute](const Record* record) {
      return block_minute(record->id) != minute;
    });
    Records of_minute(begin, end);
    begin = end;
    if (repeated == Repeated::perhaps) {
      if (auto left = leave_out_present(database, of_minute); !left) return left;
    }
    for (std::span<const Record* const> rest = of_minute; !rest.empty();) {
      const auto block = rest.first(std::min(rest.size(), block_items_max));
      if (auto inserted = insert_block(database, block); !inserted) return inserted;
      rest = rest.subspan(block.size());
    }
  }
  return {};
}

Result<void> SqliteRecordStore::append(const std::vector<Record>& records) {
  const Repeated repeated = may_be_repeated_ ? Repeated::perhaps : Repeated::never;
  may_be_repeated_ = true;
  const auto appended =
      database_.transaction([&] { return append_records(database_, records, repeated); });
  if (!appended) return std::unexpected(RecordError::unavailable);
  may_be_repeated_ = false;
  return {};
}

Result<Record> SqliteRecordStore::find(RequestId id) {
  auto found = find_record(database_, id);
  if (!found) return std::unexpected(RecordError::unavailable);
  if (!*found) return std::unexpected(RecordError::not_found);
  return std::move(**found);
}

Result<std::vector<Record>> SqliteRecordStore::list(const record::Query& query) {
  auto found = list_records(database_, query);
  if (!found) return std::unexpected(RecordError::unavailable);
  return std::move(*found);
}

}  // namespace claviger::store

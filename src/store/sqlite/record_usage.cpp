#include "store/sqlite/record_usage.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "store/record_block.h"
#include "store/sqlite/record_store.h"
#include "store/sqlite/sql.h"

namespace claviger::store {
namespace {

using record::Grouping;
using record::Record;
using record::RecordError;
using record::Result;
using record::UsageRow;

constexpr std::int64_t kNanosPerDollar = 1'000'000'000;
/// A count as it goes into a sum: a provider's absurd number must not overflow the sum of an
/// honest rest, which SQLite would answer with an error.
constexpr std::int64_t kSummedMax = 1'000'000'000'000;
constexpr std::string_view kTable = "usage_hours";
/// Of the hour in whose middle a query begins, the part behind that moment.
constexpr std::string_view kPart = "temp.usage_part";

std::int64_t hour_of(WallTime time) {
  return std::chrono::floor<std::chrono::hours>(time).time_since_epoch().count();
}

WallTime start_of(std::int64_t hour) {
  return WallTime(std::chrono::hours(hour));
}

/// What the records of one sum have in common. Texts are those of the records.
struct UsageKey {
  std::int64_t hour;
  OwnerId owner;
  AppId app;
  VirtualKeyId key;
  CredentialId credential;
  std::string_view model;
  std::string_view end_user;
  bool is_failed;
  friend auto operator<=>(const UsageKey&, const UsageKey&) = default;
};

UsageKey key_of(const Record& record) {
  return {.hour = hour_of(record.started_at),
          .owner = record.owner,
          .app = record.app,
          .key = record.key,
          .credential = record.credential,
          .model = record.model,
          .end_user = record.end_user,
          .is_failed = record::has_failed(record)};
}

std::int64_t summed(std::int64_t count) {
  return std::clamp<std::int64_t>(count, 0, kSummedMax);
}

struct Sums {
  std::int64_t requests = 0;
  std::int64_t input_tokens = 0;
  std::int64_t output_tokens = 0;
  // Money in two sums, because absurd amounts must not overflow that of an honest rest.
  std::int64_t dollars = 0;
  std::int64_t nanos = 0;
  std::int64_t cached_input_tokens = 0;
  std::int64_t cache_write_tokens = 0;
  std::int64_t reasoning_tokens = 0;
  std::int64_t audio_tokens = 0;
  std::int64_t image_tokens = 0;
  std::int64_t searches = 0;
  std::int64_t unbounded_requests = 0;
  std::int64_t unbounded_dollars = 0;
  std::int64_t unbounded_nanos = 0;

  void add(const Record& record) {
    const exchange::Usage& usage = record.usage;
    ++requests;
    input_tokens += summed(usage.input_tokens) + summed(usage.cached_input_tokens) +
                    summed(usage.cache_write_tokens) + summed(usage.cache_write_1h_tokens);
    output_tokens += summed(usage.output_tokens);
    dollars += record.cost.nanos() / kNanosPerDollar;
    nanos += record.cost.nanos() % kNanosPerDollar;
    add_kinds(usage);
    if (!record.unbounded) return;
    ++unbounded_requests;
    unbounded_dollars += record.cost.nanos() / kNanosPerDollar;
    unbounded_nanos += record.cost.nanos() % kNanosPerDollar;
  }

 private:
  void add_kinds(const exchange::Usage& usage) {
    using exchange::Unit;
    cached_input_tokens += summed(usage.cached_input_tokens);
    cache_write_tokens += summed(usage.cache_write_tokens) + summed(usage.cache_write_1h_tokens);
    reasoning_tokens += summed(usage.reasoning_tokens);
    audio_tokens += summed(usage.audio_input_tokens) + summed(usage.cached_audio_tokens) +
                    summed(usage.audio_output_tokens);
    image_tokens += summed(usage.image_input_tokens) + summed(usage.cached_image_tokens) +
                    summed(usage.image_output_tokens);
    for (const Unit unit :
         {Unit::web_search, Unit::search_context_low, Unit::search_context_medium,
          Unit::search_context_high, Unit::maps_query, Unit::file_search, Unit::rerank_search}) {
      searches += summed(usage.units[unit]);
    }
  }
};

DbResult<void> add_sums(Database& database, std::string_view table, const UsageKey& key,
                        const Sums& sums) {
  // Far above what an hour can bring, and far below what the sum of many hours could overflow.
  std::string sql = "INSERT INTO " + std::string(table) +
                    " AS old VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
                    " ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                    " ON CONFLICT DO UPDATE SET requests = old.requests + excluded.requests,"
                    " cost_dollars = old.cost_dollars + excluded.cost_dollars,"
                    " cost_nanos = old.cost_nanos + excluded.cost_nanos,"
                    " unbounded_requests = old.unbounded_requests + excluded.unbounded_requests,"
                    " unbounded_dollars = old.unbounded_dollars + excluded.unbounded_dollars,"
                    " unbounded_nanos = old.unbounded_nanos + excluded.unbounded_nanos";
  for (const std::string_view column :
       {"input_tokens", "output_tokens", "cached_input_tokens", "cache_write_tokens",
        "reasoning_tokens", "audio_tokens", "image_tokens", "searches"}) {
    sql += fmt::format(", {0} = min(old.{0} + excluded.{0}, 1000000000000000)", column);
  }
  const auto added =
      change(database, sql, key.hour, key.owner, key.app, key.key, key.credential, key.model,
             key.end_user, key.is_failed, sums.requests, sums.input_tokens, sums.output_tokens,
             sums.dollars, sums.nanos, sums.cached_input_tokens, sums.cache_write_tokens,
             sums.reasoning_tokens, sums.audio_tokens, sums.image_tokens, sums.searches,
             sums.unbounded_requests, sums.unbounded_dollars, sums.unbounded_nanos);
  if (!added) return std::unexpected(added.error());
  return {};
}

DbResult<void> add_to(Database& database, std::string_view table,
                      const std::map<UsageKey, Sums>& by_key) {
  for (const auto& [key, sums] : by_key) {
    if (auto added = add_sums(database, table, key, sums); !added) return added;
  }
  return {};
}

/// Fills kPart with what matches and began in [since, until).
DbResult<void> sum_part(Database& database, const record::Query& query, WallTime until) {
  auto made = database.execute(
      "CREATE TEMP TABLE IF NOT EXISTS usage_part (hour, owner_id, app_id, key_id, credential_id,"
      " model, end_user, is_failed, requests, input_tokens, output_tokens, cost_dollars,"
      " cost_nanos, cached_input_tokens, cache_write_tokens, reasoning_tokens, audio_tokens,"
      " image_tokens, searches, unbounded_requests, unbounded_dollars, unbounded_nanos,"
      " PRIMARY KEY (hour, owner_id, app_id, key_id, credential_id, model, end_user,"
      " is_failed)); DELETE FROM temp.usage_part");
  if (!made) return made;
  const auto statement =
      database.prepare("SELECT records FROM record_blocks WHERE last_id >= ? AND first_id < ?");
  if (!statement) return std::unexpected(statement.error());
  Query bound(**statement);
  bind_one(bound, Blob{to_blob(oldest_request_id(*query.since))});
  bind_one(bound, Blob{to_blob(oldest_request_id(until))});
  while (true) {
    const auto row = bound.step();
    if (!row) return std::unexpected(row.error());
    if (!*row) return {};
    const std::string block = bound.blob(0);
    RecordBlockReader reader(block);
    // The reader's texts change with each record, so a sum goes to the table before that.
    while (reader.next()) {
      const Record& record = reader.record();
      if (record.started_at >= until || !record::matches(query, record)) continue;
      Sums sums;
      sums.add(record);
      if (auto added = add_sums(database, kPart, key_of(record), sums); !added) return added;
    }
    if (reader.is_broken()) return std::unexpected(not_understood(database));
  }
}

/// What the records of one group have in common (what people call it), as SQL over the sums.
std::string_view group_expression(Grouping by) {
  switch (by) {
    case Grouping::model:
      return "model";
    case Grouping::app:
      return "ifnull((SELECT name FROM apps WHERE id = app_id), '')";
    case Grouping::owner:
      return "ifnull((SELECT name FROM owners WHERE id = owner_id), '')";
    case Grouping::credential:
      return "ifnull((SELECT name FROM credentials WHERE id = credential_id), '')";
    case Grouping::user:
      return "end_user";
    case Grouping::day:
      return "date(hour * 3600, 'unixepoch')";
  }
  return "''";
}

/// Two rows of one name (an owner removed, another made of the same name) stay two groups.
std::string_view group_key(Grouping by) {
  switch (by) {
    case Grouping::app:
      return "app_id";
    case Grouping::owner:
      return "owner_id";
    case Grouping::credential:
      return "credential_id";
    case Grouping::model:
    case Grouping::user:
    case Grouping::day:
      break;
  }
  return "1";
}

/// Only parts of fixed text are put together. A part of an hour is there where since is.
std::string usage_sql(Grouping by, const record::Query& query) {
  std::string hours = "SELECT * FROM " + std::string(kTable) + " WHERE 1";
  if (query.since) hours += " AND hour >= ?";
  if (query.failed_only) hours += " AND is_failed = 1";
  if (query.owner) hours += " AND owner_id = ?";
  if (query.key) hours += " AND key_id = ?";
  if (query.since) hours.append(" UNION ALL SELECT * FROM ").append(kPart);
  return "SELECT " + std::string(group_expression(by)) +
         " AS name, sum(requests), sum(requests * is_failed), sum(input_tokens),"
         " sum(output_tokens), sum(cost_dollars) AS dollars, sum(cost_nanos) AS nanos,"
         " sum(cached_input_tokens), sum(cache_write_tokens), sum(reasoning_tokens),"
         " sum(audio_tokens), sum(image_tokens), sum(searches), sum(unbounded_requests),"
         " sum(unbounded_dollars), sum(unbounded_nanos) FROM (" +
         hours + ") GROUP BY name, " + std::string(group_key(by)) + " ORDER BY " +
         (by == Grouping::day
              ? "name DESC"
              : "dollars + nanos / 1000000000 DESC, nanos % 1000000000 DESC, name") +
         " LIMIT " + std::to_string(record::usage_groups_max);
}

NanoUsd money_of(std::int64_t whole_dollars, std::int64_t nanos) {
  std::int64_t total = 0;
  if (__builtin_mul_overflow(whole_dollars, kNanosPerDollar, &total)) return NanoUsd::max();
  return NanoUsd(total) + NanoUsd(nanos);
}

DbResult<std::vector<UsageRow>> usage_of(Database& database, Grouping by,
                                         const record::Query& query) {
  std::int64_t first_whole_hour = 0;
  if (query.since) {
    first_whole_hour = hour_of(*query.since - std::chrono::microseconds(1)) + 1;
    auto summed_up = sum_part(database, query, start_of(first_whole_hour));
    if (!summed_up) return std::unexpected(summed_up.error());
  }
  const auto statement = database.prepare(usage_sql(by, query));
  if (!statement) return std::unexpected(statement.error());
  Query bound(**statement);
  if (query.since) bind_one(bound, first_whole_hour);
  if (query.owner) bind_one(bound, *query.owner);
  if (query.key) bind_one(bound, *query.key);
  return read_all<UsageRow>(database, bound, [](const Query& row) {
    return std::optional(UsageRow{.group = row.text(0),
                                  .requests = row.integer(1),
                                  .failed = row.integer(2),
                                  .input_tokens = row.integer(3),
                                  .output_tokens = row.integer(4),
                                  .cost = money_of(row.integer(5), row.integer(6)),
                                  .cached_input_tokens = row.integer(7),
                                  .cache_write_tokens = row.integer(8),
                                  .reasoning_tokens = row.integer(9),
                                  .audio_tokens = row.integer(10),
                                  .image_tokens = row.integer(11),
                                  .searches = row.integer(12),
                                  .unbounded_requests = row.integer(13),
                                  .unbounded_cost = money_of(row.integer(14), row.integer(15))});
  });
}

}  // namespace

DbResult<void> add_usage(Database& database, std::span<const Record* const> records) {
  std::map<UsageKey, Sums> by_key;
  auto place = by_key.end();
  for (const Record* const record : records) {
    const UsageKey key = key_of(*record);
    // Neighbours are often alike.
    if (place == by_key.end() || place->first != key) place = by_key.try_emplace(key).first;
    place->second.add(*record);
  }
  return add_to(database, kTable, by_key);
}

Result<std::vector<UsageRow>> SqliteRecordStore::usage(Grouping by, const record::Query& query) {
  auto rows = usage_of(database_, by, query);
  if (!rows) return std::unexpected(RecordError::unavailable);
  return std::move(*rows);
}

}  // namespace claviger::store

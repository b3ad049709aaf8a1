#pragma once

/// The three shapes that nearly every use of a statement has, so that a store reads as its SQL.

#include <array>
#include <concepts>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/money.h"
#include "base/time.h"
#include "store/sqlite/database.h"

namespace claviger::store {

/// Says that bytes are a BLOB; a plain string is TEXT.
struct Blob {
  std::string_view bytes;
};

inline void bind_one(Query& query, std::string_view value) {
  query.bind_text(value);
}
inline void bind_one(Query& query, Blob value) {
  query.bind_blob(value.bytes);
}
inline void bind_one(Query& query, NanoUsd value) {
  query.bind(value.nanos());
}
inline void bind_one(Query& query, PicoUsdPerUnit value) {
  query.bind(value.picos);
}
inline void bind_one(Query& query, WallTime value) {
  query.bind(unix_micros(value));
}
inline void bind_one(Query& query, std::nullopt_t) {
  query.bind_null();
}
template <typename Kind>
void bind_one(Query& query, RowId<Kind> value) {
  query.bind(value.value);
}
template <std::integral Number>
void bind_one(Query& query, Number value) {
  query.bind(static_cast<std::int64_t>(value));
}
template <typename Value>
void bind_one(Query& query, const std::optional<Value>& value) {
  if (value) {
    bind_one(query, *value);
  } else {
    query.bind_null();
  }
}

/// Runs a statement without rows; how many rows it touched.
template <typename... Values>
DbResult<std::int64_t> change(Database& database, std::string_view sql, const Values&... values) {
  auto statement = database.prepare(sql);
  if (!statement) return std::unexpected(statement.error());
  Query query(**statement, Query::Bound::left_in_place);
  (bind_one(query, values), ...);
  if (auto ran = query.run(); !ran) return std::unexpected(ran.error());
  return database.changes();
}

/// A row says what no build ever wrote.
DatabaseError not_understood(const Database& database);
/// A row that was to be changed is not there; rolls a transaction back.
DatabaseError no_such_row(const Database& database);

/// The rows of a bound query as `T`s. `read` makes one, or nothing where a row says what no
/// build ever wrote: the file was tampered with, and all of it is refused.
template <typename T, typename Read>
DbResult<std::vector<T>> read_all(const Database& database, Query& query, Read read) {
  std::vector<T> found;
  while (true) {
    auto row = query.step();
    if (!row) return std::unexpected(row.error());
    if (!*row) return found;
    std::optional<T> value = read(query);
    if (!value) return std::unexpected(not_understood(database));
    found.push_back(std::move(*value));
  }
}

/// All rows of `sql`; see read_all().
template <typename T, typename Read, typename... Values>
DbResult<std::vector<T>> select(Database& database, std::string_view sql, Read read,
                                const Values&... values) {
  auto statement = database.prepare(sql);
  if (!statement) return std::unexpected(statement.error());
  Query query(**statement, Query::Bound::left_in_place);
  (bind_one(query, values), ...);
  return read_all<T>(database, query, read);
}

/// The first row, if there is one.
template <typename T, typename Read, typename... Values>
DbResult<std::optional<T>> select_one(Database& database, std::string_view sql, Read read,
                                      const Values&... values) {
  auto rows = select<T>(database, sql, read, values...);
  if (!rows) return std::unexpected(rows.error());
  if (rows->empty()) return std::optional<T>();
  return std::optional<T>(std::move(rows->front()));
}

inline std::optional<std::int64_t> read_integer(const Query& row) {
  return row.integer(0);
}

inline std::optional<std::int64_t> integer_or_null(const Query& row, int column) {
  if (row.is_null(column)) return std::nullopt;
  return row.integer(column);
}

inline std::optional<WallTime> time_or_null(const Query& row, int column) {
  if (row.is_null(column)) return std::nullopt;
  return from_unix_micros(row.integer(column));
}

/// How an enumerator is written in the database. Words, not numbers: a dump is read by people,
/// and inserting an enumerator must not change what old rows mean.
template <typename Enum, std::size_t N>
struct EnumWords {
  std::array<std::pair<Enum, std::string_view>, N> words;

  std::string_view of(Enum value) const {
    for (const auto& [enumerator, word] : words) {
      if (enumerator == value) return word;
    }
    std::abort();  // An enumerator that the table lacks is a bug, found by the first test.
  }
  std::optional<Enum> parse(std::string_view text) const {
    for (const auto& [enumerator, word] : words) {
      if (word == text) return enumerator;
    }
    return std::nullopt;
  }
};

/// 16 bytes, most significant first, so that rows sort by age.
std::string to_blob(RequestId id);
std::optional<RequestId> request_id_of(std::string_view blob);

}  // namespace claviger::store

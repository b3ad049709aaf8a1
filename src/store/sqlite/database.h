#pragma once

/// A thin, honest wrapper of SQLite: one connection, prepared statements, transactions.
/// WAL and synchronous=FULL: what was committed survives a power cut.
///
/// Threads: a Database belongs to one thread at a time. Threads that write have one each;
/// SQLite serialises them, with a busy time-out instead of an error.

#include <cstdint>
#include <expected>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

struct sqlite3;
struct sqlite3_stmt;

namespace claviger::store {

/// The SQLite result code (https://www.sqlite.org/rescode.html) and its message.
struct DatabaseError {
  int code = 0;
  std::string message;
  bool is_constraint() const;  ///< A UNIQUE, FOREIGN KEY or CHECK said no.
  bool is_full() const;        ///< No room on the disk.
};

template <typename T>
using DbResult = std::expected<T, DatabaseError>;

class Statement;

class Database {
 public:
  enum class Mode : std::uint8_t { read_write, create };

  /// Opens the file (mode 0600). ":memory:" for tests.
  static DbResult<Database> open(const std::filesystem::path& file, Mode mode);

  Database(Database&&) noexcept;
  Database& operator=(Database&&) noexcept;
  ~Database();

  /// Runs statements without parameters or results.
  DbResult<void> execute(std::string_view sql);
  /// Prepared once and kept; the reference is valid as long as the Database.
  DbResult<Statement*> prepare(std::string_view sql);
  std::int64_t last_insert_id() const;
  std::int64_t changes() const;

  /// BEGIN IMMEDIATE … COMMIT around `work`, which returns DbResult<T>; ROLLBACK on error.
  template <typename Work>
  auto transaction(Work work) -> decltype(work()) {
    if (auto begun = execute("BEGIN IMMEDIATE"); !begun) return std::unexpected(begun.error());
    auto result = work();
    if (!result) {
      (void)execute("ROLLBACK");
      return result;
    }
    if (auto done = execute("COMMIT"); !done) {
      (void)execute("ROLLBACK");
      return std::unexpected(done.error());
    }
    return result;
  }

  /// A consistent copy while others write (SQLite's online backup).
  DbResult<void> backup_to(const std::filesystem::path& file);

  sqlite3* raw() const;

 private:
  struct State;
  explicit Database(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// One use of a prepared statement: bind in order, step, read columns by position, from 0.
/// Resets itself when it goes out of scope.
class Query {
 public:
  explicit Query(Statement& statement);
  ~Query();
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;

  Query& bind(std::int64_t value);
  Query& bind_text(std::string_view value);
  Query& bind_blob(std::string_view bytes);
  Query& bind_null();
  Query& bind(std::optional<std::int64_t> value);

  /// True while there is a row.
  DbResult<bool> step();
  /// For statements without rows.
  DbResult<void> run();

  std::int64_t integer(int column) const;
  std::string text(int column) const;
  std::string blob(int column) const;
  bool is_null(int column) const;

 private:
  Statement& statement_;
  int next_ = 1;
};

/// Forward-only: brings the schema to the version of this build. Errors: the database is
/// newer than this build (says so), or a step failed (nothing of that step is left behind).
DbResult<void> migrate(Database& database);
int schema_version_of_build();

}  // namespace claviger::store

#pragma once

/// A thin, honest wrapper of SQLite: one connection, prepared statements, transactions.
///
/// WAL and synchronous=FULL: what was committed survives a power cut, and readers never wait
/// for a writer (https://www.sqlite.org/wal.html).
///
/// Threads: a Database belongs to one thread at a time. Threads that write have one each;
/// SQLite serialises them, with a busy time-out of five seconds instead of an error.

#include <cstdint>
#include <expected>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

struct sqlite3;
struct sqlite3_stmt;

namespace claviger::store {

/// An extended SQLite result code (https://www.sqlite.org/rescode.html), and a message for
/// people: what happened, to which file, and what to do. Never holds a value of a row.
struct DatabaseError {
  int code = 0;
  std::string message;
  bool is_constraint() const;   ///< A UNIQUE, FOREIGN KEY or CHECK said no.
  bool is_unique() const;       ///< Such a row is there already.
  bool is_foreign_key() const;  ///< What the row refers to is not there.
  bool is_no_such_row() const;  ///< Said by a store, to roll back: what was to be changed is gone.
  bool is_full() const;         ///< No room on the disk.
  bool is_busy() const;         ///< Somebody else kept it locked for five seconds.
};

template <typename T>
using DbResult = std::expected<T, DatabaseError>;

/// What a committed transaction survives.
enum class Durability : std::uint8_t {
  /// synchronous=FULL: each commit waits for the disk. For everything about money and keys.
  power_cut,
  /// synchronous=NORMAL: commits survive a crash or kill -9 of the process, but the last ones
  /// before a power cut may be missing; the file is sound either way. For records, which are
  /// many and repeat what the ledger's journal has already made durable.
  process_crash,
};

class Statement;

class Database {
 public:
  enum class Mode : std::uint8_t {
    read_write,  ///< The file must be there.
    create,      ///< Made (mode 0600) where it is not.
  };

  /// Opens the file and sets the mode of it and of its -wal and -shm companions to 0600.
  /// ":memory:" gives a database of this connection alone, for tests.
  static DbResult<Database> open(const std::filesystem::path& file, Mode mode,
                                 Durability durability = Durability::power_cut);

  Database(Database&&) noexcept;
  Database& operator=(Database&&) noexcept;
  ~Database();

  /// Runs statements without parameters; their rows are dropped.
  DbResult<void> execute(std::string_view sql);
  /// Prepared once and kept; the reference is valid as long as the Database. `sql` is one
  /// statement. Texts are kept for good, so they come from a bounded set, never from outside.
  DbResult<Statement*> prepare(std::string_view sql);
  std::int64_t last_insert_id() const;
  /// Rows that the last INSERT, UPDATE or DELETE touched.
  std::int64_t changes() const;

  /// BEGIN IMMEDIATE … COMMIT around `work`, which returns DbResult<T>; ROLLBACK on error.
  /// Not nestable. IMMEDIATE, because a read that turns into a write half-way cannot wait for
  /// another writer and would fail instead.
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

  /// A consistent copy while others write, in a file of its own (mode 0600) that appears
  /// whole and on the disk, or not at all; it replaces a file of that name. See backup.h.
  DbResult<void> backup_to(const std::filesystem::path& file);

  const std::filesystem::path& file() const;
  sqlite3* raw() const;

 private:
  struct State;
  explicit Database(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// One use of a prepared statement: bind in order, step, read columns by position, from 0.
/// Resets itself when it goes out of scope.
///
/// Text and blobs are bytes with a length: an embedded NUL or invalid UTF-8 comes back as it
/// went in (callers send such things; storing them must neither fail nor cut them off).
///
/// Misuse (two uses of one statement at once, a parameter too few or too many, binding after
/// a step, reading where there is no row) ends the process in every build: SQLite would bind
/// NULL or return 0 instead, and an amount of money would silently be wrong.
class Query {
 public:
  /// Texts and blobs that are bound: copied, or left where they are because whoever binds them
  /// keeps them until the query's end, which spares an allocation each.
  enum class Bound : std::uint8_t { copied, left_in_place };
  explicit Query(Statement& statement, Bound bound = Bound::copied);
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
  enum class Stage : std::uint8_t { binding, on_row, done };
  void check_bind(int result);
  void check_column(int column) const;

  Statement& statement_;
  const Bound bound_;
  int next_ = 1;
  int bind_failure_ = 0;
  Stage stage_ = Stage::binding;
};

/// Forward-only: brings the schema to the version of this build, each step in a transaction
/// of its own. Errors: the database is newer than this build (says so), is not Claviger's, or
/// a step failed (nothing of that step is left behind).
DbResult<void> migrate(Database& database);
int schema_version_of_build();

}  // namespace claviger::store

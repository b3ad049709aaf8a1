#include "store/sqlite/database.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>

#include "store/sqlite/database_error.h"

namespace claviger::store {

/// Statements that are kept for one connection, by their text.
class Statement {
 public:
  Statement(sqlite3_stmt* prepared, sqlite3* connection, const std::filesystem::path& file)
      : handle(prepared), database(connection), database_file(file) {}
  ~Statement() { sqlite3_finalize(handle); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  DatabaseError error(int code) const {
    return database_error(code, sqlite3_errmsg(database), database_file);
  }

  sqlite3_stmt* handle;
  sqlite3* database;
  const std::filesystem::path& database_file;
  bool in_use = false;
};

struct Database::State {
  std::filesystem::path file;
  sqlite3* connection = nullptr;
  std::map<std::string, std::unique_ptr<Statement>, std::less<>> statements;

  ~State() {
    statements.clear();
    sqlite3_close_v2(connection);
  }
};

namespace {

/// How long a writer waits for another one before it gives up.
constexpr int kBusyMsMax = 5'000;
/// A log that one large transaction has blown up is cut back to this at its next reset.
constexpr std::int64_t kLogBytesKept = 16ll << 20;
/// More texts than this would mean that somebody builds SQL from outside data.
constexpr std::size_t kStatementsMost = 512;

[[noreturn]] void misused(const char* what, sqlite3_stmt* statement) {
  std::fprintf(stderr, "bug in a use of the database: %s: %s\n", what,
               statement != nullptr ? sqlite3_sql(statement) : "");
  std::abort();
}

void check(bool fine, const char* what, sqlite3_stmt* statement = nullptr) {
  if (!fine) [[unlikely]]
    misused(what, statement);
}

/// Makes the file with mode 0600 where it is missing and narrows the mode where it is wider.
/// SQLite gives -wal and -shm the mode of the database (findCreateFileMode in os_unix.c), but
/// leaves those alone that are there already.
///
/// By path, never by opening an existing file: closing any descriptor of a file drops all of
/// this process's locks on it, other connections' included
/// (https://www.sqlite.org/howtocorrupt.html, 2.2).
DbResult<void> secure_files(const std::filesystem::path& file, Database::Mode mode) {
  const auto failed = [&](const char* what) {
    return std::unexpected(DatabaseError{
        SQLITE_CANTOPEN, fmt::format("database \"{}\": {}: {}. Check that the folder exists and "
                                     "that this user may write to it.",
                                     file.string(), what, std::strerror(errno))});
  };
  if (mode == Database::Mode::create) {
    const int made = ::open(file.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    if (made >= 0) {
      ::close(made);
    } else if (errno != EEXIST) {
      return failed("cannot be made");
    }
  }
  for (const char* companion : {"", "-wal", "-shm"}) {
    const std::string path = file.string() + companion;
    const bool is_database = *companion == '\0';
    struct stat about{};
    if (::stat(path.c_str(), &about) != 0) {
      if (is_database) return failed("cannot be opened");
      continue;
    }
    if (is_database && !S_ISREG(about.st_mode)) {
      return std::unexpected(DatabaseError{
          SQLITE_CANTOPEN,
          fmt::format("database \"{}\" is not a file. Name the file itself.", file.string())});
    }
    if ((about.st_mode & 0777) != 0600 && ::chmod(path.c_str(), 0600) != 0) {
      return failed("its mode cannot be set to 0600");
    }
  }
  return {};
}

/// Switches off what an attacker who can write to the file would like to have on
/// (https://www.sqlite.org/security.html, "Untrusted SQLite Database Files").
void distrust_schema(sqlite3* connection) {
  int now = 0;
  sqlite3_db_config(connection, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, &now);
  sqlite3_db_config(connection, SQLITE_DBCONFIG_DEFENSIVE, 1, &now);
  sqlite3_db_config(connection, SQLITE_DBCONFIG_DQS_DML, 0, &now);
  sqlite3_db_config(connection, SQLITE_DBCONFIG_DQS_DDL, 0, &now);
}

DbResult<void> configure(Database& database, Durability durability) {
  sqlite3_busy_timeout(database.raw(), kBusyMsMax);
  distrust_schema(database.raw());
  {
    auto statement = database.prepare("PRAGMA journal_mode = WAL");
    if (!statement) return std::unexpected(statement.error());
    Query query(**statement);
    auto row = query.step();
    if (!row) return std::unexpected(row.error());
    const std::string mode = *row ? query.text(0) : "";
    if (mode != "wal" && database.file() != ":memory:") {
      return std::unexpected(DatabaseError{
          SQLITE_CANTOPEN,
          fmt::format("database \"{}\" cannot keep a write-ahead log here (journal mode: {}). "
                      "Put the home folder on a local file system.",
                      database.file().string(), mode)});
    }
  }
  // secure_delete: a removed key is overwritten in the file, not only unlinked from a page.
  return database.execute(
      fmt::format("PRAGMA synchronous = {}; PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON;"
                  "PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY;"
                  "PRAGMA journal_size_limit = {}",
                  durability == Durability::power_cut ? "FULL" : "NORMAL", kLogBytesKept));
}

}  // namespace

Database::Database(std::unique_ptr<State> state) : state_(std::move(state)) {}
Database::Database(Database&&) noexcept = default;
Database& Database::operator=(Database&&) noexcept = default;
Database::~Database() = default;

const std::filesystem::path& Database::file() const {
  return state_->file;
}
sqlite3* Database::raw() const {
  return state_->connection;
}
std::int64_t Database::last_insert_id() const {
  return sqlite3_last_insert_rowid(raw());
}
std::int64_t Database::changes() const {
  return sqlite3_changes64(raw());
}

DbResult<Database> Database::open(const std::filesystem::path& file, Mode mode,
                                  Durability durability) {
  // Every allocation would otherwise take a lock that all connections share, to be counted.
  // Refused where SQLite runs already: then it has been told.
  sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  if (file != ":memory:") {
    if (mode == Mode::read_write && !std::filesystem::exists(file)) {
      return std::unexpected(DatabaseError{
          SQLITE_CANTOPEN, fmt::format("there is no database at \"{}\". Make a home with "
                                       "'claviger init', or name another one with --home.",
                                       file.string())});
    }
    if (auto secured = secure_files(file, mode); !secured) {
      return std::unexpected(secured.error());
    }
  }
  auto state = std::make_unique<State>();
  state->file = file;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
                    (mode == Mode::create ? SQLITE_OPEN_CREATE : 0);
  const int opened = sqlite3_open_v2(file.c_str(), &state->connection, flags, nullptr);
  if (opened != SQLITE_OK) {
    return std::unexpected(database_error(opened, sqlite3_errstr(opened), file));
  }
  Database database(std::move(state));
  if (auto configured = configure(database, durability); !configured) {
    return std::unexpected(configured.error());
  }
  return database;
}

DbResult<void> Database::execute(std::string_view sql) {
  const std::string text(sql);
  const int result = sqlite3_exec(raw(), text.c_str(), nullptr, nullptr, nullptr);
  if (result == SQLITE_OK) return {};
  return std::unexpected(database_error(result, sqlite3_errmsg(raw()), file()));
}

DbResult<Statement*> Database::prepare(std::string_view sql) {
  if (const auto found = state_->statements.find(sql); found != state_->statements.end()) {
    return found->second.get();
  }
  check(state_->statements.size() < kStatementsMost, "too many different statements");
  sqlite3_stmt* prepared = nullptr;
  const char* rest = nullptr;
  const int result = sqlite3_prepare_v3(raw(), sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &prepared, &rest);
  if (result != SQLITE_OK) {
    return std::unexpected(database_error(result, sqlite3_errmsg(raw()), file()));
  }
  auto statement = std::make_unique<Statement>(prepared, raw(), file());
  check(prepared != nullptr && rest == sql.data() + sql.size(), "not one statement", prepared);
  Statement* const kept = statement.get();
  state_->statements.emplace(std::string(sql), std::move(statement));
  return kept;
}

static sqlite3_destructor_type keeping(Query::Bound bound) {
  return bound == Query::Bound::copied ? SQLITE_TRANSIENT : SQLITE_STATIC;
}

Query::Query(Statement& statement, Bound bound) : statement_(statement), bound_(bound) {
  check(!statement_.in_use, "a statement is used twice at once", statement_.handle);
  statement_.in_use = true;
}

Query::~Query() {
  sqlite3_reset(statement_.handle);
  sqlite3_clear_bindings(statement_.handle);
  statement_.in_use = false;
}

void Query::check_bind(int result) {
  check(stage_ == Stage::binding, "a parameter is bound after the first step", statement_.handle);
  check(result != SQLITE_RANGE, "more parameters bound than the statement has", statement_.handle);
  // Too big or out of memory: said by step(), so that binding stays a chain.
  if (result != SQLITE_OK && bind_failure_ == 0) bind_failure_ = result;
  ++next_;
}

Query& Query::bind(std::int64_t value) {
  check_bind(sqlite3_bind_int64(statement_.handle, next_, value));
  return *this;
}

Query& Query::bind_text(std::string_view value) {
  // A null pointer would bind NULL, which an empty text is not.
  check_bind(sqlite3_bind_text64(statement_.handle, next_, value.empty() ? "" : value.data(),
                                 value.size(), keeping(bound_), SQLITE_UTF8));
  return *this;
}

Query& Query::bind_blob(std::string_view bytes) {
  check_bind(sqlite3_bind_blob64(statement_.handle, next_, bytes.empty() ? "" : bytes.data(),
                                 bytes.size(), keeping(bound_)));
  return *this;
}

Query& Query::bind_null() {
  check_bind(sqlite3_bind_null(statement_.handle, next_));
  return *this;
}

Query& Query::bind(std::optional<std::int64_t> value) {
  return value ? bind(*value) : bind_null();
}

DbResult<bool> Query::step() {
  if (stage_ == Stage::binding) {
    check(next_ == sqlite3_bind_parameter_count(statement_.handle) + 1,
          "fewer parameters bound than the statement has", statement_.handle);
    if (bind_failure_ != 0) {
      stage_ = Stage::done;
      return std::unexpected(statement_.error(bind_failure_));
    }
  }
  check(stage_ != Stage::done, "a statement is stepped after its end", statement_.handle);
  const int result = sqlite3_step(statement_.handle);
  if (result == SQLITE_ROW) {
    stage_ = Stage::on_row;
    return true;
  }
  stage_ = Stage::done;
  if (result == SQLITE_DONE) return false;
  return std::unexpected(statement_.error(result));
}

DbResult<void> Query::run() {
  auto row = step();
  if (!row) return std::unexpected(row.error());
  check(!*row, "a statement that was run has rows", statement_.handle);
  return {};
}

void Query::check_column(int column) const {
  check(stage_ == Stage::on_row, "a column is read where there is no row", statement_.handle);
  check(column >= 0 && column < sqlite3_data_count(statement_.handle),
        "a column is read that the row does not have", statement_.handle);
}

std::int64_t Query::integer(int column) const {
  check_column(column);
  return sqlite3_column_int64(statement_.handle, column);
}

std::string Query::text(int column) const {
  check_column(column);
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_.handle, column));
  const int size = sqlite3_column_bytes(statement_.handle, column);
  return bytes == nullptr ? std::string() : std::string(bytes, static_cast<std::size_t>(size));
}

std::string Query::blob(int column) const {
  check_column(column);
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_.handle, column));
  const int size = sqlite3_column_bytes(statement_.handle, column);
  return bytes == nullptr ? std::string() : std::string(bytes, static_cast<std::size_t>(size));
}

bool Query::is_null(int column) const {
  check_column(column);
  return sqlite3_column_type(statement_.handle, column) == SQLITE_NULL;
}

}  // namespace claviger::store

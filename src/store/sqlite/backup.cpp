#include "store/sqlite/backup.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "store/sqlite/database_error.h"
#include "store/sqlite/migrations.h"
#include "store/sqlite/sql.h"

namespace claviger::store {
namespace {

namespace fs = std::filesystem;

DatabaseError system_error(std::string_view what, const fs::path& file) {
  const int cause = errno;
  const int code = cause == ENOSPC || cause == EDQUOT ? SQLITE_FULL : SQLITE_IOERR;
  return {code, fmt::format("backup \"{}\": {}: {}. Choose a folder that this user may write to "
                            "and that has room.",
                            file.string(), what, std::strerror(cause))};
}

/// A file descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }
  bool is_open() const { return number_ >= 0; }

 private:
  int number_;
};

/// The name under which a file is written before it is whole; removed unless kept.
class TemporaryFile {
 public:
  explicit TemporaryFile(const fs::path& target) {
    std::uint64_t random = 0;
    (void)::getrandom(&random, sizeof random, 0);
    path_ = target;
    path_ += fmt::format(".{:016x}.part", random);
  }
  ~TemporaryFile() {
    for (const char* companion : {"", "-wal", "-shm", "-journal"}) {
      ::unlink((path_.string() + companion).c_str());
    }
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  /// New, empty, mode 0600: nobody else ever has it open.
  DbResult<void> make() const {
    const Descriptor made(::open(path_.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600));
    if (!made.is_open()) return std::unexpected(system_error("cannot be made", path_));
    return {};
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

DbResult<void> sync(const fs::path& path, int flags) {
  const Descriptor opened(::open(path.c_str(), flags | O_CLOEXEC));
  if (!opened.is_open() || ::fsync(opened.number()) != 0) {
    return std::unexpected(system_error("cannot be written to the disk", path));
  }
  return {};
}

fs::path folder_of(const fs::path& file) {
  return file.has_parent_path() ? file.parent_path() : fs::path(".");
}

/// A connection without the settings of Database::open(), which would turn the file into one
/// with a log beside it.
struct PlainConnection {
  sqlite3* handle = nullptr;
  ~PlainConnection() { sqlite3_close_v2(handle); }
};

/// All pages in one step: then it is one read transaction, which no writer disturbs. In
/// several steps, every write in between would make the copy start again.
DbResult<void> copy_pages(sqlite3* from, sqlite3* to, const fs::path& to_file) {
  sqlite3_backup* const backup = sqlite3_backup_init(to, "main", from, "main");
  if (backup == nullptr) {
    return std::unexpected(
        database_error(sqlite3_extended_errcode(to), sqlite3_errmsg(to), to_file));
  }
  (void)sqlite3_backup_step(backup, -1);
  const int result = sqlite3_backup_finish(backup);
  if (result == SQLITE_OK) return {};
  return std::unexpected(database_error(result, sqlite3_errstr(result), to_file));
}

/// Opens a backup as it lies there, without locks, log or journal; what comes from its schema
/// is not trusted.
DbResult<void> open_backup(const fs::path& file, PlainConnection& connection) {
  struct stat about{};
  if (::stat(file.c_str(), &about) != 0 || !S_ISREG(about.st_mode)) {
    return std::unexpected(DatabaseError{
        SQLITE_CANTOPEN,
        fmt::format("there is no backup at \"{}\". Name the file that 'claviger backup' made.",
                    file.string())});
  }
  std::string uri = "file:";
  for (const char c : fs::absolute(file).string()) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (c >= '0' && c <= '9') || c == '/' || c == '.' || c == '-' || c == '_';
    uri += is_plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  uri += "?immutable=1";
  const int opened = sqlite3_open_v2(
      uri.c_str(), &connection.handle,
      SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_URI,
      nullptr);
  if (opened != SQLITE_OK) {
    return std::unexpected(database_error(opened, sqlite3_errstr(opened), file));
  }
  return {};
}

DatabaseError refused(const fs::path& file, std::string_view why) {
  return {SQLITE_CORRUPT, fmt::format("backup \"{}\" {}", file.string(), why)};
}

/// One text or number of a file that is being checked, as text.
DbResult<std::string> one_value(sqlite3* connection, const char* sql, const fs::path& file) {
  sqlite3_stmt* statement = nullptr;
  int result = sqlite3_prepare_v2(connection, sql, -1, &statement, nullptr);
  if (result == SQLITE_OK) result = sqlite3_step(statement);
  std::string value;
  if (result == SQLITE_ROW) {
    if (const auto* text = sqlite3_column_text(statement, 0); text != nullptr) {
      value.assign(reinterpret_cast<const char*>(text),
                   static_cast<std::size_t>(sqlite3_column_bytes(statement, 0)));
    }
  }
  sqlite3_finalize(statement);
  if (result == SQLITE_ROW || result == SQLITE_DONE) return value;
  return std::unexpected(database_error(result, sqlite3_errmsg(connection), file));
}

constexpr const char* kSchemaInOne =
    "SELECT group_concat(sql, char(10)) FROM (SELECT sql FROM sqlite_schema"
    " WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY sql)";

/// The schema that this build's steps make up to `version`.
DbResult<std::string> expected_schema(int version) {
  auto database = Database::open(":memory:", Database::Mode::create);
  if (!database) return std::unexpected(database.error());
  const std::vector<Migration> steps = migrations();
  if (auto done = migrate(*database, std::span(steps).first(static_cast<std::size_t>(version)));
      !done) {
    return std::unexpected(done.error());
  }
  return one_value(database->raw(), kSchemaInOne, database->file());
}

DbResult<int> check_version(sqlite3* connection, const fs::path& file) {
  const auto application = one_value(connection, "PRAGMA application_id", file);
  if (!application) return std::unexpected(application.error());
  if (*application != std::to_string(kApplicationId)) {
    return std::unexpected(refused(file, "was not made by claviger. Name another file."));
  }
  const auto text = one_value(connection, "PRAGMA user_version", file);
  if (!text) return std::unexpected(text.error());
  const int version = std::atoi(text->c_str());
  if (version > schema_version_of_build()) {
    return std::unexpected(
        refused(file, fmt::format("has schema version {}, and this build knows only up to {}. Use "
                                  "the newer claviger that made it.",
                                  version, schema_version_of_build())));
  }
  if (version < 1) return std::unexpected(refused(file, "is empty. Name another file."));
  return version;
}

DbResult<void> check_content(sqlite3* connection, int version, const fs::path& file) {
  const auto expected = expected_schema(version);
  if (!expected) return std::unexpected(expected.error());
  const auto schema = one_value(connection, kSchemaInOne, file);
  if (!schema) return std::unexpected(schema.error());
  if (*schema != *expected) {
    return std::unexpected(refused(file,
                                   "has other tables, indexes or triggers than claviger makes. "
                                   "Somebody has changed it: do not use it."));
  }
  const auto whole = one_value(connection, "PRAGMA quick_check(1)", file);
  if (!whole) return std::unexpected(whole.error());
  if (*whole != "ok") {
    return std::unexpected(refused(file, "is damaged: " + *whole + ". Use an older backup."));
  }
  const auto broken = one_value(connection, "SELECT count(*) FROM pragma_foreign_key_check", file);
  if (!broken) return std::unexpected(broken.error());
  if (*broken != "0") {
    return std::unexpected(refused(file, "has rows that refer to nothing. Use an older backup."));
  }
  return {};
}

DbResult<BackupAbout> check_open_backup(sqlite3* connection, const fs::path& file) {
  const auto version = check_version(connection, file);
  if (!version) return std::unexpected(version.error());
  if (auto content = check_content(connection, *version, file); !content) {
    return std::unexpected(content.error());
  }
  return BackupAbout{.schema_version = *version,
                     .bytes = static_cast<std::int64_t>(fs::file_size(file))};
}

}  // namespace

DbResult<void> Database::backup_to(const fs::path& target) {
  const TemporaryFile part(target);
  if (auto made = part.make(); !made) return made;
  {
    PlainConnection copy;
    const int opened = sqlite3_open_v2(
        part.path().c_str(), &copy.handle,
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
    if (opened != SQLITE_OK) {
      return std::unexpected(database_error(opened, sqlite3_errstr(opened), part.path()));
    }
    // Nobody sees the file before it is whole and synced below: no need to sync on the way.
    sqlite3_exec(copy.handle, "PRAGMA synchronous = OFF", nullptr, nullptr, nullptr);
    if (auto copied = copy_pages(raw(), copy.handle, part.path()); !copied) return copied;
    // The copy says of itself that it has a log beside it, as the original has. One file is
    // all that people carry away, so it must be complete in itself.
    if (auto mode = one_value(copy.handle, "PRAGMA journal_mode = DELETE", part.path()); !mode) {
      return std::unexpected(mode.error());
    }
  }
  if (auto synced = sync(part.path(), O_RDONLY); !synced) return synced;
  if (::rename(part.path().c_str(), target.c_str()) != 0) {
    return std::unexpected(system_error("cannot be put in its place", target));
  }
  return sync(folder_of(target), O_RDONLY | O_DIRECTORY);
}

DbResult<BackupAbout> check_backup(const fs::path& file) {
  PlainConnection backup;
  if (auto opened = open_backup(file, backup); !opened) return std::unexpected(opened.error());
  return check_open_backup(backup.handle, file);
}

DbResult<BackupAbout> restore_backup(const fs::path& file, Database& database) {
  PlainConnection backup;
  if (auto opened = open_backup(file, backup); !opened) return std::unexpected(opened.error());
  const auto about = check_open_backup(backup.handle, file);
  if (!about) return about;
  if (auto copied = copy_pages(backup.handle, database.raw(), database.file()); !copied) {
    return std::unexpected(copied.error());
  }
  if (auto migrated = migrate(database); !migrated) return std::unexpected(migrated.error());
  return about;
}

}  // namespace claviger::store

#include "store/sqlite/database_error.h"

#include <fmt/format.h>
#include <sqlite3.h>

namespace claviger::store {
namespace {

int primary(int code) {
  return code & 0xff;
}

/// What to do about it; empty where SQLite's own words have to do.
std::string_view remedy(int code) {
  switch (primary(code)) {
    case SQLITE_FULL:
      return "The disk is full: free some space.";
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return "Another process keeps it locked: is a second server running on this home?";
    case SQLITE_CANTOPEN:
      return "Check that the folder exists and that this user may write to it.";
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return "Check that this user owns the file and its folder and may write to both.";
    case SQLITE_CORRUPT:
      return "The file is damaged: stop the server and restore a backup.";
    case SQLITE_NOTADB:
      return "It is not a database: check the path, or restore a backup.";
    case SQLITE_IOERR:
      return "The disk did not do what it was asked: check it and its free space.";
    case SQLITE_NOMEM:
      return "There is not enough memory.";
    default:
      return {};
  }
}

}  // namespace

bool DatabaseError::is_constraint() const {
  return primary(code) == SQLITE_CONSTRAINT;
}
bool DatabaseError::is_unique() const {
  return code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY ||
         code == SQLITE_CONSTRAINT_ROWID;
}
bool DatabaseError::is_foreign_key() const {
  return code == SQLITE_CONSTRAINT_FOREIGNKEY;
}
bool DatabaseError::is_no_such_row() const {
  return code == SQLITE_NOTFOUND;
}
bool DatabaseError::is_full() const {
  return primary(code) == SQLITE_FULL;
}
bool DatabaseError::is_busy() const {
  return primary(code) == SQLITE_BUSY || primary(code) == SQLITE_LOCKED;
}

DatabaseError database_error(int code, std::string_view detail, const std::filesystem::path& file) {
  const std::string_view advice = remedy(code);
  return {code, fmt::format("database \"{}\": {}.{}{}", file.string(), detail,
                            advice.empty() ? "" : " ", advice)};
}

}  // namespace claviger::store

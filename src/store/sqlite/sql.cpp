#include "store/sqlite/sql.h"

#include <sqlite3.h>

#include "store/sqlite/database_error.h"

namespace claviger::store {

DatabaseError not_understood(const Database& database) {
  return database_error(SQLITE_CORRUPT, "a row says what no claviger ever wrote", database.file());
}

DatabaseError no_such_row(const Database& database) {
  return database_error(SQLITE_NOTFOUND, "a row that was to be changed is gone", database.file());
}

std::string to_blob(RequestId id) {
  std::string blob(16, '\0');
  for (std::size_t i = 0; i < 8; ++i) {
    blob[i] = static_cast<char>(id.high >> (56 - 8 * i));
    blob[8 + i] = static_cast<char>(id.low >> (56 - 8 * i));
  }
  return blob;
}

std::optional<RequestId> request_id_of(std::string_view blob) {
  if (blob.size() != 16) return std::nullopt;
  RequestId id;
  for (std::size_t i = 0; i < 8; ++i) {
    id.high = id.high << 8 | static_cast<unsigned char>(blob[i]);
    id.low = id.low << 8 | static_cast<unsigned char>(blob[8 + i]);
  }
  return id;
}

}  // namespace claviger::store

#pragma once

/// Histories of keys in SQLite; see record/key_histories.h for the promises.

#include "record/key_histories.h"
#include "store/sqlite/database.h"

namespace claviger::store {

class SqliteKeyHistoryStore final : public record::KeyHistoryStore {
 public:
  /// `database` outlives this and is migrated.
  explicit SqliteKeyHistoryStore(Database& database) : database_(database) {}

  record::Result<void> put(const std::vector<record::KeyHistory>& histories) override;
  record::Result<std::vector<record::KeyHistory>> all() override;
  record::Result<void> remove(CredentialId credential) override;

 private:
  Database& database_;
};

}  // namespace claviger::store

#pragma once

/// Kept contents in SQLite; see record/kept_content.h for the promises.

#include "record/kept_content.h"
#include "store/sqlite/database.h"

namespace claviger::store {

class SqliteContentStore final : public record::ContentStore {
 public:
  /// `database` outlives this and is migrated.
  explicit SqliteContentStore(Database& database) : database_(database) {}

  record::Result<void> append(const std::vector<record::SealedContent>& contents) override;
  record::Result<std::optional<record::SealedContent>> find(RequestId request) override;
  record::Result<void> remove_expired(WallTime now) override;
  record::Result<void> shorten(OwnerId owner, int days) override;

 private:
  Database& database_;
};

}  // namespace claviger::store

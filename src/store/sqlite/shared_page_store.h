#pragma once

/// Shared pages in SQLite; see record/shared_page.h for the promises.

#include "record/shared_page.h"
#include "store/sqlite/database.h"

namespace claviger::store {

class SqliteSharedPageStore final : public record::SharedPageStore {
 public:
  /// `database` outlives this and is migrated.
  explicit SqliteSharedPageStore(Database& database) : database_(database) {}

  record::Result<record::ShareId> add(const record::Share& share, std::string_view token_hash,
                                      std::string_view page) override;
  record::Result<std::optional<std::string>> find(std::string_view token_hash,
                                                  WallTime now) override;
  record::Result<std::vector<record::Share>> list(WallTime now) override;
  record::Result<void> take_back(record::ShareId id, WallTime now) override;
  record::Result<void> remove_expired(WallTime now) override;

 private:
  Database& database_;
};

}  // namespace claviger::store

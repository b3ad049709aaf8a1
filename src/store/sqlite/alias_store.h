#pragma once

/// Aliases in SQLite; see route/alias_store.h for the promises.

#include "route/alias_store.h"
#include "store/sqlite/database.h"

namespace claviger::store {

class SqliteAliasStore final : public route::AliasStore {
 public:
  /// `database` outlives this and is migrated.
  explicit SqliteAliasStore(Database& database) : database_(database) {}

  route::AliasResult<void> put(const route::Alias& alias, WallTime now) override;
  route::AliasResult<std::vector<route::Alias>> list() override;
  route::AliasResult<void> remove(OwnerId owner, const std::string& name) override;

 private:
  Database& database_;
};

}  // namespace claviger::store

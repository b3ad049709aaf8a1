#pragma once

/// Model files that owners brought, in SQLite; see local/local_model_store.h for the promises.

#include "local/local_model_store.h"
#include "store/sqlite/database.h"

namespace claviger::store {

class SqliteLocalModelStore final : public local::LocalModelStore {
 public:
  /// `database` outlives this and is migrated.
  explicit SqliteLocalModelStore(Database& database) : database_(database) {}

  /// Errors: also not_found, where there is no such owner.
  local::LocalModelStoreResult<local::LocalModel> add(local::LocalModel model) override;
  local::LocalModelStoreResult<std::vector<local::LocalModel>> list() override;
  local::LocalModelStoreResult<std::optional<local::LocalModel>> find(
      OwnerId owner, std::string_view name) override;
  local::LocalModelStoreResult<void> remove(LocalModelId id) override;

 private:
  Database& database_;
};

}  // namespace claviger::store

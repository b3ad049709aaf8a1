#pragma once

/// Owners' own prices in SQLite; see catalog/owner_price_store.h for the promises.

#include "catalog/owner_price_store.h"
#include "store/sqlite/database.h"

namespace claviger::store {

class SqliteOwnerPriceStore final : public catalog::OwnerPriceStore {
 public:
  /// `database` outlives this and is migrated.
  explicit SqliteOwnerPriceStore(Database& database) : database_(database) {}

  catalog::OwnerPriceResult<void> put(const catalog::OwnerPrice& price) override;
  catalog::OwnerPriceResult<std::vector<catalog::OwnerPrice>> list() override;
  catalog::OwnerPriceResult<void> remove(OwnerId owner, const std::string& model) override;

 private:
  Database& database_;
};

}  // namespace claviger::store

#pragma once

/// Egress allowances in SQLite; see store/egress_allowance_store.h for the promises.

#include "store/egress_allowance_store.h"
#include "store/sqlite/database.h"

namespace claviger::store {

class SqliteEgressAllowanceStore final : public EgressAllowanceStore {
 public:
  /// `database` outlives this and is migrated.
  explicit SqliteEgressAllowanceStore(Database& database) : database_(database) {}

  EgressAllowanceResult<void> add(const EgressAllowance& allowance) override;
  EgressAllowanceResult<std::vector<EgressAllowance>> list(CredentialId credential) override;

 private:
  Database& database_;
};

}  // namespace claviger::store

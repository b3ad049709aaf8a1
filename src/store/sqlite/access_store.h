#pragma once

/// People, applications and keys in SQLite; see access/access_store.h for the promises.

#include "access/access_store.h"
#include "store/sqlite/database.h"

namespace claviger::store {

/// Adding an owner makes the budgets that each_owner rules ask for in the same transaction;
/// removing one takes them out of force.
/// An owner with a live virtual key, credential or model file, and an app with a live virtual
/// key, are in use. Removing what is removed gives not_found; revoking twice is harmless and
/// keeps the first time.
class SqliteAccessStore final : public access::AccessStore {
 public:
  /// `database` outlives this and is migrated.
  explicit SqliteAccessStore(Database& database) : database_(database) {}

  access::StoreResult<access::Owner> add_owner(std::string name, access::OwnerType type,
                                               WallTime now) override;
  access::StoreResult<void> remove_owner(OwnerId id, WallTime now) override;
  access::StoreResult<void> set_time_zone(OwnerId id, std::string time_zone) override;
  access::StoreResult<void> set_keeping(OwnerId id, std::string keeps_content, int days) override;
  access::StoreResult<std::vector<access::Owner>> owners() override;

  access::StoreResult<access::App> add_app(std::string name, WallTime now) override;
  access::StoreResult<void> remove_app(AppId id, WallTime now) override;
  access::StoreResult<std::vector<access::App>> apps() override;

  access::StoreResult<access::VirtualKey> add_key(access::VirtualKey key) override;
  access::StoreResult<void> revoke_key(VirtualKeyId id, WallTime now) override;
  access::StoreResult<std::vector<access::VirtualKey>> keys() override;

  access::StoreResult<access::AdminKey> add_admin_key(access::AdminKey key) override;
  access::StoreResult<void> revoke_admin_key(AdminKeyId id, WallTime now) override;
  access::StoreResult<std::vector<access::AdminKey>> admin_keys() override;

 private:
  Database& database_;
};

}  // namespace claviger::store

#pragma once

/// What the access room needs from a store. Implemented by store/; the control thread is the
/// only caller, so methods block and need no locking.

#include <expected>
#include <string>
#include <vector>

#include "access/directory.h"

namespace claviger::access {

enum class StoreError : std::uint8_t {
  unavailable,  ///< The database did not take it (locked, full disk, I/O error).
  exists,       ///< A row with that name is there already.
  not_found,
  in_use,  ///< Something still refers to it.
};

template <typename T>
using StoreResult = std::expected<T, StoreError>;

class AccessStore {
 public:
  virtual ~AccessStore() = default;

  virtual StoreResult<Owner> add_owner(std::string name, OwnerType type, WallTime now) = 0;
  virtual StoreResult<void> remove_owner(OwnerId id, WallTime now) = 0;
  /// `time_zone` is an IANA name that the caller has checked. Errors: not_found, unavailable.
  virtual StoreResult<void> set_time_zone(OwnerId id, std::string time_zone) = 0;
  /// `keeps_content` is off, failed or stored, which the caller has checked. Errors: not_found,
  /// unavailable.
  virtual StoreResult<void> set_keeping(OwnerId id, std::string keeps_content, int days) = 0;
  virtual StoreResult<std::vector<Owner>> owners() = 0;

  virtual StoreResult<App> add_app(std::string name, WallTime now) = 0;
  virtual StoreResult<void> remove_app(AppId id, WallTime now) = 0;
  virtual StoreResult<std::vector<App>> apps() = 0;

  /// Makes the grant (owner → app) too, where it is missing. `key.id` is ignored.
  virtual StoreResult<VirtualKey> add_key(VirtualKey key) = 0;
  virtual StoreResult<void> revoke_key(VirtualKeyId id, WallTime now) = 0;
  /// Revoked ones too. `pace` is empty.
  virtual StoreResult<std::vector<VirtualKey>> keys() = 0;

  virtual StoreResult<AdminKey> add_admin_key(AdminKey key) = 0;
  virtual StoreResult<void> revoke_admin_key(AdminKeyId id, WallTime now) = 0;
  virtual StoreResult<std::vector<AdminKey>> admin_keys() = 0;
};

}  // namespace claviger::access

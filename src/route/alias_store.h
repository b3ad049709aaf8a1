#pragma once

/// Where aliases are kept. Implemented by store/; the control thread is the only caller, so
/// methods block.

#include <cstdint>
#include <expected>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "route/alias.h"

namespace claviger::route {

enum class AliasStoreError : std::uint8_t {
  unavailable,  ///< The database did not take it (locked, full disk, I/O error).
  not_found,    ///< No such owner, or no alias of that name.
};

template <typename T>
using AliasResult = std::expected<T, AliasStoreError>;

class AliasStore {
 public:
  virtual ~AliasStore() = default;
  /// Adds it, or replaces its models. Errors: not_found for its owner, unavailable.
  virtual AliasResult<void> put(const Alias& alias, WallTime now) = 0;
  /// All, the workspace's first, then by owner and name. Errors: unavailable.
  virtual AliasResult<std::vector<Alias>> list() = 0;
  /// `owner` none: the workspace's. Errors: not_found, unavailable.
  virtual AliasResult<void> remove(OwnerId owner, const std::string& name) = 0;
};

}  // namespace claviger::route

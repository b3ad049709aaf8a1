#pragma once

/// What the local room needs from a store. Implemented by store/ (table `local_models`). The
/// control thread is the only caller, so methods block and need no locking. The request's way
/// never comes here: RunnerSupervisor::set_models() is given a copy whenever it changes.

#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>
#include <vector>

#include "local/local_model.h"

namespace claviger::local {

enum class LocalModelStoreError : std::uint8_t {
  unavailable,  ///< The database did not take it (locked, full disk, I/O error), or a row
                ///< holds options that options_from_json() refuses.
  exists,       ///< That owner has a model of that name already.
  not_found,
};

template <typename T>
using LocalModelStoreResult = std::expected<T, LocalModelStoreError>;

class LocalModelStore {
 public:
  virtual ~LocalModelStore() = default;

  /// `model.id` is ignored; the one returned has its id. Errors: exists, unavailable.
  virtual LocalModelStoreResult<LocalModel> add(LocalModel model) = 0;
  /// All models of all owners, by id.
  virtual LocalModelStoreResult<std::vector<LocalModel>> list() = 0;
  /// Nothing where that owner has no model of that name. Errors: unavailable.
  virtual LocalModelStoreResult<std::optional<LocalModel>> find(OwnerId owner,
                                                                std::string_view name) = 0;
  /// Forgets the row; the file stays. Errors: not_found, unavailable.
  virtual LocalModelStoreResult<void> remove(LocalModelId id) = 0;
};

}  // namespace claviger::local

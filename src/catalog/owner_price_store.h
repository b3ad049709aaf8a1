#pragma once

/// Prices that owners state themselves: for their own contract, endpoint or model file. They
/// beat the catalog's, for that owner only.
///
/// Implemented by store/; the control thread is the only caller, so methods block.

#include <cstdint>
#include <expected>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "catalog/price_book.h"

namespace claviger::catalog {

struct OwnerPrice {
  OwnerId owner;      ///< None: the workspace, for its own credentials and endpoints.
  std::string model;  ///< `provider/model`.
  Price price;        ///< Comes back with source "owner" and dated by `stated_at`.
  WallTime stated_at;
};

enum class OwnerPriceError : std::uint8_t {
  unavailable,  ///< The database did not take it (locked, full disk, I/O error).
  not_found,    ///< No such owner, or no price of theirs for that model.
};

template <typename T>
using OwnerPriceResult = std::expected<T, OwnerPriceError>;

class OwnerPriceStore {
 public:
  virtual ~OwnerPriceStore() = default;
  /// Adds or replaces; `price.price.source` and `.dated` are ignored. Rates are >= 0.
  virtual OwnerPriceResult<void> put(const OwnerPrice& price) = 0;
  /// All owners', by owner and model.
  virtual OwnerPriceResult<std::vector<OwnerPrice>> list() = 0;
  virtual OwnerPriceResult<void> remove(OwnerId owner, const std::string& model) = 0;
};

}  // namespace claviger::catalog

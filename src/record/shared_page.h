#pragma once

/// Pages that are shown to others: support, a colleague, a provider. Whoever has the address sees
/// the page until it expires or is taken back; the address itself is not kept, only its hash, so
/// that whoever reads the database sees no page at work.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "record/record.h"

namespace claviger::record {

struct ShareKind {
  static constexpr std::string_view prefix = "shr";
};
using ShareId = RowId<ShareKind>;

/// More at once are nobody's to look after.
inline constexpr std::size_t shares_max = 1000;
inline constexpr int share_days_max = 90;
inline constexpr int share_days_usual = 7;

struct Share {
  ShareId id;
  RequestId request;
  WallTime created_at;
  WallTime expires_at;
};

/// Threads: the control thread only. Errors of all: unavailable.
class SharedPageStore {
 public:
  virtual ~SharedPageStore() = default;
  /// `token_hash` is new; `share.id` is ignored.
  virtual Result<ShareId> add(const Share& share, std::string_view token_hash,
                              std::string_view page) = 0;
  /// The page, where it is neither expired at `now` nor taken back.
  virtual Result<std::optional<std::string>> find(std::string_view token_hash, WallTime now) = 0;
  /// Those that can be seen at `now`, the latest first, at most shares_max.
  virtual Result<std::vector<Share>> list(WallTime now) = 0;
  /// Errors: not_found too, where it cannot be seen any more.
  virtual Result<void> take_back(ShareId id, WallTime now) = 0;
  virtual Result<void> remove_expired(WallTime now) = 0;
};

}  // namespace claviger::record

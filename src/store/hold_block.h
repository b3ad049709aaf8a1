#pragma once

/// Many settled holds as one run of bytes, each written as what is different in it from the
/// one before; see record_block.h. About 25 bytes and a few hundred instructions each.

#include <span>
#include <string>
#include <string_view>

#include "budget/ledger_store.h"
#include "store/packing.h"

namespace claviger::store {

/// `holds` are settled, of one minute, sorted by attempt, and at most `block_items_max`.
std::string pack_holds(std::span<const budget::StoredHold* const> holds);

/// Reads a block from its beginning; used like RecordBlockReader.
class HoldBlockReader {
 public:
  /// `bytes` outlive this.
  explicit HoldBlockReader(std::string_view bytes);
  /// False at the end, and where the bytes are not what pack_holds() writes.
  bool next();
  /// What next() has read; valid until the next call.
  const budget::StoredHold& hold() const { return hold_; }
  bool is_broken() const { return in_.is_broken(); }

 private:
  void read_budgets();

  Unpacker in_;
  std::uint64_t left_ = 0;
  budget::StoredHold hold_;
};

}  // namespace claviger::store

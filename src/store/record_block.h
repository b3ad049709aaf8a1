#pragma once

/// Many records as one run of bytes. A record is written as what is different in it from the
/// one before it, field by field, because most of a record is like its neighbours: its model,
/// its owner, its status. About 100 bytes and a thousand instructions each.

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "record/record.h"
#include "store/packing.h"

namespace claviger::store {

/// `records` are sorted by id, and at most `block_items_max`.
std::string pack_records(std::span<const record::Record* const> records);

/// Reads a block from its beginning.
///
///     RecordBlockReader reader(bytes);
///     while (reader.next()) use(reader.record());
///     if (reader.is_broken()) …
class RecordBlockReader {
 public:
  /// `bytes` outlive this.
  explicit RecordBlockReader(std::string_view bytes);
  /// False at the end, and where the bytes are not what pack_records() writes.
  bool next();
  /// What next() has read; valid until the next call.
  const record::Record& record() const { return record_; }
  bool is_broken() const { return in_.is_broken(); }

 private:
  Unpacker in_;
  std::uint64_t left_ = 0;
  record::Record record_;
};

}  // namespace claviger::store

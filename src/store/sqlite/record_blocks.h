#pragma once

/// Walking over blocks of records; part of record_store.h, and for stores that look at records
/// for a purpose of their own.

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "record/record.h"
#include "store/record_block.h"
#include "store/sqlite/sql.h"

namespace claviger::store {

/// Calls `use(record)` for each record in a block; false where the block is broken.
template <typename Use>
bool each_record(std::string_view block, Use&& use) {
  RecordBlockReader reader(block);
  while (reader.next()) use(reader.record());
  return !reader.is_broken();
}

/// What `pick(record)` makes of the youngest `limit` records of which it makes anything, the
/// youngest first. `blocks` is bound, and gives last ids and blocks, latest last id first.
///
/// Blocks overlap, so the youngest are known only once no block is left whose last id is above
/// theirs.
template <typename T, typename Pick>
DbResult<std::vector<T>> youngest_of(const Database& database, Query& blocks, std::size_t limit,
                                     Pick pick) {
  using Entry = std::pair<RequestId, T>;
  const auto younger = [](const Entry& a, const Entry& b) { return a.first > b.first; };
  std::vector<Entry> heap;  // The oldest of them in front.
  while (true) {
    const auto row = blocks.step();
    if (!row) return std::unexpected(row.error());
    if (!*row) break;
    const auto last_id = request_id_of(blocks.blob(0));
    if (!last_id) return std::unexpected(not_understood(database));
    if (heap.size() == limit && heap.front().first > *last_id) break;
    const bool is_sound = each_record(blocks.blob(1), [&](const record::Record& record) {
      if (heap.size() == limit && heap.front().first > record.id) return;
      std::optional<T> picked = pick(record);
      if (!picked) return;
      heap.emplace_back(record.id, *std::move(picked));
      std::ranges::push_heap(heap, younger);
      if (heap.size() <= limit) return;
      std::ranges::pop_heap(heap, younger);
      heap.pop_back();
    });
    if (!is_sound) return std::unexpected(not_understood(database));
  }
  std::ranges::sort_heap(heap, younger);
  std::vector<T> found;
  found.reserve(heap.size());
  for (Entry& entry : heap) found.push_back(std::move(entry.second));
  return found;
}

}  // namespace claviger::store

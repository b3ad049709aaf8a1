#pragma once

/// The way of a record from a connection thread to the writer, many push and one takes all,
/// and the way of its memory back: a record is written into a sheet from its first byte on, and
/// sheets that were written down come back blank, with the memory that their texts had. So
/// neither thread asks the heap for anything, least of all for what the other one gives back.
///
/// A stack whose head is swung by compare-and-swap and emptied by one exchange, then reversed.
/// Taking everything at once leaves no room for the ABA problem of popping single nodes, and
/// a pusher that the kernel stops half-way holds nobody up, as it would with a lock. Memory is
/// used only for what waits; a ring of full records would keep 65,536 of them resident.

#include <atomic>
#include <memory>
#include <utility>
#include <vector>

#include "record/record.h"

namespace claviger::record {

class SheetStack {
 public:
  SheetStack() = default;
  ~SheetStack() { delete_all(take_all()); }
  SheetStack(const SheetStack&) = delete;
  SheetStack& operator=(const SheetStack&) = delete;

  /// Threads: any, concurrently.
  void push(std::unique_ptr<Sheet> sheet) {
    Sheet* const top = sheet.release();
    push_chain(top, top);
  }
  /// `top` and what lies below it down to `bottom`. Threads: any, concurrently.
  void push_chain(Sheet* top, Sheet* bottom) {
    bottom->below = head_.load(std::memory_order_relaxed);
    // release: whoever takes the sheet sees the record, and the sheets below it through the
    // release sequence of their own pushes.
    while (!head_.compare_exchange_weak(bottom->below, top, std::memory_order_release,
                                        std::memory_order_relaxed)) {
    }
  }
  /// All of it, the youngest on top; the caller owns the chain. Threads: any, concurrently.
  Sheet* take_all() { return head_.exchange(nullptr, std::memory_order_acquire); }

  static void delete_all(Sheet* top) {
    while (top != nullptr) {
      const std::unique_ptr<Sheet> taken(top);
      top = taken->below;
    }
  }

 private:
  std::atomic<Sheet*> head_{nullptr};
};

/// Appends everything pushed so far to `out`; what one thread pushed comes in its order.
inline void take_in_order(SheetStack& stack, std::vector<std::unique_ptr<Sheet>>& out) {
  Sheet* sheet = stack.take_all();
  Sheet* oldest = nullptr;
  while (sheet != nullptr) {
    Sheet* const below = sheet->below;
    sheet->below = oldest;
    oldest = sheet;
    sheet = below;
  }
  while (oldest != nullptr) {
    out.emplace_back(oldest);
    oldest = oldest->below;
  }
}

}  // namespace claviger::record

#include "base/task.h"

#include <array>
#include <new>

namespace claviger {
inline namespace base {
namespace task_detail {
namespace {

constexpr std::size_t kStep = 64;
constexpr std::size_t kClasses = 64;   // Frames up to 4 KiB; larger ones go to the heap.
constexpr std::size_t kKeptMax = 256;  // Per class and thread: at most 1 MiB of the largest.

struct FreeLists {
  struct Node {
    Node* next;
  };
  struct List {
    Node* first = nullptr;
    std::size_t length = 0;
  };
  std::array<List, kClasses> lists;
  ~FreeLists() {
    for (List& list : lists) {
      while (list.first != nullptr) ::operator delete(std::exchange(list.first, list.first->next));
      list.length = kKeptMax;  // A frame freed after this goes to the heap.
    }
  }
};

thread_local FreeLists free_lists;

}  // namespace

void* allocate_frame(std::size_t bytes) {
  const std::size_t size_class = (bytes - 1) / kStep;
  if (size_class >= kClasses) return ::operator new(bytes);
  FreeLists::List& list = free_lists.lists[size_class];
  if (list.first != nullptr) {
    --list.length;
    return std::exchange(list.first, list.first->next);
  }
  return ::operator new((size_class + 1) * kStep);
}

void release_frame(void* frame, std::size_t bytes) noexcept {
  const std::size_t size_class = (bytes - 1) / kStep;
  if (size_class >= kClasses) {
    ::operator delete(frame);
    return;
  }
  FreeLists::List& list = free_lists.lists[size_class];
  if (list.length >= kKeptMax) {
    ::operator delete(frame);
    return;
  }
  auto* const node = static_cast<FreeLists::Node*>(frame);
  node->next = list.first;
  list.first = node;
  ++list.length;
}

}  // namespace task_detail
}  // namespace base
}  // namespace claviger

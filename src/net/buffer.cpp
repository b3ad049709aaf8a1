#include "net/buffer.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include "base/secret.h"

namespace claviger::net {
namespace {

/// Blocks of one size that nobody on this thread uses. Bounded, so that a burst is not kept for
/// ever.
struct FreeBlocks {
  struct Node {
    Node* next;
  };
  const std::size_t capacity;  ///< Of each, without the padding.
  const std::size_t kept_max;
  Node* first = nullptr;
  std::size_t count = 0;
  bool is_closed = false;  ///< A block released when the thread ends goes to the heap.
  ~FreeBlocks() {
    while (first != nullptr) std::free(std::exchange(first, first->next));
    is_closed = true;
  }
};
thread_local FreeBlocks free_small{.capacity = kSmallBlockBytes, .kept_max = 256};
thread_local FreeBlocks free_large{.capacity = kBlockBytes, .kept_max = 16};

FreeBlocks* blocks_of(std::size_t capacity) {
  if (capacity == kSmallBlockBytes) return &free_small;
  return capacity == kBlockBytes ? &free_large : nullptr;
}

char* allocate(std::size_t capacity) {
  if (FreeBlocks* const blocks = blocks_of(capacity); blocks && blocks->first) {
    --blocks->count;
    return reinterpret_cast<char*>(std::exchange(blocks->first, blocks->first->next));
  }
  auto* const data = static_cast<char*>(std::malloc(capacity + kBufferPadding));
  if (data == nullptr) throw std::bad_alloc();
  return data;
}

void give_back(char* data, std::size_t capacity) {
  FreeBlocks* const blocks = blocks_of(capacity);
  if (!blocks || blocks->is_closed || blocks->count >= blocks->kept_max) {
    std::free(data);
    return;
  }
  auto* const node = reinterpret_cast<FreeBlocks::Node*>(data);
  node->next = blocks->first;
  blocks->first = node;
  ++blocks->count;
}

/// The smallest block for `bytes`; beyond the blocks, `bytes` itself.
std::size_t capacity_for(std::size_t bytes) {
  if (bytes <= kSmallBlockBytes) return kSmallBlockBytes;
  return std::max(bytes, kBlockBytes);
}

}  // namespace

std::span<char> Buffer::room(std::size_t least) {
  dirty_ = std::max(dirty_, end_);
  if (data_ == nullptr) {
    capacity_ = capacity_for(least);
    data_ = allocate(capacity_);
    begin_ = end_ = dirty_ = 0;
  } else if (capacity_ - end_ < least) {
    const std::size_t held = size();
    if (held + least <= capacity_ && begin_ >= held) {
      std::memcpy(data_, data_ + begin_, held);
    } else {
      const std::size_t capacity = capacity_for(std::max(capacity_ * 2, held + least));
      char* const data = allocate(capacity);
      std::memcpy(data, data_ + begin_, held);
      wipe(data_, dirty_);
      give_back(data_, capacity_);
      data_ = data;
      capacity_ = capacity;
      dirty_ = 0;
    }
    begin_ = 0;
    end_ = held;
  }
  return {data_ + end_, capacity_ - end_};
}

void Buffer::append(std::string_view bytes) {
  if (bytes.empty()) return;
  const std::span<char> free = room(bytes.size());
  std::memcpy(free.data(), bytes.data(), bytes.size());
  add(bytes.size());
}

void Buffer::consume(std::size_t count) {
  begin_ += count;
  if (begin_ == end_) {
    dirty_ = std::max(dirty_, end_);
    begin_ = end_ = 0;
  }
}

void Buffer::shrink_to(std::size_t count) {
  dirty_ = std::max(dirty_, end_);
  end_ = begin_ + count;
}

void Buffer::release() {
  if (data_ == nullptr) return;
  wipe(data_, std::max(dirty_, end_));
  give_back(data_, capacity_);
  data_ = nullptr;
  capacity_ = begin_ = end_ = dirty_ = 0;
}

}  // namespace claviger::net

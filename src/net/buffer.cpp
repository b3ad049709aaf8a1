#include "net/buffer.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include "base/secret.h"

namespace claviger::net {
namespace {

/// Blocks of this thread that nobody uses. Bounded, so that a burst is not kept for ever.
struct FreeBlocks {
  static constexpr std::size_t kKeptMax = 64;
  struct Node {
    Node* next;
  };
  Node* first = nullptr;
  std::size_t count = 0;
  ~FreeBlocks() {
    while (first != nullptr) std::free(std::exchange(first, first->next));
    count = kKeptMax;  // A block released after this goes to the heap.
  }
};
thread_local FreeBlocks free_blocks;

char* allocate(std::size_t capacity) {
  auto* const data = static_cast<char*>(std::malloc(capacity + kBufferPadding));
  if (data == nullptr) throw std::bad_alloc();
  return data;
}

char* take_block() {
  if (free_blocks.first == nullptr) return allocate(kBlockBytes);
  --free_blocks.count;
  return reinterpret_cast<char*>(std::exchange(free_blocks.first, free_blocks.first->next));
}

void give_back(char* data, std::size_t capacity) {
  if (capacity != kBlockBytes || free_blocks.count >= FreeBlocks::kKeptMax) {
    std::free(data);
    return;
  }
  auto* const node = reinterpret_cast<FreeBlocks::Node*>(data);
  node->next = free_blocks.first;
  free_blocks.first = node;
  ++free_blocks.count;
}

}  // namespace

std::span<char> Buffer::room(std::size_t least) {
  dirty_ = std::max(dirty_, end_);
  if (data_ == nullptr) {
    capacity_ = std::max(kBlockBytes, least);
    data_ = capacity_ == kBlockBytes ? take_block() : allocate(capacity_);
    begin_ = end_ = dirty_ = 0;
  } else if (capacity_ - end_ < least) {
    const std::size_t held = size();
    if (held + least <= capacity_ && begin_ >= held) {
      std::memcpy(data_, data_ + begin_, held);
    } else {
      const std::size_t capacity = std::max(capacity_ * 2, held + least);
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

#include "net/buffer.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <vector>

#include "base/secret.h"

namespace claviger::net {
namespace {

/// Small blocks: a page each, apart from the heap. There the many that a burst needs would lie
/// between what lives on, and none of their pages could ever be given back.
class SmallBlocks {
 public:
  SmallBlocks() = default;
  SmallBlocks(const SmallBlocks&) = delete;
  SmallBlocks& operator=(const SmallBlocks&) = delete;
  ~SmallBlocks() {
    if (in_use_ != 0) return;  // Some are with buffers that outlive this thread, or came here.
    for (char* const slab : slabs_) munmap(slab, kSlabBytes);
  }

  char* take() {
    if (free_.empty()) add_slab();
    if (free_.size() == cold_) --cold_;
    char* const block = free_.back();
    free_.pop_back();
    ++in_use_;
    return block;
  }
  void give_back(char* block) {
    --in_use_;
    const bool has_room = free_.size() < free_.capacity();  // Always, but for another thread's.
    if (has_room && free_.size() - cold_ < kWarmMax) {
      free_.push_back(block);
      return;
    }
    // What lies at the front is reached last, so that the warm ones are used again first.
    madvise(block, kPageBytes, MADV_DONTNEED);
    if (!has_room) return;
    free_.push_back(block);
    std::swap(free_[cold_], free_.back());
    ++cold_;
  }

 private:
  static constexpr std::size_t kPageBytes = 4096;
  static constexpr std::size_t kSlabBytes = 64 * kPageBytes;
  static constexpr std::size_t kWarmMax = 256;
  static_assert(kSmallBlockBytes + kBufferPadding == kPageBytes);

  void add_slab() {
    free_.reserve((slabs_.size() + 1) * (kSlabBytes / kPageBytes));
    slabs_.reserve(slabs_.size() + 1);
    void* const slab =
        mmap(nullptr, kSlabBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (slab == MAP_FAILED) throw std::bad_alloc();
    slabs_.push_back(static_cast<char*>(slab));
    for (std::size_t at = kSlabBytes; at > 0; at -= kPageBytes) {
      free_.push_back(slabs_.back() + at - kPageBytes);
    }
    // Nobody has touched them yet.
    cold_ = free_.size();
  }

  std::vector<char*> slabs_;
  std::vector<char*> free_;  ///< The first `cold_` of them hold no memory.
  std::size_t cold_ = 0;
  std::int64_t in_use_ = 0;
};

/// Large blocks that nobody on this thread uses. Bounded, so that a burst is not kept for ever.
struct LargeBlocks {
  static constexpr std::size_t kKeptMax = 16;
  std::vector<char*> free;
  LargeBlocks() { free.reserve(kKeptMax); }
  LargeBlocks(const LargeBlocks&) = delete;
  LargeBlocks& operator=(const LargeBlocks&) = delete;
  ~LargeBlocks() {
    for (char* const block : free) std::free(block);
  }
};

thread_local SmallBlocks small_blocks;
thread_local LargeBlocks large_blocks;

char* allocate(std::size_t capacity) {
  if (capacity == kSmallBlockBytes) return small_blocks.take();
  if (capacity == kBlockBytes && !large_blocks.free.empty()) {
    char* const block = large_blocks.free.back();
    large_blocks.free.pop_back();
    return block;
  }
  auto* const data = static_cast<char*>(std::malloc(capacity + kBufferPadding));
  if (data == nullptr) throw std::bad_alloc();
  return data;
}

void give_back(char* data, std::size_t capacity) {
  if (capacity == kSmallBlockBytes) return small_blocks.give_back(data);
  if (capacity == kBlockBytes && large_blocks.free.size() < LargeBlocks::kKeptMax) {
    large_blocks.free.push_back(data);
    return;
  }
  std::free(data);
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

#pragma once

/// Bytes on their way. A Buffer takes memory only while it holds something: a small block from
/// this thread's free list, a large one, and more than that, each only as bytes really arrive
/// (never because a peer announced them). What it held is wiped before the memory is used again,
/// since keys pass through here.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

namespace claviger::net {

/// Behind the bytes of every buffer there is room that may be read: simdjson's padding.
inline constexpr std::size_t kBufferPadding = 64;
/// What a small block holds, with its padding one page: most requests whole.
inline constexpr std::size_t kSmallBlockBytes = 4096 - kBufferPadding;
/// What a large block holds: the longest head that we accept, or two TLS records.
inline constexpr std::size_t kBlockBytes = 32 * 1024;

/// Belongs to one thread at a time. Movable; views into it survive a move of the Buffer, but
/// no growth.
class Buffer {
 public:
  Buffer() = default;
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Buffer() { release(); }

  bool empty() const { return begin_ == end_; }
  std::size_t size() const { return end_ - begin_; }
  /// What is held. Stays valid until the next non-const call.
  std::string_view bytes() const { return {data_ + begin_, end_ - begin_}; }
  char* begin() { return data_ + begin_; }

  /// Free room behind the held bytes, at least `least` of it: takes a block, moves the bytes
  /// to the front, or doubles.
  std::span<char> room(std::size_t least = 1);
  /// How much can be added without moving what is held.
  std::size_t free_bytes() const { return capacity_ - end_; }
  /// What it takes of memory, apart from the padding.
  std::size_t capacity() const { return capacity_; }
  /// `count` bytes of the room are filled now.
  void add(std::size_t count) { end_ += count; }
  void append(std::string_view bytes);
  void append(char byte) { append(std::string_view(&byte, 1)); }
  /// Forgets the first `count` bytes.
  void consume(std::size_t count);
  /// Forgets the last bytes, so that `count` are left.
  void shrink_to(std::size_t count);
  /// Forgets all, wipes it and gives the memory back.
  void release();
  bool holds_memory() const { return data_ != nullptr; }

 private:
  void swap(Buffer& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(capacity_, other.capacity_);
    std::swap(begin_, other.begin_);
    std::swap(end_, other.end_);
    std::swap(dirty_, other.dirty_);
  }

  char* data_ = nullptr;
  std::size_t capacity_ = 0;  ///< Without the padding.
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t dirty_ = 0;  ///< Up to where bytes were ever written since it was taken.
};

}  // namespace claviger::net

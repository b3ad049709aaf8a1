#include "base/secret.h"

#include <malloc.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>

namespace claviger {
inline namespace base {
namespace {

constexpr std::size_t kArenaBytes = std::size_t{4} << 20;
constexpr std::size_t kSmallest = 32;
constexpr int kClasses = 13;  // 32 bytes to 128 KiB, in powers of two.

/// Size classes over one locked mapping. Freed blocks are wiped and kept in a list per class.
/// A mutex is fine here: secrets are made and destroyed when credentials change, not when
/// requests pass.
class Arena {
 public:
  static Arena& instance() {
    static Arena* const arena = new Arena;  // Outlives every Secret with static storage.
    return *arena;
  }

  char* allocate(std::size_t bytes) {
    const int size_class = class_of(bytes);
    const std::lock_guard lock(mutex_);
    used_ += class_bytes(size_class);
    if (Free* const block = free_[static_cast<std::size_t>(size_class)]) {
      free_[static_cast<std::size_t>(size_class)] = block->next;
      block->next = nullptr;
      return reinterpret_cast<char*>(block);
    }
    if (next_ + class_bytes(size_class) > kArenaBytes) {
      std::fputs("claviger: the arena for secrets is full\n", stderr);
      std::abort();
    }
    char* const block = begin_ + next_;
    next_ += class_bytes(size_class);
    return block;
  }

  void release(char* data, std::size_t bytes) {
    const int size_class = class_of(bytes);
    wipe(data, class_bytes(size_class));
    const std::lock_guard lock(mutex_);
    used_ -= class_bytes(size_class);
    auto* const block = reinterpret_cast<Free*>(data);
    block->next = free_[static_cast<std::size_t>(size_class)];
    free_[static_cast<std::size_t>(size_class)] = block;
  }

  SecretArenaState state() {
    const std::lock_guard lock(mutex_);
    return {.bytes_total = kArenaBytes, .bytes_used = used_, .locked = locked_};
  }

 private:
  struct Free {
    Free* next;
  };

  Arena() {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    void* const mapping =
        mmap(nullptr, kArenaBytes + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapping == MAP_FAILED) std::abort();
    begin_ = static_cast<char*>(mapping) + page;
    if (mprotect(begin_, kArenaBytes, PROT_READ | PROT_WRITE) != 0) std::abort();
    madvise(begin_, kArenaBytes, MADV_DONTDUMP);
    madvise(begin_, kArenaBytes, MADV_WIPEONFORK);
    // MLOCK_ONFAULT: only pages that hold secrets take memory.
    locked_ = mlock2(begin_, kArenaBytes, MLOCK_ONFAULT) == 0;
  }

  static int class_of(std::size_t bytes) {
    const std::size_t rounded = std::bit_ceil(bytes < kSmallest ? kSmallest : bytes);
    const int size_class = std::countr_zero(rounded) - std::countr_zero(kSmallest);
    if (size_class >= kClasses) {
      std::fputs("claviger: a secret is longer than 128 KiB\n", stderr);
      std::abort();
    }
    return size_class;
  }
  static std::size_t class_bytes(int size_class) { return kSmallest << size_class; }

  std::mutex mutex_;
  char* begin_ = nullptr;
  std::size_t next_ = 0;
  std::size_t used_ = 0;
  bool locked_ = false;
  std::array<Free*, kClasses> free_{};
};

}  // namespace

void wipe(void* memory, std::size_t bytes) noexcept {
  explicit_bzero(memory, bytes);
}

namespace {
thread_local bool wipes_what_it_frees = false;
}  // namespace

void wipe_what_this_thread_frees() noexcept {
  wipes_what_it_frees = true;
}

namespace secret_detail {

void release(void* memory) noexcept {
  if (wipes_what_it_frees && memory != nullptr) wipe(memory, malloc_usable_size(memory));
  std::free(memory);
}

}  // namespace secret_detail

Secret Secret::of_size(std::size_t bytes) {
  if (bytes == 0) return {};
  return Secret(Arena::instance().allocate(bytes), bytes);
}

Secret Secret::copy_of(std::string_view bytes) {
  if (bytes.empty()) return {};
  char* const data = Arena::instance().allocate(bytes.size());
  std::memcpy(data, bytes.data(), bytes.size());
  return Secret(data, bytes.size());
}

Secret::~Secret() {
  if (data_ != nullptr) Arena::instance().release(data_, size_);
}

bool equal_constant_time(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned char difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference |= static_cast<unsigned char>(a[i] ^ b[i]);
  }
  // Keeps the optimiser from leaving the loop at the first difference.
  __asm__ volatile("" : "+r"(difference));
  return difference == 0;
}

bool equal_constant_time(const Secret& a, const Secret& b) {
  return equal_constant_time(a.reveal(), b.reveal());
}

SecretArenaState secret_arena_state() {
  return Arena::instance().state();
}

}  // namespace base
}  // namespace claviger

// The whole program's: all other forms of new and delete end here. Sanitizers bring their own.
#if !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)
void* operator new(std::size_t bytes) {
  if (void* const memory = std::malloc(bytes == 0 ? 1 : bytes)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
  claviger::secret_detail::release(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  claviger::secret_detail::release(memory);
}
#endif

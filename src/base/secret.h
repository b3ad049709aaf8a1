#pragma once

/// Secrets have a type. It cannot be printed, copied by accident or compared carelessly, and
/// it wipes itself.
///
/// All secrets live in one arena: pages locked in memory, left out of core dumps, wiped in a
/// forked child, with an inaccessible page on either side. One arena made at start instead of
/// a guarded allocation each (libsodium's sodium_malloc), because the latter costs 31 us and
/// four system calls, and a request must not pay that.

#include <cstddef>
#include <span>
#include <string_view>
#include <utility>

namespace claviger {
inline namespace base {

/// Overwrites memory in a way that the compiler may not leave out.
void wipe(void* memory, std::size_t bytes) noexcept;

/// From now on, whatever memory this thread gives back is wiped first. For the thread that
/// reads and writes keys as text (the control API's JSON), where they pass through more
/// temporaries than anybody could wipe one by one. Threads on a request's way do without it:
/// their buffers wipe themselves.
void wipe_what_this_thread_frees() noexcept;

class Secret {
 public:
  Secret() = default;
  /// Copies `bytes` into the arena. The caller wipes its own copy. Ends the process where
  /// the arena is full (4 MiB), which is a bound on the number of credentials, checked when
  /// one is added.
  static Secret copy_of(std::string_view bytes);
  /// `bytes` zero bytes, to be filled through `writable()`.
  static Secret of_size(std::size_t bytes);

  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  Secret(Secret&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  Secret& operator=(Secret&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Secret();

  Secret clone() const { return copy_of(reveal()); }

  /// The bytes themselves. Named so that every place that looks at a secret can be found.
  /// The view must not outlive the Secret, and any buffer it is copied to must be wiped.
  std::string_view reveal() const { return {data_, size_}; }
  std::span<unsigned char> writable() { return {reinterpret_cast<unsigned char*>(data_), size_}; }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  /// Equal, in time that depends on the lengths only.
  friend bool equal_constant_time(const Secret& a, const Secret& b);

 private:
  Secret(char* data, std::size_t size) : data_(data), size_(size) {}
  char* data_ = nullptr;
  std::size_t size_ = 0;
};

bool equal_constant_time(std::string_view a, std::string_view b);

/// How the arena stands, for `doctor` and for the check before a credential is added.
struct SecretArenaState {
  std::size_t bytes_total = 0;
  std::size_t bytes_used = 0;
  bool locked = false;  ///< False where RLIMIT_MEMLOCK forbade it.
};
SecretArenaState secret_arena_state();

}  // namespace base
}  // namespace claviger

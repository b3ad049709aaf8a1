#pragma once

/// The door of one runner: requests enter and leave without a lock, the supervisor opens and
/// closes it.
///
/// Why not a mutex: the door stands on the way of every request to a local model. Entering is
/// one compare-and-swap on a word that holds "open" and the number of those inside, so that
/// nobody can enter a runner that has just been found idle and is about to be stopped.
///
/// Threads: try_enter() and leave() from any thread; the rest from the supervisor's alone. What
/// the supervisor writes before open() is visible to whoever has entered, and stays unchanged
/// until they have left.

#include <atomic>
#include <cstdint>

#include "base/ids.h"
#include "base/time.h"

namespace claviger::local {

class RunnerGate {
 public:
  /// False where the door is closed, `leases_max` are inside, or another model lives here.
  bool try_enter(LocalModelId model, std::uint32_t leases_max) noexcept {
    std::uint64_t word = word_.load(std::memory_order_acquire);
    do {
      if ((word & open_bit) == 0 || (word & ~open_bit) >= leases_max) return false;
    } while (!word_.compare_exchange_weak(word, word + 1, std::memory_order_acq_rel,
                                          std::memory_order_acquire));
    if (model_.load(std::memory_order_relaxed) == model.value) return true;
    // A door that was opened for another model meanwhile. Nobody waits for our leaving: the
    // supervisor counts again before it acts.
    word_.fetch_sub(1);
    return false;
  }

  /// True where the supervisor wants to be told.
  [[nodiscard]] bool leave(Instant now) noexcept {
    last_left_.store(now.time_since_epoch().count(), std::memory_order_relaxed);
    word_.fetch_sub(1);
    return wanted_.load();
  }

  /// Only while nobody is inside.
  void open(LocalModelId model, Instant now) noexcept {
    model_.store(model.value, std::memory_order_relaxed);
    last_left_.store(now.time_since_epoch().count(), std::memory_order_relaxed);
    word_.fetch_or(open_bit);
  }
  void close() noexcept { word_.fetch_and(~open_bit); }
  /// Closes if nobody is inside.
  bool try_close_idle() noexcept {
    std::uint64_t idle = open_bit;
    return word_.compare_exchange_strong(idle, 0);
  }
  std::uint32_t inside() const noexcept {
    return static_cast<std::uint32_t>(word_.load() & ~open_bit);
  }
  /// When it was opened or last left.
  Instant idle_since() const noexcept {
    return Instant(Duration(last_left_.load(std::memory_order_relaxed)));
  }
  /// Whether leave() answers true. Set before looking at inside(): then either the look sees
  /// that somebody left, or they see that they are to tell.
  void set_wanted(bool wanted) noexcept { wanted_.store(wanted); }

 private:
  static constexpr std::uint64_t open_bit = 1ull << 63;
  std::atomic<std::uint64_t> word_{0};
  std::atomic<std::int64_t> model_{0};
  std::atomic<Duration::rep> last_left_{0};
  std::atomic<bool> wanted_{false};
};

}  // namespace claviger::local

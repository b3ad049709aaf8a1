#pragma once

/// Many pass, or one is alone. Requests pass through together and change balances with atomic
/// operations; whoever changes the rules (a limit, a new period) or must see balances that
/// nobody is halfway through changing closes the gate for some hundred nanoseconds.
///
/// Why not std::shared_mutex: all its readers write one shared cache line. Here each thread
/// counts itself in on a line of its own, so passing costs two uncontended atomic additions
/// (about 10 ns) and scales with the threads.
///
/// Why it is needed at all: a hold on several budgets is taken one budget after the other, and
/// taken back where a later one refuses. Another request may see that passing hold and be
/// refused by it, though in the end there was room. So a refusal is only believed when it was
/// computed behind the closed gate.

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>

namespace claviger::budget {

class Gate {
 public:
  Gate() = default;
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  /// In force from construction to destruction; waits while the gate is closed. What was
  /// written behind the closed gate is visible to all who pass later, and what they wrote is
  /// visible to whoever closes it next: plain fields that only change behind the closed gate
  /// need no atomics. Must not be nested, nor closed over: a thread that passes and closes
  /// waits for itself.
  class Pass {
   public:
    explicit Pass(Gate& gate);
    ~Pass() { inside_.fetch_sub(1, std::memory_order_release); }
    Pass(const Pass&) = delete;
    Pass& operator=(const Pass&) = delete;

   private:
    std::atomic<std::int64_t>& inside_;
  };

  /// From construction to destruction nobody passes and nobody else is here.
  class Closed {
   public:
    explicit Closed(Gate& gate);
    ~Closed() { gate_.is_closed_.store(false, std::memory_order_seq_cst); }
    Closed(const Closed&) = delete;
    Closed& operator=(const Closed&) = delete;

   private:
    Gate& gate_;
    std::scoped_lock<std::mutex> lock_;
  };

 private:
  /// More than the cores of most machines; beyond that, threads share a line.
  static constexpr std::size_t kLines = 16;
  struct alignas(64) Line {
    std::atomic<std::int64_t> inside{0};
  };
  static std::size_t line_of_this_thread();

  std::array<Line, kLines> lines_;
  alignas(64) std::atomic<bool> is_closed_{false};
  std::mutex closing_;  ///< Held while closed; those who want to pass wait for it.
};

}  // namespace claviger::budget

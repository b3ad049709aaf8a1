#include "budget/gate.h"

#include <thread>

namespace claviger::budget {

std::size_t Gate::line_of_this_thread() {
  static std::atomic<std::size_t> next{0};
  thread_local const std::size_t line = next.fetch_add(1, std::memory_order_relaxed) % kLines;
  return line;
}

Gate::Pass::Pass(Gate& gate) : inside_(gate.lines_[line_of_this_thread()].inside) {
  // Count in, then look: the closer closes, then counts. Sequential consistency makes sure
  // that at least one of the two sees the other.
  inside_.fetch_add(1, std::memory_order_seq_cst);
  if (!gate.is_closed_.load(std::memory_order_seq_cst)) return;
  inside_.fetch_sub(1, std::memory_order_release);
  // Whoever closes holds this for as long, so under it the gate is open, however many queue to
  // close it again.
  const std::scoped_lock while_open(gate.closing_);
  inside_.fetch_add(1, std::memory_order_seq_cst);
}

Gate::Closed::Closed(Gate& gate) : gate_(gate), lock_(gate.closing_) {
  constexpr int kSpinsMax = 200;  // Longer than a pass takes, unless its thread lost its core.
  gate_.is_closed_.store(true, std::memory_order_seq_cst);
  for (Line& line : gate_.lines_) {
    for (int spins = 0; line.inside.load(std::memory_order_seq_cst) != 0; ++spins) {
      if (spins > kSpinsMax) std::this_thread::yield();
    }
  }
}

}  // namespace claviger::budget

#pragma once

/// The values that one label of a metric has taken, each with a small number, so that a
/// counter is an array element. Bounded: every value is a time series for ever, and some come
/// from outside, so that what does not fit any more is counted as "other".

#include <array>
#include <atomic>
#include <cstddef>
#include <string>
#include <string_view>

namespace claviger::record {

/// Threads: any method, concurrently, without locks. A value, once in, never moves.
template <std::size_t kMost>
class LabelSet {
 public:
  /// The number of what did not fit.
  static constexpr std::size_t kOther = kMost - 1;

  LabelSet() = default;
  ~LabelSet() {
    for (auto& slot : values_) delete slot.load(std::memory_order_relaxed);
  }
  LabelSet(const LabelSet&) = delete;
  LabelSet& operator=(const LabelSet&) = delete;

  /// The number of `value`, which is given one at its first sight.
  std::size_t number_of(std::string_view value) {
    for (std::size_t i = 0; i < kOther; ++i) {
      const std::string* known = values_[i].load(std::memory_order_acquire);
      if (known == nullptr) known = claim(i, value);
      if (*known == value) return i;
    }
    return kOther;
  }

  /// Empty where no value has that number yet.
  std::string_view value_of(std::size_t number) const {
    if (number == kOther) return "other";
    const std::string* known = values_[number].load(std::memory_order_acquire);
    return known == nullptr ? std::string_view() : std::string_view(*known);
  }

 private:
  /// Puts `value` into the free slot `i`, or returns what another thread has put there first.
  const std::string* claim(std::size_t i, std::string_view value) {
    const auto* mine = new std::string(value);
    const std::string* theirs = nullptr;
    if (values_[i].compare_exchange_strong(theirs, mine, std::memory_order_acq_rel,
                                           std::memory_order_acquire)) {
      return mine;
    }
    delete mine;
    return theirs;
  }

  std::array<std::atomic<const std::string*>, kOther> values_{};
};

}  // namespace claviger::record

#pragma once

/// At which parts of a budget its owner wants to be told, and where those who tell find out.
///
/// A request pays one comparison for it: each account keeps the sum at which the next threshold
/// lies. Only whoever passes one, some times per budget and period, leaves a note here. What
/// becomes of the note (a row that makes it once per period, mail, a webhook) is another room's
/// business and another thread's.

#include <bitset>
#include <cstdint>
#include <initializer_list>
#include <mutex>
#include <optional>
#include <vector>

#include "base/ids.h"
#include "base/money.h"
#include "base/time.h"

namespace claviger::budget {

/// Whole percents from 1 to 100. 100 % is also passed by the first request that a budget
/// refuses or clamps.
class Thresholds {
 public:
  static constexpr int kPercentMax = 100;

  Thresholds() = default;
  Thresholds(std::initializer_list<int> percents) {
    for (const int percent : percents) add(percent);
  }
  /// Takes 1 to 100; others are left out.
  void add(int percent) {
    if (percent >= 1 && percent <= kPercentMax) percents_.set(static_cast<std::size_t>(percent));
  }
  bool has(int percent) const { return percents_[static_cast<std::size_t>(percent)]; }
  /// The smallest above `percent`, or none.
  std::optional<int> after(int percent) const {
    for (int next = percent + 1; next <= kPercentMax; ++next) {
      if (has(next)) return next;
    }
    return std::nullopt;
  }
  friend bool operator==(const Thresholds&, const Thresholds&) = default;

 private:
  std::bitset<kPercentMax + 1> percents_;
};

/// One budget passed one threshold in one period. Told at least once while the process runs, and
/// again after a restart for what the period has already passed: whoever tells people keeps a
/// row per budget, period and percent.
struct Crossing {
  BudgetId budget;
  WallTime period_start;
  int percent = 0;
  NanoUsd counted;  ///< Spent and unconfirmed, or for 100 % perhaps less; see Thresholds.
  NanoUsd limit;
  friend bool operator==(const Crossing&, const Crossing&) = default;
};

/// Notes on their way to whoever tells people.
///
/// Threads: any method, from any thread, concurrently. note() is called where a request is; it
/// waits for others for some hundred nanoseconds at most and does no I/O.
class CrossingQueue {
 public:
  static constexpr std::size_t kNotesMax = 4'096;

  /// Drops the note where the queue is full, and remembers that it did.
  void note(const Crossing& crossing) {
    const std::scoped_lock lock(mutex_);
    if (notes_.size() < kNotesMax) {
      notes_.push_back(crossing);
    } else {
      ++dropped_;
    }
  }

  struct Taken {
    std::vector<Crossing> crossings;  ///< In the order in which they came.
    /// Where it is not 0, ask the ledger for the balance of every budget instead.
    std::uint64_t dropped = 0;
  };
  /// All that came since the last call.
  Taken take() {
    const std::scoped_lock lock(mutex_);
    Taken taken{.crossings = std::move(notes_), .dropped = dropped_};
    notes_.clear();
    dropped_ = 0;
    return taken;
  }

 private:
  std::mutex mutex_;
  std::vector<Crossing> notes_;
  std::uint64_t dropped_ = 0;
};

}  // namespace claviger::budget

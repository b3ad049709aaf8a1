#pragma once

/// What the writer of records found unusual, on its way to the control thread. Bounded: what does
/// not fit is counted and dropped, since a warning is never worth a writer that waits.

#include <cstdint>
#include <iterator>
#include <mutex>
#include <utility>
#include <vector>

#include "alert/alert.h"

namespace claviger::alert {

/// Threads: any method, from any thread. Findings are rare, and no request waits here: a plain
/// lock will do.
class Inbox {
 public:
  static constexpr std::size_t kFindingsMax = 1024;

  void leave(Finding finding) {
    const std::scoped_lock lock(mutex_);
    if (findings_.size() < kFindingsMax) {
      findings_.push_back(std::move(finding));
    } else {
      ++dropped_;
    }
  }
  void take_findings(std::vector<Finding>& into) {
    const std::scoped_lock lock(mutex_);
    into.insert(into.end(), std::make_move_iterator(findings_.begin()),
                std::make_move_iterator(findings_.end()));
    findings_.clear();
  }
  /// Findings for which there was no room.
  std::int64_t dropped() const {
    const std::scoped_lock lock(mutex_);
    return dropped_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Finding> findings_;
  std::int64_t dropped_ = 0;
};

}  // namespace claviger::alert

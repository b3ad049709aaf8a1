#pragma once

/// What the writer of records found unusual, on its way to the control thread. Bounded: what does
/// not fit is counted and dropped, since a warning is never worth a writer that waits.

#include <atomic>
#include <cstdint>
#include <vector>

#include "alert/alert.h"
#include "record/submission_queue.h"

namespace claviger::alert {

/// Threads: leave() and dropped() from any; take_findings() from the control thread.
class Inbox {
 public:
  static constexpr std::size_t kFindingsMax = 1024;

  void leave(Finding finding) {
    if (waiting_.fetch_add(1, std::memory_order_relaxed) >= kFindingsMax) {
      waiting_.fetch_sub(1, std::memory_order_relaxed);
      dropped_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    findings_.push(std::move(finding));
  }
  void take_findings(std::vector<Finding>& into) {
    const std::size_t before = into.size();
    findings_.take_all(into);
    waiting_.fetch_sub(into.size() - before, std::memory_order_relaxed);
  }
  /// Findings for which there was no room.
  std::int64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  record::SubmissionQueue<Finding> findings_;
  std::atomic<std::size_t> waiting_{0};
  std::atomic<std::int64_t> dropped_{0};
};

}  // namespace claviger::alert

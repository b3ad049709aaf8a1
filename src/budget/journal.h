#pragma once

/// The ledger's journal: every hold and settlement, durable without I/O on a request's way.
///
/// A record is copied into a slot of a mapped file, and that is all a request does for it. The
/// pages belong to the kernel from that moment on, so `kill -9` loses nothing. Against a power
/// cut, a thread of its own brings the pages to disk in groups every few milliseconds, and
/// prepares the next file before it is needed.
///
/// Why a file and not the database: a row per settlement would wait for a disk each time; a
/// slot costs well under a microsecond. Why mapped and not written: a write() is a system call
/// on each request's way, and a buffer of our own would be lost in a kill.

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <expected>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "budget/journal_file.h"
#include "budget/ledger_log.h"
#include "budget/ledger_store.h"
#include "budget/wakeup.h"

namespace claviger::budget {

struct JournalConfig {
  std::string folder;  ///< Its parent exists.
  /// Rounded up to a power of two. The default is 8 MiB a file.
  std::uint32_t slots_per_segment = 65'536;
  /// Files that may wait to be folded into the store, at most Journal::kSegmentsMax; 256 MiB.
  /// Beyond it new holds are refused.
  std::size_t segments_max = 32;
  /// How often groups are brought to disk. None: only by sync_now(), for tests.
  std::optional<std::chrono::milliseconds> group_every = std::chrono::milliseconds{5};
  /// The same after a group of `busy_records` or more: a trip to the disk costs the same,
  /// however much it brings. What a power cut can take is this much of time, so it is for
  /// Durability::fast alone. Smaller than `group_every`: that.
  std::chrono::milliseconds busy_group_every{0};
  /// In 5 ms: some 6,000 requests a second.
  std::uint64_t busy_records = 64;
};

/// How long the writer waits after a group of so many records. `group_every` is set.
std::chrono::milliseconds pause_after_group(const JournalConfig& config, std::uint64_t records);

/// Threads: any method, from any thread, concurrently, but for read() and release_before().
class Journal final : public LedgerLog {
 public:
  static constexpr std::size_t kSegmentsMax = 1'024;

  /// Begins a new segment, `first_segment`: files of an earlier run are read, never appended
  /// to. The folder is locked by the caller.
  static FileResult<std::unique_ptr<Journal>> open(JournalConfig config,
                                                   std::uint64_t first_segment);
  ~Journal() override;

  [[nodiscard]] bool claim_room(std::uint32_t records) override;
  void give_back_room(std::uint32_t records) override;
  std::uint64_t append(const LogRecord& record) override;

  /// Records with a smaller sequence are whole and can be read.
  std::uint64_t written_up_to();
  /// Records with a smaller sequence are on disk.
  std::uint64_t durable_up_to() const { return durable_.load(std::memory_order_acquire); }
  JournalPosition position_of(std::uint64_t sequence) const;
  /// Behind all that this run wrote or may still write.
  JournalPosition end();

  /// `sequence` is below written_up_to() and not released. None where the slot is damaged:
  /// memory or disk is failing. One caller at a time, who also is the one that releases.
  std::optional<LogRecord> read(std::uint64_t sequence);
  /// Everything below is in the store: removes whole segments and gives memory back.
  void release_before(std::uint64_t sequence);

  /// Groups what has been written and brings it to disk, and makes room where it is scarce.
  void sync_now();
  /// `wakeup` is called once durable_up_to() is at least `sequence`, or the journal has failed.
  void when_durable(std::uint64_t sequence, std::shared_ptr<Wakeup> wakeup);
  /// From now on no room is given: something that must not be lost cannot be kept.
  void fail(std::string why);
  /// Nothing happened for a while: its thread sleeps until there is a record.
  bool is_asleep() const { return idle_.load(std::memory_order_relaxed); }
  /// Why new holds are refused; none where they are not.
  std::optional<std::string> trouble() const;

  /// Stops its thread and brings everything to disk that it can. Nobody claims or appends any
  /// more; what was written can still be read and released.
  void finish();
  /// As a kill leaves it: stops without bringing anything to disk. For tests of recovery.
  void abandon();

 private:
  struct Sleeper {
    std::uint64_t sequence;
    std::shared_ptr<Wakeup> wakeup;
  };

  Journal(JournalConfig config, std::uint64_t first_segment);
  JournalFile* segment_of(std::uint64_t sequence) const;
  /// Below this a segment is added: one is always whole and ready, and even a disk that takes
  /// a second to sync does not hold requests up.
  std::uint64_t low_room() const { return slots_ + slots_ / 2; }
  /// These two with files_mutex_ held.
  void sync_written();
  void make_room_where_scarce();
  /// After a sync, which has the kernel notice the next write to each page: readies as much as
  /// the last group took, so that it is this thread that meets the page faults.
  void prepare_memory(std::uint64_t records);
  FileResult<void> add_segment();
  void run();
  void stop();
  void wake_writer();
  void wake_sleepers();

  const JournalConfig config_;
  const std::uint64_t first_segment_;
  const std::uint64_t slots_;  ///< Per segment: a power of two.
  const unsigned shift_;       ///< Its logarithm.

  /// What requests touch.
  alignas(64) std::atomic<std::uint64_t> next_{0};  ///< Sequence of the next record.
  alignas(64) std::atomic<std::int64_t> room_{0};   ///< Slots that nobody has claimed.
  alignas(64) std::atomic<bool> idle_{false};       ///< The writer sleeps until it is woken.
  std::atomic<bool> failed_{false};
  /// By segment, counted from the first of this run. Set before its room is given out.
  std::array<std::atomic<JournalFile*>, kSegmentsMax> segments_{};

  std::mutex written_mutex_;
  std::uint64_t written_ = 0;  ///< See written_up_to().

  /// Syncing, adding and removing segments. Never taken on a request's way.
  std::mutex files_mutex_;
  std::uint64_t segments_begin_ = 0;  ///< Those that exist, counted as in segments_.
  std::uint64_t segments_end_ = 0;
  int groups_until_attempt_ = 0;  ///< To make a file, after one could not be made.
  std::atomic<bool> finished_{false};
  std::atomic<std::uint64_t> durable_{0};

  mutable std::mutex trouble_mutex_;
  std::string trouble_;

  std::mutex sleepers_mutex_;
  std::vector<Sleeper> sleepers_;

  std::mutex wake_mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread writer_;
};

}  // namespace claviger::budget

#pragma once

/// Segment files on disk: made, mapped, read back and removed.

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "budget/journal_slot.h"

namespace claviger::budget {

/// What happened, to which file, and what to do: for a person.
template <typename T>
using FileResult = std::expected<T, std::string>;

/// Keeps the folder to this process until it is destroyed or the process ends.
class FolderLock {
 public:
  /// Makes the folder (0700) where it is missing; its parent is there.
  static FileResult<FolderLock> take(const std::string& folder);
  FolderLock(FolderLock&& other) noexcept;
  FolderLock& operator=(FolderLock&&) = delete;
  ~FolderLock();

 private:
  explicit FolderLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

/// A segment that is being written, mapped so that what a thread wrote outlives the process,
/// whatever ends it: the pages are the kernel's.
///
/// Its space is allocated before it is used, so that a full disk is noticed then and not by a
/// SIGBUS in the middle of a request. (A copy-on-write file system may still refuse later; ext4
/// and xfs do not.)
///
/// Threads: slot() from any thread; all else from one at a time.
class JournalFile {
 public:
  /// Makes and allocates a segment under a passing name, and gives it its own only when it is
  /// whole and on disk: a segment with its own name always has its head.
  static FileResult<std::unique_ptr<JournalFile>> create(const std::string& folder,
                                                         const SegmentHead& head);
  ~JournalFile();
  JournalFile(const JournalFile&) = delete;
  JournalFile& operator=(const JournalFile&) = delete;

  std::uint64_t segment() const { return head_.segment; }
  SlotBytes slot(std::uint64_t index) const {
    return SlotBytes(base_ + kSlotBytes * (index + 1), kSlotBytes);
  }
  /// Waits until what has been written is on disk. The failure is final: the kernel may have
  /// dropped what it could not write.
  FileResult<void> sync();
  /// Has the kernel ready the pages of slots [first, last), so that writing them is no fault.
  void prepare_memory(std::uint64_t first, std::uint64_t last);
  /// Gives back the memory of slots before `index`; the file keeps them.
  void release_memory_before(std::uint64_t index);

 private:
  JournalFile(SegmentHead head, std::string path, int descriptor, std::byte* base)
      : head_(head), path_(std::move(path)), descriptor_(descriptor), base_(base) {}

  SegmentHead head_;
  std::string path_;
  int descriptor_;
  std::byte* base_;
};

/// The numbers of the segments in a folder, ascending. Removes what a crash left half made.
FileResult<std::vector<std::uint64_t>> list_segments(const std::string& folder);

/// What a segment holds, in order.
struct SegmentContents {
  struct Item {
    std::uint64_t slot = 0;
    LogRecord record;
  };
  std::vector<Item> items;
  std::uint64_t slots = 0;
  std::uint64_t torn = 0;  ///< Slots that a crash tore: as if never written.
};
/// Reads the slots from `first` on. Bytes that are missing at the end are unwritten slots.
FileResult<SegmentContents> read_segment(const std::string& folder, std::uint64_t segment,
                                         std::uint64_t first);

FileResult<void> remove_segment(const std::string& folder, std::uint64_t segment);

/// `journal-0000000000000007`, so that names sort as numbers do.
std::string segment_name(std::uint64_t segment);

}  // namespace claviger::budget

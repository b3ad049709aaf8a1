#include "budget/recovery.h"

#include <fmt/format.h>

#include "budget/fold.h"

namespace claviger::budget {
namespace {

/// The segments that are still needed, which must be all from the first one on.
FileResult<std::vector<std::uint64_t>> needed_segments(const std::string& folder,
                                                       JournalPosition folded) {
  auto segments = list_segments(folder);
  if (!segments) return segments;
  std::vector<std::uint64_t> needed;
  for (const std::uint64_t segment : *segments) {
    if (segment < folded.segment) {
      if (const auto removed = remove_segment(folder, segment); !removed) {
        return std::unexpected(removed.error());
      }
      continue;
    }
    const std::uint64_t expected = folded.segment + needed.size();
    if (segment != expected) {
      return std::unexpected(fmt::format(
          "the journal in {} lacks {}: the spend in it would be forgotten. Put the file back. If "
          "you restored an older database on purpose, move the journal files away first; what "
          "they hold is then not counted, so tell the budgets with `claviger budget reconcile`",
          folder, segment_name(expected)));
    }
    needed.push_back(segment);
  }
  return needed;
}

}  // namespace

std::string explain(LedgerStoreError error) {
  switch (error) {
    case LedgerStoreError::unavailable:
      return "the database did not answer; check its disk and that nothing else locks it";
    case LedgerStoreError::out_of_step:
      return "the database is ahead of or behind the journal; another server may be using it: "
             "stop that one, then start this one again";
  }
  return "the database failed";
}

FileResult<Recovered> finish_earlier_run(const std::string& folder, LedgerStore& store,
                                         JournalPosition folded, std::size_t records_per_fold_max) {
  const auto segments = needed_segments(folder, folded);
  if (!segments) return std::unexpected(segments.error());

  Recovered recovered{.next = folded, .records = 0, .torn = 0};
  Fold fold(store);
  const auto failed = [&folder](LedgerStoreError error) {
    return std::unexpected(fmt::format("cannot bring the journal in {} into the database: {}",
                                       folder, explain(error)));
  };
  const auto fold_up_to = [&](JournalPosition to) -> std::expected<void, LedgerStoreError> {
    const auto done = store.fold(fold.take(recovered.next, to));
    if (done) recovered.next = to;
    return done;
  };
  for (const std::uint64_t segment : *segments) {
    const std::uint64_t first = segment == folded.segment ? folded.slot : 0;
    const auto contents = read_segment(folder, segment, first);
    if (!contents) return std::unexpected(contents.error());
    recovered.torn += contents->torn;
    for (const SegmentContents::Item& item : contents->items) {
      if (const auto added = fold.add(item.record); !added) return failed(added.error());
      ++recovered.records;
      if (fold.records() < records_per_fold_max) continue;
      if (const auto done = fold_up_to({segment, item.slot + 1}); !done) {
        return failed(done.error());
      }
    }
    if (const auto done = fold_up_to({segment + 1, 0}); !done) return failed(done.error());
    if (const auto removed = remove_segment(folder, segment); !removed) {
      return std::unexpected(removed.error());
    }
  }
  if (recovered.next.slot != 0) {
    // A database that was restored from a backup, without a journal: begin behind it.
    const auto done = fold_up_to({recovered.next.segment + 1, 0});
    if (!done) return failed(done.error());
  }
  return recovered;
}

}  // namespace claviger::budget

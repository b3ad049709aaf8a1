#pragma once

/// What a new run does with the journal that an earlier one left: it finishes the folding. Done
/// again after a crash in the middle, it goes on where the store says.

#include <cstddef>
#include <string>

#include "budget/journal_file.h"
#include "budget/ledger_store.h"

namespace claviger::budget {

/// What was found, for the log.
struct Recovered {
  JournalPosition next;  ///< Where a new journal begins: at a slot 0.
  std::uint64_t records = 0;
  std::uint64_t torn = 0;
};

/// Folds all segments in `folder` from `folded` on into `store`, and removes them. Errors: what
/// is damaged or missing, and what to do; nothing is lost by trying again.
FileResult<Recovered> finish_earlier_run(const std::string& folder, LedgerStore& store,
                                         JournalPosition folded, std::size_t records_per_fold_max);

/// For people: why the database did not take or give the ledger's money.
std::string explain(LedgerStoreError error);

}  // namespace claviger::budget

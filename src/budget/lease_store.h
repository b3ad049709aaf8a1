#pragma once

/// How much a run may have committed, written down before it may be used.
///
/// A hold is granted once it is in the journal's pages, some milliseconds before it is on disk.
/// A kill cannot take it from there, a power cut can; and then nobody knows any more what was
/// held, though a provider may bill it. So in `fast` durability money is taken in leases: for
/// each budget and period one sum, durable in the store, up to which the account may be
/// committed. After a power cut whatever of it the journal does not account for counts as
/// unconfirmed. It is shown, and a bill settles it like any other hold that a crash left open.
///
/// The store is asked once per lease and never per request. Sums are absolute, so that saying
/// one twice is no harm; a smaller one gives back. Whoever gives back lowers its own ceiling
/// before it says so: test/model/lease.pml shows what happens otherwise, and that the same
/// protocol serves many nodes on one store, each with rows of its own.

#include <cstdint>
#include <expected>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/money.h"
#include "base/time.h"
#include "budget/ledger_store.h"

namespace claviger::budget {

struct Lease {
  BudgetId budget;
  WallTime period_start;
  NanoUsd up_to;  ///< Spent, held and unconfirmed together may reach this, and no more.
  friend bool operator==(const Lease&, const Lease&) = default;
};

/// What the run before this one left.
struct EarlierRun {
  /// Names the kernel's run in which it ran (`/proc/sys/kernel/random/boot_id`): where that is
  /// still the same, no page of the journal was lost. Empty where there was none, or unknown.
  std::string boot_id;
  std::vector<Lease> leases;
};

/// Threads: any thread, one call at a time. Methods block, and are never called on a request's
/// way. Every change is durable before it is answered. Errors: unavailable.
class LeaseStore {
 public:
  virtual ~LeaseStore() = default;
  virtual std::expected<EarlierRun, LedgerStoreError> earlier_run() = 0;
  /// A run begins, in the kernel's run `boot_id`: no lease of an earlier one is left. Called
  /// once all that they covered stands in holds.
  virtual std::expected<void, LedgerStoreError> begin_run(const std::string& boot_id) = 0;
  /// Sets them; one of an earlier period of the same budget is over. All or none.
  virtual std::expected<void, LedgerStoreError> lease(const std::vector<Lease>& leases) = 0;
};

/// For tests. Threads: as the interface says.
class MemoryLeaseStore final : public LeaseStore {
 public:
  std::expected<EarlierRun, LedgerStoreError> earlier_run() override { return run_; }
  std::expected<void, LedgerStoreError> begin_run(const std::string& boot_id) override {
    run_ = {.boot_id = boot_id, .leases = {}};
    return {};
  }
  std::expected<void, LedgerStoreError> lease(const std::vector<Lease>& leases) override {
    if (is_unavailable) return std::unexpected(LedgerStoreError::unavailable);
    ++asked;
    for (const Lease& lease : leases) {
      std::erase_if(run_.leases, [&](const Lease& old) { return old.budget == lease.budget; });
      run_.leases.push_back(lease);
    }
    return {};
  }

  int asked = 0;
  bool is_unavailable = false;

 private:
  EarlierRun run_;
};

}  // namespace claviger::budget

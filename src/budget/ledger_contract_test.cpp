#include "budget/ledger_contract.h"

#include "budget/journal_ledger.h"
#include "budget/memory_ledger.h"
#include "budget/memory_ledger_store.h"
#include "budget/scratch_folder.h"

namespace claviger::budget {
namespace {

class MemoryUnderTest final : public LedgerUnderTest {
 public:
  Ledger& ledger() override { return ledger_; }
  ManualClock& clock() override { return clock_; }
  Durability durability() const override { return Durability::none; }
  void crash_and_reopen(const std::vector<BudgetTerms>&) override {}

 private:
  ManualClock clock_;
  MemoryLedger ledger_{clock_};
};

std::unique_ptr<LedgerUnderTest> make_memory() {
  return std::make_unique<MemoryUnderTest>();
}

INSTANTIATE_TEST_SUITE_P(Memory, LedgerContract, testing::Values(&make_memory));

/// Without threads of its own, so that the manual clock and the moment of a crash are the
/// test's; journal_ledger_test.cpp has the threads.
class JournalUnderTest final : public LedgerUnderTest {
 public:
  enum class Memory : std::uint8_t {
    remembers,  ///< Whatever is settled stays in memory until a crash.
    forgets,    ///< Whatever is settled is in the store alone before the next call.
    leases,     ///< As `remembers`, and money is leased before it is held.
  };
  explicit JournalUnderTest(Memory memory) : memory_(memory) { reopen(); }

  Ledger& ledger() override {
    if (memory_ == Memory::forgets) EXPECT_TRUE(ledger_->fold_now());
    return *ledger_;
  }
  ManualClock& clock() override { return clock_; }
  Durability durability() const override { return Durability::survives_a_kill; }
  void crash_and_reopen(const std::vector<BudgetTerms>& terms) override {
    ledger_->abandon();
    ledger_.reset();
    reopen();
    for (const BudgetTerms& each : terms) EXPECT_TRUE(run(ledger_->set_terms(each)));
  }

 private:
  void reopen() {
    JournalLedgerConfig config;
    config.journal = {.folder = folder_.path() + "/journal",
                      .slots_per_segment = 65'536,
                      .segments_max = 32,
                      .group_every = std::nullopt};
    config.fold_every = std::nullopt;
    if (memory_ == Memory::forgets) config.remembered_max = 0;
    if (memory_ == Memory::leases) config.leases = &leases_;
    config.boot_id = "the same";  // What is killed leaves its pages with the kernel.
    auto ledger = JournalLedger::open(clock_, store_, std::move(config));
    if (!ledger) throw std::runtime_error(ledger.error());
    ledger_ = *std::move(ledger);
  }

  const Memory memory_;
  ScratchFolder folder_;
  ManualClock clock_;
  MemoryLedgerStore store_;
  MemoryLeaseStore leases_;
  std::unique_ptr<JournalLedger> ledger_;
};

std::unique_ptr<LedgerUnderTest> make_leasing_journal() {
  return std::make_unique<JournalUnderTest>(JournalUnderTest::Memory::leases);
}
INSTANTIATE_TEST_SUITE_P(LeasingJournal, LedgerContract, testing::Values(&make_leasing_journal));

std::unique_ptr<LedgerUnderTest> make_journal() {
  return std::make_unique<JournalUnderTest>(JournalUnderTest::Memory::remembers);
}
std::unique_ptr<LedgerUnderTest> make_forgetful_journal() {
  return std::make_unique<JournalUnderTest>(JournalUnderTest::Memory::forgets);
}

INSTANTIATE_TEST_SUITE_P(Journal, LedgerContract, testing::Values(&make_journal));
INSTANTIATE_TEST_SUITE_P(ForgetfulJournal, LedgerContract,
                         testing::Values(&make_forgetful_journal));

/// How the rivals do it: the counter is looked at before the call and written after it.
class CountsAfterTheCall final : public Ledger {
 public:
  explicit CountsAfterTheCall(NanoUsd limit) : limit_(limit.nanos()) {}

  Task<Result<Grant>> reserve(Reservation reservation) override {
    for (const BudgetId id : reservation.budgets.ids()) {
      if (spent_[static_cast<std::size_t>(id.value)] >= limit_) {
        co_return std::unexpected(Refusal{LedgerError::exhausted, id, NanoUsd(), std::nullopt});
      }
    }
    const std::scoped_lock lock(mutex_);
    budgets_[reservation.attempt] = reservation.budgets;
    co_return Grant{HoldId{reservation.attempt}, reservation.cost_max, NanoUsd()};
  }
  Task<Result<Receipt>> settle(HoldId hold, NanoUsd cost, Certainty) override {
    const std::scoped_lock lock(mutex_);
    for (const BudgetId id : budgets_[hold.attempt].ids()) {
      spent_[static_cast<std::size_t>(id.value)] += cost.nanos();
    }
    co_return Receipt{cost, NanoUsd()};
  }
  Task<Result<Receipt>> settle_forgotten(HoldId, BudgetSet, NanoUsd cost, Certainty) override {
    co_return Receipt{cost, NanoUsd()};
  }
  Task<Result<std::vector<AttemptMoney>>> attempts(RequestId) override {
    co_return std::vector<AttemptMoney>{};
  }
  Task<Result<Receipt>> correct(HoldId, NanoUsd cost, CorrectionNote) override {
    co_return Receipt{cost, NanoUsd()};
  }
  Task<Result<std::vector<CorrectionEntry>>> corrections(WallTime, std::size_t) override {
    co_return std::vector<CorrectionEntry>{};
  }
  Task<Result<std::vector<UncertainCost>>> uncertain(std::size_t) override {
    co_return std::vector<UncertainCost>{};
  }
  Task<Result<void>> set_terms(BudgetTerms) override { co_return Result<void>{}; }
  Task<Result<void>> remove(BudgetId) override { co_return Result<void>{}; }
  Task<Result<void>> set_rule(BudgetTerms) override { co_return Result<void>{}; }
  Task<Result<BudgetId>> budget_of(EndUser) override { co_return BudgetId{}; }
  Task<Result<Balance>> balance(BudgetId) override { co_return Balance{}; }

 private:
  const std::int64_t limit_;
  std::array<std::atomic<std::int64_t>, 4> spent_{};
  std::mutex mutex_;
  std::map<AttemptId, BudgetSet> budgets_;
};

TEST(LedgerContractItself, FailsALedgerThatCountsAfterTheCall) {
  const Stress stress{.seed = 20261123, .limit = cents(100)};
  CountsAfterTheCall ledger(stress.limit);

  EXPECT_GT(overspends_under_stress(ledger, stress), 0);
}

}  // namespace
}  // namespace claviger::budget

#include "budget/ledger_contract.h"

#include "budget/memory_ledger.h"

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
  Task<Result<void>> set_terms(BudgetTerms) override { co_return Result<void>{}; }
  Task<Result<void>> remove(BudgetId) override { co_return Result<void>{}; }
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

/// Changes wait for one another, also where the ledger suspends in the middle of one.

#include <gmock/gmock.h>

#include "console/control_bed.h"

namespace claviger::console {
namespace {

/// A ledger whose set_terms() waits until the test lets it go on.
class HeldLedger final : public budget::Ledger {
 public:
  explicit HeldLedger(budget::Ledger& inner) : inner_(inner) {}

  Task<budget::Result<budget::Grant>> reserve(budget::Reservation reservation) override {
    return inner_.reserve(reservation);
  }
  Task<budget::Result<budget::Receipt>> settle(budget::HoldId hold, NanoUsd cost,
                                               budget::Certainty certainty) override {
    return inner_.settle(hold, cost, certainty);
  }
  Task<budget::Result<budget::Receipt>> settle_forgotten(budget::HoldId hold,
                                                         budget::BudgetSet budgets, NanoUsd cost,
                                                         budget::Certainty certainty) override {
    return inner_.settle_forgotten(hold, budgets, cost, certainty);
  }
  Task<budget::Result<std::vector<budget::AttemptMoney>>> attempts(RequestId request) override {
    return inner_.attempts(request);
  }
  Task<budget::Result<budget::Receipt>> correct(budget::HoldId hold, NanoUsd cost,
                                                budget::CorrectionNote note) override {
    return inner_.correct(hold, cost, std::move(note));
  }
  Task<budget::Result<std::vector<budget::CorrectionEntry>>> corrections(
      WallTime since, std::size_t most) override {
    return inner_.corrections(since, most);
  }
  Task<budget::Result<std::vector<budget::UncertainCost>>> uncertain(std::size_t most) override {
    return inner_.uncertain(most);
  }
  Task<budget::Result<void>> set_rule(budget::BudgetTerms terms) override {
    return inner_.set_rule(terms);
  }
  Task<budget::Result<BudgetId>> budget_of(budget::EndUser user) override {
    return inner_.budget_of(user);
  }
  Task<budget::Result<void>> set_terms(budget::BudgetTerms terms) override {
    co_await Hold{waiting};
    co_return co_await inner_.set_terms(terms);
  }
  Task<budget::Result<void>> remove(BudgetId budget) override { return inner_.remove(budget); }
  Task<budget::Result<budget::Balance>> balance(BudgetId budget) override {
    return inner_.balance(budget);
  }

  void let_go() {
    if (waiting) std::exchange(waiting, nullptr).resume();
  }
  std::coroutine_handle<> waiting;

 private:
  struct Hold {
    std::coroutine_handle<>& slot;
    bool await_ready() const { return false; }
    void await_suspend(std::coroutine_handle<> handle) { slot = handle; }
    void await_resume() const {}
  };
  budget::Ledger& inner_;
};

class HeldControl : public ControlBed {
 protected:
  HeldControl() : ControlBed(&held_) {}
  void start(std::string path, std::string body, std::string done) {
    spawn([](HeldControl& self, ControlRequest request, std::string name) -> Task<void> {
      const ControlAnswer answer = co_await self.control_->handle(std::move(request));
      self.done_.push_back(name + " " + std::to_string(answer.status));
    }(*this, {.method = "POST", .path = std::move(path), .body = std::move(body)},
                                                                          std::move(done)));
  }

  HeldLedger held_{memory_ledger_};
  std::vector<std::string> done_;
};

TEST_F(HeldControl, TheSecondChangeBeginsOnceTheFirstIsInForce) {
  start("/budgets", R"({"scope":"workspace","limit_usd":"1","per":"day"})", "budget");
  start("/owners", R"({"name":"alice"})", "owner");
  const int before = publications_;

  EXPECT_TRUE(done_.empty());
  EXPECT_TRUE(access_.owners()->empty());
  EXPECT_EQ(publications_, before);

  held_.let_go();
  EXPECT_THAT(done_, ::testing::UnorderedElementsAre("budget 201", "owner 201"));
  EXPECT_EQ(publications_, before + 2);
}

TEST_F(HeldControl, WhoOnlyLooksDoesNotWait) {
  start("/budgets", R"({"scope":"workspace","limit_usd":"1","per":"day"})", "budget");
  EXPECT_EQ(must("GET", "/owners").count(), 0u);
  // Not in force before the ledger knows it: a request could meet it otherwise.
  EXPECT_EQ(must("GET", "/budgets").count(), 0u);
  EXPECT_TRUE(world_->budgets->budgets().empty());
  held_.let_go();
  EXPECT_EQ(must("GET", "/budgets").count(), 1u);
}

}  // namespace
}  // namespace claviger::console

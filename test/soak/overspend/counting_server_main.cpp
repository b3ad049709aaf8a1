/// A Claviger that does it as its rivals do: a counter is looked at before the call and written
/// after it. For the soak that must catch it, and nothing else: no product links this.

#include <memory>
#include <optional>
#include <utility>

#include "budget/ledger.h"
#include "cli/cli.h"
#include "server/server.h"

namespace claviger::soak {
namespace {

using namespace budget;

/// Grants whatever is asked for while the counter is below the limit, holds nothing, and adds the
/// cost once the call is over. The counter is the real ledger's `spent`, so that all else
/// (periods, the store, what people are shown) is as it is in the product.
class CounterAfterCallLedger final : public Ledger {
 public:
  explicit CounterAfterCallLedger(Ledger& counter) : counter_(counter) {}

  Task<Result<Grant>> reserve(Reservation reservation) override {
    NanoUsd left_least = NanoUsd::max();
    for (const BudgetId id : reservation.budgets.ids()) {
      const auto balance = co_await counter_.balance(id);
      if (!balance) co_return std::unexpected(balance.error());
      if (balance->spent >= balance->limit) {
        co_return std::unexpected(Refusal{.error = LedgerError::exhausted,
                                          .budget = id,
                                          .left = NanoUsd(),
                                          .resets_at = balance->resets_at});
      }
      left_least = std::min(left_least, balance->left);
    }
    co_return Grant{
        .hold = HoldId{reservation.attempt}, .amount = reservation.cost_max, .left = left_least};
  }
  Task<Result<Receipt>> settle(HoldId hold, NanoUsd cost, Certainty certainty) override {
    return counter_.settle(hold, cost, certainty);
  }
  /// Nobody knows the hold, so this adds the cost.
  Task<Result<Receipt>> settle_forgotten(HoldId hold, BudgetSet budgets, NanoUsd cost,
                                         Certainty certainty) override {
    return counter_.settle_forgotten(hold, budgets, cost, certainty);
  }
  Task<Result<std::vector<AttemptMoney>>> attempts(RequestId request) override {
    return counter_.attempts(request);
  }
  Task<Result<Receipt>> correct(HoldId hold, NanoUsd cost, CorrectionNote note) override {
    return counter_.correct(hold, cost, std::move(note));
  }
  Task<Result<std::vector<CorrectionEntry>>> corrections(WallTime since,
                                                         std::size_t most) override {
    return counter_.corrections(since, most);
  }
  Task<Result<std::vector<UncertainCost>>> uncertain(std::size_t most) override {
    return counter_.uncertain(most);
  }
  Task<Result<void>> set_terms(BudgetTerms terms) override {
    return counter_.set_terms(std::move(terms));
  }
  Task<Result<void>> remove(BudgetId budget) override { return counter_.remove(budget); }
  Task<Result<void>> set_rule(BudgetTerms terms) override {
    return counter_.set_rule(std::move(terms));
  }
  Task<Result<BudgetId>> budget_of(EndUser user) override {
    return counter_.budget_of(std::move(user));
  }
  Task<Result<Balance>> balance(BudgetId budget) override { return counter_.balance(budget); }

 private:
  Ledger& counter_;
};

}  // namespace
}  // namespace claviger::soak

int main(int argc, char** argv) {
  using namespace claviger;
  return cli::run(
      argc, argv,
      {.serve =
           [](const cli::ServeArguments& arguments) {
             return server::serve({.home = arguments.home,
                                   .listen = arguments.listen,
                                   .behind_tls_proxy = arguments.behind_tls_proxy,
                                   .ledger_for_requests =
                                       [](budget::Ledger& real) -> std::unique_ptr<budget::Ledger> {
                                     return std::make_unique<soak::CounterAfterCallLedger>(real);
                                   }});
           },
       .init =
           [](const cli::InitArguments& arguments) {
             return server::init({.home = arguments.home,
                                  .default_limit = arguments.default_limit,
                                  .as_json = arguments.as_json});
           },
       .restore = {},
       .check_config = {}});
}

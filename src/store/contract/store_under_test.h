#pragma once

/// The promises of the stores, tested without knowing which database keeps them: the tests in
/// this folder run over every implementation that backends() lists. A new database (PostgreSQL)
/// joins by one entry there, and changes no test.

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "access/access_store.h"
#include "alert/alert_store.h"
#include "budget/budget_store.h"
#include "budget/ledger_store.h"
#include "catalog/owner_price_store.h"
#include "local/local_model_store.h"
#include "record/feedback.h"
#include "record/kept_content.h"
#include "record/key_histories.h"
#include "record/record.h"
#include "record/shared_page.h"
#include "route/alias_store.h"
#include "store/egress_allowance_store.h"
#include "vault/vault.h"

namespace claviger::store {

/// All stores over one empty, migrated database, which goes when this goes.
class StoreUnderTest {
 public:
  virtual ~StoreUnderTest() = default;
  virtual access::AccessStore& access() = 0;
  virtual vault::VaultStore& vault() = 0;
  virtual budget::BudgetStore& budgets() = 0;
  virtual budget::LedgerStore& ledger() = 0;
  virtual record::RecordStore& records() = 0;
  virtual catalog::OwnerPriceStore& prices() = 0;
  virtual route::AliasStore& aliases() = 0;
  virtual local::LocalModelStore& local_models() = 0;
  virtual EgressAllowanceStore& egress() = 0;
  virtual alert::AlertStore& alerts() = 0;
  virtual record::FeedbackStore& feedback() = 0;
  virtual record::KeyHistoryStore& key_histories() = 0;
  virtual record::ContentStore& contents() = 0;
  virtual record::SharedPageStore& shares() = 0;
  /// Closes everything and opens it again, as a restart of the server does.
  virtual void reopen() = 0;
  /// Lets every write fail until reopen(), as a full disk does.
  virtual void refuse_writes() = 0;
  /// Whether `bytes` stand anywhere in what the database keeps on disk.
  virtual bool keeps(std::string_view bytes) = 0;
};

struct Backend {
  std::string name;
  std::function<std::unique_ptr<StoreUnderTest>()> make;
};
inline void PrintTo(const Backend& backend, std::ostream* out) {
  *out << backend.name;
}

std::vector<Backend> backends();

class StoreContract : public testing::TestWithParam<Backend> {
 protected:
  const std::unique_ptr<StoreUnderTest> store_ = GetParam().make();
  const WallTime now_ = from_unix_micros(1'700'000'000'123'456);
  const WallTime later_ = now_ + std::chrono::hours(1);

  OwnerId owner(std::string name = "ada") {
    return store_->access().add_owner(std::move(name), access::OwnerType::person, now_).value().id;
  }
  AppId app(std::string name = "notes") {
    return store_->access().add_app(std::move(name), now_).value().id;
  }
};

/// Instantiates a suite over all backends.
#define CLAVIGER_OVER_ALL_STORES(suite)                                     \
  INSTANTIATE_TEST_SUITE_P(AllStores, suite, testing::ValuesIn(backends()), \
                           [](const auto& of) { return of.param.name; })

}  // namespace claviger::store

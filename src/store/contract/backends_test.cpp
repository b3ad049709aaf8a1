/// The databases over which the contract tests run.

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>

#include "store/contract/store_under_test.h"
#include "store/sqlite/access_store.h"
#include "store/sqlite/alert_store.h"
#include "store/sqlite/alias_store.h"
#include "store/sqlite/budget_store.h"
#include "store/sqlite/content_store.h"
#include "store/sqlite/database.h"
#include "store/sqlite/egress_allowance_store.h"
#include "store/sqlite/feedback_store.h"
#include "store/sqlite/key_history_store.h"
#include "store/sqlite/ledger_store.h"
#include "store/sqlite/local_model_store.h"
#include "store/sqlite/price_store.h"
#include "store/sqlite/record_store.h"
#include "store/sqlite/shared_page_store.h"
#include "store/sqlite/vault_store.h"
#include "store/testing/scratch_folder.h"

namespace claviger::store {
namespace {

class SqliteUnderTest final : public StoreUnderTest {
 public:
  SqliteUnderTest() { reopen(); }

  access::AccessStore& access() override { return open_->access; }
  vault::VaultStore& vault() override { return open_->vault; }
  budget::BudgetStore& budgets() override { return open_->budgets; }
  budget::LedgerStore& ledger() override { return open_->ledger; }
  record::RecordStore& records() override { return open_->records; }
  catalog::OwnerPriceStore& prices() override { return open_->prices; }
  route::AliasStore& aliases() override { return open_->aliases; }
  local::LocalModelStore& local_models() override { return open_->local_models; }
  EgressAllowanceStore& egress() override { return open_->egress; }
  alert::AlertStore& alerts() override { return open_->alerts; }
  record::FeedbackStore& feedback() override { return open_->feedback; }
  record::KeyHistoryStore& key_histories() override { return open_->key_histories; }
  record::ContentStore& contents() override { return open_->contents; }
  record::SharedPageStore& shares() override { return open_->shares; }

  void reopen() override {
    open_.reset();
    open_.emplace(Database::open(folder_.path() / "claviger.db", Database::Mode::create).value());
    migrate(open_->database).value();
  }

  void refuse_writes() override { open_->database.execute("PRAGMA query_only = ON").value(); }

  bool keeps(std::string_view bytes) override {
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
      std::ifstream in(entry.path(), std::ios::binary);
      const std::string content(std::istreambuf_iterator<char>(in), {});
      if (content.find(bytes) != std::string::npos) return true;
    }
    return false;
  }

 private:
  struct Open {
    explicit Open(Database opened) : database(std::move(opened)) {}
    Database database;
    SqliteAccessStore access{database};
    SqliteVaultStore vault{database};
    SqliteBudgetStore budgets{database};
    SqliteLedgerStore ledger{database};
    SqliteRecordStore records{database};
    SqliteOwnerPriceStore prices{database};
    SqliteAliasStore aliases{database};
    SqliteLocalModelStore local_models{database};
    SqliteEgressAllowanceStore egress{database};
    SqliteAlertStore alerts{database};
    SqliteFeedbackStore feedback{database};
    SqliteKeyHistoryStore key_histories{database};
    SqliteContentStore contents{database};
    SqliteSharedPageStore shares{database};
  };
  ScratchFolder folder_;
  std::optional<Open> open_;
};

}  // namespace

std::vector<Backend> backends() {
  return {{.name = "Sqlite", .make = [] { return std::make_unique<SqliteUnderTest>(); }}};
}

}  // namespace claviger::store

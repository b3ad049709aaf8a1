#pragma once

/// The control API: everything that people decide (owners, keys, credentials, budgets, models)
/// and everything that they look up. JSON in, JSON out, under /api/v1; described by
/// docs/reference/openapi.yaml. The command line, and later the web console, are its users.
///
/// All of it runs on one control thread, one request after the other as far as the stores are
/// concerned, so that blocking on SQLite here never holds up a request of a caller. After a
/// change the thread makes a new relay::Snapshot and publishes it before it answers: what the
/// answer says is in force.

#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "access/access_store.h"
#include "alert/alerts.h"
#include "base/task.h"
#include "budget/budget_store.h"
#include "budget/ledger.h"
#include "catalog/owner_price_store.h"
#include "console/errands.h"
#include "local/local_model_store.h"
#include "net/egress.h"
#include "record/feedback.h"
#include "record/kept_content.h"
#include "record/key_histories.h"
#include "record/record.h"
#include "record/shared_page.h"
#include "record/weather.h"
#include "relay/snapshot.h"
#include "route/alias_store.h"
#include "route/runner.h"
#include "store/egress_allowance_store.h"
#include "vault/vault.h"

namespace claviger::console {

struct ControlRequest {
  std::string method;
  std::string path;   ///< Behind `/api/v1`, e.g. `/owners/own_3`; percent-encoded.
  std::string query;  ///< Percent-encoded, without '?'.
  std::string body;
  std::string who;  ///< For the log: the admin key's name, or "local operator".
};

struct ControlAnswer {
  int status = 200;
  std::string body;  ///< JSON.
};

/// One thing that `doctor` looked at.
struct Finding {
  enum class Level : std::uint8_t { good, warning, problem };
  Level level = Level::good;
  std::string subject;  ///< "root key", "sandbox: landlock", …
  std::string message;  ///< What was found and, unless good, what to do.
};

/// What only the server as a whole can do; implemented by server/. Called on the control
/// thread; may block. Errors are sentences.
class Operations {
 public:
  virtual ~Operations() = default;
  /// Reads claviger.toml again. All or nothing. Returns what has changed, and what needs a
  /// restart, a line each.
  virtual std::expected<std::vector<std::string>, std::string> reload_config() = 0;
  /// Only reads it. Returns nothing or what is wrong.
  virtual std::expected<void, std::string> check_config() = 0;
  virtual std::expected<void, std::string> backup_to(const std::string& file) = 0;
  /// A new root key on disk and every secret wrapped by it.
  virtual std::expected<void, std::string> rotate_root_key() = 0;
  /// After a restore no virtual key works until an operator has confirmed them (POST
  /// /keys/confirm): the snapshot's directory is then built without any.
  virtual bool are_keys_disabled() = 0;
  virtual std::expected<void, std::string> confirm_keys() = 0;
  /// The operator says that the wall clock is right: budget periods open again.
  virtual void confirm_clock() = 0;
  virtual std::vector<Finding> examine() = 0;
  struct Status {
    std::string version;
    std::string home;
    std::vector<std::string> listening;  ///< `http://127.0.0.1:8484`
    WallTime started_at;
    std::int64_t process_id = 0;
    std::int64_t open_connections = 0;
  };
  virtual Status status() = 0;
};

/// Threads: the control thread only.
class Control {
 public:
  struct Parts {
    const Clock& clock;
    access::AccessStore& access;
    vault::Vault& vault;
    budget::BudgetStore& budgets;
    budget::Ledger& ledger;
    catalog::OwnerPriceStore& prices;
    route::AliasStore& aliases;
    alert::Alerts& alerts;
    local::LocalModelStore& local_models;
    store::EgressAllowanceStore& egress_allowances;
    record::RecordStore& records;
    record::FeedbackStore& feedback;
    record::ContentKeeper& contents;
    record::SharedPageStore& shares;
    record::Weather& weather;
    record::KeyHistories& keys;
    record::KeyHistoryStore& key_histories;
    record::Recorder& recorder;  ///< flush()ed before records are looked up.
    std::shared_ptr<const catalog::PriceBook> book;
    std::shared_ptr<const provider::Profiles> profiles;
    route::Runner* runner;  ///< For `model probe`; may be null.
    net::Egress& egress;    ///< For `credential test`.
    Errands* errands;       ///< For `diagnose`; null: nothing is asked in a caller's place.
    Operations& operations;
    /// Gives every connection thread the new snapshot, the egress policy what credentials
    /// opened, and the runner the local models. Blocks until all have it (bounded).
    std::function<void(std::shared_ptr<const relay::Snapshot>, std::vector<net::EgressAllowance>,
                       std::vector<local::LocalModel>)>
        publish;
  };
  explicit Control(Parts parts);
  ~Control();

  /// Reads everything from the stores, tells the ledger all budgets' terms, and publishes the
  /// first snapshot. Error: a sentence; the server does not start.
  std::expected<void, std::string> start();

  /// Never throws; errors are answers (contract.md, "Errors", in the shape
  /// {"error": {"code", "message", "remedy"}}).
  Task<ControlAnswer> handle(ControlRequest request);

  /// What happened behind event `number`, oldest first, at most kEventsAtOnceMax of them; for
  /// those who follow along. Empty also where the store does not answer: they ask again.
  struct Event {
    std::int64_t number = 0;
    std::string json;
  };
  std::vector<Event> events_after(std::int64_t number);
  /// The number of the latest event.
  std::int64_t newest_event();

  /// For the door: the page behind a shared address (what follows /share/), in HTML; nothing where
  /// there is none, or not any more, or where the store does not answer.
  std::optional<std::string> shared_page(std::string_view token);
  /// For the door: whether this admin key may use the control API, and whose it is.
  std::expected<std::string, access::AccessError> recognise_admin(std::string_view presented);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace claviger::console

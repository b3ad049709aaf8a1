#pragma once

/// What the control API knows: the stores, what of them is in force, and how a change comes
/// into force. Every handler is given the one instance.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "console/control.h"
#include "console/problem.h"

namespace claviger::console {

/// Whether a change may have touched credentials: then they are opened again.
enum class Touched : std::uint8_t { credentials, anything_else };

/// 400 where this machine knows no such time zone.
Outcome<void> check_time_zone(std::string_view name);

/// Threads: the control thread only.
class Registry {
 public:
  explicit Registry(Control::Parts parts) : parts(std::move(parts)) {}

  const Control::Parts parts;

  /// Reads the key by which virtual keys are hashed. Error: a sentence.
  std::expected<void, std::string> load_hash_key();
  const Secret& hash_key() const { return *hash_key_; }

  /// Brings what the stores say into force, in an order in which no request meets a budget that
  /// the ledger does not know: new terms to the ledger, then the new snapshot to everybody,
  /// then removed budgets out of the ledger.
  Task<Outcome<void>> put_in_force(Touched touched);

  /// What is in force. Valid after the first put_in_force(); pointers from here until the next.
  const relay::Snapshot& world() const { return *world_; }
  const access::Directory& directory() const { return *world_->directory; }
  const std::vector<budget::Budget>& budgets() const { return world_->budgets->budgets(); }
  const std::vector<local::LocalModel>& local_models() const { return local_models_; }
  /// All virtual keys. After a restore the directory has none of them until an operator has
  /// looked at this list and confirmed it: keys revoked since the backup would work again.
  const std::vector<access::VirtualKey>& keys() const { return keys_; }

  /// By name or id. Errors: 404 that names it.
  Outcome<const access::Owner*> owner(std::string_view name_or_id) const;
  Outcome<const access::App*> app(std::string_view name_or_id) const;
  Outcome<const vault::OpenCredentials::Entry*> credential(std::string_view id) const;
  Outcome<const access::VirtualKey*> key(std::string_view id) const;
  Outcome<const budget::Budget*> budget(std::string_view id) const;
  /// `mdl_3`, `local/NAME` or `NAME`, where only one owner has it.
  Outcome<const local::LocalModel*> local_model(std::string_view name_or_id) const;

  /// For answers: the name, or the id of what has been removed since. Null ids give "".
  std::string name_of(OwnerId id) const;
  std::string name_of(AppId id) const;

 private:
  struct Loaded;
  Outcome<Loaded> load() const;
  Task<Outcome<void>> tell_ledger(const std::vector<budget::Budget>& budgets);
  /// What each owner has kept of requests.
  Outcome<void> tell_keeper(const std::vector<access::Owner>& owners) const;
  Task<void> forget_removed(const std::vector<budget::Budget>& budgets);
  void publish(Loaded loaded);
  /// Which budgets are looked after, in words, and whom they concern.
  void tell_alerts();
  OwnerId owner_of(const budget::Budget& budget) const;

  std::shared_ptr<const Secret> hash_key_;
  std::shared_ptr<const vault::OpenCredentials> credentials_;
  std::shared_ptr<const relay::Snapshot> world_;
  std::vector<local::LocalModel> local_models_;
  std::vector<access::VirtualKey> keys_;
  std::vector<budget::BudgetTerms> terms_in_force_;  ///< What the ledger was told.
};

/// What a budget is on, as people write it, with names: `owner:alice`.
std::string scope_text(const Registry& registry, const budget::Budget& budget);

}  // namespace claviger::console

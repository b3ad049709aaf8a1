#pragma once

/// Budgets of end users: a rule for each end user makes one when an application first names
/// somebody. Who an end user is, the application says; two applications that name the same one
/// mean two.
///
/// Why not with the other definitions: there may be many, they come while requests run, and no
/// request may wait while a snapshot of everything is built for each. The first request of an
/// end user waits for one row in the database; nobody else does.
///
/// How many there may be is bounded, because the names come from outside. At the bound those who
/// are known go on, and requests of others are refused until the operator raises it: who is not
/// counted is not served.

#include <array>
#include <atomic>
#include <cstdint>
#include <expected>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "budget/ledger.h"
#include "budget/ledger_store.h"

namespace claviger::budget {

struct StoredEndUser {
  BudgetId budget;
  BudgetId rule;
  AppId app;
  std::string name;
};

/// Where they are kept. Threads: as LedgerStore says, and with its calls one at a time.
class EndUserStore {
 public:
  virtual ~EndUserStore() = default;
  /// Those whose rule is in force. Errors: unavailable.
  virtual std::expected<std::vector<StoredEndUser>, LedgerStoreError> end_users() = 0;
  /// The budget that the rule has for them, made durably where there is none. None where the
  /// rule is not in force. Errors: unavailable.
  virtual std::expected<std::optional<BudgetId>, LedgerStoreError> budget_of_end_user(
      const EndUser& user, WallTime now) = 0;
};

/// Which rules are in force, and which budgets they have made.
///
/// Threads: any method, from any thread, concurrently. A look-up takes one of 16 locks, by name,
/// for some ten nanoseconds, and allocates nothing.
class EndUserBudgets {
 public:
  explicit EndUserBudgets(std::size_t most) : most_(most) {}

  std::optional<BudgetId> find(const EndUser& user) const;
  /// False where there are as many as there may be.
  bool has_room() const { return size_.load(std::memory_order_relaxed) < most_; }
  void add(const StoredEndUser& user);

  /// Terms with the rule's id. What the rule made follows: see terms_of_all().
  void set_rule(const BudgetTerms& terms);
  /// Takes the rule and all that it made out. Returns what it made; none where it is no rule.
  std::optional<std::vector<BudgetId>> remove_rule(BudgetId rule);
  /// The rule's terms for one of its budgets; none where the rule is not in force.
  std::optional<BudgetTerms> terms_for(BudgetId rule, BudgetId budget) const;
  std::vector<StoredEndUser> of_rule(BudgetId rule) const;

 private:
  struct Key {
    BudgetId rule;
    AppId app;
    std::string name;
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(const Key& key) const { return hash(key.rule, key.app, key.name); }
    std::size_t operator()(const EndUser& user) const {
      return hash(user.rule, user.app, user.name);
    }
    static std::size_t hash(BudgetId rule, AppId app, std::string_view name) {
      return std::hash<std::string_view>{}(name) ^
             (static_cast<std::size_t>(rule.value) * 0x9E3779B97F4A7C15u) ^
             (static_cast<std::size_t>(app.value) * 0xC2B2AE3D27D4EB4Fu);
    }
  };
  struct Equal {
    using is_transparent = void;
    template <typename A, typename B>
    bool operator()(const A& a, const B& b) const {
      return a.rule == b.rule && a.app == b.app && a.name == b.name;
    }
  };
  struct Shard {
    mutable std::mutex mutex;
    std::unordered_map<Key, BudgetId, Hash, Equal> budgets;
  };
  static constexpr std::size_t kShards = 16;
  const Shard& shard_of(const EndUser& user) const { return shards_[Hash{}(user) % kShards]; }

  const std::size_t most_;
  std::array<Shard, kShards> shards_;
  std::atomic<std::size_t> size_{0};
  mutable std::mutex rules_mutex_;
  std::unordered_map<BudgetId, BudgetTerms> rules_;
};

}  // namespace claviger::budget

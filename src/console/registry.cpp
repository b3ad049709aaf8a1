#include "console/registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

namespace claviger::console {
namespace {

/// Virtual keys are hashed with this, so a stolen database cannot even be searched for a key.
constexpr std::string_view kHashKeyName = "virtual-key-hash-key";
constexpr std::size_t kHashKeyBytes = 32;

std::vector<route::Place> places_of(const vault::OpenCredentials& credentials,
                                    const provider::Profiles& profiles) {
  std::vector<route::Place> places;
  for (const auto& entry : credentials.entries()) {
    const provider::Profile* const profile = profiles.find(entry.about.provider);
    if (entry.about.disabled || profile == nullptr) continue;
    places.push_back({.credential = entry.about.id,
                      .owner = entry.about.owner,
                      .provider = entry.about.provider,
                      .name = entry.about.name,
                      .base_url = entry.about.base_url,
                      .is_own_endpoint = profile->base_url.empty()});
  }
  return places;
}

std::vector<route::LocalPlace> places_of(const std::vector<local::LocalModel>& models) {
  std::vector<route::LocalPlace> places;
  places.reserve(models.size());
  for (const local::LocalModel& model : models) {
    places.push_back({.model = model.id,
                      .owner = model.owner,
                      .name = model.name,
                      .context_tokens_max = model.context_tokens_in_use()});
  }
  return places;
}

/// A rule is a template: the budgets that it makes hold the money.
bool holds_money(const budget::Budget& budget) {
  return budget.scope != budget::Scope::each_owner && budget.scope != budget::Scope::each_user;
}

/// In whose time zone a budget's periods begin, where it has none of its own.
OwnerId owner_of(const budget::Budget& budget, const std::vector<access::VirtualKey>& keys,
                 const vault::OpenCredentials& credentials) {
  if (budget.scope == budget::Scope::owner) return OwnerId{budget.subject};
  if (budget.scope == budget::Scope::credential) {
    const auto* const found = credentials.find(CredentialId{budget.subject});
    return found == nullptr ? OwnerId{} : found->about.owner;
  }
  if (budget.scope == budget::Scope::virtual_key) {
    const auto key = std::ranges::find(keys, VirtualKeyId{budget.subject}, &access::VirtualKey::id);
    if (key != keys.end()) return key->owner;
  }
  return OwnerId{};
}

/// What the ledger has to know, and the store keeps in other words.
Outcome<void> complete_terms(budget::Budget& budget, const std::vector<access::Owner>& owners,
                             const std::vector<access::VirtualKey>& keys,
                             const vault::OpenCredentials& credentials) {
  for (const int percent : budget.warn_percents) budget.terms.warn_at.add(percent);
  std::string name = budget.time_zone;
  if (name.empty()) {
    const auto owner =
        std::ranges::find(owners, owner_of(budget, keys, credentials), &access::Owner::id);
    name = owner == owners.end() ? "UTC" : owner->time_zone;
  }
  const auto zone = budget::TimeZone::find(name);
  if (!zone) {
    return problem(
        503, "time_zone_missing",
        fmt::format("the time zone \"{}\" of {} is not known here", name, budget.terms.id.text()),
        "install the package tzdata, and start the server again");
  }
  budget.terms.zone = *zone;
  return {};
}

}  // namespace

Outcome<void> check_time_zone(std::string_view name) {
  const auto zone = budget::TimeZone::find(name);
  if (zone) return {};
  return bad_value("time_zone", fmt::format("\"{}\" is not known here as a time zone", name),
                   std::string(budget::explain(zone.error())));
}

/// Everything that the stores say, read at one moment.
struct Registry::Loaded {
  std::vector<access::Owner> owners;
  std::vector<access::App> apps;
  std::vector<access::VirtualKey> keys;
  std::vector<access::AdminKey> admins;
  std::vector<budget::Budget> budgets;
  std::vector<catalog::OwnerPrice> prices;
  std::vector<route::Alias> aliases;
  std::vector<local::LocalModel> models;
  std::vector<store::EgressAllowance> allowances;
};

std::expected<void, std::string> Registry::load_hash_key() {
  auto key = parts.vault.named_secret(kHashKeyName, kHashKeyBytes);
  if (!key) {
    return std::unexpected(
        fmt::format("the key by which virtual keys are recognised cannot be "
                    "read from the vault. {}",
                    vault::explain(key.error())));
  }
  hash_key_ = std::make_shared<const Secret>(std::move(*key));
  return {};
}

Outcome<Registry::Loaded> Registry::load() const {
  auto owners = parts.access.owners();
  auto apps = parts.access.apps();
  auto keys = parts.access.keys();
  auto admins = parts.access.admin_keys();
  auto budgets = parts.budgets.list();
  auto prices = parts.prices.list();
  auto aliases = parts.aliases.list();
  auto models = parts.local_models.list();
  auto allowances = parts.egress_allowances.list(CredentialId{});
  if (!owners || !apps || !keys || !admins || !budgets || !prices || !aliases || !models ||
      !allowances) {
    return store_unavailable();
  }
  return Loaded{.owners = std::move(*owners),
                .apps = std::move(*apps),
                .keys = std::move(*keys),
                .admins = std::move(*admins),
                .budgets = std::move(*budgets),
                .prices = std::move(*prices),
                .aliases = std::move(*aliases),
                .models = std::move(*models),
                .allowances = std::move(*allowances)};
}

Task<Outcome<void>> Registry::put_in_force(Touched touched) {
  auto loaded = load();
  if (!loaded) co_return std::unexpected(loaded.error());
  if (touched == Touched::credentials || !credentials_) {
    auto opened = parts.vault.open_all();
    if (!opened) co_return of_vault(opened.error(), "");
    credentials_ = std::move(*opened);
  }
  for (budget::Budget& budget : loaded->budgets) {
    if (auto done = complete_terms(budget, loaded->owners, loaded->keys, *credentials_); !done) {
      co_return std::unexpected(done.error());
    }
  }
  const std::vector<budget::Budget> budgets = loaded->budgets;
  if (auto told = co_await tell_ledger(budgets); !told) co_return told;
  if (auto told = tell_keeper(loaded->owners); !told) co_return told;
  publish(std::move(*loaded));
  co_await forget_removed(budgets);
  co_return Outcome<void>{};
}

Task<Outcome<void>> Registry::tell_ledger(const std::vector<budget::Budget>& budgets) {
  for (const budget::Budget& budget : budgets) {
    const bool is_user_rule = budget.scope == budget::Scope::each_user;
    if (!holds_money(budget) && !is_user_rule) continue;
    budget::BudgetTerms terms = budget.terms;
    for (const int percent : budget.warn_percents) terms.warn_at.add(percent);
    const auto known =
        std::ranges::find(terms_in_force_, budget.terms.id, &budget::BudgetTerms::id);
    if (known != terms_in_force_.end() && *known == terms) continue;
    const auto set = is_user_rule ? co_await parts.ledger.set_rule(terms)
                                  : co_await parts.ledger.set_terms(terms);
    if (!set) co_return of_ledger(set.error(), budget.terms.id.text());
    const auto place =
        std::ranges::find(terms_in_force_, budget.terms.id, &budget::BudgetTerms::id);
    if (place == terms_in_force_.end()) {
      terms_in_force_.push_back(terms);
    } else {
      *place = terms;
    }
  }
  co_return Outcome<void>{};
}

Outcome<void> Registry::tell_keeper(const std::vector<access::Owner>& owners) const {
  std::unordered_map<OwnerId, record::KeepingTerms> terms;
  for (const access::Owner& owner : owners) {
    terms[owner.id] = {
        .keeping = record::keeping_named(owner.keeps_content).value_or(record::Keeping::off),
        .days = owner.kept_days};
  }
  if (!parts.contents.set_terms(std::move(terms))) return store_unavailable();
  return {};
}

Task<void> Registry::forget_removed(const std::vector<budget::Budget>& budgets) {
  std::vector<BudgetId> removed;
  for (const budget::BudgetTerms& terms : terms_in_force_) {
    const bool is_there = std::ranges::any_of(
        budgets, [&](const budget::Budget& budget) { return budget.terms.id == terms.id; });
    if (!is_there) removed.push_back(terms.id);
  }
  for (const BudgetId id : removed) {
    // Unknown to the ledger is what we want it to be.
    co_await parts.ledger.remove(id);
    std::erase_if(terms_in_force_,
                  [id](const budget::BudgetTerms& terms) { return terms.id == id; });
  }
}

void Registry::publish(Loaded loaded) {
  access::carry_paces(world_ ? world_->directory.get() : nullptr, loaded.keys);
  keys_ = loaded.keys;
  if (parts.operations.are_keys_disabled()) loaded.keys.clear();
  std::vector<route::StatedPrice> stated;
  stated.reserve(loaded.prices.size());
  for (catalog::OwnerPrice& price : loaded.prices) {
    stated.push_back({.owner = price.owner,
                      .model = std::move(price.model),
                      .price = std::make_shared<const catalog::Price>(std::move(price.price))});
  }
  std::vector<net::EgressAllowance> allowances;
  allowances.reserve(loaded.allowances.size());
  for (store::EgressAllowance& allowance : loaded.allowances) {
    allowances.push_back({.host = std::move(allowance.host), .port = allowance.port});
  }
  world_ = std::make_shared<const relay::Snapshot>(relay::Snapshot{
      .directory = std::make_shared<const access::Directory>(
          std::move(loaded.owners), std::move(loaded.apps), std::move(loaded.keys),
          std::move(loaded.admins), hash_key_),
      .credentials = credentials_,
      .routes = std::make_shared<const route::Table>(places_of(*credentials_, *parts.profiles),
                                                     places_of(loaded.models), std::move(stated),
                                                     parts.book, std::move(loaded.aliases)),
      .budgets = std::make_shared<const budget::BudgetBook>(std::move(loaded.budgets)),
      .profiles = parts.profiles});
  local_models_ = std::move(loaded.models);
  parts.publish(world_, std::move(allowances), local_models_);
  tell_alerts();
}

void Registry::tell_alerts() {
  std::vector<alert::WatchedBudget> watched;
  watched.reserve(budgets().size());
  for (const budget::Budget& budget : budgets()) {
    watched.push_back(
        {.budget = budget, .scope = scope_text(*this, budget), .owner = owner_of(budget)});
  }
  parts.alerts.set_budgets(std::move(watched));
}

OwnerId Registry::owner_of(const budget::Budget& budget) const {
  if (budget.scope == budget::Scope::owner) return OwnerId{budget.subject};
  if (budget.scope == budget::Scope::credential) {
    const auto* const found = world_->credentials->find(CredentialId{budget.subject});
    return found == nullptr ? OwnerId{} : found->about.owner;
  }
  if (budget.scope == budget::Scope::virtual_key) {
    const auto found =
        std::ranges::find(keys_, VirtualKeyId{budget.subject}, &access::VirtualKey::id);
    return found == keys_.end() ? OwnerId{} : found->owner;
  }
  return OwnerId{};
}

Outcome<const access::Owner*> Registry::owner(std::string_view name_or_id) const {
  if (const auto* const named = directory().find_owner(name_or_id)) return named;
  if (const auto id = OwnerId::parse(name_or_id); id && name_or_id.starts_with("own_")) {
    if (const auto* const found = directory().find_owner(*id)) return found;
  }
  return unknown("owner", name_or_id);
}

Outcome<const access::App*> Registry::app(std::string_view name_or_id) const {
  if (const auto* const named = directory().find_app(name_or_id)) return named;
  if (const auto id = AppId::parse(name_or_id); id && name_or_id.starts_with("app_")) {
    if (const auto* const found = directory().find_app(*id)) return found;
  }
  return unknown("app", name_or_id);
}

Outcome<const vault::OpenCredentials::Entry*> Registry::credential(std::string_view text) const {
  if (const auto id = CredentialId::parse(text)) {
    if (const auto* const found = world_->credentials->find(*id)) return found;
  }
  return unknown("credential", text);
}

Outcome<const access::VirtualKey*> Registry::key(std::string_view text) const {
  if (const auto id = VirtualKeyId::parse(text)) {
    const auto found = std::ranges::find(keys_, *id, &access::VirtualKey::id);
    if (found != keys_.end()) return &*found;
  }
  return unknown("key", text);
}

Outcome<const budget::Budget*> Registry::budget(std::string_view text) const {
  if (const auto id = BudgetId::parse(text)) {
    if (const auto* const found = world_->budgets->find(*id)) return found;
  }
  return unknown("budget", text);
}

Outcome<const local::LocalModel*> Registry::local_model(std::string_view name_or_id) const {
  const auto id = LocalModelId::parse(name_or_id);
  std::string_view name = name_or_id;
  if (name.starts_with("local/")) name.remove_prefix(6);
  const local::LocalModel* found = nullptr;
  for (const local::LocalModel& model : local_models_) {
    if (id && model.id == *id && name_or_id.starts_with("mdl_")) return &model;
    if (model.name != name) continue;
    if (found != nullptr) {
      return problem(409, "ambiguous_model",
                     fmt::format("several owners have a model \"{}\"", name),
                     fmt::format("name it by its id: {} or {}", found->id.text(), model.id.text()));
    }
    found = &model;
  }
  if (found == nullptr) return unknown("model", name_or_id);
  return found;
}

std::string Registry::name_of(OwnerId id) const {
  if (id.is_none()) return {};
  const access::Owner* const owner = directory().find_owner(id);
  return owner == nullptr ? id.text() : owner->name;
}

std::string Registry::name_of(AppId id) const {
  if (id.is_none()) return {};
  const access::App* const app = directory().find_app(id);
  return app == nullptr ? id.text() : app->name;
}

}  // namespace claviger::console

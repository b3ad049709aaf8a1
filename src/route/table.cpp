#include "route/table.h"

#include <algorithm>
#include <utility>

namespace claviger::route {
namespace {

constexpr std::size_t kCandidatesMax = 5;

std::pair<std::string_view, std::string_view> split_model(std::string_view model) {
  const std::size_t slash = model.find('/');
  if (slash == std::string_view::npos) return {{}, model};
  return {model.substr(0, slash), model.substr(slash + 1)};
}

/// Levenshtein distance, given up above `most`: for "did you mean".
std::size_t distance(std::string_view a, std::string_view b, std::size_t most) {
  if (a.size() > b.size() + most || b.size() > a.size() + most) return most + 1;
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row[b.size()];
}

}  // namespace

Table::Table(std::vector<Place> places, std::vector<LocalPlace> local_models,
             std::vector<StatedPrice> stated_prices, std::shared_ptr<const catalog::PriceBook> book,
             std::vector<Alias> aliases)
    : places_(std::move(places)),
      local_models_(std::move(local_models)),
      stated_prices_(std::move(stated_prices)),
      book_(std::move(book)),
      aliases_(std::move(aliases)) {
  std::ranges::sort(places_, [](const Place& a, const Place& b) {
    if (a.owner.is_none() != b.owner.is_none()) return b.owner.is_none();
    return a.credential < b.credential;
  });
}

bool Table::is_usable_by(const Place& place, OwnerId owner) const {
  return place.owner.is_none() || place.owner == owner;
}

const Place* Table::find_place(std::string_view provider, OwnerId owner) const {
  const std::string_view canonical = catalog::canonical_provider(provider);
  const auto named = std::ranges::find_if(places_, [&](const Place& place) {
    return is_usable_by(place, owner) && (place.provider == canonical || place.name == provider);
  });
  return named == places_.end() ? nullptr : &*named;
}

const LocalPlace* Table::find_local(std::string_view name, OwnerId owner) const {
  const auto found = std::ranges::find_if(local_models_, [&](const LocalPlace& local) {
    return local.owner == owner && local.name == name;
  });
  return found == local_models_.end() ? nullptr : &*found;
}

catalog::SharedPrice Table::stated(std::string_view model, OwnerId owner) const {
  const auto found = std::ranges::find_if(stated_prices_, [&](const StatedPrice& stated_price) {
    return stated_price.owner == owner && stated_price.model == model;
  });
  if (found == stated_prices_.end()) return nullptr;
  return found->price;
}

Target Table::at_place(const Place& place, std::string_view name, OwnerId owner) const {
  // An own endpoint goes by the name its owner gave it, so that two of them stay apart.
  const std::string& shown = place.is_own_endpoint ? place.name : place.provider;
  Target target{.model = shown + "/" + std::string(name),
                .provider_model = std::string(name),
                .provider = place.provider,
                .credential = place.credential,
                .base_url = place.base_url};
  if (const catalog::Model* const known = book_->find(place.provider, name)) {
    target.price = known->price;
    if (!known->periods.empty()) target.dated = known;
    target.context_tokens_max = known->context_tokens_max;
    target.output_tokens_max = known->output_tokens_max;
  }
  // Who pays decides what it costs: a workspace's price is stated under no owner.
  if (auto price = stated(target.model, place.owner.is_none() ? OwnerId{} : owner)) {
    target.price = std::move(price);
    target.dated = nullptr;
  }
  return target;
}

Target Table::at_local(const LocalPlace& local, OwnerId owner) const {
  Target target{.model = "local/" + local.name,
                .provider_model = local.name,
                .provider = "local",
                .local_model = local.model,
                .context_tokens_max = local.context_tokens_max};
  target.price = stated(target.model, owner);
  return target;
}

const Alias* Table::find_alias(std::string_view name, OwnerId owner) const {
  const Alias* found = nullptr;
  for (const Alias& alias : aliases_) {
    if (alias.name != name) continue;
    if (alias.owner == owner) return &alias;
    if (alias.owner.is_none()) found = &alias;
  }
  return found;
}

std::expected<Plan, RouteFailure> Table::plan(std::string_view model, OwnerId owner) const {
  const Alias* const alias = aliases_.empty() ? nullptr : find_alias(model, owner);
  if (alias == nullptr) {
    auto target = resolve(model, owner);
    if (!target) return std::unexpected(std::move(target.error()));
    return Plan{.first = std::move(*target), .alternatives = {}};
  }
  std::vector<Target> targets;
  for (const std::string& member : alias->models) {
    // A list may name places that this owner has not brought, or not yet.
    if (auto target = resolve(member, owner)) targets.push_back(std::move(*target));
  }
  if (targets.empty()) {
    return std::unexpected(
        RouteFailure{.error = RouteError::alias_unusable, .candidates = alias->models});
  }
  const auto is_alike = [&first = targets.front()](const Target& target) {
    return target.provider == first.provider && target.provider_model == first.provider_model &&
           target.local_model == first.local_model && target.credential != first.credential;
  };
  Plan plan{.rotation = alias->rotation, .list = static_cast<std::size_t>(alias - aliases_.data())};
  for (auto target = targets.begin() + 1; target != targets.end() && is_alike(*target); ++target) {
    ++plan.alike;
  }
  plan.first = std::move(targets.front());
  targets.erase(targets.begin());
  plan.alternatives = std::move(targets);
  return plan;
}

std::expected<Target, RouteFailure> Table::resolve(std::string_view model, OwnerId owner) const {
  const auto [provider, name] = split_model(model);
  if (provider == "local") {
    if (const LocalPlace* const local = find_local(name, owner)) return at_local(*local, owner);
    return std::unexpected(nothing_found(model, owner));
  }
  if (!provider.empty() && !name.empty()) {
    if (const Place* const place = find_place(provider, owner)) {
      return at_place(*place, name, owner);
    }
  }
  auto bare = resolve_bare(model, owner);
  if (bare || bare.error().error == RouteError::ambiguous_model) return bare;
  const std::string_view canonical = catalog::canonical_provider(provider);
  const bool provider_known = std::ranges::any_of(
      book_->models(), [&](const catalog::Model& row) { return row.provider == canonical; });
  if (!provider.empty() && provider_known) {
    return std::unexpected(RouteFailure{.error = RouteError::no_credential, .candidates = {}});
  }
  return bare;
}

std::expected<Target, RouteFailure> Table::resolve_bare(std::string_view name,
                                                        OwnerId owner) const {
  std::vector<Target> found;
  if (const LocalPlace* const local = find_local(name, owner)) {
    found.push_back(at_local(*local, owner));
  }
  for (const Place& place : places_) {
    if (!is_usable_by(place, owner)) continue;
    const std::string shown = place.is_own_endpoint ? place.name : place.provider;
    const bool has_it = book_->find(place.provider, name) != nullptr ||
                        stated(shown + "/" + std::string(name), place.owner) != nullptr;
    // A second credential for the same provider is not another meaning of the name.
    const bool is_new = std::ranges::none_of(found, [&](const Target& target) {
      return target.model == shown + "/" + std::string(name);
    });
    if (has_it && is_new) found.push_back(at_place(place, name, owner));
  }
  if (found.size() == 1) return std::move(found.front());
  if (found.empty()) return std::unexpected(nothing_found(name, owner));
  RouteFailure failure{.error = RouteError::ambiguous_model, .candidates = {}};
  for (const Target& target : found) {
    if (failure.candidates.size() < kCandidatesMax) failure.candidates.push_back(target.model);
  }
  return std::unexpected(std::move(failure));
}

RouteFailure Table::nothing_found(std::string_view model, OwnerId owner) const {
  RouteFailure failure{.error = RouteError::unknown_model, .candidates = {}};
  constexpr std::size_t kDistanceMax = 6;
  std::vector<std::pair<std::size_t, std::string>> near;
  for (std::string& known : models_of(owner)) {
    const std::string_view bare = split_model(known).second;
    const std::size_t away =
        std::min(distance(known, model, kDistanceMax), distance(bare, model, kDistanceMax));
    if (away <= kDistanceMax) near.emplace_back(away, std::move(known));
  }
  std::ranges::sort(near);
  for (auto& [away, known] : near) {
    if (failure.candidates.size() < kCandidatesMax) failure.candidates.push_back(std::move(known));
  }
  return failure;
}

std::vector<std::string> Table::models_of(OwnerId owner) const {
  std::vector<std::string> models;
  for (const Alias& alias : aliases_) {
    if (alias.owner.is_none() || alias.owner == owner) models.push_back(alias.name);
  }
  for (const LocalPlace& local : local_models_) {
    if (local.owner == owner) models.push_back("local/" + local.name);
  }
  for (const Place& place : places_) {
    if (!is_usable_by(place, owner)) continue;
    for (const catalog::Model& row : book_->models()) {
      // The book prices more than there are surfaces for here.
      const bool is_offered = row.operation == "chat" || row.operation == "embeddings";
      if (row.provider == place.provider && row.price && is_offered) {
        models.push_back(row.provider + "/" + row.name);
      }
    }
    const std::string prefix = (place.is_own_endpoint ? place.name : place.provider) + "/";
    for (const StatedPrice& stated_price : stated_prices_) {
      if (stated_price.owner == place.owner && stated_price.model.starts_with(prefix)) {
        models.push_back(stated_price.model);
      }
    }
  }
  std::ranges::sort(models);
  models.erase(std::unique(models.begin(), models.end()), models.end());
  return models;
}

}  // namespace claviger::route

#pragma once

/// Which model, provider and credential a request goes to. A Table is an immutable snapshot
/// of what every owner has; the control thread builds a new one after each change.
///
/// A model is `provider/model`; the provider part may also be the name that an owner gave to
/// an own endpoint. A bare name works where only one of the owner's places has it.

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "catalog/price_book.h"
#include "route/alias.h"

namespace claviger::route {

/// A credential as routing sees it: who may use it, and for what. Its key stays in the vault.
struct Place {
  CredentialId credential;
  OwnerId owner;         ///< None: the workspace's, usable by every owner.
  std::string provider;  ///< Profile id.
  std::string name;
  std::string base_url;          ///< Empty: the profile's own.
  bool is_own_endpoint = false;  ///< Its profile has no base URL: models are not in the book.
};

struct LocalPlace {
  LocalModelId model;
  OwnerId owner;
  std::string name;  ///< As in `local/NAME`.
  std::int64_t context_tokens_max = 0;
};

/// What an owner says that a model costs them.
struct StatedPrice {
  OwnerId owner;
  std::string model;  ///< `provider/model`
  catalog::SharedPrice price;
};

/// Where one request goes.
struct Target {
  std::string model;           ///< `provider/model`, canonical.
  std::string provider_model;  ///< As the provider calls it.
  std::string provider;        ///< Profile id.
  CredentialId credential;     ///< None for a local model.
  LocalModelId local_model;    ///< None for a provider's.
  std::string base_url;        ///< Empty: the profile's own.
  catalog::SharedPrice price;  ///< Null where it is not known.
  /// Where the book's price changes on a day: ask it for the price of the moment before the hold.
  /// Lives as long as the table.
  const catalog::Model* dated = nullptr;
  std::int64_t context_tokens_max = 0;  ///< 0 where unknown.
  std::int64_t output_tokens_max = 0;   ///< 0 where unknown.
};

enum class RouteError : std::uint8_t {
  unknown_model,    ///< Nothing of this owner has a model of that name.
  ambiguous_model,  ///< A bare name that several places have; `candidates` lists them.
  alias_unusable,   ///< An alias, and this owner has none of the places on its list.
  no_credential,    ///< The provider is known, but this owner has no credential for it.
};

struct RouteFailure {
  RouteError error = RouteError::unknown_model;
  std::vector<std::string> candidates;  ///< At most five: what was perhaps meant, or what collides.
};

/// Where one request goes, and where else it may: what its owner has put on the list.
struct Plan {
  Target first;
  std::vector<Target> alternatives;  ///< In the order in which they are tried.
  /// Which of the first is asked first: of so many of them, `first` included, that have its model.
  Rotation rotation = Rotation::in_order;
  std::size_t alike = 1;
  std::size_t list = 0;  ///< The alias's number in its table: turns are taken by list.
};

/// Threads: immutable, share it freely.
class Table {
 public:
  Table(std::vector<Place> places, std::vector<LocalPlace> local_models,
        std::vector<StatedPrice> stated_prices, std::shared_ptr<const catalog::PriceBook> book,
        std::vector<Alias> aliases = {});

  /// `model` may be an alias; then the places are those of its list that this owner can use.
  std::expected<Plan, RouteFailure> plan(std::string_view model, OwnerId owner) const;

  /// One model, which is no alias.
  std::expected<Target, RouteFailure> resolve(std::string_view model, OwnerId owner) const;

  /// Every model that this owner can name, sorted: aliases, local ones, priced ones of their
  /// places.
  std::vector<std::string> models_of(OwnerId owner) const;

 private:
  bool is_usable_by(const Place& place, OwnerId owner) const;
  const Alias* find_alias(std::string_view name, OwnerId owner) const;
  const Place* find_place(std::string_view provider, OwnerId owner) const;
  const LocalPlace* find_local(std::string_view name, OwnerId owner) const;
  Target at_place(const Place& place, std::string_view name, OwnerId owner) const;
  Target at_local(const LocalPlace& local, OwnerId owner) const;
  catalog::SharedPrice stated(std::string_view model, OwnerId owner) const;
  std::expected<Target, RouteFailure> resolve_bare(std::string_view name, OwnerId owner) const;
  RouteFailure nothing_found(std::string_view model, OwnerId owner) const;

  std::vector<Place> places_;  ///< Owners' before the workspace's, then by age.
  std::vector<LocalPlace> local_models_;
  std::vector<StatedPrice> stated_prices_;
  std::shared_ptr<const catalog::PriceBook> book_;
  std::vector<Alias> aliases_;
};

}  // namespace claviger::route

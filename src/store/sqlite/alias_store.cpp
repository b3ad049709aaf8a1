#include "store/sqlite/alias_store.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "store/sqlite/sql.h"

namespace claviger::store {
namespace {

using route::Alias;
using route::AliasResult;
using route::AliasStoreError;

std::optional<Alias> read_alias(const Query& row) {
  Alias alias{.owner = OwnerId{row.integer(0)}, .name = row.text(1), .models = {}};
  const std::string models = row.text(2);
  std::size_t begin = 0;
  while (begin < models.size()) {
    const std::size_t end = std::min(models.find('\n', begin), models.size());
    alias.models.push_back(models.substr(begin, end - begin));
    begin = end + 1;
  }
  const auto rotation = route::rotation_of(row.text(3));
  if (!rotation) return std::nullopt;
  alias.rotation = *rotation;
  return alias;
}

}  // namespace

AliasResult<void> SqliteAliasStore::put(const Alias& alias, WallTime now) {
  const auto put = change(database_,
                          "INSERT INTO aliases (owner_id, name, models, changed_at, rotation)"
                          " SELECT ?1, ?2, ?3, ?4, ?5 WHERE ?1 = 0 OR EXISTS"
                          " (SELECT 1 FROM owners WHERE id = ?1 AND removed_at IS NULL)"
                          " ON CONFLICT (owner_id, name) DO UPDATE SET models = excluded.models,"
                          " changed_at = excluded.changed_at, rotation = excluded.rotation",
                          alias.owner, alias.name, fmt::format("{}", fmt::join(alias.models, "\n")),
                          now, to_string(alias.rotation));
  if (!put) return std::unexpected(AliasStoreError::unavailable);
  if (*put == 0) return std::unexpected(AliasStoreError::not_found);
  return {};
}

AliasResult<std::vector<Alias>> SqliteAliasStore::list() {
  // What a removed owner had is nobody's, and comes back to nobody.
  auto aliases =
      select<Alias>(database_,
                    "SELECT owner_id, name, models, rotation FROM aliases WHERE owner_id = 0 OR"
                    " owner_id IN (SELECT id FROM owners WHERE removed_at IS NULL)"
                    " ORDER BY owner_id, name",
                    read_alias);
  if (!aliases) return std::unexpected(AliasStoreError::unavailable);
  return std::move(*aliases);
}

AliasResult<void> SqliteAliasStore::remove(OwnerId owner, const std::string& name) {
  const auto removed =
      change(database_, "DELETE FROM aliases WHERE owner_id = ? AND name = ?", owner, name);
  if (!removed) return std::unexpected(AliasStoreError::unavailable);
  if (*removed == 0) return std::unexpected(AliasStoreError::not_found);
  return {};
}

}  // namespace claviger::store

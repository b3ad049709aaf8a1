#include "store/sqlite/access_store.h"

#include <map>

#include "store/sqlite/budget_store.h"
#include "store/sqlite/sql.h"

namespace claviger::store {
namespace {

using access::AdminKey;
using access::App;
using access::Owner;
using access::OwnerType;
using access::StoreError;
using access::StoreResult;
using access::VirtualKey;

constexpr EnumWords<OwnerType, 2> kOwnerTypes{
    {{{OwnerType::person, "person"}, {OwnerType::team, "team"}}}};

std::unexpected<StoreError> failed(const DatabaseError& error) {
  if (error.is_unique()) return std::unexpected(StoreError::exists);
  if (error.is_foreign_key()) return std::unexpected(StoreError::not_found);
  return std::unexpected(StoreError::unavailable);
}

/// Outcome of something that touches one row: not_found where it touched none.
StoreResult<void> one_row(const DbResult<std::int64_t>& changed) {
  if (!changed) return failed(changed.error());
  if (*changed == 0) return std::unexpected(StoreError::not_found);
  return {};
}

/// Takes a row out of force by `remove_sql` (now, id), unless `in_use_sql` (id) counts
/// anything, and does `and_also` in the same transaction.
template <typename AndAlso>
StoreResult<void> remove_unless_in_use(Database& database, std::string_view in_use_sql,
                                       std::string_view remove_sql, std::int64_t id, WallTime now,
                                       AndAlso and_also) {
  const auto removed = database.transaction([&]() -> DbResult<std::optional<StoreError>> {
    const auto uses = select_one<std::int64_t>(database, in_use_sql, read_integer, id);
    if (!uses) return std::unexpected(uses.error());
    if (uses->value_or(0) != 0) return StoreError::in_use;
    const auto changed = change(database, remove_sql, now, id);
    if (!changed) return std::unexpected(changed.error());
    if (*changed == 0) return StoreError::not_found;
    if (auto done = and_also(); !done) return std::unexpected(done.error());
    return std::nullopt;
  });
  if (!removed) return failed(removed.error());
  if (*removed) return std::unexpected(**removed);
  return {};
}

DbResult<void> revoke_grants(Database& database, std::string_view sql, std::int64_t id,
                             WallTime now) {
  if (auto revoked = change(database, sql, now, id); !revoked) {
    return std::unexpected(revoked.error());
  }
  return {};
}

}  // namespace

StoreResult<Owner> SqliteAccessStore::add_owner(std::string name, OwnerType type, WallTime now) {
  Owner owner{
      .id = {}, .type = type, .name = std::move(name), .time_zone = "UTC", .created_at = now};
  const auto added = database_.transaction([&]() -> DbResult<void> {
    const auto inserted = change(
        database_, "INSERT INTO owners (type, name, time_zone, created_at) VALUES (?, ?, ?, ?)",
        kOwnerTypes.of(type), owner.name, owner.time_zone, now);
    if (!inserted) return std::unexpected(inserted.error());
    owner.id = OwnerId{database_.last_insert_id()};
    return make_budgets_of_rules(database_, owner.id, now);
  });
  if (!added) return failed(added.error());
  return owner;
}

StoreResult<void> SqliteAccessStore::set_time_zone(OwnerId id, std::string time_zone) {
  const auto changed =
      change(database_, "UPDATE owners SET time_zone = ? WHERE id = ? AND removed_at IS NULL",
             time_zone, id);
  if (!changed) return failed(changed.error());
  if (*changed == 0) return std::unexpected(StoreError::not_found);
  return {};
}

StoreResult<void> SqliteAccessStore::set_keeping(OwnerId id, std::string keeps_content, int days) {
  return one_row(change(database_,
                        "UPDATE owners SET keeps_content = ?, kept_days = ?"
                        " WHERE id = ? AND removed_at IS NULL",
                        keeps_content, days, id));
}

StoreResult<void> SqliteAccessStore::remove_owner(OwnerId id, WallTime now) {
  return remove_unless_in_use(
      database_,
      "SELECT (SELECT count(*) FROM virtual_keys WHERE owner_id = ?1 AND revoked_at IS NULL)"
      " + (SELECT count(*) FROM credentials WHERE owner_id = ?1 AND removed = 0)"
      " + (SELECT count(*) FROM local_models WHERE owner_id = ?1)",
      "UPDATE owners SET removed_at = ? WHERE id = ? AND removed_at IS NULL", id.value, now,
      [&]() -> DbResult<void> {
        if (auto revoked = revoke_grants(
                database_,
                "UPDATE grants SET revoked_at = ? WHERE owner_id = ? AND revoked_at IS NULL",
                id.value, now);
            !revoked) {
          return revoked;
        }
        return remove_budgets_of_owner(database_, id, now);
      });
}

StoreResult<std::vector<Owner>> SqliteAccessStore::owners() {
  auto owners = select<Owner>(
      database_,
      "SELECT id, type, name, time_zone, created_at, keeps_content, kept_days FROM owners"
      " WHERE removed_at IS NULL ORDER BY id",
      [](const Query& row) -> std::optional<Owner> {
        const auto type = kOwnerTypes.parse(row.text(1));
        if (!type) return std::nullopt;
        return Owner{.id = OwnerId{row.integer(0)},
                     .type = *type,
                     .name = row.text(2),
                     .time_zone = row.text(3),
                     .keeps_content = row.text(5),
                     .kept_days = static_cast<int>(row.integer(6)),
                     .created_at = from_unix_micros(row.integer(4))};
      });
  if (!owners) return failed(owners.error());
  return std::move(*owners);
}

StoreResult<App> SqliteAccessStore::add_app(std::string name, WallTime now) {
  const auto inserted =
      change(database_, "INSERT INTO apps (name, created_at) VALUES (?, ?)", name, now);
  if (!inserted) return failed(inserted.error());
  return App{.id = AppId{database_.last_insert_id()}, .name = std::move(name), .created_at = now};
}

StoreResult<void> SqliteAccessStore::remove_app(AppId id, WallTime now) {
  return remove_unless_in_use(
      database_, "SELECT count(*) FROM virtual_keys WHERE app_id = ? AND revoked_at IS NULL",
      "UPDATE apps SET removed_at = ? WHERE id = ? AND removed_at IS NULL", id.value, now, [&] {
        return revoke_grants(
            database_, "UPDATE grants SET revoked_at = ? WHERE app_id = ? AND revoked_at IS NULL",
            id.value, now);
      });
}

StoreResult<std::vector<App>> SqliteAccessStore::apps() {
  auto apps = select<App>(
      database_, "SELECT id, name, created_at FROM apps WHERE removed_at IS NULL ORDER BY id",
      [](const Query& row) {
        return std::optional(App{.id = AppId{row.integer(0)},
                                 .name = row.text(1),
                                 .created_at = from_unix_micros(row.integer(2))});
      });
  if (!apps) return failed(apps.error());
  return std::move(*apps);
}

StoreResult<VirtualKey> SqliteAccessStore::add_key(VirtualKey key) {
  const auto added = database_.transaction([&]() -> DbResult<bool> {
    const auto names = select_one<std::pair<std::string, std::string>>(
        database_,
        "SELECT owners.name, apps.name FROM owners JOIN apps WHERE owners.id = ? AND apps.id = ?"
        " AND owners.removed_at IS NULL AND apps.removed_at IS NULL",
        [](const Query& row) { return std::optional(std::pair(row.text(0), row.text(1))); },
        key.owner, key.app);
    if (!names) return std::unexpected(names.error());
    if (!*names) return false;
    std::tie(key.owner_name, key.app_name) = **names;

    const auto inserted =
        change(database_,
               "INSERT INTO virtual_keys (hash, hint, owner_id, app_id, requests_per_minute,"
               " tokens_per_minute, concurrent_requests, expires_at, created_at, revoked_at)"
               " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
               Blob{key.hash}, key.hint, key.owner, key.app, key.limits.requests_per_minute,
               key.limits.tokens_per_minute, key.limits.concurrent_requests, key.expires_at,
               key.created_at, key.revoked_at);
    if (!inserted) return std::unexpected(inserted.error());
    key.id = VirtualKeyId{database_.last_insert_id()};

    for (std::size_t position = 0; position < key.models.size(); ++position) {
      const auto pattern = change(
          database_, "INSERT INTO virtual_key_models (key_id, position, pattern) VALUES (?, ?, ?)",
          key.id, position, key.models[position]);
      if (!pattern) return std::unexpected(pattern.error());
    }
    const auto granted = change(database_,
                                "INSERT INTO grants (owner_id, app_id, created_at)"
                                " VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                                key.owner, key.app, key.created_at);
    if (!granted) return std::unexpected(granted.error());
    return true;
  });
  if (!added) return failed(added.error());
  if (!*added) return std::unexpected(StoreError::not_found);
  return key;
}

StoreResult<void> SqliteAccessStore::revoke_key(VirtualKeyId id, WallTime now) {
  return one_row(change(database_,
                        "UPDATE virtual_keys SET revoked_at = ifnull(revoked_at, ?) WHERE id = ?",
                        now, id));
}

StoreResult<std::vector<VirtualKey>> SqliteAccessStore::keys() {
  auto keys = select<VirtualKey>(
      database_,
      "SELECT k.id, hash, hint, owner_id, app_id, owners.name, apps.name, requests_per_minute,"
      " tokens_per_minute, concurrent_requests, expires_at, k.created_at, revoked_at,"
      " owners.keeps_content != 'off'"
      " FROM virtual_keys AS k JOIN owners ON owners.id = owner_id JOIN apps ON apps.id = app_id"
      " ORDER BY k.id",
      [](const Query& row) {
        return std::optional(VirtualKey{.id = VirtualKeyId{row.integer(0)},
                                        .hash = row.blob(1),
                                        .hint = row.text(2),
                                        .owner = OwnerId{row.integer(3)},
                                        .app = AppId{row.integer(4)},
                                        .owner_name = row.text(5),
                                        .app_name = row.text(6),
                                        .models = {},
                                        .expires_at = time_or_null(row, 10),
                                        .limits = {.requests_per_minute = row.integer(7),
                                                   .tokens_per_minute = row.integer(8),
                                                   .concurrent_requests = row.integer(9)},
                                        .created_at = from_unix_micros(row.integer(11)),
                                        .revoked_at = time_or_null(row, 12),
                                        .keeps_content = row.integer(13) != 0,
                                        .pace = nullptr});
      });
  if (!keys) return failed(keys.error());

  auto patterns = select<std::pair<std::int64_t, std::string>>(
      database_, "SELECT key_id, pattern FROM virtual_key_models ORDER BY key_id, position",
      [](const Query& row) { return std::optional(std::pair(row.integer(0), row.text(1))); });
  if (!patterns) return failed(patterns.error());
  std::map<std::int64_t, VirtualKey*> by_id;
  for (VirtualKey& key : *keys) by_id[key.id.value] = &key;
  for (auto& [id, pattern] : *patterns) {
    if (const auto found = by_id.find(id); found != by_id.end()) {
      found->second->models.push_back(std::move(pattern));
    }
  }
  return std::move(*keys);
}

StoreResult<AdminKey> SqliteAccessStore::add_admin_key(AdminKey key) {
  const auto inserted = change(database_,
                               "INSERT INTO admin_keys (name, hash, hint, created_at, revoked_at)"
                               " VALUES (?, ?, ?, ?, ?)",
                               key.name, Blob{key.hash}, key.hint, key.created_at, key.revoked_at);
  if (!inserted) return failed(inserted.error());
  key.id = AdminKeyId{database_.last_insert_id()};
  return key;
}

StoreResult<void> SqliteAccessStore::revoke_admin_key(AdminKeyId id, WallTime now) {
  return one_row(change(
      database_, "UPDATE admin_keys SET revoked_at = ifnull(revoked_at, ?) WHERE id = ?", now, id));
}

StoreResult<std::vector<AdminKey>> SqliteAccessStore::admin_keys() {
  auto keys = select<AdminKey>(
      database_, "SELECT id, name, hash, hint, created_at, revoked_at FROM admin_keys ORDER BY id",
      [](const Query& row) {
        return std::optional(AdminKey{.id = AdminKeyId{row.integer(0)},
                                      .name = row.text(1),
                                      .hash = row.blob(2),
                                      .hint = row.text(3),
                                      .created_at = from_unix_micros(row.integer(4)),
                                      .revoked_at = time_or_null(row, 5)});
      });
  if (!keys) return failed(keys.error());
  return std::move(*keys);
}

}  // namespace claviger::store

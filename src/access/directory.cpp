#include "access/directory.h"

#include <sodium.h>

#include <algorithm>
#include <cassert>
#include <cstdlib>
#include <unordered_map>

#include "access/hash_index.h"
#include "access/key_format.h"

namespace claviger::access {
namespace {

template <typename Row>
HashIndex index_hashes(const std::vector<Row>& rows) {
  HashIndex index(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].hash.size() == kKeyHashBytes) {
      index.insert(rows[i].hash, static_cast<std::uint32_t>(i));
    }
  }
  return index;
}

/// Rows by id. An index of its own, because the owner of a key is looked up per request.
template <typename Row>
class IdIndex {
 public:
  explicit IdIndex(const std::vector<Row>& rows) {
    rows_.reserve(rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) rows_.emplace(rows[i].id, i);
  }
  const Row* find(const std::vector<Row>& rows, decltype(Row::id) id) const {
    const auto found = rows_.find(id);
    return found == rows_.end() ? nullptr : &rows[found->second];
  }

 private:
  std::unordered_map<decltype(Row::id), std::size_t> rows_;
};

/// Why a virtual key is not known here.
std::unexpected<AccessError> no_such_key(std::string_view presented) {
  const auto type = check_format(presented);
  return std::unexpected(type ? AccessError::unknown : type.error());
}

/// By name only people ask, so a walk will do.
template <typename Row>
const Row* find_by_name(const std::vector<Row>& rows, std::string_view name) {
  const auto found =
      std::ranges::find_if(rows, [name](const Row& row) { return row.name == name; });
  return found == rows.end() ? nullptr : &*found;
}

}  // namespace

std::string_view explain(AccessError error) {
  switch (error) {
    case AccessError::missing:
      return "No key was sent. Send a virtual key (it starts with clv_) as your SDK's API key: "
             "in \"Authorization: Bearer\", x-api-key or x-goog-api-key.";
    case AccessError::malformed:
      return "This is no Claviger key, or a character of it is wrong. Virtual keys start with "
             "clv_ and are 53 characters long; copy the whole key again. A provider's own key "
             "belongs into Claviger, as a credential.";
    case AccessError::unknown:
      return "This key is well formed, but it is not known here. Check that it was made on this "
             "server and for this use: virtual keys (clv_) call models, admin keys (clva_) "
             "administer.";
    case AccessError::revoked:
      return "This key was revoked. Ask its owner for a new one.";
    case AccessError::expired:
      return "This key has expired. Ask its owner for a new one.";
  }
  return "This key was not accepted.";
}

struct Directory::Index {
  std::vector<Owner> owners;
  std::vector<App> apps;
  std::vector<VirtualKey> keys;
  std::vector<AdminKey> admins;
  std::shared_ptr<const Secret> hash_key;
  HashIndex key_hashes;
  HashIndex admin_hashes;
  IdIndex<Owner> owner_ids;
  IdIndex<App> app_ids;
  IdIndex<VirtualKey> key_ids;
};

Directory::Directory(std::vector<Owner> owners, std::vector<App> apps, std::vector<VirtualKey> keys,
                     std::vector<AdminKey> admins, std::shared_ptr<const Secret> hash_key) {
  if (sodium_init() < 0) std::abort();
  assert(hash_key != nullptr && hash_key->size() == kHashKeyBytes);
  carry_paces(nullptr, keys);
  HashIndex key_hashes = index_hashes(keys);
  HashIndex admin_hashes = index_hashes(admins);
  IdIndex<Owner> owner_ids(owners);
  IdIndex<App> app_ids(apps);
  IdIndex<VirtualKey> key_ids(keys);
  index_ = std::make_unique<const Index>(Index{
      .owners = std::move(owners),
      .apps = std::move(apps),
      .keys = std::move(keys),
      .admins = std::move(admins),
      .hash_key = std::move(hash_key),
      .key_hashes = std::move(key_hashes),
      .admin_hashes = std::move(admin_hashes),
      .owner_ids = std::move(owner_ids),
      .app_ids = std::move(app_ids),
      .key_ids = std::move(key_ids),
  });
}

Directory::~Directory() = default;

std::expected<const VirtualKey*, AccessError> Directory::authenticate(std::string_view presented,
                                                                      WallTime now) const {
  // What is known is well formed, so the form is looked at only to say what is wrong with it.
  if (presented.size() != kVirtualKeyChars) return no_such_key(presented);
  unsigned char hash[kKeyHashBytes];
  hash_into(presented, *index_->hash_key, hash);
  const auto row = index_->key_hashes.find(hash);
  if (!row) return no_such_key(presented);
  const VirtualKey& key = index_->keys[*row];
  if (key.revoked_at) return std::unexpected(AccessError::revoked);
  if (key.expires_at && now >= *key.expires_at) return std::unexpected(AccessError::expired);
  return &key;
}

std::expected<const AdminKey*, AccessError> Directory::authenticate_admin(
    std::string_view presented) const {
  const auto type = check_format(presented);
  if (!type) return std::unexpected(type.error());
  if (*type != KeyType::admin) return std::unexpected(AccessError::unknown);
  unsigned char hash[kKeyHashBytes];
  hash_into(presented, *index_->hash_key, hash);
  const auto row = index_->admin_hashes.find(hash);
  if (!row) return std::unexpected(AccessError::unknown);
  const AdminKey& key = index_->admins[*row];
  if (key.revoked_at) return std::unexpected(AccessError::revoked);
  return &key;
}

const Owner* Directory::find_owner(OwnerId id) const {
  return index_->owner_ids.find(index_->owners, id);
}
const Owner* Directory::find_owner(std::string_view name) const {
  return find_by_name(index_->owners, name);
}
const App* Directory::find_app(AppId id) const {
  return index_->app_ids.find(index_->apps, id);
}
const App* Directory::find_app(std::string_view name) const {
  return find_by_name(index_->apps, name);
}
const VirtualKey* Directory::find_key(VirtualKeyId id) const {
  return index_->key_ids.find(index_->keys, id);
}
const std::vector<Owner>& Directory::owners() const {
  return index_->owners;
}
const std::vector<App>& Directory::apps() const {
  return index_->apps;
}
const std::vector<VirtualKey>& Directory::keys() const {
  return index_->keys;
}
const std::vector<AdminKey>& Directory::admin_keys() const {
  return index_->admins;
}

void carry_paces(const Directory* previous, std::vector<VirtualKey>& keys) {
  std::unordered_map<VirtualKeyId, std::shared_ptr<Pace>> living;
  if (previous != nullptr) {
    for (const VirtualKey& key : previous->keys()) living.emplace(key.id, key.pace);
  }
  for (VirtualKey& key : keys) {
    if (key.pace != nullptr) continue;
    const auto found = living.find(key.id);
    key.pace = found != living.end() ? found->second : std::make_shared<Pace>();
  }
}

}  // namespace claviger::access

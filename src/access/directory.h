#pragma once

/// Who is calling, and what they may do.
///
/// A Directory is an immutable snapshot of people, owners, apps and keys. The control thread
/// builds a new one after each change and hands it to every connection thread by message, so
/// that a look-up on a request's way takes no lock and no I/O.

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "access/pace.h"
#include "base/ids.h"
#include "base/secret.h"
#include "base/time.h"

namespace claviger::access {

enum class OwnerType : std::uint8_t { person, team };

struct Owner {
  OwnerId id;
  OwnerType type = OwnerType::person;
  std::string name;
  std::string time_zone;  ///< IANA name; "UTC" where nobody said.
  /// What is kept of their requests' contents: "off", "failed" or "stored" (record/kept_content.h).
  std::string keeps_content = "off";
  int kept_days = 0;  ///< For "stored".
  WallTime created_at;
};

struct App {
  AppId id;
  std::string name;
  WallTime created_at;
};

/// What is kept of a virtual key: never the key, only its keyed hash and a hint for people.
struct VirtualKey {
  VirtualKeyId id;
  std::string hash;  ///< 32 bytes.
  std::string hint;  ///< The last four characters.
  OwnerId owner;
  AppId app;
  std::string owner_name;
  std::string app_name;
  std::vector<std::string> models;  ///< Patterns; empty means all.
  std::optional<WallTime> expires_at;
  PaceLimits limits;
  WallTime created_at;
  std::optional<WallTime> revoked_at;
  bool keeps_content = false;  ///< Its owner has contents of requests kept.
  std::shared_ptr<Pace> pace;  ///< Live counters; survive rebuilding the directory.
};

struct AdminKey {
  AdminKeyId id;
  std::string name;
  std::string hash;
  std::string hint;
  WallTime created_at;
  std::optional<WallTime> revoked_at;
};

enum class AccessError : std::uint8_t {
  missing,    ///< No key was presented.
  malformed,  ///< Not a Claviger key, or mistyped: its checksum is wrong.
  unknown,    ///< Well formed, but not one of ours.
  revoked,
  expired,
};

/// One sentence for the caller, saying what to do; never echoes the key.
std::string_view explain(AccessError error);

/// Threads: immutable; any method, from any thread. Pointers that it hands out live as long as
/// it does, so whoever keeps one keeps the Directory too.
class Directory {
 public:
  /// `hash_key` is 32 random bytes, wrapped by the root key at rest. A key whose stored hash is
  /// not 32 bytes (a damaged row) is listed but lets nobody in. A key without a pace gets a
  /// fresh one; see carry_paces().
  Directory(std::vector<Owner> owners, std::vector<App> apps, std::vector<VirtualKey> keys,
            std::vector<AdminKey> admins, std::shared_ptr<const Secret> hash_key);
  ~Directory();

  /// The virtual key behind what a caller presented. Constant time in the key's bytes. An admin
  /// key is `unknown` here and a virtual key is `unknown` there: neither does the other's work.
  std::expected<const VirtualKey*, AccessError> authenticate(std::string_view presented,
                                                             WallTime now) const;
  std::expected<const AdminKey*, AccessError> authenticate_admin(std::string_view presented) const;

  const Owner* find_owner(OwnerId id) const;
  const Owner* find_owner(std::string_view name) const;
  const App* find_app(AppId id) const;
  const App* find_app(std::string_view name) const;
  const VirtualKey* find_key(VirtualKeyId id) const;
  const std::vector<Owner>& owners() const;
  const std::vector<App>& apps() const;
  const std::vector<VirtualKey>& keys() const;
  const std::vector<AdminKey>& admin_keys() const;

 private:
  struct Index;
  std::unique_ptr<const Index> index_;
};

/// Hands the live counters of `previous` (null at start) to the same keys in `keys`, and new
/// counters to the others. Call it before building the next Directory: otherwise each change
/// to any key would let every caller start its minute anew.
void carry_paces(const Directory* previous, std::vector<VirtualKey>& keys);

}  // namespace claviger::access

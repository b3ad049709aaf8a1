#pragma once

/// Small files that only we may read: read with suspicion, written so that a crash cannot leave
/// half of one in place of a whole one.

#include <expected>
#include <string>
#include <string_view>

#include "base/secret.h"
#include "vault/root_key.h"

namespace claviger::vault {

/// The longest file that is read; the vault's own are below 200 bytes.
inline constexpr std::size_t kPrivateFileBytesMax = 512;

enum class FileRule : std::uint8_t {
  owner_only,          ///< Nobody but the owner has any permission.
  systemd_credential,  ///< The group's bits may be an ACL's mask; others have no permission.
};

/// The whole file, into the arena. Errors: not_found, unsafe, malformed (too long), unavailable.
std::expected<Secret, RootKeyError> read_private_file(const std::string& path, FileRule rule);

/// Whatever `descriptor` yields until its end. Errors: malformed (too long), unavailable.
std::expected<Secret, RootKeyError> read_to_end(int descriptor, std::string_view where);

/// Makes a new file with mode 0600 and brings it and its folder entry to the disk. Takes away
/// again what it could not finish. Errors: exists, unavailable.
std::expected<void, RootKeyError> write_new_private_file(const std::string& path,
                                                         std::string_view content);

/// Puts `from` in the place of `to`, which is one step even for a crash. Errors: unavailable.
std::expected<void, RootKeyError> replace_file(const std::string& from, const std::string& to);

/// No error where it is not there. Errors: unavailable.
std::expected<void, RootKeyError> remove_file(const std::string& path);

/// Whether anything of that name is there, be it a dangling symbolic link.
bool name_is_taken(const std::string& path);

}  // namespace claviger::vault

#pragma once

/// The file beside a root key that is made from a passphrase. One line:
///
///     claviger-passphrase-1 argon2id13 PASSES MEMORY_KIB SALT KEY_ID CHECKSUM
///
/// SALT is 16 bytes in base64url, KEY_ID the id of the resulting root key in 32 hex digits: a
/// wrong passphrase gives another id, so it is told at once and not by credentials that do not
/// open. The file is worth little without the passphrase, but it lets one guess offline (as
/// does the database), so it is kept as private as a key. Losing it means losing the vault:
/// back it up together with the database.

#include <array>
#include <expected>
#include <string>
#include <string_view>

#include "vault/root_key.h"

namespace claviger::vault {

inline constexpr std::size_t kSaltBytes = 16;

struct PassphraseFile {
  PassphraseCost cost;
  std::array<unsigned char, kSaltBytes> salt{};
  std::string key_id;  ///< As RootKey::id_text() writes it.
};

/// `where` names the file in messages. Errors: malformed.
std::expected<PassphraseFile, RootKeyError> parse_passphrase_file(std::string_view text,
                                                                  std::string_view where);

/// The line, with its newline.
std::string to_text(const PassphraseFile& file);

}  // namespace claviger::vault

#pragma once

/// The root key: 32 bytes that everything else in the vault is wrapped with. Whoever has it and
/// the database has every key; whoever lacks it has nothing. So it is kept apart from the
/// database, and read from one of four places:
///
///   - a file `root.key`, readable by us alone (what `init` makes),
///   - a file descriptor that a supervisor opened for us,
///   - a systemd credential,
///   - a passphrase that a person types, stretched with Argon2id.
///
/// The file is one line, so that it can be printed and put into a safe:
///
///     claviger-root-1 BASE64URL(32 bytes, 43 characters) CHECKSUM(8 hex digits)
///
/// The checksum (first 32 bits of BLAKE2b-128 over what stands before it) tells a cut or altered
/// file from a foreign one at start, instead of later by credentials that do not open.
///
/// Keys that are used are derived from it (crypto_kdf): one that wraps, and the id. The id is
/// public: it is written into each wrapped key, so that a database says which root key it needs.

#include <array>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/secret.h"

namespace claviger::vault {

enum class RootKeyErrorCode : std::uint8_t {
  not_found,         ///< No such file, credential or setting.
  exists,            ///< Something is there already; nothing is ever overwritten.
  unsafe,            ///< Others may read or change it, or it is not a plain file.
  malformed,         ///< Cut short, altered, or something else altogether.
  wrong_passphrase,  ///< Not the passphrase that the file was made with.
  weak_passphrase,   ///< Too short to be worth stretching.
  wrong_key,         ///< A sound key, but not the one this database is wrapped with.
  mixed,             ///< Parts of the database are wrapped with different root keys.
  out_of_memory,     ///< Argon2id could not get its memory.
  unavailable,       ///< The operating system or the store refused; the message says how.
};

struct RootKeyError {
  RootKeyErrorCode code;
  std::string message;  ///< For a person: what happened, to what, what to do. No secrets.
};

class RootKey;
using RootKeyResult = std::expected<std::unique_ptr<RootKey>, RootKeyError>;

/// What Argon2id spends on one guess.
struct PassphraseCost {
  std::uint64_t passes = 3;
  std::uint64_t memory_kib = 256 * 1024;
};
/// libsodium's MODERATE limits (crypto_pwhash_argon2id.h, 1.0.18): 3 passes over 256 MiB, about
/// 0.7 s on a desktop processor; paid once, at start.
inline constexpr PassphraseCost kPassphraseCost{};
/// The most that a file may ask for: libsodium's SENSITIVE memory, and passes for some seconds.
inline constexpr PassphraseCost kPassphraseCostMax{.passes = 32, .memory_kib = 1024 * 1024};
inline constexpr std::size_t kPassphraseBytesMin = 12;

/// Threads: immutable; wrap() and unwrap() from any thread.
class RootKey {
 public:
  static constexpr std::size_t kBytes = 32;
  static constexpr std::size_t kIdBytes = 16;
  using Id = std::array<char, kIdBytes>;

  /// A new random key.
  static std::unique_ptr<RootKey> generate();

  /// Reads the one-line form; `where` names its origin in messages. One newline may follow.
  static RootKeyResult parse(std::string_view text, std::string_view where);

  /// The file must be a regular file (not a symbolic link), owned by us or root, with no
  /// permission for anybody else. Errors: not_found, unsafe, malformed, unavailable.
  static RootKeyResult read_file(const std::string& path);
  /// Reads to the end of `descriptor` (at most one line); closing it is up to the caller.
  static RootKeyResult read_descriptor(int descriptor);
  /// `$CREDENTIALS_DIRECTORY/name` (systemd.exec(5), LoadCredential=). The group's bits are not
  /// looked at: systemd grants the service's user an ACL entry, whose mask shows there (systemd,
  /// src/core/exec-credential.c, write_credential(), seen 2025).
  static RootKeyResult read_systemd_credential(const std::string& name);

  /// The key that `passphrase` and the parameters in `path` give; see passphrase.h for the file.
  /// Takes about a second and 256 MiB. Errors: as read_file(), wrong_passphrase, out_of_memory.
  static RootKeyResult read_passphrase_file(const std::string& path, const Secret& passphrase);
  /// A new key from `passphrase` and a new salt; writes the parameters to `path`, which must not
  /// exist. Errors: weak_passphrase, exists, out_of_memory, unavailable.
  static RootKeyResult create_passphrase_file(const std::string& path, const Secret& passphrase,
                                              PassphraseCost cost = kPassphraseCost);

  /// Writes the one-line form to a new file: mode 0600, never over anything, and on the disk
  /// (file and folder) when it returns. Errors: exists, unavailable.
  std::expected<void, RootKeyError> write_new_file(const std::string& path) const;

  const Id& id() const { return id_; }
  /// The id as 32 hex digits, for people and logs.
  std::string id_text() const;

  /// Seals `plain` (at most kNamedSecretBytesMax bytes) under this key, bound to
  /// `associated_data` and this key's id. Layout: version 1 (1 byte), key id (16), nonce (24),
  /// XChaCha20-Poly1305 text and tag. Nonces are random: 192 bits do not repeat.
  std::string wrap(std::string_view associated_data, std::string_view plain) const;
  /// Nothing where it does not open, for whatever reason: telling reasons apart helps attackers
  /// only.
  std::optional<Secret> unwrap(std::string_view associated_data, std::string_view wrapped) const;

  /// The same key: equal ids.
  friend bool operator==(const RootKey& a, const RootKey& b) { return a.id_ == b.id_; }

  /// From 32 bytes that are uniformly random or come from a key derivation.
  explicit RootKey(Secret bytes);

 private:
  Secret bytes_;
  Secret wrapping_;
  Id id_;
};

}  // namespace claviger::vault

#pragma once

/// Changing the root key, so that a crash at any moment leaves a vault that opens.
///
/// Two things have to change, the database and the file, and no disk changes both at once. So:
///
///   1. The next key is written to `PATH.next` and is on the disk.
///   2. One transaction re-wraps everything under it. This is the moment of change.
///   3. `PATH.next` is renamed to `PATH`.
///
/// At start, open_root_key() looks which key the database opens with:
///
///   crash            | on disk                         | database under | what start does
///   during 1         | PATH, a torn PATH.next          | PATH           | removes PATH.next
///   after 1, in 2    | PATH, PATH.next                 | PATH           | removes PATH.next
///   after 2          | PATH, PATH.next                 | PATH.next      | does step 3
///   after 3          | PATH                            | PATH           | nothing
///
/// A key is removed or replaced only while the other one is seen to open what is there. Keys
/// that come from a descriptor or from systemd are kept by the operator: call Vault::rewrap()
/// and put the new key where the old one was; wrong_key says at start which one is needed.
///
/// Backups of the database from before the change open with the old key only: whoever wants to
/// restore them keeps it.

#include <functional>
#include <memory>
#include <string>

#include "vault/root_key.h"
#include "vault/vault.h"

namespace claviger::vault {

/// How a root key file is read: RootKey::read_file, or with a passphrase in hand.
using RootKeyReader = std::function<RootKeyResult(const std::string& path)>;
/// Makes a new root key and its file at `path`, which is not there yet.
using RootKeyMaker = std::function<RootKeyResult(const std::string& path)>;

/// Reads the root key that the database is wrapped with, and finishes or undoes a change that a
/// crash interrupted. A database in which nothing is wrapped yet fits any key.
/// Errors: what `read` gives; wrong_key; mixed; unavailable.
RootKeyResult open_root_key(const std::string& path, VaultStore& store, const RootKeyReader& read);

/// Steps 1 to 3. After any error the vault works on, under the key that is in force; where the
/// store did not say whether it committed, both files stay and the next start decides.
/// Errors: exists (a change is unfinished), wrong_key (a row does not open), unavailable.
std::expected<void, RootKeyError> rotate_root_key(const std::string& path, Vault& vault,
                                                  const RootKeyMaker& make);

/// A maker of new random keys, for rotate_root_key().
RootKeyResult make_root_key_file(const std::string& path);

/// How much of what is in a store a root key opens.
struct RootKeyFit {
  std::size_t wrapped = 0;
  std::size_t opened = 0;
};
/// Errors: unavailable.
Result<RootKeyFit> measure_fit(const RootKey& root, VaultStore& store);

}  // namespace claviger::vault

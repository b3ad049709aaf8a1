#pragma once

/// Where this installation's root key comes from, as `vault.root_key` says.

#include <expected>
#include <memory>
#include <string>

#include "server/home.h"
#include "vault/root_key.h"
#include "vault/vault.h"

namespace claviger::server {

/// `file` (HOME/root.key), `passphrase` (HOME/root.passphrase; from CLAVIGER_PASSPHRASE or the
/// terminal), `fd:N`, or `systemd:NAME`. Finishes or undoes a rotation that a crash
/// interrupted. Error: a sentence.
std::expected<std::unique_ptr<vault::RootKey>, std::string> read_root_key(
    const std::string& setting, const HomePaths& paths, vault::VaultStore& store);

}  // namespace claviger::server

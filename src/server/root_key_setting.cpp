#include "server/root_key_setting.h"

#include <unistd.h>

#include <cstdlib>

#include "vault/root_key_rotation.h"

namespace claviger::server {
namespace {

using RootKeyOrMessage = std::expected<std::unique_ptr<vault::RootKey>, std::string>;

RootKeyOrMessage with_message(vault::RootKeyResult result) {
  if (!result) return std::unexpected(result.error().message);
  return std::move(*result);
}

/// getpass(3) is obsolete, yet it does exactly this: the terminal, without an echo.
Secret ask_for_passphrase() {
  if (char* const given = std::getenv("CLAVIGER_PASSPHRASE")) {
    Secret passphrase = Secret::copy_of(given);
    wipe(given, passphrase.size());
    unsetenv("CLAVIGER_PASSPHRASE");
    return passphrase;
  }
  if (!isatty(STDIN_FILENO)) return {};
  char* const typed = getpass("Passphrase of the root key: ");
  if (typed == nullptr) return {};
  Secret passphrase = Secret::copy_of(typed);
  wipe(typed, passphrase.size());
  return passphrase;
}

}  // namespace

RootKeyOrMessage read_root_key(const std::string& setting, const HomePaths& paths,
                               vault::VaultStore& store) {
  if (setting == "file") {
    return with_message(
        vault::open_root_key(paths.root_key().string(), store, &vault::RootKey::read_file));
  }
  if (setting == "passphrase") {
    const Secret passphrase = ask_for_passphrase();
    if (passphrase.empty()) {
      return std::unexpected(
          "the root key needs its passphrase: set CLAVIGER_PASSPHRASE, or start on a terminal");
    }
    return with_message(vault::open_root_key(
        paths.passphrase().string(), store, [&passphrase](const std::string& path) {
          return vault::RootKey::read_passphrase_file(path, passphrase);
        }));
  }
  if (setting.starts_with("fd:")) {
    char* end = nullptr;
    const long descriptor = std::strtol(setting.c_str() + 3, &end, 10);
    if (*end != '\0' || end == setting.c_str() + 3 || descriptor < 0 || descriptor > 65'535) {
      return std::unexpected("vault.root_key = \"" + setting + "\" is not fd:NUMBER");
    }
    auto key = vault::RootKey::read_descriptor(static_cast<int>(descriptor));
    close(static_cast<int>(descriptor));
    return with_message(std::move(key));
  }
  if (setting.starts_with("systemd:")) {
    return with_message(vault::RootKey::read_systemd_credential(setting.substr(8)));
  }
  return std::unexpected("vault.root_key = \"" + setting +
                         "\" is none of \"file\", \"passphrase\", \"fd:N\", \"systemd:NAME\"");
}

}  // namespace claviger::server

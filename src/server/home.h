#pragma once

/// The folder that holds everything of one installation: the root key, the database, the
/// journal, the settings, and the socket by which commands reach the server.
///
///     HOME/            0700, ours
///       claviger.toml  settings
///       root.key       0600; or root.passphrase
///       claviger.db    and its -wal and -shm
///       journal/       money on its way to the database
///       run/           server.lock, control.sock, the runners' sockets

#include <expected>
#include <filesystem>
#include <memory>
#include <string>

#include "base/money.h"
#include "base/secret.h"

namespace claviger::server {

struct HomePaths {
  explicit HomePaths(std::filesystem::path home) : root(std::move(home)) {}
  std::filesystem::path root;
  std::filesystem::path config() const { return root / "claviger.toml"; }
  std::filesystem::path root_key() const { return root / "root.key"; }
  std::filesystem::path passphrase() const { return root / "root.passphrase"; }
  std::filesystem::path database() const { return root / "claviger.db"; }
  std::filesystem::path journal() const { return root / "journal"; }
  /// There after a restore, until an operator has confirmed the virtual keys.
  std::filesystem::path keys_disabled() const { return root / "keys-disabled"; }
  std::filesystem::path run() const { return root / "run"; }
  std::filesystem::path lock() const { return run() / "server.lock"; }
  std::filesystem::path control_socket() const { return run() / "control.sock"; }
};

/// Checks that the folder exists, is ours, and that nobody else may enter it. Error: a
/// sentence that says what to do.
std::expected<void, std::string> check_home(const HomePaths& paths);

/// Held as long as a server (or `restore`) uses the home; the kernel releases it with the
/// process, however that ends.
class HomeLock {
 public:
  /// Error: a sentence that names the process that holds it.
  static std::expected<HomeLock, std::string> take(const HomePaths& paths);
  HomeLock(HomeLock&& other) noexcept;
  HomeLock& operator=(HomeLock&&) = delete;
  ~HomeLock();

 private:
  explicit HomeLock(int fd) : fd_(fd) {}
  int fd_;
};

struct InitResult {
  Secret admin_key;  ///< To be shown once.
};

/// Makes a new home: folder, root key, database, settings, a default budget of
/// `default_limit` a month for every owner, and a first admin key. Never changes one that is
/// there. Error: a sentence; what it made until then is removed again.
std::expected<InitResult, std::string> init_home(const HomePaths& paths, NanoUsd default_limit);

}  // namespace claviger::server

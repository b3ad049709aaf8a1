#include "server/home.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <system_error>
#include <utility>

#include "access/key_format.h"
#include "server/config.h"
#include "store/sqlite/access_store.h"
#include "store/sqlite/budget_store.h"
#include "store/sqlite/database.h"
#include "store/sqlite/vault_store.h"
#include "vault/root_key.h"
#include "vault/vault.h"

namespace claviger::server {
namespace {

std::unexpected<std::string> problem(std::string message) {
  return std::unexpected(std::move(message));
}

std::expected<void, std::string> make_private_folder(const std::filesystem::path& folder) {
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
    return problem("cannot make the folder " + folder.string() + ": " + std::strerror(errno));
  }
  return {};
}

std::expected<void, std::string> write_config(const std::filesystem::path& file) {
  std::ofstream out(file, std::ios::binary);
  out << default_config_text();
  out.close();
  if (!out) return problem("cannot write " + file.string() + "; is the disk full?");
  std::error_code ignored;
  std::filesystem::permissions(
      file, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write, ignored);
  return {};
}

std::expected<Secret, std::string> fill_database(const HomePaths& paths, NanoUsd default_limit) {
  auto root = vault::RootKey::generate();
  if (auto written = root->write_new_file(paths.root_key().string()); !written) {
    return problem(written.error().message);
  }
  auto database = store::Database::open(paths.database(), store::Database::Mode::create);
  if (!database) return problem("cannot make the database: " + database.error().message);
  if (auto migrated = store::migrate(*database); !migrated) {
    return problem("cannot make the database's tables: " + migrated.error().message);
  }
  store::SqliteVaultStore vault_store(*database);
  vault::Vault vault(vault_store, std::move(root));
  const auto hash_key = vault.named_secret("virtual-key-hash-key", 32);
  if (!hash_key) return problem(std::string(vault::explain(hash_key.error())));

  const WallTime now = SystemClock().wall_now();
  store::SqliteBudgetStore budgets(*database);
  const auto budget = budgets.add({.terms = {.id = {},
                                             .limit = default_limit,
                                             .period = budget::Period::month,
                                             .when_exhausted = budget::WhenExhausted::clamp},
                                   .scope = budget::Scope::each_owner},
                                  now);
  if (!budget) return problem("cannot store the default budget; is the disk full?");

  access::NewKey key = access::make_key(access::KeyType::admin, *hash_key);
  store::SqliteAccessStore access_store(*database);
  const auto stored = access_store.add_admin_key(
      {.id = {}, .name = "first", .hash = key.hash, .hint = key.hint, .created_at = now});
  if (!stored) return problem("cannot store the first admin key; is the disk full?");
  return std::move(key.text);
}

}  // namespace

std::expected<void, std::string> check_home(const HomePaths& paths) {
  struct stat status{};
  if (::stat(paths.root.c_str(), &status) != 0) {
    return problem("there is no home at " + paths.root.string() +
                   "; make one with: claviger init --home " + paths.root.string());
  }
  if (!S_ISDIR(status.st_mode)) return problem(paths.root.string() + " is not a folder");
  if (status.st_uid != geteuid()) {
    return problem("the home " + paths.root.string() + " belongs to another user (uid " +
                   std::to_string(status.st_uid) + "); run as that user, or use another --home");
  }
  if ((status.st_mode & 077) != 0) {
    return problem("others may enter the home " + paths.root.string() +
                   "; close it with: chmod 700 " + paths.root.string());
  }
  if (!std::filesystem::exists(paths.database())) {
    return problem(paths.root.string() +
                   " is no Claviger home (it has no claviger.db); make one "
                   "with: claviger init --home DIR");
  }
  return {};
}

std::expected<HomeLock, std::string> HomeLock::take(const HomePaths& paths) {
  if (auto made = make_private_folder(paths.run()); !made) return problem(made.error());
  const int fd = ::open(paths.lock().c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) {
    return problem("cannot open " + paths.lock().string() + ": " + std::strerror(errno));
  }
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    char text[32] = {};
    const ssize_t count = ::pread(fd, text, sizeof text - 1, 0);
    ::close(fd);
    std::string holder(text, count > 0 ? static_cast<std::size_t>(count) : 0);
    while (!holder.empty() && holder.back() == '\n') holder.pop_back();
    return problem("a server is running on the home " + paths.root.string() + " already" +
                   (holder.empty() ? "" : " (process " + holder + ")") +
                   "; stop it first, or use another --home");
  }
  const std::string pid = std::to_string(getpid()) + "\n";
  if (::ftruncate(fd, 0) != 0 || ::pwrite(fd, pid.data(), pid.size(), 0) < 0) {
    ::close(fd);
    return problem("cannot write " + paths.lock().string() + ": " + std::strerror(errno));
  }
  return HomeLock(fd);
}

HomeLock::HomeLock(HomeLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
HomeLock::~HomeLock() {
  if (fd_ >= 0) ::close(fd_);
}

std::expected<InitResult, std::string> init_home(const HomePaths& paths, NanoUsd default_limit) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (fs::exists(paths.database(), error) || fs::exists(paths.root_key(), error)) {
    return problem(paths.root.string() +
                   " is a Claviger home already; nothing was changed. "
                   "Start it with: claviger serve, or use another --home");
  }
  const bool was_there = fs::exists(paths.root, error);
  if (was_there && !fs::is_directory(paths.root, error)) {
    return problem(paths.root.string() + " is there and is no folder; use another --home");
  }
  if (was_there && !fs::is_empty(paths.root, error)) {
    return problem("the folder " + paths.root.string() +
                   " is not empty and is no Claviger home; use another --home");
  }
  if (!was_there) {
    fs::create_directories(paths.root.parent_path(), error);
    if (auto made = make_private_folder(paths.root); !made) return problem(made.error());
  } else {
    fs::permissions(paths.root, fs::perms::owner_all, error);
    if (error)
      return problem("cannot close " + paths.root.string() + " to others: " + error.message());
  }
  std::expected<void, std::string> done = make_private_folder(paths.journal());
  if (done) done = make_private_folder(paths.run());
  if (done) done = write_config(paths.config());
  std::expected<Secret, std::string> key = problem("");
  if (done) key = fill_database(paths, default_limit);
  if (done && key) return InitResult{.admin_key = std::move(*key)};

  // Half a home would look like a whole one to the next `init`.
  for (const fs::path& made : {paths.config(), paths.root_key(), paths.database()}) {
    fs::remove(made, error);
  }
  for (const char* suffix : {"-wal", "-shm"}) fs::remove(paths.database().string() + suffix, error);
  fs::remove_all(paths.journal(), error);
  fs::remove_all(paths.run(), error);
  if (!was_there) fs::remove(paths.root, error);
  return problem(done ? key.error() : done.error());
}

}  // namespace claviger::server

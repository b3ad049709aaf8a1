#include "vault/private_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

namespace claviger::vault {
namespace {

std::unexpected<RootKeyError> failure(RootKeyErrorCode code, std::string message) {
  return std::unexpected(RootKeyError{code, std::move(message)});
}

std::unexpected<RootKeyError> system_failure(std::string_view path, std::string_view doing,
                                             int error) {
  return failure(
      RootKeyErrorCode::unavailable,
      fmt::format("{}: could not {} it: {}.", path, doing, std::generic_category().message(error)));
}

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) close(number_);
  }
  int number() const { return number_; }
  bool is_open() const { return number_ >= 0; }

 private:
  int number_;
};

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

/// A new name is only there after a crash once its folder is on the disk.
std::expected<void, RootKeyError> sync_folder_of(const std::string& path) {
  const std::string folder = folder_of(path);
  const Descriptor opened(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!opened.is_open() || fsync(opened.number()) != 0) {
    return system_failure(folder, "bring the change in this folder to the disk: sync", errno);
  }
  return {};
}

std::expected<void, RootKeyError> check_rule(const std::string& path, const struct stat& about,
                                             FileRule rule) {
  if (!S_ISREG(about.st_mode)) {
    return failure(RootKeyErrorCode::unsafe,
                   fmt::format("{} is not a regular file. Put the key itself there.", path));
  }
  if (about.st_uid != geteuid() && about.st_uid != 0) {
    return failure(
        RootKeyErrorCode::unsafe,
        fmt::format("{} belongs to user {}, who could change it; Claviger runs as user {}. Run: "
                    "chown {} {}",
                    path, about.st_uid, geteuid(), geteuid(), path));
  }
  const mode_t forbidden = rule == FileRule::owner_only ? 0077 : 0007;
  if ((about.st_mode & forbidden) != 0) {
    return failure(RootKeyErrorCode::unsafe,
                   fmt::format("{} is open to others than its owner (mode {:04o}; {:04o} is too "
                               "much). Run: chmod 600 {}",
                               path, about.st_mode & 07777, about.st_mode & forbidden, path));
  }
  return {};
}

std::expected<void, RootKeyError> write_all(int descriptor, const std::string& path,
                                            std::string_view content) {
  // The mode that open() was given passes the umask; this does not.
  if (fchmod(descriptor, 0600) != 0) return system_failure(path, "set the mode of", errno);
  while (!content.empty()) {
    const ssize_t written = write(descriptor, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return system_failure(path, "write", errno);
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  if (fsync(descriptor) != 0) return system_failure(path, "bring to the disk", errno);
  return sync_folder_of(path);
}

}  // namespace

std::expected<Secret, RootKeyError> read_to_end(int descriptor, std::string_view where) {
  Secret buffer = Secret::of_size(kPrivateFileBytesMax + 1);
  std::size_t filled = 0;
  while (filled < buffer.size()) {
    const ssize_t got = read(descriptor, buffer.writable().data() + filled, buffer.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_failure(where, "read", errno);
    if (got == 0) return Secret::copy_of(buffer.reveal().substr(0, filled));
    filled += static_cast<std::size_t>(got);
  }
  return failure(RootKeyErrorCode::malformed,
                 fmt::format("{} is longer than a root key can be ({} bytes). Check which file "
                             "this is.",
                             where, kPrivateFileBytesMax));
}

std::expected<Secret, RootKeyError> read_private_file(const std::string& path, FileRule rule) {
  // O_NONBLOCK: a FIFO must be refused, not waited for.
  const Descriptor file(
      open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!file.is_open()) {
    const int error = errno;
    if (error == ELOOP) {
      return failure(RootKeyErrorCode::unsafe,
                     fmt::format("{} is a symbolic link, which others could turn elsewhere. Put "
                                 "the file itself there, or name the file that it points to.",
                                 path));
    }
    if (error == ENOENT) {
      return failure(RootKeyErrorCode::not_found,
                     fmt::format("{} is not there. Restore it from its backup; for a new "
                                 "installation run: claviger init",
                                 path));
    }
    return system_failure(path, "open", error);
  }
  struct stat about{};
  if (fstat(file.number(), &about) != 0) return system_failure(path, "examine", errno);
  if (auto allowed = check_rule(path, about, rule); !allowed) {
    return std::unexpected(std::move(allowed.error()));
  }
  return read_to_end(file.number(), path);
}

std::expected<void, RootKeyError> write_new_private_file(const std::string& path,
                                                         std::string_view content) {
  const Descriptor file(
      open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file.is_open()) {
    if (errno == EEXIST) {
      return failure(RootKeyErrorCode::exists,
                     fmt::format("{} is there already and is never overwritten: it may be the "
                                 "only key to a vault. Move it away if it is not needed.",
                                 path));
    }
    return system_failure(path, "create", errno);
  }
  auto written = write_all(file.number(), path, content);
  if (!written) unlink(path.c_str());
  return written;
}

std::expected<void, RootKeyError> replace_file(const std::string& from, const std::string& to) {
  if (rename(from.c_str(), to.c_str()) != 0) {
    return system_failure(from, fmt::format("move to {}:", to), errno);
  }
  return sync_folder_of(to);
}

std::expected<void, RootKeyError> remove_file(const std::string& path) {
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return system_failure(path, "remove", errno);
  return sync_folder_of(path);
}

bool name_is_taken(const std::string& path) {
  struct stat about{};
  return lstat(path.c_str(), &about) == 0 || errno != ENOENT;
}

}  // namespace claviger::vault

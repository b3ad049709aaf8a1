#include "local/landlock_rules.h"

#include <elf.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <string_view>
#include <system_error>

namespace claviger::local {
namespace {

// Beyond Debian 12's header.
constexpr std::uint64_t access_truncate = 1ull << 14;   // ABI 3
constexpr std::uint64_t access_ioctl_dev = 1ull << 15;  // ABI 5
constexpr std::uint64_t access_bind_tcp = 1ull << 0;    // ABI 4
constexpr std::uint64_t access_connect_tcp = 1ull << 1;
constexpr std::uint64_t scope_abstract_sockets = 1ull << 0;  // ABI 6
constexpr std::uint64_t scope_signals = 1ull << 1;

/// struct landlock_ruleset_attr as of ABI 6. A kernel takes as much of it as it knows.
struct RulesetAttributes {
  std::uint64_t handled_access_fs = 0;
  std::uint64_t handled_access_net = 0;
  std::uint64_t scoped = 0;
};

/// All rights of ABI 1: EXECUTE is the first, MAKE_SYM the last.
constexpr std::uint64_t access_of_first_version = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;
constexpr std::uint64_t access_read = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
/// Rights that may be granted on a file rather than on a folder.
constexpr std::uint64_t access_on_files =
    LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE;

/// What a dynamically linked program and llama.cpp's look at the machine read.
constexpr std::array system_paths = {
    "/lib",          "/lib64",         "/usr/lib",
    "/usr/lib64",    "/usr/local/lib", "/etc/ld.so.cache",
    "/proc/cpuinfo", "/proc/meminfo",  "/sys/devices/system",
    "/dev/null",     "/dev/zero",      "/dev/urandom",
    "/dev/random",
};

constexpr std::size_t library_files_max = 256;

std::size_t attributes_bytes(int version) {
  if (version >= 6) return sizeof(RulesetAttributes);
  return version >= 4 ? 2 * sizeof(std::uint64_t) : sizeof(std::uint64_t);
}

class Ruleset {
 public:
  explicit Ruleset(int number) : number_(number) {}

  /// Grants `access` on an open file or on everything below an open folder.
  void grant(int file, std::uint64_t access) {
    landlock_path_beneath_attr rule{};
    rule.allowed_access = access;
    rule.parent_fd = file;
    if (::syscall(SYS_landlock_add_rule, number_, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0 &&
        error_ == 0) {
      error_ = errno;
    }
  }
  /// The same by path. A path that is not there needs no grant.
  void grant(const std::filesystem::path& path, std::uint64_t access) {
    const OpenFile file(::open(path.c_str(), O_PATH | O_CLOEXEC));
    struct stat about{};
    if (!file.is_open() || ::fstat(file.number(), &about) != 0) return;
    grant(file.number(), S_ISDIR(about.st_mode) ? access : access & access_on_files);
  }
  int error() const { return error_; }

 private:
  int number_;
  int error_ = 0;
};

/// llama.cpp's builds put their libraries beside the program or in ../lib. Only what is named
/// as a library is granted: the program may lie in somebody's home folder.
void grant_libraries_in(const std::filesystem::path& folder, Ruleset& rules) {
  std::error_code error;
  std::size_t granted = 0;
  for (std::filesystem::directory_iterator entry(folder, error), end; entry != end;
       entry.increment(error)) {
    if (error || granted == library_files_max) return;
    const std::string name = entry->path().filename().string();
    if (!name.starts_with("lib") || name.find(".so") == std::string::npos) continue;
    rules.grant(entry->path(), LANDLOCK_ACCESS_FS_READ_FILE);
    ++granted;
  }
}

}  // namespace

LandlockVersion landlock_version() {
  const long version =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (version < 0) return {0, errno};
  return {static_cast<int>(version), 0};
}

std::expected<OpenFile, int> make_landlock_rules(const LandlockPaths& paths) {
  const LandlockVersion known = landlock_version();
  if (known.version == 0) return std::unexpected(known.error);
  RulesetAttributes attributes;
  attributes.handled_access_fs = access_of_first_version;
  if (known.version >= 2) attributes.handled_access_fs |= LANDLOCK_ACCESS_FS_REFER;
  if (known.version >= 3) attributes.handled_access_fs |= access_truncate;
  if (known.version >= 4) attributes.handled_access_net = access_bind_tcp | access_connect_tcp;
  if (known.version >= 5) attributes.handled_access_fs |= access_ioctl_dev;
  if (known.version >= 6) attributes.scoped = scope_abstract_sockets | scope_signals;
  const std::size_t size = attributes_bytes(known.version);
  OpenFile ruleset(static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, size, 0)));
  if (!ruleset.is_open()) return std::unexpected(errno);

  Ruleset rules(ruleset.number());
  for (const char* path : system_paths) rules.grant(path, access_read);
  rules.grant("/dev/null", LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE);
  if (paths.executable_file >= 0) {
    constexpr std::uint64_t run = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE;
    rules.grant(paths.executable_file, run);
    const std::filesystem::path loader = program_loader(paths.executable_file);
    if (!loader.empty()) rules.grant(loader, run);
    const std::filesystem::path folder = paths.executable.parent_path();
    grant_libraries_in(folder, rules);
    grant_libraries_in(folder.parent_path() / "lib", rules);
  }
  for (const int file : paths.readable_files) rules.grant(file, LANDLOCK_ACCESS_FS_READ_FILE);
  if (paths.socket_folder >= 0) {
    rules.grant(paths.socket_folder, access_read | LANDLOCK_ACCESS_FS_MAKE_SOCK);
  }
  if (rules.error() != 0) return std::unexpected(rules.error());
  return ruleset;
}

std::filesystem::path program_loader(int executable_file) {
  Elf64_Ehdr head{};
  if (::pread(executable_file, &head, sizeof head, 0) != sizeof head) return {};
  if (!std::equal(std::begin(head.e_ident), std::begin(head.e_ident) + SELFMAG, ELFMAG) ||
      head.e_ident[EI_CLASS] != ELFCLASS64 || head.e_phentsize != sizeof(Elf64_Phdr)) {
    return {};
  }
  for (std::uint64_t i = 0; i < head.e_phnum; ++i) {
    Elf64_Phdr part{};
    const auto at = static_cast<off_t>(head.e_phoff + i * sizeof part);
    if (::pread(executable_file, &part, sizeof part, at) != sizeof part) return {};
    if (part.p_type != PT_INTERP) continue;
    std::array<char, 256> path{};
    const auto bytes = std::min<std::uint64_t>(part.p_filesz, path.size() - 1);
    if (::pread(executable_file, path.data(), bytes, static_cast<off_t>(part.p_offset)) < 0) {
      return {};
    }
    return std::filesystem::path(path.data());
  }
  return {};
}

}  // namespace claviger::local

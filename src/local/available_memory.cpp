#include "local/available_memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <limits>
#include <optional>
#include <sstream>
#include <string_view>

namespace claviger::local {
namespace {

constexpr std::size_t small_file_bytes_max = 64 * 1024;
constexpr int cgroup_depth_max = 32;

std::string read_small(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(small_file_bytes_max, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  return text;
}

/// The number behind `name` in lines of "name number" or "name: number kB".
std::optional<std::int64_t> number_behind(std::string_view text, std::string_view name) {
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    at = end + 1;
    if (!line.starts_with(name)) continue;
    line.remove_prefix(name.size());
    const std::size_t digits = line.find_first_not_of(" :\t");
    if (digits == std::string_view::npos || digits == 0) continue;
    std::int64_t value = 0;
    const char* const begin = line.data() + digits;
    if (std::from_chars(begin, line.data() + line.size(), value).ec == std::errc()) return value;
  }
  return std::nullopt;
}

std::optional<std::int64_t> number_in(const std::filesystem::path& path) {
  const std::string text = read_small(path);
  std::int64_t value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec != std::errc()) return std::nullopt;  // "max": no limit.
  return value;
}

std::int64_t left_in_cgroup(const std::filesystem::path& folder) {
  constexpr std::int64_t no_limit = std::numeric_limits<std::int64_t>::max();
  const auto limit = number_in(folder / "memory.max");
  const auto used = number_in(folder / "memory.current");
  if (!limit || !used) return no_limit;
  const auto cache = number_behind(read_small(folder / "memory.stat"), "inactive_file");
  return std::max<std::int64_t>(*limit - *used + cache.value_or(0), 0);
}

/// The least of this process's cgroup and all above it.
std::int64_t left_in_cgroups(const std::filesystem::path& root) {
  const std::filesystem::path top = root / "sys/fs/cgroup";
  std::istringstream lines(read_small(root / "proc/self/cgroup"));
  std::filesystem::path own;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("0::/")) own = line.substr(4);
  }
  std::int64_t left = left_in_cgroup(top);
  for (int depth = 0; depth < cgroup_depth_max && !own.empty(); ++depth) {
    left = std::min(left, left_in_cgroup(top / own));
    own = own.parent_path();
  }
  return left;
}

}  // namespace

std::int64_t available_memory_bytes(const std::filesystem::path& root) {
  const auto kibibytes = number_behind(read_small(root / "proc/meminfo"), "MemAvailable");
  if (!kibibytes) return 0;
  return std::min(*kibibytes * 1024, left_in_cgroups(root));
}

std::string memory_text(std::int64_t bytes) {
  constexpr std::int64_t mebibyte = 1 << 20;
  constexpr std::int64_t gibibyte = 1 << 30;
  if (bytes < gibibyte) return fmt::format("{} MiB", (bytes + mebibyte - 1) / mebibyte);
  const std::int64_t tenths = (bytes / mebibyte * 10 + 1023) / 1024;
  return fmt::format("{}.{} GiB", tenths / 10, tenths % 10);
}

}  // namespace claviger::local

#pragma once

/// How much memory a new process may take here.

#include <cstdint>
#include <filesystem>
#include <string>

namespace claviger::local {

/// Bytes that can be taken without swapping: the kernel's estimate (MemAvailable), or less where
/// a cgroup (version 2: a container, a systemd service) allows less. Page cache of the cgroup
/// counts as available, since it is given back under pressure. 0 where nothing is known.
/// `root` is "/" but in tests. Reads a few small files. Threads: any.
std::int64_t available_memory_bytes(const std::filesystem::path& root = "/");

/// "512 MiB", "1.3 GiB": for people, rounded to one digit behind the point from 1 GiB on.
std::string memory_text(std::int64_t bytes);

}  // namespace claviger::local

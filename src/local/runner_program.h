#pragma once

/// The program that runs models: where it is, and how it is called.

#include <cstdint>
#include <expected>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "local/local_model.h"

namespace claviger::local {

/// Reads an environment variable: nothing where it is not set. Given so that tests need none.
using EnvironmentLookup = std::function<std::optional<std::string>(const char* name)>;
EnvironmentLookup process_environment();

/// Finds llama-server: `configured` (local.runner_path), then CLAVIGER_RUNNER, then the PATH,
/// then claviger/runner/llama-server in $XDG_CACHE_HOME or ~/.cache, where tools/quickstart
/// puts the one that it builds. A place that was named but holds no program is an error, not a
/// reason to look further. The error says where was looked and what to do.
std::expected<std::filesystem::path, std::string> find_runner(
    const std::filesystem::path& configured,
    const EnvironmentLookup& environment = process_environment());

/// What all runners share; from `[local]` in claviger.toml.
struct RunnerTuning {
  std::int32_t request_slots = 4;       ///< local.request_slots: answered at a time.
  std::int32_t threads = 0;             ///< local.threads; 0: one fewer than the CPUs, at least 1.
  std::int32_t prompt_cache_mib = 256;  ///< local.prompt_cache_mib: for conversations that go on.
  std::int32_t nice_level = 10;         ///< local.nice: 0 to 19.
};

/// Threads for `model`: its own wish, else the tuning's.
std::int32_t threads_for(const LocalModel& model, const RunnerTuning& tuning);

/// The names under which a runner sees its files in its working folder. It is called with these
/// and not with paths: it may have no right to walk to them, and the process list tells nobody
/// where an owner keeps models.
struct RunnerFiles {
  static constexpr const char* socket = "x.sock";
  static constexpr const char* token = "token";
  std::string model;  ///< model.gguf, or model-00001-of-00003.gguf
  std::vector<std::string> split_files;
  std::vector<std::string> lora_files;
  std::string projector;
  std::string chat_template;
};
RunnerFiles runner_files(const LocalModel& model);

/// The program's arguments, its name first. Flags as of llama-server de3ff81
/// (`llama-server --help`, 2026-11-23).
std::vector<std::string> runner_arguments(const LocalModel& model, const RunnerTuning& tuning);
/// The whole environment of a runner.
std::vector<std::string> runner_environment();

}  // namespace claviger::local

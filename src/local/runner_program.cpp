#include "local/runner_program.h"

#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <system_error>

namespace claviger::local {
namespace {

constexpr std::string_view program_name = "llama-server";
/// llama-server computes an embedding in one piece, so its batch has to hold the whole text.
constexpr std::int64_t embedding_batch_max = 8'192;

bool is_program(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::is_regular_file(path, error) && ::access(path.c_str(), X_OK) == 0;
}

std::expected<std::filesystem::path, std::string> named_program(const std::filesystem::path& path,
                                                                std::string_view source) {
  if (is_program(path)) return std::filesystem::absolute(path);
  return std::unexpected(fmt::format(
      "{} names {}, which is no program that can be run. Correct it, or remove it to have "
      "llama-server searched on the PATH.",
      source, path.string()));
}

std::int32_t usable_cpus() {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  if (::sched_getaffinity(0, sizeof cpus, &cpus) != 0) return 1;
  return std::max(CPU_COUNT(&cpus), 1);
}

}  // namespace

EnvironmentLookup process_environment() {
  return [](const char* name) -> std::optional<std::string> {
    const char* const value = std::getenv(name);
    if (value == nullptr || *value == '\0') return std::nullopt;
    return value;
  };
}

std::expected<std::filesystem::path, std::string> find_runner(
    const std::filesystem::path& configured, const EnvironmentLookup& environment) {
  if (!configured.empty()) return named_program(configured, "local.runner_path");
  if (const auto named = environment("CLAVIGER_RUNNER")) {
    return named_program(*named, "CLAVIGER_RUNNER");
  }
  const std::string path = environment("PATH").value_or("");
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t end = std::min(path.find(':', at), path.size());
    const std::filesystem::path folder = path.substr(at, end - at);
    at = end + 1;
    // An empty or relative entry means the working folder, which anybody may fill.
    if (folder.is_absolute() && is_program(folder / program_name)) return folder / program_name;
  }
  std::filesystem::path cache = environment("XDG_CACHE_HOME").value_or("");
  if (!cache.is_absolute()) {
    cache = std::filesystem::path(environment("HOME").value_or("/root")) / ".cache";
  }
  auto built = cache / "claviger/runner" / program_name;
  if (is_program(built)) return built;
  return std::unexpected(fmt::format(
      "no llama-server on this machine: it is neither on the PATH nor at {}. Run "
      "tools/quickstart, which builds it, or install llama.cpp and name its llama-server with "
      "local.runner_path in claviger.toml.",
      built.string()));
}

std::int32_t threads_for(const LocalModel& model, const RunnerTuning& tuning) {
  if (model.options.threads > 0) return model.options.threads;
  if (tuning.threads > 0) return tuning.threads;
  // One CPU for the server, which has to go on answering everybody else.
  return std::max(usable_cpus() - 1, 1);
}

RunnerFiles runner_files(const LocalModel& model) {
  RunnerFiles files;
  files.model = "model.gguf";
  const std::size_t parts = model.options.split_files.size() + 1;
  if (parts > 1) {
    // llama.cpp finds the other parts by the first one's name.
    files.model = fmt::format("model-{:05}-of-{:05}.gguf", 1, parts);
    for (std::size_t part = 2; part <= parts; ++part) {
      files.split_files.push_back(fmt::format("model-{:05}-of-{:05}.gguf", part, parts));
    }
  }
  for (std::size_t i = 0; i < model.options.lora_files.size(); ++i) {
    files.lora_files.push_back(fmt::format("lora-{}.gguf", i));
  }
  if (!model.options.projector_file.empty()) files.projector = "projector.gguf";
  if (!model.options.chat_template_file.empty()) files.chat_template = "template.jinja";
  return files;
}

std::vector<std::string> runner_arguments(const LocalModel& model, const RunnerTuning& tuning) {
  const RunnerFiles files = runner_files(model);
  const std::int64_t context = model.context_tokens_in_use();
  const std::string threads = std::to_string(threads_for(model, tuning));
  std::vector<std::string> arguments = {
      "llama-server",
      // Where it listens and who may ask.
      "--host", RunnerFiles::socket, "--api-key-file", RunnerFiles::token,
      // What it runs. A context of its own for each slot: with a shared one, one long request
      // fails the others.
      "--model", files.model, "--alias", model.name, "--parallel",
      std::to_string(tuning.request_slots), "--ctx-size",
      std::to_string(context * tuning.request_slots), "--no-kv-unified", "--fit", "off",
      "--threads", threads, "--threads-batch", threads, "--threads-http",
      std::to_string(tuning.request_slots + 2), "--cache-ram",
      std::to_string(tuning.prompt_cache_mib),
      // What it leaves out: pages, insight into other requests, downloads, and every line that
      // might quote a prompt.
      "--no-webui", "--no-slots", "--offline", "--log-verbosity", "1", "--log-colors", "off"};
  if (model.options.purpose == ModelPurpose::embed) {
    const std::string batch = std::to_string(std::min(context, embedding_batch_max));
    arguments.insert(arguments.end(),
                     {"--embeddings", "--batch-size", batch, "--ubatch-size", batch});
  }
  if (!model.options.chat_template.empty()) {
    arguments.insert(arguments.end(), {"--chat-template", model.options.chat_template});
  }
  if (!files.chat_template.empty()) {
    arguments.insert(arguments.end(), {"--chat-template-file", files.chat_template});
  }
  std::string lora;
  for (const std::string& file : files.lora_files) lora += (lora.empty() ? "" : ",") + file;
  if (!lora.empty()) arguments.insert(arguments.end(), {"--lora", lora});
  if (!files.projector.empty()) {
    arguments.insert(arguments.end(), {"--mmproj", files.projector});
  }
  return arguments;
}

std::vector<std::string> runner_environment() {
  // Few arenas: each reserves address space. The cache folder is the working folder, which
  // cannot be written: llama.cpp only has to find a place without asking for a home.
  return {"LC_ALL=C.UTF-8", "MALLOC_ARENA_MAX=4", "LLAMA_CACHE=.", "HOME=."};
}

}  // namespace claviger::local

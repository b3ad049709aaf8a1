#pragma once

/// Whether a model file can be run here, before anybody waits for it: is it a model and whole,
/// are its parts there, do its companions fit it, and is there memory for it.

#include <cstdint>
#include <expected>
#include <filesystem>
#include <string>
#include <vector>

#include "local/gguf.h"
#include "local/local_model.h"

namespace claviger::local {

/// What a runner will take, estimated from the header. An upper bound: sliding windows,
/// recurrent layers and compressed attention take less.
struct MemoryNeed {
  std::int64_t weight_bytes = 0;   ///< All files; mapped, so shared and given back first.
  std::int64_t cache_bytes = 0;    ///< Attention cache of all request slots, 16 bits a number.
  std::int64_t working_bytes = 0;  ///< Buffers of a computation, prompt cache, the program.

  std::int64_t total_bytes() const { return weight_bytes + cache_bytes + working_bytes; }
};

enum class MemoryFit : std::uint8_t {
  fits,
  tight,  ///< It fits, with less than a tenth to spare.
  does_not_fit,
  unknown,  ///< The machine does not say how much memory is available.
};

struct ModelInspection {
  GgufHeader header;                               ///< Of the first part.
  std::vector<std::filesystem::path> split_files;  ///< The second and further parts.
  std::int64_t bytes = 0;                          ///< Of all parts.
  std::int64_t parameters = 0;                     ///< Of all parts.
  ModelPurpose purpose = ModelPurpose::generate;
  /// Tokens that one request gets: as asked for, else what the model was trained for, at most
  /// context_tokens_default.
  std::int64_t context_tokens = 0;
  MemoryNeed need;
  std::int64_t available_bytes = 0;
  MemoryFit fit = MemoryFit::unknown;
  /// For a person: "needs about 1.3 GiB (weights 0.9 GiB, …); 23.2 GiB are available here".
  std::string summary;
};

enum class InspectionError : std::uint8_t {
  unreadable,       ///< The model or a companion is missing or may not be read.
  not_a_model,      ///< No GGUF, damaged, or a companion (adapter, projector) in a model's place.
  wrong_companion,  ///< A LoRA file or projector that is none.
  part_missing,     ///< A part of a split model is missing, or it is not the first.
  bad_options,
};

struct InspectionFailure {
  InspectionError error = InspectionError::not_a_model;
  std::string message;  ///< A sentence: what is wrong with which file, and what to do.
};

/// What of the server's settings counts for memory.
struct RunnerShape {
  std::int32_t request_slots = 4;       ///< Requests that one runner answers at a time.
  std::int64_t prompt_cache_bytes = 0;  ///< Kept beside the slots.
};

/// Reads the headers of `path` and of all files that `options` name. `options.split_files` is
/// ignored: the parts are found by name. That the memory does not suffice is no error here but
/// a verdict in `fit`. Takes milliseconds. Threads: any.
std::expected<ModelInspection, InspectionFailure> inspect_model_file(
    const std::filesystem::path& path, const LocalModelOptions& options, const RunnerShape& shape,
    std::int64_t available_bytes);

/// What `model` needs, from its header as it is now.
std::expected<ModelInspection, InspectionFailure> inspect(const LocalModel& model,
                                                          const RunnerShape& shape,
                                                          std::int64_t available_bytes);

}  // namespace claviger::local

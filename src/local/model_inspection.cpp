#include "local/model_inspection.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <system_error>

#include "local/available_memory.h"

namespace claviger::local {
namespace {

constexpr std::int64_t mebibyte = 1 << 20;
/// The program, its threads and llama.cpp's own structures. llama-server de3ff81 with
/// SmolLM2-135M held 20 MiB beside weights and cache (VmRSS, 2026-11-23).
constexpr std::int64_t program_bytes = 64 * mebibyte;
/// llama.cpp computes up to 512 tokens at once (--ubatch-size), and holds for each the numbers
/// of the widest layers and one number per piece of the vocabulary, 32 bits each.
constexpr std::int64_t tokens_at_once = 512;
constexpr std::int64_t wide_layers = 16;
constexpr std::int64_t bytes_per_number = 4;
constexpr std::int64_t bytes_per_cached_number = 2;
constexpr std::int64_t bytes_absurd = std::numeric_limits<std::int64_t>::max() / 8;

std::unexpected<InspectionFailure> failure(InspectionError error, std::string message) {
  return std::unexpected(InspectionFailure{error, std::move(message)});
}

std::int64_t product(std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  if (__builtin_mul_overflow(a, b, &result) || result > bytes_absurd) return bytes_absurd;
  return result;
}

std::expected<GgufHeader, InspectionFailure> read_header(const std::filesystem::path& path) {
  auto header = read_gguf_file(path);
  if (header) return std::move(*header);
  const auto error = header.error().error == GgufError::unreadable ? InspectionError::unreadable
                                                                   : InspectionError::not_a_model;
  return failure(error, std::move(header.error().message));
}

bool is_adapter(const GgufHeader& header) {
  return header.type == "adapter";
}
bool is_projector(const GgufHeader& header) {
  return header.type == "mmproj" || header.architecture == "clip";
}

std::expected<void, InspectionFailure> check_is_model(const std::filesystem::path& path,
                                                      const GgufHeader& header) {
  if (is_adapter(header)) {
    return failure(InspectionError::not_a_model,
                   fmt::format("{} is a LoRA adapter, not a model: add the model that it was "
                               "made for, and give this file as its LoRA file.",
                               path.string()));
  }
  if (is_projector(header)) {
    return failure(InspectionError::not_a_model,
                   fmt::format("{} is a vision projector, not a model: add the model that it "
                               "belongs to, and give this file as its projector.",
                               path.string()));
  }
  if (header.architecture.empty() || header.tensor_count == 0) {
    return failure(InspectionError::not_a_model,
                   fmt::format("{} is a GGUF file without a model in it ({}).", path.string(),
                               header.architecture.empty() ? "it names no architecture"
                                                           : "it has no tensors"));
  }
  return {};
}

/// The paths of all parts but the first, by llama.cpp's naming: NAME-00001-of-00003.gguf.
std::expected<std::vector<std::filesystem::path>, InspectionFailure> other_parts(
    const std::filesystem::path& first, const GgufHeader& header) {
  std::vector<std::filesystem::path> parts;
  if (header.split_count <= 1) return parts;
  if (header.split_count - 1 > static_cast<std::int64_t>(split_files_max)) {
    return failure(InspectionError::not_a_model,
                   fmt::format("{} claims {} parts; at most {} are read.", first.string(),
                               header.split_count, split_files_max + 1));
  }
  const std::string name = first.filename().string();
  const std::string tail = fmt::format("-{:05}-of-{:05}.gguf", 1, header.split_count);
  if (header.split_number != 0) {
    return failure(InspectionError::part_missing,
                   fmt::format("{} is part {} of {}: give the first part, whose name ends in {}.",
                               first.string(), header.split_number + 1, header.split_count, tail));
  }
  if (!name.ends_with(tail)) {
    return failure(InspectionError::part_missing,
                   fmt::format("{} is the first of {} parts, and the others are found by name: "
                               "give all of them their names back; this one's ends in {}.",
                               first.string(), header.split_count, tail));
  }
  const std::string stem = name.substr(0, name.size() - tail.size());
  for (std::int64_t part = 2; part <= header.split_count; ++part) {
    parts.push_back(first.parent_path() /
                    fmt::format("{}-{:05}-of-{:05}.gguf", stem, part, header.split_count));
  }
  return parts;
}

std::expected<std::int64_t, InspectionFailure> file_bytes(const std::filesystem::path& path) {
  std::error_code error;
  const auto bytes = std::filesystem::file_size(path, error);
  if (error) {
    return failure(InspectionError::unreadable,
                   fmt::format("{} cannot be read: {}.", path.string(), error.message()));
  }
  return static_cast<std::int64_t>(std::min<std::uintmax_t>(bytes, bytes_absurd / 1024));
}

std::expected<std::int64_t, InspectionFailure> companion_bytes(const LocalModelOptions& options) {
  std::int64_t bytes = 0;
  for (const auto& file : options.lora_files) {
    const auto header = read_header(file);
    if (!header) return std::unexpected(header.error());
    if (!is_adapter(*header)) {
      return failure(InspectionError::wrong_companion,
                     fmt::format("{} is given as a LoRA file and is none.", file.string()));
    }
    const auto size = file_bytes(file);
    if (!size) return size;
    bytes += *size;
  }
  if (!options.projector_file.empty()) {
    const auto header = read_header(options.projector_file);
    if (!header) return std::unexpected(header.error());
    if (!is_projector(*header)) {
      return failure(InspectionError::wrong_companion,
                     fmt::format("{} is given as a vision projector and is none.",
                                 options.projector_file.string()));
    }
    const auto size = file_bytes(options.projector_file);
    if (!size) return size;
    bytes += *size;
  }
  if (!options.chat_template_file.empty()) {
    const auto size = file_bytes(options.chat_template_file);
    if (!size) return size;
  }
  return bytes;
}

void judge_memory(ModelInspection& inspection) {
  const std::int64_t total = inspection.need.total_bytes();
  const std::int64_t available = inspection.available_bytes;
  if (available <= 0) {
    inspection.fit = MemoryFit::unknown;
  } else if (total > available) {
    inspection.fit = MemoryFit::does_not_fit;
  } else {
    inspection.fit = total > available - available / 10 ? MemoryFit::tight : MemoryFit::fits;
  }
}

std::string summarise(const ModelInspection& inspection, const RunnerShape& shape) {
  const MemoryNeed& need = inspection.need;
  std::string cache = "context not known from the file";
  if (need.cache_bytes > 0) {
    cache =
        fmt::format("context of {} tokens for each of {} requests at a time {}",
                    inspection.context_tokens, shape.request_slots, memory_text(need.cache_bytes));
  }
  std::string text = fmt::format("needs about {} (weights {}, {}, working memory {})",
                                 memory_text(need.total_bytes()), memory_text(need.weight_bytes),
                                 cache, memory_text(need.working_bytes));
  if (inspection.fit == MemoryFit::unknown) return text;
  text += fmt::format("; {} are available here", memory_text(inspection.available_bytes));
  if (inspection.fit == MemoryFit::tight) text += ", which leaves little";
  if (inspection.fit == MemoryFit::does_not_fit) {
    text += ". Choose a smaller context, fewer requests at a time, or a smaller model";
  }
  return text;
}

}  // namespace

std::expected<ModelInspection, InspectionFailure> inspect_model_file(
    const std::filesystem::path& path, const LocalModelOptions& options, const RunnerShape& shape,
    std::int64_t available_bytes) {
  if (auto checked = check_options(options); !checked) {
    return failure(InspectionError::bad_options,
                   fmt::format("The options of {} are wrong: {}.", path.string(), checked.error()));
  }
  auto header = read_header(path);
  if (!header) return std::unexpected(header.error());
  // Parts first: only the first part names an architecture.
  auto parts = other_parts(path, *header);
  if (!parts) return std::unexpected(parts.error());
  if (auto model = check_is_model(path, *header); !model) return std::unexpected(model.error());

  ModelInspection inspection;
  inspection.header = std::move(*header);
  inspection.parameters = inspection.header.parameters;
  inspection.split_files = std::move(*parts);
  auto bytes = file_bytes(path);
  if (!bytes) return std::unexpected(bytes.error());
  inspection.bytes = *bytes;
  for (const auto& part : inspection.split_files) {
    const auto part_header = read_header(part);
    if (!part_header) {
      return failure(InspectionError::part_missing,
                     fmt::format("{} All {} parts have to lie in one folder.",
                                 part_header.error().message, inspection.header.split_count));
    }
    inspection.parameters += part_header->parameters;
    const auto part_bytes = file_bytes(part);
    if (!part_bytes) return std::unexpected(part_bytes.error());
    inspection.bytes += *part_bytes;
  }
  const auto companions = companion_bytes(options);
  if (!companions) return std::unexpected(companions.error());

  const GgufHeader& about = inspection.header;
  inspection.purpose = about.makes_embeddings ? ModelPurpose::embed : options.purpose;
  inspection.context_tokens = options.context_tokens;
  if (inspection.context_tokens == 0) {
    const std::int64_t trained = about.context_tokens > 0 ? about.context_tokens : 4096;
    inspection.context_tokens = std::clamp(trained, context_tokens_min, context_tokens_default);
  }
  const std::int64_t cached_tokens = product(inspection.context_tokens, shape.request_slots);
  inspection.need.weight_bytes = inspection.bytes + *companions;
  inspection.need.cache_bytes =
      product(product(cached_tokens, about.cache_numbers_per_token), bytes_per_cached_number);
  inspection.need.working_bytes =
      program_bytes + shape.prompt_cache_bytes +
      product(product(tokens_at_once, std::min(about.vocabulary_size, bytes_absurd / 4) +
                                          product(wide_layers, about.embedding_length)),
              bytes_per_number);
  inspection.available_bytes = available_bytes;
  judge_memory(inspection);
  inspection.summary = summarise(inspection, shape);
  return inspection;
}

std::expected<ModelInspection, InspectionFailure> inspect(const LocalModel& model,
                                                          const RunnerShape& shape,
                                                          std::int64_t available_bytes) {
  LocalModelOptions options = model.options;
  options.context_tokens = model.context_tokens_in_use();
  return inspect_model_file(model.path, options, shape, available_bytes);
}

}  // namespace claviger::local

#pragma once

/// A model file that an owner brought: where it is, what is in it, and how it is to be run.
///
/// The file stays where its owner put it; only its path is kept. What is written down here is
/// what `claviger model add` found in the file's header, so that listing models and holding
/// money for a request open no file.

#include <cstdint>
#include <expected>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/time.h"

namespace claviger::local {

/// What a runner does with a model. One runner does one of them: llama-server refuses to
/// generate when it was started for embeddings.
enum class ModelPurpose : std::uint8_t {
  generate,
  embed,
};

/// How a model file is run. Kept as JSON in the column `options`; see to_json().
struct LocalModelOptions {
  /// Tokens of prompt and answer together, for each request. 0: LocalModel::context_tokens.
  std::int64_t context_tokens = 0;
  /// CPU threads for this model. 0: what the server's settings say.
  std::int32_t threads = 0;
  ModelPurpose purpose = ModelPurpose::generate;
  /// The name of a template that the runner knows, such as "chatml". At most one of this and
  /// `chat_template_file` is set; neither: the template inside the model file.
  std::string chat_template;
  std::filesystem::path chat_template_file;
  /// LoRA adapters (GGUF), applied at full strength in this order.
  std::vector<std::filesystem::path> lora_files;
  /// Vision projector (GGUF, "mmproj"). Empty: none.
  std::filesystem::path projector_file;
  /// The second and further parts of a model that is split over files; the first part is
  /// LocalModel::path.
  std::vector<std::filesystem::path> split_files;

  friend bool operator==(const LocalModelOptions&, const LocalModelOptions&) = default;
};

/// Bounds of the options; what is beyond them is refused by from_json() and by `model add`.
inline constexpr std::int64_t context_tokens_min = 128;
/// Models trained for 131,072 tokens are common, and the cache of that many takes more memory
/// than the model itself. Who wants more asks for it.
inline constexpr std::int64_t context_tokens_default = 8'192;
inline constexpr std::int64_t context_tokens_max = 16'777'216;
inline constexpr std::int32_t threads_max = 1024;
inline constexpr std::size_t lora_files_max = 16;
inline constexpr std::size_t split_files_max = 512;
inline constexpr std::size_t options_json_bytes_max = 1'048'576;

struct LocalModel {
  LocalModelId id;
  OwnerId owner;
  /// Unique per owner; the part behind `local/`. Only [a-z0-9._-], 1 to 96 characters.
  std::string name;
  std::filesystem::path path;  ///< Absolute.
  std::int64_t bytes = 0;      ///< Of all parts together.
  std::string architecture;    ///< As the file says, e.g. "llama".
  /// Tokens that one request may use unless the options say otherwise: what the model was
  /// trained for, at most context_tokens_default.
  std::int64_t context_tokens = 0;
  LocalModelOptions options;
  WallTime created_at;

  /// Tokens that one request may use.
  std::int64_t context_tokens_in_use() const {
    return options.context_tokens > 0 ? options.context_tokens : context_tokens;
  }
  friend bool operator==(const LocalModel&, const LocalModel&) = default;
};

/// One line of JSON; only what differs from the default is written, so `{}` is a plain model.
std::string to_json(const LocalModelOptions& options);

/// The reverse. The error is a sentence for a person: which field, what is wrong with it.
/// Unknown fields are errors: a misspelt option must not be ignored silently.
std::expected<LocalModelOptions, std::string> options_from_json(std::string_view json);

/// Checks bounds and contradictions of options from any source. The error is a sentence.
std::expected<void, std::string> check_options(const LocalModelOptions& options);

inline constexpr std::size_t model_name_bytes_max = 96;
bool is_model_name(std::string_view name);

/// A name from a file name: without extension, part number and quantisation suffix, in lower
/// case, e.g. `SmolLM2-135M-Instruct.Q4_1.gguf` → `smollm2-135m-instruct`. Never empty:
/// "model" where nothing is left.
std::string model_name_from(const std::filesystem::path& file);

}  // namespace claviger::local

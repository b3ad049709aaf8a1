#pragma once

/// Reads the header of a GGUF file: what model it is and how much memory it asks for, without
/// loading it.
///
/// The file comes from a stranger, so no length in it is believed: every count is held against
/// the bytes that are left, and nothing is allocated by a number from the file. Tensor data is
/// never read, but the tensor table is, because it says how long the file must be: a download
/// that broke off is the most frequent fault of a model file.
///
/// Read with pread, not mmap: a file that is cut short while it is mapped would kill the server
/// with SIGBUS.
///
/// Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md (read 2026-11-23), and
/// ggml/src/gguf.cpp and ggml.h of llama.cpp de3ff81 for what a reader accepts in fact.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace claviger::local {

enum class GgufError : std::uint8_t {
  unreadable,           ///< Cannot be opened or read.
  not_gguf,             ///< Begins with something else.
  unsupported_version,  ///< Other than 2 and 3, or big-endian.
  truncated,            ///< Shorter than its own header says.
  malformed,            ///< Contradicts the format.
  too_large,            ///< Beyond one of the bounds below.
};

struct GgufFailure {
  GgufError error = GgufError::malformed;
  /// What is wrong, as the rest of a sentence that begins with the file: "is no GGUF file: it
  /// starts with …". Bytes of the file appear only as printable ASCII.
  std::string message;
};

/// Bounds. The largest header seen in the wild is below 32 MiB (a vocabulary of 262,144 pieces
/// with merges); a tensor table has a few thousand rows.
inline constexpr std::uint64_t gguf_header_bytes_max = 256ull << 20;
inline constexpr std::uint64_t gguf_metadata_max = 65'536;
inline constexpr std::uint64_t gguf_tensors_max = 1'048'576;
inline constexpr std::uint64_t gguf_key_bytes_max = 65'535;
inline constexpr std::uint64_t gguf_text_bytes_max = 4'096;  ///< Of a text that is kept.
inline constexpr std::uint64_t gguf_layers_max = 16'384;
inline constexpr std::uint32_t gguf_array_depth_max = 4;

struct GgufHeader {
  std::uint32_t version = 0;
  std::uint64_t metadata_count = 0;
  std::uint64_t tensor_count = 0;

  std::string type;             ///< `general.type`: "model", "adapter", "mmproj"; may be empty.
  std::string architecture;     ///< `general.architecture`, e.g. "llama".
  std::string name;             ///< `general.name`; may be empty.
  std::string size_label;       ///< `general.size_label`, e.g. "135M"; may be empty.
  std::int64_t file_type = -1;  ///< `general.file_type`; -1 where not said.

  std::int64_t context_tokens = 0;   ///< Trained for. 0 where not said.
  std::int64_t vocabulary_size = 0;  ///< Pieces. 0 where not said.
  std::int64_t layers = 0;
  std::int64_t embedding_length = 0;
  std::int64_t parameters = 0;  ///< Of the tensors in this file.
  /// Numbers that the attention cache keeps for each token, over all layers; an upper bound,
  /// since sliding windows keep fewer. 0 where the header does not say.
  std::int64_t cache_numbers_per_token = 0;
  bool has_chat_template = false;
  bool makes_embeddings = false;  ///< `ARCH.pooling_type` names a pooling.

  std::int64_t split_number = 0;  ///< From 0.
  std::int64_t split_count = 1;

  std::uint64_t data_offset = 0;     ///< Where tensor data begins.
  std::uint64_t bytes_expected = 0;  ///< The least length that holds all tensors.
};

/// Where the bytes come from.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  virtual std::uint64_t size() const = 0;
  /// Fills `out` from `offset` on and says how many bytes it got: fewer at the end or where
  /// reading fails.
  virtual std::size_t read(std::uint64_t offset, std::span<std::byte> out) = 0;
};

class MemorySource final : public ByteSource {
 public:
  explicit MemorySource(std::span<const std::byte> bytes) : bytes_(bytes) {}
  std::uint64_t size() const override { return bytes_.size(); }
  std::size_t read(std::uint64_t offset, std::span<std::byte> out) override;

 private:
  std::span<const std::byte> bytes_;
};

std::expected<GgufHeader, GgufFailure> read_gguf(ByteSource& source);

/// The message begins with the path and is a whole sentence.
std::expected<GgufHeader, GgufFailure> read_gguf_file(const std::filesystem::path& path);

/// "Q4_1", "F16", …, as people call `general.file_type`; "unknown" for others.
std::string_view gguf_file_type_name(std::int64_t file_type);

}  // namespace claviger::local

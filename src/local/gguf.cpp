#include "local/gguf.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <optional>
#include <string_view>
#include <vector>

#include "local/gguf_tensor_types.h"

namespace claviger::local {
namespace {

/// Value types of metadata, as they stand in the file.
enum class ValueType : std::uint32_t {
  u8 = 0,
  i8 = 1,
  u16 = 2,
  i16 = 3,
  u32 = 4,
  i32 = 5,
  f32 = 6,
  boolean = 7,
  text = 8,
  array = 9,
  u64 = 10,
  i64 = 11,
  f64 = 12,
};

/// Bytes of a value of fixed length; 0 for texts, arrays and unknown types.
constexpr std::uint64_t fixed_bytes(ValueType type) {
  switch (type) {
    case ValueType::u8:
    case ValueType::i8:
    case ValueType::boolean:
      return 1;
    case ValueType::u16:
    case ValueType::i16:
      return 2;
    case ValueType::u32:
    case ValueType::i32:
    case ValueType::f32:
      return 4;
    case ValueType::u64:
    case ValueType::i64:
    case ValueType::f64:
      return 8;
    case ValueType::text:
    case ValueType::array:
      break;
  }
  return 0;
}

constexpr bool is_integer(ValueType type) {
  return fixed_bytes(type) != 0 && type != ValueType::f32 && type != ValueType::f64;
}

constexpr std::size_t window_bytes = 64 * 1024;
constexpr std::uint64_t alignment_default = 32;
constexpr std::uint64_t alignment_max = 1u << 20;
constexpr std::uint32_t dimensions_max = 4;
constexpr std::uint64_t tensor_name_bytes_max = 512;

/// Numbers that mean "absurd" saturate here, so that later sums cannot overflow.
constexpr std::int64_t number_max = std::numeric_limits<std::int64_t>::max() / 4;

std::int64_t multiply_saturating(std::int64_t a, std::int64_t b) {
  std::int64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product) || product > number_max) return number_max;
  return product;
}

std::int64_t add_saturating(std::int64_t a, std::int64_t b) {
  std::int64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum) || sum > number_max) return number_max;
  return sum;
}

std::string printable(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    if (c >= ' ' && c <= '~' && c != '"' && c != '\\') {
      out += c;
    } else {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

using Status = std::expected<void, GgufFailure>;

std::unexpected<GgufFailure> failure(GgufError error, std::string message) {
  return std::unexpected(GgufFailure{error, std::move(message)});
}

/// Walks forward through the source by one window. Once something has failed every later read
/// gives zero, so that callers check once after a group of reads.
class Cursor {
 public:
  explicit Cursor(ByteSource& source)
      : source_(source), size_(source.size()), window_(window_bytes) {}

  std::uint64_t offset() const { return offset_; }
  /// Bytes that may still be read.
  std::uint64_t left() const {
    const std::uint64_t end = std::min(size_, gguf_header_bytes_max);
    return offset_ < end ? end - offset_ : 0;
  }
  bool failed() const { return failed_; }
  /// Why it failed.
  std::unexpected<GgufFailure> reason() const {
    if (size_ > gguf_header_bytes_max) {
      return failure(GgufError::too_large,
                     fmt::format("claims a header of more than {} MiB, which no model has: it is "
                                 "damaged. Fetch it again",
                                 gguf_header_bytes_max >> 20));
    }
    return failure(GgufError::truncated,
                   fmt::format("ends in the middle of its header, after {} bytes: the download "
                               "broke off. Fetch it again",
                               size_));
  }

  void skip(std::uint64_t bytes) {
    if (bytes > left()) {
      failed_ = true;
      return;
    }
    offset_ += bytes;
  }

  void read(std::span<std::byte> out) {
    if (failed_ || out.size() > left()) {
      failed_ = true;
      std::ranges::fill(out, std::byte{0});
      return;
    }
    while (!out.empty()) {
      if (offset_ < begin_ || offset_ >= begin_ + filled_) {
        begin_ = offset_;
        filled_ = source_.read(offset_, window_);
        if (filled_ == 0) {
          failed_ = true;
          std::ranges::fill(out, std::byte{0});
          return;
        }
      }
      const auto from = static_cast<std::size_t>(offset_ - begin_);
      const std::size_t count = std::min(out.size(), filled_ - from);
      std::memcpy(out.data(), window_.data() + from, count);
      offset_ += count;
      out = out.subspan(count);
    }
  }

  std::uint64_t integer(std::size_t bytes) {
    std::array<std::byte, 8> raw{};
    read(std::span(raw).first(bytes));
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < bytes; ++i) {
      value |= static_cast<std::uint64_t>(raw[i]) << (8 * i);
    }
    return value;
  }
  std::uint32_t u32() { return static_cast<std::uint32_t>(integer(4)); }
  std::uint64_t u64() { return integer(8); }

  /// A text of at most `bytes_max`; a longer one is skipped and gives nothing.
  std::optional<std::string> text(std::uint64_t bytes_max) {
    const std::uint64_t bytes = u64();
    if (bytes > bytes_max || bytes > left()) {
      skip(bytes);
      return std::nullopt;
    }
    std::string out(static_cast<std::size_t>(bytes), '\0');
    read(std::as_writable_bytes(std::span(out)));
    return out;
  }

 private:
  ByteSource& source_;
  std::uint64_t size_;
  std::vector<std::byte> window_;
  std::uint64_t begin_ = 0;
  std::size_t filled_ = 0;
  std::uint64_t offset_ = 0;
  bool failed_ = false;
};

/// An integer of any width, clamped to what the header's fields can hold. Negative and absurd
/// values become 0 and `number_max`.
std::int64_t read_integer(Cursor& cursor, ValueType type) {
  const auto bytes = static_cast<std::size_t>(fixed_bytes(type));
  const std::uint64_t raw = cursor.integer(bytes);
  const bool is_signed = type == ValueType::i8 || type == ValueType::i16 ||
                         type == ValueType::i32 || type == ValueType::i64;
  if (is_signed && ((raw >> (8 * bytes - 1)) & 1) != 0) return 0;
  return static_cast<std::int64_t>(std::min(raw, static_cast<std::uint64_t>(number_max)));
}

/// What the metadata say about the attention cache, gathered until all of it is known.
struct CacheShape {
  std::int64_t heads = 0;
  std::int64_t key_length = 0;
  std::int64_t value_length = 0;
  std::int64_t cached_heads = -1;  ///< Of all layers; -1 where not said.
  bool cached_heads_per_layer = false;
};

class HeaderReader {
 public:
  explicit HeaderReader(ByteSource& source) : size_(source.size()), cursor_(source) {}

  std::expected<GgufHeader, GgufFailure> read() {
    if (auto status = read_preamble(); !status) return std::unexpected(status.error());
    if (auto status = read_metadata(); !status) return std::unexpected(status.error());
    if (auto status = read_tensors(); !status) return std::unexpected(status.error());
    finish();
    if (auto status = check_length(); !status) return std::unexpected(status.error());
    return std::move(header_);
  }

 private:
  Status read_preamble();
  Status read_metadata();
  Status read_value(std::string_view key, ValueType type);
  Status read_array(std::string_view key, std::uint32_t depth);
  Status skip_fixed(std::uint64_t count, std::uint64_t bytes);
  void keep_integer(std::string_view key, std::int64_t value);
  void keep_text(std::string_view key, std::string text);
  Status read_tensors();
  Status read_tensor();
  void finish();
  Status check_length() const;
  bool is_of_architecture(std::string_view key, std::string_view suffix) const;

  std::uint64_t size_;
  Cursor cursor_;
  GgufHeader header_;
  CacheShape cache_;
  std::uint64_t alignment_ = alignment_default;
  std::uint64_t data_bytes_ = 0;
};

std::string_view what_else_it_is(std::string_view start) {
  if (start.starts_with("vers")) {
    return ". That is a Git LFS pointer, not the model: run git lfs pull, or download the file "
           "itself";
  }
  if (start.starts_with("<!") || start.starts_with("<h") || start.starts_with("<H")) {
    return ". That is a web page: the download link led to a page, not to the file";
  }
  if (start.starts_with("PK")) {
    return ". That is a ZIP archive or a PyTorch checkpoint: convert it with llama.cpp's "
           "convert_hf_to_gguf.py";
  }
  if (start.size() >= 9 && start[8] == '{') {
    return ". That looks like a safetensors file: convert it with llama.cpp's "
           "convert_hf_to_gguf.py";
  }
  if (start.starts_with("tjgg") || start.starts_with("lmgg") || start.starts_with("fmgg")) {
    return ". That is GGML, the predecessor of GGUF: fetch the model as GGUF";
  }
  return "";
}

Status HeaderReader::read_preamble() {
  if (size_ == 0) return failure(GgufError::not_gguf, "is empty");
  std::array<char, 9> start{};
  const auto start_bytes = static_cast<std::size_t>(std::min<std::uint64_t>(start.size(), size_));
  const std::string_view seen(start.data(), start_bytes);
  {
    Cursor peek = cursor_;
    peek.read(std::as_writable_bytes(std::span(start).first(start_bytes)));
    if (peek.failed()) return failure(GgufError::unreadable, "cannot be read");
  }
  if (!seen.starts_with("GGUF")) {
    return failure(GgufError::not_gguf,
                   fmt::format("is no GGUF file: it starts with \"{}\"; expected \"GGUF\"{}",
                               printable(seen.substr(0, 4)), what_else_it_is(seen)));
  }
  cursor_.skip(4);
  header_.version = cursor_.u32();
  header_.tensor_count = cursor_.u64();
  header_.metadata_count = cursor_.u64();
  if (cursor_.failed()) return cursor_.reason();
  if (header_.version == 0x03000000 || header_.version == 0x02000000) {
    return failure(GgufError::unsupported_version,
                   "is a big-endian GGUF file, which this machine cannot run: fetch the "
                   "little-endian one");
  }
  if (header_.version != 2 && header_.version != 3) {
    return failure(GgufError::unsupported_version,
                   fmt::format("is GGUF version {}; versions 2 and 3 can be run: fetch a current "
                               "conversion of the model",
                               header_.version));
  }
  if (header_.metadata_count > gguf_metadata_max || header_.tensor_count > gguf_tensors_max) {
    return failure(GgufError::too_large,
                   fmt::format("claims {} metadata entries and {} tensors; at most {} and {} are "
                               "read",
                               header_.metadata_count, header_.tensor_count, gguf_metadata_max,
                               gguf_tensors_max));
  }
  return {};
}

Status HeaderReader::read_metadata() {
  for (std::uint64_t i = 0; i < header_.metadata_count; ++i) {
    const std::optional<std::string> key = cursor_.text(gguf_key_bytes_max);
    if (cursor_.failed()) return cursor_.reason();
    if (!key) {
      return failure(GgufError::malformed,
                     fmt::format("is damaged: the name of metadata entry {} is longer than {} "
                                 "bytes",
                                 i, gguf_key_bytes_max));
    }
    const auto type = static_cast<ValueType>(cursor_.u32());
    if (auto status = read_value(*key, type); !status) return status;
    if (cursor_.failed()) return cursor_.reason();
  }
  return {};
}

Status HeaderReader::read_value(std::string_view key, ValueType type) {
  if (is_integer(type)) {
    keep_integer(key, read_integer(cursor_, type));
    return {};
  }
  if (type == ValueType::text) {
    if (key == "tokenizer.chat_template") {
      const std::uint64_t bytes = cursor_.u64();
      header_.has_chat_template = bytes > 0;
      cursor_.skip(bytes);
      return {};
    }
    if (auto text = cursor_.text(gguf_text_bytes_max)) keep_text(key, std::move(*text));
    return {};
  }
  if (type == ValueType::array) return read_array(key, 1);
  if (fixed_bytes(type) == 0) {
    return failure(GgufError::malformed,
                   fmt::format("is damaged: metadata \"{}\" has the unknown type {}",
                               printable(key.substr(0, 64)), static_cast<std::uint32_t>(type)));
  }
  cursor_.skip(fixed_bytes(type));
  return {};
}

Status HeaderReader::skip_fixed(std::uint64_t count, std::uint64_t bytes) {
  if (count > cursor_.left() / bytes) {
    cursor_.skip(std::numeric_limits<std::uint64_t>::max());
    return {};
  }
  cursor_.skip(count * bytes);
  return {};
}

Status HeaderReader::read_array(std::string_view key, std::uint32_t depth) {
  const auto type = static_cast<ValueType>(cursor_.u32());
  const std::uint64_t count = cursor_.u64();
  if (cursor_.failed()) return {};
  if (key == "tokenizer.ggml.tokens" && depth == 1) {
    header_.vocabulary_size =
        static_cast<std::int64_t>(std::min(count, static_cast<std::uint64_t>(number_max)));
  }
  if (is_integer(type) && depth == 1 && count <= gguf_layers_max &&
      key.ends_with(".attention.head_count_kv")) {
    cache_.cached_heads_per_layer = true;
    cache_.cached_heads = 0;
    for (std::uint64_t i = 0; i < count && !cursor_.failed(); ++i) {
      cache_.cached_heads = add_saturating(cache_.cached_heads, read_integer(cursor_, type));
    }
    return {};
  }
  if (const std::uint64_t bytes = fixed_bytes(type); bytes != 0) return skip_fixed(count, bytes);
  if (type != ValueType::text && type != ValueType::array) {
    return failure(GgufError::malformed,
                   fmt::format("is damaged: metadata \"{}\" is a list of the unknown type {}",
                               printable(key.substr(0, 64)), static_cast<std::uint32_t>(type)));
  }
  if (type == ValueType::array && depth >= gguf_array_depth_max) {
    return failure(
        GgufError::too_large,
        fmt::format("nests lists deeper than {}, which no model does", gguf_array_depth_max));
  }
  // Each element takes at least the 8 bytes of its length, so this loop ends with the file.
  for (std::uint64_t i = 0; i < count && !cursor_.failed(); ++i) {
    if (type == ValueType::text) {
      cursor_.skip(cursor_.u64());
    } else if (auto status = read_array({}, depth + 1); !status) {
      return status;
    }
  }
  return {};
}

bool HeaderReader::is_of_architecture(std::string_view key, std::string_view suffix) const {
  return key.size() == header_.architecture.size() + suffix.size() &&
         key.starts_with(header_.architecture) && key.ends_with(suffix);
}

/// `general.architecture` comes before the keys that begin with it in every file that a
/// converter writes; a file in another order gives no numbers, which is said as "not known".
void HeaderReader::keep_integer(std::string_view key, std::int64_t value) {
  if (key == "general.file_type") header_.file_type = value;
  if (key == "general.alignment") alignment_ = static_cast<std::uint64_t>(value);
  if (key == "split.no") header_.split_number = value;
  if (key == "split.count") header_.split_count = std::max<std::int64_t>(value, 1);
  if (header_.architecture.empty()) return;
  if (is_of_architecture(key, ".context_length")) header_.context_tokens = value;
  if (is_of_architecture(key, ".block_count")) header_.layers = value;
  if (is_of_architecture(key, ".embedding_length")) header_.embedding_length = value;
  if (is_of_architecture(key, ".pooling_type")) header_.makes_embeddings = value != 0;
  if (is_of_architecture(key, ".attention.head_count")) cache_.heads = value;
  if (is_of_architecture(key, ".attention.head_count_kv")) cache_.cached_heads = value;
  if (is_of_architecture(key, ".attention.key_length")) cache_.key_length = value;
  if (is_of_architecture(key, ".attention.value_length")) cache_.value_length = value;
  if (is_of_architecture(key, ".vocab_size") && header_.vocabulary_size == 0) {
    header_.vocabulary_size = value;
  }
}

void HeaderReader::keep_text(std::string_view key, std::string text) {
  if (key == "general.type") {
    header_.type = std::move(text);
  } else if (key == "general.architecture") {
    header_.architecture = std::move(text);
  } else if (key == "general.name") {
    header_.name = std::move(text);
  } else if (key == "general.size_label") {
    header_.size_label = std::move(text);
  }
}

Status HeaderReader::read_tensors() {
  if (alignment_ == 0 || alignment_ > alignment_max || (alignment_ & (alignment_ - 1)) != 0) {
    return failure(GgufError::malformed,
                   fmt::format("is damaged: its alignment is {}; expected a power of two up to {}",
                               alignment_, alignment_max));
  }
  for (std::uint64_t i = 0; i < header_.tensor_count; ++i) {
    if (auto status = read_tensor(); !status) return status;
    if (cursor_.failed()) return cursor_.reason();
  }
  return {};
}

Status HeaderReader::read_tensor() {
  const std::optional<std::string> name = cursor_.text(tensor_name_bytes_max);
  const std::uint32_t dimensions = cursor_.u32();
  if (cursor_.failed()) return {};
  if (!name || dimensions > dimensions_max) {
    return failure(GgufError::malformed,
                   fmt::format("is damaged: a tensor has a name of more than {} bytes or {} "
                               "dimensions; at most {} are allowed",
                               tensor_name_bytes_max, dimensions, dimensions_max));
  }
  std::int64_t numbers = 1;
  for (std::uint32_t i = 0; i < dimensions; ++i) {
    numbers = multiply_saturating(numbers, read_integer(cursor_, ValueType::u64));
  }
  const GgufTensorType* type = find_gguf_tensor_type(cursor_.u32());
  const std::uint64_t offset = cursor_.u64();
  if (cursor_.failed()) return {};
  header_.parameters = add_saturating(header_.parameters, numbers);
  if (type == nullptr) return {};
  const std::int64_t bytes = multiply_saturating(numbers / type->block_numbers, type->block_bytes);
  std::uint64_t end = 0;
  if (__builtin_add_overflow(offset, static_cast<std::uint64_t>(bytes), &end) ||
      end > static_cast<std::uint64_t>(number_max)) {
    return failure(GgufError::malformed,
                   fmt::format("is damaged: tensor \"{}\" lies beyond any file", printable(*name)));
  }
  data_bytes_ = std::max(data_bytes_, end);
  return {};
}

void HeaderReader::finish() {
  header_.data_offset = (cursor_.offset() + alignment_ - 1) / alignment_ * alignment_;
  header_.bytes_expected =
      header_.tensor_count == 0 ? cursor_.offset() : header_.data_offset + data_bytes_;

  const std::int64_t head_length = cache_.heads > 0 ? header_.embedding_length / cache_.heads : 0;
  const std::int64_t key_length = cache_.key_length > 0 ? cache_.key_length : head_length;
  const std::int64_t value_length = cache_.value_length > 0 ? cache_.value_length : head_length;
  std::int64_t heads = cache_.cached_heads;
  if (!cache_.cached_heads_per_layer) {
    heads = multiply_saturating(heads >= 0 ? heads : cache_.heads, header_.layers);
  }
  header_.cache_numbers_per_token =
      multiply_saturating(heads, add_saturating(key_length, value_length));
}

Status HeaderReader::check_length() const {
  if (header_.bytes_expected > size_) {
    return failure(GgufError::truncated,
                   fmt::format("is cut short: it has {} bytes and needs {}. The download broke "
                               "off; fetch it again",
                               size_, header_.bytes_expected));
  }
  return {};
}

}  // namespace

std::size_t MemorySource::read(std::uint64_t offset, std::span<std::byte> out) {
  if (offset >= bytes_.size()) return 0;
  const auto rest = bytes_.subspan(static_cast<std::size_t>(offset));
  const std::size_t count = std::min(out.size(), rest.size());
  if (count > 0) std::memcpy(out.data(), rest.data(), count);
  return count;
}

std::expected<GgufHeader, GgufFailure> read_gguf(ByteSource& source) {
  return HeaderReader(source).read();
}

}  // namespace claviger::local

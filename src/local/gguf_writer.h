#pragma once

/// Writes GGUF headers for tests: small ones, wrong ones.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace claviger::local::testing {

class GgufWriter {
 public:
  explicit GgufWriter(std::uint32_t version = 3) : version_(version) {}

  GgufWriter& text(std::string_view key, std::string_view value) {
    begin(key, 8);
    put_text(metadata_, value);
    return *this;
  }
  GgufWriter& u32(std::string_view key, std::uint32_t value) {
    begin(key, 4);
    put(metadata_, value, 4);
    return *this;
  }
  GgufWriter& texts(std::string_view key, const std::vector<std::string>& values) {
    begin(key, 9);
    put(metadata_, 8, 4);
    put(metadata_, values.size(), 8);
    for (const auto& value : values) put_text(metadata_, value);
    return *this;
  }
  GgufWriter& u32s(std::string_view key, const std::vector<std::uint32_t>& values) {
    begin(key, 9);
    put(metadata_, 4, 4);
    put(metadata_, values.size(), 8);
    for (const auto value : values) put(metadata_, value, 4);
    return *this;
  }
  /// Raw bytes behind a key and a type.
  GgufWriter& raw(std::string_view key, std::uint32_t type, std::string_view bytes) {
    begin(key, type);
    metadata_ += bytes;
    return *this;
  }
  /// A tensor of F32 behind those before it.
  GgufWriter& tensor(std::string_view name, std::vector<std::uint64_t> dimensions,
                     std::uint32_t type = 0) {
    put_text(tensors_, name);
    put(tensors_, dimensions.size(), 4);
    std::uint64_t numbers = 1;
    for (const auto dimension : dimensions) {
      put(tensors_, dimension, 8);
      numbers *= dimension;
    }
    put(tensors_, type, 4);
    put(tensors_, data_bytes_, 8);
    data_bytes_ += (numbers * 4 + 31) / 32 * 32;
    ++tensor_count_;
    return *this;
  }

  std::string header() const {
    std::string out = "GGUF";
    put(out, version_, 4);
    put(out, tensor_count_, 8);
    put(out, metadata_count_, 8);
    return out + metadata_ + tensors_;
  }
  /// Header, padding, and tensor data of zeros.
  std::string file() const {
    std::string out = header();
    out.resize((out.size() + 31) / 32 * 32 + data_bytes_, '\0');
    return out;
  }

  static void put(std::string& out, std::uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i));
  }
  static void put_text(std::string& out, std::string_view value) {
    put(out, value.size(), 8);
    out += value;
  }

 private:
  void begin(std::string_view key, std::uint32_t type) {
    put_text(metadata_, key);
    put(metadata_, type, 4);
    ++metadata_count_;
  }

  std::uint32_t version_;
  std::string metadata_;
  std::string tensors_;
  std::uint64_t metadata_count_ = 0;
  std::uint64_t tensor_count_ = 0;
  std::uint64_t data_bytes_ = 0;
};

/// A model that is whole and tiny: 2 layers, 4 heads of 16, 2 of them cached.
inline GgufWriter tiny_model() {
  GgufWriter writer;
  writer.text("general.architecture", "llama")
      .text("general.type", "model")
      .text("general.name", "Tiny")
      .u32("general.file_type", 0)
      .u32("llama.context_length", 2048)
      .u32("llama.embedding_length", 64)
      .u32("llama.block_count", 2)
      .u32("llama.attention.head_count", 4)
      .u32("llama.attention.head_count_kv", 2)
      .texts("tokenizer.ggml.tokens", {"a", "b", "c"})
      .text("tokenizer.chat_template", "{{ messages }}")
      .tensor("token_embd.weight", {64, 3})
      .tensor("output_norm.weight", {64});
  return writer;
}

}  // namespace claviger::local::testing

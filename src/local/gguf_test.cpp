#include "local/gguf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "local/gguf_writer.h"

namespace claviger::local {
namespace {

using testing::GgufWriter;
using ::testing::HasSubstr;
using testing::tiny_model;

std::expected<GgufHeader, GgufFailure> read_text(const std::string& bytes) {
  MemorySource source(std::as_bytes(std::span(bytes)));
  return read_gguf(source);
}

TEST(Gguf, SaysWhatModelItIs) {
  const auto header = read_text(tiny_model().file());

  ASSERT_TRUE(header) << header.error().message;
  EXPECT_EQ(header->architecture, "llama");
  EXPECT_EQ(header->name, "Tiny");
  EXPECT_EQ(header->context_tokens, 2048);
  EXPECT_EQ(header->vocabulary_size, 3);
  EXPECT_EQ(header->parameters, 64 * 3 + 64);
  EXPECT_EQ(header->layers, 2);
  // 2 layers × 2 cached heads × (16 + 16).
  EXPECT_EQ(header->cache_numbers_per_token, 128);
  EXPECT_TRUE(header->has_chat_template);
  EXPECT_FALSE(header->makes_embeddings);
  EXPECT_EQ(header->split_count, 1);
  EXPECT_EQ(gguf_file_type_name(header->file_type), "F32");
}

TEST(Gguf, CountsTheCacheOfLayersThatDiffer) {
  GgufWriter writer;
  writer.text("general.architecture", "jamba")
      .u32("jamba.block_count", 4)
      .u32("jamba.attention.head_count", 8)
      .u32("jamba.embedding_length", 64)
      .u32("jamba.attention.key_length", 32)
      .u32("jamba.attention.value_length", 16)
      .u32s("jamba.attention.head_count_kv", {0, 0, 2, 0});

  EXPECT_EQ(read_text(writer.file())->cache_numbers_per_token, 2 * (32 + 16));
}

TEST(Gguf, KnowsAnEmbeddingModelAndAPartOfASplitOne) {
  GgufWriter writer;
  writer.text("general.architecture", "bert")
      .u32("bert.pooling_type", 2)
      .u32("split.no", 1)
      .u32("split.count", 3);

  const auto header = read_text(writer.file());
  EXPECT_TRUE(header->makes_embeddings);
  EXPECT_EQ(header->split_number, 1);
  EXPECT_EQ(header->split_count, 3);
}

TEST(Gguf, ReadsVersionTwo) {
  GgufWriter writer(2);
  writer.text("general.architecture", "llama");
  EXPECT_EQ(read_text(writer.file())->version, 2u);
}

TEST(Gguf, SaysWhatAForeignFileIs) {
  EXPECT_EQ(read_text("PK\x03\x04zip").error().message,
            "is no GGUF file: it starts with \"PK\\x03\\x04\"; expected \"GGUF\". That is a ZIP "
            "archive or a PyTorch checkpoint: convert it with llama.cpp's convert_hf_to_gguf.py");
  EXPECT_THAT(read_text("version https://git-lfs").error().message, HasSubstr("git lfs pull"));
  EXPECT_THAT(read_text("<!DOCTYPE html>").error().message, HasSubstr("web page"));
  EXPECT_THAT(read_text(std::string("\x40\0\0\0\0\0\0\0{\"a\"", 12)).error().message,
              HasSubstr("safetensors"));
  EXPECT_EQ(read_text("").error().message, "is empty");
  EXPECT_EQ(read_text("GG").error().error, GgufError::not_gguf);
  EXPECT_EQ(read_text("\x1b[31mred").error().message,
            "is no GGUF file: it starts with \"\\x1b[31\"; expected \"GGUF\"");
}

TEST(Gguf, RefusesOtherVersionsAndByteOrders) {
  EXPECT_THAT(read_text(GgufWriter(1).file()).error().message, HasSubstr("GGUF version 1"));
  EXPECT_THAT(read_text(GgufWriter(0x03000000).file()).error().message, HasSubstr("big-endian"));
}

TEST(Gguf, NoticesEveryPlaceWhereADownloadCanBreakOff) {
  const std::string whole = tiny_model().file();
  for (std::size_t length = 4; length < whole.size(); ++length) {
    const auto header = read_text(whole.substr(0, length));
    ASSERT_FALSE(header) << "at " << length;
    EXPECT_EQ(header.error().error, GgufError::truncated) << "at " << length;
  }
}

TEST(Gguf, BelievesNoLength) {
  const auto with = [](std::uint32_t type, std::string_view bytes) {
    GgufWriter writer;
    writer.raw("k", type, bytes);
    return read_text(writer.file() + std::string(100, 'x'));
  };
  const std::string most(8, '\xff');
  EXPECT_EQ(with(8, most).error().error, GgufError::truncated);
  EXPECT_EQ(with(9, std::string("\x08\0\0\0", 4) + most).error().error, GgufError::truncated);
  EXPECT_EQ(with(9, std::string("\x0c\0\0\0", 4) + most).error().error, GgufError::truncated);
  EXPECT_EQ(with(77, "").error().error, GgufError::malformed);
  EXPECT_EQ(with(9, std::string("\x4d\0\0\0", 4) + most).error().error, GgufError::malformed);

  std::string many = "GGUF";
  GgufWriter::put(many, 3, 4);
  GgufWriter::put(many, ~0ull, 8);
  GgufWriter::put(many, 1, 8);
  EXPECT_EQ(read_text(many).error().error, GgufError::too_large);
}

TEST(Gguf, RefusesDeepNesting) {
  std::string nested;
  for (int i = 0; i < 6; ++i) {
    GgufWriter::put(nested, 9, 4);
    GgufWriter::put(nested, 1, 8);
  }
  GgufWriter writer;
  writer.raw("k", 9, nested);
  EXPECT_EQ(read_text(writer.file()).error().error, GgufError::too_large);
}

TEST(Gguf, RefusesTensorsBeyondAnyFileAndOddAlignment) {
  GgufWriter huge;
  huge.tensor("t", {1ull << 40, 1ull << 40});
  EXPECT_EQ(read_text(huge.header()).error().error, GgufError::truncated);
  GgufWriter odd;
  odd.u32("general.alignment", 3);
  EXPECT_EQ(read_text(odd.file()).error().error, GgufError::malformed);
}

TEST(Gguf, LeavesATensorTypeOfTheFutureOutOfTheLengthCheck) {
  GgufWriter writer = tiny_model();
  writer.tensor("new", {64}, 9999);
  EXPECT_TRUE(read_text(writer.file()));
}

TEST(GgufFile, ErrorsNameTheFileAndWhatToDo) {
  const auto folder = std::filesystem::temp_directory_path() / "claviger_gguf_test";
  std::filesystem::create_directories(folder);
  EXPECT_EQ(read_gguf_file(folder / "none.gguf").error().message,
            (folder / "none.gguf").string() +
                " cannot be opened: No such file or directory. Check the path and its "
                "permissions.");
  EXPECT_EQ(read_gguf_file(folder).error().message,
            folder.string() + " is no file but a folder. Give the .gguf file itself.");
  const auto fifo = folder / "fifo";
  ::mkfifo(fifo.c_str(), 0600);
  EXPECT_EQ(read_gguf_file(fifo).error().error, GgufError::not_gguf);
  std::ofstream(folder / "tiny.gguf", std::ios::binary) << tiny_model().file();
  EXPECT_TRUE(read_gguf_file(folder / "tiny.gguf"));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace claviger::local

#include "local/model_inspection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "local/available_memory.h"
#include "local/gguf_writer.h"

namespace claviger::local {
namespace {

using testing::GgufWriter;
using ::testing::HasSubstr;
using testing::tiny_model;

constexpr std::int64_t mebibyte = 1 << 20;
constexpr std::int64_t gibibyte = 1 << 30;

class Inspection : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/claviger_inspection_XXXXXX";
    folder_ = ::mkdtemp(name);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path write(const std::filesystem::path& name, const std::string& bytes) {
    std::filesystem::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
    return folder_ / name;
  }
  static auto look(const std::filesystem::path& path, const LocalModelOptions& options = {},
                   std::int64_t available = gibibyte) {
    return inspect_model_file(path, options, {4, 0}, available);
  }
  static GgufWriter adapter() {
    GgufWriter writer;
    writer.text("general.type", "adapter").text("general.architecture", "llama");
    writer.tensor("a", {4});
    return writer;
  }
  static GgufWriter part(std::uint32_t number, std::uint32_t count) {
    GgufWriter writer = number == 0 ? tiny_model() : GgufWriter();
    writer.u32("split.no", number).u32("split.count", count);
    if (number > 0) writer.tensor("blk." + std::to_string(number), {64});
    return writer;
  }
  std::filesystem::path folder_;
};

TEST_F(Inspection, CountsWeightsCacheAndWorkingMemory) {
  const auto path = write("tiny.gguf", tiny_model().file());
  const auto seen = look(path);

  ASSERT_TRUE(seen) << seen.error().message;
  EXPECT_EQ(seen->context_tokens, 2048);
  EXPECT_EQ(seen->need.weight_bytes, static_cast<std::int64_t>(std::filesystem::file_size(path)));
  // 2048 tokens × 4 slots × 128 numbers × 2 bytes.
  EXPECT_EQ(seen->need.cache_bytes, 2048 * 4 * 128 * 2);
  EXPECT_GT(seen->need.working_bytes, 64 * mebibyte);
  EXPECT_EQ(seen->fit, MemoryFit::fits);
  EXPECT_EQ(seen->summary,
            "needs about 69 MiB (weights 1 MiB, context of 2048 tokens for each of 4 requests "
            "at a time 2 MiB, working memory 67 MiB); 1.0 GiB are available here");
}

TEST_F(Inspection, JudgesAgainstTheMemoryThatIsThere) {
  const auto path = write("tiny.gguf", tiny_model().file());
  EXPECT_EQ(look(path, {}, 72 * mebibyte)->fit, MemoryFit::tight);
  EXPECT_EQ(look(path, {}, 60 * mebibyte)->fit, MemoryFit::does_not_fit);
  EXPECT_THAT(look(path, {}, 60 * mebibyte)->summary, HasSubstr("Choose a smaller context"));
  EXPECT_EQ(look(path, {}, 0)->fit, MemoryFit::unknown);
}

TEST_F(Inspection, TakesTheContextThatWasAskedForAndElseAModestOne) {
  GgufWriter writer;
  writer.text("general.architecture", "llama").u32("llama.context_length", 131'072);
  writer.tensor("t", {4});
  const auto path = write("long.gguf", writer.file());
  EXPECT_EQ(look(path)->context_tokens, context_tokens_default);
  LocalModelOptions options;
  options.context_tokens = 65'536;
  EXPECT_EQ(look(path, options)->context_tokens, 65'536);
}

TEST_F(Inspection, AbsurdNumbersDoNotFitInsteadOfWrappingAround) {
  GgufWriter writer;
  writer.text("general.architecture", "llama")
      .u32("llama.block_count", 0xffffffff)
      .u32("llama.attention.head_count", 0xffffffff)
      .u32("llama.attention.key_length", 0xffffffff)
      .u32("llama.embedding_length", 0xffffffff)
      .u32("llama.vocab_size", 0xffffffff);
  writer.tensor("t", {4});
  const auto seen = look(write("absurd.gguf", writer.file()), {}, 1ll << 50);
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->fit, MemoryFit::does_not_fit);
}

TEST_F(Inspection, RefusesCompanionsInAModelsPlaceAndModelsInACompanions) {
  const auto model = write("tiny.gguf", tiny_model().file());
  const auto lora = write("lora.gguf", adapter().file());
  GgufWriter vision;
  vision.text("general.architecture", "clip").tensor("v", {4});
  const auto projector = write("mmproj.gguf", vision.file());

  EXPECT_THAT(look(lora).error().message, HasSubstr("is a LoRA adapter, not a model"));
  EXPECT_THAT(look(projector).error().message, HasSubstr("is a vision projector, not a model"));
  LocalModelOptions options;
  options.lora_files = {lora};
  options.projector_file = projector;
  EXPECT_TRUE(look(model, options)) << look(model, options).error().message;
  options.lora_files = {model};
  EXPECT_EQ(look(model, options).error().error, InspectionError::wrong_companion);
  options.lora_files = {folder_ / "none.gguf"};
  EXPECT_EQ(look(model, options).error().error, InspectionError::unreadable);
  EXPECT_THAT(look(write("vocab.gguf", GgufWriter().text("general.architecture", "x").file()))
                  .error()
                  .message,
              HasSubstr("it has no tensors"));
}

TEST_F(Inspection, FindsTheOtherPartsOfASplitModel) {
  const auto first = write("m-00001-of-00003.gguf", part(0, 3).file());
  write("m-00002-of-00003.gguf", part(1, 3).file());
  EXPECT_EQ(look(first).error().error, InspectionError::part_missing);
  const auto third = write("m-00003-of-00003.gguf", part(2, 3).file());

  const auto seen = look(first);
  ASSERT_TRUE(seen) << seen.error().message;
  EXPECT_EQ(seen->split_files.size(), 2u);
  EXPECT_EQ(seen->split_files[1], third);
  EXPECT_EQ(seen->parameters, 64 * 3 + 64 + 64 + 64);
  EXPECT_THAT(look(third).error().message, HasSubstr("is part 3 of 3: give the first part"));
  EXPECT_THAT(look(write("renamed.gguf", part(0, 3).file())).error().message,
              HasSubstr("found by name"));
}

TEST_F(Inspection, RunsAnEmbeddingModelAsOne) {
  GgufWriter writer;
  writer.text("general.architecture", "bert").u32("bert.pooling_type", 1).tensor("t", {4});
  EXPECT_EQ(look(write("e.gguf", writer.file()))->purpose, ModelPurpose::embed);
}

TEST_F(Inspection, SeesTheMemoryThatACgroupLeaves) {
  write("proc/meminfo", "MemTotal: 9000000 kB\nMemAvailable:    4194304 kB\n");
  EXPECT_EQ(available_memory_bytes(folder_), 4 * gibibyte);
  write("proc/self/cgroup", "1:name=systemd:/x\n0::/a.slice/b.service\n");
  write("sys/fs/cgroup/a.slice/b.service/memory.max", "max\n");
  write("sys/fs/cgroup/a.slice/memory.max", "1073741824\n");
  write("sys/fs/cgroup/a.slice/memory.current", "536870912\n");
  write("sys/fs/cgroup/a.slice/memory.stat", "anon 5\ninactive_file 104857600\n");
  EXPECT_EQ(available_memory_bytes(folder_), gibibyte / 2 + 100 * mebibyte);
  EXPECT_EQ(available_memory_bytes(folder_ / "nowhere"), 0);
  EXPECT_GT(available_memory_bytes(), 0);
}

TEST(MemoryText, IsForPeople) {
  EXPECT_EQ(memory_text(1), "1 MiB");
  EXPECT_EQ(memory_text(512 * mebibyte), "512 MiB");
  EXPECT_EQ(memory_text(gibibyte), "1.0 GiB");
  EXPECT_EQ(memory_text(gibibyte + gibibyte / 4), "1.3 GiB");
}

}  // namespace
}  // namespace claviger::local

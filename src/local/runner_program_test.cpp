#include "local/runner_program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <map>

#include "local/output_tail.h"

namespace claviger::local {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Not;

class FindRunner : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/claviger_program_XXXXXX";
    folder_ = ::mkdtemp(name);
    environment_["HOME"] = folder_ / "home";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path make(const std::filesystem::path& name) {
    std::filesystem::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << "program";
    ::chmod((folder_ / name).c_str(), 0755);
    return folder_ / name;
  }
  auto find(const std::filesystem::path& configured = {}) {
    return find_runner(configured, [this](const char* name) -> std::optional<std::string> {
      const auto found = environment_.find(name);
      return found == environment_.end() ? std::nullopt : std::optional(found->second);
    });
  }
  std::filesystem::path folder_;
  std::map<std::string, std::string> environment_;
};

TEST_F(FindRunner, LooksWhereItWasToldThenOnThePathThenInTheCache) {
  EXPECT_THAT(find().error(), HasSubstr("tools/quickstart"));
  const auto built = make("home/.cache/claviger/runner/llama-server");
  EXPECT_EQ(find(), built);
  const auto installed = make("bin/llama-server");
  environment_["PATH"] =
      "::relative:" + (folder_ / "none").string() + ":" + installed.parent_path().string();
  EXPECT_EQ(find(), installed);
  const auto named = make("named");
  environment_["CLAVIGER_RUNNER"] = named;
  EXPECT_EQ(find(), named);
  const auto configured = make("configured");
  EXPECT_EQ(find(configured), configured);
}

TEST_F(FindRunner, DoesNotLookFurtherWhereANamedPlaceIsWrong) {
  environment_["PATH"] = make("bin/llama-server").parent_path();
  EXPECT_THAT(find("/nowhere/llama-server").error(), HasSubstr("local.runner_path names"));
  environment_["CLAVIGER_RUNNER"] = folder_;
  EXPECT_THAT(find().error(), HasSubstr("CLAVIGER_RUNNER names"));
}

LocalModel rich_model() {
  LocalModel model;
  model.name = "rich";
  model.path = "/secret/place/rich-00001-of-00002.gguf";
  model.context_tokens = 2048;
  model.options.split_files = {"/secret/place/rich-00002-of-00002.gguf"};
  model.options.lora_files = {"/secret/a.gguf", "/secret/b,c.gguf"};
  model.options.projector_file = "/secret/mmproj.gguf";
  model.options.chat_template_file = "/secret/t.jinja";
  model.options.threads = 3;
  return model;
}

std::string value_of(const std::vector<std::string>& arguments, const std::string& flag) {
  const auto found = std::ranges::find(arguments, flag);
  if (found == arguments.end() || found + 1 == arguments.end()) return "(none)";
  return *(found + 1);
}

TEST(RunnerArguments, NameFilesAsTheRunnerSeesThem) {
  const auto arguments = runner_arguments(rich_model(), {});
  EXPECT_THAT(arguments, Each(Not(HasSubstr("/"))));
  EXPECT_EQ(value_of(arguments, "--model"), "model-00001-of-00002.gguf");
  EXPECT_EQ(value_of(arguments, "--lora"), "lora-0.gguf,lora-1.gguf");
  EXPECT_EQ(value_of(arguments, "--mmproj"), "projector.gguf");
  EXPECT_EQ(value_of(arguments, "--chat-template-file"), "template.jinja");
  EXPECT_EQ(value_of(arguments, "--threads"), "3");
}

TEST(RunnerArguments, GiveEachSlotTheContextThatWasPromised) {
  RunnerTuning tuning;
  tuning.request_slots = 3;
  const auto arguments = runner_arguments(rich_model(), tuning);
  EXPECT_EQ(value_of(arguments, "--parallel"), "3");
  EXPECT_EQ(value_of(arguments, "--ctx-size"), "6144");
  EXPECT_THAT(arguments, Contains("--no-kv-unified"));
}

TEST(RunnerArguments, OfAnEmbeddingModelTakeATextInOnePiece) {
  LocalModel model;
  model.context_tokens = 512;
  EXPECT_THAT(runner_arguments(model, {}), Not(Contains("--embeddings")));
  model.options.purpose = ModelPurpose::embed;
  const auto arguments = runner_arguments(model, {});
  EXPECT_THAT(arguments, Contains("--embeddings"));
  EXPECT_EQ(value_of(arguments, "--ubatch-size"), "512");
}

TEST(OutputTail, KeepsTheCauseAndTheConsequence) {
  OutputTail tail;
  EXPECT_EQ(tail.last_words(), "");
  tail.add("0.00.002.380 I srv  llama_server: initializing ...\n.....\n\n");
  tail.add("0.00.002.380 E llama_model_load: error ");
  tail.add("loading\x1b[0m model\nno newline");
  EXPECT_EQ(tail.last_words(), "llama_model_load: error loading?[0m model | no newline");
  for (int i = 0; i < 100'000; ++i) tail.add("line\n");
  tail.add("exiting\n");
  EXPECT_EQ(tail.last_words(),
            "llama_model_load: error loading?[0m model | no newlineline | exiting");
  tail.add(std::string(1'000'000, 'x'));
  EXPECT_LT(tail.last_words().size(), 3 * OutputTail::line_bytes_max + 10);
}

TEST(OutputTail, KeepsNothingThatMayQuoteARequest) {
  OutputTail tail;
  tail.add("loading\n");
  tail.is_serving();
  tail.add("0.03.722.918 W srv    operator(): got exception: unrecognized type PLANTED\n");
  tail.add("  what():  PLANTED\n");
  EXPECT_EQ(tail.last_words(), "");
  tail.add("ggml.c:77: GGML_ASSERT(a == b) failed\nPLANTED");
  EXPECT_EQ(tail.last_words(), "ggml.c:77: GGML_ASSERT(a == b) failed");
}

}  // namespace
}  // namespace claviger::local

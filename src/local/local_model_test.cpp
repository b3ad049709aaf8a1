#include "local/local_model.h"

#include <gtest/gtest.h>

namespace claviger::local {
namespace {

TEST(ModelName, DropsExtensionPartNumberAndQuantisation) {
  EXPECT_EQ(model_name_from("/x/SmolLM2-135M-Instruct.Q4_1.gguf"), "smollm2-135m-instruct");
  EXPECT_EQ(model_name_from("Qwen3-8B-UD-Q4_K_XL.gguf"), "qwen3-8b");
  EXPECT_EQ(model_name_from("Grok-100B-v1.0-Q4_0-00001-of-00009.gguf"), "grok-100b-v1.0");
  EXPECT_EQ(model_name_from("gpt-oss-20b-MXFP4.GGUF"), "gpt-oss-20b");
  EXPECT_EQ(model_name_from("phi-4.i1-IQ2_XXS.gguf"), "phi-4");
  EXPECT_EQ(model_name_from("bge-small-en-v1.5.f16.gguf"), "bge-small-en-v1.5");
}

TEST(ModelName, KeepsWordsThatOnlyResembleAQuantisation) {
  EXPECT_EQ(model_name_from("qwen.gguf"), "qwen");
  EXPECT_EQ(model_name_from("my-q.gguf"), "my-q");
  EXPECT_EQ(model_name_from("quest-q3lite.gguf"), "quest-q3lite");
}

TEST(ModelName, IsAlwaysAName) {
  for (const char* file : {"", ".gguf", "Ünï cödé (1).gguf", "---.gguf", "../..", "a b\nc.gguf"}) {
    EXPECT_TRUE(is_model_name(model_name_from(file))) << file << " → " << model_name_from(file);
  }
  EXPECT_TRUE(is_model_name(model_name_from(std::string(4000, 'x') + ".gguf")));
  EXPECT_EQ(model_name_from("a b  (c).gguf"), "a-b-c");
}

TEST(ModelName, CannotLeaveAFolder) {
  EXPECT_FALSE(is_model_name(".."));
  EXPECT_FALSE(is_model_name("a/b"));
  EXPECT_FALSE(is_model_name("-rf"));
  EXPECT_FALSE(is_model_name(""));
  EXPECT_FALSE(is_model_name("UPPER"));
}

LocalModelOptions everything() {
  LocalModelOptions options;
  options.context_tokens = 4096;
  options.threads = 3;
  options.purpose = ModelPurpose::embed;
  options.chat_template = "chatml";
  options.lora_files = {"/m/a,b.gguf", "/m/\"quoted\".gguf"};
  options.projector_file = "/m/mmproj.gguf";
  options.split_files = {"/m/x-00002-of-00002.gguf"};
  return options;
}

TEST(ModelOptions, SurviveJson) {
  EXPECT_EQ(options_from_json(to_json(everything())), everything());
  LocalModelOptions with_file;
  with_file.chat_template_file = "/t/\xff\xfe.jinja";  // Not UTF-8, and legal on Linux.
  EXPECT_EQ(options_from_json(to_json(with_file)), with_file);
}

TEST(ModelOptions, OfAPlainModelAreAnEmptyObject) {
  EXPECT_EQ(to_json({}), "{}");
  EXPECT_EQ(options_from_json("{}"), LocalModelOptions{});
}

TEST(ModelOptions, RefuseWhatTheyDoNotKnow) {
  EXPECT_EQ(options_from_json(R"({"contextt":1})").error(), "\"contextt\" is no option of a model");
  EXPECT_EQ(options_from_json(R"({"threads":"4"})").error(), "\"threads\" is not a whole number");
  EXPECT_EQ(options_from_json(R"({"lora_files":"/a"})").error(),
            "\"lora_files\" is not a list of files");
  EXPECT_FALSE(options_from_json("[]"));
  EXPECT_FALSE(options_from_json("{"));
  EXPECT_FALSE(options_from_json(R"({"purpose":"sing"})"));
  EXPECT_FALSE(options_from_json(std::string(options_json_bytes_max + 1, ' ')));
}

TEST(ModelOptions, RefuseContradictionsAndBoundsWhereverTheyComeFrom) {
  EXPECT_FALSE(options_from_json(R"({"context_tokens":1})"));
  EXPECT_FALSE(options_from_json(R"({"context_tokens":99999999999})"));
  EXPECT_FALSE(options_from_json(R"({"threads":-3})"));
  EXPECT_FALSE(options_from_json(R"({"threads":4294967297})"));
  EXPECT_FALSE(options_from_json(R"({"chat_template":"a","chat_template_file":"/b"})"));
  EXPECT_FALSE(options_from_json(R"({"chat_template":"{{ evil }}"})"));
  EXPECT_FALSE(options_from_json(R"({"projector_file":"relative.gguf"})"));
}

TEST(LocalModel, UsesItsOwnContextUnlessOptionsSayOtherwise) {
  LocalModel model;
  model.context_tokens = 8192;
  EXPECT_EQ(model.context_tokens_in_use(), 8192);
  model.options.context_tokens = 512;
  EXPECT_EQ(model.context_tokens_in_use(), 512);
}

}  // namespace
}  // namespace claviger::local

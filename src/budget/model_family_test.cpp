#include "budget/model_family.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <string>

#include "budget/part_cost.h"

namespace claviger::budget {
namespace {

using exchange::ImageDetail;
using exchange::InputImage;

TEST(ModelFamily, ATokenizerIsCertainOnlyWhereItsAuthorSaysSo) {
  using enum KnownTokenizer;
  const auto known = [](std::string_view model) { return family_of("openai", model).tokenizer; };
  for (const char* model : {"gpt-4o", "gpt-4o-mini-2024-07-18", "gpt-4.1-nano", "gpt-5", "gpt-5-4",
                            "o1-pro", "o3", "o4-mini", "chatgpt-4o-latest"}) {
    EXPECT_EQ(known(model), o200k_base) << model;
  }
  for (const char* model : {"gpt-4", "gpt-4-0613", "gpt-4-turbo-preview", "gpt-3.5-turbo-16k",
                            "text-embedding-3-large"}) {
    EXPECT_EQ(known(model), cl100k_base) << model;
  }
  for (const char* model : {"gpt-6", "gpt-40", "davinci", "ft:gpt-4o:me", ""}) {
    EXPECT_EQ(known(model), not_certain) << model;
  }
  EXPECT_EQ(family_of("openrouter", "openai/gpt-4o").tokenizer, not_certain);
  EXPECT_EQ(family_of("openai-compatible", "gpt-4o").tokenizer, not_certain);
  EXPECT_EQ(family_of("openrouter", "openai/gpt-4o").form, tokenize::NormalForm::any);
}

TEST(ModelFamily, EveryRowHasItsSourceAndNoTwoAreTheSame) {
  std::set<std::string> seen;
  for (const ModelFamily& family : model_families()) {
    EXPECT_FALSE(family.source.empty()) << family.model_prefix;
    EXPECT_TRUE(
        seen.insert(std::string(family.provider) + "/" + std::string(family.model_prefix)).second);
  }
}

std::int64_t tokens(std::string_view provider, std::string_view model, std::uint32_t width,
                    std::uint32_t height, ImageDetail detail = ImageDetail::high) {
  const auto found = image_tokens_max({.width_px = width, .height_px = height, .detail = detail},
                                      family_of(provider, model));
  return found.value_or(-1);
}

/// The examples of platform.openai.com/docs/guides/images-vision, "Calculating costs" (2026-11).
TEST(ImageTokens, AreTheDocumentedOnesForTiles) {
  EXPECT_EQ(tokens("openai", "gpt-4o", 1024, 1024), 765);
  EXPECT_EQ(tokens("openai", "gpt-4o", 2048, 4096), 1105);
  EXPECT_EQ(tokens("openai", "gpt-4o", 4096, 8192, ImageDetail::low), 85);
  EXPECT_EQ(tokens("openai", "gpt-4o-mini", 512, 512), 2833 + 5667);
  EXPECT_EQ(tokens("openai", "gpt-4o", 0, 0), 85 + 8 * 170);
}

/// Measured bills (https://community.openai.com/t/1281361, /1377015, 2026-03;
/// https://huggingface.co/datasets/JOHNISKING/image-token-cost, 2026-11) never exceed the bound.
TEST(ImageTokens, CoverWhatWasBilled) {
  EXPECT_GE(tokens("openai", "gpt-4.1-mini", 4000, 1474), 2488);
  EXPECT_GE(tokens("openai", "gpt-5-4-mini", 4032, 3024), 11'868);
  EXPECT_GE(tokens("openai", "gpt-5-5", 256, 256), 77);
  EXPECT_GE(tokens("anthropic", "claude-haiku-4-5", 1024, 1024), 1434 - 65);
  EXPECT_GE(tokens("anthropic", "claude-opus-5-5", 256, 256), 100);
  EXPECT_GE(tokens("anthropic", "claude-opus-5-5", 1920, 1080), 2768 - 77);
  EXPECT_GE(tokens("anthropic", "claude-opus-5-5", 4032, 3024), 4005 - 77);
  EXPECT_GE(tokens("google", "gemini-3-flash", 4032, 3024), 1101);
  EXPECT_GE(tokens("google", "gemini-2.5-flash", 384, 384), 258);
  EXPECT_GE(tokens("google", "gemini-2.5-flash", 960, 540), 6 * 258);
}

TEST(ImageTokens, WithoutAFormulaThereIsNoNumber) {
  EXPECT_EQ(tokens("openrouter", "x", 10, 10), -1);
  EXPECT_EQ(tokens("openai", "gpt-3.5-turbo", 10, 10), -1);
  EXPECT_EQ(tokens("anthropic", "claude-opus-9", 0, 0), -1);
}

TEST(ImageTokens, AHeaderThatLiesAboutItsSizeOverflowsNothing) {
  for (const ModelFamily& family : model_families()) {
    std::mt19937 random(7);
    for (int i = 0; i < 200; ++i) {
      const InputImage image{.width_px = static_cast<std::uint32_t>(random() >> random() % 32),
                             .height_px = static_cast<std::uint32_t>(random() >> random() % 32)};
      EXPECT_GE(image_tokens_max(image, family).value_or(0), 0);
    }
    EXPECT_GE(
        image_tokens_max({.width_px = 0xFFFFFFFF, .height_px = 0xFFFFFFFF}, family).value_or(0), 0);
  }
}

TEST(PartTokens, AreTheSumOfWhatHasAFormulaOrNothing) {
  exchange::InputParts parts;
  parts.add_image({.width_px = 100, .height_px = 100});
  parts.audio_count = 1;
  parts.audio_ms_max = 60'000;
  const auto& gemini = family_of("google", "gemini-2.5-pro");
  EXPECT_EQ(part_tokens_max(parts, gemini)->images, 8 + 258);
  EXPECT_EQ(part_tokens_max(parts, gemini)->audio, 1 + 60 * 32);
  parts.documents = 1;
  EXPECT_EQ(part_tokens_max(parts, gemini)->documents, 258'000);
  EXPECT_EQ(part_tokens_max(parts, family_of("openai", "gpt-4o")), std::nullopt);
  parts.documents = 0;
  parts.unseen = 1;
  EXPECT_EQ(part_tokens_max(parts, gemini), std::nullopt);
}

}  // namespace
}  // namespace claviger::budget

#include "tokenize/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "tokenize/expansion.h"

namespace claviger::tokenize {
namespace {

using testing::ElementsAre;

std::vector<std::uint32_t> tokens(const Tokenizer& tokenizer, std::string_view text) {
  Scratch scratch;
  std::vector<std::uint32_t> result;
  EXPECT_TRUE(tokenizer.encode(text, scratch, result).is_exact);
  return result;
}

std::int64_t count(const Tokenizer& tokenizer, std::string_view text) {
  Scratch scratch;
  return tokenizer.count(text, scratch).tokens;
}

/// A few that people know by heart; the comparison with the reference is in test/tokenizers.
TEST(Tokenizer, MakesTheTokensThatEverybodyKnows) {
  EXPECT_THAT(tokens(Tokenizer::cl100k_base(), "hello world"), ElementsAre(15339, 1917));
  EXPECT_THAT(tokens(Tokenizer::cl100k_base(), "tiktoken is great!"),
              ElementsAre(83, 1609, 5963, 374, 2294, 0));
  EXPECT_THAT(tokens(Tokenizer::o200k_base(), "hello world"), ElementsAre(24912, 2375));
  EXPECT_THAT(tokens(Tokenizer::o200k_base(), ""), ElementsAre());
}

TEST(Tokenizer, EveryByteIsAToken) {
  for (const Tokenizer* tokenizer : {&Tokenizer::o200k_base(), &Tokenizer::cl100k_base()}) {
    for (int byte = 0; byte < 256; ++byte) {
      const char text = static_cast<char>(byte);
      EXPECT_LT(tokenizer->vocabulary().rank_of({&text, 1}), 256u) << byte;
    }
    EXPECT_EQ(tokenizer->vocabulary().rank_of("no such token, surely"), Vocabulary::none);
  }
}

TEST(Tokenizer, APieceWithoutEndIsCountedByItsBytes) {
  Scratch scratch;
  const std::string run(piece_bytes_max + 1, 'a');
  const TokenCount counted = Tokenizer::o200k_base().count(run, scratch);
  EXPECT_FALSE(counted.is_exact);
  EXPECT_EQ(counted.tokens, static_cast<std::int64_t>(run.size()));
  EXPECT_TRUE(Tokenizer::o200k_base().count(run.substr(1), scratch).is_exact);
}

std::string hostile_text(std::mt19937& random) {
  constexpr const char* pieces[] = {"hello ",   "World's ", " the",   "\n\n", "   ",  "\t",
                                    "123456",   "中文",     "\u0301", "😀",   "'re",  "don't",
                                    ".",        "!?/",      "É",      "ﷺ",    "a",    "B",
                                    "\xC2\xA0", "_",        "x\n",    "ſ",    "\xFF", "日 "};
  std::string text;
  const std::size_t count = random() % 20;
  for (std::size_t i = 0; i < count; ++i) text += pieces[random() % std::size(pieces)];
  return text;
}

TEST(Tokenizer, NeverMakesMoreTokensThanBytes) {
  std::mt19937 random(20261126);
  for (int i = 0; i < 5000; ++i) {
    const std::string text = hostile_text(random);
    for (const Tokenizer* tokenizer : {&Tokenizer::o200k_base(), &Tokenizer::cl100k_base()}) {
      ASSERT_LE(count(*tokenizer, text), static_cast<std::int64_t>(text.size())) << text;
    }
  }
}

TEST(Tokenizer, ACountForAnyContextHoldsInEveryContext) {
  std::mt19937 random(20261127);
  Scratch scratch;
  for (int i = 0; i < 5000; ++i) {
    const std::string before = hostile_text(random);
    const std::string text = hostile_text(random);
    const std::string after = hostile_text(random);
    for (const Tokenizer* tokenizer : {&Tokenizer::o200k_base(), &Tokenizer::cl100k_base()}) {
      const std::int64_t most = tokenizer->count_in_any_context(before, scratch).tokens +
                                tokenizer->count_in_any_context(text, scratch).tokens +
                                tokenizer->count_in_any_context(after, scratch).tokens;
      ASSERT_LE(count(*tokenizer, before + text + after), most)
          << before << "|" << text << "|" << after;
    }
  }
}

TEST(Tokenizer, CountingInStepsIsCounting) {
  std::mt19937 random(20261128);
  Scratch scratch;
  for (int i = 0; i < 2000; ++i) {
    const std::string text = hostile_text(random);
    TokenCount total;
    std::size_t at = 0;
    while (at < text.size()) {
      const std::size_t next =
          Tokenizer::o200k_base().count_step(text, at, 1 + random() % 9, scratch, total);
      ASSERT_GT(next, at);
      at = next;
    }
    ASSERT_EQ(total.tokens, count(Tokenizer::o200k_base(), text)) << text;
  }
}

TEST(Tokenizer, AWordInAnyContextIsItsBytesAndASentenceIsNot) {
  Scratch scratch;
  const auto& tokenizer = Tokenizer::o200k_base();
  EXPECT_EQ(tokenizer.count_in_any_context("hello", scratch).tokens, 5);
  const std::string sentence = "It is a truth universally acknowledged that a single man wants.";
  EXPECT_LT(tokenizer.count_in_any_context(sentence, scratch).tokens, 24);
}

TEST(NormalForm, WhatMostPeopleWriteIsItsBytes) {
  for (const std::string_view text :
       {"plain ASCII", "Größe déjà señor", "Съешь же ещё", "我能吞下玻璃", "いろはにほへとカタカナ",
        "나는 유리를", "שלום", "สวัส", "😀👍🏽"}) {
    EXPECT_EQ(normalised_bytes_max(text, NormalForm::any), static_cast<std::int64_t>(text.size()))
        << text;
  }
}

TEST(NormalForm, WhatGrowsIsCountedAtItsWorst) {
  EXPECT_EQ(normalised_bytes_max("\uFDFA", NormalForm::any), 33);
  EXPECT_EQ(normalised_bytes_max("\uFDFA", NormalForm::nfc), 9);
  EXPECT_EQ(normalised_bytes_max("\uFDFA", NormalForm::none), 3);
  EXPECT_EQ(normalised_bytes_max(R"("\ufdfa")", NormalForm::any), 2 + 33);
  EXPECT_EQ(normalised_bytes_max(R"(\ud834\udd60)", NormalForm::any), 44);
  EXPECT_EQ(normalised_bytes_max(R"(\u0041)", NormalForm::any), 6);
  EXPECT_EQ(normalised_bytes_max(R"(\\ufdfa)", NormalForm::any), 7);
  EXPECT_EQ(normalised_bytes_max("\\", NormalForm::any), 1);
  EXPECT_EQ(normalised_bytes_max("\\u12", NormalForm::any), 4);
}

}  // namespace
}  // namespace claviger::tokenize

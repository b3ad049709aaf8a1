#include "fault/loop_watch.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace claviger::fault {
namespace {

bool loops(std::string_view text) {
  LoopWatch watch;
  watch.take(text);
  return watch.loops();
}

std::string repeated(std::string_view words, int times) {
  std::string text;
  for (int i = 0; i < times; ++i) text += words;
  return text;
}

std::string words_of_a_period(int period, int words) {
  std::string text;
  for (int i = 0; i < words; ++i) text += "word" + std::to_string(i % period) + ' ';
  return text;
}

TEST(LoopWatchTest, EveryPeriodUpToThirtyTwoWordsIsSeen) {
  for (int period = 1; period <= 32; ++period) {
    const int repeated = std::max(96, 8 * period);
    const int certain = (repeated + 31) / 32 * 32 + 31;
    for (int before = 0; before < 40; ++before) {
      std::string prose;
      for (int i = 0; i < before; ++i) prose += "prose" + std::to_string(i) + ' ';
      EXPECT_TRUE(loops(prose + words_of_a_period(period, period + certain)))
          << period << ' ' << before;
      EXPECT_FALSE(loops(prose + words_of_a_period(period, period + repeated - 1)))
          << period << ' ' << before;
    }
  }
  EXPECT_FALSE(loops(words_of_a_period(33, 4000)));
}

TEST(LoopWatchTest, HowTheTextIsCutMakesNoDifference) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  const std::string text =
      "It begins well.\n" + repeated("und so weiter – 等等等, e così via ", 60);
  ASSERT_TRUE(loops(text));
  for (int round = 0; round < 200; ++round) {
    // Where it begins to loop is the same whole and in pieces.
    const std::size_t length = random() % text.size();
    const std::string_view part = std::string_view(text).substr(0, length);
    LoopWatch watch;
    for (std::size_t at = 0; at < length;) {
      const std::size_t piece = 1 + random() % 13;
      watch.take(part.substr(at, piece));
      at += piece;
    }
    EXPECT_EQ(watch.loops(), loops(part)) << length;
  }
}

TEST(LoopWatchTest, WhateverLoopsHasWordsEnoughToBeLookedAt) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  const std::vector<std::string> words = {"na", "und", "\t", "  ", "等", "così", "a", "\n", "ก"};
  int looped = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string period;
    for (std::size_t i = 0; i < 1 + random() % 6; ++i) {
      period += words[random() % words.size()];
      if (random() % 2 == 0) period += ' ';
    }
    const std::string text = repeated(period, static_cast<int>(random() % 200));
    if (!loops(text)) continue;
    ++looped;
    EXPECT_TRUE(LoopWatch::may_loop(text)) << text;
  }
  EXPECT_GT(looped, 100);
  EXPECT_FALSE(LoopWatch::may_loop(repeated("word ", 94)));
  EXPECT_TRUE(LoopWatch::may_loop(repeated("word ", 96)));
}

TEST(LoopWatchTest, ProseAndListsDoNotLoop) {
  std::string list;
  for (int i = 0; i < 400; ++i) list += "- item " + std::to_string(i) + " is fine\n";
  EXPECT_FALSE(loops(list));
  EXPECT_FALSE(loops(repeated("na ", 90)));
  std::string table;
  for (int i = 0; i < 400; ++i) table += "| " + std::to_string(i * i) + " | yes | no |\n";
  EXPECT_FALSE(loops(table));
  EXPECT_FALSE(loops(std::string(100'000, 'a')));
  EXPECT_FALSE(loops(std::string(100'000, ' ')));
}

TEST(LoopWatchTest, ScriptsWithoutBlanksAreWatchedByCharacter) {
  EXPECT_TRUE(loops(repeated("我不知道。", 60)));
  EXPECT_TRUE(loops(repeated("すみません、", 60)));
  EXPECT_FALSE(loops("天地玄黃宇宙洪荒日月盈昃辰宿列張寒來暑往秋收冬藏閏餘成歲律呂調陽"));
}

}  // namespace
}  // namespace claviger::fault

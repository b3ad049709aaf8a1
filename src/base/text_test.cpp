#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

#include "base/ascii.h"
#include "base/find_quoted.h"
#include "base/name_index.h"

namespace claviger {
namespace {

struct Row {
  std::string_view name;
  int value;
};
constexpr Row rows[] = {{"a", 1}, {"ab", 2}, {"ba", 3}, {"prompt_tokens", 4}, {"prompt_tokenz", 5}};

TEST(NameIndexTest, FindsEveryNameAndNothingElse) {
  constexpr auto index = index_by<&Row::name>(rows);
  for (const Row& row : rows) EXPECT_EQ(rows[index.find(row.name)].value, row.value) << row.name;
  for (const std::string_view name : {"", "b", "abc", "prompt_token", "prompt_tokens ", "PROMPT"}) {
    EXPECT_FALSE(index.contains(name)) << name;
  }
}

TEST(NameIndexTest, NamesThatShareASlotAreToldApart) {
  // First, quarter, middle and last byte and the length are equal: nothing but the text differs.
  constexpr Row alike[] = {{"x1x2x3x4x", 1}, {"x1x2x5x4x", 2}, {"x1x2x6x4x", 3}};
  constexpr auto index = index_by<&Row::name>(alike);
  for (const Row& row : alike) EXPECT_EQ(alike[index.find(row.name)].value, row.value);
  EXPECT_FALSE(index.contains("x1x2x7x4x"));
}

TEST(AsciiTest, OneByteAboveItIsSeenWhereverItStands) {
  for (std::size_t size = 0; size < 200; ++size) {
    std::string text(size, 'a');
    EXPECT_TRUE(is_ascii(text)) << size;
    for (std::size_t at = 0; at < size; ++at) {
      text[at] = '\x80';
      EXPECT_FALSE(is_ascii(text)) << size << ' ' << at;
      text[at] = '\x7F';
    }
  }
}

TEST(FindQuotedTest, FindsWhatFindDoesWhereverItStands) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  constexpr std::string_view bytes = "\"\"\"ab";
  for (int round = 0; round < 20'000; ++round) {
    std::string text(random() % 90, ' ');
    for (char& byte : text) byte = bytes[random() % bytes.size()];
    for (const std::string_view wanted : {"\"a\"", "\"ab\"", "\"b\"", "\"aaba\""}) {
      ASSERT_EQ(find_quoted(text, wanted), text.find(wanted)) << text << " for " << wanted;
    }
  }
  EXPECT_EQ(find_quoted("", "\"a\""), std::string_view::npos);
}

}  // namespace
}  // namespace claviger

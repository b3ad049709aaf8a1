#include "exchange/sse.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace claviger::exchange {
namespace {

/// The events of a stream that arrives in pieces that end at `cuts`.
std::vector<std::string> events_of(std::string_view stream, const std::vector<std::size_t>& cuts) {
  std::vector<std::string> events;
  std::string pending;
  std::size_t searched = 0;
  std::size_t from = 0;
  for (const std::size_t cut : cuts) {
    pending += stream.substr(from, cut - from);
    from = cut;
    while (const std::size_t length = event_length(pending, searched)) {
      events.push_back(pending.substr(0, length));
      pending.erase(0, length);
      searched = 0;
    }
  }
  return events;
}

std::size_t whole_length(std::string_view bytes) {
  std::size_t searched = 0;
  return event_length(bytes, searched);
}

TEST(Sse, AnEventEndsWithItsBlankLine) {
  EXPECT_EQ(whole_length("data: a\n\ndata: b\n\n"), 9u);
  EXPECT_EQ(whole_length("data: a\r\n\r\ndata: b"), 11u);
  EXPECT_EQ(whole_length("data: a\r\rdata: b"), 9u);
  EXPECT_EQ(whole_length("data: a\r\n\nx"), 10u);
  EXPECT_EQ(whole_length(": ping\n\n"), 8u);
  EXPECT_EQ(whole_length("\ndata"), 1u);
}

TEST(Sse, AnEventThatIsNotWholeYetIsNone) {
  EXPECT_EQ(whole_length(""), 0u);
  EXPECT_EQ(whole_length("data: a"), 0u);
  EXPECT_EQ(whole_length("data: a\n"), 0u);
  EXPECT_EQ(whole_length("data: a\r\n"), 0u);
}

TEST(Sse, ACarriageReturnAtTheEndMayStillGetItsLineFeed) {
  std::size_t searched = 0;
  EXPECT_EQ(event_length("data: a\r\n\r", searched), 0u);
  EXPECT_EQ(event_length("data: a\r\n\r\n", searched), 11u);
}

TEST(Sse, WhatWasSearchedIsNotSearchedAgain) {
  const std::string long_line = "data: " + std::string(100'000, 'x');
  std::size_t searched = 0;
  EXPECT_EQ(event_length(long_line, searched), 0u);
  EXPECT_EQ(searched, long_line.size());
  EXPECT_EQ(event_length(long_line + "\n\n", searched), long_line.size() + 2);
}

TEST(Sse, AnyCuttingGivesTheSameEvents) {
  constexpr unsigned seed = 20260723;
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  constexpr std::string_view pieces[] = {
      "data: x", "data:{\"a\":1}", ": c", "event: e", "\n", "\r\n", "\r", "\n\n", "\r\n\r\n", ""};
  for (int round = 0; round < 2'000; ++round) {
    std::string stream;
    for (int i = 0; i < 12; ++i) stream += pieces[random() % std::size(pieces)];
    stream += "\ndata: end\n\n";
    std::vector<std::size_t> cuts;
    for (std::size_t at = 0; at < stream.size();) {
      at = std::min<std::size_t>(stream.size(), at + 1 + random() % 5);
      cuts.push_back(at);
    }
    ASSERT_EQ(events_of(stream, cuts), events_of(stream, {stream.size()})) << "round " << round;
  }
}

TEST(Sse, DataInOneLineIsNotCopied) {
  const std::string event = "event: message\ndata: {\"a\":1}\nid: 7\n\n";
  std::string joined;
  const std::string_view data = event_data(event, joined);
  EXPECT_EQ(data, "{\"a\":1}");
  EXPECT_GE(data.data(), event.data());
  EXPECT_LT(data.data(), event.data() + event.size());
  EXPECT_TRUE(joined.empty());
}

TEST(Sse, DataInSeveralLinesIsJoinedByLineFeeds) {
  std::string joined;
  EXPECT_EQ(event_data("data: a\r\ndata\r\ndata:b\r\n\r\n", joined), "a\n\nb");
}

TEST(Sse, OnlyOneSpaceBelongsToTheField) {
  std::string joined;
  EXPECT_EQ(event_data("data:  a\n\n", joined), " a");
  EXPECT_EQ(event_data("data:a\n\n", joined), "a");
}

TEST(Sse, CommentsAndOtherFieldsHoldNoData) {
  std::string joined;
  EXPECT_EQ(event_data(": OPENROUTER PROCESSING\n\n", joined), "");
  EXPECT_EQ(event_data("id: 1\nretry: 5\ndatas: x\n\n", joined), "");
}

TEST(Sse, AByteOrderMarkIsNoPartOfTheFirstField) {
  std::string joined;
  EXPECT_EQ(event_data("\xEF\xBB\xBF"
                       "data: a\n\n",
                       joined),
            "a");
}

TEST(Sse, TheLastEventLineNamesTheType) {
  EXPECT_EQ(event_type("event: a\nevent: error\ndata: x\n\n"), "error");
  EXPECT_EQ(event_type("data: x\n\n"), "");
}

}  // namespace
}  // namespace claviger::exchange

#include "net/http/write.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "net/http/head.h"

namespace claviger::net::http {
namespace {

std::string text_of(const std::array<char, kHttpDateBytes>& date) {
  return {date.data(), date.size()};
}

constexpr WallTime wall(int year, unsigned month, unsigned day, int seconds = 0) {
  return std::chrono::sys_days(std::chrono::year(year) / static_cast<int>(month) /
                               static_cast<int>(day)) +
         std::chrono::seconds(seconds);
}

TEST(HeadWriter, WritesWhatTheParserReads) {
  std::string out = "before";
  HeadWriter writer(out);
  EXPECT_TRUE(writer.response(402));
  EXPECT_TRUE(writer.header("content-type", "application/json"));
  EXPECT_TRUE(writer.header("content-length", std::uint64_t{18446744073709551615u}));
  EXPECT_TRUE(writer.header("x-empty", ""));
  EXPECT_TRUE(writer.finish());
  EXPECT_EQ(out,
            "beforeHTTP/1.1 402 Payment Required\r\ncontent-type: application/json\r\n"
            "content-length: 18446744073709551615\r\nx-empty: \r\n\r\n");

  out.clear();
  HeadWriter request(out);
  EXPECT_TRUE(request.request("POST", "/v1", "/chat/completions?x=%20"));
  EXPECT_TRUE(request.header("host", "api.example.com"));
  EXPECT_TRUE(request.finish());
  RequestHead head;
  std::size_t searched = 0;
  ASSERT_EQ(parse_request_head(out, head, searched), out.size());
  EXPECT_EQ(head.target, "/v1/chat/completions?x=%20");
}

TEST(HeadWriter, NobodyCanSmuggleALineThroughAValue) {
  for (const std::string_view bad :
       {std::string_view("a\r\nx-evil: b"), std::string_view("a\nb"), std::string_view("a\rb"),
        std::string_view("a\0b", 3), std::string_view("\x01"), std::string_view("a\x7f"),
        std::string_view("0123456789abcdef\n"), std::string_view(" a"), std::string_view("a\t")}) {
    std::string out = "kept";
    HeadWriter head(out);
    EXPECT_TRUE(head.response(200));
    EXPECT_FALSE(head.header("x-model", bad)) << bad;
    EXPECT_TRUE(head.header("x-good", "y"));
    EXPECT_FALSE(head.finish());
    EXPECT_EQ(out, "kept");
  }
}

TEST(HeadWriter, NamesMethodsAndTargetsAreCheckedToo) {
  std::string out;
  EXPECT_FALSE(HeadWriter(out).outside_header("x evil", "y"));
  EXPECT_FALSE(HeadWriter(out).outside_header("x:", "y"));
  EXPECT_FALSE(HeadWriter(out).outside_header("", "y"));
  EXPECT_FALSE(HeadWriter(out).outside_header("x\r\ny", "z"));
  EXPECT_FALSE(HeadWriter(out).request("GET ", "/"));
  EXPECT_FALSE(HeadWriter(out).request("", "/"));
  EXPECT_FALSE(HeadWriter(out).request("GET", ""));
  EXPECT_FALSE(HeadWriter(out).request("GET", "/a b"));
  EXPECT_FALSE(HeadWriter(out).request("GET", "/", "x HTTP/1.1\r\nX: y"));
  EXPECT_FALSE(HeadWriter(out).response(99));
  EXPECT_FALSE(HeadWriter(out).response(1000));
  EXPECT_EQ(out, "");
}

TEST(HeadWriter, AHeadWithoutAStartLineIsWithdrawn) {
  std::string out;
  HeadWriter head(out);
  EXPECT_TRUE(head.header("a", "b"));
  EXPECT_FALSE(head.finish());
  EXPECT_EQ(out, "");
}

TEST(HeadWriter, WhateverBytesComeThereIsOneHeadOrNone) {
  std::mt19937_64 random(20260707);
  const std::string_view alphabet = "ab:/ \t\r\n\x7f-_\x80";
  for (int round = 0; round < 20'000; ++round) {
    const auto any = [&] {
      std::string text(random() % 12, 'a');
      for (char& byte : text) {
        if (random() % 3 == 0) byte = alphabet[random() % alphabet.size()];
      }
      return text;
    };
    const std::string name = any();
    const std::string value = any();
    std::string out;
    HeadWriter writer(out);
    writer.response(200);
    writer.outside_header(name, value);
    if (!writer.finish()) continue;
    ResponseHead head;
    std::size_t searched = 0;
    ASSERT_EQ(parse_response_head(out, "GET", head, searched), out.size()) << out;
    ASSERT_EQ(head.headers().size(), 1u);
    EXPECT_EQ(head.headers()[0].name, name);
    EXPECT_EQ(head.headers()[0].value, value);
  }
}

TEST(HttpDate, IsTheFixedFormat) {
  EXPECT_EQ(text_of(http_date(wall(1994, 11, 6, 8 * 3600 + 49 * 60 + 37))),
            "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(text_of(http_date(wall(2024, 2, 29, 86'399))), "Thu, 29 Feb 2024 23:59:59 GMT");
  EXPECT_EQ(text_of(http_date(wall(1969, 12, 31, 86'399))), "Wed, 31 Dec 1969 23:59:59 GMT");
  EXPECT_EQ(text_of(http_date(WallTime::max())), "Fri, 31 Dec 9999 23:59:59 GMT");
  EXPECT_EQ(text_of(http_date(WallTime::min())), "Sat, 01 Jan 0000 00:00:00 GMT");
}

TEST(DateLine, ChangesWithTheSecondOnly) {
  DateLine line;
  const WallTime start = wall(2026, 7, 7, 43'200);
  EXPECT_EQ(line.at(start), "date: Tue, 07 Jul 2026 12:00:00 GMT\r\n");
  EXPECT_EQ(line.at(start + std::chrono::microseconds(999'999)),
            "date: Tue, 07 Jul 2026 12:00:00 GMT\r\n");
  EXPECT_EQ(line.at(start + std::chrono::seconds(1)), "date: Tue, 07 Jul 2026 12:00:01 GMT\r\n");
  EXPECT_EQ(line.at(start - std::chrono::microseconds(1)),
            "date: Tue, 07 Jul 2026 11:59:59 GMT\r\n");
}

TEST(ReasonPhrase, KnowsOurOwnStatusesAndAdmitsWhatItDoesNotKnow) {
  for (const int status : {400, 401, 402, 403, 404, 408, 413, 422, 429, 502, 503, 504}) {
    EXPECT_NE(reason_phrase(status), "Unknown") << status;
  }
  EXPECT_EQ(reason_phrase(529), "Unknown");
}

}  // namespace
}  // namespace claviger::net::http

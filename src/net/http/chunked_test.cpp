#include "net/http/chunked.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace claviger::net::http {
namespace {

struct Read {
  std::string payload;
  std::size_t consumed = 0;
  bool done = false;
  friend bool operator==(const Read&, const Read&) = default;
};
using Result = std::expected<Read, ChunkedError>;

/// Feeds `bytes` in pieces of at most `piece` bytes (0: random sizes).
Result read(std::string_view bytes, std::size_t piece = SIZE_MAX,
            std::mt19937_64* random = nullptr) {
  ChunkedDecoder decoder;
  Read result;
  while (!bytes.empty() && !decoder.is_done()) {
    const std::size_t size = random != nullptr ? 1 + (*random)() % 12 : piece;
    // A copy of its own, so that a view into another piece would be seen by the sanitizer.
    const std::string arrived(bytes.substr(0, size));
    std::string_view rest = arrived;
    while (!rest.empty() && !decoder.is_done()) {
      const auto step = decoder.next(rest);
      if (!step) return std::unexpected(step.error());
      EXPECT_GT(step->consumed, 0u);
      result.payload += step->payload;
      result.consumed += step->consumed;
      rest.remove_prefix(step->consumed);
    }
    bytes.remove_prefix(arrived.size());
  }
  result.done = decoder.is_done();
  return result;
}

Result refused(ChunkedError error) {
  return std::unexpected(error);
}

TEST(Chunked, GivesTheBodyAndLeavesWhatFollows) {
  const std::string body = "5\r\nhello\r\nA\r\n, chunked!\r\n0\r\n\r\n";
  EXPECT_EQ(read(body + "GET / HTTP/1.1"), (Read{"hello, chunked!", body.size(), true}));
  EXPECT_EQ(read("0\r\n\r\nX"), (Read{"", 5, true}));
  EXPECT_EQ(read("000\r\n\r\n"), (Read{"", 7, true}));
  EXPECT_EQ(read("0005\r\nhello\r\n0\r\n\r\n")->payload, "hello");
}

TEST(Chunked, PayloadIsNotCopied) {
  const std::string body = "5\r\nhello\r\n0\r\n\r\n";
  ChunkedDecoder decoder;
  const auto step = decoder.next(body);
  ASSERT_TRUE(step);
  EXPECT_EQ(step->payload.data(), body.data() + 3);
  EXPECT_EQ(step->consumed, 8u);
}

TEST(Chunked, ExtensionsAndTrailersAreDropped) {
  const std::string body = "5;a;b=c;d=\"e ;\\\"f\"\r\nhello\r\n0;x\r\nX-A: b\r\nY:\r\n\r\n";
  EXPECT_EQ(read(body), (Read{"hello", body.size(), true}));
}

TEST(Chunked, SizesMustBePlainHexadecimal) {
  for (const std::string_view bad : {"", "x", " 5", "\t5", "-5", "+5", "0x5", "5 ", "5\t", "5 ;a",
                                     "5g", "5,", "5.", ";a", "\r"}) {
    EXPECT_EQ(read(std::string(bad) + "\r\nhello\r\n0\r\n\r\n"), refused(ChunkedError::bad_size))
        << bad;
  }
  EXPECT_EQ(read("00000000000000005\r\n"), refused(ChunkedError::size_too_large));
  EXPECT_EQ(read("8000000000000000\r\n"), refused(ChunkedError::size_too_large));
  EXPECT_EQ(read("ffffffffffffffff\r\n"), refused(ChunkedError::size_too_large));
  EXPECT_EQ(read("10000000000000005\r\n"), refused(ChunkedError::size_too_large));
  EXPECT_TRUE(read("7fffffffffffffff\r\nx"));
}

TEST(Chunked, LinesEndWithCrLfOnly) {
  EXPECT_EQ(read("5\nhello\r\n0\r\n\r\n"), refused(ChunkedError::bad_line_end));
  EXPECT_EQ(read("5\rhello\r\n0\r\n\r\n"), refused(ChunkedError::bad_line_end));
  EXPECT_EQ(read("5;a\nhello\r\n0\r\n\r\n"), refused(ChunkedError::bad_line_end));
  EXPECT_EQ(read("0\r\n\n"), refused(ChunkedError::bad_line_end));
  EXPECT_EQ(read("0\r\n\rX"), refused(ChunkedError::bad_line_end));
  EXPECT_EQ(read("0\r\nX: y\n\r\n"), refused(ChunkedError::bad_line_end));
  EXPECT_EQ(read("0\r\nX: y\rz\r\n"), refused(ChunkedError::bad_line_end));
}

TEST(Chunked, DataMustEndWhereItsSizeSays) {
  EXPECT_EQ(read("5\r\nhello!\r\n0\r\n\r\n"), refused(ChunkedError::missing_end_of_data));
  EXPECT_EQ(read("5\r\nhello\n0\r\n\r\n"), refused(ChunkedError::missing_end_of_data));
  EXPECT_EQ(read("5\r\nhello0\r\n\r\n"), refused(ChunkedError::missing_end_of_data));
  EXPECT_EQ(read("5\r\nhello\r0\r\n\r\n"), refused(ChunkedError::missing_end_of_data));
}

TEST(Chunked, ExtensionsFollowTheirGrammar) {
  for (const std::string_view bad :
       {"5;\r\n", "5;;a\r\n", "5;a=\r\n", "5; a\r\n", "5;a =b\r\n", "5;a= b\r\n", "5;a=\"b\"c\r\n",
        "5;a=\"b\r\n", "5;a=\"\x01\"\r\n", "5;a b\r\n", "5;a\x7f\r\n", "5;a=b=c\r\n"}) {
    EXPECT_EQ(read(bad), refused(ChunkedError::bad_extension)) << bad;
  }
}

TEST(Chunked, ExtensionsAreBoundedEachAndTogether) {
  // The CR that ends the line counts with it.
  const std::string longest = "1;" + std::string(kChunkExtensionBytesMax - 1, 'a') + "\r\nx\r\n";
  EXPECT_TRUE(read(longest));
  EXPECT_EQ(read("1;" + std::string(kChunkExtensionBytesMax, 'a') + "\r\n"),
            refused(ChunkedError::extension_too_long));
  std::string body;
  for (std::size_t i = 0; i < kChunkExtensionBytesTotalMax / kChunkExtensionBytesMax; ++i) {
    body += longest;
  }
  EXPECT_TRUE(read(body));
  EXPECT_EQ(read(body + "1;a\r\n"), refused(ChunkedError::extension_too_long));
}

TEST(Chunked, TrailersCannotChangeTheFraming) {
  for (const std::string_view bad :
       {"Content-Length: 5", "transfer-ENCODING: chunked", "Host: a", "Connection: close",
        " folded", "no colon", ": no name", "X : y", "X: \x01", "X\x80: y"}) {
    EXPECT_EQ(read("0\r\n" + std::string(bad) + "\r\n\r\n"), refused(ChunkedError::bad_trailer))
        << bad;
  }
  EXPECT_EQ(read("0\r\nX: y\r\n z\r\n\r\n"), refused(ChunkedError::bad_trailer));
  EXPECT_EQ(read("0\r\nX: y\r\nHost: a\r\n\r\n"), refused(ChunkedError::bad_trailer));
  EXPECT_TRUE(read("0\r\nContent-Lengths: 5\r\nHos: t\r\nTransfer-Encoding-X: y\r\n\r\n")->done);
}

TEST(Chunked, TrailersAreBounded) {
  // The first blank line counts as well.
  const std::string line = "X:" + std::string(kTrailerBytesMax - 6, 'y') + "\r\n";
  EXPECT_TRUE(read("0\r\n" + line + "\r\n")->done);
  EXPECT_EQ(read("0\r\nZ" + line + "\r\n"), refused(ChunkedError::trailer_too_long));
}

TEST(Chunked, HowTheBytesArriveMakesNoDifference) {
  std::mt19937_64 random(20260707);
  const std::string_view alphabet = "05aF\r\n;=\"\\x: \t\x01";
  std::size_t accepted = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string body;
    const std::size_t chunks = random() % 4;
    for (std::size_t i = 0; i < chunks; ++i) {
      const std::string data(1 + random() % 40, static_cast<char>('a' + i));
      body += std::string(ChunkHead(data.size()).text()) + data + std::string(kChunkEnd);
    }
    body += random() % 2 == 0 ? kLastChunk : "0;a=\"b\"\r\nX: y\r\n\r\n";
    // Half of them get one wrong byte.
    if (random() % 2 == 0) body[random() % body.size()] = alphabet[random() % alphabet.size()];
    body += "next";

    const Result whole = read(body);
    accepted += whole.has_value() ? 1 : 0;
    ASSERT_EQ(read(body, 1), whole) << body;
    ASSERT_EQ(read(body, SIZE_MAX, &random), whole) << body;
  }
  EXPECT_GT(accepted, 10'000u);
  EXPECT_LT(accepted, 19'000u);
}

TEST(ChunkHead, IsWhatTheDecoderReads) {
  EXPECT_EQ(ChunkHead(1).text(), "1\r\n");
  EXPECT_EQ(ChunkHead(255).text(), "ff\r\n");
  EXPECT_EQ(ChunkHead(0x123456789abcdef0).text(), "123456789abcdef0\r\n");
  EXPECT_EQ(ChunkHead(UINT64_MAX).text(), "ffffffffffffffff\r\n");
}

TEST(ChunkedErrors, SayWhatIsWrong) {
  for (int i = 0; i <= static_cast<int>(ChunkedError::trailer_too_long); ++i) {
    EXPECT_GT(explain(static_cast<ChunkedError>(i)).size(), 30u) << i;
  }
}

}  // namespace
}  // namespace claviger::net::http

#include "net/http/head.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace claviger::net::http {
namespace {

using Result = std::expected<std::size_t, HeadError>;

Result read_request(std::string_view bytes) {
  RequestHead head;
  std::size_t searched = 0;
  return parse_request_head(bytes, head, searched);
}

Result read_response(std::string_view bytes, std::string_view method = "POST") {
  ResponseHead head;
  std::size_t searched = 0;
  return parse_response_head(bytes, method, head, searched);
}

/// A POST with these header lines (each with its CR LF) beside Host.
std::string post_with(std::string_view lines) {
  return "POST /v1/chat/completions HTTP/1.1\r\nHost: claviger\r\n" + std::string(lines) + "\r\n";
}

Result refused(HeadError error) {
  return std::unexpected(error);
}

TEST(RequestHead, IsReadWhereItLies) {
  const std::string bytes =
      "POST /v1/chat/completions?x=1 HTTP/1.1\r\n"
      "Host: 127.0.0.1:8484\r\n"
      "Authorization:Bearer clv_abc\r\n"
      "X-Empty:\r\n"
      "X-Blanks: \t two  words \t\r\n"
      "Content-Length: 17\r\n"
      "\r\n{\"body\": \"later\"}";
  RequestHead head;
  std::size_t searched = 0;

  ASSERT_EQ(parse_request_head(bytes, head, searched), bytes.find("{"));

  EXPECT_EQ(head.bytes, bytes.find("{"));
  EXPECT_EQ(head.method, "POST");
  EXPECT_EQ(head.target, "/v1/chat/completions?x=1");
  EXPECT_EQ(head.minor_version, 1);
  EXPECT_EQ(head.body, Body::length);
  EXPECT_EQ(head.content_length, 17u);
  EXPECT_TRUE(head.keep_alive);
  EXPECT_FALSE(head.expects_continue);
  ASSERT_EQ(head.headers().size(), 5u);
  EXPECT_EQ(head.value_of("authorization"), "Bearer clv_abc");
  EXPECT_EQ(head.value_of("x-empty"), "");
  EXPECT_NE(head.find("x-empty"), std::nullopt);
  EXPECT_EQ(head.value_of("x-blanks"), "two  words");
  EXPECT_EQ(head.find("absent"), std::nullopt);
  EXPECT_GE(head.method.data(), bytes.data());
  EXPECT_LT(head.method.data(), bytes.data() + bytes.size());
}

TEST(RequestHead, NothingOfAnEarlierMessageIsLeft) {
  RequestHead head;
  std::size_t searched = 0;
  ASSERT_TRUE(parse_request_head(post_with("Content-Length: 5\r\nExpect: 100-continue\r\n"
                                           "Connection: close\r\nX: y\r\n"),
                                 head, searched));
  EXPECT_TRUE(head.expects_continue);
  searched = 0;
  ASSERT_TRUE(parse_request_head("GET / HTTP/1.1\r\nHost: a\r\n\r\n", head, searched));

  EXPECT_EQ(head.headers().size(), 1u);
  EXPECT_EQ(head.content_length, 0u);
  EXPECT_EQ(head.body, Body::none);
  EXPECT_TRUE(head.keep_alive);
  EXPECT_FALSE(head.expects_continue);
}

TEST(RequestHead, FramingIsWhatTheHeadersSay) {
  RequestHead head;
  const auto read = [&](std::string_view lines) {
    std::size_t searched = 0;
    return parse_request_head(post_with(lines), head, searched).has_value();
  };
  ASSERT_TRUE(read(""));
  EXPECT_EQ(head.body, Body::none);
  ASSERT_TRUE(read("Content-Length: 0\r\n"));
  EXPECT_EQ(head.body, Body::none);
  ASSERT_TRUE(read("content-length: 9223372036854775807\r\n"));
  EXPECT_EQ(head.content_length, 9223372036854775807u);
  ASSERT_TRUE(read("TRANSFER-ENCODING: chunked\r\n"));
  EXPECT_EQ(head.body, Body::chunked);
  EXPECT_EQ(head.content_length, 0u);
}

TEST(RequestHead, ConnectionsLiveAsLongAsBothWant) {
  RequestHead head;
  const auto keeps_alive = [&](std::string_view bytes) {
    std::size_t searched = 0;
    EXPECT_TRUE(parse_request_head(bytes, head, searched)) << bytes;
    return head.keep_alive;
  };
  EXPECT_TRUE(keeps_alive(post_with("")));
  EXPECT_FALSE(keeps_alive(post_with("Connection: Close\r\n")));
  EXPECT_FALSE(keeps_alive(post_with("Connection: x-a ,\tclose\r\n")));
  EXPECT_FALSE(keeps_alive(post_with("Connection: keep-alive\r\nConnection: close\r\n")));
  EXPECT_TRUE(keeps_alive(post_with("Connection: closed\r\n")));
  EXPECT_FALSE(keeps_alive("GET / HTTP/1.0\r\n\r\n"));
  EXPECT_TRUE(keeps_alive("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"));
  EXPECT_EQ(read_request(post_with("Connection: keep alive\r\n")),
            refused(HeadError::bad_connection_header));
}

TEST(RequestHead, ContinueIsExpectedOnlyWhereABodyFollows) {
  RequestHead head;
  std::size_t searched = 0;
  ASSERT_TRUE(parse_request_head(post_with("Expect: 100-Continue\r\nContent-Length: 3\r\n"), head,
                                 searched));
  EXPECT_TRUE(head.expects_continue);
  searched = 0;
  ASSERT_TRUE(parse_request_head(post_with("Expect: 100-continue\r\n"), head, searched));
  EXPECT_FALSE(head.expects_continue);
  searched = 0;
  ASSERT_TRUE(
      parse_request_head("POST / HTTP/1.0\r\nExpect: 100-continue\r\n"
                         "Content-Length: 3\r\n\r\n",
                         head, searched));
  EXPECT_FALSE(head.expects_continue);
  EXPECT_EQ(read_request(post_with("Expect: 200-ok\r\n")),
            refused(HeadError::unsupported_expectation));
  EXPECT_EQ(read_request(post_with("Expect: tea\r\nExpect: 100-continue\r\n")),
            refused(HeadError::unsupported_expectation));
}

// ---- Request smuggling, one form a test -----------------------------------------------------

TEST(Smuggling, LengthBesideTransferEncoding) {
  EXPECT_EQ(read_request(post_with("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n")),
            refused(HeadError::conflicting_length));
  EXPECT_EQ(read_request(post_with("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n")),
            refused(HeadError::conflicting_length));
  EXPECT_EQ(read_request(post_with("Transfer-Encoding: identity\r\nContent-Length: 5\r\n")),
            refused(HeadError::conflicting_length));
  EXPECT_EQ(read_request(post_with("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n")),
            refused(HeadError::conflicting_length));
}

TEST(Smuggling, SeveralLengths) {
  EXPECT_EQ(read_request(post_with("Content-Length: 5\r\nContent-Length: 6\r\n")),
            refused(HeadError::conflicting_length));
  EXPECT_EQ(read_request(post_with("Content-Length: 5\r\nContent-Length: 5\r\n")),
            refused(HeadError::conflicting_length));
  EXPECT_EQ(read_request(post_with("Content-Length: 0\r\ncontent-length: 0\r\n")),
            refused(HeadError::conflicting_length));
  EXPECT_EQ(read_request(post_with("Content-Length: 5, 5\r\n")),
            refused(HeadError::bad_content_length));
}

TEST(Smuggling, LengthsThatAreNoPlainDecimal) {
  for (const std::string_view value : {"+5",
                                       "-5",
                                       "-0",
                                       "0x5",
                                       "5 5",
                                       "5.0",
                                       "5e1",
                                       "",
                                       "five",
                                       "05",
                                       "00",
                                       "5;",
                                       "\"5\"",
                                       "1_0",
                                       "9223372036854775808",
                                       "18446744073709551615",
                                       "18446744073709551616",
                                       "99999999999999999999",
                                       "00000000000000000000005",
                                       "5\t5",
                                       "\xb2"}) {
    EXPECT_EQ(read_request(post_with("Content-Length: " + std::string(value) + "\r\n")),
              refused(HeadError::bad_content_length))
        << value;
  }
}

TEST(Smuggling, TransferEncodingsOtherThanChunkedOnce) {
  for (const std::string_view value :
       {"", "identity", "gzip", "gzip, chunked", "chunked, gzip", "chunked, chunked", "chunked,",
        ",chunked", "Chunked", "CHUNKED", "xchunked", "chunkedx", "chunked;q=1", "\"chunked\"",
        "chunked chunked"}) {
    EXPECT_EQ(read_request(post_with("Transfer-Encoding: " + std::string(value) + "\r\n")),
              refused(HeadError::bad_transfer_encoding))
        << value;
  }
  EXPECT_EQ(read_request(post_with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")),
            refused(HeadError::bad_transfer_encoding));
  EXPECT_EQ(
      read_request(post_with("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n")),
      refused(HeadError::bad_transfer_encoding));
}

TEST(Smuggling, ControlBytesHiddenInTransferEncoding) {
  EXPECT_EQ(read_request(post_with("Transfer-Encoding: \x0b"
                                   "chunked\r\n")),
            refused(HeadError::malformed_header));
  EXPECT_EQ(read_request(post_with("Transfer-Encoding\x0b: chunked\r\n")),
            refused(HeadError::malformed_header));
  EXPECT_EQ(read_request(post_with("X: y\rTransfer-Encoding: chunked\r\n")),
            refused(HeadError::malformed_header));
  EXPECT_EQ(read_request(post_with("X: y\nTransfer-Encoding: chunked\r\n")),
            refused(HeadError::bad_line_end));
}

TEST(Smuggling, TransferEncodingBeforeItExisted) {
  EXPECT_EQ(read_request("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"),
            refused(HeadError::bad_transfer_encoding));
}

TEST(Smuggling, FoldedLines) {
  EXPECT_EQ(read_request(post_with("X-A: b\r\n c\r\n")), refused(HeadError::malformed_header));
  EXPECT_EQ(read_request(post_with("X-A: b\r\n\tc\r\n")), refused(HeadError::malformed_header));
  EXPECT_EQ(read_request(post_with("Transfer-Encoding:\r\n chunked\r\n")),
            refused(HeadError::malformed_header));
  EXPECT_EQ(read_request("GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
            refused(HeadError::malformed_header));
}

TEST(Smuggling, BlanksBeforeTheColon) {
  EXPECT_EQ(read_request(post_with("Content-Length : 5\r\n")),
            refused(HeadError::malformed_header));
  EXPECT_EQ(read_request(post_with("Content-Length\t: 5\r\n")),
            refused(HeadError::malformed_header));
  EXPECT_EQ(read_request(post_with("Content Length: 5\r\n")), refused(HeadError::malformed_header));
}

TEST(Smuggling, LineEndsOtherThanCrLf) {
  EXPECT_EQ(read_request("GET / HTTP/1.1\nHost: a\n\n"), refused(HeadError::bad_line_end));
  EXPECT_EQ(read_request("GET / HTTP/1.1\r\nHost: a\n\r\n"), refused(HeadError::bad_line_end));
  EXPECT_EQ(read_request("GET / HTTP/1.1\r\nHost: a\r\n\n"), refused(HeadError::bad_line_end));
  EXPECT_EQ(read_request("GET / HTTP/1.1\rHost: a\r\n\r\n"),
            refused(HeadError::malformed_start_line));
  EXPECT_EQ(read_request("GET / HTTP/1.1\r\r\nHost: a\r\n\r\n"),
            refused(HeadError::malformed_start_line));
  EXPECT_EQ(read_request(post_with("X: a\rb\r\n")), refused(HeadError::malformed_header));
  EXPECT_EQ(read_request(post_with("X: a\r\r\n")), refused(HeadError::malformed_header));
  EXPECT_EQ(read_request(post_with("\r\r\n")), refused(HeadError::malformed_header));
}

TEST(Smuggling, BlankLinesInFront) {
  EXPECT_EQ(read_request("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
            refused(HeadError::bad_line_end));
  EXPECT_EQ(read_request("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), refused(HeadError::bad_line_end));
}

TEST(Smuggling, EveryControlByteInAValue) {
  for (int byte = 0; byte < 0x80; ++byte) {
    if (byte == '\n' || byte == '\r' || byte == '\t' || (byte >= 0x20 && byte != 0x7f)) continue;
    // At every position of the eight bytes that are looked at together.
    for (std::size_t before = 0; before < 17; ++before) {
      const std::string value = std::string(before, 'v') + static_cast<char>(byte) + "w";
      EXPECT_EQ(read_request(post_with("X-Value: " + value + "\r\n")),
                refused(HeadError::malformed_header))
          << byte << " after " << before;
    }
  }
}

TEST(Smuggling, EveryByteThatMakesANameNoToken) {
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    const bool is_token =
        std::isalnum(byte) != 0 || std::string_view("!#$%&'*+-.^_`|~").contains(c);
    if ((is_token && byte < 0x80 && byte != 0) || c == ':' || c == '\n') continue;
    EXPECT_EQ(read_request(post_with("X" + std::string(1, c) + "Y: z\r\n")),
              refused(HeadError::malformed_header))
        << byte;
  }
  EXPECT_EQ(read_request(post_with(": no name\r\n")), refused(HeadError::malformed_header));
  EXPECT_EQ(read_request(post_with("no colon\r\n")), refused(HeadError::malformed_header));
}

TEST(RequestHead, ValuesMayHoldTabsAndWhatIsNotAscii) {
  RequestHead head;
  std::size_t searched = 0;
  const std::string value = "12345\t7 \xc3\xa9t\xc3\xa9\t\xff end";
  const std::string bytes = post_with("X-V: " + value + "\r\n");
  ASSERT_TRUE(parse_request_head(bytes, head, searched));
  EXPECT_EQ(head.value_of("x-v"), value);
}

TEST(RequestHead, HostIsNeededOnceAndPlausible) {
  EXPECT_EQ(read_request("GET / HTTP/1.1\r\nX: y\r\n\r\n"), refused(HeadError::missing_host));
  EXPECT_EQ(read_request("GET / HTTP/1.1\r\n\r\n"), refused(HeadError::missing_host));
  EXPECT_EQ(read_request("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
            refused(HeadError::repeated_host));
  EXPECT_EQ(read_request("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"),
            refused(HeadError::repeated_host));
  EXPECT_TRUE(read_request("GET / HTTP/1.0\r\n\r\n"));
  for (const std::string_view host : {"a", "A.example-1.com:443", "my_host:1", "[::1]:8484",
                                      "[2001:db8::1]", "127.0.0.1:65535"}) {
    EXPECT_TRUE(read_request("GET / HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n")) << host;
  }
  for (const std::string_view host :
       {"", "a b", "a/b", "a@b", "a,b", "a:", "a:x", "a:123456", ":80", "[", "[]", "[::1", "[::1]x",
        "[g::1]", "a?b", "a#b", "a\\b", "\xc3\xa9", "a:80:80"}) {
    EXPECT_EQ(read_request("GET / HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n"),
              refused(HeadError::bad_host))
        << host;
  }
}

TEST(RequestHead, AnAbsoluteTargetMustAgreeWithHost) {
  EXPECT_TRUE(read_request("GET http://a:80/x HTTP/1.1\r\nHost: A:80\r\n\r\n"));
  EXPECT_TRUE(read_request("GET HTTPS://a?x HTTP/1.1\r\nHost: a\r\n\r\n"));
  EXPECT_EQ(read_request("GET http://a/x HTTP/1.1\r\nHost: b\r\n\r\n"),
            refused(HeadError::bad_host));
  EXPECT_EQ(read_request("GET http://a/x HTTP/1.1\r\nHost: a:80\r\n\r\n"),
            refused(HeadError::bad_host));
  EXPECT_EQ(read_request("GET http://user@a/x HTTP/1.1\r\nHost: a\r\n\r\n"),
            refused(HeadError::malformed_target));
  EXPECT_EQ(read_request("GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n"),
            refused(HeadError::malformed_target));
  EXPECT_EQ(read_request("GET ftp://a/x HTTP/1.1\r\nHost: a\r\n\r\n"),
            refused(HeadError::malformed_target));
}

TEST(RequestHead, TheRequestLineHasExactlyThreeParts) {
  const auto read_line = [](std::string_view line) {
    return read_request(std::string(line) + "\r\nHost: a\r\n\r\n");
  };
  EXPECT_TRUE(read_line("GET / HTTP/1.1"));
  EXPECT_TRUE(read_line("M-SEARCH * HTTP/1.1") == refused(HeadError::malformed_target));
  EXPECT_TRUE(read_line("OPTIONS * HTTP/1.1"));
  for (const std::string_view line :
       {"GET /", "GET", "GET/HTTP/1.1", "GET / ", "GET / HTTP/1.1 ", "GET / HTTP/1.1\t",
        "GET / http/1.1", "GET / HTTP/1", "GET / HTTP/1.10", "GET / HTTP/11", "GET / XTTP/1.1",
        "GET / HTTP/x.1", "GET / HTTP/1,1"}) {
    EXPECT_EQ(read_line(line), refused(HeadError::malformed_start_line)) << line;
  }
  for (const std::string_view line :
       {"GET  / HTTP/1.1", "GET /  HTTP/1.1", "GET / x HTTP/1.1", "GET \t/ HTTP/1.1",
        "GET x HTTP/1.1", "GET * HTTP/1.1", "GET  HTTP/1.1", "GET /\x01 HTTP/1.1",
        "GET /\x7f HTTP/1.1", "GET /\xc3\xa9 HTTP/1.1", "GET /#x HTTP/1.1", "GET /\" HTTP/1.1",
        "CONNECT a:443 HTTP/1.1"}) {
    EXPECT_EQ(read_line(line), refused(HeadError::malformed_target)) << line;
  }
  for (const std::string_view line :
       {" / HTTP/1.1", "get / HTTP/1.1", "Get / HTTP/1.1", "GET\t / HTTP/1.1", "G@T / HTTP/1.1",
        " GET / HTTP/1.1", "ABCDEFGHIJKLMNOPQRSTUVWXY / HTTP/1.1", "\x80 / HTTP/1.1"}) {
    EXPECT_EQ(read_line(line), refused(HeadError::malformed_method)) << line;
  }
  for (const std::string_view line : {"GET / HTTP/0.9", "GET / HTTP/1.2", "GET / HTTP/2.0"}) {
    EXPECT_EQ(read_line(line), refused(HeadError::unsupported_version)) << line;
  }
}

TEST(RequestHead, OtherProtocolsAreCalledByName) {
  EXPECT_EQ(read_request("\x16\x03\x01"), refused(HeadError::looks_like_tls));
  EXPECT_EQ(read_request("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
            refused(HeadError::unsupported_version));
}

TEST(RequestHead, IsBounded) {
  std::string lines;
  for (std::size_t i = 1; i < kHeadersMax; ++i) lines += "X: y\r\n";
  EXPECT_TRUE(read_request(post_with(lines)));
  EXPECT_EQ(read_request(post_with(lines + "X: y\r\n")), refused(HeadError::too_many_headers));

  const std::string host = " HTTP/1.1\r\nHost: a\r\n\r\n";
  EXPECT_TRUE(read_request("GET /" + std::string(kTargetBytesMax - 1, 'x') + host));
  EXPECT_EQ(read_request("GET /" + std::string(kTargetBytesMax, 'x') + host),
            refused(HeadError::uri_too_long));

  const std::size_t frame = post_with("X: \r\n").size();
  EXPECT_EQ(read_request(post_with("X: " + std::string(kHeadBytesMax - frame, 'y') + "\r\n")),
            kHeadBytesMax);
  EXPECT_EQ(read_request(post_with("X: " + std::string(kHeadBytesMax - frame + 1, 'y') + "\r\n")),
            refused(HeadError::head_too_large));
  EXPECT_EQ(read_request(std::string(kHeadBytesMax - 1, 'G')), refused(HeadError::incomplete));
  EXPECT_EQ(read_request(std::string(kHeadBytesMax, 'G')), refused(HeadError::head_too_large));
}

TEST(ResponseHead, IsReadWhereItLies) {
  const std::string bytes =
      "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 3\r\nContent-Length: 2\r\n\r\n{}";
  ResponseHead head;
  std::size_t searched = 0;
  ASSERT_EQ(parse_response_head(bytes, "POST", head, searched), bytes.size() - 2);
  EXPECT_EQ(head.status, 429);
  EXPECT_EQ(head.reason, "Too Many Requests");
  EXPECT_EQ(head.value_of("retry-after"), "3");
  EXPECT_EQ(head.body, Body::length);
  EXPECT_EQ(head.content_length, 2u);
  EXPECT_TRUE(head.keep_alive);
}

TEST(ResponseHead, TheBodyDependsOnStatusAndMethod) {
  ResponseHead head;
  const auto read = [&](std::string_view start, std::string_view lines,
                        std::string_view method = "POST") {
    std::size_t searched = 0;
    EXPECT_TRUE(parse_response_head(std::string(start) + "\r\n" + std::string(lines) + "\r\n",
                                    method, head, searched))
        << start;
    return head.body;
  };
  EXPECT_EQ(read("HTTP/1.1 200 OK", "Transfer-Encoding: Chunked\r\n"), Body::chunked);
  EXPECT_TRUE(head.keep_alive);
  EXPECT_EQ(read("HTTP/1.1 200 OK", "Content-Length: 0\r\n"), Body::none);
  EXPECT_TRUE(head.keep_alive);
  EXPECT_EQ(read("HTTP/1.1 200 OK", ""), Body::until_close);
  EXPECT_FALSE(head.keep_alive);
  EXPECT_EQ(read("HTTP/1.0 200 OK", "Content-Length: 3\r\n"), Body::length);
  EXPECT_FALSE(head.keep_alive);
  EXPECT_EQ(read("HTTP/1.1 200 OK", "Content-Length: 3\r\n", "HEAD"), Body::none);
  EXPECT_EQ(head.content_length, 0u);
  EXPECT_TRUE(head.keep_alive);
  EXPECT_EQ(read("HTTP/1.1 304 Not Modified", "Content-Length: 3\r\n"), Body::none);
  EXPECT_TRUE(head.keep_alive);
  EXPECT_EQ(read("HTTP/1.1 204 No Content", ""), Body::none);
  EXPECT_TRUE(head.keep_alive);
  EXPECT_EQ(read("HTTP/1.1 100 Continue", ""), Body::none);
  EXPECT_TRUE(head.is_interim());
  EXPECT_TRUE(head.keep_alive);
}

TEST(ResponseHead, ABodyThatMustNotBeCostsTheConnection) {
  ResponseHead head;
  const auto keeps_alive = [&](std::string_view bytes, std::string_view method = "POST") {
    std::size_t searched = 0;
    EXPECT_TRUE(parse_response_head(bytes, method, head, searched)) << bytes;
    EXPECT_EQ(head.body, Body::none);
    return head.keep_alive;
  };
  EXPECT_TRUE(keeps_alive("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"));
  EXPECT_FALSE(keeps_alive("HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n"));
  EXPECT_FALSE(keeps_alive("HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n"));
  EXPECT_FALSE(keeps_alive("HTTP/1.1 103 Early Hints\r\nContent-Length: 9\r\n\r\n"));
  EXPECT_FALSE(keeps_alive("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"));
  EXPECT_FALSE(keeps_alive("HTTP/1.1 200 Connection established\r\n\r\n", "CONNECT"));
}

TEST(ResponseHead, TheReasonMayBeMissing) {
  ResponseHead head;
  for (const std::string_view start : {"HTTP/1.1 200", "HTTP/1.1 200 "}) {
    std::size_t searched = 0;
    ASSERT_TRUE(parse_response_head(std::string(start) + "\r\nContent-Length: 1\r\n\r\n", "GET",
                                    head, searched));
    EXPECT_EQ(head.status, 200);
    EXPECT_EQ(head.reason, "");
  }
}

TEST(ResponseHead, IsAsStrictAsARequest) {
  const auto read_line = [](std::string_view line) {
    return read_response(std::string(line) + "\r\nContent-Length: 0\r\n\r\n");
  };
  for (const std::string_view line :
       {"HTTP/1.1", "HTTP/1.1 ", "HTTP/1.1 20", "HTTP/1.1 2000", "HTTP/1.1 099 x", "HTTP/1.1 +20 x",
        "HTTP/1.1  200 OK", "HTTP/1.1\t200 OK", " HTTP/1.1 200 OK", "http/1.1 200 OK",
        "HTTP/1.1 200\tOK", "ICY 200 OK", "HTTP/1.1 200 O\x01K", "HTTP/1.1 200 O\rK",
        "HTTP/1.1 2x0 OK", "HTTP/1.1 200OK"}) {
    EXPECT_EQ(read_line(line), refused(HeadError::malformed_start_line)) << line;
  }
  EXPECT_EQ(read_line("HTTP/2.0 200 OK"), refused(HeadError::unsupported_version));
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  EXPECT_EQ(read_response(ok + "Content-Length: 1\r\nContent-Length: 1\r\n\r\n"),
            refused(HeadError::conflicting_length));
  EXPECT_EQ(read_response(ok + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
            refused(HeadError::conflicting_length));
  EXPECT_EQ(read_response(ok + "Transfer-Encoding: gzip, chunked\r\n\r\n"),
            refused(HeadError::bad_transfer_encoding));
  EXPECT_EQ(read_response("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
            refused(HeadError::bad_transfer_encoding));
  EXPECT_EQ(read_response(ok + "X: y\r\n z\r\n\r\n"), refused(HeadError::malformed_header));
  EXPECT_EQ(read_response("HTTP/1.1 200 OK\nX: y\n\n"), refused(HeadError::bad_line_end));
  EXPECT_EQ(read_response("\x16\x03"), refused(HeadError::looks_like_tls));
}

/// Reads `bytes` in the pieces that `cuts` gives, in a buffer that moves with every piece.
Result read_in_pieces(std::string_view bytes, const std::vector<std::size_t>& cuts) {
  RequestHead head;
  std::size_t searched = 0;
  Result result = refused(HeadError::incomplete);
  for (const std::size_t cut : cuts) {
    const std::string moved(bytes.substr(0, cut));
    result = parse_request_head(moved, head, searched);
    if (result || result.error() != HeadError::incomplete) return result;
  }
  return result;
}

TEST(RequestHead, HowTheBytesArriveMakesNoDifference) {
  const std::vector<std::string> messages = {
      post_with("Content-Length: 5\r\nX-A: b\r\n") + "hello",
      post_with("Transfer-Encoding: chunked\r\n") + "0\r\n\r\n",
      post_with("X: a\nb\r\n"),
      post_with("X : a\r\n"),
      "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\n\n\r\n",
      "GET / HTTP/1.1\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
      std::string(kHeadBytesMax, 'A') + "\n",
  };
  std::mt19937_64 random(20260707);
  for (const std::string& message : messages) {
    const Result whole = read_request(message);
    std::vector<std::size_t> every_byte;
    for (std::size_t i = 0; i <= std::min<std::size_t>(message.size(), 400); ++i) {
      every_byte.push_back(i);
    }
    every_byte.push_back(message.size());
    EXPECT_EQ(read_in_pieces(message, every_byte), whole) << message.substr(0, 200);
    for (int round = 0; round < 50; ++round) {
      std::vector<std::size_t> cuts;
      for (std::size_t at = 0; at < message.size();) {
        at = std::min(message.size(), at + 1 + random() % (message.size() / 2 + 1));
        cuts.push_back(at);
      }
      EXPECT_EQ(read_in_pieces(message, cuts), whole) << message.substr(0, 200);
    }
  }
}

TEST(RequestHead, EveryPrefixOfAGoodHeadIsIncomplete) {
  const std::string message = post_with("Content-Length: 5\r\nX-A: b\r\n");
  for (std::size_t i = 0; i < message.size(); ++i) {
    EXPECT_EQ(read_request(message.substr(0, i)), refused(HeadError::incomplete)) << i;
  }
}

TEST(HeadErrors, SayWhatToDoAndHaveAStatus) {
  for (int i = 0; i <= static_cast<int>(HeadError::unsupported_expectation); ++i) {
    const auto error = static_cast<HeadError>(i);
    EXPECT_GT(explain(error).size(), 30u) << i;
    EXPECT_TRUE(status_for(error) >= 400 && status_for(error) <= 505) << i;
  }
  EXPECT_EQ(status_for(HeadError::uri_too_long), 414);
  EXPECT_EQ(status_for(HeadError::too_many_headers), 431);
  EXPECT_EQ(status_for(HeadError::conflicting_length), 400);
}

}  // namespace
}  // namespace claviger::net::http

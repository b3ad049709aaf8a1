#include "net/http/target.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace claviger::net::http {
namespace {

std::expected<std::string, TargetError> path_of(std::string_view target) {
  const auto split = split_target(target);
  if (!split) return std::unexpected(split.error());
  return std::string(split->path);
}

std::expected<std::string, TargetError> refused(TargetError error) {
  return std::unexpected(error);
}

std::string loggable(std::string_view target) {
  std::string out;
  append_loggable_target(target, out);
  return out;
}

std::string without_key(std::string_view query) {
  std::string out;
  append_query_without_key(query, out);
  return out;
}

TEST(Target, IsSplitAtTheFirstQuestionMark) {
  const auto split = split_target("/v1/models?a=b?c&d=/../x");
  ASSERT_TRUE(split);
  EXPECT_EQ(split->path, "/v1/models");
  EXPECT_EQ(split->query, "a=b?c&d=/../x");
  EXPECT_EQ(split_target("/v1/models")->query, "");
  EXPECT_EQ(split_target("/")->path, "/");
}

TEST(Target, AnAbsoluteOneIsReadLikeItsPath) {
  EXPECT_EQ(path_of("http://host:80/v1/models?x"), "/v1/models");
  EXPECT_EQ(path_of("HTTPS://host"), "/");
  EXPECT_EQ(path_of("http://host?x=1"), "/");
  EXPECT_EQ(split_target("http://host?x=1")->query, "x=1");
  EXPECT_EQ(path_of("ftp://host/"), refused(TargetError::not_a_path));
  EXPECT_EQ(path_of("*"), refused(TargetError::not_a_path));
  EXPECT_EQ(path_of(""), refused(TargetError::not_a_path));
  EXPECT_EQ(path_of("v1/models"), refused(TargetError::not_a_path));
}

TEST(Target, WhatTwoServersCouldReadDifferentlyIsRefused) {
  for (const std::string_view path :
       {"/..", "/v1/../admin", "/v1/..", "/v1/..;/admin", "/v1/a..b", "/v1/.", "/v1/./models", "/.",
        "/v1/%2e%2e/admin", "/v1/.%2e/x", "/v1/%2E/x", "/v1/gpt%2e1", "/v1/x%2F..%2Fy",
        "/v1/x%2f.%2fy", "/v1/x%2F."}) {
    EXPECT_EQ(path_of(path), refused(TargetError::dot_segment)) << path;
  }
  for (const std::string_view path :
       {"//", "/v1//models", "//v1", "/v1/models//", "/v1/%2Fmodels", "/v1%2f/x", "/v1/a%2F%2fb"}) {
    EXPECT_EQ(path_of(path), refused(TargetError::empty_segment)) << path;
  }
  for (const std::string_view path :
       {"/v1\\models", "/v1/%5cmodels", "/v1/%5C..", "/v1/%00", "/v1/%0d%0aX:y", "/v1/%7f",
        "/v1/ x", "/v1/\t", "/v1/x#y", "/v1/\xc3\xa9", "/v1/%c0%ae%c0%ae/x", "/v1/%C1%1c",
        "/v1/%e0%80%ae", "/v1/%f0%80%80%ae", "/v1/%ff"}) {
    EXPECT_EQ(path_of(path), refused(TargetError::forbidden_byte)) << path;
  }
  EXPECT_EQ(path_of(std::string_view("/v1/\0x", 6)), refused(TargetError::forbidden_byte));
  for (const std::string_view path :
       {"/v1/%", "/v1/%2", "/v1/%zz", "/v1/%2g", "/v1/%u002e", "/v1/%%32e", "/v1/% 2", "/x%+2"}) {
    EXPECT_EQ(path_of(path), refused(TargetError::bad_percent)) << path;
  }
  for (const std::string_view path :
       {"/v1/%63hat", "/%76%31/models", "/v1/%252e%252e", "/v1/%2D"}) {
    EXPECT_EQ(path_of(path), refused(TargetError::needless_percent)) << path;
  }
}

TEST(Target, ModelIdsMayHoldSlashesAndColons) {
  for (const std::string_view path :
       {"/v1/models/openai/gpt-4o-mini", "/v1/models/openai%2Fgpt-4o-mini",
        "/v1/models/llama3.1:8b", "/v1beta/models/local%2Fx%3Ay:generateContent",
        "/v1/models/meta-llama/Llama-3.3-70B-Instruct:free", "/v1/models/@cf/x~y", "/v1/models/",
        "/v1/models/a%20b", "/v1/models/%C3%A9", "/v1/models/.hidden", "/v1/models/v1.",
        "/v1/models/%e0%a4%85"}) {
    EXPECT_EQ(path_of(path), path);
  }
}

TEST(Target, QueriesAreCheckedForTheirEncodingOnly) {
  EXPECT_TRUE(split_target("/x?a=%2e%2e//..&b={|}[]^`&c=%25&d=%c0%ae&alt=sse"));
  EXPECT_EQ(path_of("/x?a=%zz"), refused(TargetError::bad_percent));
  EXPECT_EQ(path_of("/x?a=%"), refused(TargetError::bad_percent));
  EXPECT_EQ(path_of("/x?a=%00"), refused(TargetError::forbidden_byte));
  EXPECT_EQ(path_of("/x?a=\x01"), refused(TargetError::forbidden_byte));
  EXPECT_EQ(path_of("/x?a=b#c"), refused(TargetError::forbidden_byte));
}

TEST(Target, SegmentsAreToldApartBeforeTheyAreDecoded) {
  std::string_view rest = "/v1/models/a%2Fb/";
  std::vector<std::string> segments;
  while (const auto segment = next_segment(rest)) {
    std::string decoded;
    ASSERT_TRUE(decode_segment(*segment, decoded));
    segments.push_back(decoded);
  }
  EXPECT_EQ(segments, (std::vector<std::string>{"v1", "models", "a/b", ""}));
}

TEST(Target, DecodingRefusesWhatIsMalformed) {
  std::string out = "kept:";
  EXPECT_TRUE(decode_segment("a%20b%3a%c3%A9", out));
  EXPECT_EQ(out, "kept:a b:\xc3\xa9");
  for (const std::string_view bad : {"x%", "x%2", "x%2x", "x%00"}) {
    EXPECT_FALSE(decode_segment(bad, out)) << bad;
    EXPECT_EQ(out, "kept:a b:\xc3\xa9");
  }
}

TEST(QueryKey, IsFoundHoweverItIsSpelled) {
  EXPECT_EQ(query_key("key=clv_1").value(), "clv_1");
  EXPECT_EQ(query_key("alt=sse&key=clv_1&x=y").value(), "clv_1");
  EXPECT_EQ(query_key("%6bey=clv_1").value(), "clv_1");
  EXPECT_EQ(query_key("KEY=clv_1").value(), "clv_1");
  EXPECT_EQ(query_key("a=b;key=clv_1").value(), "clv_1");
  EXPECT_EQ(query_key("key").value(), "");
  EXPECT_EQ(query_key("monkey=1&keys=2&key1=3").value(), std::nullopt);
  EXPECT_EQ(query_key("").value(), std::nullopt);
  EXPECT_EQ(query_key("key=a&k%65y=b").error(), TargetError::repeated_key);
  EXPECT_EQ(query_key("key=a&key=a").error(), TargetError::repeated_key);
}

TEST(QueryKey, IsNotPassedOn) {
  EXPECT_EQ(without_key("key=clv_1"), "");
  EXPECT_EQ(without_key("alt=sse&key=clv_1&x=y"), "alt=sse&x=y");
  EXPECT_EQ(without_key("key=clv_1&alt=sse"), "alt=sse");
  EXPECT_EQ(without_key("alt=sse&%6B%65%79=clv_1"), "alt=sse");
  EXPECT_EQ(without_key("fields=a;b&x"), "fields=a;b&x");
  EXPECT_EQ(without_key("monkey=1"), "monkey=1");
}

TEST(LoggableTarget, HidesSecretsAndNothingElse) {
  EXPECT_EQ(loggable("/v1/models?alt=sse&key=clv_1&x=y"), "/v1/models?alt=sse&key=***&x=y");
  EXPECT_EQ(loggable("/x?%6bey=s3cret"), "/x?%6bey=***");
  EXPECT_EQ(loggable("/x?api_key=s;access_token=s&X-Amz-Signature=s&sig=s"),
            "/x?api_key=***;access_token=***&X-Amz-Signature=***&sig=***");
  EXPECT_EQ(loggable("/x?" + std::string(60, 'n') + "=s"), "/x?" + std::string(60, 'n') + "=***");
  EXPECT_EQ(loggable("/v1/models"), "/v1/models");
  EXPECT_EQ(loggable("/x?a=b=c&d"), "/x?a=b=c&d");
}

TEST(LoggableTarget, HidesAVirtualKeyWhereNoneBelongs) {
  EXPECT_EQ(loggable("/v1/clv_abcDEF012/models"), "/v1/clv_***/models");
  EXPECT_EQ(loggable("/v1?q=clv_abc&clv_def"), "/v1?q=clv_***&clv_***");
}

TEST(LoggableTarget, NeverBreaksALine) {
  EXPECT_EQ(loggable("/x\r\ny?\x01=\x02\xff b"), R"(/x??y?)"
                                                 R"(?=???b)");
  EXPECT_LE(loggable(std::string(100'000, 'x')).size(), kLoggedTargetBytesMax + 3);
}

TEST(TargetErrors, SayWhatToDo) {
  for (int i = 0; i <= static_cast<int>(TargetError::repeated_key); ++i) {
    EXPECT_GT(explain(static_cast<TargetError>(i)).size(), 30u) << i;
  }
}

}  // namespace
}  // namespace claviger::net::http

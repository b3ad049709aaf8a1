#include "console/text_forms.h"

#include <gtest/gtest.h>

#include "record/record_json.h"

namespace claviger::console {
namespace {

using namespace std::chrono_literals;

TEST(Times, AreReadWithDateZoneAndFraction) {
  const auto text = [](std::string_view written) {
    const auto time = parse_time(written);
    return time ? record::to_rfc3339(*time) : std::string("nothing");
  };
  EXPECT_EQ(text("2026-11-23"), "2026-11-23T00:00:00.000Z");
  EXPECT_EQ(text("2026-11-23T10:20:30Z"), "2026-11-23T10:20:30.000Z");
  EXPECT_EQ(text("2026-11-23T10:20:30.1239Z"), "2026-11-23T10:20:30.123Z");
  EXPECT_EQ(text("2026-11-23T00:30:00+01:00"), "2026-11-22T23:30:00.000Z");
  EXPECT_EQ(text("2028-02-29"), "2028-02-29T00:00:00.000Z");
  for (const char* const wrong :
       {"", "someday", "2026-02-29", "2026-13-01", "2026-1-1", "1969-12-31", "2026-11-23T",
        "2026-11-23T10:20", "2026-11-23T10:20:30", "2026-11-23T24:00:00Z", "2026-11-23T10:20:30.Z",
        "2026-11-23T10:20:30Zx", "2026-11-23 ", "2026-11-23T10:20:30+1:00"}) {
    EXPECT_EQ(text(wrong), "nothing") << wrong;
  }
}

TEST(Spans, ArePositiveBoundedAndHaveAUnit) {
  EXPECT_EQ(parse_span("90m"), 5400s);
  EXPECT_EQ(parse_span("7d"), 168h);
  EXPECT_EQ(parse_span("2w"), 336h);
  for (const char* const wrong : {"", "d", "7", "0d", "-1d", "7x", "7dd", "99999999999999999999d",
                                  "4000d", "10000000d", " 7d"}) {
    EXPECT_FALSE(parse_span(wrong)) << wrong;
  }
}

TEST(Scopes, AreExactlyThoseOfTheContract) {
  EXPECT_EQ(parse_scope("owner:ann:lee")->subject, "ann:lee");
  EXPECT_EQ(parse_scope("model:openai/*")->scope, budget::Scope::model);
  EXPECT_EQ(parse_scope("workspace")->scope, budget::Scope::workspace);
  EXPECT_EQ(parse_scope("each-owner")->scope, budget::Scope::each_owner);
  EXPECT_EQ(parse_scope("each-user")->scope, budget::Scope::each_user);
  for (const char* const wrong : {"", "owner", "owner:", "workspace:x", "each-owner:x", "Owner:x",
                                  "planet:mars", ":x", "virtual_key:1"}) {
    EXPECT_EQ(parse_scope(wrong).error(), ScopeTextError::malformed) << wrong;
  }
}

TEST(Names, ArePrintableAndNoIds) {
  for (const char* const good : {"a", "Ann Lee", "Zoë", "研究", "own_x", "own_", "ownx_3", "7"}) {
    EXPECT_FALSE(fault_of_name(good)) << good;
  }
  for (const std::string& wrong :
       {std::string(), std::string(" a"), std::string("a "), std::string("a\nb"),
        std::string("a\0b", 3), std::string("own_3"), std::string("\xff"), std::string("\xc0\x80"),
        std::string("\xed\xa0\x80"), std::string(129, 'x')}) {
    EXPECT_TRUE(fault_of_name(wrong)) << wrong;
  }
}

TEST(PrivateHosts, AreKnownInEveryClothing) {
  for (const char* const host :
       {"127.0.0.1", "127.1", "2130706433", "0x7f.1", "10.1.2.3", "192.168.0.1", "169.254.169.254",
        "::1", "::ffff:127.0.0.1", "fd00::1", "fe80::1", "localhost", "box", "a.local", "a.local.",
        "a.internal", "x.localhost"}) {
    EXPECT_TRUE(is_private_host(host)) << host;
  }
  for (const char* const host : {"8.8.8.8", "api.openai.com", "2606:4700::1111", "local.example"}) {
    EXPECT_FALSE(is_private_host(host)) << host;
  }
}

}  // namespace
}  // namespace claviger::console

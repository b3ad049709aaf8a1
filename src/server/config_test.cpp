#include "server/config.h"

#include <gtest/gtest.h>

#include <string>

namespace claviger::server {
namespace {

/// Every commented setting of the file that `init` writes, switched on.
std::string all_switched_on() {
  std::string text;
  std::string_view rest = default_config_text();
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    // `# name = value`, and not a sentence that happens to have an equals sign.
    if (line.starts_with("# ") && line.find(" = ") != std::string_view::npos &&
        line.substr(2, line.find(" = ") - 2).find(' ') == std::string_view::npos) {
      line.remove_prefix(2);
    }
    text.append(line).append("\n");
  }
  return text;
}

TEST(Config, AnEmptyFileMeansTheDefaults) {
  const auto config = parse_config("", "claviger.toml");
  ASSERT_TRUE(config) << config.error();
  EXPECT_TRUE(describe_changes(*config, Config{}).empty());
}

TEST(Config, TheFileThatInitWritesHoldsTheDefaults) {
  const auto as_written = parse_config(default_config_text(), "claviger.toml");
  ASSERT_TRUE(as_written) << as_written.error();
  EXPECT_TRUE(describe_changes(*as_written, Config{}).empty());

  const auto switched_on = parse_config(all_switched_on(), "claviger.toml");
  ASSERT_TRUE(switched_on) << switched_on.error();
  // The one example; all else stands there with its default.
  EXPECT_EQ(switched_on->egress_allow.size(), 1u);
  Config defaults;
  defaults.egress_allow = switched_on->egress_allow;
  EXPECT_EQ(describe_changes(*switched_on, defaults), std::vector<std::string>());
}

TEST(Config, WhatIsWrongIsNamedWithItsLine) {
  const struct {
    std::string_view text;
    std::string_view said;
  } cases[] = {
      {"[limits]\nbody_byte_max = 1", "c.toml:2: there is no setting \"limits.body_byte_max\""},
      {"[server]\nthreads = -1", "c.toml:2: server.threads must be a whole number from 0 to 256"},
      {"[server]\nthreads = \"2\"", "server.threads must be a whole number"},
      {"[server]\n\nlisten = \"nowhere\"", "c.toml:3: server.listen is wrong"},
      {"threads = 2", "\"threads\" stands outside of any [table]"},
      {"[ledger]\ndurability = \"slow\"", "must be \"fast\" or \"strict\""},
      {"[local]\nsandbox = \"maybe\"", "must be one of: \"on\", \"off\""},
      {"[local]\nsandbox_allow_missing = \"user\"", "must be a list of names in quotes"},
      {"[egress]\nallow = [\"localhost\"]", "has \"localhost\", which is not HOST:PORT"},
      {"[server\nthreads = 1", "c.toml:1"},
      {"[server]\ntls_certificate = \"x.pem\"", "belong together"},
      {"[mail]\nhost = \"mail.example.com\"", "mail.from must be a plain mail address"},
      {"[mail]\nhost = \"mail.example.com\"\nfrom = \"a@b.c\"\nuser = \"me\"", "belong together"},
      {"[mail]\nhost = \"mail.example.com\"\nfrom = \"a@b.c\"\ntls = \"none\"",
       "would cross the network in clear"},
      {"[mail]\nport = 65536", "mail.port must be a whole number from 1 to 65535"},
      {"[server]\nlisten = \"0.0.0.0:8484\"", "would send keys over the network in clear"},
  };
  for (const auto& [text, said] : cases) {
    const auto config = parse_config(text, "c.toml");
    ASSERT_FALSE(config) << text;
    EXPECT_NE(config.error().find(said), std::string::npos) << text << "\n" << config.error();
  }
}

TEST(Config, OtherAddressesAreForTlsAlone) {
  EXPECT_TRUE(parse_config("[server]\nlisten = \"0.0.0.0:1\"\nbehind_tls_proxy = true", "c"));
  EXPECT_TRUE(parse_config("[server]\nlisten = \"[::1]:8484\"", "c"));
}

TEST(Config, AChangeSaysWhetherItNeedsARestart) {
  const auto before = parse_config("", "c").value();
  const auto after =
      parse_config("[server]\nthreads = 3\n[limits]\nidle_seconds_max = 7\n", "c").value();
  const auto changes = describe_changes(before, after);
  ASSERT_EQ(changes.size(), 2u);
  EXPECT_NE(changes[0].find("server.threads"), std::string::npos);
  EXPECT_NE(changes[0].find("restart"), std::string::npos) << changes[0];
  EXPECT_NE(changes[1].find("limits.idle_seconds_max"), std::string::npos);
  EXPECT_EQ(changes[1].find("restart"), std::string::npos) << changes[1];
}

}  // namespace
}  // namespace claviger::server

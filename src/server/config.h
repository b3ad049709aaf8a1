#pragma once

/// claviger.toml: what an operator may set. Every setting has a default; an unknown key is an
/// error, because a misspelt limit is no limit.

#include <chrono>
#include <cstdint>
#include <expected>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "budget/journal_ledger.h"
#include "local/runner_program.h"
#include "local/runner_schedule.h"
#include "net/egress.h"
#include "net/listener.h"
#include "net/server_connection.h"
#include "relay/limits.h"

namespace claviger::server {

/// `[mail]`: the server that takes alerts by mail.
struct MailConfig {
  std::string host;  ///< Empty: mail is not set up.
  std::uint16_t port = 587;
  std::string tls = "starttls";  ///< starttls, tls, none
  std::string user;
  std::string password_env;   ///< The environment variable that holds the password.
  std::string password_file;  ///< Or the file, which nobody else may read.
  std::string from;
  std::string ca_file;  ///< Empty: the system's authorities.
  friend bool operator==(const MailConfig&, const MailConfig&) = default;
};

struct Config {
  // [server]
  net::ListenAddress listen;
  std::size_t threads = 0;  ///< 0: one per core.
  std::string tls_certificate;
  std::string tls_key;
  bool behind_tls_proxy = false;
  std::size_t connections_max = 20'000;  ///< Of all threads together.
  std::chrono::seconds drain_time_max{30};

  // [limits]
  net::ServerLimits caller;
  relay::Limits provider;

  // [egress]
  std::vector<net::EgressAllowance> egress_allow;

  // [ledger]
  std::size_t end_users_max = 100'000;  ///< Budgets that rules for each end user may make.
  budget::Durability durability = budget::Durability::fast;
  std::chrono::milliseconds group_commit{5};

  // [local]
  std::string runner_path;  ///< Empty: CLAVIGER_RUNNER, then the PATH, then the cache folder.
  std::string sandbox = "on";
  std::vector<std::string> sandbox_allow_missing;
  local::RunnerLimits runner_limits;
  local::RunnerTuning runner_tuning;

  // [mail]
  MailConfig mail;

  // [vault]
  std::string root_key = "file";  ///< "file", "passphrase", "fd:N" or "systemd:NAME".

  // [log]
  std::string log_level = "info";  ///< debug, info, warning, error
};

/// Reads the text of a claviger.toml. The error names the line, the key, and what to write.
std::expected<Config, std::string> parse_config(std::string_view text, std::string_view file_name);
std::expected<Config, std::string> read_config(const std::filesystem::path& file);

/// What no single setting can say: settings that belong together. Error: a sentence.
std::expected<void, std::string> check_config(const Config& config);

/// Which settings differ and take effect at once, and which need a restart: a line each.
std::vector<std::string> describe_changes(const Config& before, const Config& after);

/// The commented file that `init` writes: every setting with its default.
std::string_view default_config_text();

}  // namespace claviger::server

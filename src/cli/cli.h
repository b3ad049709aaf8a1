#pragma once

/// The command line. It talks to the running server over the socket in the home folder, and
/// knows nothing of its inside; the few commands that need the whole server are handed in by
/// whoever links it.

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "base/money.h"

namespace claviger::cli {

struct ServeArguments {
  std::filesystem::path home;
  std::optional<std::string> listen;  ///< HOST:PORT, checked; instead of the settings'.
  bool behind_tls_proxy = false;
};

struct InitArguments {
  std::filesystem::path home;
  NanoUsd default_limit;
  bool as_json = false;
};

struct RestoreArguments {
  std::filesystem::path home;
  std::filesystem::path file;
  NanoUsd spent_since;  ///< Since the backup was made, on every budget.
  bool as_json = false;
};

struct CheckConfigArguments {
  std::filesystem::path home;
  bool as_json = false;
};

/// Commands that need the whole server. Each returns the exit status (0 or 1) and says what is
/// wrong on standard error. One that is empty is refused.
struct Hooks {
  std::function<int(const ServeArguments&)> serve;
  std::function<int(const InitArguments&)> init;
  std::function<int(const RestoreArguments&)> restore;
  /// `config check` where no server runs on the home. Empty: the server is asked.
  std::function<int(const CheckConfigArguments&)> check_config;
};

/// Exit status: 0 fine, 1 refused or failed, 2 wrong usage.
int run(int argc, char** argv, const Hooks& hooks);

}  // namespace claviger::cli

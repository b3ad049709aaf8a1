#include <fmt/format.h>

#include <cstdio>

#include "exchange/json_writer.h"
#include "server/config.h"
#include "server/home.h"
#include "server/server.h"
#include "vault/process_hardening.h"

namespace claviger::server {

int init(const InitOptions& options) {
  vault::harden_process();
  const HomePaths paths(options.home);
  const auto made = init_home(paths, options.default_limit);
  if (!made) {
    fmt::print(stderr, "claviger: {}\n", made.error());
    return 1;
  }
  const std::string home = paths.root.string();
  if (options.as_json) {
    fmt::print("{{\"home\":{},\"admin_key\":{},\"default_limit_usd\":\"{}\"}}\n",
               exchange::json_string(home), exchange::json_string(made->admin_key.reveal()),
               to_decimal(options.default_limit));
    return 0;
  }
  fmt::print(
      "A home was made in {0}\n"
      "\n"
      "  claviger.toml   the settings, each explained\n"
      "  root.key        opens everything that is kept here: copy it to a safe place, apart from\n"
      "                  backups. Without it nobody can read what is kept, us included.\n"
      "\n"
      "Every owner may spend {1} a month unless a budget says otherwise (claviger budget set).\n"
      "\n"
      "The first admin key, for the control API and the console. It is shown only now:\n"
      "\n"
      "  {2}\n"
      "\n"
      "Next: claviger serve --home {0}\n",
      home, to_display(options.default_limit), made->admin_key.reveal());
  return 0;
}

int check_config_file(const CheckConfigOptions& options) {
  const HomePaths paths(options.home);
  const auto config = read_config(paths.config());
  if (!config) {
    fmt::print(stderr, "claviger: {}\n", config.error());
    return 1;
  }
  if (options.as_json) {
    fmt::print("{{\"valid\":true}}\n");
  } else {
    fmt::print("{} is fine\n", paths.config().string());
  }
  return 0;
}

}  // namespace claviger::server

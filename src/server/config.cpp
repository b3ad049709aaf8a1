#include "server/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <optional>
#include <sstream>

#include "server/mail_setting.h"

// The same settings as in every other file that includes toml++: it is all inline, and the
// linker keeps only one of two different ones.
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

namespace claviger::server {
namespace {

/// One setting: where it stands, how it is read, how it is shown, and when it takes effect.
struct Setting {
  enum class Effect : std::uint8_t { at_once, after_restart };
  std::string_view table;
  std::string_view key;
  Effect effect;
  /// Reads the value; the error says what is possible.
  std::function<std::optional<std::string>(const toml::node&, Config&)> read;
  std::function<std::string(const Config&)> show;
};

using Error = std::optional<std::string>;

template <typename Get>
Setting text(std::string_view table, std::string_view key, Setting::Effect effect, Get get) {
  return {table, key, effect,
          [get](const toml::node& node, Config& config) -> Error {
            const auto value = node.value_exact<std::string>();
            if (!value) return "must be a text in quotes";
            get(config) = *value;
            return std::nullopt;
          },
          [get](const Config& config) { return get(const_cast<Config&>(config)); }};
}

template <typename Get>
Setting choice(std::string_view table, std::string_view key, Setting::Effect effect, Get get,
               std::vector<std::string> choices) {
  return {table, key, effect,
          [get, choices = std::move(choices)](const toml::node& node, Config& config) -> Error {
            const auto value = node.value_exact<std::string>();
            if (value && std::ranges::find(choices, *value) != choices.end()) {
              get(config) = *value;
              return std::nullopt;
            }
            return fmt::format("must be one of: \"{}\"", fmt::join(choices, "\", \""));
          },
          [get](const Config& config) { return get(const_cast<Config&>(config)); }};
}

template <typename Get>
Setting flag(std::string_view table, std::string_view key, Setting::Effect effect, Get get) {
  return {table, key, effect,
          [get](const toml::node& node, Config& config) -> Error {
            const auto value = node.value_exact<bool>();
            if (!value) return "must be true or false";
            get(config) = *value;
            return std::nullopt;
          },
          [get](const Config& config) {
            return std::string(get(const_cast<Config&>(config)) ? "true" : "false");
          }};
}

template <typename Get>
Setting number(std::string_view table, std::string_view key, Setting::Effect effect, Get get,
               std::int64_t least, std::int64_t most) {
  return {table, key, effect,
          [get, least, most](const toml::node& node, Config& config) -> Error {
            const auto value = node.value_exact<std::int64_t>();
            if (!value || *value < least || *value > most) {
              return fmt::format("must be a whole number from {} to {}", least, most);
            }
            get(config) = static_cast<std::remove_reference_t<decltype(get(config))>>(*value);
            return std::nullopt;
          },
          [get](const Config& config) { return std::to_string(get(const_cast<Config&>(config))); }};
}

/// A duration in the unit that the key's name ends in.
template <typename Unit, typename Get>
Setting duration(std::string_view table, std::string_view key, Setting::Effect effect, Get get,
                 std::int64_t least, std::int64_t most) {
  return {table, key, effect,
          [get, least, most](const toml::node& node, Config& config) -> Error {
            const auto value = node.value_exact<std::int64_t>();
            if (!value || *value < least || *value > most) {
              return fmt::format("must be a whole number from {} to {}", least, most);
            }
            get(config) = Unit(*value);
            return std::nullopt;
          },
          [get](const Config& config) {
            return std::to_string(
                std::chrono::duration_cast<Unit>(get(const_cast<Config&>(config))).count());
          }};
}

Error read_egress_allow(const toml::node& node, Config& config) {
  const toml::array* const list = node.as_array();
  constexpr auto wanted = "must be a list of \"HOST:PORT\"";
  if (list == nullptr) return wanted;
  config.egress_allow.clear();
  for (const toml::node& item : *list) {
    const auto one = item.value_exact<std::string>();
    if (!one) return wanted;
    const auto url = net::parse_base_url("http://" + *one);
    if (!url || !url->path.empty() || one->find_last_of(':') == std::string::npos) {
      return fmt::format("has \"{}\", which is not HOST:PORT", *one);
    }
    config.egress_allow.push_back({url->endpoint.host, url->endpoint.port});
  }
  return std::nullopt;
}

std::string show_egress_allow(const Config& config) {
  std::string text;
  for (const net::EgressAllowance& one : config.egress_allow) {
    text += fmt::format("{}{}:{}", text.empty() ? "" : ", ", one.host, one.port);
  }
  return "[" + text + "]";
}

Error read_names(const toml::node& node, std::vector<std::string>& names) {
  const toml::array* const list = node.as_array();
  if (list == nullptr) return "must be a list of names in quotes";
  names.clear();
  for (const toml::node& item : *list) {
    const auto one = item.value_exact<std::string>();
    if (!one) return "must be a list of names in quotes";
    names.push_back(*one);
  }
  return std::nullopt;
}

const std::vector<Setting>& settings() {
  using enum Setting::Effect;
  using std::chrono::milliseconds;
  using std::chrono::minutes;
  using std::chrono::seconds;
  constexpr std::int64_t kDay = 86'400;
  static const std::vector<Setting> all = {
      {"server", "listen", after_restart,
       [](const toml::node& node, Config& config) -> Error {
         const auto value = node.value_exact<std::string>();
         if (!value) return "must be \"HOST:PORT\"";
         const auto address = net::parse_listen_address(*value);
         if (!address) return "is wrong: " + address.error();
         config.listen = *address;
         return std::nullopt;
       },
       [](const Config& config) {
         return config.listen.host + ":" + std::to_string(config.listen.port);
       }},
      number(
          "server", "threads", after_restart, [](Config& c) -> auto& { return c.threads; }, 0, 256),
      text("server", "tls_certificate", after_restart,
           [](Config& c) -> auto& { return c.tls_certificate; }),
      text("server", "tls_key", after_restart, [](Config& c) -> auto& { return c.tls_key; }),
      flag("server", "behind_tls_proxy", after_restart,
           [](Config& c) -> auto& { return c.behind_tls_proxy; }),
      number(
          "server", "connections_max", after_restart,
          [](Config& c) -> auto& { return c.connections_max; }, 1, 1'000'000),
      duration<seconds>(
          "server", "drain_seconds_max", at_once,
          [](Config& c) -> auto& { return c.drain_time_max; }, 0, 3600),

      number(
          "limits", "body_bytes_max", at_once,
          [](Config& c) -> auto& { return c.caller.body_bytes_max; }, 1024, std::int64_t{1} << 30),
      number(
          "limits", "all_bodies_bytes_max", at_once,
          [](Config& c) -> auto& { return c.caller.all_bodies_bytes_max; }, std::int64_t{1} << 20,
          std::int64_t{1} << 40),
      duration<seconds>(
          "limits", "keep_alive_seconds_max", at_once,
          [](Config& c) -> auto& { return c.caller.keep_alive_max; }, 1, kDay),
      duration<seconds>(
          "limits", "head_seconds_max", at_once,
          [](Config& c) -> auto& { return c.caller.head_time_max; }, 1, 600),
      duration<seconds>(
          "limits", "body_seconds_max", at_once,
          [](Config& c) -> auto& { return c.caller.body_time_max; }, 1, kDay),
      duration<seconds>(
          "limits", "write_idle_seconds_max", at_once,
          [](Config& c) -> auto& { return c.caller.write_idle_max; }, 1, kDay),
      number(
          "limits", "attempts_max", at_once,
          [](Config& c) -> auto& { return c.provider.attempts_max; }, 1, 10),
      duration<seconds>(
          "limits", "retry_pause_seconds_max", at_once,
          [](Config& c) -> auto& { return c.provider.retry_pause_max; }, 0, 60),
      duration<seconds>(
          "limits", "budget_wait_seconds_max", at_once,
          [](Config& c) -> auto& { return c.provider.budget_wait_max; }, 0, 600),
      number(
          "limits", "end_users_max", after_restart,
          [](Config& c) -> auto& { return c.end_users_max; }, 0, 1'000'000),
      duration<seconds>(
          "limits", "connect_seconds_max", at_once,
          [](Config& c) -> auto& { return c.provider.connect_time_max; }, 1, 600),
      duration<seconds>(
          "limits", "first_byte_seconds_max", at_once,
          [](Config& c) -> auto& { return c.provider.first_byte_time_max; }, 1, kDay),
      duration<seconds>(
          "limits", "first_word_seconds_max", at_once,
          [](Config& c) -> auto& { return c.provider.first_word_wait_max; }, 1, kDay),
      duration<seconds>(
          "limits", "idle_seconds_max", at_once,
          [](Config& c) -> auto& { return c.provider.idle_time_max; }, 1, kDay),
      number(
          "limits", "answer_bytes_max", at_once,
          [](Config& c) -> auto& { return c.provider.answer_bytes_max; }, 1024,
          std::int64_t{4} << 30),
      number(
          "limits", "exact_count_bytes_max", at_once,
          [](Config& c) -> auto& { return c.provider.exact_count_bytes_max; }, 0,
          std::int64_t{64} << 20),
      number(
          "limits", "event_bytes_max", at_once,
          [](Config& c) -> auto& { return c.provider.event_bytes_max; }, 1024,
          std::int64_t{1} << 30),

      {"egress", "allow", at_once, read_egress_allow, show_egress_allow},

      {"ledger", "durability", after_restart,
       [](const toml::node& node, Config& config) -> Error {
         const auto value = node.value_exact<std::string>();
         if (value == "fast")
           config.durability = budget::Durability::fast;
         else if (value == "strict")
           config.durability = budget::Durability::strict;
         else
           return "must be \"fast\" or \"strict\"";
         return std::nullopt;
       },
       [](const Config& config) {
         return std::string(config.durability == budget::Durability::fast ? "fast" : "strict");
       }},
      duration<milliseconds>(
          "ledger", "group_commit_ms", after_restart,
          [](Config& c) -> auto& { return c.group_commit; }, 1, 1000),

      text("local", "runner_path", after_restart, [](Config& c) -> auto& { return c.runner_path; }),
      choice("local", "sandbox", after_restart, [](Config& c) -> auto& { return c.sandbox; },
             {"on", "off"}),
      {"local", "sandbox_allow_missing", after_restart,
       [](const toml::node& node, Config& config) {
         return read_names(node, config.sandbox_allow_missing);
       },
       [](const Config& config) {
         return fmt::format("[{}]", fmt::join(config.sandbox_allow_missing, ", "));
       }},
      number(
          "local", "runners_max", after_restart,
          [](Config& c) -> auto& { return c.runner_limits.runners_max; }, 1, 64),
      number(
          "local", "requests_per_runner_max", after_restart,
          [](Config& c) -> auto& { return c.runner_limits.leases_per_runner_max; }, 1, 1024),
      duration<minutes>(
          "local", "idle_minutes_max", after_restart,
          [](Config& c) -> auto& { return c.runner_limits.idle_stop; }, 1, 10'080),
      number(
          "local", "request_slots", after_restart,
          [](Config& c) -> auto& { return c.runner_tuning.request_slots; }, 1, 64),
      number(
          "local", "threads", after_restart,
          [](Config& c) -> auto& { return c.runner_tuning.threads; }, 0, 256),
      number(
          "local", "prompt_cache_mib", after_restart,
          [](Config& c) -> auto& { return c.runner_tuning.prompt_cache_mib; }, 0, 1 << 20),
      number(
          "local", "nice", after_restart,
          [](Config& c) -> auto& { return c.runner_tuning.nice_level; }, 0, 19),

      text("mail", "host", at_once, [](Config& c) -> auto& { return c.mail.host; }),
      number(
          "mail", "port", at_once, [](Config& c) -> auto& { return c.mail.port; }, 1, 65'535),
      choice("mail", "tls", at_once, [](Config& c) -> auto& { return c.mail.tls; },
             {"starttls", "tls", "none"}),
      text("mail", "user", at_once, [](Config& c) -> auto& { return c.mail.user; }),
      text("mail", "password_env", at_once, [](Config& c) -> auto& { return c.mail.password_env; }),
      text("mail", "password_file", at_once,
           [](Config& c) -> auto& { return c.mail.password_file; }),
      text("mail", "from", at_once, [](Config& c) -> auto& { return c.mail.from; }),
      text("mail", "ca_file", at_once, [](Config& c) -> auto& { return c.mail.ca_file; }),

      text("vault", "root_key", after_restart, [](Config& c) -> auto& { return c.root_key; }),
      choice("log", "level", at_once, [](Config& c) -> auto& { return c.log_level; },
             {"debug", "info", "warning", "error"}),
  };
  return all;
}

std::string at(std::string_view file_name, const toml::node& node) {
  return fmt::format("{}:{}: ", file_name, node.source().begin.line);
}

}  // namespace

std::expected<void, std::string> check_config(const Config& config) {
  if (config.tls_certificate.empty() != config.tls_key.empty()) {
    return std::unexpected(
        "server.tls_certificate and server.tls_key belong together; set both or none");
  }
  const bool is_protected = !config.tls_certificate.empty() || config.behind_tls_proxy;
  if (!net::is_loopback(config.listen) && !is_protected) {
    return std::unexpected(fmt::format(
        "listening on {} would send keys over the network in clear; set tls_certificate and "
        "tls_key, or behind_tls_proxy, or listen on 127.0.0.1",
        config.listen.host));
  }
  return check_mail(config.mail);
}

std::expected<Config, std::string> parse_config(std::string_view text, std::string_view file_name) {
  const toml::parse_result parsed = toml::parse(text);
  if (!parsed) {
    return std::unexpected(fmt::format("{}:{}: {}", file_name, parsed.error().source().begin.line,
                                       parsed.error().description()));
  }
  const toml::table& root = parsed.table();
  Config config;
  for (const auto& [table_name, table_node] : root) {
    const toml::table* const table = table_node.as_table();
    if (table == nullptr) {
      return std::unexpected(at(file_name, table_node) + "\"" + std::string(table_name.str()) +
                             "\" stands outside of any [table]");
    }
    for (const auto& [key, node] : *table) {
      const auto setting = std::ranges::find_if(settings(), [&](const Setting& one) {
        return one.table == table_name.str() && one.key == key.str();
      });
      const std::string name = fmt::format("{}.{}", table_name.str(), key.str());
      if (setting == settings().end()) {
        return std::unexpected(at(file_name, node) + "there is no setting \"" + name +
                               "\"; docs/reference/configuration.md lists all");
      }
      if (const Error error = setting->read(node, config)) {
        return std::unexpected(at(file_name, node) + name + " " + *error);
      }
    }
  }
  if (auto checked = check_config(config); !checked) {
    return std::unexpected(fmt::format("{}: {}", file_name, checked.error()));
  }
  return config;
}

std::expected<Config, std::string> read_config(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) {
    return std::unexpected("cannot read " + file.string() +
                           "; `claviger init` writes one with all settings explained");
  }
  std::ostringstream text;
  text << in.rdbuf();
  return parse_config(text.str(), file.string());
}

std::vector<std::string> describe_changes(const Config& before, const Config& after) {
  std::vector<std::string> lines;
  for (const Setting& setting : settings()) {
    const std::string old_value = setting.show(before);
    const std::string new_value = setting.show(after);
    if (old_value == new_value) continue;
    lines.push_back(fmt::format(
        "{}.{}: {} -> {}{}", setting.table, setting.key, old_value, new_value,
        setting.effect == Setting::Effect::after_restart ? " (takes effect after a restart)" : ""));
  }
  return lines;
}

}  // namespace claviger::server

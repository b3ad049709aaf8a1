/// The installation: init, serve, and what keeps it healthy.

#include <fmt/format.h>
#include <signal.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <thread>

#include "cli/commands.h"
#include "cli/secret_input.h"
#include "console/json_out.h"

namespace claviger::cli {
namespace {

using console::JsonObject;
using Form = Column::Form;

constexpr std::chrono::seconds kStopTimeMax{60};
constexpr std::chrono::milliseconds kStopPoll{50};

const std::vector<Column> kStatusDetails = {
    {"version", "version"},          {"home", "home"},
    {"listening", "listening"},      {"since", "started_at", Form::moment},
    {"process", "process_id"},       {"connections", "open_connections"},
    {"records lost", "records_lost"}};
const std::vector<Column> kFindingColumns = {
    {"", "level"}, {"SUBJECT", "subject"}, {"FOUND", "message"}};

/// A hook has said what is wrong by itself.
Outcome<void> of_status(int status) {
  if (status == 0) return {};
  return std::unexpected(Failure{.status = status, .message = {}});
}

Outcome<void> only_here(const Session& session, std::string_view command) {
  if (session.place.url.empty()) return {};
  return wrong_usage(
      fmt::format("claviger {} works on a home of this machine; leave out --url", command));
}

}  // namespace

Outcome<void> server_init(Session& session, const Arguments& arguments) {
  if (auto here = only_here(session, "init"); !here) return here;
  if (!session.hooks.init) return refused("this program was built without a server");
  const auto limit = parse_usd(arguments.limit);
  if (!limit) return wrong_usage(fmt::format("--default-limit: {}", explain(limit.error())));
  return of_status(session.hooks.init(
      {.home = session.place.home, .default_limit = *limit, .as_json = session.as_json}));
}

Outcome<void> server_serve(Session& session, const Arguments& arguments) {
  if (auto here = only_here(session, "serve"); !here) return here;
  if (!session.hooks.serve) return refused("this program was built without a server");
  ServeArguments serve{.home = session.place.home,
                       .listen = std::nullopt,
                       .behind_tls_proxy = arguments.behind_tls_proxy};
  if (!arguments.listen.empty()) serve.listen = arguments.listen;
  return of_status(session.hooks.serve(serve));
}

Outcome<void> server_status(Session& session, const Arguments&) {
  const auto said = session.ask("GET", "/status");
  if (!said) return std::unexpected(said.error());
  return session.show_object(*said, kStatusDetails);
}

Outcome<void> server_stop(Session& session, const Arguments&) {
  if (auto here = only_here(session, "stop"); !here) return here;
  const auto said = session.ask("GET", "/status");
  if (!said) return std::unexpected(said.error());
  const std::string text = text_of(said->value, "process_id");
  pid_t process = 0;
  std::from_chars(text.data(), text.data() + text.size(), process);
  if (process <= 1) return refused("the server did not say which process it is");
  if (::kill(process, SIGTERM) != 0) {
    return refused(
        fmt::format("process {} cannot be stopped by you; ask whoever started it", process));
  }
  const auto until = std::chrono::steady_clock::now() + kStopTimeMax;
  while (::kill(process, 0) == 0 || errno == EPERM) {
    if (std::chrono::steady_clock::now() > until) {
      return refused(fmt::format("process {} still finishes running requests after {} s", process,
                                 kStopTimeMax.count()));
    }
    std::this_thread::sleep_for(kStopPoll);
  }
  if (session.as_json) {
    say(JsonObject().number("process_id", process).truth("stopped", true).finish());
  } else {
    say(fmt::format("The server (process {}) has stopped", process));
  }
  return {};
}

Outcome<void> server_doctor(Session& session, const Arguments&) {
  const auto said = session.ask("GET", "/doctor");
  if (!said) return std::unexpected(said.error());
  return session.show_list(*said, kFindingColumns, "Nothing was found");
}

Outcome<void> server_backup(Session& session, const Arguments& arguments) {
  const std::string file = std::filesystem::absolute(arguments.subject).lexically_normal().string();
  const auto said = session.ask("POST", "/backup", JsonObject().text("file", file).finish());
  if (!said) return std::unexpected(said.error());
  return session.show(
      *said, fmt::format("Wrote {}. It opens only with the root key of this home: keep that "
                         "apart, and safe.",
                         file));
}

Outcome<void> server_restore(Session& session, const Arguments& arguments) {
  if (auto here = only_here(session, "restore"); !here) return here;
  if (!session.hooks.restore) return refused("this program was built without a server");
  if (ControlClient(session.clock, session.place).call("GET", "/status", {})) {
    return refused("a server is running on this home; stop it first with: claviger stop");
  }
  std::string text = arguments.cost_usd;
  if (text.empty()) {
    auto line =
        line_from_stdin("How much was spent since the backup was made, in dollars (0 if nothing)?");
    if (!line) return std::unexpected(line.error());
    text = std::move(*line);
  }
  if (text.empty()) {
    return refused(
        "restore needs to know what was spent since the backup was made: otherwise the limits "
        "would forget it. Give it with --spent-since USD, or on standard input");
  }
  const auto spent = parse_usd(text);
  if (!spent) {
    return wrong_usage(
        fmt::format("\"{}\" is no amount: {}", printable(text), explain(spent.error())));
  }
  return of_status(session.hooks.restore({.home = session.place.home,
                                          .file = std::filesystem::absolute(arguments.subject),
                                          .spent_since = *spent,
                                          .as_json = session.as_json}));
}

Outcome<void> config_check(Session& session, const Arguments&) {
  if (session.hooks.check_config && session.place.url.empty()) {
    return of_status(
        session.hooks.check_config({.home = session.place.home, .as_json = session.as_json}));
  }
  const auto said = session.ask("POST", "/config/check");
  if (!said) return std::unexpected(said.error());
  return session.show(*said, "claviger.toml is sound");
}

Outcome<void> config_reload(Session& session, const Arguments&) {
  const auto said = session.ask("POST", "/config/reload");
  if (!said) return std::unexpected(said.error());
  std::string sentence;
  if (const auto* const changes = said->value.get_object().if_contains("changes");
      changes != nullptr && changes->is_array()) {
    for (const json::value& change : changes->get_array()) {
      if (change.is_string()) sentence += std::string(change.get_string()) + '\n';
    }
  }
  return session.show(*said, sentence.empty() ? "Nothing has changed" : sentence);
}

Outcome<void> vault_status(Session& session, const Arguments&) {
  const auto said = session.ask("GET", "/vault");
  if (!said) return std::unexpected(said.error());
  if (session.as_json) return session.show(*said, "");
  const json::value& arena = said->value.at("arena");
  const std::string tampered = cell_of(said->value, {"", "tampered"});
  say(fmt::format("credentials  {}", text_of(said->value, "credentials")));
  say(fmt::format("tampered     {}", tampered == "-" ? "none" : tampered));
  say(fmt::format("root key     {}", text_of(said->value, "root_key_id")));
  say(fmt::format("memory       {} of {} bytes used, {}", text_of(arena, "bytes_used"),
                  text_of(arena, "bytes_total"),
                  text_of(arena, "locked") == "yes"
                      ? "locked"
                      : "NOT locked: raise the limit on locked memory (ulimit -l)"));
  return {};
}

Outcome<void> vault_rotate(Session& session, const Arguments&) {
  const auto said = session.ask("POST", "/vault/rotate");
  if (!said) return std::unexpected(said.error());
  return session.show(
      *said, fmt::format("A new root key ({}) is in force. Backups from before open with the old "
                         "one only.",
                         text_of(said->value, "root_key_id")));
}

}  // namespace claviger::cli

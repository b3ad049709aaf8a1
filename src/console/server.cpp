/// The installation itself: vault, backup, settings, health.

#include <filesystem>

#include "base/secret.h"
#include "console/fields.h"
#include "console/json_out.h"
#include "console/routes.h"

namespace claviger::console {
namespace {

std::string_view to_text(Finding::Level level) {
  switch (level) {
    case Finding::Level::good:
      return "good";
    case Finding::Level::warning:
      return "warning";
    case Finding::Level::problem:
      return "problem";
  }
  return "problem";
}

Outcome<void> read_nothing(const Call& call) {
  Fields fields(call.request.body);
  return fields.finish();
}

std::string vault_json(const Registry& registry) {
  const SecretArenaState arena = secret_arena_state();
  JsonArray tampered;
  for (const CredentialId id : registry.parts.vault.tampered()) {
    tampered.add('"' + id.text() + '"');
  }
  return JsonObject()
      .number("credentials", registry.world().credentials->entries().size())
      .raw("tampered", tampered.finish())
      .text("root_key_id", registry.parts.vault.root_key_id())
      .raw("arena", JsonObject()
                        .number("bytes_total", arena.bytes_total)
                        .number("bytes_used", arena.bytes_used)
                        .truth("locked", arena.locked)
                        .finish())
      .finish();
}

}  // namespace

Task<Outcome<Reply>> show_vault(Registry& registry, Call& call) {
  if (auto checked = call.check_query({}); !checked) co_return std::unexpected(checked.error());
  co_return Reply{.body = vault_json(registry)};
}

Task<Outcome<Reply>> rotate_vault(Registry& registry, Call& call) {
  if (auto read = read_nothing(call); !read) co_return std::unexpected(read.error());
  if (auto done = registry.parts.operations.rotate_root_key(); !done) {
    co_return problem(409, "not_rotated", done.error(),
                      "nothing has changed; \"claviger vault status\" says how it stands");
  }
  co_return Reply{.body = vault_json(registry)};
}

Task<Outcome<Reply>> make_backup(Registry& registry, Call& call) {
  Fields fields(call.request.body);
  const std::string file = fields.text("file");
  if (auto read = fields.finish(); !read) co_return std::unexpected(read.error());
  const std::filesystem::path path(file);
  if (!path.is_absolute() || file.find('\0') != std::string::npos) {
    co_return bad_value("file", "this is no absolute path",
                        "send one that begins with /: the server's own folder is not yours");
  }
  if (auto done = registry.parts.operations.backup_to(file); !done) {
    co_return problem(409, "backup_failed", done.error(),
                      "choose a folder that the server may write to, with room for the database");
  }
  co_return Reply{.body = JsonObject().text("file", file).finish()};
}

Task<Outcome<Reply>> check_config(Registry& registry, Call& call) {
  if (auto read = read_nothing(call); !read) co_return std::unexpected(read.error());
  if (auto checked = registry.parts.operations.check_config(); !checked) {
    co_return problem(422, "bad_config", checked.error(),
                      "correct claviger.toml; the settings in force have not changed");
  }
  co_return Reply{.body = JsonObject().truth("sound", true).finish()};
}

Task<Outcome<Reply>> reload_config(Registry& registry, Call& call) {
  if (auto read = read_nothing(call); !read) co_return std::unexpected(read.error());
  const auto changes = registry.parts.operations.reload_config();
  if (!changes) {
    co_return problem(422, "bad_config", changes.error(),
                      "correct claviger.toml; the settings in force have not changed");
  }
  co_return Reply{.body = JsonObject().texts("changes", *changes).finish()};
}

Task<Outcome<Reply>> confirm_clock(Registry& registry, Call& call) {
  if (auto read = read_nothing(call); !read) co_return std::unexpected(read.error());
  registry.parts.operations.confirm_clock();
  co_return Reply{.body = JsonObject()
                              .text("time", budget::text_in(budget::TimeZone(),
                                                            registry.parts.clock.wall_now()))
                              .finish()};
}

Task<Outcome<Reply>> show_doctor(Registry& registry, Call& call) {
  if (auto checked = call.check_query({}); !checked) co_return std::unexpected(checked.error());
  co_return Reply{.body = list_of(registry.parts.operations.examine(), [](const Finding& finding) {
                    return JsonObject()
                        .text("level", to_text(finding.level))
                        .text("subject", finding.subject)
                        .text("message", finding.message)
                        .finish();
                  })};
}

Task<Outcome<Reply>> show_status(Registry& registry, Call& call) {
  if (auto checked = call.check_query({}); !checked) co_return std::unexpected(checked.error());
  const Operations::Status status = registry.parts.operations.status();
  co_return Reply{.body = JsonObject()
                              .text("version", status.version)
                              .text("home", status.home)
                              .texts("listening", status.listening)
                              .time("started_at", status.started_at)
                              .number("process_id", status.process_id)
                              .number("open_connections", status.open_connections)
                              .number("records_lost", registry.parts.recorder.records_lost())
                              .finish()};
}

}  // namespace claviger::console

/// Owners, apps, virtual keys and admin keys.

#include <fmt/format.h>

#include "cli/commands.h"
#include "console/json_out.h"
#include "console/text_forms.h"
#include "record/record_json.h"

namespace claviger::cli {
namespace {

using console::JsonObject;
using Form = Column::Form;

/// What was accepted by the grammar: a date, a time, or a span from now.
std::string absolute_time(const std::string& text, WallTime now) {
  const auto span = console::parse_span(text);
  return span ? record::to_rfc3339(now + *span) : text;
}

std::string path(std::string_view collection, std::string_view item) {
  return fmt::format("/{}/{}", collection, percent_encoded(item));
}

const std::vector<Column> kOwnerColumns = {{"ID", "id"},
                                           {"NAME", "name"},
                                           {"TYPE", "type"},
                                           {"KEEPS", "keeps_content"},
                                           {"SINCE", "created_at", Form::moment}};
const std::vector<Column> kAppColumns = {
    {"ID", "id"}, {"NAME", "name"}, {"SINCE", "created_at", Form::moment}};
const std::vector<Column> kKeyColumns = {{"ID", "id"},
                                         {"ENDS IN", "hint"},
                                         {"OWNER", "owner"},
                                         {"APP", "app"},
                                         {"MODELS", "models"},
                                         {"EXPIRES", "expires_at", Form::moment},
                                         {"REVOKED", "revoked_at", Form::moment}};
const std::vector<Column> kAdminKeyColumns = {{"ID", "id"},
                                              {"ENDS IN", "hint"},
                                              {"NAME", "name"},
                                              {"SINCE", "created_at", Form::moment},
                                              {"REVOKED", "revoked_at", Form::moment}};

}  // namespace

Outcome<void> owner_add(Session& session, const Arguments& arguments) {
  JsonObject body;
  body.text("name", arguments.subject);
  if (!arguments.type.empty()) body.text("type", arguments.type);
  const auto said = session.ask("POST", "/owners", body.finish());
  if (!said) return std::unexpected(said.error());
  return session.show(
      *said, fmt::format("Added the owner {} ({})", arguments.subject, text_of(said->value, "id")));
}

Outcome<void> owner_list(Session& session, const Arguments&) {
  const auto said = session.ask("GET", "/owners");
  if (!said) return std::unexpected(said.error());
  return session.show_list(*said, kOwnerColumns,
                           "There are no owners yet. Add one: claviger owner add NAME");
}

Outcome<void> owner_time_zone(Session& session, const Arguments& arguments) {
  JsonObject body;
  body.text("time_zone", arguments.object);
  const auto said =
      session.ask("PUT", path("owners", arguments.subject) + "/time-zone", body.finish());
  if (!said) return std::unexpected(said.error());
  return session.show(*said, fmt::format("The days of {} begin at midnight in {}",
                                         arguments.subject, text_of(said->value, "time_zone")));
}

Outcome<void> owner_keep_content(Session& session, const Arguments& arguments) {
  JsonObject body;
  body.text("keep", arguments.object);
  if (arguments.days) body.number("days", *arguments.days);
  const auto said =
      session.ask("PUT", path("owners", arguments.subject) + "/content", body.finish());
  if (!said) return std::unexpected(said.error());
  const std::string keeps = text_of(said->value, "keeps_content");
  if (keeps == "failed") {
    return session.show(*said, fmt::format("What failed requests of {} asked is kept for 15 "
                                           "minutes, encrypted, in memory",
                                           arguments.subject));
  }
  if (keeps == "stored") {
    return session.show(*said, fmt::format("What requests of {} ask is stored for {} days, "
                                           "encrypted",
                                           arguments.subject, text_of(said->value, "kept_days")));
  }
  return session.show(*said, fmt::format("Nothing is kept of what requests of {} ask, and what "
                                         "was kept is deleted",
                                         arguments.subject));
}

Outcome<void> owner_remove(Session& session, const Arguments& arguments) {
  const auto said = session.ask("DELETE", path("owners", arguments.subject));
  if (!said) return std::unexpected(said.error());
  return session.show(*said, fmt::format("Removed the owner {}", arguments.subject));
}

Outcome<void> app_add(Session& session, const Arguments& arguments) {
  const auto said =
      session.ask("POST", "/apps", JsonObject().text("name", arguments.subject).finish());
  if (!said) return std::unexpected(said.error());
  return session.show(
      *said, fmt::format("Added the app {} ({})", arguments.subject, text_of(said->value, "id")));
}

Outcome<void> app_list(Session& session, const Arguments&) {
  const auto said = session.ask("GET", "/apps");
  if (!said) return std::unexpected(said.error());
  return session.show_list(*said, kAppColumns,
                           "There are no apps yet. Add one: claviger app add NAME");
}

Outcome<void> app_remove(Session& session, const Arguments& arguments) {
  const auto said = session.ask("DELETE", path("apps", arguments.subject));
  if (!said) return std::unexpected(said.error());
  return session.show(*said, fmt::format("Removed the app {}", arguments.subject));
}

Outcome<void> key_create(Session& session, const Arguments& arguments) {
  JsonObject body;
  body.text("owner", arguments.owner).text("app", arguments.app).texts("models", arguments.models);
  if (!arguments.expires.empty()) {
    body.text("expires_at", absolute_time(arguments.expires, session.clock.wall_now()));
  }
  if (arguments.requests_per_minute) {
    body.number("requests_per_minute", *arguments.requests_per_minute);
  }
  if (arguments.tokens_per_minute) body.number("tokens_per_minute", *arguments.tokens_per_minute);
  if (arguments.concurrent_requests) {
    body.number("concurrent_requests", *arguments.concurrent_requests);
  }
  const auto said = session.ask("POST", "/keys", body.finish());
  if (!said) return std::unexpected(said.error());
  return session.show(
      *said, fmt::format("{}\n\nThis is {}, for {} in {}. It is shown only now: keep it where the "
                         "application finds it, as its API key.",
                         text_of(said->value, "key"), text_of(said->value, "id"), arguments.owner,
                         arguments.app));
}

Outcome<void> key_list(Session& session, const Arguments&) {
  const auto said = session.ask("GET", "/keys");
  if (!said) return std::unexpected(said.error());
  const auto shown = session.show_list(
      *said, kKeyColumns,
      "There are no virtual keys yet. Make one: claviger key create --owner NAME --app NAME");
  if (shown && !session.as_json && text_of(said->value, "disabled") == "yes") {
    say("\nNone of them works: a backup was restored. Revoke those that should not work any more, "
        "then: claviger key confirm");
  }
  return shown;
}

Outcome<void> key_confirm(Session& session, const Arguments&) {
  const auto said = session.ask("POST", "/keys/confirm");
  if (!said) return std::unexpected(said.error());
  return session.show(
      *said, fmt::format("Virtual keys that work now: {}", text_of(said->value, "keys_in_force")));
}

Outcome<void> key_revoke(Session& session, const Arguments& arguments) {
  const auto said = session.ask("DELETE", path("keys", arguments.subject));
  if (!said) return std::unexpected(said.error());
  return session.show(*said, fmt::format("Revoked {}; requests with it are refused from now on",
                                         arguments.subject));
}

Outcome<void> admin_key_create(Session& session, const Arguments& arguments) {
  const auto said =
      session.ask("POST", "/admin-keys", JsonObject().text("name", arguments.subject).finish());
  if (!said) return std::unexpected(said.error());
  return session.show(
      *said, fmt::format("{}\n\nThis is the admin key {}. It is shown only now; whoever has it "
                         "administers this server (CLAVIGER_ADMIN_KEY, with --url).",
                         text_of(said->value, "key"), text_of(said->value, "id")));
}

Outcome<void> admin_key_list(Session& session, const Arguments&) {
  const auto said = session.ask("GET", "/admin-keys");
  if (!said) return std::unexpected(said.error());
  return session.show_list(*said, kAdminKeyColumns, "There are no admin keys");
}

Outcome<void> admin_key_revoke(Session& session, const Arguments& arguments) {
  const auto said = session.ask("DELETE", path("admin-keys", arguments.subject));
  if (!said) return std::unexpected(said.error());
  return session.show(*said, fmt::format("Revoked {}", arguments.subject));
}

}  // namespace claviger::cli

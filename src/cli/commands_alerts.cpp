/// Alerts, and the channels on which people hear of them.

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/query.h"
#include "console/json_out.h"

namespace claviger::cli {
namespace {

using console::JsonObject;
using Form = Column::Form;

const std::vector<Column> kAlertColumns = {{"ID", "id"},
                                           {"AT", "detected_at", Form::moment},
                                           {"TYPE", "type"},
                                           {"DELIVERED", "delivered"},
                                           {"WAITING", "waiting"},
                                           {"DEAD", "dead"},
                                           {"ACKNOWLEDGED", "acknowledged_by"},
                                           {"WHAT", "text"}};
const std::vector<Column> kAlertDetails = {{"id", "id"},
                                           {"type", "type"},
                                           {"found at", "detected_at", Form::moment},
                                           {"owner", "owner"},
                                           {"budget", "budget"},
                                           {"what", "text"},
                                           {"acknowledged at", "acknowledged_at", Form::moment},
                                           {"acknowledged by", "acknowledged_by"}};
const std::vector<Column> kDeliveryColumns = {{"CHANNEL", "channel"},
                                              {"TO", "target"},
                                              {"STATE", "state"},
                                              {"ATTEMPTS", "attempts"},
                                              {"NEXT", "next_at", Form::moment},
                                              {"DELIVERED", "delivered_at", Form::moment},
                                              {"TROUBLE", "trouble"}};
const std::vector<Column> kChannelColumns = {{"ID", "id"},
                                             {"KIND", "kind"},
                                             {"TO", "target"},
                                             {"OWNER", "owner"},
                                             {"ADDED", "created_at", Form::moment}};
const std::vector<Column> kForecastDetails = {{"budget", "budget"},
                                              {"scope", "scope"},
                                              {"pace a day", "pace_usd_per_day", Form::usd},
                                              {"used up at", "used_up_at", Form::moment},
                                              {"says", "says"}};

std::string alert_path(const Arguments& arguments, std::string_view action = {}) {
  return fmt::format("/alerts/{}{}", percent_encoded(arguments.subject), action);
}

std::string channel_path(const Arguments& arguments, std::string_view action = {}) {
  return fmt::format("/alert-channels/{}{}", percent_encoded(arguments.subject), action);
}

}  // namespace

Outcome<void> alert_list(Session& session, const Arguments& arguments) {
  Query query;
  query.add("owner", arguments.owner);
  if (arguments.only_open) query.add("open", "true");
  if (arguments.only_dead) query.add("dead", "true");
  if (arguments.last) query.add("last", std::to_string(*arguments.last));
  const auto said = session.ask("GET", "/alerts" + query.text());
  if (!said) return std::unexpected(said.error());
  return session.show_list(*said, kAlertColumns, "There are no such alerts");
}

Outcome<void> alert_show(Session& session, const Arguments& arguments) {
  const auto said = session.ask("GET", alert_path(arguments));
  if (!said) return std::unexpected(said.error());
  if (auto shown = session.show_object(*said, kAlertDetails); !shown || session.as_json) {
    return shown;
  }
  session.show_part(said->value, "deliveries", kDeliveryColumns);
  return {};
}

Outcome<void> alert_ack(Session& session, const Arguments& arguments) {
  const auto said = session.ask("POST", alert_path(arguments, "/ack"));
  if (!said) return std::unexpected(said.error());
  return session.show(*said, fmt::format("{} is acknowledged by {}", arguments.subject,
                                         text_of(said->value, "acknowledged_by")));
}

Outcome<void> alert_retry(Session& session, const Arguments& arguments) {
  const auto said = session.ask("POST", alert_path(arguments, "/retry"));
  if (!said) return std::unexpected(said.error());
  const std::string count = text_of(said->value, "deliveries_waiting");
  return session.show(*said, count == "0" ? "There is nothing to try again: all were delivered"
                                          : fmt::format("{} deliveries are tried again", count));
}

Outcome<void> alert_channel_add(Session& session, const Arguments& arguments) {
  const bool is_webhook = arguments.subject == "webhook";
  if ((is_webhook ? arguments.webhook_url : arguments.mail_to).empty()) {
    return wrong_usage(is_webhook ? "say where to: --url https://…"
                                  : "say whom to: --to ops@example.com");
  }
  JsonObject body;
  body.text("kind", arguments.subject);
  if (!arguments.webhook_url.empty()) body.text("url", arguments.webhook_url);
  if (!arguments.mail_to.empty()) body.text("to", arguments.mail_to);
  if (!arguments.owner.empty()) body.text("owner", arguments.owner);
  const auto said = session.ask("POST", "/alert-channels", body.finish());
  if (!said) return std::unexpected(said.error());
  const std::string id = text_of(said->value, "id");
  const std::string about =
      arguments.owner.empty() ? "all alerts" : fmt::format("the alerts of {}", arguments.owner);
  const std::string secret = text_of(said->value, "secret");
  return session.show(
      *said,
      fmt::format("Added {}: {} go to {}{}\nTry it: claviger alert channel test {}", id, about,
                  text_of(said->value, "target"),
                  secret.empty() ? std::string()
                                 : fmt::format("\nIts signing secret, shown once: {}", secret),
                  id));
}

Outcome<void> alert_channel_list(Session& session, const Arguments&) {
  const auto said = session.ask("GET", "/alert-channels");
  if (!said) return std::unexpected(said.error());
  return session.show_list(*said, kChannelColumns,
                           "There are no channels: alerts are only kept here. Add one: claviger "
                           "alert channel add mail --to ops@example.com");
}

Outcome<void> alert_channel_test(Session& session, const Arguments& arguments) {
  const auto said = session.ask("POST", channel_path(arguments, "/test"));
  if (!said) return std::unexpected(said.error());
  if (text_of(said->value, "delivered") == "yes") {
    return session.show(*said, fmt::format("ok: {} took a test message", arguments.subject));
  }
  if (session.as_json) say(said->text);
  return refused(fmt::format("the test message was not delivered: {}",
                             printable(text_of(said->value, "trouble"))));
}

Outcome<void> alert_channel_remove(Session& session, const Arguments& arguments) {
  const auto said = session.ask("DELETE", channel_path(arguments));
  if (!said) return std::unexpected(said.error());
  return session.show(*said, fmt::format("Removed {}; nothing goes to {} any more",
                                         arguments.subject, text_of(said->value, "target")));
}

Outcome<void> budget_forecast(Session& session, const Arguments& arguments) {
  const auto said =
      session.ask("GET", fmt::format("/budgets/{}/forecast", percent_encoded(arguments.subject)));
  if (!said) return std::unexpected(said.error());
  return session.show_object(*said, kForecastDetails);
}

}  // namespace claviger::cli

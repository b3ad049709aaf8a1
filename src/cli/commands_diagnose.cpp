/// Why a request failed: its story, its suspects, and what a few questions make of them.

#include <fmt/format.h>

#include "cli/commands.h"
#include "console/json_out.h"
#include "console/text_forms.h"
#include "record/record_json.h"

namespace claviger::cli {
namespace {

using console::JsonObject;
using Form = Column::Form;

const std::vector<Column> kStageColumns = {{"STAGE", "stage"}, {"AFTER US", "at_us"}};
const std::vector<Column> kAttemptColumns = {{"ATTEMPT", "attempt"},
                                             {"STATE", "state"},
                                             {"HELD", "held_usd", Form::usd},
                                             {"COST", "cost_usd", Form::usd}};
const std::vector<Column> kSuspectColumns = {
    {"CONFIDENCE", "confidence"}, {"AT FAULT", "at_fault"}, {"CAUSE", "cause"}};
const std::vector<Column> kProbeColumns = {{"PROBE", "what"},       {"MODEL", "model"},
                                           {"OUTCOME", "outcome"},  {"CAUSE", "cause"},
                                           {"MS", "took_ms"},       {"COST", "cost_usd", Form::usd},
                                           {"NOT MADE", "not_made"}};

const std::vector<Column> kShareColumns = {{"ID", "id"},
                                           {"REQUEST", "request"},
                                           {"SINCE", "created_at", Form::moment},
                                           {"UNTIL", "expires_at", Form::moment}};

Outcome<void> show_diagnosis(Session& session, const Session::Said& said) {
  if (session.as_json) return session.show(said, "");
  const json::value& value = said.value;
  if (!value.is_object()) return refused("the server's answer is not a diagnosis");
  say(printable(text_of(value, "summary")));
  const std::string remedy = text_of(value, "what_to_do");
  if (!remedy.empty()) say(fmt::format("To do: {}", printable(remedy)));
  say(fmt::format("\n{} to {}: {}", text_of(value, "request"),
                  printable(cell_of(value, {"", "model"})), text_of(value, "outcome")));
  session.show_part(value, "timeline", kStageColumns);
  session.show_part(value, "attempts", kAttemptColumns);
  say_lines(list_in(value, "evidence"), "EVIDENCE");
  session.show_part(value, "probes", kProbeColumns);
  say_lines(list_in(value, "because"), "WHAT THAT MEANS");
  session.show_part(value, "suspects", kSuspectColumns);
  const auto* const inconclusive = value.get_object().if_contains("inconclusive");
  if (inconclusive != nullptr && inconclusive->is_bool() && inconclusive->get_bool() &&
      text_of(value, "outcome") == "failed") {
    say("\nThe evidence does not decide. \"--probe\" asks a few free and cheap questions.");
  }
  return {};
}

Outcome<void> share(Session& session, const Arguments& arguments) {
  JsonObject body;
  body.truth("probe", arguments.is_probing);
  if (!arguments.expires.empty()) {
    const auto span = console::parse_span(arguments.expires);
    body.text("expires_at",
              span ? record::to_rfc3339(session.clock.wall_now() + *span) : arguments.expires);
  }
  const auto said =
      session.ask("POST", fmt::format("/requests/{}/shares", percent_encoded(arguments.subject)),
                  body.finish());
  if (!said) return std::unexpected(said.error());
  return session.show(
      *said,
      fmt::format(
          "{}\n\nWhoever has this address sees the page until {}; it holds no prompt, no key "
          "and no name. It is shown only now. Take it back with: claviger share revoke {}",
          text_of(said->value, "url"), cell_of(said->value, {"", "expires_at", Form::moment}),
          text_of(said->value, "id")));
}

}  // namespace

Outcome<void> share_list(Session& session, const Arguments&) {
  const auto said = session.ask("GET", "/shares");
  if (!said) return std::unexpected(said.error());
  return session.show_list(*said, kShareColumns,
                           "No page is shared. Share one: claviger diagnose ID --share");
}

Outcome<void> share_revoke(Session& session, const Arguments& arguments) {
  const auto said =
      session.ask("DELETE", fmt::format("/shares/{}", percent_encoded(arguments.subject)));
  if (!said) return std::unexpected(said.error());
  return session.show(*said, fmt::format("Nobody can see {} any more", arguments.subject));
}

Outcome<void> diagnose(Session& session, const Arguments& arguments) {
  if (arguments.is_shared) return share(session, arguments);
  if (!arguments.expires.empty()) {
    return wrong_usage("--expires is for a page that is shared; add --share");
  }
  const std::string path =
      fmt::format("/requests/{}/diagnosis", percent_encoded(arguments.subject));
  if (!arguments.is_probing && arguments.replay.empty()) {
    const auto said = session.ask("GET", path);
    if (!said) return std::unexpected(said.error());
    return show_diagnosis(session, *said);
  }
  JsonObject body;
  body.truth("probe", arguments.is_probing);
  if (!arguments.replay.empty()) body.text("replay", arguments.replay);
  const auto said = session.ask("POST", path, body.finish());
  if (!said) return std::unexpected(said.error());
  return show_diagnosis(session, *said);
}

}  // namespace claviger::cli

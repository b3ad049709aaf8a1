/// Budgets, usage and requests.

#include <fmt/format.h>

#include <algorithm>

#include "cli/commands.h"
#include "cli/query.h"
#include "console/json_out.h"
#include "console/text_forms.h"
#include "record/record_json.h"

namespace claviger::cli {
namespace {

using console::JsonObject;
using Form = Column::Form;

const std::vector<Column> kBudgetColumns = {{"ID", "id"},
                                            {"SCOPE", "scope"},
                                            {"PER", "per"},
                                            {"LIMIT", "limit_usd", Form::usd},
                                            {"SPENT", "spent_usd", Form::usd},
                                            {"HELD", "held_usd", Form::usd},
                                            {"UNCONFIRMED", "unconfirmed_usd", Form::usd},
                                            {"LEFT", "left_usd", Form::usd},
                                            {"RESETS", "resets_at_local"},
                                            {"RULE", "rule"}};
const std::vector<Column> kBudgetDetails = {{"id", "id"},
                                            {"scope", "scope"},
                                            {"limit", "limit_usd", Form::usd},
                                            {"per", "per"},
                                            {"spent", "spent_usd", Form::usd},
                                            {"held", "held_usd", Form::usd},
                                            {"unconfirmed", "unconfirmed_usd", Form::usd},
                                            {"left", "left_usd", Form::usd},
                                            {"resets", "resets_at_local"},
                                            {"time zone", "time_zone"},
                                            {"clock in doubt", "clock_in_doubt"},
                                            {"warn at %", "warn"},
                                            {"when exhausted", "when_exhausted"},
                                            {"downgrade to", "downgrade_to"},
                                            {"made by rule", "rule"}};
const std::vector<Column> kUsageColumns = {{"GROUP", "group"},
                                           {"REQUESTS", "requests"},
                                           {"FAILED", "failed"},
                                           {"TOKENS IN", "input_tokens"},
                                           {"CACHED", "cached_input_tokens"},
                                           {"WRITTEN", "cache_write_tokens"},
                                           {"TOKENS OUT", "output_tokens"},
                                           {"REASONING", "reasoning_tokens"},
                                           {"AUDIO", "audio_tokens"},
                                           {"IMAGES", "image_tokens"},
                                           {"SEARCHES", "searches"},
                                           {"COST", "cost_usd", Form::usd},
                                           {"UNBOUNDED", "unbounded_cost_usd", Form::usd}};
const std::vector<Column> kWeatherColumns = {
    {"PLACE", "place"},       {"SKY", "sky"},       {"SINCE", "since", Form::moment},
    {"ANSWERED", "answered"}, {"FAILED", "failed"}, {"LATEST FAILURE", "latest_failure"}};
const std::vector<Column> kRequestColumns = {{"ID", "id"},
                                             {"AT", "started_at", Form::moment},
                                             {"MODEL", "model_asked"},
                                             {"STATUS", "status"},
                                             {"COST", "cost_usd", Form::usd},
                                             {"AT FAULT", "at_fault"},
                                             {"SURE", "confidence", Form::share},
                                             {"ERROR", "error_code"},
                                             {"FEEDBACK", "feedback/verdict"}};
const std::vector<Column> kRequestDetails = {{"id", "id"},
                                             {"at", "started_at"},
                                             {"owner", "owner"},
                                             {"app", "app"},
                                             {"key", "key"},
                                             {"credential", "credential"},
                                             {"end user", "end_user"},
                                             {"operation", "operation"},
                                             {"model asked", "model_asked"},
                                             {"model", "model"},
                                             {"status", "status"},
                                             {"provider's status", "provider_status"},
                                             {"error", "error_code"},
                                             {"at fault", "at_fault"},
                                             {"sure", "confidence", Form::share},
                                             {"finish reason", "finish_reason"},
                                             {"soft failures", "soft_failures"},
                                             {"tokens in", "input_tokens"},
                                             {"tokens out", "output_tokens"},
                                             {"unbounded", "unbounded", Form::yes},
                                             {"held", "held_usd", Form::usd},
                                             {"cost", "cost_usd", Form::usd},
                                             {"cost is", "cost_state"},
                                             {"first byte after us", "first_byte_us"},
                                             {"total us", "total_us"},
                                             {"overhead us", "overhead_us"},
                                             {"feedback", "feedback/verdict"},
                                             {"why", "feedback/why"}};
const std::vector<Column> kVerdictDetails = {
    {"what happened", "say"}, {"what to do", "remedy"}, {"try again", "retry"}};
const std::vector<Column> kSuspectColumns = {
    {"SUSPECT", "at_fault"}, {"CAUSE", "cause"}, {"SURE", "confidence", Form::share}};
const std::vector<Column> kLineColumns = {
    {"KIND", "kind"}, {"UNITS", "units"}, {"COST", "cost_usd", Form::usd}};
const std::vector<Column> kKindColumns = {{"KIND", "kind"}, {"UNITS", "units"}};
const std::vector<Column> kHoldColumns = {{"ATTEMPT", "attempt"},
                                          {"STATE", "state"},
                                          {"HELD", "held_usd", Form::usd},
                                          {"COST", "cost_usd", Form::usd},
                                          {"CERTAINTY", "certainty"}};

const std::vector<Column> kUncertainColumns = {
    {"REQUEST", "request"},    {"ATTEMPT", "attempt"},          {"AT", "opened_at", Form::moment},
    {"STATE", "state"},        {"HELD", "held_usd", Form::usd}, {"COST", "cost_usd", Form::usd},
    {"CERTAINTY", "certainty"}};

const std::vector<Column> kCorrectionColumns = {{"REQUEST", "request"},
                                                {"ATTEMPT", "attempt"},
                                                {"AT", "at", Form::moment},
                                                {"BEFORE", "cost_before_usd", Form::usd},
                                                {"COST", "cost_usd", Form::usd},
                                                {"CHANGE", "change_usd", Form::usd},
                                                {"KIND", "kind"},
                                                {"REASON", "reason"}};

/// A date, a time, or a span before now.
std::string absolute_past(const std::string& text, WallTime now) {
  const auto span = console::parse_span(text);
  return span ? record::to_rfc3339(now - *span) : text;
}

/// `a,b` taken apart.
std::vector<std::string> split(std::string_view names) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= names.size();) {
    const std::size_t end = std::min(names.find(',', begin), names.size());
    parts.emplace_back(names.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

std::string budget_path(const Arguments& arguments) {
  return fmt::format("/budgets/{}", percent_encoded(arguments.subject));
}

/// Who else was suspected, and what was seen.
void show_grounds(const Session& session, const json::value& request) {
  const json::array* const suspects = list_in(request, "suspects");
  if (suspects != nullptr && suspects->size() > 1) {
    session.show_part(request, "suspects", kSuspectColumns);
  }
  say_lines(list_in(request, "evidence"), "SEEN");
}

/// What it consumed by kind: with what each kind cost, where the prices of then are still known.
void show_kinds(const Session& session, const json::value& request) {
  if (list_in(request, "lines") != nullptr) {
    return session.show_part(request, "lines", kLineColumns);
  }
  json::array kinds;
  for (const char* const group : {"tokens", "pieces"}) {
    const auto* const members = request.get_object().if_contains(group);
    if (members == nullptr || !members->is_object()) continue;
    for (const auto& [kind, units] : members->get_object()) {
      kinds.push_back({{"kind", kind}, {"units", units}});
    }
  }
  session.show_part({{"kinds", std::move(kinds)}}, "kinds", kKindColumns);
}

}  // namespace

Outcome<void> budget_set(Session& session, const Arguments& arguments) {
  JsonObject body;
  body.text("scope", arguments.scope)
      .text("limit_usd", arguments.limit)
      .text("per", arguments.period);
  if (!arguments.when_exhausted.empty()) body.text("when_exhausted", arguments.when_exhausted);
  if (!arguments.time_zone.empty()) body.text("time_zone", arguments.time_zone);
  if (!arguments.downgrade_to.empty()) body.texts("downgrade_to", split(arguments.downgrade_to));
  if (!arguments.warn.empty()) body.raw("warn", fmt::format("[{}]", arguments.warn));
  const auto said = session.ask("POST", "/budgets", body.finish());
  if (!said) return std::unexpected(said.error());
  const std::string left = cell_of(said->value, {"", "left_usd", Form::usd});
  return session.show(
      *said,
      fmt::format("{}: {} may spend {} per {}{}", text_of(said->value, "id"),
                  text_of(said->value, "scope"), cell_of(said->value, {"", "limit_usd", Form::usd}),
                  text_of(said->value, "per"),
                  left == "-" ? std::string() : fmt::format("; {} left", left)));
}

Outcome<void> budget_list(Session& session, const Arguments&) {
  const auto said = session.ask("GET", "/budgets");
  if (!said) return std::unexpected(said.error());
  return session.show_list(*said, kBudgetColumns,
                           "There are no budgets, so no request is let through. Set one: claviger "
                           "budget set --scope each-owner --limit 10.00 --per month");
}

Outcome<void> budget_show(Session& session, const Arguments& arguments) {
  const auto said = session.ask("GET", budget_path(arguments));
  if (!said) return std::unexpected(said.error());
  return session.show_object(*said, kBudgetDetails);
}

Outcome<void> budget_remove(Session& session, const Arguments& arguments) {
  const auto said = session.ask("DELETE", budget_path(arguments));
  if (!said) return std::unexpected(said.error());
  return session.show(*said, fmt::format("Removed {}, which was on {}", arguments.subject,
                                         text_of(said->value, "scope")));
}

Outcome<void> budget_reconcile(Session& session, const Arguments& arguments) {
  JsonObject body;
  body.text("cost_usd", arguments.cost_usd);
  if (arguments.attempt) body.number("attempt", *arguments.attempt);
  if (!arguments.reason.empty()) body.text("reason", arguments.reason);
  const auto said =
      session.ask("POST", fmt::format("/requests/{}/reconcile", percent_encoded(arguments.subject)),
                  body.finish());
  if (!said) return std::unexpected(said.error());
  return session.show(*said,
                      fmt::format("{} cost {}; the tightest budget has {} left", arguments.subject,
                                  cell_of(said->value, {"", "cost_usd", Form::usd}),
                                  cell_of(said->value, {"", "left_usd", Form::usd})));
}

Outcome<void> budget_correct(Session& session, const Arguments& arguments) {
  JsonObject body;
  body.text("cost_usd", arguments.cost_usd)
      .text("kind", arguments.correction_kind)
      .text("reason", arguments.reason);
  if (arguments.attempt) body.number("attempt", *arguments.attempt);
  const auto said =
      session.ask("POST", fmt::format("/requests/{}/correct", percent_encoded(arguments.subject)),
                  body.finish());
  if (!said) return std::unexpected(said.error());
  return session.show(*said,
                      fmt::format("{} cost {}; the tightest budget has {} left", arguments.subject,
                                  cell_of(said->value, {"", "cost_usd", Form::usd}),
                                  cell_of(said->value, {"", "left_usd", Form::usd})));
}

Outcome<void> budget_corrections(Session& session, const Arguments& arguments) {
  Query query;
  if (arguments.last) query.add("last", std::to_string(*arguments.last));
  query.add("owner", arguments.owner);
  query.add("since", absolute_past(arguments.since, session.clock.wall_now()));
  const auto said = session.ask("GET", "/corrections" + query.text());
  if (!said) return std::unexpected(said.error());
  return session.show_list(*said, kCorrectionColumns, "No cost was corrected in that time");
}

Outcome<void> budget_uncertain(Session& session, const Arguments&) {
  const auto said = session.ask("GET", "/uncertain-costs");
  if (!said) return std::unexpected(said.error());
  return session.show_list(*said, kUncertainColumns, "Every cost is what a provider billed");
}

Outcome<void> budget_confirm_clock(Session& session, const Arguments&) {
  const auto said = session.ask("POST", "/clock/confirm");
  if (!said) return std::unexpected(said.error());
  return session.show(*said, fmt::format("The clock of the server says {}. Budgets whose period "
                                         "is over begin afresh by it",
                                         text_of(said->value, "time")));
}

Outcome<void> usage_show(Session& session, const Arguments& arguments) {
  Query query;
  query.add("by", arguments.by);
  query.add("owner", arguments.owner);
  query.add("since", absolute_past(arguments.since, session.clock.wall_now()));
  const auto said = session.ask("GET", "/usage" + query.text());
  if (!said) return std::unexpected(said.error());
  if (auto shown = session.show_list(*said, kUsageColumns, "Nothing was used in that time");
      !shown || session.as_json) {
    return shown;
  }
  const auto* const corrections = said->value.get_object().if_contains("corrections");
  if (corrections == nullptr || text_of(*corrections, "count") == "0") return {};
  say(fmt::format("Corrections since then: {}, {} in all (claviger budget corrections)",
                  text_of(*corrections, "count"),
                  cell_of(*corrections, {"", "change_usd", Form::usd})));
  return {};
}

Outcome<void> weather_show(Session& session, const Arguments&) {
  const auto said = session.ask("GET", "/weather");
  if (!said) return std::unexpected(said.error());
  return session.show_list(*said, kWeatherColumns,
                           "No provider was asked in the last five minutes");
}

Outcome<void> requests_list(Session& session, const Arguments& arguments) {
  Query query;
  if (arguments.failed_only) query.add("failed", "true");
  if (arguments.last) query.add("last", std::to_string(*arguments.last));
  query.add("owner", arguments.owner);
  query.add("since", absolute_past(arguments.since, session.clock.wall_now()));
  const auto said = session.ask("GET", "/requests" + query.text());
  if (!said) return std::unexpected(said.error());
  return session.show_list(*said, kRequestColumns, "There were no such requests");
}

Outcome<void> request_show(Session& session, const Arguments& arguments) {
  const auto said =
      session.ask("GET", fmt::format("/requests/{}", percent_encoded(arguments.subject)));
  if (!said) return std::unexpected(said.error());
  if (auto shown = session.show_object(*said, kRequestDetails); !shown || session.as_json) {
    return shown;
  }
  const auto* const verdict = said->value.get_object().if_contains("verdict");
  if (verdict != nullptr && verdict->is_object()) {
    say("");
    if (auto shown = session.show_object({.text = {}, .value = *verdict}, kVerdictDetails);
        !shown) {
      return shown;
    }
  }
  show_grounds(session, said->value);
  show_kinds(session, said->value);
  session.show_part(said->value, "holds", kHoldColumns);
  return {};
}

}  // namespace claviger::cli

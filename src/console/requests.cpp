/// What was asked and what it cost: records, money, usage.

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "console/diagnosis.h"
#include "console/fields.h"
#include "console/json_out.h"
#include "console/routes.h"
#include "console/text_forms.h"
#include "fault/rules.h"
#include "record/record_json.h"

namespace claviger::console {
namespace {

std::string_view to_text(budget::HoldState state) {
  switch (state) {
    case budget::HoldState::open:
      return "open";
    case budget::HoldState::unconfirmed:
      return "unconfirmed";
    case budget::HoldState::settled:
      return "settled";
  }
  return "open";
}

std::string_view to_text(budget::Certainty certainty) {
  switch (certainty) {
    case budget::Certainty::billed:
      return "billed";
    case budget::Certainty::estimated:
      return "estimated";
    case budget::Certainty::reconciled:
      return "reconciled";
    case budget::Certainty::quarantined:
      return "quarantined";
  }
  return "estimated";
}

Outcome<void> read_since(const Call& call, record::Query& query) {
  const std::string_view text = call.asked("since");
  if (text.empty()) return {};
  const auto since = parse_time(text);
  if (!since) {
    return bad_value("since", fmt::format("\"{}\" is no time", text),
                     "send a date like 2026-01-31 or a time like 2026-01-31T10:00:00Z");
  }
  query.since = since;
  return {};
}

Outcome<void> read_owner(const Registry& registry, const Call& call, record::Query& query) {
  const std::string_view text = call.asked("owner");
  if (text.empty()) return {};
  const auto owner = registry.owner(text);
  if (!owner) return std::unexpected(owner.error());
  query.owner = (*owner)->id;
  return {};
}

/// `?failed` and `?failed=true` ask for it.
Outcome<void> read_failed(const Call& call, record::Query& query) {
  for (const auto& [name, value] : call.query) {
    if (name != "failed") continue;
    if (!value.empty() && value != "true" && value != "false") {
      return bad_value("failed", fmt::format("\"{}\" is neither true nor false", value),
                       "send ?failed or leave it out");
    }
    query.failed_only = value != "false";
  }
  return {};
}

/// How many are wanted, in the parameter `name`.
Outcome<void> read_count(const Call& call, std::string_view name, record::Query& query) {
  const std::string_view text = call.asked(name);
  if (text.empty()) return {};
  int count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc() || end != text.data() + text.size() || count < 1 ||
      count > record::records_listed_max) {
    return bad_value(name, fmt::format("\"{}\" is no count", text),
                     fmt::format("send a number from 1 to {}", record::records_listed_max));
  }
  query.limit = count;
  return {};
}

/// Where the recorder cannot write now, what is in the store is still worth showing.
void write_waiting_records(Registry& registry) {
  [[maybe_unused]] const auto flushed = registry.parts.recorder.flush();
}

/// The budgets that the request counted against, as they stand now.
Task<std::string> budgets_of(Registry& registry, const record::Record& record) {
  JsonArray array;
  const auto concerned = registry.world().budgets->concerned({.owner = record.owner,
                                                              .app = record.app,
                                                              .credential = record.credential,
                                                              .key = record.key,
                                                              .model = record.model});
  if (!concerned || record.model.empty()) co_return array.finish();
  std::vector<budget::Budget> budgets;
  for (const BudgetId id : concerned->ids()) {
    if (const auto* const budget = registry.world().budgets->find(id)) budgets.push_back(*budget);
  }
  for (const budget::Budget& budget : budgets) array.add(co_await budget_json(registry, budget));
  co_return array.finish();
}

/// What each kind of the usage cost, at the price that is in force for then; empty where that does
/// not add up to what was settled: a price that was changed since, several attempts, a cost that
/// the provider stated itself, or one that is only estimated.
std::string lines_of(const Registry& registry, const record::Record& record) {
  JsonArray array;
  const auto target = registry.world().routes->resolve(record.model, record.owner);
  if (!target || record.cost_state != record::CostState::billed) return array.finish();
  const catalog::SharedPrice price =
      target->dated != nullptr ? target->dated->price_at(record.started_at) : target->price;
  if (!price) return array.finish();
  const exchange::Usage usage = catalog::with_incurred(record.usage, *price);
  if (catalog::cost_of(usage, *price, record.started_at) != record.cost) return array.finish();
  for (const catalog::CostLine& line : catalog::lines_of(usage, *price, record.started_at)) {
    array.add(JsonObject()
                  .text("kind", line.kind)
                  .number("units", line.units)
                  .text("cost_usd", catalog::decimal_of_femtos(line.amount_femtos))
                  .finish());
  }
  return array.finish();
}

/// `{…}` with more members.
std::string with_member(std::string object, std::string_view name, std::string_view json) {
  object.pop_back();
  return fmt::format("{},\"{}\":{}}}", object, name, json);
}

/// What was said of any of `records`, which are the latest first.
Outcome<std::vector<record::Feedback>> feedback_on(Registry& registry,
                                                   const std::vector<record::Record>& records) {
  if (records.empty()) return std::vector<record::Feedback>{};
  const auto [first, last] = std::ranges::minmax(records, {}, &record::Record::id);
  auto found = registry.parts.feedback.between(first.id, last.id);
  if (!found) return store_unavailable();
  return std::move(*found);
}

/// What the rules say about the cause that the record names; null where nothing failed, or where
/// the failure was our own and its answer said it all.
std::string verdict_of(const record::Record& record) {
  const fault::RuleBook& book = fault::RuleBook::embedded();
  const auto index = book.find_cause(record.error_code);
  if (record.at_fault.empty() || !index) return "null";
  const fault::Cause& cause = book.causes[*index];
  return JsonObject()
      .text("at_fault", record.at_fault)
      .text("cause", cause.name)
      .raw("confidence", record::confidence_json(record))
      .text("say", cause.say)
      .text("remedy", cause.remedy)
      .text("retry", record.judgement.is_empty() ? to_string(cause.retry)
                                                 : std::string_view(record.judgement.retry))
      .finish();
}

}  // namespace

std::string to_json(const budget::AttemptMoney& money) {
  return JsonObject()
      .number("attempt", money.attempt.number)
      .text("state", to_text(money.state))
      .usd("held_usd", money.held)
      .usd("cost_usd", money.cost)
      .text_or_null("certainty", money.certainty ? to_text(*money.certainty) : "")
      .finish();
}

Outcome<RequestId> read_request_id(std::string_view text) {
  if (const auto id = RequestId::parse(text)) return *id;
  return problem(400, "malformed_id", fmt::format("\"{}\" is no id of a request", text),
                 "it stands in the header x-claviger-request-id: req_ and 26 characters");
}

Task<Outcome<Reply>> list_requests(Registry& registry, Call& call) {
  record::Query query;
  if (auto checked = call.check_query({"failed", "last", "owner", "since"}); !checked) {
    co_return std::unexpected(checked.error());
  }
  if (auto read = read_failed(call, query); !read) co_return std::unexpected(read.error());
  if (auto read = read_count(call, "last", query); !read) {
    co_return std::unexpected(read.error());
  }
  if (auto read = read_since(call, query); !read) co_return std::unexpected(read.error());
  if (auto read = read_owner(registry, call, query); !read) {
    co_return std::unexpected(read.error());
  }
  write_waiting_records(registry);
  const auto records = registry.parts.records.list(query);
  if (!records) co_return store_unavailable();
  const auto feedback = feedback_on(registry, *records);
  if (!feedback) co_return std::unexpected(feedback.error());
  co_return Reply{.body = list_of(*records, [&](const record::Record& record) {
                    const auto said =
                        std::ranges::find(*feedback, record.id, &record::Feedback::request);
                    return with_member(record::to_json(record), "feedback",
                                       said == feedback->end() ? "null" : record::to_json(*said));
                  })};
}

Task<Outcome<Reply>> show_request(Registry& registry, Call& call) {
  if (auto checked = call.check_query({}); !checked) co_return std::unexpected(checked.error());
  const auto id = read_request_id(call.parts[0]);
  if (!id) co_return std::unexpected(id.error());
  write_waiting_records(registry);
  const auto record = registry.parts.records.find(*id);
  if (!record) {
    if (record.error() == record::RecordError::unavailable) co_return store_unavailable();
    co_return problem(404, "unknown_request",
                      fmt::format("there is no record of the request {}", id->text()),
                      "\"claviger requests\" lists the latest");
  }
  const auto attempts = co_await registry.parts.ledger.attempts(*id);
  if (!attempts) co_return of_ledger(attempts.error(), id->text());
  JsonArray holds;
  for (const budget::AttemptMoney& money : *attempts) holds.add(to_json(money));
  std::string body = with_member(record::to_json(*record), "holds", holds.finish());
  body = with_member(std::move(body), "lines", lines_of(registry, *record));
  body = with_member(std::move(body), "verdict", verdict_of(*record));
  const auto feedback = registry.parts.feedback.find(*id);
  if (!feedback) co_return store_unavailable();
  body = with_member(std::move(body), "feedback", record::to_json(*feedback));
  co_return Reply{
      .body = with_member(std::move(body), "budgets", co_await budgets_of(registry, *record))};
}

namespace {

/// What somebody says that an attempt of a request cost.
struct WantedCorrection {
  RequestId request;
  std::optional<std::int64_t> attempt;
  NanoUsd cost;
  budget::CorrectionNote note;
};

/// Which attempt is meant: it has to be named where there were several. One that is in flight ends
/// by its bill or by itself, and by nothing else.
Outcome<AttemptId> choose_attempt(const WantedCorrection& wanted,
                                  const std::vector<budget::AttemptMoney>& attempts) {
  const std::string named = wanted.request.text();
  if (attempts.empty()) return of_ledger({.error = budget::LedgerError::unknown_hold}, named);
  if (!wanted.attempt && attempts.size() > 1) {
    return problem(
        422, "several_attempts",
        fmt::format("{} took {} attempts, each with its own bill", named, attempts.size()),
        "say which one the bill is for: --attempt N (field attempt)");
  }
  const AttemptId attempt{.request = wanted.request,
                          .number = wanted.attempt ? static_cast<std::uint32_t>(*wanted.attempt)
                                                   : attempts.front().attempt.number};
  const auto found = std::ranges::find(attempts, attempt, &budget::AttemptMoney::attempt);
  if (found == attempts.end()) {
    return problem(404, "unknown_attempt",
                   fmt::format("{} has no attempt {}", named, attempt.number),
                   "\"claviger request ID\" shows its attempts");
  }
  if (found->state == budget::HoldState::open && wanted.note.kind != budget::CorrectionKind::bill) {
    return problem(409, "still_running", fmt::format("{} has not ended yet", named),
                   "its cost is settled when it ends; correct it then");
  }
  return attempt;
}

Task<Outcome<Reply>> make_correction(Registry& registry, WantedCorrection wanted) {
  const auto attempts = co_await registry.parts.ledger.attempts(wanted.request);
  if (!attempts) co_return of_ledger(attempts.error(), wanted.request.text());
  const auto attempt = choose_attempt(wanted, *attempts);
  if (!attempt) co_return std::unexpected(attempt.error());
  const auto receipt =
      co_await registry.parts.ledger.correct({.attempt = *attempt}, wanted.cost, wanted.note);
  if (!receipt) co_return of_ledger(receipt.error(), wanted.request.text());
  co_return Reply{.body = JsonObject()
                              .text("request", wanted.request.text())
                              .number("attempt", attempt->number)
                              .text("kind", console::to_text(wanted.note.kind))
                              .text("reason", wanted.note.reason)
                              .usd("cost_usd", receipt->cost)
                              .usd("left_usd", receipt->left)
                              .finish()};
}

Outcome<void> check_reason(std::string_view reason) {
  const bool is_plain =
      std::ranges::none_of(reason, [](unsigned char c) { return c < ' ' || c == 0x7F; });
  if (reason.find_first_not_of(' ') != std::string_view::npos && is_plain &&
      reason.size() <= budget::CorrectionNote::kReasonBytesMax) {
    return {};
  }
  return bad_value("reason", "this says nothing that could be kept",
                   fmt::format("say why in one line of at most {} bytes",
                               budget::CorrectionNote::kReasonBytesMax));
}

std::string to_json(const budget::CorrectionEntry& entry) {
  return JsonObject()
      .text("request", entry.attempt.request.text())
      .number("attempt", entry.attempt.number)
      .time("at", entry.at)
      .usd("cost_before_usd", entry.cost_before)
      .usd("cost_usd", entry.cost_after)
      .usd("change_usd", entry.cost_after - entry.cost_before.value_or(NanoUsd()))
      .text("certainty", to_text(entry.certainty))
      .text_or_null("kind", entry.note ? console::to_text(entry.note->kind) : "")
      .text_or_null("reason", entry.note ? entry.note->reason : "")
      .finish();
}

/// Those that `query` asks for: of an owner's requests, where it names one.
Task<Outcome<std::vector<budget::CorrectionEntry>>> corrections_for(Registry& registry,
                                                                    record::Query query) {
  auto found = co_await registry.parts.ledger.corrections(
      query.since.value_or(WallTime{}), static_cast<std::size_t>(query.limit) + 1);
  if (!found) co_return of_ledger(found.error(), "corrections");
  if (query.owner) {
    std::erase_if(*found, [&](const budget::CorrectionEntry& entry) {
      const auto record = registry.parts.records.find(entry.attempt.request);
      return !record || record->owner != *query.owner;
    });
  }
  co_return *std::move(found);
}

}  // namespace

Task<Outcome<Reply>> reconcile_request(Registry& registry, Call& call) {
  const auto id = read_request_id(call.parts[0]);
  if (!id) co_return std::unexpected(id.error());
  Fields fields(call.request.body);
  WantedCorrection wanted{
      .request = *id, .attempt = {}, .cost = fields.usd("cost_usd"), .note = {}};
  wanted.attempt = fields.number_if_any("attempt", 1, 1'000'000);
  const std::string reason = fields.text_if_any("reason");
  if (auto read = fields.finish(); !read) co_return std::unexpected(read.error());
  wanted.note = {.kind = budget::CorrectionKind::bill,
                 .reason = reason.empty() ? "the provider's bill" : reason};
  if (auto checked = check_reason(wanted.note.reason); !checked) {
    co_return std::unexpected(checked.error());
  }
  co_return co_await make_correction(registry, std::move(wanted));
}

Task<Outcome<Reply>> correct_request(Registry& registry, Call& call) {
  const auto id = read_request_id(call.parts[0]);
  if (!id) co_return std::unexpected(id.error());
  Fields fields(call.request.body);
  WantedCorrection wanted{
      .request = *id, .attempt = {}, .cost = fields.usd("cost_usd"), .note = {}};
  wanted.attempt = fields.number_if_any("attempt", 1, 1'000'000);
  wanted.note.reason = fields.text("reason");
  const std::string kind_text = fields.text("kind");
  if (auto read = fields.finish(); !read) co_return std::unexpected(read.error());
  const auto kind = parse_correction_kind(kind_text);
  if (!kind) {
    co_return bad_value("kind", fmt::format("\"{}\" is no kind of correction", kind_text),
                        fmt::format("use one of: {}", kCorrectionKindTexts));
  }
  wanted.note.kind = *kind;
  if (auto checked = check_reason(wanted.note.reason); !checked) {
    co_return std::unexpected(checked.error());
  }
  co_return co_await make_correction(registry, std::move(wanted));
}

Task<Outcome<Reply>> list_corrections(Registry& registry, Call& call) {
  record::Query query;
  if (auto checked = call.check_query({"last", "owner", "since"}); !checked) {
    co_return std::unexpected(checked.error());
  }
  if (auto read = read_count(call, "last", query); !read) co_return std::unexpected(read.error());
  if (auto read = read_since(call, query); !read) co_return std::unexpected(read.error());
  if (auto read = read_owner(registry, call, query); !read) {
    co_return std::unexpected(read.error());
  }
  if (query.owner) write_waiting_records(registry);
  auto found = co_await corrections_for(registry, query);
  if (!found) co_return std::unexpected(found.error());
  const bool has_more = found->size() > static_cast<std::size_t>(query.limit);
  if (has_more) found->pop_back();
  JsonArray data;
  for (const budget::CorrectionEntry& entry : *found) data.add(to_json(entry));
  co_return Reply{.body =
                      JsonObject().raw("data", data.finish()).truth("has_more", has_more).finish()};
}

Task<Outcome<Reply>> show_weather(Registry& registry, Call& call) {
  if (auto checked = call.check_query({}); !checked) co_return std::unexpected(checked.error());
  write_waiting_records(registry);
  const auto reports = registry.parts.weather.reports(registry.parts.clock.wall_now());
  co_return Reply{.body = list_of(reports, [](const record::WeatherReport& report) {
                    return JsonObject()
                        .text("place", report.place)
                        .text("sky", to_string(report.sky))
                        .time("since", report.since)
                        .number("answered", report.answered)
                        .number("failed", report.failed)
                        .text_or_null("latest_failure", report.latest_failure)
                        .finish();
                  })};
}

Task<Outcome<Reply>> list_uncertain(Registry& registry, Call& call) {
  record::Query query;
  query.limit = record::records_listed_max;
  if (auto checked = call.check_query({"first"}); !checked) {
    co_return std::unexpected(checked.error());
  }
  if (auto read = read_count(call, "first", query); !read) {
    co_return std::unexpected(read.error());
  }
  const auto most = static_cast<std::size_t>(query.limit);
  auto found = co_await registry.parts.ledger.uncertain(most + 1);
  if (!found) co_return of_ledger(found.error(), "uncertain costs");
  const bool has_more = found->size() > most;
  if (has_more) found->pop_back();
  JsonArray data;
  for (const budget::UncertainCost& cost : *found) {
    data.add(
        JsonObject()
            .text("request", cost.money.attempt.request.text())
            .number("attempt", cost.money.attempt.number)
            .time("opened_at", cost.opened_at)
            .text("state", to_text(cost.money.state))
            .usd("held_usd", cost.money.held)
            .usd("cost_usd", cost.money.cost)
            .text_or_null("certainty", cost.money.certainty ? to_text(*cost.money.certainty) : "")
            .finish());
  }
  co_return Reply{.body =
                      JsonObject().raw("data", data.finish()).truth("has_more", has_more).finish()};
}

Task<Outcome<Reply>> show_usage(Registry& registry, Call& call) {
  if (auto checked = call.check_query({"by", "since", "owner"}); !checked) {
    co_return std::unexpected(checked.error());
  }
  const std::string_view by_text = call.asked("by").empty() ? "model" : call.asked("by");
  const auto by = parse_grouping(by_text);
  if (!by) {
    co_return bad_value("by", fmt::format("usage cannot be grouped by \"{}\"", by_text),
                        "use model, app, owner, credential, user or day");
  }
  record::Query query;
  if (auto read = read_since(call, query); !read) co_return std::unexpected(read.error());
  if (auto read = read_owner(registry, call, query); !read) {
    co_return std::unexpected(read.error());
  }
  write_waiting_records(registry);
  const auto rows = registry.parts.records.usage(*by, query);
  if (!rows) co_return store_unavailable();
  JsonArray data;
  for (const record::UsageRow& row : *rows) {
    data.add(JsonObject()
                 .text("group", row.group)
                 .number("requests", row.requests)
                 .number("failed", row.failed)
                 .number("input_tokens", row.input_tokens)
                 .number("output_tokens", row.output_tokens)
                 .number("cached_input_tokens", row.cached_input_tokens)
                 .number("cache_write_tokens", row.cache_write_tokens)
                 .number("reasoning_tokens", row.reasoning_tokens)
                 .number("audio_tokens", row.audio_tokens)
                 .number("image_tokens", row.image_tokens)
                 .number("searches", row.searches)
                 .usd("cost_usd", row.cost)
                 .number("unbounded_requests", row.unbounded_requests)
                 .usd("unbounded_cost_usd", row.unbounded_cost)
                 .finish());
  }
  query.limit = record::records_listed_max;
  const auto corrections = co_await corrections_for(registry, query);
  if (!corrections) co_return std::unexpected(corrections.error());
  NanoUsd change;
  for (const budget::CorrectionEntry& entry : *corrections) {
    change += entry.cost_after - entry.cost_before.value_or(NanoUsd());
  }
  co_return Reply{.body = JsonObject()
                              .text("by", by_text)
                              .raw("data", data.finish())
                              .raw("corrections", JsonObject()
                                                      .number("count", std::ssize(*corrections))
                                                      .usd("change_usd", change)
                                                      .finish())
                              .finish()};
}

}  // namespace claviger::console

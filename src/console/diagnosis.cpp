/// What is known of a request, put together.

#include "console/diagnosis.h"

#include <fmt/format.h>

#include <algorithm>

#include "console/fields.h"
#include "console/routes.h"
#include "fault/calibration.h"
#include "fault/rules.h"
#include "record/record_json.h"

namespace claviger::console {
namespace {

/// How sure a cause is, in a record from before records kept that.
constexpr double kRecordedConfidence = 0.8;
constexpr double kUnknownConfidence = 0.3;

Outcome<CredentialLuck> luck_of(Registry& registry, const record::Record& record) {
  record::Query query;
  query.owner = record.owner;
  query.limit = CredentialLuck::requests_looked_at_max;
  const auto records = registry.parts.records.list(query);
  if (!records) return store_unavailable();
  CredentialLuck luck;
  for (const record::Record& other : *records) {
    if (other.credential != record.credential || other.id == record.id) continue;
    const bool failed = record::has_failed(other);
    ++(failed ? luck.failed : luck.answered);
    if (!failed && !luck.last_good_at) luck.last_good_at = other.started_at;
  }
  return luck;
}

std::string sky_of(Registry& registry, const record::Record& record) {
  const std::string provider = record.model.substr(0, record.model.find('/'));
  std::string found;
  for (const record::WeatherReport& report :
       registry.parts.weather.reports(registry.parts.clock.wall_now())) {
    if (report.place == record.model) return std::string(to_string(report.sky));
    if (report.place == provider) found = to_string(report.sky);
  }
  return found;
}

double confidence_in(const record::Record& record) {
  if (!record.judgement.is_empty()) {
    return record.judgement.confidence_permille / static_cast<double>(record::permille_max);
  }
  const bool is_known = fault::RuleBook::embedded().find_cause(record.error_code).has_value() &&
                        record.error_code != "unknown";
  return is_known ? kRecordedConfidence : kUnknownConfidence;
}

/// The verdict's suspects, and beside them those that such a verdict is confused with.
std::vector<fault::Suspect> suspects_on_record(const record::Record& record) {
  const fault::RuleBook& book = fault::RuleBook::embedded();
  const auto party = fault::party_named(record.at_fault);
  if (!party) return {};
  std::vector<fault::Suspect> suspects;
  double sum = 0;
  for (const record::JudgedSuspect& judged : record.judgement.suspects) {
    const auto judged_party = fault::party_named(judged.at_fault);
    const auto cause = book.find_cause(judged.cause);
    if (!judged_party || !cause) continue;
    suspects.push_back(
        {.party = *judged_party,
         .cause = book.causes[*cause].name,
         .confidence = judged.confidence_permille / static_cast<double>(record::permille_max)});
    sum += suspects.back().confidence;
  }
  auto usual = fault::suspects_of(book, *party, record.error_code,
                                  suspects.empty() ? confidence_in(record) : sum);
  if (suspects.empty()) return usual;
  for (const fault::Suspect& suspect : usual) {
    if (std::ranges::find(suspects, suspect.party, &fault::Suspect::party) == suspects.end()) {
      suspects.push_back(suspect);
      suspects.back().confidence = std::min(suspect.confidence, suspects.front().confidence / 2);
    }
  }
  return suspects;
}

std::vector<fault::Suspect> suspects_in(const Diagnosis& diagnosis) {
  const record::Record& record = diagnosis.record;
  if (diagnosis.has_failed) return suspects_on_record(record);
  const bool is_bad = diagnosis.feedback && diagnosis.feedback->opinion == record::Opinion::bad;
  if (is_bad || !record.soft_failures.empty()) return fault::suspects_of_bad_answer();
  return {};
}

void gather_evidence(Diagnosis& diagnosis) {
  const record::Record& record = diagnosis.record;
  const auto note = [&](std::string line) { diagnosis.evidence.push_back(std::move(line)); };
  note(fmt::format("last stage reached: {}", stages_of(record).back().name));
  if (record.provider_status != 0) {
    note(fmt::format("the provider answered {}", record.provider_status));
  }
  if (!record.error_code.empty()) note(fmt::format("cause: {}", record.error_code));
  for (const std::string& line : record.judgement.evidence) note(line);
  if (record.attempts > 1) note(fmt::format("attempts: {}", record.attempts));
  if (record.caller_left) note("the caller left before the answer was whole");
  if (!record.soft_failures.empty()) note(fmt::format("the answer was: {}", record.soft_failures));
  if (diagnosis.feedback) {
    note(fmt::format("its caller says that it was {}", to_string(diagnosis.feedback->opinion)));
  }
  if (diagnosis.luck) {
    note(fmt::format(
        "the same credential, of the latest {} requests of its owner: {} answered, "
        "{} failed",
        CredentialLuck::requests_looked_at_max, diagnosis.luck->answered, diagnosis.luck->failed));
    if (diagnosis.luck->last_good_at) {
      note(fmt::format("it last gave an answer at {}",
                       record::to_rfc3339(*diagnosis.luck->last_good_at)));
    }
  }
  if (!diagnosis.sky.empty()) {
    note(fmt::format("the model's or provider's weather now: {}", diagnosis.sky));
  }
}

std::string suspects_json(const std::vector<fault::Suspect>& suspects) {
  const fault::RuleBook& book = fault::RuleBook::embedded();
  JsonArray array;
  for (const fault::Suspect& suspect : suspects) {
    const auto index = book.find_cause(suspect.cause);
    JsonObject one;
    one.text("at_fault", to_string(suspect.party))
        .text("cause", suspect.cause)
        .raw("confidence", fmt::format("{:.2f}", suspect.confidence));
    one.text_or_null("say", index ? book.causes[*index].say : std::string());
    one.text_or_null("remedy", index ? book.causes[*index].remedy : std::string());
    array.add(one.finish());
  }
  return array.finish();
}

std::string probes_json(const std::vector<ProbeReport>& probes) {
  JsonArray array;
  for (const ProbeReport& probe : probes) {
    JsonObject one;
    one.text("probe", to_string(probe.result.probe)).text("what", in_words(probe.result.probe));
    one.text_or_null("model", probe.model);
    if (!probe.not_made.empty()) {
      array.add(one.text("outcome", "not_made").text("not_made", probe.not_made).finish());
      continue;
    }
    one.text("outcome", probe.result.worked ? "worked" : "failed");
    one.text_or_null("at_fault", probe.result.worked ? "" : to_string(probe.result.blamed));
    one.text_or_null("cause", probe.result.worked ? "" : probe.result.cause);
    one.number("status", probe.status)
        .number("took_ms", probe.took_ms)
        .usd("cost_usd", probe.cost)
        .text_or_null("request", probe.request);
    array.add(one.finish());
  }
  return array.finish();
}

std::string timeline_json(const record::Record& record) {
  JsonArray array;
  for (const Stage& stage : stages_of(record)) {
    array.add(JsonObject().text("stage", stage.name).number("at_us", stage.at_us).finish());
  }
  return array.finish();
}

/// In one sentence.
std::string summary_of(const Diagnosis& diagnosis) {
  if (!diagnosis.has_failed && diagnosis.verdict.suspects.empty()) {
    return "Nothing failed: the request was answered.";
  }
  if (diagnosis.verdict.suspects.empty()) {
    return "It failed here, and its error says what to do.";
  }
  const fault::Suspect& first = diagnosis.verdict.suspects.front();
  const auto index = fault::RuleBook::embedded().find_cause(first.cause);
  const std::string_view words =
      index ? std::string_view(fault::RuleBook::embedded().causes[*index].say) : first.cause;
  if (diagnosis.verdict.inconclusive) {
    return fmt::format("The evidence does not decide. Most likely: {}", words);
  }
  return std::string(words);
}

std::string what_to_do(const Diagnosis& diagnosis) {
  if (diagnosis.verdict.suspects.empty()) return {};
  const auto index =
      fault::RuleBook::embedded().find_cause(diagnosis.verdict.suspects.front().cause);
  return index ? fault::RuleBook::embedded().causes[*index].remedy : std::string();
}

}  // namespace

std::vector<Stage> stages_of(const record::Record& record) {
  std::vector<Stage> stages = {{.name = "received", .at_us = 0}};
  const auto add = [&](std::string_view name, std::int64_t at_us) {
    if (at_us >= 0) stages.push_back({.name = name, .at_us = at_us});
  };
  add("held", record.times.admitted_us);
  add("connected", record.times.connected_us);
  add("sent", record.times.sent_us);
  add("answer began", record.times.first_byte_us);
  add(record::has_failed(record) ? "failed" : "answered", record.times.total_us);
  return stages;
}

Task<Outcome<Diagnosis>> diagnosis_of(Registry& registry, RequestId request) {
  // Where the recorder cannot write now, what is in the store is still worth telling.
  [[maybe_unused]] const auto flushed = registry.parts.recorder.flush();
  auto record = registry.parts.records.find(request);
  if (!record) {
    if (record.error() == record::RecordError::unavailable) co_return store_unavailable();
    co_return problem(404, "unknown_request",
                      fmt::format("there is no record of the request {}", request.text()),
                      "\"claviger requests --failed\" lists the latest that failed");
  }
  Diagnosis diagnosis{.record = std::move(*record)};
  auto feedback = registry.parts.feedback.find(request);
  auto content = registry.parts.contents.find(request);
  if (!feedback || !content) co_return store_unavailable();
  diagnosis.feedback = std::move(*feedback);
  diagnosis.can_be_replayed = content->has_value();
  auto attempts = co_await registry.parts.ledger.attempts(request);
  if (!attempts) co_return of_ledger(attempts.error(), request.text());
  diagnosis.attempts = std::move(*attempts);
  if (!diagnosis.record.credential.is_none()) {
    const auto luck = luck_of(registry, diagnosis.record);
    if (!luck) co_return std::unexpected(luck.error());
    diagnosis.luck = *luck;
  }
  if (!diagnosis.record.model.empty()) diagnosis.sky = sky_of(registry, diagnosis.record);
  diagnosis.has_failed = record::has_failed(diagnosis.record);
  gather_evidence(diagnosis);
  conclude(diagnosis);
  co_return diagnosis;
}

void conclude(Diagnosis& diagnosis) {
  std::vector<fault::ProbeResult> results;
  for (const ProbeReport& probe : diagnosis.probes) {
    if (probe.not_made.empty()) results.push_back(probe.result);
  }
  diagnosis.verdict = fault::narrow(fault::RuleBook::embedded(), suspects_in(diagnosis), results);
}

std::string to_json(const Diagnosis& diagnosis) {
  const record::Record& record = diagnosis.record;
  JsonArray attempts;
  for (const budget::AttemptMoney& money : diagnosis.attempts) attempts.add(to_json(money));
  NanoUsd probes_cost;
  for (const ProbeReport& probe : diagnosis.probes) probes_cost += probe.cost;
  JsonObject json;
  json.text("request", record.id.text())
      .text("outcome", diagnosis.has_failed ? "failed" : "answered")
      .text("summary", summary_of(diagnosis))
      .text_or_null("what_to_do", what_to_do(diagnosis))
      .text_or_null("model", record.model)
      .id("credential", record.credential)
      .number("status", record.status)
      .number("provider_status", record.provider_status)
      .text_or_null("provider_request_id", record.provider_request_id)
      .raw("timeline", timeline_json(record))
      .raw("attempts", attempts.finish())
      .texts("evidence", diagnosis.evidence)
      .raw("suspects", suspects_json(diagnosis.verdict.suspects))
      .truth("inconclusive", diagnosis.verdict.inconclusive)
      .raw("probes", probes_json(diagnosis.probes))
      .texts("because", diagnosis.verdict.because)
      .usd("probes_cost_usd", probes_cost)
      .usd("probes_cost_max_usd", kProbesCostMax)
      .raw("feedback", record::to_json(diagnosis.feedback))
      .truth("content_kept", diagnosis.can_be_replayed);
  return json.finish();
}

Task<Outcome<Reply>> show_diagnosis(Registry& registry, Call& call) {
  if (auto checked = call.check_query({}); !checked) co_return std::unexpected(checked.error());
  const auto id = read_request_id(call.parts[0]);
  if (!id) co_return std::unexpected(id.error());
  const auto diagnosis = co_await diagnosis_of(registry, *id);
  if (!diagnosis) co_return std::unexpected(diagnosis.error());
  co_return Reply{.body = to_json(*diagnosis)};
}

Task<Outcome<Reply>> make_diagnosis(Registry& registry, Call& call) {
  const auto id = read_request_id(call.parts[0]);
  if (!id) co_return std::unexpected(id.error());
  Fields fields(call.request.body);
  const bool is_probing = fields.truth_if_any("probe");
  const std::string model = fields.text_if_any("replay");
  if (auto read = fields.finish(); !read) co_return std::unexpected(read.error());
  auto diagnosis = co_await diagnosis_of(registry, *id);
  if (!diagnosis) co_return std::unexpected(diagnosis.error());
  if (is_probing) co_await probe(registry, *diagnosis);
  if (!model.empty()) {
    if (auto done = co_await replay(registry, *diagnosis, model); !done) {
      co_return std::unexpected(done.error());
    }
  }
  conclude(*diagnosis);
  co_return Reply{.body = to_json(*diagnosis)};
}

}  // namespace claviger::console

/// Counter-probes and replays: small questions that tell suspects apart. Lists of models are free;
/// what costs takes the way of every request (errands.h), bounded by kProbesCostMax in all.

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/parse.hpp>

#include "console/diagnosis.h"
#include "console/half_request.h"
#include "console/provider_call.h"
#include "exchange/json_edit.h"
#include "exchange/json_writer.h"
#include "fault/engine.h"
#include "net/http/target.h"

namespace claviger::console {
namespace {

constexpr Duration kListTimeMax = std::chrono::seconds(10);
constexpr Duration kErrandTimeMax = std::chrono::seconds(120);
/// Of a small request's answer. Some providers take no fewer than 16.
constexpr int kProbeOutputTokens = 16;
/// A key in the usual form that no provider ever gave out.
constexpr std::string_view kDummyKey = "sk-claviger-probe-00000000000000000000000000000000";

ProbeReport not_made(fault::Probe probe, std::string why, std::string model = {}) {
  ProbeReport report;
  report.result.probe = probe;
  report.model = std::move(model);
  report.not_made = std::move(why);
  return report;
}

/// A place whose list of models can be asked for.
struct ListPlace {
  const provider::Profile* profile = nullptr;
  net::BaseUrl url;
};

std::optional<ListPlace> list_place(const Registry& registry, const vault::Credential& about) {
  const provider::Profile* const profile = registry.parts.profiles->find(about.provider);
  if (profile == nullptr || profile->models_path.empty()) return std::nullopt;
  auto url = net::parse_base_url(about.base_url.empty() ? profile->base_url : about.base_url);
  if (!url) return std::nullopt;
  return ListPlace{.profile = profile, .url = std::move(*url)};
}

std::string_view transport_stage(CallStage stage) {
  switch (stage) {
    case CallStage::dns:
      return "dns";
    case CallStage::tls:
      return "tls";
    case CallStage::sending:
      return "write";
    case CallStage::answer:
      return "read";
    case CallStage::egress:
    case CallStage::tcp:
      return "connect";
  }
  return "connect";
}

bool is_json(std::string_view body) {
  boost::json::error_code error;
  const auto value = boost::json::parse({body.data(), body.size()}, error);
  return !error && (value.is_object() || value.is_array());
}

/// Whom the outcome of a list blames, by the same rules as any failure.
void judge_list(ProbeReport& report, const ListPlace& place,
                const std::expected<ProviderAnswer, CallFailure>& answer) {
  fault::Observation seen;
  seen.provider = place.profile->id;
  seen.request.own_endpoint = !place.profile->key_required;
  if (answer) {
    report.status = answer->status;
    report.result.worked = answer->status >= 200 && answer->status < 300 && is_json(answer->body);
    seen.status = answer->status;
    seen.body = answer->body;
  } else {
    seen.transport = {.stage = transport_stage(answer.error().stage),
                      .error = "",
                      .detail = answer.error().message};
  }
  if (report.result.worked) return;
  const fault::Verdict verdict = fault::judge(fault::RuleBook::embedded(), seen);
  report.result.blamed = verdict.at_fault;
  report.result.cause = verdict.cause;
}

Task<ProbeReport> ask_for_list(Registry& registry, net::Reactor& reactor, ListPlace place,
                               fault::Probe probe, vault::OpenKey key, bool is_dummy) {
  const ProviderCall request{.endpoint = place.url.endpoint,
                             .method = "GET",
                             .target = place.url.path + place.profile->models_path,
                             .auth_header = place.profile->auth_header,
                             .extra_headers = place.profile->extra_headers,
                             .auth_prefix = place.profile->auth_prefix,
                             .key = is_dummy ? kDummyKey : key.reveal(),
                             .body = {}};
  const Instant started = reactor.clock().now();
  const auto answer = co_await call_provider(reactor, registry.parts.egress, request,
                                             Deadline(started + kListTimeMax));
  ProbeReport report;
  report.result.probe = probe;
  report.took_ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(reactor.clock().now() - started)
          .count();
  if (answer && answer->status == 404) {
    co_return not_made(probe, "there is no list of models at this address");
  }
  judge_list(report, place, answer);
  co_return report;
}

/// Whether anything answers at another provider of this owner. No key is sent: any answer will do.
Task<ProbeReport> ask_elsewhere(Registry& registry, net::Reactor& reactor,
                                const record::Record& record, std::string host) {
  for (const auto& entry : registry.world().credentials->entries()) {
    const bool is_theirs = entry.about.owner.is_none() || entry.about.owner == record.owner;
    const auto place = list_place(registry, entry.about);
    if (!is_theirs || entry.about.disabled || !place || place->url.endpoint.text() == host) {
      continue;
    }
    ProbeReport report = co_await ask_for_list(registry, reactor, *place, fault::Probe::other_host,
                                               vault::OpenKey(), false);
    const bool has_answered = report.not_made.empty() && report.status != 0;
    if (!report.not_made.empty() || (has_answered && report.status < 500)) {
      report.not_made.clear();
      report.result.worked = true;
    }
    co_return report;
  }
  co_return not_made(fault::Probe::other_host, "no other provider of this owner is known");
}

Task<void> ask_lists(Registry& registry, net::Reactor& reactor, Diagnosis& diagnosis) {
  const record::Record& record = diagnosis.record;
  const auto* const found = registry.world().credentials->find(record.credential);
  const auto place = found == nullptr ? std::nullopt : list_place(registry, found->about);
  if (!place) {
    diagnosis.probes.push_back(not_made(fault::Probe::models_with_key,
                                        found == nullptr
                                            ? "the request reached no credential that is still here"
                                            : "this provider has no list of models"));
    co_return;
  }
  const vault::OpenKey key = found->key;
  diagnosis.probes.push_back(
      co_await ask_for_list(registry, reactor, *place, fault::Probe::models_with_key, key, false));
  diagnosis.probes.push_back(
      key.empty() ? not_made(fault::Probe::models_with_dummy_key, "this place takes no key")
                  : co_await ask_for_list(registry, reactor, *place,
                                          fault::Probe::models_with_dummy_key, key, true));
  diagnosis.probes.push_back(
      co_await ask_elsewhere(registry, reactor, record, place->url.endpoint.text()));
}

/// The cheapest chat model of the same provider, other than the request's; empty where none is
/// known.
std::string cheapest_other(const Registry& registry, const record::Record& record) {
  const std::string provider = record.model.substr(0, record.model.find('/') + 1);
  std::string best;
  __int128 best_price = 0;
  for (const std::string& name : registry.world().routes->models_of(record.owner)) {
    if (!name.starts_with(provider) || name == record.model) continue;
    const auto target = registry.world().routes->resolve(name, record.owner);
    if (!target || !target->price || !target->price->bills_tokens ||
        target->price->has_unbounded_units) {
      continue;
    }
    const auto* const known = registry.parts.book->find(target->provider, target->provider_model);
    if (known == nullptr || known->operation != "chat") continue;
    const __int128 price = static_cast<__int128>(target->price->worst_input().picos) +
                           target->price->worst_output().picos;
    if (!best.empty() && price >= best_price) continue;
    best = name;
    best_price = price;
  }
  return best;
}

ErrandRequest small_request(Registry& registry, const record::Record& record,
                            const std::string& model, NanoUsd cost_max) {
  std::string body = R"({"model":)";
  exchange::append_json_string(body, model);
  const bool embeds = record.operation == "embeddings";
  body += embeds ? std::string(R"(,"input":"OK"})")
                 : fmt::format(R"(,"messages":[{{"role":"user","content":"Say OK."}}],)"
                               R"("max_tokens":{}}})",
                               kProbeOutputTokens);
  return {.errand = {.request = new_request_id(registry.parts.clock.wall_now()),
                     .key = record.key,
                     .credential = record.credential,
                     .cost_max = cost_max},
          .path = embeds ? "/v1/embeddings" : "/v1/chat/completions",
          .query = {},
          .end_user = record.end_user,
          .body = std::move(body)};
}

NanoUsd left_of(const Diagnosis& diagnosis) {
  NanoUsd left = kProbesCostMax;
  for (const ProbeReport& report : diagnosis.probes) left -= report.cost;
  return left;
}

/// One small request, within what is left of the probes' own budget.
Task<void> ask_small(Registry& registry, Diagnosis& diagnosis, fault::Probe probe,
                     std::string model) {
  const record::Record record = diagnosis.record;
  diagnosis.probes.push_back(co_await run_errand(
      registry, record, small_request(registry, record, model, left_of(diagnosis)), probe, model));
}

/// A segment of a path, percent-encoded where net::http needs it.
std::string encoded_model(std::string_view model) {
  std::string out;
  for (const char c : model) {
    if (c == '/') {
      out += "%2F";
    } else if (c == ':') {
      out += "%3A";
    } else {
      out += c;
    }
  }
  return out;
}

/// The content with another model in it. Gemini's name stands in the path.
Outcome<void> aim_at(record::Content& content, std::string_view model) {
  const bool is_plain = std::ranges::all_of(
      model, [](unsigned char c) { return c > ' ' && c < 0x7F && c != '%' && c != '"'; });
  if (!is_plain || model.size() > 256) {
    return bad_value("replay", "this is no model's name", "send provider/model or an alias");
  }
  const std::size_t models = content.path.find("/models/");
  const std::size_t colon = content.path.rfind(':');
  if (models != std::string::npos && colon != std::string::npos && colon > models) {
    content.path = content.path.substr(0, models) + "/models/" + encoded_model(model) +
                   content.path.substr(colon);
    return {};
  }
  std::string name;
  exchange::append_json_string(name, model);
  if (content.body.empty() || exchange::find_value(content.body, "model").end == 0) {
    return problem(422, "cannot_be_replayed", "the request that was kept names no model",
                   "correct the request as its error says");
  }
  content.body = exchange::with_field(content.body, "model", name);
  return {};
}

/// Gemini streams in events only where it is asked to.
std::string query_for(std::string_view path) {
  return path.ends_with(":streamGenerateContent") ? "alt=sse" : "";
}

/// Whether a part of the request might have been answered. Where not even a small one is, half of
/// it tells nothing more.
bool is_size_suspected(const Diagnosis& diagnosis) {
  constexpr int kContentTooLarge = 413;
  const bool fails_small = std::ranges::any_of(diagnosis.probes, [](const ProbeReport& probe) {
    return probe.result.probe == fault::Probe::minimal_request && probe.not_made.empty() &&
           !probe.result.worked;
  });
  return diagnosis.has_failed && !fails_small &&
         (diagnosis.record.provider_status == kContentTooLarge || diagnosis.verdict.inconclusive ||
          std::ranges::any_of(diagnosis.verdict.suspects, fault::is_about_size,
                              &fault::Suspect::cause));
}

/// What was asked with its texts cut to half, within what is left of the probes' own budget.
Task<void> ask_half(Registry& registry, Diagnosis& diagnosis) {
  const record::Record record = diagnosis.record;
  const auto refuse = [&](std::string why) {
    diagnosis.probes.push_back(not_made(fault::Probe::half_request, std::move(why), record.model));
  };
  auto kept = registry.parts.contents.find(record.id);
  if (!kept || !*kept) {
    co_return refuse("what it asked is not kept; see: claviger owner keep-content");
  }
  record::Content content = std::move(**kept);
  if (auto aimed = aim_at(content, record.model); !aimed) co_return refuse(aimed.error().message);
  const auto half = with_texts_halved(content.body);
  if (!half) co_return refuse(half.error());
  ErrandRequest errand{.errand = {.request = new_request_id(registry.parts.clock.wall_now()),
                                  .key = record.key,
                                  .credential = record.credential,
                                  .cost_max = left_of(diagnosis)},
                       .path = content.path,
                       .query = query_for(content.path),
                       .end_user = record.end_user,
                       .body = with_output_bound(content.path, *half, kProbeOutputTokens)};
  diagnosis.probes.push_back(co_await run_errand(registry, record, std::move(errand),
                                                 fault::Probe::half_request, record.model));
}

/// Why a request that was never held for was not made, by its own error code.
std::string why_not(const record::Record& made) {
  if (made.error_code == "probe_too_dear") {
    return fmt::format("it could cost more than what is left of the probes' {}",
                       to_display(kProbesCostMax));
  }
  if (made.error_code == "model_not_allowed") {
    return "the virtual key of the request may not use this model";
  }
  return fmt::format("it was refused here: {}", made.error_code);
}

}  // namespace

Task<ProbeReport> run_errand(Registry& registry, const record::Record& of, ErrandRequest errand,
                             fault::Probe probe, std::string model) {
  const auto* const key = registry.directory().find_key(of.key);
  if (registry.parts.errands == nullptr || key == nullptr || key->revoked_at) {
    co_return not_made(probe, "the virtual key of the request is not in force any more", model);
  }
  const RequestId id = errand.errand.request;
  const auto ran = co_await registry.parts.errands->run(std::move(errand), kErrandTimeMax);
  if (!ran) co_return not_made(probe, ran.error(), model);
  [[maybe_unused]] const auto flushed = registry.parts.recorder.flush();
  const auto made = registry.parts.records.find(id);
  if (!made) co_return not_made(probe, "how it ended is not on record yet", model);
  if (made->attempts == 0) co_return not_made(probe, why_not(*made), model);
  ProbeReport report;
  report.result.probe = probe;
  report.result.worked = !record::has_failed(*made);
  report.status = made->status;
  report.took_ms = made->times.total_us / 1000;
  report.cost = made->cost;
  report.model = std::move(model);
  report.request = id.text();
  if (report.result.worked) co_return report;
  const fault::RuleBook& book = fault::RuleBook::embedded();
  report.result.blamed = fault::party_named(made->at_fault).value_or(fault::Party::provider);
  const auto cause = book.find_cause(made->error_code);
  if (cause) report.result.cause = book.causes[*cause].name;
  co_return report;
}

Task<void> probe(Registry& registry, Diagnosis& diagnosis) {
  auto* const reactor = dynamic_cast<net::Reactor*>(Executor::current());
  const record::Record& record = diagnosis.record;
  if (reactor == nullptr || record.model.empty()) {
    diagnosis.probes.push_back(not_made(fault::Probe::models_with_key,
                                        "the request never got as far as a model's provider"));
    co_return;
  }
  if (!record.credential.is_none()) co_await ask_lists(registry, *reactor, diagnosis);
  if (record.operation != "chat" && record.operation != "embeddings") co_return;
  co_await ask_small(registry, diagnosis, fault::Probe::minimal_request, record.model);
  if (record.operation == "chat") {
    std::string other = cheapest_other(registry, record);
    if (other.empty()) {
      diagnosis.probes.push_back(
          not_made(fault::Probe::other_model, "no other priced chat model is known there"));
    } else {
      co_await ask_small(registry, diagnosis, fault::Probe::other_model, std::move(other));
    }
  }
  if (is_size_suspected(diagnosis)) co_await ask_half(registry, diagnosis);
}

namespace {

/// How to have content kept, in the owner's case.
std::unexpected<Problem> nothing_kept(const Registry& registry, const record::Record& record) {
  const access::Owner* const owner = registry.directory().find_owner(record.owner);
  const std::string name = owner == nullptr ? std::string("OWNER") : owner->name;
  if (owner != nullptr && owner->keeps_content != "off") {
    return problem(409, "content_not_kept",
                   fmt::format("what {} asked is not kept any more, or never was: {} keeps "
                               "\"{}\", and no request above {} KiB",
                               record.id.text(), name, owner->keeps_content,
                               record::kept_request_bytes_max / 1024),
                   owner->keeps_content == "failed"
                       ? "replay failed requests within 15 minutes, or have contents stored: "
                         "claviger owner keep-content " +
                             name + " stored --days 7"
                       : "let the application send it again");
  }
  return problem(409, "content_not_kept",
                 fmt::format("what {} asked is not kept: {} keeps nothing", record.id.text(), name),
                 fmt::format("have failed requests kept for 15 minutes, in encrypted memory: "
                             "claviger owner keep-content {} failed; then let it fail again",
                             name));
}

}  // namespace

Task<Outcome<void>> replay(Registry& registry, Diagnosis& diagnosis, std::string model) {
  const record::Record record = diagnosis.record;
  auto kept = registry.parts.contents.find(record.id);
  if (!kept) co_return store_unavailable();
  if (!*kept) co_return nothing_kept(registry, record);
  record::Content content = std::move(**kept);
  if (auto aimed = aim_at(content, model); !aimed) co_return aimed;
  const auto plan = registry.world().routes->plan(model, record.owner);
  if (!plan) {
    co_return problem(404, "unknown_model", fmt::format("there is no model \"{}\" here", model),
                      "name one that the owner can use: claviger catalog search");
  }
  const std::string before = record.model.substr(0, record.model.find('/'));
  const bool is_same = plan->first.model.substr(0, plan->first.model.find('/')) == before;
  const std::string query = query_for(content.path);
  ErrandRequest errand{.errand = {.request = new_request_id(registry.parts.clock.wall_now()),
                                  .key = record.key,
                                  .credential = {},
                                  .cost_max = std::nullopt},
                       .path = std::move(content.path),
                       .query = query,
                       .end_user = record.end_user,
                       .body = std::move(content.body)};
  diagnosis.probes.push_back(co_await run_errand(
      registry, record, std::move(errand),
      is_same ? fault::Probe::replay_same_provider : fault::Probe::replay_other_provider,
      std::move(model)));
  co_return Outcome<void>{};
}

}  // namespace claviger::console

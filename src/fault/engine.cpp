#include "fault/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "fault/calibration.h"
#include "fault/pause.h"
#include "fault/reading.h"
#include "fault/words.h"

namespace claviger::fault {
namespace {

/// Where a vote comes from. Votes of one kind for one cause do not add up (three phrases that say
/// the same are one piece of evidence), those of different kinds do.
enum class Source : std::uint8_t { label, message, circumstance };
constexpr std::size_t kSources = 3;

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}
bool same_name(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

struct Tally {
  std::array<double, kSources> bits{};
  std::optional<Retry> retry;
  double heaviest = -1;  ///< The vote that `retry` came with.
  bool has_votes = false;
  bool is_documented = false;  ///< The heaviest vote is of the provider's own rules.
  Grounds grounds() const {
    if (is_documented) return Grounds::documented;
    return bits[0] > 0 && bits[1] > 0 ? Grounds::corroborated : Grounds::single;
  }
  double sum() const { return std::accumulate(bits.begin(), bits.end(), 0.0); }
};

/// What the rules look at.
struct Facts {
  const Observation& seen;
  Reading reading;
  std::optional<Pause> pause;
  int status = 0;
  Circumstances circumstances = 0;
  PhraseHits in_labels;
  PhraseHits in_message;
};

bool is_usable_pause(const std::optional<Pause>& pause) {
  return pause && pause->seconds > 0 && pause->seconds <= retry_after_s_max;
}

bool is_zero(std::string_view text) {
  return text == "0" || text == "0.0";
}

bool pace_is_spent(const Observation& seen) {
  for (const HeaderField& field : seen.headers) {
    const auto has = [&](std::string_view part) {
      return !std::ranges::search(field.name, part, [](char a, char b) {
                return lower(a) == lower(b);
              }).empty();
    };
    if (has("remaining") && (has("ratelimit") || has("limit")) && is_zero(field.value)) {
      return true;
    }
  }
  return false;
}

bool is_edge(const Observation& seen) {
  constexpr std::array<std::string_view, 7> kEdges = {"nginx",  "squid",  "zscaler",  "bluecoat",
                                                      "awselb", "apache", "fortigate"};
  const std::string_view server = header_value(seen.headers, "server");
  return std::ranges::any_of(kEdges, [&](std::string_view edge) {
    return server.size() >= edge.size() && same_name(server.substr(0, edge.size()), edge);
  });
}

Circumstances circumstances_of(const Observation& seen, const Reading& reading,
                               const std::optional<Pause>& pause) {
  const RequestFacts& request = seen.request;
  const std::int64_t asked = request.input_tokens + request.output_tokens_max;
  const std::pair<Circumstance, bool> known[] = {
      {Circumstance::own_endpoint, request.own_endpoint},
      {Circumstance::no_key_sent, request.no_key_sent},
      {Circumstance::caller_left, request.caller_left},
      {Circumstance::streamed, request.streamed},
      {Circumstance::empty, reading.form == Form::empty},
      {Circumstance::html, reading.form == Form::html},
      {Circumstance::text, reading.form == Form::text},
      {Circumstance::binary, reading.form == Form::binary},
      {Circumstance::retry_after, is_usable_pause(pause)},
      {Circumstance::pace_spent, pace_is_spent(seen)},
      {Circumstance::transport, static_cast<bool>(seen.transport)},
      {Circumstance::local, static_cast<bool>(seen.local)},
      {Circumstance::above_context,
       request.context_tokens_max > 0 && request.input_tokens > request.context_tokens_max},
      {Circumstance::above_pace,
       request.tokens_per_minute_max > 0 && asked > request.tokens_per_minute_max},
      {Circumstance::has_error, reading.has_error},
      {Circumstance::failed, seen.status >= 400 || reading.has_error},
      {Circumstance::header_pause, is_usable_pause(pause) && pause->is_header},
      {Circumstance::cloud_model, request.own_endpoint && (request.model.ends_with(":cloud") ||
                                                           request.model.ends_with("-cloud"))},
      {Circumstance::edge, is_edge(seen)},
  };
  Circumstances bits = 0;
  for (const auto& [circumstance, holds] : known) {
    if (holds) bits |= bit(circumstance);
  }
  return bits;
}

Facts gather(const RuleBook& book, const Observation& seen) {
  Facts facts{.seen = seen,
              .reading = read_answer(seen),
              .in_labels = PhraseHits(book.phrases.size()),
              .in_message = PhraseHits(book.phrases.size())};
  const Reading& reading = facts.reading;
  facts.pause = stated_pause(seen, reading);
  facts.status = seen.status;
  if (seen.status < 400 && reading.inner_status != 0) facts.status = reading.inner_status;
  facts.circumstances = circumstances_of(seen, reading, facts.pause);
  std::vector<Word> words;
  words.reserve(words_max);
  for (const std::string& label : reading.labels) {
    words.clear();
    append_words(words, label, Quotes::keep);
    book.phrases.find(words, facts.in_labels);
  }
  words.clear();
  append_words(words, reading.message, Quotes::drop_long);
  book.phrases.find(words, facts.in_message);
  return facts;
}

bool any_of(const std::vector<PhraseId>& phrases, const PhraseHits& hits) {
  return std::ranges::any_of(phrases, [&](PhraseId id) { return hits.has(id); });
}

bool may_apply(const Rule& rule, const Facts& facts) {
  if ((facts.circumstances & rule.required) != rule.required) return false;
  if ((facts.circumstances & rule.forbidden) != 0) return false;
  return rule.statuses.empty() || std::ranges::any_of(rule.statuses, [&](StatusRange range) {
           return facts.status >= range.least && facts.status <= range.most;
         });
}

/// Whose rules are being applied.
enum class Origin : std::uint8_t { general, provider };

void vote(const Rule& rule, Source source, Origin origin, std::vector<Tally>& tallies) {
  Tally& tally = tallies[rule.cause];
  double& bits = tally.bits[static_cast<std::size_t>(source)];
  bits = rule.bits < 0 ? bits + rule.bits : std::max(bits, rule.bits);
  tally.has_votes = tally.has_votes || rule.bits > 0;
  if (rule.bits > tally.heaviest) {
    tally.heaviest = rule.bits;
    tally.retry = rule.retry;
    tally.is_documented = origin == Origin::provider;
  }
}

void apply(const Rule& rule, const Facts& facts, Origin origin, std::vector<Tally>& tallies) {
  if (!may_apply(rule, facts)) return;
  if (!rule.labels.empty() && !any_of(rule.labels, facts.in_labels)) return;
  if (!rule.messages.empty() && !any_of(rule.messages, facts.in_message)) return;
  const bool voided = !rule.unless.empty() && (any_of(rule.unless, facts.in_labels) ||
                                               any_of(rule.unless, facts.in_message));
  if (voided) return;
  if (!rule.anywhere.empty()) {
    if (any_of(rule.anywhere, facts.in_labels)) vote(rule, Source::label, origin, tallies);
    if (any_of(rule.anywhere, facts.in_message)) vote(rule, Source::message, origin, tallies);
    return;
  }
  vote(rule,
       !rule.labels.empty()     ? Source::label
       : !rule.messages.empty() ? Source::message
                                : Source::circumstance,
       origin, tallies);
}

bool covers(const RuleSet& set, std::string_view provider) {
  return std::ranges::any_of(set.providers,
                             [&](const std::string& name) { return same_name(name, provider); });
}

/// The same failure on many credentials of different owners is nobody's key; on one that used to
/// work, and no other, it is. (OpenRouter once answered 401 to all valid keys.)
void weigh_neighbours(const RuleBook& book, const Observation& seen, std::vector<Tally>& tallies) {
  constexpr int kOwnersThatTell = 2;
  double key_bits = 0;
  for (std::size_t i = 0; i < tallies.size(); ++i) {
    if (book.causes[i].party == Party::key) key_bits = std::max(key_bits, tallies[i].sum());
  }
  if (key_bits <= 0 || seen.neighbours.owners_failing < kOwnersThatTell) return;
  const auto cause = book.find_cause("provider_rejects_all_keys");
  if (!cause) return;
  Tally& tally = tallies[*cause];
  tally.has_votes = true;
  tally.bits[static_cast<std::size_t>(Source::circumstance)] =
      key_bits + 1 + std::min(seen.neighbours.owners_failing, 4);
}

/// A key that has worked was not typed in wrongly: what is "invalid" about it came later. It was
/// deleted or replaced, or, sometimes, the provider is refusing good keys.
void weigh_history(const RuleBook& book, const Observation& seen, std::vector<Tally>& tallies) {
  const auto invalid = book.find_cause("key_invalid");
  const auto revoked = book.find_cause("key_revoked");
  const auto refuses_all = book.find_cause("provider_rejects_all_keys");
  if (!seen.history.has_worked() || !invalid || !revoked || !refuses_all) return;
  constexpr double kRarer = 3;  // So many bits below the key's own.
  Tally& was = tallies[*invalid];
  if (!was.has_votes || tallies[*revoked].has_votes) return;
  Tally& provider = tallies[*refuses_all];
  if (!provider.has_votes) {
    provider.has_votes = true;
    provider.bits[static_cast<std::size_t>(Source::circumstance)] = was.sum() - kRarer;
  }
  std::swap(was, tallies[*revoked]);
}

std::string length_of_time(std::int64_t seconds) {
  if (seconds < 120) return fmt::format("{} s", seconds);
  if (seconds < 2 * 3600) return fmt::format("{} min", seconds / 60);
  return seconds < 48 * 3600 ? fmt::format("{} h", seconds / 3600)
                             : fmt::format("{} days", seconds / 86'400);
}

struct Standing {
  std::size_t cause;
  double share;  ///< Of all odds.
};

/// Bits are odds: each cause stands with two to the power of its bits, and so does the one that
/// nobody has thought of.
std::vector<Standing> standings(const std::vector<Tally>& tallies) {
  constexpr double kUnknownBits = 2;
  std::vector<Standing> all;
  double total = std::exp2(kUnknownBits);
  for (std::size_t i = 0; i < tallies.size(); ++i) {
    if (!tallies[i].has_votes) continue;
    const double odds = std::exp2(tallies[i].sum());
    all.push_back({i, odds});
    total += odds;
  }
  for (Standing& standing : all) standing.share /= total;
  std::ranges::sort(all, [](const Standing& a, const Standing& b) { return a.share > b.share; });
  return all;
}

void note_evidence(const Facts& facts, std::vector<std::string>& evidence) {
  const Observation& seen = facts.seen;
  const auto note = [&](std::string line) {
    if (evidence.size() < evidence_max) evidence.push_back(std::move(line));
  };
  if (seen.local) note(fmt::format("stage: {} (here)", seen.local.stage));
  if (seen.transport) {
    note(fmt::format("stage: {}; error: {}", seen.transport.stage.substr(0, 40),
                     seen.transport.error.substr(0, 80)));
  }
  if (seen.status != 0) note(fmt::format("status: {}", seen.status));
  if (facts.status != seen.status) note(fmt::format("status inside: {}", facts.status));
  note(fmt::format("answer: {}", to_string(facts.reading.form)));
  constexpr std::size_t kLabelsNoted = 5;
  for (std::size_t i = 0; i < std::min(kLabelsNoted, facts.reading.labels.size()); ++i) {
    note(fmt::format("code: {}", facts.reading.labels[i]));
  }
  if (facts.pause) {
    note(fmt::format("asks to wait: {:.0f} s ({}){}", facts.pause->seconds, facts.pause->source,
                     is_usable_pause(facts.pause) ? "" : ", which is not believed"));
  }
  if (seen.neighbours.credentials_failing > 0) {
    note(fmt::format("the same on other keys lately: {} of {} other owners",
                     seen.neighbours.credentials_failing, seen.neighbours.owners_failing));
  }
  if (seen.history.has_worked()) {
    note(fmt::format("this key worked {} ago", length_of_time(seen.history.seconds_since_worked)));
  } else if (seen.history.is_known) {
    note("this key has not worked here yet");
  }
  if (seen.history.failures_in_row > 1) {
    note(fmt::format("this key's failures in a row: {}", seen.history.failures_in_row));
  }
}

void decide_retry(const Facts& facts, const Cause& cause, const Tally& tally, Verdict& verdict) {
  verdict.retry = tally.retry.value_or(cause.retry);
  if (verdict.retry != Retry::no && is_usable_pause(facts.pause)) {
    verdict.retry_after_s = static_cast<int>(std::ceil(facts.pause->seconds));
  }
}

}  // namespace

Verdict judge(const RuleBook& book, const Observation& seen, const EngineOptions& options) {
  const Facts facts = gather(book, seen);
  std::vector<Tally> tallies(book.causes.size());
  for (const RuleSet& set : book.sets) {
    const bool is_general = set.providers.empty();
    if (!is_general) {
      if (!covers(set, seen.provider)) continue;
      if (!options.without_provider.empty() && covers(set, options.without_provider)) continue;
    }
    const Origin origin = is_general ? Origin::general : Origin::provider;
    for (const Rule& rule : set.rules) apply(rule, facts, origin, tallies);
  }
  weigh_history(book, seen, tallies);
  weigh_neighbours(book, seen, tallies);
  const std::vector<Standing> all = standings(tallies);
  Verdict verdict;
  note_evidence(facts, verdict.evidence);
  std::array<double, parties> by_party{};
  for (const Standing& standing : all) {
    by_party[static_cast<std::size_t>(book.causes[standing.cause].party)] += standing.share;
  }
  // Each party stands with its likeliest cause.
  std::array<bool, parties> named{};
  for (const Standing& standing : all) {
    const Cause& cause = book.causes[standing.cause];
    const auto party = static_cast<std::size_t>(cause.party);
    if (named[party]) continue;
    named[party] = true;
    verdict.suspects.push_back(
        {.party = cause.party,
         .cause = cause.name,
         .confidence = calibrated(by_party[party], tallies[standing.cause].grounds())});
  }
  std::ranges::sort(verdict.suspects,
                    [](const Suspect& a, const Suspect& b) { return a.confidence > b.confidence; });
  if (verdict.suspects.size() > suspects_max) verdict.suspects.resize(suspects_max);
  const std::string_view top = verdict.suspects.empty() ? "unknown" : verdict.suspects[0].cause;
  const std::size_t index = book.find_cause(top).value_or(0);
  const Cause& cause = book.causes[index];
  verdict.at_fault = cause.party;
  verdict.cause = cause.name;
  verdict.say = cause.say;
  verdict.remedy = cause.remedy;
  verdict.confidence = verdict.suspects.empty() ? 0.2 : verdict.suspects[0].confidence;
  verdict.inconclusive = verdict.confidence < inconclusive_below;
  decide_retry(facts, cause, tallies[index], verdict);
  return verdict;
}

}  // namespace claviger::fault

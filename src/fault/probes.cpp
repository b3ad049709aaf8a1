#include "fault/probes.h"

#include <fmt/format.h>

#include <algorithm>

#include "fault/calibration.h"

namespace claviger::fault {
namespace {

using Odds = std::array<double, parties>;

constexpr std::size_t index_of(Party party) {
  return static_cast<std::size_t>(party);
}

/// How often a probe works where that party is at fault, in the order of Party:
///   app, key, account, model, provider, network, policy, budget, gateway.
constexpr std::array<Odds, probes> kWorks = {{
    // An empty account still lists models; an outage of inference often leaves the list up.
    {.97, .03, .80, .97, .55, .10, .97, .97, .80},
    // Not used: see likelihood_of_dummy().
    {.5, .5, .5, .5, .5, .5, .5, .5, .5},
    {.97, .97, .97, .97, .97, .10, .97, .97, .60},
    {.92, .005, .10, .35, .25, .15, .92, .50, .50},
    {.92, .005, .12, .93, .25, .15, .92, .50, .50},
    // What is about size is likelier: see likelihood(). Half a text has half of what a filter
    // minds, and some providers answer what is too long with an error of their own.
    {.10, .005, .10, .20, .35, .25, .40, .50, .50},
    {.08, .005, .12, .92, .25, .15, .35, .50, .50},
    {.08, .92, .92, .92, .90, .50, .40, .50, .50},
}};

/// Who is at fault is blamed so often, where a probe fails.
constexpr double kBlamesRightly = 0.85;
constexpr double kBlamesAnother = (1 - kBlamesRightly) / (parties - 1);
/// A host that is down looks from here like a network that is.
constexpr double kLooksLikeTheNetwork = 0.35;
/// What nobody thought of explains a result half as well as those who are suspected.
constexpr double kUnknown = 0.5;
constexpr double kCertaintyMax = 0.97;

/// A key that cannot be right has to be refused; a provider that cannot even do that is ill.
double likelihood_of_dummy(const ProbeResult& result, Party truth) {
  if (result.worked) return 1;  // Anybody may look at the list.
  const auto among = [truth](Party suspect, double if_so, double otherwise) {
    return truth == suspect ? if_so : otherwise;
  };
  switch (result.blamed) {
    case Party::key:
      return truth == Party::network ? 0.05 : among(Party::provider, 0.45, 0.95);
    case Party::network:
      return truth == Party::account ? 0.3 : among(Party::network, 0.8, 0.05);
    case Party::provider:
      return truth == Party::network ? 0.1 : among(Party::provider, 0.5, 0.03);
    default:
      return 1;
  }
}

/// What was too long may be too long at half of it.
constexpr double kHalfFits = 0.85;

/// What passes by itself may have passed when the probe came.
constexpr double kWorksAgain = 0.5;

bool passes(const RuleBook& book, const Suspect& suspect) {
  const auto index = book.find_cause(suspect.cause);
  return index && book.causes[*index].retry != Retry::no;
}

double likelihood(const RuleBook& book, const ProbeResult& result, const Suspect& suspect,
                  bool is_list_public) {
  const Party truth = suspect.party;
  if (result.probe == Probe::models_with_dummy_key) return likelihood_of_dummy(result, truth);
  // A list that is given to anybody says nothing of the key.
  const bool tells_nothing = result.probe == Probe::models_with_key && result.worked &&
                             is_list_public && truth == Party::key;
  double works =
      tells_nothing ? 0.97 : kWorks[static_cast<std::size_t>(result.probe)][index_of(truth)];
  // Another host says nothing of this one's recovery.
  const bool is_here = result.probe != Probe::other_host;
  if (is_here && passes(book, suspect)) works = std::max(works, kWorksAgain);
  if (result.probe == Probe::half_request && is_about_size(suspect.cause)) works = kHalfFits;
  if (result.worked) return works;
  const bool is_host_down =
      result.blamed == Party::network && (truth == Party::provider || truth == Party::account);
  const double blamed = truth == result.blamed ? kBlamesRightly
                        : is_host_down         ? kLooksLikeTheNetwork
                                               : kBlamesAnother;
  return (1 - works) * blamed;
}

/// Whom a verdict on `party` is most often confused with.
std::vector<Party> confused_with(Party party) {
  switch (party) {
    case Party::app:
      return {Party::model, Party::policy};
    case Party::key:
      return {Party::account, Party::provider};
    case Party::account:
      return {Party::key, Party::provider};
    case Party::model:
      return {Party::app, Party::provider};
    case Party::provider:
      return {Party::network, Party::account};
    case Party::network:
      return {Party::provider, Party::account};
    case Party::policy:
      return {Party::app, Party::model};
    case Party::budget:
      return {Party::app};
    case Party::gateway:
      return {Party::network, Party::provider};
  }
  return {};
}

/// What a party is most often guilty of, where nothing says it better.
std::string_view usual_cause(const RuleBook& book, Party party) {
  constexpr std::array<std::string_view, parties> kUsual = {"invalid_request",
                                                            "key_invalid",
                                                            "insufficient_quota",
                                                            "model_lacks_capability",
                                                            "provider_internal_error",
                                                            "connect_timeout",
                                                            "content_filter",
                                                            "unknown",
                                                            "unknown"};
  const auto found = book.find_cause(kUsual[index_of(party)]);
  return found ? std::string_view(book.causes[*found].name) : std::string_view("unknown");
}

std::string sentence_of(const ProbeResult& result, const Suspect& before, double after) {
  const std::string outcome =
      result.worked ? std::string("worked")
                    : fmt::format("failed: {} ({})", result.cause, to_string(result.blamed));
  return fmt::format("{} {}; {} ({}) {:.2f} -> {:.2f}", in_words(result.probe), outcome,
                     to_string(before.party), before.cause, before.confidence, after);
}

void bring_in(std::vector<Suspect>& suspects, const ProbeResult& result) {
  constexpr double kNewcomer = 0.05;
  const auto known = std::ranges::find(suspects, result.blamed, &Suspect::party);
  if (known == suspects.end()) {
    suspects.push_back({.party = result.blamed, .cause = result.cause, .confidence = kNewcomer});
  }
}

/// Half of it works, and the whole did not: then its size is a reason that has to be weighed,
/// whatever the application was suspected of so far.
void suspect_size(const RuleBook& book, std::vector<Suspect>& suspects) {
  constexpr double kNewcomer = 0.1;
  const auto index = book.find_cause("context_overflow");
  if (!index || std::ranges::any_of(suspects, is_about_size, &Suspect::cause)) return;
  const auto app = std::ranges::find(suspects, Party::app, &Suspect::party);
  if (app == suspects.end()) {
    suspects.push_back(
        {.party = Party::app, .cause = book.causes[*index].name, .confidence = kNewcomer});
  } else {
    app->cause = book.causes[*index].name;
  }
}

void apply(const RuleBook& book, std::vector<Suspect>& suspects, const ProbeResult& result,
           bool is_list_public) {
  constexpr double kNeverNothing = 0.02;
  double before = 0;
  double after = 0;
  for (Suspect& suspect : suspects) {
    before += suspect.confidence;
    suspect.confidence *= likelihood(book, result, suspect, is_list_public);
    after += suspect.confidence;
  }
  if (before <= 0 || after <= 0) return;
  const double unknown = std::max(kNeverNothing, 1 - before) * kUnknown * (after / before);
  const double total = after + unknown;
  for (Suspect& suspect : suspects) {
    suspect.confidence = std::min(kCertaintyMax, suspect.confidence / total);
  }
}

}  // namespace

std::string_view to_string(Probe probe) {
  constexpr std::array<std::string_view, probes> kNames = {
      "models_with_key", "models_with_dummy_key", "other_host",           "minimal_request",
      "other_model",     "half_request",          "replay_same_provider", "replay_other_provider"};
  return kNames[static_cast<std::size_t>(probe)];
}

std::string_view in_words(Probe probe) {
  constexpr std::array<std::string_view, probes> kWords = {
      "the list of models with this key",
      "the list of models with a key that cannot be right",
      "a list of models at another provider",
      "a small request to the same model",
      "a small request to another model of the provider",
      "the same request cut to half",
      "the same request to another model of the provider",
      "the same request at another provider"};
  return kWords[static_cast<std::size_t>(probe)];
}

bool is_about_size(std::string_view cause) {
  constexpr std::string_view kOfSize[] = {"context_overflow", "request_too_large",
                                          "request_above_limit"};
  return std::ranges::find(kOfSize, cause) != std::end(kOfSize);
}

std::vector<Suspect> suspects_of(const RuleBook& book, Party party, std::string_view cause,
                                 double confidence) {
  constexpr double kOthersShare = 0.8;  // Of what is left; the rest is what nobody thought of.
  const auto index = book.find_cause(cause);
  std::vector<Suspect> suspects = {
      {.party = party,
       .cause = index ? std::string_view(book.causes[*index].name) : usual_cause(book, party),
       .confidence = std::clamp(confidence, 0.0, 1.0)}};
  const std::vector<Party> others = confused_with(party);
  // Who is only confused with the one on record never stands before it.
  const double each =
      std::min((1 - suspects[0].confidence) * kOthersShare / static_cast<double>(others.size()),
               suspects[0].confidence / 2);
  for (const Party other : others) {
    suspects.push_back({.party = other, .cause = usual_cause(book, other), .confidence = each});
  }
  return suspects;
}

std::vector<Suspect> suspects_of_bad_answer() {
  return {{.party = Party::model, .cause = "model_wrote_invalid_output", .confidence = 0.5},
          {.party = Party::app, .cause = "invalid_request", .confidence = 0.3},
          {.party = Party::policy, .cause = "content_filter", .confidence = 0.1}};
}

Narrowed narrow(const RuleBook& book, std::vector<Suspect> suspects,
                std::span<const ProbeResult> results) {
  const bool is_list_public = std::ranges::any_of(results, [](const ProbeResult& result) {
    return result.probe == Probe::models_with_dummy_key && result.worked;
  });
  Narrowed narrowed;
  for (const ProbeResult& result : results) {
    const bool is_refused_dummy =
        result.probe == Probe::models_with_dummy_key && result.blamed == Party::key;
    if (!result.worked && !is_refused_dummy) bring_in(suspects, result);
    if (result.worked && result.probe == Probe::half_request && !suspects.empty()) {
      suspect_size(book, suspects);
    }
    if (suspects.empty()) {
      narrowed.because.push_back(fmt::format("{} worked", in_words(result.probe)));
      continue;
    }
    const Suspect before = suspects.front();
    apply(book, suspects, result, is_list_public);
    narrowed.because.push_back(sentence_of(result, before, suspects.front().confidence));
    // A probe that blames the same party knows better than the general rule for what.
    const auto blamed = std::ranges::find(suspects, result.blamed, &Suspect::party);
    const bool says_cause = !result.worked && !is_refused_dummy && result.cause != "unknown";
    if (says_cause && blamed != suspects.end() && blamed != suspects.begin() &&
        book.find_cause(result.cause)) {
      blamed->cause = result.cause;
    }
    std::ranges::stable_sort(suspects, std::greater<>(), &Suspect::confidence);
  }
  if (suspects.size() > suspects_max) suspects.resize(suspects_max);
  narrowed.inconclusive = suspects.empty() || suspects.front().confidence < inconclusive_below;
  narrowed.suspects = std::move(suspects);
  return narrowed;
}

}  // namespace claviger::fault

#pragma once

/// Counter-probes: small questions whose answers tell suspects apart. A key that lists models is
/// no dead key; a request that fails on another model as well is no model's fault. Here is what
/// each answer means; who asks, and at what price, is the caller's business.
///
/// Each result shifts the odds of every party by how likely it would be if that party were at
/// fault (Bayes). The likelihoods are a considered judgement and not measured: there is no
/// collection of failures with probes. What is certain about them is tested: their direction.

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fault/rules.h"
#include "fault/verdict.h"

namespace claviger::fault {

enum class Probe : std::uint8_t {
  models_with_key,        ///< The provider's list of models, with the key in question. Free.
  models_with_dummy_key,  ///< The same with a key that cannot be right. Free.
  other_host,             ///< A list of models at another provider, from here. Free.
  minimal_request,        ///< A few tokens of the same model, with the same key.
  other_model,            ///< A few tokens of another model of the same provider.
  half_request,           ///< The same request with its texts cut to half.
  replay_same_provider,   ///< The same request, on another model of the same provider.
  replay_other_provider,  ///< The same request, at another provider.
};
inline constexpr std::size_t probes = 8;
/// "models_with_key": stable, for programs.
std::string_view to_string(Probe probe);
/// "the list of models with this key": for people.
std::string_view in_words(Probe probe);
/// Whether half of the request would not have failed for this cause: a context, a body or a
/// minute's limit that one request fills.
bool is_about_size(std::string_view cause);

struct ProbeResult {
  Probe probe = Probe::models_with_key;
  bool worked = false;
  /// Where it did not: whom its own verdict blames, and for what.
  Party blamed = Party::provider;
  std::string_view cause = "unknown";  ///< Lives as long as the rule book.
};

/// Who may have been at fault, before anybody asked: the recorded verdict, and beside it those
/// that such a verdict is most often confused with. `confidence` is the verdict's, 0 to 1.
std::vector<Suspect> suspects_of(const RuleBook& book, Party party, std::string_view cause,
                                 double confidence);

/// Of an answer that did not fail and is said to be of no use: by its caller, or by what was
/// seen in it.
std::vector<Suspect> suspects_of_bad_answer();

struct Narrowed {
  std::vector<Suspect> suspects;     ///< Most likely first, at most suspects_max.
  std::vector<std::string> because;  ///< A sentence for each result, in order.
  bool inconclusive = true;          ///< None stands above the others.
};

/// What is left of `suspects` after `results`. Pure; without results they come back as they are.
/// A party that nobody suspected may come in where a result blames it; and the application, where
/// half of its request works.
Narrowed narrow(const RuleBook& book, std::vector<Suspect> suspects,
                std::span<const ProbeResult> results);

}  // namespace claviger::fault

#pragma once

/// What providers document about their errors, as data: data/faults/*.toml, one file for each
/// provider and a few for what holds in general. Embedded in the binary.
///
/// A rule does not decide, it votes: for one cause, with a weight in bits (each bit doubles the
/// odds). A provider's own code weighs most, a phrase that any provider might use less, a status
/// alone least. So a rule that fits badly is outvoted instead of hiding all that come after it,
/// and an error of a provider that nobody has written down is judged by what its words mean.
///
/// Keys of a rule (all that are given must hold; of a list, one):
///   cause      which of causes.toml it votes for
///   status     [429, "5xx"]: the HTTP status, or the one stated inside a 200
///   label      a code, type, reason or signal is exactly this
///   label_has  … or contains this phrase
///   message    the provider's message contains this phrase (words.h says what a phrase is)
///   any        either of both contains it; found in both, it counts twice
///   unless     voids the rule where the message or a label contains it
///   when       what else is known: own_endpoint, no_key_sent, empty, html, … (flags below);
///              "!x" for its contrary
///   strength   certain, strong, fair, weak, hint; or `bits`, a number
///   retry      where it differs from the cause's
///   source, dated   where that is documented, and when it was read; else the file's

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fault/verdict.h"
#include "fault/words.h"

namespace claviger::fault {

struct Cause {
  std::string name;
  Party party = Party::provider;
  Retry retry = Retry::no;
  std::string say;
  std::string remedy;
};

/// What rules may ask of the circumstances. A bit each.
enum class Circumstance : std::uint8_t {
  own_endpoint,
  no_key_sent,
  caller_left,
  streamed,
  empty,
  html,
  text,
  binary,
  retry_after,    ///< A pause that is worth keeping is stated.
  pace_spent,     ///< A header says that nothing remains of a rate limit.
  transport,      ///< No answer came.
  local,          ///< A stage of our own failed.
  above_context,  ///< The request is estimated to exceed the model's context.
  above_pace,     ///< The request alone asks for more than a minute's tokens.
  has_error,      ///< An error object was found.
  failed,         ///< Status 400 or above, or an error object.
  header_pause,   ///< A usable pause stands in a header; in bodies they are often wrong.
  cloud_model,    ///< An own server that forwards this model to a service.
  edge,           ///< The `server` header names a proxy or an edge, not the provider's own.
};
inline constexpr std::size_t circumstances = 19;
using Circumstances = std::uint32_t;
constexpr Circumstances bit(Circumstance circumstance) {
  return Circumstances{1} << static_cast<unsigned>(circumstance);
}

struct StatusRange {
  int least, most;
};

struct Rule {
  std::size_t cause = 0;  ///< Index into RuleBook::causes.
  double bits = 0;
  std::optional<Retry> retry;
  std::vector<StatusRange> statuses;
  std::vector<PhraseId> labels;  ///< Whole labels and parts of them.
  std::vector<PhraseId> messages;
  std::vector<PhraseId> anywhere;
  std::vector<PhraseId> unless;
  Circumstances required = 0;
  Circumstances forbidden = 0;
  // For the reference.
  std::string shown;  ///< What it looks for, in short.
  std::string source;
  std::string dated;
};

/// The rules of one file.
struct RuleSet {
  std::string title;
  std::vector<std::string> providers;  ///< Ids and aliases; empty: for all.
  std::vector<Rule> rules;
};

/// Immutable after reading; any thread.
struct RuleBook {
  std::vector<Cause> causes;
  std::vector<RuleSet> sets;
  PhraseIndex phrases;

  /// The one in the binary. The first call reads it, which takes 8 ms (bench/verdicts/run --time,
  /// 2026-11): no thread that serves requests may be the first. Throws like read().
  static const RuleBook& embedded();
  /// From texts of files. Throws std::runtime_error that names file and rule: a broken rule must
  /// not reach anybody.
  struct File {
    std::string_view name, text;
  };
  static RuleBook read(std::string_view causes_toml, const std::vector<File>& files);

  std::optional<std::size_t> find_cause(std::string_view name) const;
};

std::optional<Party> party_named(std::string_view name);
std::optional<Retry> retry_named(std::string_view name);

/// docs/reference/faults.md, in full.
std::string reference_page(const RuleBook& book);

}  // namespace claviger::fault

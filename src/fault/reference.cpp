/// docs/reference/faults.md, from the rules.

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "fault/rules.h"

namespace claviger::fault {
namespace {

constexpr std::string_view kIntroduction =
    R"(# Faults: whose fault is it, and what to do

<!-- Generated from data/faults/*.toml. To change it, change the rules, then run
     CLAVIGER_WRITE_REFERENCE=1 build/dev/src/fault/fault_test --gtest_filter='Reference*' -->

Every failure gets a verdict: who has to act (`at_fault`), what happened (`cause`), what to tell
the person in front of the application (`say`), what to do about it (`remedy`), and whether trying
again can help (`retry`: `no`, `yes`, `after` a pause). It stands in the error body, in the headers
`x-claviger-fault` and `x-should-retry`, in a stream's error event and in the request's record.
`claviger fault classify` gives the same for an answer that you have at hand.

Causes are stable names. A verdict also says how sure it is; below one half it says that it is
inconclusive, and names the suspects in order.

How a verdict is reached: rules vote. What a provider documents about its own codes weighs most,
words that any provider might use less, a status alone least; `certain` to `hint` below are their
weights. Only what a provider wrote is looked at, never what it echoes of a prompt.
)";

std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

std::string_view weight_of(double bits) {
  if (bits >= 10) return "certain";
  if (bits >= 7) return "strong";
  if (bits >= 4) return "fair";
  if (bits >= 2) return "weak";
  return bits < 0 ? "against" : "hint";
}

/// Long lists of phrases are cut: the files have them all.
std::string short_list(std::string_view text) {
  constexpr std::size_t kBytesMax = 160;
  if (text.size() <= kBytesMax) return std::string(text);
  const std::size_t comma = text.rfind(", ", kBytesMax);
  return std::string(text.substr(0, comma == std::string_view::npos ? kBytesMax : comma)) + ", …";
}

void write_causes(const RuleBook& book, std::string& out) {
  for (std::size_t i = 0; i < parties; ++i) {
    const auto party = static_cast<Party>(i);
    const auto belongs = [&](const Cause& cause) { return cause.party == party; };
    if (std::ranges::none_of(book.causes, belongs)) continue;
    out += fmt::format(
        "\n## {}\n\n| cause | retry | what to tell the person | what to do |\n|---|---|---|---|\n",
        to_string(party));
    for (const Cause& cause : book.causes) {
      if (!belongs(cause)) continue;
      out += fmt::format("| `{}` | {} | {} | {} |\n", cause.name, to_string(cause.retry),
                         cell(cause.say), cell(cause.remedy));
    }
  }
}

constexpr std::string_view kSoftFailures = R"(
## Soft failures

An answer can be given and be of no use. These are marked on the request's record
(`soft_failures`), counted by model (`claviger_soft_failures_total`) and never stop an answer.
Chat answers with one choice are watched, whole and streamed, whatever caller and provider speak.

| name | what |
|---|---|
| `empty_output` | no text and no tool call |
| `cut_by_length` | the bound on its output was reached |
| `refusal` | the provider says so, or the whole short answer begins with a stock refusal |
| `content_filter` | the provider's filter stopped it |
| `broken_tool_arguments` | a tool call whose arguments are no JSON object |
| `unknown_tool` | a tool that was not offered |
| `broken_json` | JSON was asked for, and this is none |
| `missing_fields` | JSON without the fields that the schema requires at its top |
| `wrong_language` | a request in Latin script, an answer that is mostly in another |
| `loop` | the same words again and again |
| `context_cut` | an own server counted far fewer tokens than were sent |
)";

void write_rules(const RuleBook& book, std::string& out) {
  out += "\n## Where each verdict comes from\n";
  std::vector<const RuleSet*> sets;
  sets.reserve(book.sets.size());
  for (const RuleSet& set : book.sets) sets.push_back(&set);
  std::ranges::sort(sets, {}, [](const RuleSet* set) { return set->title; });
  for (const RuleSet* set : sets) {
    out += fmt::format("\n### {}\n\n", set->title);
    std::map<std::string, int> sources;
    for (const Rule& rule : set->rules) ++sources[fmt::format("{} ({})", rule.source, rule.dated)];
    for (const auto& [source, count] : sources) out += fmt::format("Source: {}\n", source);
    out += "\n| seen | cause | weight |\n|---|---|---|\n";
    for (const Rule& rule : set->rules) {
      const Cause& cause = book.causes[rule.cause];
      const std::string retry =
          rule.retry ? fmt::format(" (retry: {})", to_string(*rule.retry)) : "";
      out += fmt::format("| {} | `{}`{} | {} |\n", cell(short_list(rule.shown)), cause.name, retry,
                         weight_of(rule.bits));
    }
  }
}

}  // namespace

std::string reference_page(const RuleBook& book) {
  std::string out(kIntroduction);
  write_causes(book, out);
  out += kSoftFailures;
  write_rules(book, out);
  return out;
}

}  // namespace claviger::fault

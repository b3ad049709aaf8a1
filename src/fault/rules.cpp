/// Reads data/faults/*.toml. toml++ takes seconds to compile; its exceptions are off, so that
/// errors are ours to word.

#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#include "fault/rules.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <array>
#include <stdexcept>
#include <utility>

#include "fault/rule_files.h"

namespace claviger::fault {
namespace {

constexpr std::array<std::string_view, parties> kParties = {
    "app", "key", "account", "model", "provider", "network", "policy", "budget", "gateway"};
constexpr std::array<std::string_view, 3> kRetries = {"no", "yes", "after"};
constexpr std::array<std::string_view, circumstances> kCircumstances = {
    "own_endpoint", "no_key_sent",  "caller_left",   "streamed",    "empty",
    "html",         "text",         "binary",        "retry_after", "pace_spent",
    "transport",    "local",        "above_context", "above_pace",  "has_error",
    "failed",       "header_pause", "cloud_model",   "edge"};

struct Strength {
  std::string_view name;
  double bits;
};
constexpr std::array<Strength, 5> kStrengths = {
    {{"certain", 11}, {"strong", 8}, {"fair", 5}, {"weak", 2.5}, {"hint", 1}}};

[[noreturn]] void fail(std::string_view file, const std::string& what) {
  throw std::runtime_error(fmt::format("data/faults/{}: {}", file, what));
}

toml::table parse(std::string_view file, std::string_view text) {
  toml::parse_result parsed = toml::parse(text);
  if (!parsed) {
    const auto& error = parsed.error();
    fail(file, fmt::format("line {}: {}", error.source().begin.line, error.description()));
  }
  return std::move(parsed).table();
}

template <std::size_t N>
std::optional<std::size_t> position(const std::array<std::string_view, N>& names,
                                    std::string_view name) {
  for (std::size_t i = 0; i < N; ++i) {
    if (names[i] == name) return i;
  }
  return {};
}

/// One `[[rule]]` table.
class RuleReader {
 public:
  RuleReader(RuleBook& book, std::string_view file, const toml::table& table)
      : book_(book), file_(file), table_(table) {}

  Rule read(const toml::table& whole_file) {
    const std::string cause_name = text("cause").value_or("");
    const auto cause = book_.find_cause(cause_name);
    if (!cause) wrong(fmt::format("no cause \"{}\" in causes.toml", cause_name));
    rule_.cause = *cause;
    shown_ = {};
    read_statuses();
    read_phrases("label", "", rule_.labels, Whole::yes);
    read_phrases("label_has", "… ", rule_.labels, Whole::no);
    read_phrases("message", "says ", rule_.messages, Whole::no);
    read_phrases("any", "", rule_.anywhere, Whole::no);
    read_circumstances();
    const std::string shown = shown_;
    read_phrases("unless", "", rule_.unless, Whole::no);
    rule_.shown = shown;
    read_weight();
    if (const auto retry = text("retry")) {
      rule_.retry = retry_named(*retry);
      if (!rule_.retry) wrong("retry is no, yes or after");
    }
    rule_.source = text("source").value_or(whole_file["source"].value_or(std::string()));
    rule_.dated = text("dated").value_or(whole_file["dated"].value_or(std::string()));
    if (rule_.source.empty() || rule_.dated.empty()) wrong("a rule needs source and date");
    refuse_other_keys();
    return std::move(rule_);
  }

 private:
  enum class Whole : bool { no, yes };

  [[noreturn]] void wrong(const std::string& what) const {
    fail(file_, fmt::format("rule at line {}: {}", table_.source().begin.line, what));
  }

  std::optional<std::string> text(std::string_view key) {
    const auto* const node = table_.get(key);
    if (node == nullptr) return {};
    const auto value = node->value_exact<std::string>();
    if (!value) wrong(fmt::format("`{}` is a string", key));
    return value;
  }

  const toml::array* list(std::string_view key) {
    const auto* const node = table_.get(key);
    if (node == nullptr) return nullptr;
    if (!node->is_array() || node->as_array()->empty()) wrong(fmt::format("`{}` is a list", key));
    return node->as_array();
  }

  void show(std::string_view what) {
    if (!shown_.empty()) shown_ += ", ";
    shown_ += what;
  }

  void read_statuses() {
    const toml::array* const values = list("status");
    if (values == nullptr) return;
    for (const auto& node : *values) {
      if (const auto number = node.value_exact<std::int64_t>()) {
        rule_.statuses.push_back({static_cast<int>(*number), static_cast<int>(*number)});
        show(fmt::format("{}", *number));
        continue;
      }
      const std::string range = node.value_or(std::string());
      if (range.size() != 3 || !range.ends_with("xx")) wrong("a status is 429 or \"5xx\"");
      const int hundreds = (range[0] - '0') * 100;
      rule_.statuses.push_back({hundreds, hundreds + 99});
      show(range);
    }
  }

  void read_phrases(std::string_view key, std::string_view shown_as, std::vector<PhraseId>& out,
                    Whole whole) {
    const toml::array* const values = list(key);
    if (values == nullptr) return;
    for (const auto& node : *values) {
      const std::string phrase = node.value_or(std::string());
      if (phrase.empty()) wrong(fmt::format("`{}` is a list of strings", key));
      try {
        out.push_back(
            book_.phrases.add(whole == Whole::yes ? fmt::format("^{}$", phrase) : phrase));
      } catch (const std::invalid_argument& invalid) {
        wrong(invalid.what());
      }
      show(fmt::format("{}`{}`", shown_as, phrase));
    }
  }

  void read_circumstances() {
    const toml::array* const values = list("when");
    if (values == nullptr) return;
    for (const auto& node : *values) {
      const std::string written = node.value_or(std::string());
      std::string_view name = written;
      const bool is_not = name.starts_with('!');
      if (is_not) name.remove_prefix(1);
      const auto found = position(kCircumstances, name);
      if (!found) wrong(fmt::format("`when` does not know \"{}\"", name));
      (is_not ? rule_.forbidden : rule_.required) |= bit(static_cast<Circumstance>(*found));
      show(is_not ? fmt::format("not {}", name) : std::string(name));
    }
  }

  void read_weight() {
    if (const auto* const node = table_.get("bits")) {
      const auto bits = node->value<double>();
      if (!bits || *bits < -16 || *bits > 16) wrong("`bits` is a number from -16 to 16");
      rule_.bits = *bits;
      return;
    }
    const std::string name = text("strength").value_or("fair");
    for (const Strength& strength : kStrengths) {
      if (strength.name == name) rule_.bits = strength.bits;
    }
    if (rule_.bits == 0) wrong(fmt::format("`strength` does not know \"{}\"", name));
  }

  void refuse_other_keys() const {
    constexpr std::array<std::string_view, 13> kKnown = {
        "cause", "status", "label",    "label_has", "message", "any",  "unless",
        "when",  "bits",   "strength", "retry",     "source",  "dated"};
    for (const auto& [key, value] : table_) {
      if (!position(kKnown, key.str())) wrong(fmt::format("unknown key `{}`", key.str()));
    }
  }

  RuleBook& book_;
  std::string_view file_;
  const toml::table& table_;
  Rule rule_;
  std::string shown_;
};

void read_causes(RuleBook& book, std::string_view toml_text) {
  constexpr std::string_view kFile = "causes.toml";
  const toml::table table = parse(kFile, toml_text);
  const auto* const causes = table["cause"].as_table();
  if (causes == nullptr) fail(kFile, "no [cause.NAME]");
  for (const auto& [key, node] : *causes) {
    const auto* const entry = node.as_table();
    if (entry == nullptr) fail(kFile, fmt::format("{} is no table", key.str()));
    const auto text = [&](std::string_view name) {
      const std::string value = (*entry)[name].value_or(std::string());
      if (value.empty()) fail(kFile, fmt::format("{} lacks `{}`", key.str(), name));
      return value;
    };
    const auto party = party_named(text("party"));
    const auto retry = retry_named(text("retry"));
    if (!party || !retry) fail(kFile, fmt::format("{}: unknown party or retry", key.str()));
    book.causes.push_back({.name = std::string(key.str()),
                           .party = *party,
                           .retry = *retry,
                           .say = text("say"),
                           .remedy = text("remedy")});
  }
}

}  // namespace

std::string_view to_string(Party party) {
  return kParties[static_cast<std::size_t>(party)];
}
std::string_view to_string(Retry retry) {
  return kRetries[static_cast<std::size_t>(retry)];
}
std::optional<Party> party_named(std::string_view name) {
  const auto found = position(kParties, name);
  return found ? std::optional(static_cast<Party>(*found)) : std::nullopt;
}
std::optional<Retry> retry_named(std::string_view name) {
  const auto found = position(kRetries, name);
  return found ? std::optional(static_cast<Retry>(*found)) : std::nullopt;
}

std::optional<std::size_t> RuleBook::find_cause(std::string_view name) const {
  for (std::size_t i = 0; i < causes.size(); ++i) {
    if (causes[i].name == name) return i;
  }
  return {};
}

RuleBook RuleBook::read(std::string_view causes_toml, const std::vector<File>& files) {
  RuleBook book;
  if (files.empty()) fail("*.toml", "there are no rules in this build");
  read_causes(book, causes_toml);
  for (const File& file : files) {
    const toml::table table = parse(file.name, file.text);
    RuleSet set{.title = table["title"].value_or(std::string(file.name))};
    if (const auto* const providers = table["providers"].as_array()) {
      for (const auto& node : *providers) {
        set.providers.push_back(node.value_or(std::string()));
      }
    }
    const auto* const rules = table["rule"].as_array();
    if (rules == nullptr) fail(file.name, "no [[rule]]");
    for (const auto& node : *rules) {
      const auto* const rule = node.as_table();
      if (rule == nullptr) fail(file.name, "a rule is a table");
      set.rules.push_back(RuleReader(book, file.name, *rule).read(table));
    }
    book.sets.push_back(std::move(set));
  }
  return book;
}

const RuleBook& RuleBook::embedded() {
  static const RuleBook book = read(rule_files::causes(), rule_files::all());
  return book;
}

}  // namespace claviger::fault

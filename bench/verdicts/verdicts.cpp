/// How good are verdicts? Reads cases (JSON lines, see src/fault/case_line.h, with `expect`),
/// judges each, and prints accuracy, calibration and the confusion matrix.
///
///   verdicts [--leave-one-out] [--half 0|1] [--wrong] [--unsure] [--time] cases.jsonl…
///
/// --leave-one-out  each case is judged without the rules of its own provider: what the general
///                  reasoning is worth for a provider that nobody has written down.
/// --half N         only cases whose id hashes to N: rules can be written looking at one half and
///                  measured on the other.
/// --wrong          each wrong verdict, with its evidence.
/// --unsure         each verdict below 0.9 as well: where the evidence is not read well enough.
/// --time           the time of a verdict, median and 99th percentile, and of reading the rules.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "fault/case_line.h"
#include "fault/engine.h"

namespace {

using namespace claviger;

struct Settings {
  bool leave_one_out = false;
  bool show_wrong = false;
  bool show_unsure = false;
  bool show_time = false;
  int half = -1;
  std::vector<std::string> files;
};

struct Score {
  int cases = 0;
  int party_right = 0;
  int retry_right = 0;
  int sure_and_wrong = 0;  ///< Confidence of 0.9 or more, party or retry wrong.
  std::map<std::string, std::map<std::string, int>> confusion;
  struct Bin {
    int cases = 0, right = 0;
    double confidence = 0;
  };
  std::array<Bin, 10> bins;
  std::map<std::string, std::pair<int, int>> by_provider;  ///< Cases, party right.
};

/// FNV-1a, its lowest bit: stable, and blind to what the case is about.
int half_of(std::string_view id) {
  std::uint32_t hash = 2166136261U;
  for (const unsigned char c : id) hash = (hash ^ c) * 16777619U;
  return static_cast<int>((hash >> 16) & 1);
}

void count(Score& score, const fault::Case& one, const fault::Verdict& verdict,
           const Settings& settings) {
  const std::string party(to_string(verdict.at_fault));
  const bool party_ok = party == one.expected_party;
  const bool retry_ok = to_string(verdict.retry) == one.expected_retry;
  ++score.cases;
  score.party_right += party_ok ? 1 : 0;
  score.retry_right += retry_ok ? 1 : 0;
  const bool sure_and_wrong = verdict.confidence >= 0.9 && !(party_ok && retry_ok);
  score.sure_and_wrong += sure_and_wrong ? 1 : 0;
  ++score.confusion[one.expected_party][party];
  auto& bin =
      score.bins[std::min<std::size_t>(9, static_cast<std::size_t>(verdict.confidence * 10))];
  ++bin.cases;
  bin.right += party_ok ? 1 : 0;
  bin.confidence += verdict.confidence;
  auto& [cases, right] = score.by_provider[one.provider];
  ++cases;
  right += party_ok ? 1 : 0;
  const bool is_shown = (settings.show_wrong && !(party_ok && retry_ok)) ||
                        (settings.show_unsure && verdict.confidence < 0.9);
  if (is_shown) {
    fmt::print("{} {} {}: expected {} {} {}, got {} {} {} ({:.2f})\n", one.id, one.provider,
               one.status, one.expected_party, one.expected_cause, one.expected_retry, party,
               verdict.cause, to_string(verdict.retry), verdict.confidence);
    for (const auto& suspect : verdict.suspects) {
      fmt::print("    {} {} {:.2f}\n", to_string(suspect.party), suspect.cause, suspect.confidence);
    }
    fmt::print("    {}\n", one.body.substr(0, 300));
  }
}

void print(const Score& score) {
  const auto percent = [&](int n) { return score.cases == 0 ? 0.0 : 100.0 * n / score.cases; };
  fmt::print("\n{:<28}", "expected \\ verdict");
  constexpr std::array<std::string_view, 9> kParties = {
      "app", "key", "account", "model", "provider", "network", "policy", "budget", "gateway"};
  for (const auto name : kParties) fmt::print("{:>9}", name);
  fmt::print("\n");
  for (const auto row : kParties) {
    fmt::print("{:<28}", row);
    const auto found = score.confusion.find(std::string(row));
    for (const auto column : kParties) {
      int cell = 0;
      if (found != score.confusion.end()) {
        const auto at = found->second.find(std::string(column));
        if (at != found->second.end()) cell = at->second;
      }
      fmt::print("{:>9}", cell == 0 ? std::string(".") : std::to_string(cell));
    }
    fmt::print("\n");
  }
  double error = 0;
  fmt::print("\nconfidence      cases  right  stated\n");
  for (std::size_t i = 0; i < score.bins.size(); ++i) {
    const auto& bin = score.bins[i];
    if (bin.cases == 0) continue;
    const double right = static_cast<double>(bin.right) / bin.cases;
    const double stated = bin.confidence / bin.cases;
    error += std::abs(right - stated) * bin.cases / score.cases;
    fmt::print("{:.1f} to {:.1f} {:>10} {:>6.2f} {:>7.2f}\n", static_cast<double>(i) / 10,
               static_cast<double>(i + 1) / 10, bin.cases, right, stated);
  }
  fmt::print("\nproviders with mistakes:");
  for (const auto& [provider, counts] : score.by_provider) {
    if (counts.first != counts.second) {
      fmt::print(" {} {}/{}", provider, counts.second, counts.first);
    }
  }
  fmt::print(
      "\n\ncases {}  party {:.1f} %  retry {:.1f} %  sure and wrong {}  calibration error {:.3f}\n",
      score.cases, percent(score.party_right), percent(score.retry_right), score.sure_and_wrong,
      error);
}

void print_times(std::vector<double>& times_us) {
  if (times_us.empty()) return;
  std::ranges::sort(times_us);
  fmt::print("time of a verdict: median {:.1f} us, 99th percentile {:.1f} us\n",
             times_us[times_us.size() / 2], times_us[times_us.size() * 99 / 100]);
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--leave-one-out") {
      settings.leave_one_out = true;
    } else if (argument == "--wrong") {
      settings.show_wrong = true;
    } else if (argument == "--unsure") {
      settings.show_unsure = true;
    } else if (argument == "--time") {
      settings.show_time = true;
    } else if (argument == "--half" && i + 1 < argc) {
      settings.half = std::atoi(argv[++i]);
    } else if (argument.starts_with("--")) {
      fmt::print(stderr, "verdicts: unknown option {}\n", argument);
      return 2;
    } else {
      settings.files.push_back(argument);
    }
  }
  if (settings.files.empty()) {
    fmt::print(stderr, "verdicts: give a file of cases (JSON lines with `expect`)\n");
    return 2;
  }
  const auto begin_of_reading = std::chrono::steady_clock::now();
  const fault::RuleBook& book = fault::RuleBook::embedded();
  const std::chrono::duration<double, std::milli> reading_time_ms =
      std::chrono::steady_clock::now() - begin_of_reading;
  Score score;
  std::vector<double> times_us;
  std::vector<fault::HeaderField> fields;
  for (const std::string& file : settings.files) {
    std::ifstream lines(file);
    if (!lines) {
      fmt::print(stderr, "verdicts: {} cannot be read\n", file);
      return 1;
    }
    for (std::string line; std::getline(lines, line);) {
      const auto one = fault::Case::read(line);
      if (!one) {
        fmt::print(stderr, "verdicts: {}: {}\n", file, one.error());
        return 1;
      }
      if (settings.half >= 0 && half_of(one->id) != settings.half) continue;
      const fault::Observation seen = one->observation(fields);
      fault::EngineOptions options;
      if (settings.leave_one_out) options.without_provider = one->provider;
      const auto begin = std::chrono::steady_clock::now();
      const fault::Verdict verdict = judge(book, seen, options);
      times_us.push_back(
          std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin)
              .count());
      count(score, *one, verdict, settings);
    }
  }
  print(score);
  if (settings.show_time) {
    print_times(times_us);
    fmt::print("time of reading the rules: {:.1f} ms\n", reading_time_ms.count());
  }
}

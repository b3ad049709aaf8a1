/// Verdicts on failures that somebody has at hand: no home and no server is needed.

#include <fmt/format.h>

#include <fstream>
#include <iostream>
#include <iterator>

#include "cli/commands.h"
#include "cli/secret_input.h"
#include "console/json_out.h"
#include "fault/case_line.h"
#include "fault/engine.h"

namespace claviger::cli {
namespace {

constexpr std::size_t kAnswerBytesMax = std::size_t{16} << 20;

Outcome<std::string> read_body(const std::string& file) {
  if (file.empty()) return std::string();
  if (file == "-") return text_from_stdin(kAnswerBytesMax);
  std::ifstream stream(file, std::ios::binary);
  if (!stream) return refused(fmt::format("the file {} cannot be read", file));
  std::string text;
  text.reserve(4096);
  char block[65536];
  while (stream.read(block, sizeof block) || stream.gcount() > 0) {
    text.append(block, static_cast<std::size_t>(stream.gcount()));
    if (text.size() > kAnswerBytesMax) {
      return refused(fmt::format("{} is longer than {} MiB", file, kAnswerBytesMax >> 20));
    }
  }
  return text;
}

Outcome<fault::Case> case_of(const Arguments& arguments) {
  fault::Case one;
  one.provider = arguments.provider;
  one.status = static_cast<int>(arguments.status.value_or(0));
  for (const std::string& header : arguments.headers) {
    const std::size_t colon = header.find(':');
    if (colon == std::string::npos || colon == 0) {
      return wrong_usage(fmt::format("--header is \"name: value\", not \"{}\"", header));
    }
    const std::size_t begin = header.find_first_not_of(' ', colon + 1);
    one.headers.emplace_back(header.substr(0, colon),
                             begin == std::string::npos ? "" : header.substr(begin));
  }
  auto body = read_body(arguments.file);
  if (!body) return std::unexpected(body.error());
  one.body = std::move(*body);
  if (one.status == 0 && one.body.empty()) {
    return wrong_usage("nothing to judge: give --status, --body-file or --batch");
  }
  return one;
}

/// Every line of the file in order; a bad one gets `error`, and the status is then 1.
Outcome<void> classify_batch(const std::string& path) {
  const bool is_stdin = path == "-";
  std::ifstream file;
  if (!is_stdin) file.open(path, std::ios::binary);
  std::istream& lines = is_stdin ? std::cin : file;
  if (!lines) return refused(fmt::format("the file {} cannot be read", path));
  const fault::RuleBook& book = fault::RuleBook::embedded();
  std::vector<fault::HeaderField> fields;
  std::size_t bad = 0;
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line);) {
    ++count;
    const auto one = fault::Case::read(line);
    if (one) {
      say(fault::to_json(judge(book, one->observation(fields)), one->id_json));
      continue;
    }
    ++bad;
    console::JsonObject json;
    if (const std::string id = fault::Case::id_of(line); !id.empty()) json.raw("id", id);
    say(json.text("error", one.error()).finish());
  }
  if (bad == 0) return {};
  return refused(fmt::format("{} of {} lines could not be read", bad, count));
}

void print_for_people(const fault::Verdict& verdict) {
  say(fmt::format("{}{}: {} ({:.0f} % sure)", verdict.inconclusive ? "Not clear; perhaps " : "",
                  to_string(verdict.at_fault), verdict.cause, verdict.confidence * 100));
  say(fmt::format("  {}", verdict.say));
  say(fmt::format("  what to do: {}", verdict.remedy));
  std::string_view retry = "no, it would fail again";
  if (verdict.retry == fault::Retry::yes) retry = "yes";
  if (verdict.retry == fault::Retry::after) retry = "yes, after a pause";
  say(verdict.retry_after_s > 0 ? fmt::format("  try again: yes, after {} s", verdict.retry_after_s)
                                : fmt::format("  try again: {}", retry));
  for (std::size_t i = 1; i < verdict.suspects.size(); ++i) {
    const fault::Suspect& suspect = verdict.suspects[i];
    if (suspect.confidence < 0.05) continue;
    say(fmt::format("  or else: {}: {} ({:.0f} %)", to_string(suspect.party), suspect.cause,
                    suspect.confidence * 100));
  }
  for (const std::string& line : verdict.evidence) say(fmt::format("  seen: {}", printable(line)));
}

}  // namespace

Outcome<void> fault_classify(Session& session, const Arguments& arguments) {
  if (!arguments.batch_file.empty()) return classify_batch(arguments.batch_file);
  const auto one = case_of(arguments);
  if (!one) return std::unexpected(one.error());
  std::vector<fault::HeaderField> fields;
  const fault::Verdict verdict = judge(fault::RuleBook::embedded(), one->observation(fields));
  if (session.as_json) {
    say(fault::to_json(verdict, {}));
  } else {
    print_for_people(verdict);
  }
  return {};
}

}  // namespace claviger::cli

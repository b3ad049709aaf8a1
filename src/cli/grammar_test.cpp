#include "cli/grammar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

#include "cli/control_client.h"
#include "cli/table.h"

namespace claviger::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

GrammarResult parse(const std::string& line) {
  std::vector<std::string> words{"claviger"};
  std::istringstream in(line);
  for (std::string word; in >> word;) words.push_back(word);
  std::vector<const char*> arguments;
  arguments.reserve(words.size());
  for (const std::string& word : words) arguments.push_back(word.c_str());
  return parse_command_line(static_cast<int>(arguments.size()), arguments.data());
}

TEST(Grammar, ReadsWhatACommandNeeds) {
  const auto result =
      parse("budget set --scope owner:me --limit 5.00 --per month --json --home /h");
  ASSERT_TRUE(result.parsed) << result.to_stderr;
  EXPECT_EQ(result.parsed->path, "budget set");
  EXPECT_EQ(result.parsed->arguments.scope, "owner:me");
  EXPECT_EQ(result.parsed->arguments.limit, "5.00");
  EXPECT_TRUE(result.parsed->as_json);
  EXPECT_EQ(result.parsed->place.socket(), "/h/run/control.sock");
}

TEST(Grammar, TakesGlobalOptionsBeforeAndBehindACommand) {
  EXPECT_TRUE(parse("--json owner list").parsed->as_json);
  EXPECT_TRUE(parse("owner --json list").parsed->as_json);
  EXPECT_TRUE(parse("owner list --json").parsed->as_json);
}

TEST(Grammar, WrongUsageIsTwoAndNamesTheCulprit) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "subcommand"},
      {"budgit", "budgit"},
      {"owner", "subcommand"},
      {"owner frob", "frob"},
      {"owner add", "name"},
      {"owner list extra", "extra"},
      {"owner list --colour", "--colour"},
      {"init --default-limit ten", "ten"},
      {"init --default-limit -1", "limit"},
      {"serve --listen 127.0.0.1:99999", "99999"},
      {"serve --listen here", "here"},
      {"key create --app notes", "owner"},
      {"key create --owner a --app b --rpm many", "many"},
      {"key create --owner a --app b --rpm -3", "rpm"},
      {"key create --owner a --app b --expires someday", "someday"},
      {"key revoke banana", "banana"},
      {"credential add --owner a --provider openai --base-url ftp://x --key-env K", "http"},
      {"credential add --owner a --workspace --provider openai", "workspace"},
      {"credential add --owner a --provider openai --key-env A=sk-x", "environment variable"},
      {"budget set --scope owner:a --per month", "limit"},
      {"budget set --scope planet:mars --limit 5 --per month", "planet"},
      {"budget set --scope owner:a --limit 5 --per fortnight", "fortnight"},
      {"budget set --scope owner:a --limit 0.0000000001 --per month", "limit"},
      {"budget set --scope owner:a --limit 99999999999999999999 --per month", "limit"},
      {"budget set --scope owner:a --limit 5 --per day --warn 50,101", "warn"},
      {"budget reconcile req_1 --cost 1", "req_1"},
      {"request banana", "banana"},
      {"usage --by colour", "colour"},
      {"usage --since later", "later"},
      {"requests --last 0", "last"},
      {"owner list --url nowhere", "nowhere"},
  };
  for (const auto& [line, culprit] : cases) {
    const auto result = parse(line);
    EXPECT_FALSE(result.parsed) << line;
    EXPECT_EQ(result.status, kWrongUsage) << line;
    EXPECT_THAT(result.to_stderr, HasSubstr(culprit)) << line;
    EXPECT_TRUE(result.to_stdout.empty()) << line;
  }
}

TEST(Grammar, AKeyAsArgumentIsRefusedAndNotRepeated) {
  for (const std::string& line :
       {std::string("credential add --owner a --provider openai --key sk-planted"),
        std::string("credential rotate crd_1 --key sk-planted"),
        std::string("credential add --owner a --provider openai --key-env sk-planted")}) {
    const auto result = parse(line);
    EXPECT_EQ(result.status, kWrongUsage) << line;
    EXPECT_THAT(result.to_stderr, Not(HasSubstr("planted")));
  }
}

TEST(Grammar, HelpIsNoFailure) {
  const auto result = parse("budget set --help");
  EXPECT_EQ(result.status, 0);
  EXPECT_THAT(result.to_stdout, HasSubstr("--scope"));
  EXPECT_THAT(parse("--version").to_stdout, HasSubstr("claviger "));
}

/// The reference for people names every command and every option of it, and nothing else.
TEST(Reference, NamesEveryCommandAndItsOptions) {
  std::ifstream file(CLAVIGER_CLI_REFERENCE);
  ASSERT_TRUE(file) << CLAVIGER_CLI_REFERENCE;
  std::set<std::string> written;
  std::string heading;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("### claviger ")) {
      heading = line.substr(13);
      written.insert(heading);
    } else if (!heading.empty() && line.starts_with("| `--")) {
      written.insert(heading + " " + line.substr(3, line.find_first_of(" `", 3) - 3));
    }
  }
  std::set<std::string> known;
  for (const CommandDescription& command : describe_commands()) {
    known.insert(command.path);
    for (const std::string& option : command.options) known.insert(command.path + " " + option);
  }
  EXPECT_EQ(written, known);
}

TEST(Tables, AreAlignedByCharactersAndShowNoControls) {
  Table table;
  table.add_column("NAME");
  table.add_column("COST", Align::right);
  table.add_row({"Zoë", "$1.00"});
  table.add_row({"a\x1b[31m", "$10.00"});
  EXPECT_EQ(table.text(),
            "NAME      COST\n"
            "Zoë      $1.00\n"
            "a?[31m  $10.00\n");
}

TEST(ServerUrls, DoNotCarryAKeyInTheClear) {
  EXPECT_TRUE(parse_server_url("http://127.0.0.1:8484"));
  EXPECT_TRUE(parse_server_url("https://claviger.example.com"));
  EXPECT_EQ(parse_server_url("http://claviger.example.com").error().status, kWrongUsage);
}

TEST(Percent, EncodesAllButUnreserved) {
  EXPECT_EQ(percent_encoded("a/b c~ë"), "a%2Fb%20c~%C3%AB");
}

}  // namespace
}  // namespace claviger::cli

/// What the engine promises, on the documented corpus and on bad input.

#include "fault/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "fault/calibration.h"
#include "fault/case_line.h"
#include "fault/reading.h"

namespace claviger::fault {
namespace {

const RuleBook& book() {
  return RuleBook::embedded();
}

std::vector<Case> corpus() {
  std::vector<Case> cases;
  for (const char* const file : {"/documented.jsonl", "/unfamiliar.jsonl", "/seen.jsonl"}) {
    std::ifstream lines(std::string(CLAVIGER_FAULT_CORPUS) + file);
    for (std::string line; std::getline(lines, line);) {
      auto one = Case::read(line);
      EXPECT_TRUE(one) << line;
      if (one) cases.push_back(std::move(*one));
    }
  }
  return cases;
}

Verdict verdict_on(const Case& one, const EngineOptions& options = {}) {
  std::vector<HeaderField> fields;
  return judge(book(), one.observation(fields), options);
}

Verdict verdict_on(std::string_view provider, int status, std::string_view body,
                   std::vector<HeaderField> headers = {}) {
  return judge(book(), {.provider = provider, .status = status, .headers = headers, .body = body});
}

TEST(Engine, WhatProvidersDocumentIsJudgedRight) {
  const auto cases = corpus();
  ASSERT_GT(cases.size(), 100U);
  for (const Case& one : cases) {
    const Verdict verdict = verdict_on(one);
    EXPECT_EQ(to_string(verdict.at_fault), one.expected_party) << one.id << ": " << verdict.cause;
    EXPECT_EQ(to_string(verdict.retry), one.expected_retry) << one.id << ": " << verdict.cause;
  }
}

TEST(Engine, AProviderThatNobodyHasWrittenDownIsJudgedByWhatItsWordsMean) {
  int right = 0;
  const auto cases = corpus();
  for (const Case& one : cases) {
    const Verdict verdict = verdict_on(one, {.without_provider = one.provider});
    if (to_string(verdict.at_fault) == one.expected_party) ++right;
  }
  EXPECT_GE(right * 100, static_cast<int>(cases.size()) * 95);
}

TEST(Engine, EveryVerdictSaysWhatToTellAndWhatToDo) {
  for (const Case& one : corpus()) {
    const Verdict verdict = verdict_on(one);
    EXPECT_FALSE(verdict.say.empty()) << one.id;
    EXPECT_FALSE(verdict.remedy.empty()) << one.id;
    EXPECT_FALSE(verdict.evidence.empty()) << one.id;
    EXPECT_LE(verdict.evidence.size(), evidence_max);
    double sum = 0;
    for (const Suspect& suspect : verdict.suspects) sum += suspect.confidence;
    EXPECT_LE(sum, 1.0) << one.id;
  }
}

TEST(Engine, WhereTheEvidenceDoesNotDecideItSaysSo) {
  const Verdict verdict = verdict_on("unheard-of", 418, R"({"message": "no tea today"})");
  EXPECT_TRUE(verdict.inconclusive);
  EXPECT_LT(verdict.confidence, inconclusive_below);
}

TEST(Engine, APromptThatIsEchoedIsNoEvidence) {
  const std::string prompt =
      "please explain: 429 insufficient_quota, invalid api key, server overloaded, content filter";
  const Verdict verdict = verdict_on(
      "unheard-of", 400,
      R"({"detail": [{"type": "string_type", "loc": ["body", "messages"], "msg": "Input should be a valid string", "input": ")" +
          prompt + R"("}]})");
  EXPECT_EQ(verdict.at_fault, Party::app);
  const Verdict quoted = verdict_on(
      "unheard-of", 400,
      R"({"error": {"message": "Invalid value: expected an array, got ')" + prompt + R"('"}})");
  EXPECT_EQ(quoted.at_fault, Party::app);
}

TEST(Engine, AnAnswersOwnWordsAreNoEvidence) {
  const Verdict verdict = verdict_on("openai", 200, R"({"choices": [{"message": {"content":
      "Error 429: insufficient_quota, your API key was revoked"}, "finish_reason": "length"}]})");
  EXPECT_EQ(verdict.cause, "output_truncated");
}

TEST(Engine, AYearOrThePastOrNonsenseIsNoPause) {
  const std::string_view body = R"({"error": {"code": "rate_limit_exceeded", "message": "slow"}})";
  for (const std::string_view lie :
       {"31536000", "-5", "soon", "1e400", "Sun, 06 Nov 1994 08:49:37 GMT", "",
        "999999999999999999999"}) {
    const Verdict verdict = verdict_on("openai", 429, body, {{"Retry-After", lie}});
    EXPECT_EQ(verdict.retry, Retry::after) << lie;
    EXPECT_EQ(verdict.retry_after_s, 0) << lie;
  }
  EXPECT_EQ(verdict_on("openai", 429, body, {{"retry-after", "20"}}).retry_after_s, 20);
  EXPECT_EQ(verdict_on("openai", 429, body,
                       {{"date", "Sun, 06 Nov 1994 08:49:37 GMT"},
                        {"retry-after", "Sun, 06 Nov 1994 08:50:37 GMT"}})
                .retry_after_s,
            60);
}

TEST(Engine, AnErrorTenDeepInStringsIsBounded) {
  std::string body = R"({"error":{"message":"prompt is too long"}})";
  for (int depth = 0; depth < 10; ++depth) {
    std::string escaped;
    for (const char c : body) {
      if (c == '"' || c == '\\') escaped += '\\';
      escaped += c;
      ASSERT_LT(escaped.size(), 1U << 20);
    }
    body = R"({"error":{"message":")" + escaped + R"("}})";
  }
  const Verdict verdict = verdict_on("openrouter", 400, body.substr(0, 200'000));
  EXPECT_LE(verdict.confidence, 0.99);
}

TEST(Engine, HostileBodiesAreJudgedInBoundedTime) {
  const std::string deep(10 << 20, '[');
  const std::string wide = "{\"error\":" + std::string(10 << 20, '"');
  std::string binary(1 << 20, '\0');
  for (std::size_t i = 0; i < binary.size(); ++i) binary[i] = static_cast<char>(i * 131 % 256);
  const std::string html = "<html>" + std::string(10 << 20, 'x');
  const std::string events = [] {
    std::string text;
    while (text.size() < (10 << 20)) text += "data: {\"choices\":[{}]}\n\n";
    return text;
  }();
  for (const std::string& body : {deep, wide, binary, html, events}) {
    for (const int status : {0, 200, 400, 500}) {
      const Verdict verdict = verdict_on("openai", status, body);
      EXPECT_LE(verdict.confidence, 0.99);
    }
  }
}

TEST(Engine, AStatusThatContradictsTheBodyIsNotBelieved) {
  struct {
    int status;
    std::string_view body;
    Party party;
  } constexpr kCases[] = {
      {500, R"({"error":{"message":"Incorrect API key provided","code":"invalid_api_key"}})",
       Party::key},
      {400, R"({"error":{"message":"The model is overloaded","type":"overloaded_error"}})",
       Party::provider},
      {429, R"({"error":{"message":"Your credit balance is too low","code":"insufficient_quota"}})",
       Party::account},
      {403, R"({"error":{"message":"blocked by content filter","code":"content_filter"}})",
       Party::policy},
      {200, R"({"error":{"message":"Rate limit exceeded","code":429}})", Party::account},
      {401,
       R"({"error":{"message":"maximum context length is 8192 tokens, you requested 9000",)"
       R"("code":"context_length_exceeded"}})",
       Party::app},
  };
  for (const auto& one : kCases) {
    const Verdict verdict = verdict_on("unheard-of", one.status, one.body);
    EXPECT_EQ(verdict.at_fault, one.party) << one.status << " " << one.body << verdict.cause;
  }
}

TEST(Engine, HtmlThatIsFullOfErrorWordsIsStillAnEdgesPage) {
  const Verdict verdict =
      verdict_on("unheard-of", 502,
                 "<html><head><title>502 Bad Gateway</title><script>var a='invalid api key 429 "
                 "insufficient_quota'</script></head><body><center>nginx</center></body></html>",
                 {{"content-type", "text/html"}, {"server", "nginx"}});
  EXPECT_NE(verdict.at_fault, Party::key);
  EXPECT_NE(verdict.at_fault, Party::account);
}

TEST(Calibration, ConfidenceRisesWithTheShareAndNeverReachesCertainty) {
  for (const Grounds grounds : {Grounds::documented, Grounds::corroborated, Grounds::single}) {
    double before = -1;
    for (int i = 0; i <= 1000; ++i) {
      const double share = i / 1000.0;
      const double confidence = calibrated(share, grounds);
      EXPECT_GE(confidence, before);
      EXPECT_LE(confidence, std::min(share, 0.99));
      before = confidence;
    }
  }
  EXPECT_LT(calibrated(1, Grounds::single), calibrated(1, Grounds::corroborated));
  EXPECT_LE(calibrated(1, Grounds::corroborated), calibrated(1, Grounds::documented));
}

TEST(Engine, TheSameRefusalOfManyOwnersKeysIsTheProviders) {
  const std::string_view body = R"({"error": {"message": "User not found.", "code": 401}})";
  Observation seen{.provider = "openrouter", .status = 401, .body = body};
  EXPECT_EQ(judge(book(), seen).at_fault, Party::key);
  seen.neighbours = {.credentials_failing = 4, .owners_failing = 3};
  const Verdict verdict = judge(book(), seen);
  EXPECT_EQ(verdict.at_fault, Party::provider);
  EXPECT_EQ(verdict.retry, Retry::after);
}

TEST(Engine, AKeyThatHasWorkedWasTakenAwayAndNotTypedInWrongly) {
  const std::string_view body =
      R"({"error": {"message": "Incorrect API key provided: sk-*", "code": "invalid_api_key"}})";
  Observation seen{.provider = "openai", .status = 401, .body = body};
  EXPECT_EQ(judge(book(), seen).cause, "key_invalid");

  seen.history = {.is_known = true, .seconds_since_worked = 3 * 3600, .failures_in_row = 1};
  const Verdict worked = judge(book(), seen);
  EXPECT_EQ(worked.at_fault, Party::key);
  EXPECT_EQ(worked.cause, "key_revoked");
  EXPECT_THAT(worked.evidence, testing::Contains("this key worked 3 h ago"));
  // A provider that refuses good keys is the second thought.
  ASSERT_GE(worked.suspects.size(), 2U);
  EXPECT_EQ(worked.suspects[1].cause, "provider_rejects_all_keys");

  seen.history = {.is_known = true};
  const Verdict never = judge(book(), seen);
  EXPECT_EQ(never.cause, "key_invalid");
  EXPECT_THAT(never.evidence, testing::Contains("this key has not worked here yet"));
}

TEST(Engine, WhatAKeyDidBeforeExcusesNoBadRequest) {
  Observation seen{.provider = "openai",
                   .status = 400,
                   .body = R"({"error": {"type": "invalid_request_error", "message": "bad"}})"};
  const Verdict before = judge(book(), seen);
  seen.history = {.is_known = true, .seconds_since_worked = 5};
  EXPECT_EQ(judge(book(), seen).cause, before.cause);
}

TEST(Engine, NeighboursDoNotExcuseAContentFilter) {
  Observation seen{.provider = "openai",
                   .status = 400,
                   .body = R"({"error": {"code": "content_filter", "message": "flagged"}})"};
  seen.neighbours = {.credentials_failing = 4, .owners_failing = 3};
  EXPECT_EQ(judge(book(), seen).at_fault, Party::policy);
}

TEST(Reading, OfAnAggregatorWhatTheProviderBehindItSaidCounts) {
  const std::string_view body =
      R"({"error":{"message":"Provider returned error","code":400,"metadata":{"raw":"{\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}"}}})";
  const Reading reading = read_answer({.provider = "openrouter", .status = 400, .body = body});
  EXPECT_THAT(reading.labels, testing::Contains("overloaded_error"));
  EXPECT_EQ(reading.message, "Overloaded");
}

TEST(Reading, AStreamWithoutItsEndIsTruncated) {
  const auto read = [](std::string_view body) {
    return read_answer({.status = 200, .body = body}).truncated_stream;
  };
  EXPECT_TRUE(read("data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n"));
  EXPECT_FALSE(read("data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: [DONE]\n\n"));
  EXPECT_FALSE(read("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"));
  EXPECT_TRUE(read(": keep-alive\n\n: keep-alive\n\n"));
}

TEST(Rules, ABrokenRuleIsRefusedWithItsPlace) {
  const std::string_view causes =
      "[cause.x]\nparty = \"app\"\nretry = \"no\"\nsay = \"s\"\nremedy = \"r\"\n";
  const auto read = [&](std::string_view rule) {
    return RuleBook::read(causes, {{"p.toml", rule}});
  };
  EXPECT_NO_THROW(
      read("source = \"s\"\ndated = \"d\"\n[[rule]]\ncause = \"x\"\nlabel = [\"a\"]\n"));
  for (const std::string_view broken :
       {"[[rule]]\ncause = \"y\"\nsource = \"s\"\ndated = \"d\"\n",
        "[[rule]]\ncause = \"x\"\nsource = \"s\"\n",
        "[[rule]]\ncause = \"x\"\nsource = \"s\"\ndated = \"d\"\nmesage = [\"a\"]\n",
        "[[rule]]\ncause = \"x\"\nsource = \"s\"\ndated = \"d\"\nlabel = [\"…\"]\n",
        "[[rule]]\ncause = \"x\"\nsource = \"s\"\ndated = \"d\"\nwhen = [\"raining\"]\n",
        "nonsense", ""}) {
    EXPECT_THROW(read(broken), std::runtime_error) << broken;
  }
}

TEST(Rules, EveryFileStandsInTheBinaryAndNoneAtAllIsAnError) {
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(CLAVIGER_FAULT_RULES)) {
    if (entry.path().extension() == ".toml" && entry.path().stem() != "causes") ++files;
  }
  EXPECT_GT(files, 20U);
  EXPECT_EQ(book().sets.size(), files);
  EXPECT_THROW(RuleBook::read("", {}), std::runtime_error);
}

TEST(Rules, EveryCauseCanBeReached) {
  std::set<std::size_t> reached;
  for (const RuleSet& set : book().sets) {
    for (const Rule& rule : set.rules) reached.insert(rule.cause);
  }
  for (std::size_t i = 0; i < book().causes.size(); ++i) {
    const std::string& name = book().causes[i].name;
    if (name == "unknown" || name == "provider_rejects_all_keys") continue;  // The engine's own.
    EXPECT_TRUE(reached.contains(i)) << name << " has no rule";
  }
}

TEST(Reference, ThePageSaysWhatTheRulesSay) {
  const std::string page = reference_page(book());
  if (const char* const write = std::getenv("CLAVIGER_WRITE_REFERENCE"); write != nullptr) {
    std::ofstream(CLAVIGER_FAULT_REFERENCE, std::ios::binary) << page;
  }
  std::ifstream file(CLAVIGER_FAULT_REFERENCE, std::ios::binary);
  const std::string written((std::istreambuf_iterator<char>(file)), {});
  EXPECT_TRUE(written == page)
      << "docs/reference/faults.md is older than data/faults; the page says how to write it anew";
}

TEST(CaseLine, ABadLineSaysWhatIsWrong) {
  EXPECT_EQ(Case::read("{").has_value(), false);
  EXPECT_EQ(Case::read(R"({"id": 1})").error(),
            "nothing to judge: give `status`, `body`, `transport` or `local`");
  EXPECT_EQ(Case::read(R"({"status": "x"})").error(), "`status` must be a number");
  EXPECT_EQ(Case::read(R"({"status": 500, "body_base64": "*"})").error(),
            "`body_base64` must be base64");
  EXPECT_EQ(Case::id_of(R"({"id": "a", "status": "x"})"), "\"a\"");
  EXPECT_EQ(Case::read(R"({"id": 7, "status": 500})")->id_json, "7");
}

}  // namespace
}  // namespace claviger::fault

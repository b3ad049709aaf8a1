/// Between dialects, both ways: golden files that a person can read, and properties that hold for
/// whatever is asked. Here because this is the lowest room that sees callers and providers.
///
/// CLAVIGER_UPDATE_GOLDEN=1 writes the golden files anew; look at the difference before it is
/// committed.

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include "api/dialect.h"
#include "exchange/json_writer.h"
#include "exchange/sse.h"
#include "provider/adapter.h"

namespace claviger::relay {
namespace {

using exchange::DialectId;

const std::filesystem::path kFolder = CLAVIGER_RELAY_TESTDATA;

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

/// `seen` is what stands in the golden file, or is written there.
void expect_golden(const std::filesystem::path& path, const std::string& seen) {
  if (std::getenv("CLAVIGER_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(path) << seen << '\n';
    return;
  }
  EXPECT_EQ(seen + "\n", read_file(path)) << path;
}

std::string padded(std::string text) {
  text.reserve(text.size() + 64);
  return text;
}

const provider::Profile& profile_of(DialectId dialect) {
  const auto profiles = provider::Profiles::embedded();
  if (dialect == DialectId::gemini) return *profiles->find("google");
  return *profiles->find(dialect == DialectId::openai ? "openrouter" : "anthropic");
}

exchange::Request request_of(DialectId caller, const std::string& body) {
  auto request = api::dialect_for(caller)->read(exchange::Operation::chat, body);
  EXPECT_TRUE(request) << request.error().message << body;
  return request ? *request : exchange::Request{};
}

std::string translated(DialectId caller, DialectId provider, const std::string& body) {
  const std::string kept = padded(body);
  const exchange::Request request = request_of(caller, kept);
  const auto conversation = api::dialect_for(caller)->translation()->read_conversation(request);
  if (!conversation) {
    ADD_FAILURE() << conversation.error().message;
    return {};
  }
  std::string out;
  const auto written = provider::adapter_for(provider)->translation()->write_conversation(
      profile_of(provider), *conversation, request.delivery,
      {.model = "model-x", .output_tokens_max = 4000, .price_cap = {}}, out);
  EXPECT_TRUE(written) << written.error().why;
  return out;
}

exchange::Bill bill() {
  exchange::Usage usage;
  usage.input_tokens = 7;
  usage.cached_input_tokens = 3;
  usage.output_tokens = 5;
  return {.usage = usage, .cost = NanoUsd(42)};
}

std::string answer(DialectId provider, DialectId caller, const std::string& body) {
  const auto read = provider::adapter_for(provider)->translation()->read_whole(body);
  if (!read) {
    ADD_FAILURE() << "no answer: " << body;
    return {};
  }
  return api::dialect_for(caller)->translation()->answer_body(*read, bill());
}

/// Passes what a reader says to a writer, as the relay does.
class Through final : public exchange::EventSink {
 public:
  explicit Through(exchange::EventWriter& writer) : writer_(writer) {}
  void on(const exchange::Event& event) override {
    if (!std::holds_alternative<exchange::event::End>(event)) writer_.on(event);
  }

 private:
  exchange::EventWriter& writer_;
};

std::string stream(DialectId provider, DialectId caller, std::string_view events) {
  const auto reader = provider::adapter_for(provider)->translation()->event_reader();
  exchange::Request request;
  request.wants_usage_event = true;
  const auto writer = api::dialect_for(caller)->translation()->event_writer(request);
  Through through(*writer);
  std::string joined;
  for (;;) {
    std::size_t searched = 0;
    const std::size_t length = exchange::event_length(events, searched);
    if (length == 0) break;
    const std::string_view event = events.substr(0, length);
    reader->read(exchange::event_type(event), exchange::event_data(event, joined), through);
    events.remove_prefix(length);
  }
  writer->finish(bill());
  EXPECT_EQ(writer->problem(), "");
  return writer->out();
}

struct Pair {
  const char* name;
  DialectId caller;
  DialectId provider;
};
constexpr Pair kPairs[] = {
    {"openai_at_anthropic", DialectId::openai, DialectId::anthropic},
    {"anthropic_at_openai", DialectId::anthropic, DialectId::openai},
    {"responses_at_openai", DialectId::openai_responses, DialectId::openai},
    {"responses_at_anthropic", DialectId::openai_responses, DialectId::anthropic},
    {"responses_at_gemini", DialectId::openai_responses, DialectId::gemini},
};

class Golden : public ::testing::TestWithParam<Pair> {};

TEST_P(Golden, ARequestIsSaidInTheProvidersDialect) {
  const auto folder = kFolder / GetParam().name;
  expect_golden(folder / "request.expected.json", translated(GetParam().caller, GetParam().provider,
                                                             read_file(folder / "request.json")));
}

TEST_P(Golden, AnAnswerComesBackInTheCallersDialect) {
  const auto folder = kFolder / GetParam().name;
  expect_golden(folder / "answer.expected.json",
                answer(GetParam().provider, GetParam().caller, read_file(folder / "answer.json")));
}

TEST_P(Golden, AStreamComesBackInTheCallersDialect) {
  const auto folder = kFolder / GetParam().name;
  expect_golden(folder / "stream.expected.txt",
                stream(GetParam().provider, GetParam().caller, read_file(folder / "stream.txt")));
}

INSTANTIATE_TEST_SUITE_P(Pairs, Golden, ::testing::ValuesIn(kPairs),
                         [](const auto& info) { return std::string(info.param.name); });

/// Random requests of what both dialects can express. Every text in them is a marker, so that
/// what gets lost is seen.
class RandomRequest {
 public:
  explicit RandomRequest(std::uint64_t seed) : random_(seed) {}

  std::string openai() {
    std::string messages;
    if (chance()) add(messages, R"({"role":"system","content":")" + marker() + R"("})");
    const int turns = 1 + static_cast<int>(random_() % 4);
    for (int turn = 0; turn < turns; ++turn) exchange_of_turns(messages);
    add(messages, user());
    std::string body = R"({"model":"a/b","max_tokens":4000,"messages":[)" + messages + "]";
    body += R"(,"tools":[{"type":"function","function":{"name":")" + marker() +
            R"(","description":")" + marker() + R"(","parameters":{"type":"object","x":")" +
            marker() + R"(","n":1.50}}}])";
    constexpr std::string_view choices[] = {R"("auto")", R"("none")", R"("required")"};
    if (chance()) body.append(R"(,"tool_choice":)").append(choices[random_() % 3]);
    if (chance()) body += R"(,"temperature":0.70)";
    if (chance()) body += R"(,"top_p":0.50)";
    if (chance()) body += R"(,"stop":[")" + marker() + R"(",")" + marker() + R"("])";
    if (chance()) body += R"(,"user":")" + marker() + R"(")";
    if (chance()) body += R"(,"parallel_tool_calls":false)";
    if (chance()) {
      body +=
          R"(,"response_format":{"type":"json_schema","json_schema":{"name":"answer","schema":{"title":")" +
          marker() + R"("},"strict":true}})";
    }
    return body + "}";
  }
  const std::vector<std::string>& markers() const { return markers_; }

 private:
  bool chance() { return random_() % 2 == 0; }
  std::string marker() {
    markers_.push_back("mark" + std::to_string(markers_.size()) + "x" +
                       std::to_string(random_() % 1000));
    return markers_.back();
  }
  static void add(std::string& list, const std::string& item) {
    if (!list.empty()) list += ',';
    list += item;
  }
  std::string user() {
    if (chance()) return R"({"role":"user","content":")" + marker() + R"( \" \u00e9 \n"})";
    return R"({"role":"user","content":[{"type":"text","text":")" + marker() +
           R"("},{"type":"image_url","image_url":{"url":"data:image/png;base64,)" + marker() +
           R"("}},{"type":"image_url","image_url":{"url":"https://h/)" + marker() + R"("}}]})";
  }
  void exchange_of_turns(std::string& messages) {
    add(messages, user());
    if (chance()) {
      add(messages, R"({"role":"assistant","content":")" + marker() + R"("})");
      return;
    }
    const std::string first = marker();
    const std::string second = marker();
    add(messages, R"({"role":"assistant","content":null,"tool_calls":[{"id":")" + first +
                      R"(","type":"function","function":{"name":")" + marker() +
                      R"(","arguments":"{\"a\": 1.0, \"b\":\")" + marker() + R"(\"}"}},{"id":")" +
                      second +
                      R"(","type":"function","function":{"name":"g","arguments":"{}"}}]})");
    add(messages,
        R"({"role":"tool","tool_call_id":")" + first + R"(","content":")" + marker() + R"("})");
    add(messages,
        R"({"role":"tool","tool_call_id":")" + second + R"(","content":")" + marker() + R"("})");
  }

  std::mt19937_64 random_;
  std::vector<std::string> markers_;
};

TEST(Translation, ThereAndBackLosesNothingThatBothCanExpress) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomRequest random(seed);
    const std::string asked = random.openai();
    const std::string there = translated(DialectId::openai, DialectId::anthropic, asked);
    const std::string back = translated(DialectId::anthropic, DialectId::openai, there);
    for (const std::string& marker : random.markers()) {
      ASSERT_NE(there.find(marker), std::string::npos) << marker << " in " << there;
      ASSERT_NE(back.find(marker), std::string::npos) << marker << " in " << back;
    }
    ASSERT_EQ(translated(DialectId::openai, DialectId::anthropic, back), there) << asked;
  }
}

TEST(Translation, AStreamSaysWhatTheWholeAnswerSays) {
  for (const Pair& pair : kPairs) {
    const std::string whole = read_file(kFolder / pair.name / "answer.json");
    const auto read = provider::adapter_for(pair.provider)->translation()->read_whole(whole);
    ASSERT_TRUE(read);
    exchange::Request request;
    const auto writer = api::dialect_for(pair.provider)->translation()->event_writer(request);
    Through through(*writer);
    exchange::replay(*read, through);
    writer->finish(bill());
    const std::string streamed = stream(pair.provider, pair.caller, writer->out());
    for (const exchange::Part& part : read->choices.front().content) {
      if (const auto* const text = std::get_if<exchange::Text>(&part.what)) {
        const std::string written = exchange::json_string(text->text);
        const std::string inside = written.substr(1, written.size() - 2);
        EXPECT_NE(streamed.find(inside), std::string::npos) << inside;
      }
      if (const auto* const call = std::get_if<exchange::ToolCall>(&part.what)) {
        EXPECT_NE(streamed.find(call->name), std::string::npos) << call->name;
      }
    }
  }
}

TEST(Translation, SignaturesComeBackUnchangedThroughACallerOfAnotherDialect) {
  const std::string said = answer(
      DialectId::anthropic, DialectId::openai,
      R"({"id":"m","model":"c","content":[{"type":"thinking","thinking":"t\n1","signature":"S+/="},{"type":"redacted_thinking","data":"RRR"},{"type":"text","text":"x"}],"stop_reason":"end_turn"})");
  const std::size_t from = said.find(R"("message":)") + 10;
  const std::string message = said.substr(from, said.find(R"(,"logprobs")") - from);
  const std::string there =
      translated(DialectId::openai, DialectId::anthropic,
                 R"({"model":"a/b","max_tokens":9,"messages":[{"role":"user","content":"q"},)" +
                     message + R"(,{"role":"user","content":"r"}]})");
  EXPECT_NE(there.find(R"({"type":"thinking","thinking":"t\n1","signature":"S+/="})"),
            std::string::npos)
      << there;
  EXPECT_NE(there.find(R"({"type":"redacted_thinking","data":"RRR"})"), std::string::npos);
}

}  // namespace
}  // namespace claviger::relay

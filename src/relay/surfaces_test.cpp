/// Every route by which money can be spent, from the table that serve() itself uses: for each, no
/// byte reaches a provider before a hold is granted, a refusal sends nothing, and every way out
/// settles every hold exactly once.

#include "relay/surfaces.h"

#include <map>

#include "relay/spy_bed_test.h"

namespace claviger::relay {
namespace {

/// What is asked on a surface, and what a provider answers to it.
struct Conversation {
  std::string ask;
  std::string ask_streamed;  ///< Empty: it has no streams.
  std::string answer;
  std::vector<std::string> events;
};

const std::string kChatAnswer =
    R"({"id":"x","choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}})";
const std::vector<std::string> kChatEvents = {
    R"({"id":"x","choices":[{"index":0,"delta":{"role":"assistant","content":"hello"}}]})",
    R"({"id":"x","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})",
    R"({"id":"x","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5}})", "[DONE]"};

/// One for each row of the table. MODEL is replaced.
const std::map<std::string, Conversation, std::less<>> kConversations = {
    {"/v1/chat/completions",
     {.ask = R"({"model":"MODEL","messages":[{"role":"user","content":"hi"}],"max_tokens":50})",
      .ask_streamed =
          R"({"model":"MODEL","messages":[{"role":"user","content":"hi"}],"max_tokens":50,"stream":true})",
      .answer = kChatAnswer,
      .events = kChatEvents}},
    {"/v1/embeddings",
     {.ask = R"({"model":"MODEL","input":"hi"})",
      .ask_streamed = "",
      .answer =
          R"({"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5]}],"usage":{"prompt_tokens":2,"total_tokens":2}})",
      .events = {}}},
    {"/v1/messages",
     {.ask = R"({"model":"MODEL","messages":[{"role":"user","content":"hi"}],"max_tokens":50})",
      .ask_streamed =
          R"({"model":"MODEL","messages":[{"role":"user","content":"hi"}],"max_tokens":50,"stream":true})",
      .answer = kChatAnswer,
      .events = kChatEvents}},
    {"/v1/completions",
     {.ask = R"({"model":"MODEL","prompt":"hi","max_tokens":50})",
      .ask_streamed = R"({"model":"MODEL","prompt":"hi","max_tokens":50,"stream":true})",
      .answer = kChatAnswer,
      .events = kChatEvents}},
    {"/v1/responses",
     {.ask = R"({"model":"MODEL","input":"hi","max_output_tokens":50})",
      .ask_streamed = R"({"model":"MODEL","input":"hi","max_output_tokens":50,"stream":true})",
      .answer = kChatAnswer,
      .events = kChatEvents}},
};

/// Surfaces that spend nothing by themselves: what they ask a provider is free there.
const std::vector<std::string_view> kFree = {"/v1/messages/count_tokens"};

class SurfacesTest : public SpyBed, public ::testing::WithParamInterface<Surface> {
 protected:
  void SetUp() override {
    SpyBed::SetUp();
    limits_.retry_pause_max = 10ms;
    limits_.first_byte_time_max = 150ms;
    limits_.idle_time_max = 150ms;
    const auto found = kConversations.find(GetParam().path);
    if (found != kConversations.end()) conversation_ = found->second;
    is_free_ = std::ranges::find(kFree, GetParam().path) != kFree.end();
    if (!is_free_) {
      ASSERT_FALSE(conversation_.ask.empty())
          << GetParam().path << " is a new surface: say here what is asked on it";
    }
  }

  std::string about(std::string body, const std::string& model = "box/m") const {
    return body.replace(body.find("MODEL"), 5, model);
  }
  bool has_streams() const { return !conversation_.ask_streamed.empty(); }

  std::string send(const std::string& model = "box/m", const std::string& leaves_at = "") {
    return ask(std::string(GetParam().path), about(conversation_.ask, model), leaves_at);
  }
  std::string stream(const std::string& leaves_at = "") {
    return ask(std::string(GetParam().path), about(conversation_.ask_streamed), leaves_at);
  }
  std::vector<std::string> streamed_answer(std::size_t events) const {
    std::vector<std::string> pieces = {stream_head()};
    for (std::size_t i = 0; i < events; ++i) pieces.push_back(event(conversation_.events[i]));
    return pieces;
  }

  /// The promise itself, over what has happened.
  void expect_money_came_first(std::size_t attempts) {
    std::map<AttemptId, int> open;
    std::size_t held = 0;
    std::size_t requests = 0;
    for (const Happened& one : log_) {
      switch (one.what) {
        case What::held:
          EXPECT_EQ(open.count(one.attempt), 0u) << "held twice for one attempt";
          open[one.attempt] = 0;
          ++held;
          break;
        case What::settled:
          ASSERT_EQ(open.count(one.attempt), 1u) << "settled without a hold";
          EXPECT_EQ(++open[one.attempt], 1) << "settled twice";
          break;
        case What::provider_byte:
          ++requests;
          EXPECT_GE(held, requests) << "a byte reached the provider before a hold was granted";
          break;
        default:
          break;
      }
    }
    EXPECT_EQ(held, attempts);
    for (const auto& [attempt, settled] : open) {
      EXPECT_EQ(settled, 1) << "attempt " << attempt.number << " was not settled";
    }
    EXPECT_EQ(balance().held, NanoUsd(0));
  }

  Conversation conversation_;
  bool is_free_ = false;
};

TEST_P(SurfacesTest, SuccessIsHeldForAndSettledOnce) {
  if (is_free_) GTEST_SKIP() << "spends nothing";
  scripts_ = {{.pieces = {whole(conversation_.answer)}}};
  EXPECT_THAT(send(), ::testing::HasSubstr("HTTP/1.1 200"));
  EXPECT_EQ(times(What::provider_byte), 1u);
  expect_money_came_first(1);
  if (!has_streams()) return;

  auto pieces = streamed_answer(conversation_.events.size());
  pieces.push_back(last_chunk());
  scripts_ = {{.pieces = pieces}};
  EXPECT_THAT(stream(), ::testing::HasSubstr("HTTP/1.1 200"));
  EXPECT_EQ(times(What::provider_byte), 1u);
  expect_money_came_first(1);
}

TEST_P(SurfacesTest, ARefusedHoldSendsNothing) {
  if (is_free_) GTEST_SKIP() << "spends nothing";
  limit(NanoUsd(1));
  publish();
  EXPECT_THAT(send(), ::testing::HasSubstr("HTTP/1.1 402"));
  // Where the exact count is tried once more, the ledger is asked once more.
  EXPECT_GE(times(What::refused), 1u);
  EXPECT_EQ(times(What::provider_byte), 0u);
  expect_money_came_first(0);
  if (!has_streams()) return;

  EXPECT_THAT(stream(), ::testing::HasSubstr("HTTP/1.1 402"));
  EXPECT_EQ(times(What::provider_byte), 0u);
  expect_money_came_first(0);
}

TEST_P(SurfacesTest, AProvidersErrorIsSettledOnceForEachAttempt) {
  if (is_free_) GTEST_SKIP() << "spends nothing";
  scripts_ = {{.pieces = {whole(R"({"error":{"message":"no","type":"invalid_request_error"}})",
                                "400 Bad Request")}}};
  EXPECT_THAT(send(), ::testing::HasSubstr("HTTP/1.1 400"));
  expect_money_came_first(1);
  EXPECT_EQ(balance().spent, NanoUsd(0));

  scripts_ = {
      {.pieces = {whole(R"({"error":{"message":"overloaded"}})", "503 Service Unavailable")}}};
  send();
  expect_money_came_first(times(What::held));
  EXPECT_EQ(times(What::provider_byte), times(What::held));
}

TEST_P(SurfacesTest, ABrokenAnswerIsSettledOnce) {
  if (is_free_) GTEST_SKIP() << "spends nothing";
  scripts_ = {{.pieces = {"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
                          "content-length: 999\r\n\r\n{"},
               .closes = true}};
  EXPECT_THAT(send(), ::testing::HasSubstr("HTTP/1.1 502"));
  expect_money_came_first(1);
  if (!has_streams()) return;

  scripts_ = {{.pieces = streamed_answer(1), .closes = true}};
  stream();
  expect_money_came_first(1);
  EXPECT_EQ(record().cost, record().held);
}

TEST_P(SurfacesTest, ACallerWhoLeavesIsSettledOnce) {
  if (is_free_) GTEST_SKIP() << "spends nothing";
  scripts_ = {{.pieces = {"WAIT"}}};
  send("box/m", "AT ONCE");
  EXPECT_EQ(times(What::provider_left), 1u);
  expect_money_came_first(1);
  if (!has_streams()) return;

  auto pieces = streamed_answer(1);
  pieces.emplace_back("WAIT");
  scripts_ = {{.pieces = pieces}};
  stream("hello");
  EXPECT_EQ(times(What::provider_left), 1u);
  expect_money_came_first(1);
}

TEST_P(SurfacesTest, ASilentProviderIsSettledOnce) {
  if (is_free_) GTEST_SKIP() << "spends nothing";
  scripts_ = {{.pieces = {"WAIT"}}};
  EXPECT_THAT(send(), ::testing::HasSubstr("HTTP/1.1 504"));
  expect_money_came_first(1);
  if (!has_streams()) return;

  auto pieces = streamed_answer(1);
  pieces.emplace_back("WAIT");
  scripts_ = {{.pieces = pieces}};
  EXPECT_THAT(stream(), ::testing::HasSubstr("host_timeout"));
  expect_money_came_first(1);
}

TEST_P(SurfacesTest, AnExceptionIsSettledOnce) {
  if (is_free_) GTEST_SKIP() << "spends nothing";
  runner_.throws = true;
  send("local/m");
  EXPECT_TRUE(has_thrown_);
  EXPECT_EQ(times(What::provider_byte), 0u);
  expect_money_came_first(1);
}

TEST_P(SurfacesTest, ACredentialThatIsGoneIsSettledOnce) {
  if (is_free_) GTEST_SKIP() << "spends nothing";
  is_credential_disabled_ = true;
  publish();
  send();
  EXPECT_EQ(times(What::provider_byte), 0u);
  expect_money_came_first(times(What::held));
  EXPECT_EQ(balance().spent, NanoUsd(0));
}

INSTANTIATE_TEST_SUITE_P(Every, SurfacesTest, ::testing::ValuesIn(kSurfaces),
                         [](const ::testing::TestParamInfo<Surface>& tested) {
                           std::string name(tested.param.path.substr(4));
                           std::ranges::replace_if(
                               name, [](char c) { return c == '/' || c == '_'; }, 'X');
                           return name;
                         });

}  // namespace
}  // namespace claviger::relay

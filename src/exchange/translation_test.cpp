/// The neutral form by itself: trees that keep their bytes, and what may be left out.

#include <gtest/gtest.h>

#include "exchange/answer.h"
#include "exchange/conversation.h"
#include "exchange/json_tree.h"

namespace claviger::exchange {
namespace {

TEST(JsonTree, KeepsEveryByteOfAValue) {
  const std::string json =
      R"( {"a": 1.0 , "o":{ "x" : [1e2,"\u00e9" ] } ,"s":"a\nb","t":true,"n":null,"e":{} } )";
  JsonTree tree;
  ASSERT_TRUE(tree.read(json));
  const JsonNode root = tree.root();
  EXPECT_EQ(root["a"].raw(), "1.0");
  EXPECT_EQ(root["o"].raw(), R"({ "x" : [1e2,"\u00e9" ] })");
  EXPECT_EQ(root["s"].raw(), R"("a\nb")");
  EXPECT_EQ(root["s"].text(), "a\nb");
  EXPECT_TRUE(root["t"].is_true());
  EXPECT_EQ(root["n"].kind(), JsonNode::Kind::null);
  EXPECT_EQ(root["e"].raw(), "{}");
  EXPECT_EQ(root["o"]["x"].size(), 2u);
  EXPECT_FALSE(root["none"]["deeper"].exists());
  EXPECT_EQ(root["a"].integer(), std::nullopt);
}

TEST(JsonTree, SeesThroughEscapedKeysAndTakesTheLast) {
  JsonTree tree;
  const std::string json = R"({"usage":1,"\u0075sage":2,"":3})";
  ASSERT_TRUE(tree.read(json));
  EXPECT_EQ(tree.root()["usage"].integer(), 2);
  EXPECT_EQ(tree.root()[""].integer(), 3);
}

TEST(JsonTree, ViewsPointIntoTheTextThatWasRead) {
  const std::string json = R"({"image":"aGVsbG8="})";
  JsonTree tree;
  ASSERT_TRUE(tree.read(json));
  const std::string_view text = tree.root()["image"].text();
  EXPECT_GE(text.data(), json.data());
  EXPECT_LT(text.data(), json.data() + json.size());
}

TEST(JsonTree, RefusesWhatIsNoWholeDocument) {
  JsonTree tree;
  for (const char* json : {"", "{", R"({"a":1)", R"({"a":1}x)", "1", R"({"a":01})", "[1,]",
                           R"({"a":"\ud800"})", "{\"a\":\"\xFF\"}"}) {
    EXPECT_FALSE(tree.read(json)) << json;
    EXPECT_FALSE(tree.root().exists());
  }
  EXPECT_FALSE(tree.read(std::string(200, '[') + std::string(200, ']')));
}

TEST(Fit, NamesTheFieldThatATargetCannotExpress) {
  Conversation conversation;
  conversation.use(Feature::top_k, "top_k");
  const auto refused = fit(conversation, {}, "");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().field, "top_k");
  EXPECT_TRUE(fit(conversation, features({Feature::top_k}), "")->empty());
}

TEST(Fit, DropsAParameterOnlyWhereTheCallerNamesIt) {
  Conversation conversation;
  conversation.use(Feature::top_k, "top_k");
  conversation.use(Feature::seed, "seed");
  EXPECT_FALSE(fit(conversation, {}, "seed"));
  const auto both = fit(conversation, {}, "seed , top_k");
  ASSERT_TRUE(both);
  ASSERT_EQ(both->size(), 2u);
  EXPECT_EQ(both->front().field, "top_k");
  EXPECT_TRUE(fit(conversation, {}, "*"));
}

TEST(Fit, NeverDropsContentAndAlwaysTellsOfAHint) {
  Conversation conversation;
  conversation.use(Feature::cache_marks, "system.0.cache_control");
  const auto hinted = fit(conversation, {}, "");
  ASSERT_TRUE(hinted);
  EXPECT_EQ(hinted->front().field, "system.0.cache_control");
  conversation.use(Feature::audio, "messages.0.content.1");
  EXPECT_FALSE(fit(conversation, {}, "*"));
}

TEST(Conversation, KeptTextsSurviveAMove) {
  Conversation first;
  const std::string_view kept = first.keep("short");
  const Conversation second = std::move(first);
  EXPECT_EQ(kept, "short");
}

class Told final : public EventSink {
 public:
  void on(const Event& event) override { kinds.push_back(event.index()); }
  std::vector<std::size_t> kinds;
};

TEST(Replay, TellsAWholeAnswerAsItsStreamWouldHave) {
  Answer answer;
  Choice choice;
  choice.content.push_back({.what = Thinking{.text = "hm", .signature = "s", .redacted = {}}});
  choice.content.push_back({.what = Text{.text = "yes", .citations = {}}});
  choice.content.push_back({.what = ToolCall{.id = "1", .name = "f", .arguments = "{}"}});
  answer.choices.push_back(std::move(choice));
  Told told;
  replay(answer, told);
  const std::vector<std::size_t> expected = {Event(event::Start{}).index(),
                                             Event(event::ThinkingPiece{}).index(),
                                             Event(event::ThinkingSigned{}).index(),
                                             Event(event::PartEnd{}).index(),
                                             Event(event::TextPiece{}).index(),
                                             Event(event::PartEnd{}).index(),
                                             Event(event::CallStart{}).index(),
                                             Event(event::CallPiece{}).index(),
                                             Event(event::PartEnd{}).index(),
                                             Event(event::Stop{}).index(),
                                             Event(event::End{}).index()};
  EXPECT_EQ(told.kinds, expected);
}

}  // namespace
}  // namespace claviger::exchange

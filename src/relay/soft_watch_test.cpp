#include "relay/soft_watch.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "exchange/json_edit.h"
#include "provider/openai_answer.h"

namespace claviger::relay {
namespace {

/// As the reader of OpenAI's requests leaves it.
exchange::Request asking(std::string_view body) {
  exchange::Request request;
  request.body = body;
  request.places.tools_value = exchange::find_value(body, "tools");
  request.places.answer_form_value = exchange::find_value(body, "response_format");
  return request;
}

void answer(SoftWatch& watch, std::string_view body) {
  const auto reading = provider::openai::read_answer(exchange::Operation::chat, body);
  watch.answer(body, reading.facts.said);
}

constexpr std::string_view kWithTools =
    R"({"messages":[{"role":"user","content":"weather?"}],"tools":[{"type":"function",)"
    R"("function":{"name":"weather","parameters":{}}}]})";

std::string found_in_stream(std::string_view request,
                            std::initializer_list<std::string_view> events,
                            std::string_view finish = "stop") {
  const auto watch = SoftWatch::of(asking(request), {});
  for (const std::string_view event : events) watch->event(event);
  return watch->found(finish, 0);
}

TEST(SoftWatch, AGoodStreamHasNothing) {
  EXPECT_EQ(found_in_stream(R"({"messages":[]})",
                            {R"({"choices":[{"index":0,"delta":{"role":"assistant"}}]})",
                             R"({"choices":[{"index":0,"delta":{"content":"He said: \"hi\""}}]})",
                             R"({"choices":[],"usage":{"prompt_tokens":1}})"}),
            "");
}

TEST(SoftWatch, AStreamOfThoughtsAloneIsEmpty) {
  EXPECT_EQ(found_in_stream(
                R"({"messages":[]})",
                {R"({"choices":[{"delta":{"reasoning_content":"Hm","content":null}}]})"}, "length"),
            "empty_output,cut_by_length");
}

TEST(SoftWatch, ToolCallsInPiecesAreReadAsOne) {
  EXPECT_EQ(
      found_in_stream(
          kWithTools,
          {R"({"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"name":"weather","arguments":""}}]}}]})",
           R"({"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"city\":"}}]}}]})",
           R"({"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"\"Paris\"}"}}]}}]})"},
          "tool_calls"),
      "");
  EXPECT_EQ(
      found_in_stream(
          kWithTools,
          {R"({"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"name":"wind","arguments":"{\"a"}}]}}]})"},
          "tool_calls"),
      "broken_tool_arguments,unknown_tool");
}

TEST(SoftWatch, AWholeAnswerThatBreaksItsSchema) {
  const auto request = asking(
      R"({"response_format":{"type":"json_schema","json_schema":{"schema":{"type":"object","required":["name","age"]}}}})");
  const auto watch = SoftWatch::of(request, {});
  answer(*watch, R"({"choices":[{"message":{"content":"{\"name\": \"x\"}"}}]})");
  EXPECT_EQ(watch->found("stop", 0), "missing_fields");
}

TEST(SoftWatch, AWholeAnswersToolCallsAndRefusalAreRead) {
  const auto request = asking(kWithTools);
  auto watch = SoftWatch::of(request, {});
  answer(*watch, R"({"choices":[{"index":0,"message":{"role":"assistant","content":null,)"
                 R"("tool_calls":[{"id":"1","function":{"name":"weather","arguments":"{}"}},)"
                 R"({"id":"2","function":{"name":"wind","arguments":"{"}}]},)"
                 R"("finish_reason":"tool_calls"}],"usage":{"prompt_tokens":1}})");
  EXPECT_EQ(watch->found("tool_calls", 0), "broken_tool_arguments,unknown_tool");
  watch = SoftWatch::of(request, {});
  answer(*watch, R"({"choices":[{"message":{"content":null,"refusal":"No."}}]})");
  EXPECT_EQ(watch->found("stop", 0), "refusal");
  watch = SoftWatch::of(request, {});
  answer(*watch, R"({"choices":[{"message":{"content":"  "}}]})");
  EXPECT_EQ(watch->found("stop", 0), "empty_output");
}

TEST(SoftWatch, AnOwnServerThatTookInTooLittle) {
  const std::string body = R"({"messages":[{"content":")" + std::string(80'000, 'x') + R"("}]})";
  const auto watch = SoftWatch::of(asking(body), {.is_own_endpoint = true});
  answer(*watch, R"({"choices":[{"message":{"content":"What text?"}}]})");
  EXPECT_EQ(watch->found("stop", 4096), "context_cut");
}

TEST(SoftWatch, SoundPicturesAndCallsAsTheyOnceWereAreNotEmpty) {
  for (const std::string_view message :
       {R"({"content":null,"audio":{"id":"a","data":"UklGRg=="}})",
        R"({"content":"","images":[{"image_url":{"url":"data:image/png;base64,iVBO"}}]})",
        R"({"content":null,"function_call":{"name":"f","arguments":"{}"}})"}) {
    const auto watch = SoftWatch::of(asking("{}"), {});
    answer(*watch, R"({"choices":[{"message":)" + std::string(message) + "}]}");
    EXPECT_EQ(watch->found("stop", 0), "") << message;
  }
  // Servers that name everything that they could have said, and say nothing.
  const auto watch = SoftWatch::of(asking("{}"), {});
  answer(*watch, R"({"choices":[{"message":{"content":null,"audio":null,"function_call":null}}]})");
  EXPECT_EQ(watch->found("stop", 0), "empty_output");
}

using exchange::DialectId;
constexpr DialectId kDialects[] = {DialectId::openai, DialectId::anthropic, DialectId::gemini};

/// What a caller of each dialect writes who offers the tool "weather", and who wants JSON with the
/// fields "name" and "age".
struct Caller {
  DialectId dialect;
  std::string_view offers_tool;
  std::string_view wants_json;
};
constexpr Caller kCallers[] = {
    {DialectId::openai, kWithTools,
     R"({"response_format":{"type":"json_schema","json_schema":{"schema":{"type":"object","required":["name","age"]}}}})"},
    {DialectId::anthropic,
     R"({"messages":[],"tools":[{"name":"weather","input_schema":{"type":"object"}}]})",
     R"({"output_config":{"format":{"type":"json_schema","schema":{"type":"object","required":["name","age"]}}}})"},
    {DialectId::gemini,
     R"({"contents":[],"tools":[{"functionDeclarations":[{"name":"weather"}]}]})",
     R"({"generationConfig":{"responseMimeType":"application/json","responseSchema":{"type":"OBJECT","required":["name","age"]}}})"},
};

/// What a provider of each dialect answers, whole and event by event. In `says`, TEXT stands for
/// what is said, inside a JSON string.
struct Provider {
  DialectId dialect;
  std::string says;
  std::vector<std::string> streams;
  std::string calls;  ///< The tool "wind".
  std::vector<std::string> streams_call;
  std::string_view ends, ends_cut, ends_filtered;
};

const std::vector<Provider>& providers() {
  static const std::vector<Provider> all = {
      {.dialect = DialectId::openai,
       .says = R"({"choices":[{"message":{"content":"TEXT"}}]})",
       .streams = {R"({"choices":[{"delta":{"role":"assistant","content":""}}]})",
                   R"({"choices":[{"delta":{"content":"TEXT"}}]})"},
       .calls =
           R"({"choices":[{"message":{"tool_calls":[{"function":{"name":"wind","arguments":"{\"a\":1}"}}]}}]})",
       .streams_call =
           {R"({"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"name":"wind","arguments":""}}]}}]})",
            R"({"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\":1}"}}]}}]})"},
       .ends = "stop",
       .ends_cut = "length",
       .ends_filtered = "content_filter"},
      {.dialect = DialectId::anthropic,
       .says =
           R"({"content":[{"type":"thinking","thinking":"I cannot"},{"type":"text","text":"TEXT"}]})",
       .streams =
           {R"({"type":"message_start","message":{"id":"m","content":[]}})",
            R"({"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}})",
            R"({"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"I cannot"}})",
            R"({"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}})",
            R"({"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"TEXT"}})"},
       .calls =
           R"({"content":[{"type":"server_tool_use","name":"web_search","input":{}},{"type":"tool_use","name":"wind","input":{"a":1}}]})",
       .streams_call =
           {R"({"type":"content_block_start","index":0,"content_block":{"type":"server_tool_use","name":"web_search","input":{}}})",
            R"({"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"q"}})",
            R"({"type":"content_block_start","index":4,"content_block":{"type":"tool_use","name":"wind","input":{}}})",
            R"({"type":"content_block_delta","index":4,"delta":{"type":"input_json_delta","partial_json":"{\"a\""}})",
            R"({"type":"content_block_delta","index":4,"delta":{"type":"input_json_delta","partial_json":":1}"}})"},
       .ends = "end_turn",
       .ends_cut = "max_tokens",
       .ends_filtered = "content_filtered"},
      {.dialect = DialectId::gemini,
       .says =
           R"({"candidates":[{"content":{"parts":[{"text":"I cannot","thought":true},{"text":"TEXT"}]}}]})",
       .streams = {R"({"candidates":[{"content":{"parts":[{"text":"I cannot","thought":true}]}}]})",
                   R"({"candidates":[{"content":{"parts":[{"text":"TEXT"}]}}]})"},
       .calls =
           R"({"candidates":[{"content":{"parts":[{"functionCall":{"name":"wind","args":{"a":1}}}]}}]})",
       .streams_call =
           {R"({"candidates":[{"content":{"parts":[{"functionCall":{"name":"wind","args":{"a":1}}}]}}]})"},
       .ends = "STOP",
       .ends_cut = "MAX_TOKENS",
       .ends_filtered = "SAFETY"},
  };
  return all;
}

enum class Way : std::uint8_t { whole, streamed };

std::string with_text(std::string says, std::string_view text) {
  const std::size_t at = says.find("TEXT");
  return at == std::string::npos ? says : says.replace(at, 4, text);
}

/// What is found where `caller` wrote `asked`, and `provider` says `text` and ends with `ending`.
std::string found_between(const Caller& caller, std::string_view asked, const Provider& provider,
                          Way way, std::string_view text, std::string_view ending) {
  exchange::Request request = asking(asked);
  request.dialect = caller.dialect;
  const auto watch = SoftWatch::of(request, {.dialect = provider.dialect});
  if (way == Way::streamed) {
    for (const std::string& event : provider.streams) watch->event(with_text(event, text));
  } else {
    const std::string body = with_text(provider.says, text);
    if (provider.dialect == DialectId::openai) {
      answer(*watch, body);
    } else {
      watch->answer(body, {});
    }
  }
  return watch->found(ending, 0);
}

std::string found_in_call(const Caller& caller, const Provider& provider, Way way) {
  exchange::Request request = asking(caller.offers_tool);
  request.dialect = caller.dialect;
  const auto watch = SoftWatch::of(request, {.dialect = provider.dialect});
  if (way == Way::streamed) {
    for (const std::string& event : provider.streams_call) watch->event(event);
  } else if (provider.dialect == DialectId::openai) {
    answer(*watch, provider.calls);
  } else {
    watch->answer(provider.calls, {});
  }
  return watch->found("", 0);
}

TEST(SoftWatch, EveryPairOfDialectsIsWatchedAlikeWholeAndStreamed) {
  std::string loop;
  for (int i = 0; i < 60; ++i) loop += "again and again we say ";
  std::string chinese;
  for (int i = 0; i < 240; ++i) {  // U+4E00 and on: no two words alike.
    chinese += {'\xE4', static_cast<char>(0xB8 + i / 64), static_cast<char>(0x80 + i % 64)};
  }
  for (const Caller& caller : kCallers) {
    for (const Provider& provider : providers()) {
      for (const Way way : {Way::whole, Way::streamed}) {
        const auto found = [&](std::string_view text, std::string_view ending) {
          return found_between(caller, "{}", provider, way, text, ending);
        };
        const auto found_as_json = [&](std::string_view text) {
          return found_between(caller, caller.wants_json, provider, way, text, provider.ends);
        };
        SCOPED_TRACE(testing::Message()
                     << "caller " << static_cast<int>(caller.dialect) << " provider "
                     << static_cast<int>(provider.dialect) << " way " << static_cast<int>(way));
        EXPECT_EQ(found("He said: \\\"hi\\\"", provider.ends), "");
        EXPECT_EQ(found("", provider.ends), "empty_output");
        EXPECT_EQ(found("Once", provider.ends_cut), "cut_by_length");
        EXPECT_EQ(found("Once", provider.ends_filtered), "content_filter");
        EXPECT_EQ(found("I can't help with that.", provider.ends), "refusal");
        EXPECT_EQ(found(loop, provider.ends), "loop");
        EXPECT_EQ(found(chinese, provider.ends), "wrong_language");
        EXPECT_EQ(found_as_json(R"({\"name\":\"x\",\"age\":3})"), "");
        EXPECT_EQ(found_as_json(R"({\"name\":\"x\"})"), "missing_fields");
        EXPECT_EQ(found_as_json("Here it is: {}"), "broken_json");
        EXPECT_EQ(found_in_call(caller, provider, way), "unknown_tool");
      }
    }
  }
}

TEST(SoftWatch, AnthropicsToolArgumentsThatBreakOffAreSeen) {
  exchange::Request request = asking(kCallers[1].offers_tool);
  request.dialect = DialectId::anthropic;
  const auto watch = SoftWatch::of(request, {.dialect = DialectId::anthropic});
  watch->event(
      R"({"type":"content_block_start","index":0,"content_block":{"type":"tool_use","name":"weather","input":{}}})");
  watch->event(
      R"({"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"city\": \"Par"}})");
  EXPECT_EQ(watch->found("tool_use", 0), "broken_tool_arguments");
}

TEST(SoftWatch, GeminisOwnWordsForToolsCalledWronglyAndPromptsBlockedAreRead) {
  const auto found = [](std::string_view reason) {
    return SoftWatch::of(asking("{}"), {.dialect = DialectId::gemini})->found(reason, 0);
  };
  EXPECT_EQ(found("MALFORMED_FUNCTION_CALL"), "empty_output,broken_tool_arguments");
  EXPECT_EQ(found("UNEXPECTED_TOOL_CALL"), "empty_output,unknown_tool");
  EXPECT_EQ(found("PROHIBITED_CONTENT"), "empty_output,content_filter");
}

TEST(SoftWatch, WhatIsNoTextIsNoEmptyAnswer) {
  auto watch = SoftWatch::of(asking("{}"), {.dialect = DialectId::gemini});
  watch->event(R"({"candidates":[{"content":{"parts":[{"inlineData":{"data":"iVBO"}}]}}]})");
  EXPECT_EQ(watch->found("STOP", 0), "");
  watch = SoftWatch::of(asking("{}"), {.dialect = DialectId::anthropic});
  watch->answer(R"({"content":[{"type":"server_tool_use","name":"web_search","input":{}}]})", {});
  EXPECT_EQ(watch->found("pause_turn", 0), "");
}

TEST(SoftWatch, AToolThatMayHaveBeenOfferedIsNotUnknown) {
  // A provider's own tool brings names that nobody wrote down.
  exchange::Request request = asking(
      R"({"tools":[{"type":"mcp","server_label":"x"},{"type":"function","function":{"name":"weather"}}]})");
  const auto watch = SoftWatch::of(request, {});
  answer(*watch, providers()[0].calls);
  EXPECT_EQ(watch->found("tool_calls", 0), "");
}

TEST(SoftWatch, HostileAnswersAreReadWithinBounds) {
  std::string deep = R"({"content":)" + std::string(100'000, '[');
  std::string many = R"({"candidates":[{"content":{"parts":[)";
  for (int i = 0; i < 5'000; ++i) many += R"({"functionCall":{"name":"f","args":{"a":[1,2]}}},)";
  for (const DialectId dialect : kDialects) {
    for (const std::string& body : {deep, many, std::string("\xff\x00{", 3), std::string()}) {
      const auto watch = SoftWatch::of(asking("{}"), {.dialect = dialect});
      watch->answer(body, {});
      watch->event(body);
      (void)watch->found("", -1);
    }
  }
}

TEST(SoftWatch, SeveralChoicesAndEmbeddingsAreNotWatched) {
  exchange::Request several = asking("{}");
  several.choices = 2;
  EXPECT_EQ(SoftWatch::of(several, {}), nullptr);
  exchange::Request embeddings = asking("{}");
  embeddings.operation = exchange::Operation::embeddings;
  EXPECT_EQ(SoftWatch::of(embeddings, {}), nullptr);
}

}  // namespace
}  // namespace claviger::relay

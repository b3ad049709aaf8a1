#include "provider/openai_answer.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <random>

#include "exchange/json_edit.h"

namespace claviger::provider::openai {
namespace {

using exchange::Operation;
using exchange::Usage;

std::string testdata(const std::string& name) {
  std::ifstream file(std::string(CLAVIGER_PROVIDER_TESTDATA) + "/" + name);
  EXPECT_TRUE(file) << name;
  return {std::istreambuf_iterator<char>(file), {}};
}

AnswerReading answer(std::string_view body) {
  return read_answer(Operation::chat, body);
}

/// The usage of an answer whose usage object is `usage`.
AnswerReading with_usage(std::string_view usage) {
  return answer(R"({"choices":[{}],"usage":)" + std::string(usage) + "}");
}

TEST(Answer, OpenAiCountsCachedAndReasoningTokensInside) {
  const AnswerReading reading = answer(testdata("openai_chat.json"));
  EXPECT_EQ(reading.usage_state, UsageState::sound);
  EXPECT_EQ(reading.usage, (Usage{.input_tokens = 176,
                                  .cached_input_tokens = 1024,
                                  .output_tokens = 310,
                                  .reasoning_tokens = 192}));
  EXPECT_EQ(reading.facts.finish_reason, "stop");
  EXPECT_FALSE(reading.facts.is_error);
}

TEST(Answer, SaysWhereItsUsageStands) {
  for (const std::string& body :
       {testdata("openai_chat.json"), std::string(R"({"usage":{}})"),
        std::string("{\"usage\" : {\"a\":{}}\n ,\"choices\":[{\"usage\":{}}]} "),
        std::string(R"({"usage":{"a":1},"usage":{"prompt_tokens":2}})")}) {
    const exchange::Span place = answer(body).facts.usage;
    const exchange::Span found = exchange::find_value(body, "usage");
    EXPECT_EQ(exchange::at(body, place), exchange::at(body, found)) << body;
    EXPECT_FALSE(place.empty()) << body;
  }
  for (const std::string_view body :
       {R"({"usage":null})", R"({"usage":[{}]})", R"({"x_groq":{"usage":{}}})", R"({"usage":{})",
        R"({"usage":{}} {})", R"({"usage":{"a":1},"usage":3})", "[]", ""}) {
    EXPECT_TRUE(answer(body).facts.usage.empty()) << body;
  }
}

TEST(Answer, OpenAiCacheWritesAreACountOfTheirOwn) {
  const AnswerReading reading = read_event(testdata("openai_usage_event.json"));
  EXPECT_EQ(reading.usage, (Usage{.input_tokens = 500,
                                  .cached_input_tokens = 500,
                                  .cache_write_tokens = 1000,
                                  .output_tokens = 10}));
  EXPECT_TRUE(reading.facts.is_usage_only);
}

TEST(Answer, EmbeddingsHaveInputOnly) {
  const AnswerReading reading =
      read_answer(Operation::embeddings, testdata("openai_embeddings.json"));
  EXPECT_EQ(reading.usage_state, UsageState::sound);
  EXPECT_EQ(reading.usage, Usage{.input_tokens = 8});
  EXPECT_FALSE(reading.facts.is_usage_only);
  EXPECT_EQ(with_usage(R"({"total_tokens":7})").usage, Usage{.input_tokens = 7});
}

TEST(Answer, GroqEndsAStreamWithUsageOfItsOwn) {
  const AnswerReading reading = read_event(testdata("groq_end_event.json"));
  EXPECT_EQ(reading.usage, (Usage{.input_tokens = 18, .output_tokens = 439}));
  EXPECT_EQ(reading.facts.finish_reason, "tool_calls");
  EXPECT_FALSE(reading.facts.is_usage_only);
}

TEST(Answer, DeepSeekNamesCacheHits) {
  const AnswerReading reading = answer(testdata("deepseek_chat.json"));
  EXPECT_EQ(reading.usage, (Usage{.input_tokens = 104,
                                  .cached_input_tokens = 896,
                                  .output_tokens = 50,
                                  .reasoning_tokens = 30}));
  EXPECT_EQ(reading.facts.finish_reason, "length");
}

TEST(Answer, MistralEndsAStreamWithUsage) {
  const AnswerReading reading = read_event(testdata("mistral_end_event.json"));
  EXPECT_EQ(reading.usage, (Usage{.input_tokens = 16, .output_tokens = 34}));
  EXPECT_EQ(reading.facts.finish_reason, "model_length");
}

TEST(Answer, XaiCountsReasoningBesideTheCompletion) {
  const AnswerReading reading = answer(testdata("xai_chat.json"));
  EXPECT_EQ(reading.usage, (Usage{.input_tokens = 26,
                                  .cached_input_tokens = 6,
                                  .output_tokens = 103,
                                  .reasoning_tokens = 94,
                                  .stated_cost = NanoUsd(3'775'601)}));
}

TEST(Answer, AStatedCostOfNoTicksIsNoStatement) {
  const AnswerReading reading = answer(testdata("grok_elsewhere_chat.json"));
  EXPECT_EQ(reading.usage, (Usage{.input_tokens = 9,
                                  .cached_input_tokens = 654,
                                  .output_tokens = 174,
                                  .reasoning_tokens = 124}));
}

TEST(Answer, OpenRouterStatesItsCost) {
  const AnswerReading reading = read_event(testdata("openrouter_usage_event.json"));
  EXPECT_EQ(reading.usage,
            (Usage{.input_tokens = 194, .output_tokens = 2, .stated_cost = NanoUsd(12'345)}));
}

TEST(Answer, WithAnOwnKeyBehindOpenRouterBothPartsAreTheOwners) {
  const AnswerReading reading = answer(testdata("openrouter_own_key.json"));
  EXPECT_EQ(reading.usage.stated_cost, NanoUsd(19'950'000'000));
}

TEST(Answer, OpenRouterReportsAFailureInsideTheStream) {
  const AnswerReading reading = read_event(testdata("openrouter_error_event.json"));
  EXPECT_TRUE(reading.facts.is_error);
  EXPECT_EQ(reading.facts.error_message, "Provider disconnected unexpectedly");
  EXPECT_EQ(reading.facts.error_code, "server_error");
  EXPECT_EQ(reading.facts.finish_reason, "error");
}

TEST(Answer, OtherServersSayTheSameInTheirWays) {
  EXPECT_EQ(read_event(testdata("moonshot_end_event.json")).usage,
            (Usage{.input_tokens = 44, .cached_input_tokens = 256, .output_tokens = 13}));
  EXPECT_EQ(read_event(testdata("llamacpp_end_event.json")).usage,
            (Usage{.input_tokens = 1085, .output_tokens = 247}));
  EXPECT_EQ(answer(testdata("vllm_chat.json")).usage,
            (Usage{.input_tokens = 11, .output_tokens = 8}));
}

TEST(Answer, ErrorsInsideAnAnswerHaveManyShapes) {
  const auto error = [](std::string_view body) {
    const AnswerReading reading = answer(body);
    return reading.facts.is_error ? reading.facts.error_message + "|" + reading.facts.error_code
                                  : std::string("none");
  };
  EXPECT_EQ(error(testdata("vllm_error.json")), "The model `x` does not exist.|404");
  EXPECT_EQ(error(testdata("ollama_error.json")), "model \"x\" not found, try pulling it first|");
  EXPECT_EQ(error(R"({"error":{"message":"m","type":"t","code":null}})"), "m|t");
  EXPECT_EQ(error(R"({"error":{"message":"m","type":"t","code":429}})"), "m|429");
  EXPECT_EQ(error(R"({"detail":"Not Found"})"), "Not Found|");
  EXPECT_EQ(error(R"({"choices":[{"error":{"code":502,"message":"bad"}}]})"), "bad|502");
  EXPECT_EQ(error(R"({"error":{"message":")" + std::string(5000, 'x') + "\"}}").size(), 1024u + 1);
}

TEST(Answer, AnErrorThatIsNoneIsNone) {
  for (const std::string_view body :
       {R"({"choices":[],"error":null})", R"({"choices":[],"error":""})",
        R"({"choices":[],"error":false})", R"({"id":"x","detail":"fine"})", "{}", ""}) {
    EXPECT_FALSE(answer(body).facts.is_error) << body;
  }
}

TEST(Usage, NullAndAbsentAreAbsent) {
  for (const std::string_view usage : {"null", "{}", "[]", R"({"other":1})", R"("x")"}) {
    EXPECT_EQ(with_usage(usage).usage_state, UsageState::absent) << usage;
  }
  EXPECT_EQ(answer("no json at all").usage_state, UsageState::absent);
  EXPECT_EQ(answer(R"({"choices":[)").usage_state, UsageState::absent);
}

TEST(Usage, WhatCannotBeIsImpossible) {
  for (const std::string_view usage :
       {R"({"prompt_tokens":-1,"completion_tokens":1})", R"({"prompt_tokens":1.5})",
        R"({"prompt_tokens":"7"})", R"({"prompt_tokens":9007199254740993})",
        R"({"prompt_tokens":1e3})", R"({"prompt_tokens":99999999999999999999})",
        R"({"prompt_tokens":1,"prompt_tokens_details":{"cached_tokens":2}})",
        R"({"prompt_tokens":1,"completion_tokens":1,"cost":-0.1})",
        R"({"prompt_tokens":1,"completion_tokens":1,"cost":1e30})",
        R"({"prompt_tokens":1,"cost_in_usd_ticks":-5})",
        R"({"prompt_tokens":1,"completion_tokens":[1]})"}) {
    EXPECT_EQ(with_usage(usage).usage_state, UsageState::impossible) << usage;
  }
}

TEST(Usage, AudioIsAPartOfTheInput) {
  const Usage usage =
      with_usage(R"({"prompt_tokens":90,"completion_tokens":1,)"
                 R"("prompt_tokens_details":{"audio_tokens":60,"cached_tokens":40}})")
          .usage;
  EXPECT_EQ(usage.input_tokens, 50);
  EXPECT_EQ(usage.audio_input_tokens, 50);
}

TEST(Usage, CacheWritesNeverCountTwice) {
  const Usage usage =
      with_usage(R"({"prompt_tokens":100,"completion_tokens":1,)"
                 R"("prompt_tokens_details":{"cache_write_tokens":100,"cached_tokens":40}})")
          .usage;
  EXPECT_EQ(usage.total_input_tokens(), 100);
  EXPECT_EQ(usage.cache_write_tokens, 60);
}

TEST(Usage, WhatIsInTheTotalAndNotInThePromptWasGenerated) {
  // Reasoning beside the completion, and less of it: only the total shows it.
  const Usage usage = with_usage(R"({"prompt_tokens":37,"completion_tokens":530,)"
                                 R"("total_tokens":800,"completion_tokens_details":)"
                                 R"({"reasoning_tokens":233}})")
                          .usage;
  EXPECT_EQ(usage.output_tokens, 763);
  EXPECT_EQ(usage.total_tokens(), 800);
}

TEST(Usage, ReasoningThatCannotBeInsideIsBeside) {
  EXPECT_EQ(with_usage(R"({"prompt_tokens":1,"completion_tokens":5,)"
                       R"("completion_tokens_details":{"reasoning_tokens":7}})")
                .usage.output_tokens,
            12);
}

TEST(Event, ContentIsNotParsed) {
  EXPECT_FALSE(may_matter(testdata("openai_content_event.json")));
  EXPECT_FALSE(may_matter(R"({"choices":[{"delta":{"content":"x"},"finish_reason" : null}]})"));
  EXPECT_FALSE(may_matter(""));
}

TEST(Event, WhatMattersIsFoundWhereverItStands) {
  for (const std::string_view key : {"\"usage\":{}", "\"error\":{}", "\"finish_reason\":\"stop\"",
                                     "\"usage\" :\n{}", "\"object\":\"error\"", "\"detail\":1"}) {
    for (std::size_t before = 0; before < 40; ++before) {
      for (std::size_t behind = 0; behind < 20; ++behind) {
        const std::string data =
            std::string(before, ' ') + std::string(key) + std::string(behind, ' ');
        EXPECT_TRUE(may_matter(data)) << data;
      }
    }
  }
}

TEST(Event, TheLastUsageOfACumulativeStreamIsWhole) {
  EXPECT_EQ(read_event(R"({"choices":[{"delta":{"content":"a"}}],"usage":{"prompt_tokens":5,)"
                       R"("completion_tokens":3,"total_tokens":8}})")
                .usage,
            (Usage{.input_tokens = 5, .output_tokens = 3}));
}

TEST(Event, DoneIsTheEnd) {
  EXPECT_TRUE(read_event("[DONE]").facts.is_end);
  EXPECT_FALSE(read_event(R"({"choices":[{"delta":{"content":"[DONE]"}}]})").facts.is_end);
}

TEST(StatedCost, IsReadExactlyAndRoundedUp) {
  EXPECT_EQ(parse_stated_cost("0.95"), NanoUsd(950'000'000));
  EXPECT_EQ(parse_stated_cost("1.35e-05"), NanoUsd(13'500));
  EXPECT_EQ(parse_stated_cost("1E2"), dollars(100));
  EXPECT_EQ(parse_stated_cost("0.0000000001"), NanoUsd(1));
  EXPECT_EQ(parse_stated_cost("0.1000000001"), NanoUsd(100'000'001));
  EXPECT_EQ(parse_stated_cost("0.1000000000"), NanoUsd(100'000'000));
  EXPECT_EQ(parse_stated_cost("1e-400"), NanoUsd(1));
  EXPECT_EQ(parse_stated_cost("9223372036.854775807"), NanoUsd::max());
  EXPECT_EQ(parse_stated_cost("0"), NanoUsd(0));
  EXPECT_EQ(parse_stated_cost("-0.0e5"), NanoUsd(0));
  EXPECT_EQ(parse_stated_cost("0e999999999999"), NanoUsd(0));
}

TEST(StatedCost, WhatCannotBeIsRefused) {
  for (const std::string_view text : {"-1", "9223372036.854775808", "1e300", "1e99999999999999"}) {
    EXPECT_EQ(parse_stated_cost(text), std::unexpected(StatedCostError::impossible)) << text;
  }
  for (const std::string_view text : {"", "x", "1.", ".1", "01", "1e", "--1", "1x", "NaN", "0x1"}) {
    EXPECT_EQ(parse_stated_cost(text), std::unexpected(StatedCostError::not_a_number)) << text;
  }
}

TEST(StatedCost, EveryAmountSurvives) {
  constexpr unsigned seed = 20261123;
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  for (int i = 0; i < 10'000; ++i) {
    const NanoUsd amount(static_cast<std::int64_t>(random() >> (1 + random() % 62)));
    EXPECT_EQ(parse_stated_cost(to_decimal(amount)), amount);
  }
}

TEST(Answer, WhatSaysNothingOrIsNoJsonIsTold) {
  const auto facts = [](std::string_view body) {
    return read_answer(exchange::Operation::chat, body).facts;
  };
  EXPECT_TRUE(facts(R"({"id":"1","choices":[]})").is_empty);
  EXPECT_TRUE(facts(R"({"choices":[{"message":{"role":"assistant","content":null}}]})").is_empty);
  EXPECT_TRUE(facts(R"({"choices":[{"message":{"role":"assistant","content":""}}]})").is_empty);
  EXPECT_TRUE(facts(R"({"choices":[{"message":{"role":"assistant","content":"","tool_calls":[ ],)"
                    R"("annotations":[],"audio":null,"x":{}}}]})")
                  .is_empty);
  EXPECT_FALSE(facts(R"({"choices":[{"message":{"content":"a"}}]})").is_empty);
  EXPECT_FALSE(
      facts(R"({"choices":[{"message":{"content":""}},{"message":{"content":"b"}}]})").is_empty);
  EXPECT_FALSE(facts(R"({"choices":[{"message":{"content":null,"tool_calls":[{}]}}]})").is_empty);
  EXPECT_FALSE(
      facts(R"({"choices":[{"message":{"content":"","reasoning_content":"hm"}}]})").is_empty);
  EXPECT_FALSE(facts(R"({"choices":[{"text":"completion"}]})").is_empty);
  EXPECT_FALSE(facts(R"({"error":{"message":"no"}})").is_empty);
  EXPECT_FALSE(read_answer(exchange::Operation::embeddings, R"({"data":[]})").facts.is_empty);
  EXPECT_FALSE(facts(R"({"choices":[]})").is_broken);
  for (const std::string_view broken : {"", "nothing", R"({"choices":[{"message":{"content":"a)",
                                        R"({"choices":[]}{)", R"({"a":1)"}) {
    EXPECT_TRUE(facts(broken).is_broken) << broken;
  }
}

TEST(Answer, ABeginningIsWhatHasNothingOfTheAnswerYet) {
  EXPECT_TRUE(is_beginning(
      R"({"choices":[{"delta":{"role":"assistant","content":""},"finish_reason":null}]})"));
  EXPECT_TRUE(is_beginning(
      R"({"choices":[{"delta":{"role":"assistant","content":null,"refusal":null}}]})"));
  EXPECT_TRUE(is_beginning(R"({"choices":[{"delta":{"content":"","tool_calls":[]}}]})"));
  EXPECT_TRUE(is_beginning(R"({"choices":[],"prompt_filter_results":[{}]})"));
  EXPECT_FALSE(is_beginning(R"({"choices":[{"delta":{"content":"a"}}]})"));
  EXPECT_FALSE(is_beginning(R"({"choices":[{"delta":{"reasoning_content":"a"}}]})"));
  EXPECT_FALSE(is_beginning(R"({"choices":[{"delta":{"tool_calls":[{"index":0}]}}]})"));
  EXPECT_FALSE(is_beginning(R"({"choices":[{"delta":{},"finish_reason":"stop"}]})"));
  EXPECT_FALSE(is_beginning(R"({"choices":[],"usage":{"prompt_tokens":1}})"));
  EXPECT_FALSE(is_beginning(R"({"choices":[{"text":"a"}]})"));
  EXPECT_FALSE(is_beginning("no JSON"));
  const provider::Adapter& claude = *adapter_for(exchange::DialectId::anthropic);
  EXPECT_TRUE(claude.is_beginning(R"({"type":"message_start","message":{"content":[]}})"));
  EXPECT_TRUE(claude.is_beginning(R"({"type":"ping"})"));
  EXPECT_TRUE(claude.is_beginning(
      R"({"type":"content_block_start","content_block":{"type":"text","text":""}})"));
  EXPECT_FALSE(claude.is_beginning(
      R"({"type":"content_block_start","content_block":{"type":"tool_use","name":"f"}})"));
  EXPECT_FALSE(claude.is_beginning(R"({"type":"content_block_delta","delta":{"text":"a"}})"));
  EXPECT_FALSE(
      claude.is_beginning(R"({"type":"message_delta","delta":{"stop_reason":"end_turn"}})"));
}

}  // namespace
}  // namespace claviger::provider::openai

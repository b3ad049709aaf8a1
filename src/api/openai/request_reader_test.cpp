#include "api/openai/request_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

#include "api/body_reader.h"
#include "api/openai/request_fields.h"
#include "api/strict_json.h"

namespace claviger::api::openai {
namespace {

using exchange::BadRequest;
using exchange::InputContent;
using exchange::Operation;
using exchange::Request;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// Bodies live as long as the test and have the padding that readers need.
std::expected<Request, BadRequest> read(std::string_view body,
                                        Operation operation = Operation::chat) {
  static std::deque<std::string> bodies;
  std::string& kept = bodies.emplace_back(body);
  kept.append(64, '\0');
  return read_request(operation, std::string_view(kept).substr(0, body.size()));
}

std::string chat(std::string_view fields) {
  return R"({"model":"m","messages":[{"role":"user","content":"hi"}])" + std::string(fields) + "}";
}

Request good(std::string_view body, Operation operation = Operation::chat) {
  const auto request = read(body, operation);
  if (request) return *request;
  ADD_FAILURE() << request.error().message;
  return {};
}

BadRequest bad(std::string_view body, Operation operation = Operation::chat) {
  const auto request = read(body, operation);
  if (!request) return request.error();
  ADD_FAILURE() << "was accepted: " << body;
  return {};
}

std::string_view at(const Request& request, exchange::Span span) {
  return request.body.substr(span.begin, span.end - span.begin);
}

TEST(ChatRequest, TellsWhatTheWayOfARequestNeeds) {
  const Request request = good(
      R"({"model":"openai\/gpt-4o","messages":[{"role":"user","content":"hi"}],"stream":true,)"
      R"("stream_options":{"include_usage":true},"max_completion_tokens":50,"n":3,"user":"ann"})");
  EXPECT_EQ(request.model, "openai/gpt-4o");
  EXPECT_EQ(request.delivery, exchange::Delivery::streamed);
  EXPECT_TRUE(request.wants_usage_event);
  EXPECT_EQ(request.output_tokens_max, 50);
  EXPECT_EQ(request.choices, 3);
  EXPECT_EQ(request.end_user, "ann");
  EXPECT_EQ(request.input_content, InputContent::text);
  EXPECT_THAT(request.unbounded_fields, IsEmpty());
  EXPECT_THAT(request.unknown_fields, IsEmpty());
}

TEST(ChatRequest, NullIsTheSameAsAbsent) {
  const Request request = good(chat(
      R"(,"stream":null,"stream_options":null,"max_tokens":null,"n":null,"user":null,"tools":null,)"
      R"("modalities":null,"service_tier":null,"web_search_options":null,"audio":null)"));
  EXPECT_EQ(request.delivery, exchange::Delivery::whole);
  EXPECT_EQ(request.output_tokens_max, std::nullopt);
  EXPECT_EQ(request.choices, 1);
  EXPECT_THAT(request.unbounded_fields, IsEmpty());
}

TEST(ChatRequest, RemembersWhereThingsStand) {
  const Request request = good(
      "\n { \"messages\" : [ ] , \"model\" :\t\"m\" ,\"max_tokens\": 7 ,"
      "\"max_completion_tokens\":9, \"stream_options\" : { \"include_usage\" : false } }\n");
  EXPECT_EQ(request.body.substr(0, request.places.after_open_brace), "\n {");
  EXPECT_EQ(at(request, request.places.model_value), "\"m\"");
  EXPECT_EQ(at(request, request.places.output_max_legacy_value), "7");
  EXPECT_EQ(at(request, request.places.output_max_value), "9");
  EXPECT_EQ(at(request, request.places.stream_options_value), "{ \"include_usage\" : false }");
  EXPECT_EQ(at(request, request.places.include_usage_value), "false");
}

TEST(ChatRequest, ANullHasAPlaceToo) {
  const Request request = good(chat(R"(,"max_tokens":null,"stream_options": null )"));
  EXPECT_EQ(at(request, request.places.output_max_legacy_value), "null");
  EXPECT_EQ(at(request, request.places.stream_options_value), "null");
}

TEST(ChatRequest, TheLargerOfTwoConflictingBoundsBinds) {
  EXPECT_EQ(good(chat(R"(,"max_tokens":9,"max_completion_tokens":50)")).output_tokens_max, 50);
  EXPECT_EQ(good(chat(R"(,"max_tokens":90,"max_completion_tokens":50)")).output_tokens_max, 90);
}

TEST(ChatRequest, ContentThatWeDoNotSeeIsBoundedByTheModel) {
  const auto content = [](std::string_view json) {
    return good(R"({"model":"m","messages":[{"role":"user","content":)" + std::string(json) + "}]}")
        .input_content;
  };
  EXPECT_EQ(content(R"([{"type":"text","text":"a"},{"type":"refusal","refusal":"b"}])"),
            InputContent::text);
  EXPECT_EQ(content(R"([{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"u"}}])"),
            InputContent::by_model);
  EXPECT_EQ(content(R"([{"type":"input_audio","input_audio":{"data":""}}])"),
            InputContent::by_model);
  EXPECT_EQ(content(R"([{"type":"file","file":{"file_id":"f"}}])"), InputContent::by_model);
  EXPECT_EQ(content(R"([{"text":"no type"}])"), InputContent::by_model);
  EXPECT_EQ(content(R"([{"\u0074ype":"image_url"}])"), InputContent::by_model);
  EXPECT_EQ(content("null"), InputContent::text);
}

TEST(ChatRequest, PartsAreDescribedAsFarAsTheirBytesShow) {
  const auto parts = [](std::string_view json) {
    return good(R"({"model":"m","messages":[{"role":"user","content":[)" + std::string(json) +
                "]}]}")
        .parts;
  };
  // A picture of 1 by 2, as its PNG header says.
  constexpr std::string_view png =
      "iVBORw0KGgoAAAANSUhEUgAAAAEAAAACCAYAAACZgbYnAAAADklEQVR4nGNgYGD4DwABBAEAX+XDSwAAAABJRU5ErkJg"
      "gg==";
  const auto seen = parts(R"({"type":"image_url","image_url":{"detail":"low","url":"data:image/png)"
                          R"(;base64,)" +
                          std::string(png) + R"("}},{"type":"text","text":"a"})");
  EXPECT_THAT(seen.images,
              ElementsAre(exchange::InputImage{
                  .width_px = 1, .height_px = 2, .detail = exchange::ImageDetail::low}));
  EXPECT_EQ(seen.attached_bytes, static_cast<std::int64_t>(png.size()));
  EXPECT_EQ(seen.unseen, 0);
  EXPECT_EQ(seen.messages, 1);

  const auto by_url = parts(R"({"type":"image_url","image_url":{"url":"https://e.org/a.png"}})");
  EXPECT_THAT(by_url.images, ElementsAre(exchange::InputImage{}));
  EXPECT_EQ(by_url.attached_bytes, 0);
  const auto pdf = parts(
      R"({"type":"file","file":{"filename":"a","file_data":"data:application/pdf;base64,AAAA"}})");
  EXPECT_EQ(pdf.documents, 1);
  EXPECT_EQ(pdf.attached_bytes, 4);
  const auto sound =
      parts(R"({"type":"input_audio","input_audio":{"data":"AAAAAAAA","format":"mp3"}})");
  EXPECT_EQ(sound.audio_count, 1);
  EXPECT_GE(sound.audio_ms_max, 6);

  for (const std::string_view unseen :
       {R"({"type":"file","file":{"file_id":"f"}})", R"({"type":"video_url"})", R"({"text":"a"})",
        R"({"type":"image_url","image_url":{"url":"u","max_pixels":9}})",
        R"({"type":"image_url","image_url":{"url":"u"},"file_id":"f"})",
        R"({"type":"image_url","image_url":{}})",
        R"({"type":"input_audio","input_audio":{"data":"AAAA","format":"flac"}})"}) {
    EXPECT_EQ(parts(unseen).unseen, 1) << unseen;
  }
}

TEST(ChatRequest, ToolsThatTheCallerRunsAreCounted) {
  EXPECT_EQ(good(chat(R"(,"tools":[{"type":"function","function":{}},{"type":"web_search"}])"))
                .parts.tools,
            1);
}

TEST(ChatRequest, AReferenceInAMessageIsBoundedByTheModel) {
  const auto message = [](std::string_view json) {
    return good(R"({"model":"m","messages":[)" + std::string(json) + "]}").input_content;
  };
  EXPECT_EQ(message(R"({"role":"assistant","audio":{"id":"audio_1"}})"), InputContent::by_model);
  EXPECT_EQ(message(R"({"role":"user","content":"x","images":["…"]})"), InputContent::by_model);
  EXPECT_EQ(message(R"({"role":"assistant","audio":null,"content":"x"})"), InputContent::text);
  EXPECT_EQ(message(R"({"role":"tool","tool_call_id":"t","content":"x","name":"f"})"),
            InputContent::text);
}

TEST(ChatRequest, WhatAPriceCanBoundIsNamedWithWhatItNeeds) {
  using exchange::PricedField;
  using exchange::ServiceTier;
  const auto extras = [](std::string_view fields) {
    return good(chat("," + std::string(fields))).extras;
  };
  EXPECT_THAT(extras(R"("service_tier":"priority")").priced_fields,
              ElementsAre(PricedField{"service_tier", ServiceTier::priority}));
  EXPECT_EQ(extras(R"("service_tier":"priority")").service_tier, ServiceTier::priority);
  EXPECT_EQ(extras(R"("service_tier":"default")").service_tier, ServiceTier::standard);
  EXPECT_EQ(extras(R"("service_tier":"auto")").service_tier, std::nullopt);
  EXPECT_EQ(extras(R"("seed":1)").service_tier, std::nullopt);
  const auto spoken = extras(R"("modalities":["text","audio"],"audio":{"voice":"a"})");
  EXPECT_THAT(spoken.priced_fields,
              ElementsAre(PricedField{"modalities.audio", exchange::SpokenAnswer{}}));
  EXPECT_TRUE(spoken.has_spoken_answer);
  EXPECT_FALSE(spoken.has_text_answer_only);
  EXPECT_TRUE(extras(R"("modalities":["text"])").has_text_answer_only);
  EXPECT_THAT(extras(R"("web_search_options":{"search_context_size":"low"})").priced_fields,
              ElementsAre(PricedField{"web_search_options", exchange::ModelsOwnSearch{}}));
}

TEST(ChatRequest, BestOfGeneratesAsManyAsN) {
  EXPECT_EQ(good(chat(R"(,"n":2,"best_of":4)")).choices, 4);
  EXPECT_EQ(good(chat(R"(,"best_of":2,"n":4)")).choices, 4);
}

TEST(ChatRequest, APredictionIsKeptAsItStands) {
  const std::string body = chat(R"(,"prediction":{"type":"content","content":"abc"},"seed":1)");
  const auto place = good(body).places.prediction_value;
  EXPECT_EQ(body.substr(place.begin, place.end - place.begin),
            R"({"type":"content","content":"abc"})");
  EXPECT_TRUE(good(chat(R"(,"prediction":null)")).places.prediction_value.empty());
}

TEST(ChatRequest, ToolsAndTheFormOfTheAnswerAreFoundWhereTheyStand) {
  const std::string body =
      chat(R"(, "tools" : [ {"type":"function","function":{"name":"a"}} ] ,"seed":1,)"
           R"("response_format": {"type":"json_object"} )");
  const auto request = good(body);
  EXPECT_EQ(at(request, request.places.tools_value),
            R"([ {"type":"function","function":{"name":"a"}} ])");
  EXPECT_EQ(at(request, request.places.answer_form_value), R"({"type":"json_object"})");
  const auto without = good(chat(R"(,"tools":null,"response_format":null)"));
  EXPECT_TRUE(without.places.tools_value.empty());
  EXPECT_TRUE(without.places.answer_form_value.empty());
}

TEST(ChatRequest, WhatCannotBeBoundedIsNamed) {
  const auto unbounded = [](std::string_view field) {
    return good(chat("," + std::string(field))).unbounded_fields;
  };
  EXPECT_THAT(unbounded(R"("modalities":["text","image"])"), ElementsAre("modalities.image"));
  EXPECT_THAT(unbounded(R"("service_tier":"scale")"), ElementsAre("service_tier"));
  EXPECT_THAT(unbounded(R"("moderation":{})"), ElementsAre("moderation"));
  EXPECT_THAT(unbounded(R"("n_predict":4000)"), ElementsAre("n_predict"));
  EXPECT_THAT(unbounded(R"("tools":[{"type":"function","function":{}},{"type":"web_search"}])"),
              ElementsAre("tools.web_search"));
  EXPECT_THAT(unbounded(R"("tools":[{"url":"x"}])"), ElementsAre("tools."));
}

TEST(ChatRequest, WhatIsBoundedIsNotNamed) {
  const Request request = good(chat(
      R"(,"tools":[{"type":"function","function":{"name":"f"}},{"type":"custom"},{"function":{}}],)"
      R"("service_tier":"auto","modalities":["text"],"store":true,"use_beam_search":false)"));
  EXPECT_THAT(request.unbounded_fields, IsEmpty());
}

TEST(ChatRequest, UnknownFieldsAreNamedUpToABound) {
  EXPECT_THAT(good(chat(R"(,"new_thing":{"a":[1,2]},"temperature":1)")).unknown_fields,
              ElementsAre("new_thing"));
  std::string many;
  for (int i = 0; i < 100; ++i) many += ",\"x" + std::to_string(i) + "\":1";
  EXPECT_EQ(good(chat(many)).unknown_fields.size(), exchange::named_fields_max);
  const std::string long_name(1000, 'k');
  EXPECT_EQ(good(chat(",\"" + long_name + "\":1")).unknown_fields.front().size(),
            named_field_bytes_max);
}

TEST(ChatRequest, TheEndUserIsTheUserOrTheSafetyIdentifier) {
  EXPECT_EQ(good(chat(R"(,"safety_identifier":"s")")).end_user, "s");
  EXPECT_EQ(good(chat(R"(,"safety_identifier":"s","user":"u")")).end_user, "u");
}

TEST(ChatRequest, ARepeatedKeyIsRefusedHoweverItIsWritten) {
  for (const std::string& body :
       {chat(R"(,"max_tokens":1,"max_tokens":2)"), chat(R"(,"max_tokens":1,"max\u005ftokens":2)"),
        chat(R"(,"x":{"a":1,"a":2})"),
        chat(R"(,"stream_options":{"include_usage":true,"include_usage":false})"),
        std::string(R"({"model":"m","messages":[{"content":"a","content":"b"}]})"),
        std::string(
            R"({"model":"m","messages":[{"content":[{"type":"text","type":"image_url"}]}]})")}) {
    EXPECT_EQ(bad(body).code, BadRequest::Code::repeated_key) << body;
  }
  EXPECT_EQ(bad(chat(R"(,"max_tokens":1,"max_tokens":2)")).field, "max_tokens");
}

TEST(ChatRequest, ARepeatedKeyAmongManyIsFoundToo) {
  std::string many = ",\"metadata\":{";
  for (int i = 0; i < 5'000; ++i) many += "\"k" + std::to_string(i) + "\":1,";
  EXPECT_EQ(bad(chat(many + "\"k77\":1}")).field, "k77");
  good(chat(many + "\"other\":1}"));
}

TEST(ChatRequest, TheSameKeyInDifferentObjectsIsFine) {
  good(chat(R"(,"a":{"a":{"a":1},"b":1},"b":[{"a":1},{"a":1}])"));
}

TEST(ChatRequest, WrongTypesAreNamed) {
  for (const auto& [body, field] : std::initializer_list<std::pair<std::string, std::string>>{
           {R"({"model":7,"messages":[]})", "model"},
           {R"({"model":"m","messages":"hi"})", "messages"},
           {R"({"model":"m","messages":["hi"]})", "messages"},
           {R"({"model":"m","messages":[{"content":7}]})", "messages.content"},
           {R"({"model":"m","messages":[{"content":[7]}]})", "messages.content"},
           {chat(R"(,"stream":"yes")"), "stream"},
           {chat(R"(,"stream":1)"), "stream"},
           {chat(R"(,"stream_options":true)"), "stream_options"},
           {chat(R"(,"max_tokens":"5")"), "max_tokens"},
           {chat(R"(,"max_tokens":5.5)"), "max_tokens"},
           {chat(R"(,"max_tokens":5e2)"), "max_tokens"},
           {chat(R"(,"n":true)"), "n"},
           {chat(R"(,"tools":{})"), "tools"},
           {chat(R"(,"tools":["x"])"), "tools"},
           {chat(R"(,"user":5)"), "user"}}) {
    const BadRequest failure = bad(body);
    EXPECT_EQ(failure.code, BadRequest::Code::wrong_type) << body;
    EXPECT_EQ(failure.field, field) << body;
    EXPECT_THAT(failure.message, HasSubstr("`" + field + "` must be")) << body;
  }
}

TEST(ChatRequest, NumbersOutOfRangeAreRefused) {
  for (const std::string& body :
       {chat(R"(,"max_tokens":0)"), chat(R"(,"max_tokens":-1)"), chat(R"(,"n":0)"),
        chat(R"(,"n":129)"), chat(R"(,"max_tokens":1000000001)"),
        chat(R"(,"max_tokens":99999999999999999999)"), chat(R"(,"seed":1e999)"),
        std::string(R"({"model":"","messages":[]})"),
        "{\"model\":\"" + std::string(257, 'm') + "\",\"messages\":[]}",
        chat(",\"user\":\"" + std::string(257, 'u') + "\"")}) {
    EXPECT_EQ(bad(body).code, BadRequest::Code::out_of_range) << body;
  }
  EXPECT_EQ(good(chat(R"(,"n":128,"max_tokens":1000000000)")).choices, 128);
}

TEST(ChatRequest, NumbersThatWeOnlyPassOnMayBeLong) {
  good(chat(R"(,"seed":123456789012345678901234567890,"temperature":0.10000000000000000000001)"));
}

TEST(ChatRequest, MissingFieldsAreNamed) {
  EXPECT_EQ(bad(R"({"messages":[]})").field, "model");
  EXPECT_EQ(bad(R"({"model":"m"})").field, "messages");
  EXPECT_EQ(bad(R"({"model":"m"})", Operation::embeddings).field, "input");
  EXPECT_EQ(bad("{}").code, BadRequest::Code::missing_field);
}

TEST(ChatRequest, WhatIsNoJsonIsRefused) {
  const std::string start = R"({"model":"m","messages":[],"x":)";
  for (const std::string& body :
       std::initializer_list<std::string>{"",
                                          " ",
                                          "{",
                                          "}",
                                          start,
                                          start + "}",
                                          start + "1",
                                          start + "1,}",
                                          start + "1}}",
                                          start + "1} {}",
                                          start + "01}",
                                          start + "1.}",
                                          start + "+1}",
                                          start + ".5}",
                                          start + "1e}",
                                          start + "-}",
                                          start + "NaN}",
                                          start + "tru}",
                                          start + "truex}",
                                          start + "nul}",
                                          start + "nullx}",
                                          start + "'a'}",
                                          start + "\"\\x\"}",
                                          start + "\"\\u12\"}",
                                          start + "\"\\u12G4\"}",
                                          start + "\"a\nb\"}",
                                          start + "[1,]}",
                                          start + "[1 2]}",
                                          start + "[1}",
                                          start + "{\"a\"}}",
                                          start + "{\"a\":}}",
                                          start + "{a:1}}",
                                          start + "{\"a\":1,}}",
                                          start + "\"a\":1}",
                                          start + "\"a\" \"b\"}",
                                          start + "1 /* c */}",
                                          start + "\"\xFF\"}",
                                          start + "\"\xED\xA0\x80\"}",
                                          "\xEF\xBB\xBF{\"model\":\"m\",\"messages\":[]}",
                                          start + "{\"\\u00\":1}}",
                                          start + std::string("\"a\0b\"}", 6),
                                          start + std::string("1}\0", 3)}) {
    EXPECT_EQ(bad(body).code, BadRequest::Code::malformed_json) << body;
  }
}

TEST(ChatRequest, WhatIsNoObjectIsRefused) {
  for (const std::string_view body : {"[]", "\"a\"", "1", "null", "true", "nonsense"}) {
    EXPECT_EQ(bad(body).code, BadRequest::Code::wrong_type) << body;
  }
}

TEST(ChatRequest, NestingIsBounded) {
  const auto nested = [](int depth) {
    return chat(",\"x\":" + std::string(depth, '[') + std::string(depth, ']'));
  };
  good(nested(json_depth_max - 1));
  EXPECT_THAT(bad(nested(json_depth_max)).message, HasSubstr("deeper than"));
  bad(nested(100'000));
}

TEST(ChatRequest, AFailedReadingLeavesTheNextOneUntouched) {
  bad(chat(R"(,"x":{"a":1,"b":)"));
  good(chat(R"(,"x":{"a":1,"b":1})"));
}

TEST(EmbeddingsRequest, TextAndTokensAreBoundedByTheirBytes) {
  for (const std::string_view input : {R"("a")", R"(["a","b"])", "[1,2,3]", "[[1,2],[3]]"}) {
    const Request request =
        good(R"({"model":"e","input":)" + std::string(input) + "}", Operation::embeddings);
    EXPECT_EQ(request.input_content, InputContent::text) << input;
    EXPECT_EQ(request.operation, Operation::embeddings);
  }
  EXPECT_EQ(good(R"({"model":"e","input":[{"image":"u"}]})", Operation::embeddings).input_content,
            InputContent::by_model);
  EXPECT_EQ(bad(R"({"model":"e","input":7})", Operation::embeddings).field, "input");
}

TEST(EmbeddingsRequest, AFieldOfChatIsUnknownToIt) {
  EXPECT_THAT(good(R"({"model":"e","input":"a","tools":[]})", Operation::embeddings).unknown_fields,
              ElementsAre("tools"));
}

}  // namespace
}  // namespace claviger::api::openai

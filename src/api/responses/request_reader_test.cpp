#include "api/responses/request_reader.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace claviger::api::responses {
namespace {

using exchange::InputContent;
using exchange::PricedField;
using exchange::Unit;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// Padded as the reader asks for; lives for the rest of the test.
class ResponsesRequest : public ::testing::Test {
 protected:
  std::expected<exchange::Request, exchange::BadRequest> read_body(std::string body) {
    body_ = std::move(body);
    const std::size_t length = body_.size();
    body_.append(64, '\0');
    return read_request(exchange::Operation::chat, std::string_view(body_).substr(0, length));
  }
  exchange::Request good(std::string_view fields, std::string_view input = R"("hi")") {
    auto request = read_body(fmt::format(R"({{"model":"m","input":{},{}}})", input, fields));
    EXPECT_TRUE(request) << request.error().message;
    return request ? std::move(*request) : exchange::Request{};
  }
  std::string at(exchange::Span place) const {
    return body_.substr(place.begin, place.end - place.begin);
  }

  std::string body_;
};

TEST_F(ResponsesRequest, WhatTheWayOfARequestNeedsIsRead) {
  const auto request = good(
      R"("instructions":"be kind","max_output_tokens":50,"stream":true,"user":"ada","store":false,"text":{"format":{"type":"text"}},"metadata":{"a":"b"})");
  EXPECT_EQ(request.model, "m");
  EXPECT_EQ(request.output_tokens_max, 50);
  EXPECT_EQ(request.delivery, exchange::Delivery::streamed);
  EXPECT_EQ(request.end_user, "ada");
  EXPECT_EQ(request.input_content, InputContent::text);
  EXPECT_THAT(request.unbounded_fields, IsEmpty());
  EXPECT_THAT(request.unknown_fields, IsEmpty());
  EXPECT_EQ(at(request.places.model_value), R"("m")");
  EXPECT_EQ(at(request.places.output_max_value), "50");
}

TEST_F(ResponsesRequest, AConversationOfTextIsBoundedByItsBytes) {
  const auto request = good(R"("top_p":1)", R"([
    {"role":"user","content":"hi"},
    {"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"gAAAA"},
    {"type":"message","role":"assistant","content":[{"type":"output_text","text":"yes","annotations":[]}]},
    {"type":"function_call","call_id":"c","name":"f","arguments":"{}"},
    {"type":"function_call_output","call_id":"c","output":[{"type":"input_text","text":"done"}]}])");
  EXPECT_EQ(request.input_content, InputContent::text);
  EXPECT_EQ(request.parts.messages, 5);
}

TEST_F(ResponsesRequest, WhatTheProviderKeepsIsBoundedByTheModelsContext) {
  for (const char* const fields :
       {R"("previous_response_id":"resp_1")", R"("conversation":"conv_1")",
        R"("conversation":{"id":"conv_1"})"}) {
    const auto request = good(fields);
    EXPECT_EQ(request.input_content, InputContent::by_model) << fields;
    EXPECT_EQ(request.parts.unseen, 1) << fields;
    EXPECT_THAT(request.unbounded_fields, IsEmpty());
  }
  for (const char* const input :
       {R"([{"type":"item_reference","id":"msg_1"}])", R"([{"id":"msg_1"}])",
        R"([{"type":null,"id":"msg_1"}])", R"([{"type":"web_search_call","id":"w"}])",
        R"([{"role":"user","content":[{"type":"input_file","file_id":"f"}]}])",
        R"([{"role":"user","content":[{"type":"input_file","file_url":"https://h/x.pdf"}]}])",
        R"([{"role":"user","content":[{"type":"input_image","file_id":"f","detail":"auto"}]}])"}) {
    EXPECT_EQ(good(R"("top_p":1)", input).parts.unseen, 1) << input;
  }
  EXPECT_EQ(good(R"("previous_response_id":null)").input_content, InputContent::text);
}

TEST_F(ResponsesRequest, PicturesAndDocumentsAreDescribed) {
  const auto request = good(R"("top_p":1)", R"([{"role":"user","content":[
    {"type":"input_text","text":"x"},
    {"type":"input_image","image_url":"https://h/a.png","detail":"low"},
    {"type":"input_image","image_url":"data:image/png;base64,iVBORw0KGgo=","detail":"auto","file_id":null},
    {"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,JVBERi0="}]}])");
  EXPECT_EQ(request.parts.images.size(), 2u);
  EXPECT_EQ(request.parts.documents, 1);
  EXPECT_EQ(request.parts.unseen, 0);
  EXPECT_EQ(request.parts.attached_bytes, 12 + 8);
}

TEST_F(ResponsesRequest, WhatHasNoBoundIsNamed) {
  const auto named = [this](const char* fields) { return good(fields).unbounded_fields; };
  EXPECT_THAT(named(R"("background":true)"), ElementsAre("background"));
  EXPECT_THAT(named(R"("background":false)"), IsEmpty());
  EXPECT_THAT(named(R"("prompt":{"id":"p"})"), ElementsAre("prompt"));
  EXPECT_THAT(named(R"("context_management":[{"type":"compaction"}])"),
              ElementsAre("context_management"));
  EXPECT_THAT(named(R"("reasoning":{"effort":"low","mode":"pro"})"), ElementsAre("reasoning.mode"));
  EXPECT_THAT(named(R"("service_tier":"scale")"), ElementsAre("service_tier"));
  EXPECT_THAT(
      named(
          R"("max_tool_calls":3,"tools":[{"type":"image_generation"},{"type":"mcp","server_url":"x"}])"),
      ElementsAre("tools.image_generation", "tools.mcp"));
  EXPECT_THAT(named(R"("tools":[{"type":"web_search"}])"),
              ElementsAre("tools.web_search without max_tool_calls"));
  EXPECT_THAT(good(R"("brand_new":1)").unknown_fields, ElementsAre("brand_new"));
}

TEST_F(ResponsesRequest, ToolsOfTheProvidersAreBoundedByTheirCalls) {
  // The bound may stand behind the tools.
  const auto request = good(
      R"("tools":[{"type":"web_search"},{"type":"file_search","vector_store_ids":["v"]},{"type":"code_interpreter","container":{"type":"auto"}},{"type":"function","name":"f","parameters":{}}],"max_tool_calls":3)");
  EXPECT_THAT(request.unbounded_fields, IsEmpty());
  EXPECT_EQ(request.extras.rounds_max, 4);
  EXPECT_EQ(request.extras.units_max[Unit::web_search], 3);
  EXPECT_EQ(request.extras.units_max[Unit::file_search], 3);
  EXPECT_EQ(request.extras.units_max[Unit::code_session], 3);
  EXPECT_THAT(request.extras.priced_fields,
              ElementsAre(PricedField{"tools.web_search", Unit::web_search},
                          PricedField{"tools.file_search", Unit::file_search},
                          PricedField{"tools.code_interpreter", Unit::code_session}));
}

TEST_F(ResponsesRequest, BadBodiesAreRefusedByField) {
  const auto field_of = [this](const char* body) {
    const auto request = read_body(body);
    EXPECT_FALSE(request) << body;
    return request ? std::string("none") : request.error().field;
  };
  EXPECT_EQ(field_of(R"({"input":"hi"})"), "model");
  EXPECT_EQ(field_of(R"({"model":"m"})"), "input");
  EXPECT_EQ(field_of(R"({"model":"m","input":7})"), "input");
  EXPECT_EQ(field_of(R"({"model":"m","input":["x"]})"), "input");
  EXPECT_EQ(field_of(R"({"model":"m","input":"x","max_output_tokens":0})"), "max_output_tokens");
  EXPECT_EQ(field_of(R"({"model":"m","input":"x","max_output_tokens":1.5})"), "max_output_tokens");
  EXPECT_EQ(field_of(R"({"model":"m","input":"x","max_tool_calls":-1})"), "max_tool_calls");
  EXPECT_EQ(field_of(R"({"model":"m","input":"x","tools":{}})"), "tools");
  EXPECT_THAT(read_body(R"({"model":"m","input":"x","model":"n"})").error().message,
              HasSubstr("model"));
}

}  // namespace
}  // namespace claviger::api::responses

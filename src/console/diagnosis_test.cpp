/// Diagnoses and the pages that are made of them, without a provider.

#include <gmock/gmock.h>

#include "console/control_bed.h"
#include "console/support_page.h"

namespace claviger::console {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class Diagnoses : public ControlBed {
 protected:
  void SetUp() override {
    ControlBed::SetUp();
    add_alice_and_notes();
    must("POST", "/credentials",
         R"({"owner":"alice","provider":"openai","name":"planted-name","key":"sk-planted-key-1"})");
  }

  /// A failed request with something planted in every text that comes from outside.
  record::Record planted() {
    record::Record record{.id = new_request_id(clock_.wall_now()), .started_at = clock_.wall_now()};
    record.owner = world_->directory->find_owner("alice")->id;
    record.credential = world_->credentials->entries().front().about.id;
    record.end_user = "planted-user";
    record.operation = "chat";
    record.model_asked = "planted-alias";
    record.model = "openai/ft:gpt-4o-mini:planted-organisation";
    record.provider_request_id = "sk-planted-key-2";
    record.attempts = 1;
    record.status = 401;
    record.provider_status = 401;
    record.error_code = "key_invalid";
    record.at_fault = "key";
    record.finish_reason = "planted-reason";
    record.soft_failures = "planted-failure,refusal";
    record.times = {.admitted_us = 100,
                    .connected_us = 200,
                    .sent_us = 300,
                    .first_byte_us = 4'000,
                    .total_us = 5'678,
                    .overhead_us = 10};
    return record;
  }
  record::Record keep(record::Record record) {
    EXPECT_TRUE(records_.append({record}));
    EXPECT_TRUE(feedback_.put({.request = record.id,
                               .opinion = record::Opinion::bad,
                               .why = "planted-words",
                               .given_at = clock_.wall_now()}));
    return record;
  }
  /// The page behind an address that the API gave.
  std::optional<std::string> page_at(const std::string& url) {
    return control_->shared_page(url.substr(url.rfind('/') + 1));
  }
};

TEST_F(Diagnoses, TellWhatIsKnownAndWhomItSpeaksAgainst) {
  const record::Record record = keep(planted());
  const Said said = must("GET", "/requests/" + record.id.text() + "/diagnosis");
  EXPECT_EQ(said.member("outcome"), "failed");
  EXPECT_EQ(said.value.at("suspects").at(0).at("at_fault"), "key");
  EXPECT_EQ(said.value.at("timeline").get_array().size(), 6u);
  EXPECT_THAT(said.text, HasSubstr("its caller says that it was bad"));
  EXPECT_EQ(said.member("content_kept"), "false");
  EXPECT_EQ(ask("GET", "/requests/" + new_request_id(clock_.wall_now()).text() + "/diagnosis")
                .error("code"),
            "unknown_request");
  EXPECT_EQ(ask("POST", "/requests/" + record.id.text() + "/diagnosis", R"({"prob":true})").status,
            400);
}

TEST_F(Diagnoses, ABadAnswerThatDidNotFailIsTheModelsOrTheRequests) {
  record::Record good = planted();
  good.status = good.provider_status = 200;
  good.error_code = good.at_fault = good.soft_failures = "";
  keep(good);
  const Said said = must("GET", "/requests/" + good.id.text() + "/diagnosis");
  EXPECT_EQ(said.member("outcome"), "answered");
  EXPECT_EQ(said.value.at("suspects").at(0).at("at_fault"), "model");
}

TEST_F(Diagnoses, AReplayWithoutContentSaysHowToHaveItKept) {
  const record::Record record = keep(planted());
  const std::string path = "/requests/" + record.id.text() + "/diagnosis";
  const Said off = ask("POST", path, R"({"replay":"openai/gpt-4o-mini"})");
  EXPECT_EQ(off.status, 409);
  EXPECT_THAT(off.error("remedy"), HasSubstr("claviger owner keep-content alice failed"));
  must("PUT", "/owners/alice/content", R"({"keep":"failed"})");
  EXPECT_THAT(ask("POST", path, R"({"replay":"openai/gpt-4o-mini"})").error("remedy"),
              HasSubstr("within 15 minutes"));
}

TEST_F(Diagnoses, APageHoldsNothingThatAnybodyOutsideWrote) {
  const record::Record record = keep(planted());
  const Said made = must("POST", "/requests/" + record.id.text() + "/shares", "{}");
  const auto page = page_at(made.member("url"));
  ASSERT_TRUE(page);
  EXPECT_THAT(*page, Not(HasSubstr("planted")));
  EXPECT_THAT(*page, Not(HasSubstr("alice")));
  EXPECT_THAT(*page, Not(HasSubstr("<script")));
  EXPECT_THAT(*page, HasSubstr("key_<wbr>invalid"));
  EXPECT_THAT(*page, HasSubstr("refusal"));
  EXPECT_THAT(*page, HasSubstr("not on the public list"));
  EXPECT_THAT(*page, HasSubstr(record.id.text()));
}

TEST_F(Diagnoses, APageNamesWhatIsPublic) {
  record::Record record = planted();
  record.model = "openai/gpt-4o-mini";
  record.provider_request_id = "req_0123456789abcdef";
  keep(record);
  const auto page =
      page_at(must("POST", "/requests/" + record.id.text() + "/shares", "{}").member("url"));
  ASSERT_TRUE(page);
  EXPECT_THAT(*page, HasSubstr("gpt-4o-mini"));
  EXPECT_THAT(*page, HasSubstr("req_0123456789abcdef"));
}

TEST_F(Diagnoses, APageIsSeenUntilItExpiresOrIsTakenBack) {
  const record::Record record = keep(planted());
  const std::string path = "/requests/" + record.id.text() + "/shares";
  const Said first = must("POST", path, "{}");
  const Said second = must("POST", path, "{}");
  EXPECT_NE(first.member("url"), second.member("url"));
  EXPECT_EQ(must("GET", "/shares").count(), 2u);
  EXPECT_THAT(must("GET", "/shares").text, Not(HasSubstr("/share/"))) << "an address is shown once";
  must("DELETE", "/shares/" + first.member("id"));
  EXPECT_FALSE(page_at(first.member("url")));
  EXPECT_TRUE(page_at(second.member("url")));
  EXPECT_EQ(ask("DELETE", "/shares/" + first.member("id")).status, 404);
  clock_.advance(std::chrono::days(record::share_days_usual));
  EXPECT_FALSE(page_at(second.member("url")));
  EXPECT_FALSE(page_at("/share/" + std::string(43, 'A')));
  for (const char* const wrong : {"2001-01-01", "2999-01-01", "soon"}) {
    EXPECT_EQ(ask("POST", path, std::string(R"({"expires_at":")") + wrong + "\"}").status, 400)
        << wrong;
  }
}

TEST(ProviderRequestIds, AreShownOnlyWhereNothingCanHideInThem) {
  EXPECT_TRUE(ProviderRequestId::of("req_011CSHoEeqs5C35K2UUqR7Fy"));
  EXPECT_TRUE(ProviderRequestId::of("chatcmpl-0a1b2c"));
  for (const std::string_view no :
       {"", "a b c d e f", "sk-live-0123456789", "clv_0123456789", "AIzaSy0123456789",
        "<script>alert(1)</script>", "jane@example.com", "short"}) {
    EXPECT_FALSE(ProviderRequestId::of(no)) << no;
  }
  EXPECT_FALSE(ProviderRequestId::of(std::string(81, 'a')));
}

}  // namespace
}  // namespace claviger::console

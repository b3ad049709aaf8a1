#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "data/providers_toml.h"
#include "provider/adapter.h"

namespace claviger::provider {
namespace {

using testing::HasSubstr;

std::string first_table() {
  const std::string all(data::providers_toml);
  const std::size_t start = all.find("[[provider]]");
  return all.substr(start, all.find("[[provider]]", start + 1) - start);
}

std::string replaced(std::string text, std::string_view what, std::string_view with) {
  text.replace(text.find(what), what.size(), with);
  return text;
}

std::string complaint(const std::string& toml) {
  try {
    Profiles::parse(toml);
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Profiles, OfThisBuildCanBeRead) {
  const auto profiles = Profiles::embedded();
  ASSERT_GE(profiles->all().size(), 14u);
  const Profile* const openai = profiles->find("openai");
  ASSERT_NE(openai, nullptr);
  EXPECT_EQ(openai->base_url, "https://api.openai.com/v1");
  EXPECT_EQ(openai->auth_prefix, "Bearer ");
  EXPECT_EQ(openai->output_max_field, "max_completion_tokens");
  EXPECT_EQ(profiles->find("nobody"), nullptr);
  EXPECT_EQ(profiles->find("openrouter")->price_cap, PriceCapForm::openrouter);
}

TEST(Profiles, EachNamesItsSourceWithADate) {
  for (const Profile& profile : Profiles::embedded()->all()) {
    EXPECT_THAT(profile.source, testing::ContainsRegex("https://.*\\(20[0-9][0-9]-[0-9][0-9]-"))
        << profile.id;
  }
}

TEST(Profiles, OwnEndpointsBringTheirAddressAndMayDoWithoutAKey) {
  for (const std::string_view id : {"openai-compatible", "local"}) {
    const Profile* const profile = Profiles::embedded()->find(id);
    ASSERT_NE(profile, nullptr);
    EXPECT_TRUE(profile->base_url.empty());
    EXPECT_FALSE(profile->key_required);
    EXPECT_FALSE(profile->unknown_fields_may_cost);
  }
}

TEST(Profiles, AnUnknownKeyIsAnError) {
  EXPECT_THAT(complaint(first_table() + "outputmax = 3\n"), HasSubstr("unknown key `outputmax`"));
  EXPECT_THAT(complaint("[other]\nx = 1\n"), HasSubstr("unknown key `other`"));
}

TEST(Profiles, WhatIsWrongIsNamed) {
  EXPECT_THAT(complaint(replaced(first_table(), "title = \"OpenAI\"", "title = 5")),
              HasSubstr("provider \"openai\": `title` must be a string"));
  EXPECT_THAT(complaint(replaced(first_table(), "title = \"OpenAI\"", "")),
              HasSubstr("`title` is missing"));
  EXPECT_THAT(complaint(replaced(first_table(), "key_required = true", "key_required = 1")),
              HasSubstr("`key_required` must be true or false"));
  EXPECT_THAT(complaint(replaced(first_table(), "dialect = \"openai\"", "dialect = \"soap\"")),
              HasSubstr("write one of: openai, anthropic, gemini"));
  EXPECT_THAT(complaint(replaced(first_table(), "https://api.openai", "http://api.openai")),
              HasSubstr("must start with https://"));
  EXPECT_THAT(complaint(replaced(first_table(), "max_completion_tokens", "max")),
              HasSubstr("`output_max_field` must be"));
  EXPECT_THAT(complaint(first_table() + first_table()), HasSubstr("stands there twice"));
  EXPECT_THAT(complaint("[[provider]]\n"), HasSubstr("has no `id`"));
  EXPECT_THAT(complaint("[[provider]\n"), HasSubstr("line 1"));
}

}  // namespace
}  // namespace claviger::provider

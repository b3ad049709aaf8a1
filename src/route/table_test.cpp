#include "route/table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace claviger::route {
namespace {

using ::testing::ElementsAre;

constexpr OwnerId kAda{1};
constexpr OwnerId kBen{2};

/// A book of four models; the real one is catalog's business.
class SmallBook final : public catalog::PriceBook {
 public:
  SmallBook() {
    const auto add = [this](std::string provider, std::string name) {
      catalog::Price price;
      price.input = price.output = PicoUsdPerUnit{1};
      models_.push_back({.provider = std::move(provider),
                         .name = std::move(name),
                         .price = std::make_shared<const catalog::Price>(price),
                         .context_tokens_max = 128'000,
                         .output_tokens_max = 16'000});
    };
    add("groq", "llama-3.3-70b");
    add("openai", "gpt-4o-mini");
    add("openrouter", "meta-llama/llama-3.3-70b");
    add("openrouter", "gpt-4o-mini");
  }
  const catalog::Model* find(std::string_view provider, std::string_view name) const override {
    for (const catalog::Model& model : models_) {
      if (model.provider == provider && model.name == name) return &model;
    }
    return nullptr;
  }
  const std::vector<catalog::Model>& models() const override { return models_; }

 private:
  std::vector<catalog::Model> models_;
};

Place place(int id, OwnerId owner, std::string provider, std::string name = "default") {
  return {.credential = CredentialId{id},
          .owner = owner,
          .provider = std::move(provider),
          .name = std::move(name),
          .base_url = {},
          .is_own_endpoint = false};
}

Table table(std::vector<Place> places, std::vector<StatedPrice> stated = {}) {
  return Table(
      std::move(places),
      {{.model = LocalModelId{1}, .owner = kAda, .name = "smol", .context_tokens_max = 8192}},
      std::move(stated), std::make_shared<SmallBook>());
}

Table with_aliases(std::vector<Place> places, std::vector<Alias> aliases) {
  return Table(std::move(places), {}, {}, std::make_shared<SmallBook>(), std::move(aliases));
}

TEST(Routing, AnAliasStandsForItsListInItsOrder) {
  const Table routes = with_aliases(
      {place(1, kAda, "openai"), place(2, kAda, "groq")},
      {{.owner = {}, .name = "fast", .models = {"groq/llama-3.3-70b", "openai/gpt-4o-mini"}}});
  const auto plan = routes.plan("fast", kAda);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->first.model, "groq/llama-3.3-70b");
  ASSERT_EQ(plan->alternatives.size(), 1U);
  EXPECT_EQ(plan->alternatives[0].model, "openai/gpt-4o-mini");
  EXPECT_EQ(routes.models_of(kAda).front(), "fast");
}

TEST(Routing, OfAnAliasWhatItsCallersOwnerHasNotBroughtIsLeftOut) {
  const Table routes = with_aliases(
      {place(1, kAda, "openai")},
      {{.owner = {}, .name = "fast", .models = {"groq/llama-3.3-70b", "openai/gpt-4o-mini"}}});
  EXPECT_EQ(routes.plan("fast", kAda)->first.model, "openai/gpt-4o-mini");
  const auto nothing = routes.plan("fast", kBen);
  ASSERT_FALSE(nothing);
  EXPECT_EQ(nothing.error().error, RouteError::alias_unusable);
  EXPECT_THAT(nothing.error().candidates, ElementsAre("groq/llama-3.3-70b", "openai/gpt-4o-mini"));
}

TEST(Routing, AnOwnersAliasBeatsTheWorkspaces) {
  const Table routes =
      with_aliases({place(1, {}, "openai"), place(2, {}, "groq")},
                   {{.owner = {}, .name = "fast", .models = {"groq/llama-3.3-70b"}},
                    {.owner = kAda, .name = "fast", .models = {"openai/gpt-4o-mini"}}});
  EXPECT_EQ(routes.plan("fast", kAda)->first.model, "openai/gpt-4o-mini");
  EXPECT_EQ(routes.plan("fast", kBen)->first.model, "groq/llama-3.3-70b");
}

TEST(Routing, AnAliasNameIsNoFullNameAndHoldsNothingThatBreaksAHeader) {
  EXPECT_TRUE(is_alias_name("fast-4.1:latest_x"));
  for (const char* const bad : {"", "a/b", "a b", "a\n", "caf\xC3\xA9"}) {
    EXPECT_FALSE(is_alias_name(bad)) << bad;
  }
  EXPECT_FALSE(is_alias_name(std::string(kAliasNameBytesMax + 1, 'a')));
}

TEST(Routing, AnOwnersCredentialComesBeforeTheWorkspaces) {
  const Table routes = table({place(1, OwnerId{}, "openai"), place(2, kAda, "openai")});
  EXPECT_EQ(routes.resolve("openai/gpt-4o-mini", kAda)->credential, CredentialId{2});
  EXPECT_EQ(routes.resolve("openai/gpt-4o-mini", kBen)->credential, CredentialId{1});
}

TEST(Routing, NobodyReachesAnothersCredential) {
  const Table routes = table({place(2, kAda, "openai")});
  EXPECT_EQ(routes.resolve("openai/gpt-4o-mini", kBen).error().error, RouteError::no_credential);
  EXPECT_EQ(routes.resolve("gpt-4o-mini", kBen).error().error, RouteError::unknown_model);
  EXPECT_EQ(routes.resolve("local/smol", kBen).error().error, RouteError::unknown_model);
}

TEST(Routing, ABareNameWorksWhereItIsUnambiguous) {
  const Table one = table({place(1, kAda, "openai")});
  EXPECT_EQ(one.resolve("gpt-4o-mini", kAda)->model, "openai/gpt-4o-mini");
  EXPECT_EQ(one.resolve("smol", kAda)->model, "local/smol");
  const Table two = table({place(1, kAda, "openai"), place(2, kAda, "openrouter")});
  const auto collision = two.resolve("gpt-4o-mini", kAda);
  ASSERT_FALSE(collision);
  EXPECT_EQ(collision.error().error, RouteError::ambiguous_model);
  EXPECT_THAT(collision.error().candidates,
              ElementsAre("openai/gpt-4o-mini", "openrouter/gpt-4o-mini"));
}

TEST(Routing, TwoCredentialsOfOneProviderAreNotAmbiguous) {
  const Table routes =
      table({place(1, kAda, "openai", "first"), place(2, kAda, "openai", "second")});
  EXPECT_EQ(routes.resolve("gpt-4o-mini", kAda)->credential, CredentialId{1});
}

TEST(Routing, AModelNameMayHoldASlash) {
  const Table routes = table({place(1, kAda, "openrouter")});
  EXPECT_EQ(routes.resolve("openrouter/meta-llama/llama-3.3-70b", kAda)->provider_model,
            "meta-llama/llama-3.3-70b");
  EXPECT_EQ(routes.resolve("meta-llama/llama-3.3-70b", kAda)->model,
            "openrouter/meta-llama/llama-3.3-70b");
}

TEST(Routing, AnOwnEndpointGoesByItsName) {
  Place box = place(3, kAda, "openai-compatible", "mybox");
  box.is_own_endpoint = true;
  const Table routes = table({box});
  const auto target = routes.resolve("mybox/llama3", kAda);
  ASSERT_TRUE(target);
  EXPECT_EQ(target->model, "mybox/llama3");
  EXPECT_EQ(target->provider_model, "llama3");
  EXPECT_EQ(target->price, nullptr);
}

TEST(Routing, AnUnknownModelIsRoutedButHasNoPrice) {
  const Table routes = table({place(1, kAda, "openai")});
  const auto target = routes.resolve("openai/gpt-99", kAda);
  ASSERT_TRUE(target);
  EXPECT_EQ(target->price, nullptr);
}

TEST(Routing, APriceThatChangesOnADayIsAskedForAtTheHold) {
  const auto book = catalog::PriceBook::parse(
      R"({"provider":"openai","model":"m","until":"2027-01-01","input":"1",)"
      R"("source":"s","dated":"2026-11-25"})"
      "\n"
      R"({"provider":"openai","model":"m","from":"2027-01-01","input":"2",)"
      R"("source":"s","dated":"2026-11-25"})");
  const Table routes({place(1, kAda, "openai")}, {}, {}, book);
  const auto target = routes.resolve("openai/m", kAda);
  ASSERT_TRUE(target && target->dated != nullptr);
  const WallTime later = std::chrono::sys_days(std::chrono::year(2027) / 1 / 1);
  EXPECT_EQ(target->dated->price_at(later)->input.picos, 2'000'000);
  EXPECT_EQ(target->dated->price_at(later - std::chrono::seconds(1))->input.picos, 1'000'000);
}

TEST(Routing, WhatAnOwnerStatesCountsBeforeTheBookAndForThemAlone) {
  catalog::Price dear;
  dear.input = dear.output = PicoUsdPerUnit{1'000'000};
  const auto shared = std::make_shared<const catalog::Price>(dear);
  const Table routes = table({place(1, kAda, "openai"), place(2, kBen, "openai")},
                             {{.owner = kAda, .model = "openai/gpt-4o-mini", .price = shared},
                              {.owner = kAda, .model = "local/smol", .price = shared}});
  EXPECT_EQ(routes.resolve("openai/gpt-4o-mini", kAda)->price->input.picos, 1'000'000);
  EXPECT_EQ(routes.resolve("openai/gpt-4o-mini", kBen)->price->input.picos, 1);
  EXPECT_EQ(routes.resolve("local/smol", kAda)->price->input.picos, 1'000'000);
}

TEST(Routing, ATypoIsAnsweredWithWhatWasPerhapsMeant) {
  const Table routes = table({place(1, kAda, "openai")});
  const auto typo = routes.resolve("gpt-4o-mimi", kAda);
  ASSERT_FALSE(typo);
  EXPECT_THAT(typo.error().candidates, ElementsAre("openai/gpt-4o-mini"));
}

TEST(Routing, ListsWhatAnOwnerCanName) {
  const Table routes = table({place(1, kAda, "groq")});
  EXPECT_THAT(routes.models_of(kAda), ElementsAre("groq/llama-3.3-70b", "local/smol"));
  EXPECT_THAT(routes.models_of(kBen), ElementsAre());
}

}  // namespace
}  // namespace claviger::route

#include <gmock/gmock.h>

#include "store/contract/store_under_test.h"

namespace claviger::store {
namespace {

using catalog::OwnerPrice;
using catalog::OwnerPriceError;
using local::LocalModel;
using local::LocalModelStoreError;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class OwnerPriceStoreContract : public StoreContract {
 protected:
  OwnerPrice price(OwnerId owner, std::string model) {
    OwnerPrice stated{.owner = owner, .model = std::move(model), .price = {}, .stated_at = now_};
    stated.price.input = {1};
    stated.price.cached_input = {2};
    stated.price.cache_write = {3};
    stated.price.cache_write_1h = {4};
    stated.price.output = {5};
    stated.price.per_request = {6};
    stated.price.source = "ignored";
    stated.price.dated = "ignored";
    return stated;
  }
};
CLAVIGER_OVER_ALL_STORES(OwnerPriceStoreContract);

TEST_P(OwnerPriceStoreContract, PricesComeBackWithTheOwnersWordAsTheirSource) {
  const OwnerPrice stated = price(owner(), "local/small");
  ASSERT_TRUE(store_->prices().put(stated));
  store_->reopen();
  const auto prices = store_->prices().list().value();
  ASSERT_THAT(prices, SizeIs(1));
  EXPECT_EQ(prices[0].owner, stated.owner);
  EXPECT_EQ(prices[0].model, "local/small");
  EXPECT_EQ(prices[0].stated_at, now_);
  catalog::Price expected = stated.price;
  expected.source = "owner";
  expected.dated = "2023-11-14";
  EXPECT_EQ(prices[0].price, expected);
}

TEST_P(OwnerPriceStoreContract, EverythingThatCanBeBilledIsKeptAndTheWorkspaceHasPricesToo) {
  OwnerPrice stated = price(OwnerId{}, "mine/large");
  catalog::Price& all = stated.price;
  all.reasoning = PicoUsdPerUnit{7};
  all.cached_image = PicoUsdPerUnit{8};
  all.units.set(exchange::Unit::web_search, {9'000'000'000'001});
  all.units.set(exchange::Unit::audio_input_ms, {11});
  all.context_tiers.push_back({.input_tokens_above = 200'000, .rates = all});
  all.regional_permille = 1'100;
  all.kind = catalog::PriceKind::upper_bound;
  catalog::ServiceTierCard batch{.tier = exchange::ServiceTier::batch, .rates = all};
  batch.rates.input = {12};
  all.service_tiers.push_back(batch);
  ASSERT_TRUE(store_->prices().put(stated));
  store_->reopen();
  catalog::Price expected = all;
  expected.source = "owner";
  expected.dated = "2023-11-14";
  const auto prices = store_->prices().list().value();
  ASSERT_THAT(prices, SizeIs(1));
  EXPECT_EQ(prices[0].owner, OwnerId{});
  EXPECT_EQ(prices[0].price, expected);
}

TEST_P(OwnerPriceStoreContract, APriceIsPerOwnerAndModelAndIsReplaced) {
  OwnerPrice stated = price(owner("ada"), "a/x");
  ASSERT_TRUE(store_->prices().put(stated));
  ASSERT_TRUE(store_->prices().put(price(stated.owner, "a/y")));
  ASSERT_TRUE(store_->prices().put(price(owner("bob"), "a/x")));
  stated.price.output = {99};
  ASSERT_TRUE(store_->prices().put(stated));
  const auto prices = store_->prices().list().value();
  ASSERT_THAT(prices, SizeIs(3));
  EXPECT_EQ(prices[0].price.output, PicoUsdPerUnit{99});
  EXPECT_EQ(prices[1].model, "a/y");
}

TEST_P(OwnerPriceStoreContract, PricesNeedAnOwnerAndCanBeTakenBack) {
  EXPECT_EQ(store_->prices().put(price(OwnerId{7}, "a/x")).error(), OwnerPriceError::not_found);
  const OwnerPrice stated = price(owner(), "a/x");
  ASSERT_TRUE(store_->prices().put(stated));
  EXPECT_EQ(store_->prices().remove(stated.owner, "a/z").error(), OwnerPriceError::not_found);
  ASSERT_TRUE(store_->prices().remove(stated.owner, "a/x"));
  EXPECT_THAT(store_->prices().list().value(), IsEmpty());
}

TEST_P(OwnerPriceStoreContract, AFullDiskIsSaid) {
  const OwnerPrice stated = price(owner(), "a/x");
  store_->refuse_writes();
  EXPECT_EQ(store_->prices().put(stated).error(), OwnerPriceError::unavailable);
}

class AliasStoreContract : public StoreContract {};
CLAVIGER_OVER_ALL_STORES(AliasStoreContract);

TEST_P(AliasStoreContract, AnAliasKeepsTheOrderOfItsModelsAndIsReplaced) {
  const route::Alias workspace{.owner = {}, .name = "fast", .models = {"b/y", "a/x"}};
  route::Alias own{.owner = owner(), .name = "fast", .models = {"a/x"}};
  ASSERT_TRUE(store_->aliases().put(own, now_));
  ASSERT_TRUE(store_->aliases().put(workspace, now_));
  own.models = {"c/z", "a/x", "b/y"};
  ASSERT_TRUE(store_->aliases().put(own, now_));
  store_->reopen();
  EXPECT_THAT(store_->aliases().list().value(), ElementsAre(workspace, own));
}

TEST_P(AliasStoreContract, AliasesNeedAnOwnerWhoIsThereAndCanBeTakenBack) {
  const route::Alias nobodys{.owner = OwnerId{99}, .name = "fast", .models = {"a/x"}};
  EXPECT_EQ(store_->aliases().put(nobodys, now_).error(), route::AliasStoreError::not_found);
  const route::Alias own{.owner = owner(), .name = "fast", .models = {"a/x"}};
  ASSERT_TRUE(store_->aliases().put(own, now_));
  EXPECT_EQ(store_->aliases().remove({}, "fast").error(), route::AliasStoreError::not_found);
  ASSERT_TRUE(store_->aliases().remove(own.owner, "fast"));
  EXPECT_THAT(store_->aliases().list().value(), IsEmpty());
}

class LocalModelStoreContract : public StoreContract {
 protected:
  LocalModel model(OwnerId owner, std::string name) {
    LocalModel model;
    model.owner = owner;
    model.name = std::move(name);
    model.path = "/models/a b\xff.gguf";
    model.bytes = 5'000'000'000;
    model.architecture = "llama";
    model.context_tokens = 8192;
    model.options.threads = 3;
    model.options.chat_template = "chatml";
    model.options.lora_files = {"/models/lora.gguf"};
    model.created_at = now_;
    return model;
  }
};
CLAVIGER_OVER_ALL_STORES(LocalModelStoreContract);

TEST_P(LocalModelStoreContract, AModelComesBackWithItsOptions) {
  const LocalModel added = store_->local_models().add(model(owner(), "small")).value();
  EXPECT_FALSE(added.id.is_none());
  store_->reopen();
  EXPECT_THAT(store_->local_models().list().value(), ElementsAre(added));
  EXPECT_EQ(store_->local_models().find(added.owner, "small").value(), added);
  EXPECT_EQ(store_->local_models().find(added.owner, "other").value(), std::nullopt);
  EXPECT_EQ(store_->local_models().find(OwnerId{99}, "small").value(), std::nullopt);
}

TEST_P(LocalModelStoreContract, NamesAreUniquePerOwner) {
  const OwnerId ada = owner("ada");
  ASSERT_TRUE(store_->local_models().add(model(ada, "small")));
  EXPECT_EQ(store_->local_models().add(model(ada, "small")).error(), LocalModelStoreError::exists);
  EXPECT_TRUE(store_->local_models().add(model(owner("bob"), "small")));
  EXPECT_EQ(store_->local_models().add(model(OwnerId{99}, "small")).error(),
            LocalModelStoreError::not_found);
}

TEST_P(LocalModelStoreContract, ARemovedModelIsGoneAndItsIdIsNotUsedAgain) {
  const LocalModel first = store_->local_models().add(model(owner(), "small")).value();
  ASSERT_TRUE(store_->local_models().remove(first.id));
  EXPECT_EQ(store_->local_models().remove(first.id).error(), LocalModelStoreError::not_found);
  EXPECT_THAT(store_->local_models().list().value(), IsEmpty());
  EXPECT_NE(store_->local_models().add(model(first.owner, "small")).value().id, first.id);
}

}  // namespace
}  // namespace claviger::store

/// Prices that owners state: for their own contract, endpoint or model file.

#include <fmt/format.h>

#include "console/fields.h"
#include "console/json_out.h"
#include "console/routes.h"

namespace claviger::console {
namespace {

constexpr std::size_t kModelBytesMax = 256;

std::string to_json(const Registry& registry, const catalog::OwnerPrice& stated) {
  return JsonObject()
      .text("owner", registry.name_of(stated.owner))
      .id("owner_id", stated.owner)
      .text("model", stated.model)
      .rate("input_usd_per_million", stated.price.input)
      .rate("output_usd_per_million", stated.price.output)
      .rate("cached_input_usd_per_million", stated.price.cached_input)
      .time("stated_at", stated.stated_at)
      .finish();
}

std::unexpected<Problem> of_price_store(catalog::OwnerPriceError error, std::string_view model) {
  if (error == catalog::OwnerPriceError::not_found) {
    return problem(404, "unknown_price", fmt::format("no price of \"{}\" was stated", model),
                   "\"claviger model prices\" shows those that were");
  }
  return store_unavailable();
}

/// The model as `provider/model`; `mdl_3` and a bare name are a model file's.
Outcome<std::string> full_model(const Registry& registry, const std::string& named) {
  if (named.size() > kModelBytesMax) {
    return bad_value("model", "it is longer than 256 bytes", "send provider/model");
  }
  if (named.find('/') != std::string::npos) {
    if (named.starts_with('/') || named.ends_with('/')) {
      return bad_value("model", fmt::format("\"{}\" is no model", named), "send provider/model");
    }
    return named;
  }
  const auto local = registry.local_model(named);
  if (!local) {
    return bad_value("model", fmt::format("\"{}\" is no model", named),
                     "send provider/model, e.g. local/smollm2-135m-instruct");
  }
  return "local/" + (*local)->name;
}

/// Whose price it is. A model file's owner need not be said.
Outcome<OwnerId> price_owner(const Registry& registry, const std::string& owner_text,
                             const std::string& model_text) {
  if (!owner_text.empty()) {
    const auto owner = registry.owner(owner_text);
    if (!owner) return std::unexpected(owner.error());
    return (*owner)->id;
  }
  if (model_text.starts_with("local/") || model_text.find('/') == std::string::npos) {
    const auto local = registry.local_model(model_text);
    if (!local) return std::unexpected(local.error());
    return (*local)->owner;
  }
  return problem(422, "comes_later",
                 "prices of the whole workspace cannot be stated yet, only those of an owner",
                 "say whose price it is: --owner NAME (field owner)");
}

}  // namespace

Task<Outcome<Reply>> list_prices(Registry& registry, Call& call) {
  if (auto checked = call.check_query({}); !checked) co_return std::unexpected(checked.error());
  const auto prices = registry.parts.prices.list();
  if (!prices) co_return store_unavailable();
  co_return Reply{.body = list_of(*prices, [&](const catalog::OwnerPrice& stated) {
                    return to_json(registry, stated);
                  })};
}

Task<Outcome<Reply>> put_price(Registry& registry, Call& call) {
  Fields fields(call.request.body);
  const std::string owner_text = fields.text_if_any("owner");
  const std::string model_text = fields.text("model");
  const PicoUsdPerUnit input = fields.rate("input_usd_per_million");
  const PicoUsdPerUnit output = fields.rate("output_usd_per_million");
  const PicoUsdPerUnit cached = fields.rate_if_any("cached_input_usd_per_million").value_or(input);
  if (auto read = fields.finish(); !read) co_return std::unexpected(read.error());
  const auto owner = price_owner(registry, owner_text, model_text);
  if (!owner) co_return std::unexpected(owner.error());
  const auto model = full_model(registry, model_text);
  if (!model) co_return std::unexpected(model.error());

  // Who writes to a cache pays at least for reading the input.
  catalog::OwnerPrice stated{
      .owner = *owner, .model = *model, .price = {}, .stated_at = registry.parts.clock.wall_now()};
  stated.price.input = stated.price.cache_write = stated.price.cache_write_1h = input;
  stated.price.cached_input = cached;
  stated.price.output = output;
  stated.price.source = "owner";
  if (auto put = registry.parts.prices.put(stated); !put) {
    co_return of_price_store(put.error(), *model);
  }
  if (auto put = co_await registry.put_in_force(Touched::anything_else); !put) {
    co_return std::unexpected(put.error());
  }
  co_return Reply{.body = to_json(registry, stated)};
}

Task<Outcome<Reply>> remove_price(Registry& registry, Call& call) {
  if (auto checked = call.check_query({"owner", "model"}); !checked) {
    co_return std::unexpected(checked.error());
  }
  const std::string model_text(call.asked("model"));
  if (model_text.empty()) {
    co_return problem(400, "missing_parameter", "the query parameter \"model\" is missing",
                      "send DELETE /prices?owner=NAME&model=provider/model");
  }
  const auto owner = price_owner(registry, std::string(call.asked("owner")), model_text);
  if (!owner) co_return std::unexpected(owner.error());
  const auto model = full_model(registry, model_text);
  if (!model) co_return std::unexpected(model.error());
  if (auto done = registry.parts.prices.remove(*owner, *model); !done) {
    co_return of_price_store(done.error(), *model);
  }
  if (auto put = co_await registry.put_in_force(Touched::anything_else); !put) {
    co_return std::unexpected(put.error());
  }
  co_return Reply{.body = JsonObject().id("owner_id", *owner).text("model", *model).finish()};
}

}  // namespace claviger::console

/// Prices that owners state: for their own contract, endpoint or model file.

#include <fmt/format.h>

#include "catalog/price_row.h"
#include "console/fields.h"
#include "console/json_out.h"
#include "console/routes.h"

namespace claviger::console {
namespace {

constexpr std::size_t kModelBytesMax = 256;

/// Bounds what is kept of one price; a card with every rate and ten tiers is a tenth of it.
constexpr std::size_t kCardBytesMax = 16384;

std::string to_json(const Registry& registry, const catalog::OwnerPrice& stated) {
  const bool is_workspace = stated.owner.is_none();
  return JsonObject()
      .text("owner", is_workspace ? "workspace" : registry.name_of(stated.owner))
      .id("owner_id", stated.owner)
      .text("model", stated.model)
      .rate("input_usd_per_million", stated.price.input)
      .rate("output_usd_per_million", stated.price.output)
      .rate("cached_input_usd_per_million", stated.price.cached_input)
      .truth("ceiling", stated.price.kind == catalog::PriceKind::upper_bound)
      .raw("card", catalog::write_stated_price(stated.price))
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

/// Who says it.
struct Sayer {
  std::string owner;
  bool is_workspace = false;
};

/// Whose price it is. A model file's owner need not be said.
Outcome<OwnerId> price_owner(const Registry& registry, const Sayer& sayer,
                             const std::string& model_text) {
  if (sayer.is_workspace && !sayer.owner.empty()) {
    return bad_value("workspace", "an owner is named too",
                     "say --owner NAME or --workspace, not both");
  }
  if (sayer.is_workspace) return OwnerId{};
  if (!sayer.owner.empty()) {
    const auto owner = registry.owner(sayer.owner);
    if (!owner) return std::unexpected(owner.error());
    return (*owner)->id;
  }
  if (model_text.starts_with("local/") || model_text.find('/') == std::string::npos) {
    const auto local = registry.local_model(model_text);
    if (!local) return std::unexpected(local.error());
    return (*local)->owner;
  }
  return problem(400, "missing_field", "it is not said whose price this is",
                 "say --owner NAME (field owner), or --workspace (field workspace) for the "
                 "workspace's own credentials");
}

/// The price by its fields, or as a whole in `card`.
Outcome<catalog::Price> stated_price(Fields& fields) {
  const std::string card = fields.text_if_any("card");
  const bool is_ceiling = fields.truth_if_any("ceiling");
  catalog::Price price;
  if (!card.empty()) {
    if (card.size() > kCardBytesMax) {
      return bad_value("card", "it is longer than 16384 bytes", "leave out what is not needed");
    }
    auto read = catalog::read_stated_price(card);
    if (!read) {
      return bad_value("card", fmt::format("it {}", read.error()),
                       "send a JSON object with the keys of a price row, e.g. "
                       "{\"input\": \"3\", \"output\": \"15\"}");
    }
    price = std::move(*read);
  } else {
    price.input = fields.rate("input_usd_per_million");
    price.output = fields.rate("output_usd_per_million");
    price.cached_input = fields.rate_if_any("cached_input_usd_per_million").value_or(price.input);
    // Who writes to a cache pays at least for reading the input.
    price.cache_write = fields.rate_if_any("cache_write_usd_per_million").value_or(price.input);
    price.cache_write_1h =
        fields.rate_if_any("cache_write_1h_usd_per_million").value_or(price.cache_write);
  }
  if (is_ceiling) price.kind = catalog::PriceKind::upper_bound;
  price.source = "owner";
  return price;
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
  const Sayer sayer{.owner = fields.text_if_any("owner"),
                    .is_workspace = fields.truth_if_any("workspace")};
  const std::string model_text = fields.text("model");
  const auto price = stated_price(fields);
  if (!price) co_return std::unexpected(price.error());
  if (auto read = fields.finish(); !read) co_return std::unexpected(read.error());
  const auto owner = price_owner(registry, sayer, model_text);
  if (!owner) co_return std::unexpected(owner.error());
  const auto model = full_model(registry, model_text);
  if (!model) co_return std::unexpected(model.error());

  const catalog::OwnerPrice stated{.owner = *owner,
                                   .model = *model,
                                   .price = *price,
                                   .stated_at = registry.parts.clock.wall_now()};
  if (auto put = registry.parts.prices.put(stated); !put) {
    co_return of_price_store(put.error(), *model);
  }
  if (auto put = co_await registry.put_in_force(Touched::anything_else); !put) {
    co_return std::unexpected(put.error());
  }
  co_return Reply{.body = to_json(registry, stated)};
}

Task<Outcome<Reply>> remove_price(Registry& registry, Call& call) {
  if (auto checked = call.check_query({"owner", "workspace", "model"}); !checked) {
    co_return std::unexpected(checked.error());
  }
  const std::string model_text(call.asked("model"));
  if (model_text.empty()) {
    co_return problem(400, "missing_parameter", "the query parameter \"model\" is missing",
                      "send DELETE /prices?owner=NAME&model=provider/model");
  }
  const Sayer sayer{.owner = std::string(call.asked("owner")),
                    .is_workspace = call.asked("workspace") == "true"};
  const auto owner = price_owner(registry, sayer, model_text);
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

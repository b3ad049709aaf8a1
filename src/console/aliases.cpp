/// Names of one's own for models, with what stands in for them.

#include <fmt/format.h>

#include <algorithm>

#include "console/fields.h"
#include "console/json_out.h"
#include "console/routes.h"

namespace claviger::console {
namespace {

constexpr std::size_t kModelBytesMax = 256;

std::string to_json(const Registry& registry, const route::Alias& alias) {
  return JsonObject()
      .text("name", alias.name)
      .text("owner", registry.name_of(alias.owner))
      .texts("models", alias.models)
      .text("rotation", to_string(alias.rotation))
      .finish();
}

std::unexpected<Problem> of_alias_store(route::AliasStoreError error, std::string_view name) {
  if (error == route::AliasStoreError::not_found) return unknown("alias", name);
  return store_unavailable();
}

/// None: the workspace's.
Outcome<OwnerId> alias_owner(const Registry& registry, const std::string& text) {
  if (text.empty()) return OwnerId{};
  const auto owner = registry.owner(text);
  if (!owner) return std::unexpected(owner.error());
  return (*owner)->id;
}

Outcome<void> check_models(const route::Alias& alias) {
  if (alias.models.empty() || alias.models.size() > route::kAliasModelsMax) {
    return bad_value("models",
                     fmt::format("{} models are named, and a list has 1 to {}", alias.models.size(),
                                 route::kAliasModelsMax),
                     "send the preferred model first, then what stands in for it");
  }
  for (const std::string& model : alias.models) {
    const bool is_plain =
        std::ranges::all_of(model, [](unsigned char c) { return c > ' ' && c != 0x7F; });
    const std::size_t slash = model.find('/');
    const bool is_full =
        slash != std::string::npos && slash > 0 && slash + 1 < model.size() && is_plain;
    if (!is_full || model.size() > kModelBytesMax) {
      return bad_value("models", fmt::format("\"{}\" is no model", model),
                       "send provider/model, e.g. openai/gpt-4o-mini");
    }
    if (std::ranges::count(alias.models, model) > 1) {
      return bad_value("models", fmt::format("\"{}\" is named twice", model), "name it once");
    }
  }
  return {};
}

}  // namespace

Task<Outcome<Reply>> list_aliases(Registry& registry, Call& call) {
  if (auto checked = call.check_query({}); !checked) co_return std::unexpected(checked.error());
  const auto aliases = registry.parts.aliases.list();
  if (!aliases) co_return store_unavailable();
  co_return Reply{.body = list_of(*aliases, [&](const route::Alias& alias) {
                    return to_json(registry, alias);
                  })};
}

Task<Outcome<Reply>> put_alias(Registry& registry, Call& call) {
  Fields fields(call.request.body);
  route::Alias alias;
  const std::string owner_text = fields.text_if_any("owner");
  alias.name = fields.text("name");
  alias.models = fields.texts_if_any("models");
  const std::string rotation_text = fields.text_if_any("rotation");
  if (auto read = fields.finish(); !read) co_return std::unexpected(read.error());
  const auto owner = alias_owner(registry, owner_text);
  if (!owner) co_return std::unexpected(owner.error());
  alias.owner = *owner;
  if (!route::is_alias_name(alias.name)) {
    co_return bad_value("name", fmt::format("\"{}\" is no name for an alias", alias.name),
                        "use letters, digits, '.', '_', '-' and ':'; a '/' belongs to full names");
  }
  if (auto checked = check_models(alias); !checked) co_return std::unexpected(checked.error());
  const auto rotation = route::rotation_of(rotation_text.empty() ? "order" : rotation_text);
  if (!rotation) {
    co_return bad_value("rotation", fmt::format("\"{}\" is not known", rotation_text),
                        "use order (the first as long as it works), round-robin or least-used");
  }
  alias.rotation = *rotation;

  if (auto put = registry.parts.aliases.put(alias, registry.parts.clock.wall_now()); !put) {
    co_return of_alias_store(put.error(), alias.name);
  }
  if (auto put = co_await registry.put_in_force(Touched::anything_else); !put) {
    co_return std::unexpected(put.error());
  }
  co_return Reply{.body = to_json(registry, alias)};
}

Task<Outcome<Reply>> remove_alias(Registry& registry, Call& call) {
  if (auto checked = call.check_query({"owner"}); !checked) {
    co_return std::unexpected(checked.error());
  }
  const auto owner = alias_owner(registry, std::string(call.asked("owner")));
  if (!owner) co_return std::unexpected(owner.error());
  const std::string& name = call.parts.at(0);
  if (auto done = registry.parts.aliases.remove(*owner, name); !done) {
    co_return of_alias_store(done.error(), name);
  }
  if (auto put = co_await registry.put_in_force(Touched::anything_else); !put) {
    co_return std::unexpected(put.error());
  }
  co_return Reply{.body = JsonObject().text("name", name).finish()};
}

}  // namespace claviger::console

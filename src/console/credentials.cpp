/// Credentials: what owners bring to reach a provider. Adding and changing them; trying one out
/// is in credential_check.cpp.

#include <fmt/format.h>

#include <algorithm>

#include "catalog/price_book.h"
#include "console/fields.h"
#include "console/json_out.h"
#include "console/routes.h"
#include "console/text_forms.h"
#include "net/egress.h"

namespace claviger::console {
namespace {

JsonObject about(const Registry& registry, const vault::Credential& credential) {
  JsonObject json;
  json.id("id", credential.id)
      .text_or_null("owner", registry.name_of(credential.owner))
      .id("owner_id", credential.owner)
      .text("provider", credential.provider)
      .text("name", credential.name)
      .text_or_null("base_url", credential.base_url)
      .truth("has_key", credential.has_key)
      .text_or_null("hint", credential.hint)
      .truth("disabled", credential.disabled)
      .truth("allows_unbounded", credential.allows_unbounded)
      .truth("tampered", false)
      .time("created_at", credential.created_at);
  const auto history = registry.parts.keys.of(credential.id).value_or(record::KeyHistory{});
  json.time("worked_at", history.worked_at)
      .time("refused_at", history.failed_at)
      .text_or_null("refused_for", history.failure);
  return json;
}

/// Of a row that does not open only the id can be trusted.
std::string about_tampered(CredentialId id) {
  return JsonObject()
      .id("id", id)
      .null("owner")
      .null("owner_id")
      .null("provider")
      .null("name")
      .null("base_url")
      .truth("has_key", true)
      .null("hint")
      .truth("disabled", true)
      .truth("allows_unbounded", false)
      .truth("tampered", true)
      .null("created_at")
      .null("worked_at")
      .null("refused_at")
      .null("refused_for")
      .finish();
}

Outcome<const provider::Profile*> find_profile(const Registry& registry, std::string_view named) {
  const std::string_view id = catalog::canonical_provider(named);
  const provider::Profile* const profile = registry.parts.profiles->find(id);
  if (profile != nullptr && id != "local") return profile;
  if (id == "local") {
    return problem(400, "unknown_provider", "model files of one's own need no credential",
                   "add the file with: claviger model add --owner NAME --file model.gguf");
  }
  std::string known;
  for (const provider::Profile& candidate : registry.parts.profiles->all()) {
    if (candidate.id == "local") continue;
    known += known.empty() ? "" : ", ";
    known += candidate.id;
  }
  return problem(404, "unknown_provider", fmt::format("there is no provider \"{}\"", named),
                 fmt::format("use one of: {}. Any other server that speaks OpenAI's dialect: "
                             "openai-compatible with a base URL",
                             known));
}

/// Where the key will be sent, and whether that host and port has to be opened for it.
struct Place {
  std::string base_url;  ///< Empty: the profile's own.
  std::optional<net::EgressAllowance> to_open;
};

Outcome<Place> check_place(const provider::Profile& profile, std::string_view base_url,
                           bool allow_private) {
  if (base_url.empty() && profile.base_url.empty()) {
    return problem(400, "missing_field",
                   fmt::format("the provider \"{}\" has no address of its own", profile.id),
                   "give one: --base-url https://host/v1 (field base_url)");
  }
  const auto url = net::parse_base_url(base_url.empty() ? profile.base_url : base_url);
  if (!url) return bad_value("base_url", url.error(), "correct it");
  if (base_url.size() > vault::kBaseUrlBytesMax) {
    return bad_value("base_url", "it is longer than 2048 bytes", "send a shorter one");
  }
  const net::Endpoint& endpoint = url->endpoint;
  const bool is_private = is_private_host(endpoint.host);
  if (is_private && !allow_private) {
    return problem(
        422, "private_address",
        fmt::format("{} is in a private network, which is closed to requests", endpoint.text()),
        "if you run this server and want it reached, add --allow-private "
        "(allow_private: true): it opens exactly this host and port");
  }
  if (!endpoint.use_tls && !allow_private) {
    return problem(422, "https_required",
                   fmt::format("http:// to {} would send the key in the clear", endpoint.text()),
                   "use https://; for a host in your own network add --allow-private");
  }
  Place place{.base_url = std::string(base_url), .to_open = std::nullopt};
  if (allow_private) place.to_open = {.host = endpoint.host, .port = endpoint.port};
  return place;
}

/// `openai`, or `openai-2` where that owner has one already.
std::string free_name(const Registry& registry, OwnerId owner, const std::string& provider) {
  const auto is_taken = [&](const std::string& name) {
    return std::ranges::any_of(registry.world().credentials->entries(), [&](const auto& entry) {
      return entry.about.owner == owner && entry.about.name == name;
    });
  };
  std::string name = provider;
  for (int number = 2; is_taken(name); ++number) name = fmt::format("{}-{}", provider, number);
  return name;
}

/// What an endpoint of one's own is called stands before the `/` of its models' names.
Outcome<void> check_credential_name(std::string_view name) {
  auto fault = fault_of_name(name);
  if (!fault && name.find('/') != std::string_view::npos) fault = "it holds a /";
  if (fault) {
    return bad_value("name", fmt::format("this is no name: {}", *fault),
                     "choose one of 1 to 128 printable characters without /");
  }
  return {};
}

Outcome<OwnerId> owner_or_workspace(const Registry& registry, std::string_view named) {
  if (named.empty()) return OwnerId{};
  const auto owner = registry.owner(named);
  if (!owner) return std::unexpected(owner.error());
  return (*owner)->id;
}

/// What an earlier key met says nothing of a new one.
void forget_history(Registry& registry, CredentialId id) {
  registry.parts.keys.forget(id, registry.parts.clock.wall_now());
  // A row that stays behind is replaced by what the new key does; of a credential that is gone,
  // nobody asks.
  [[maybe_unused]] const auto removed = registry.parts.key_histories.remove(id);
}

using Change = vault::Result<void> (vault::Vault::*)(CredentialId, bool);

Task<Outcome<Reply>> change(Registry& registry, Call& call, Change what, bool wanted) {
  const auto entry = registry.credential(call.parts[0]);
  if (!entry) co_return std::unexpected(entry.error());
  const CredentialId id = (*entry)->about.id;
  if (auto done = (registry.parts.vault.*what)(id, wanted); !done) {
    co_return of_vault(done.error(), call.parts[0]);
  }
  if (auto put = co_await registry.put_in_force(Touched::credentials); !put) {
    co_return std::unexpected(put.error());
  }
  const auto changed = registry.credential(call.parts[0]);
  if (!changed) co_return std::unexpected(changed.error());
  co_return Reply{.body = about(registry, (*changed)->about).finish()};
}

}  // namespace

Task<Outcome<Reply>> list_credentials(Registry& registry, Call& call) {
  if (auto checked = call.check_query({}); !checked) co_return std::unexpected(checked.error());
  JsonArray data;
  for (const auto& entry : registry.world().credentials->entries()) {
    data.add(about(registry, entry.about).finish());
  }
  for (const CredentialId id : registry.parts.vault.tampered()) data.add(about_tampered(id));
  co_return Reply{.body = JsonObject().raw("data", data.finish()).finish()};
}

Task<Outcome<Reply>> add_credential(Registry& registry, Call& call) {
  Fields fields(call.request.body);
  const std::string owner_text = fields.text_if_any("owner");
  const std::string provider = fields.text("provider");
  std::string name = fields.text_if_any("name");
  const std::string base_url = fields.text_if_any("base_url");
  const bool allow_private = fields.truth_if_any("allow_private");
  const bool brings_key = fields.has("key");
  Secret key = fields.secret_if_any("key");
  if (auto read = fields.finish(); !read) co_return std::unexpected(read.error());

  const auto owner = owner_or_workspace(registry, owner_text);
  if (!owner) co_return std::unexpected(owner.error());
  const auto profile = find_profile(registry, provider);
  if (!profile) co_return std::unexpected(profile.error());
  auto place = check_place(**profile, base_url, allow_private);
  if (!place) co_return std::unexpected(place.error());
  if (name.empty()) name = free_name(registry, *owner, (*profile)->id);
  if (auto checked = check_credential_name(name); !checked) {
    co_return std::unexpected(checked.error());
  }
  if (key.empty() && (brings_key || (*profile)->key_required)) {
    co_return bad_value("key",
                        fmt::format("{} needs a key, and this one is empty", (*profile)->title),
                        "send the provider's key; on the command line with --key-stdin or "
                        "--key-env VARIABLE");
  }
  const bool has_key = !key.empty();
  const auto added = registry.parts.vault.add({.owner = *owner,
                                               .provider = (*profile)->id,
                                               .name = name,
                                               .base_url = place->base_url,
                                               .has_key = has_key,
                                               .created_at = registry.parts.clock.wall_now()},
                                              std::move(key));
  if (!added) co_return of_vault(added.error(), name);
  if (place->to_open) {
    const auto opened = registry.parts.egress_allowances.add(
        {.credential = added->id, .host = place->to_open->host, .port = place->to_open->port});
    if (!opened) {
      // A credential that cannot be reached helps nobody: all or nothing.
      [[maybe_unused]] const auto undone = registry.parts.vault.remove(added->id);
      co_return store_unavailable();
    }
  }
  if (auto put = co_await registry.put_in_force(Touched::credentials); !put) {
    co_return std::unexpected(put.error());
  }
  JsonObject json = about(registry, *added);
  if (place->to_open) {
    const net::Endpoint opened{.host = place->to_open->host, .port = place->to_open->port};
    json.text("opened_for_egress", opened.text());
  } else {
    json.null("opened_for_egress");
  }
  co_return Reply{.status = 201, .body = json.finish()};
}

Task<Outcome<Reply>> rotate_credential(Registry& registry, Call& call) {
  Fields fields(call.request.body);
  Secret key = fields.secret("key");
  if (auto read = fields.finish(); !read) co_return std::unexpected(read.error());
  const auto entry = registry.credential(call.parts[0]);
  if (!entry) co_return std::unexpected(entry.error());
  const auto rotated = registry.parts.vault.rotate_key((*entry)->about.id, std::move(key));
  if (!rotated) co_return of_vault(rotated.error(), call.parts[0]);
  forget_history(registry, rotated->id);
  if (auto put = co_await registry.put_in_force(Touched::credentials); !put) {
    co_return std::unexpected(put.error());
  }
  co_return Reply{.body = about(registry, *rotated).finish()};
}

Task<Outcome<Reply>> disable_credential(Registry& registry, Call& call) {
  return change(registry, call, &vault::Vault::set_disabled, true);
}

Task<Outcome<Reply>> enable_credential(Registry& registry, Call& call) {
  return change(registry, call, &vault::Vault::set_disabled, false);
}

Task<Outcome<Reply>> set_credential(Registry& registry, Call& call) {
  Fields fields(call.request.body);
  const bool says_something = fields.has("allow_unbounded");
  const bool allow_unbounded = fields.truth_if_any("allow_unbounded");
  if (auto read = fields.finish(); !read) co_return std::unexpected(read.error());
  if (!says_something) {
    co_return problem(400, "missing_field", "nothing is said that could be set",
                      "send allow_unbounded: true or false");
  }
  co_return co_await change(registry, call, &vault::Vault::set_allows_unbounded, allow_unbounded);
}

Task<Outcome<Reply>> remove_credential(Registry& registry, Call& call) {
  const auto id = CredentialId::parse(call.parts[0]);
  if (!id) co_return unknown("credential", call.parts[0]);
  const auto entry = registry.credential(call.parts[0]);
  // One that does not open can be removed, too: that is what one does with it.
  const std::string removed =
      entry ? about(registry, (*entry)->about).finish() : about_tampered(*id);
  if (auto done = registry.parts.vault.remove(*id); !done) {
    co_return of_vault(done.error(), call.parts[0]);
  }
  forget_history(registry, *id);
  if (auto put = co_await registry.put_in_force(Touched::credentials); !put) {
    co_return std::unexpected(put.error());
  }
  co_return Reply{.body = removed};
}

}  // namespace claviger::console

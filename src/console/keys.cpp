/// Virtual keys, which callers present, and admin keys, which open this API.

#include <fmt/format.h>

#include <algorithm>

#include "access/key_format.h"
#include "console/fields.h"
#include "console/json_out.h"
#include "console/routes.h"
#include "console/text_forms.h"

namespace claviger::console {
namespace {

constexpr std::size_t kPatternsMax = 64;
constexpr std::size_t kPatternBytesMax = 256;

JsonObject about(const Registry& registry, const access::VirtualKey& key) {
  JsonObject json;
  json.id("id", key.id)
      .text("hint", key.hint)
      .text("owner", registry.name_of(key.owner))
      .id("owner_id", key.owner)
      .text("app", registry.name_of(key.app))
      .id("app_id", key.app)
      .texts("models", key.models)
      .time("expires_at", key.expires_at)
      .number("requests_per_minute", key.limits.requests_per_minute)
      .number("tokens_per_minute", key.limits.tokens_per_minute)
      .number("concurrent_requests", key.limits.concurrent_requests)
      .time("created_at", key.created_at)
      .time("revoked_at", key.revoked_at);
  return json;
}

JsonObject about(const access::AdminKey& key) {
  JsonObject json;
  json.id("id", key.id)
      .text("name", key.name)
      .text("hint", key.hint)
      .time("created_at", key.created_at)
      .time("revoked_at", key.revoked_at);
  return json;
}

Outcome<void> check_patterns(const std::vector<std::string>& patterns) {
  if (patterns.size() > kPatternsMax) {
    return bad_value(
        "models", "there are too many patterns",
        fmt::format("send at most {}; * stands for any run of characters", kPatternsMax));
  }
  for (const std::string& pattern : patterns) {
    const bool is_printable = std::ranges::all_of(
        pattern, [](char c) { return static_cast<unsigned char>(c) > 0x20 && c != 0x7F; });
    if (pattern.empty() || pattern.size() > kPatternBytesMax || !is_printable) {
      return bad_value("models", "one of the patterns is empty, too long, or holds a blank",
                       "send patterns such as openai/* or local/smollm2-135m-instruct");
    }
  }
  return {};
}

Outcome<std::optional<WallTime>> read_expiry(std::string_view text, WallTime now) {
  if (text.empty()) return std::optional<WallTime>();
  const auto expires_at = parse_time(text);
  if (!expires_at) {
    return bad_value("expires_at", fmt::format("\"{}\" is no time", text),
                     "send a date like 2026-12-31 or a time like 2026-12-31T18:00:00Z");
  }
  if (*expires_at <= now) {
    return bad_value("expires_at", fmt::format("{} is in the past", text), "send a later time");
  }
  return expires_at;
}

}  // namespace

Task<Outcome<Reply>> list_keys(Registry& registry, Call& call) {
  if (auto checked = call.check_query({}); !checked) co_return std::unexpected(checked.error());
  JsonArray data;
  for (const access::VirtualKey& key : registry.keys()) data.add(about(registry, key).finish());
  co_return Reply{.body = JsonObject()
                              .truth("disabled", registry.parts.operations.are_keys_disabled())
                              .raw("data", data.finish())
                              .finish()};
}

Task<Outcome<Reply>> add_key(Registry& registry, Call& call) {
  Fields fields(call.request.body);
  const std::string owner_text = fields.text("owner");
  const std::string app_text = fields.text("app");
  access::VirtualKey key;
  if (registry.parts.operations.are_keys_disabled()) {
    co_return problem(409, "keys_disabled",
                      "virtual keys are disabled, because a backup was restored",
                      "revoke those that should not work any more (claviger key list), then "
                      "confirm the others: claviger key confirm");
  }
  key.models = fields.texts_if_any("models");
  const std::string expiry_text = fields.text_if_any("expires_at");
  const auto pace = [&](std::string_view name) {
    return fields.number_if_any(name, 0, access::kPerMinuteMax).value_or(0);
  };
  key.limits = {.requests_per_minute = pace("requests_per_minute"),
                .tokens_per_minute = pace("tokens_per_minute"),
                .concurrent_requests = pace("concurrent_requests")};
  if (auto read = fields.finish(); !read) co_return std::unexpected(read.error());
  const auto owner = registry.owner(owner_text);
  if (!owner) co_return std::unexpected(owner.error());
  const auto app = registry.app(app_text);
  if (!app) co_return std::unexpected(app.error());
  if (auto checked = check_patterns(key.models); !checked) {
    co_return std::unexpected(checked.error());
  }
  key.created_at = registry.parts.clock.wall_now();
  const auto expiry = read_expiry(expiry_text, key.created_at);
  if (!expiry) co_return std::unexpected(expiry.error());
  key.expires_at = *expiry;
  key.owner = (*owner)->id;
  key.app = (*app)->id;

  const access::NewKey made = access::make_key(access::KeyType::virtual_key, registry.hash_key());
  key.hash = made.hash;
  key.hint = made.hint;
  const auto stored = registry.parts.access.add_key(std::move(key));
  if (!stored) co_return of_store(stored.error(), "owner", owner_text, "");
  if (auto done = co_await registry.put_in_force(Touched::anything_else); !done) {
    co_return std::unexpected(done.error());
  }
  co_return Reply{.status = 201,
                  .body = about(registry, *stored).secret("key", made.text.reveal()).finish()};
}

Task<Outcome<Reply>> revoke_key(Registry& registry, Call& call) {
  const auto key = registry.key(call.parts[0]);
  if (!key) co_return std::unexpected(key.error());
  const VirtualKeyId id = (*key)->id;
  if (!(*key)->revoked_at) {
    const auto done = registry.parts.access.revoke_key(id, registry.parts.clock.wall_now());
    if (!done) co_return of_store(done.error(), "key", call.parts[0], "");
    if (auto put = co_await registry.put_in_force(Touched::anything_else); !put) {
      co_return std::unexpected(put.error());
    }
  }
  const auto revoked = registry.key(id.text());
  if (!revoked) co_return std::unexpected(revoked.error());
  co_return Reply{.body = about(registry, **revoked).finish()};
}

Task<Outcome<Reply>> confirm_keys(Registry& registry, Call& call) {
  Fields fields(call.request.body);
  if (auto read = fields.finish(); !read) co_return std::unexpected(read.error());
  if (auto done = registry.parts.operations.confirm_keys(); !done) {
    co_return problem(503, "not_confirmed", done.error(), "see to it, and try again");
  }
  if (auto put = co_await registry.put_in_force(Touched::anything_else); !put) {
    co_return std::unexpected(put.error());
  }
  const auto in_force = std::ranges::count_if(
      registry.keys(), [](const access::VirtualKey& key) { return !key.revoked_at; });
  co_return Reply{.body = JsonObject().number("keys_in_force", in_force).finish()};
}

Task<Outcome<Reply>> list_admin_keys(Registry& registry, Call& call) {
  if (auto checked = call.check_query({}); !checked) co_return std::unexpected(checked.error());
  co_return Reply{.body = list_of(registry.directory().admin_keys(),
                                  [](const access::AdminKey& key) { return about(key).finish(); })};
}

Task<Outcome<Reply>> add_admin_key(Registry& registry, Call& call) {
  Fields fields(call.request.body);
  const std::string name = fields.text("name");
  if (auto read = fields.finish(); !read) co_return std::unexpected(read.error());
  if (const auto fault = fault_of_name(name)) {
    co_return bad_value("name", fmt::format("this is no name: {}", *fault),
                        "say who or what will use the key");
  }
  const access::NewKey made = access::make_key(access::KeyType::admin, registry.hash_key());
  const auto stored =
      registry.parts.access.add_admin_key({.name = name,
                                           .hash = made.hash,
                                           .hint = made.hint,
                                           .created_at = registry.parts.clock.wall_now()});
  if (!stored) co_return of_store(stored.error(), "admin-key", name, "");
  if (auto done = co_await registry.put_in_force(Touched::anything_else); !done) {
    co_return std::unexpected(done.error());
  }
  co_return Reply{.status = 201, .body = about(*stored).secret("key", made.text.reveal()).finish()};
}

Task<Outcome<Reply>> revoke_admin_key(Registry& registry, Call& call) {
  const auto id = AdminKeyId::parse(call.parts[0]);
  const auto& keys = registry.directory().admin_keys();
  const auto key = std::ranges::find_if(
      keys, [&](const access::AdminKey& candidate) { return id && candidate.id == *id; });
  if (key == keys.end()) co_return unknown("admin-key", call.parts[0]);
  if (key->revoked_at) co_return Reply{.body = about(*key).finish()};
  const auto in_force = std::ranges::count_if(
      keys, [](const access::AdminKey& candidate) { return !candidate.revoked_at; });
  if (in_force == 1) {
    co_return problem(409, "last_admin_key",
                      fmt::format("{} is the last admin key; without one nobody could "
                                  "administer this server from elsewhere",
                                  key->id.text()),
                      "make another one first: claviger admin-key create NAME");
  }
  access::AdminKey revoked = *key;
  revoked.revoked_at = registry.parts.clock.wall_now();
  const auto done = registry.parts.access.revoke_admin_key(revoked.id, *revoked.revoked_at);
  if (!done) co_return of_store(done.error(), "admin-key", call.parts[0], "");
  if (auto put = co_await registry.put_in_force(Touched::anything_else); !put) {
    co_return std::unexpected(put.error());
  }
  co_return Reply{.body = about(revoked).finish()};
}

}  // namespace claviger::console

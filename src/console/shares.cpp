/// Pages for support: making, listing and taking them back.

#include <fmt/format.h>

#include <algorithm>

#include "access/link_token.h"
#include "console/fields.h"
#include "console/routes.h"
#include "console/support_page.h"
#include "console/text_forms.h"

namespace claviger::console {
namespace {

Outcome<WallTime> read_expiry(std::string_view text, WallTime now) {
  if (text.empty()) return now + std::chrono::days(record::share_days_usual);
  const auto time = parse_time(text);
  if (!time || *time <= now || *time > now + std::chrono::days(record::share_days_max)) {
    return bad_value("expires_at", fmt::format("a page cannot be seen until \"{}\"", text),
                     fmt::format("send a time within the next {} days, like "
                                 "2026-01-31T10:00:00Z",
                                 record::share_days_max));
  }
  return *time;
}

std::string share_json(const record::Share& share) {
  return JsonObject()
      .id("id", share.id)
      .text("request", share.request.text())
      .time("created_at", share.created_at)
      .time("expires_at", share.expires_at)
      .finish();
}

}  // namespace

Task<Outcome<Reply>> add_share(Registry& registry, Call& call) {
  const auto id = read_request_id(call.parts[0]);
  if (!id) co_return std::unexpected(id.error());
  Fields fields(call.request.body);
  const std::string expiry = fields.text_if_any("expires_at");
  const bool is_probing = fields.truth_if_any("probe");
  if (auto read = fields.finish(); !read) co_return std::unexpected(read.error());
  const WallTime now = registry.parts.clock.wall_now();
  const auto expires_at = read_expiry(expiry, now);
  if (!expires_at) co_return std::unexpected(expires_at.error());
  const auto present = registry.parts.shares.list(now);
  if (!present) co_return store_unavailable();
  if (present->size() >= record::shares_max) {
    co_return problem(409, "too_many_shares",
                      fmt::format("{} pages are shared already", present->size()),
                      "take some back: claviger share list");
  }
  auto diagnosis = co_await diagnosis_of(registry, *id);
  if (!diagnosis) co_return std::unexpected(diagnosis.error());
  if (is_probing) co_await probe(registry, *diagnosis);
  conclude(*diagnosis);
  const std::string page = html_of(support_page_of(registry, *diagnosis, now, *expires_at));
  const access::NewLinkToken token = access::make_link_token(registry.hash_key());
  record::Share share{.id = {}, .request = *id, .created_at = now, .expires_at = *expires_at};
  const auto added = registry.parts.shares.add(share, token.hash, page);
  if (!added) co_return store_unavailable();
  share.id = *added;
  const auto status = registry.parts.operations.status();
  std::string url = status.listening.empty() ? std::string() : status.listening.front();
  url += kSharePath;
  url += token.text.reveal();
  JsonObject json;
  json.id("id", share.id)
      .text("request", share.request.text())
      .secret("url", url)
      .time("created_at", share.created_at)
      .time("expires_at", share.expires_at);
  wipe(url.data(), url.size());
  co_return Reply{.status = 201, .body = json.finish()};
}

Task<Outcome<Reply>> list_shares(Registry& registry, Call& call) {
  if (auto checked = call.check_query({}); !checked) co_return std::unexpected(checked.error());
  const auto shares = registry.parts.shares.list(registry.parts.clock.wall_now());
  if (!shares) co_return store_unavailable();
  co_return Reply{.body = list_of(*shares, share_json)};
}

Task<Outcome<Reply>> remove_share(Registry& registry, Call& call) {
  const auto id = record::ShareId::parse(call.parts[0]);
  if (!id) co_return unknown("share", call.parts[0]);
  const auto done = registry.parts.shares.take_back(*id, registry.parts.clock.wall_now());
  if (!done) {
    if (done.error() == record::RecordError::not_found) {
      co_return unknown("share", call.parts[0]);
    }
    co_return store_unavailable();
  }
  co_return Reply{.body = JsonObject().id("id", *id).finish()};
}

}  // namespace claviger::console

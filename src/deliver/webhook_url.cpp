#include "deliver/webhook_url.h"

#include <algorithm>

#include "alert/alert.h"

namespace claviger::deliver {

std::expected<WebhookUrl, std::string> parse_webhook_url(std::string_view url) {
  if (url.size() > alert::kTargetBytesMax) return std::unexpected("the URL is too long");
  const std::size_t mark = url.find('?');
  const std::string_view query = mark == std::string_view::npos ? "" : url.substr(mark);
  const auto base = net::parse_base_url(url.substr(0, mark));
  const bool is_clean = std::ranges::all_of(query, [](char c) {
    return c > ' ' && c < 0x7F && c != '#' && c != '\\' && c != '"' && c != '<' && c != '>';
  });
  if (!base || !is_clean) {
    return std::unexpected(
        "this is no URL for a webhook: it must be like https://example.com/path?query, without "
        "user info and fragment");
  }
  WebhookUrl found{.endpoint = base->endpoint, .target = base->path};
  // parse_base_url() drops slashes at the end, which a receiver may insist on.
  const std::string_view before = url.substr(0, mark);
  if (before.ends_with('/') && before.find('/', before.find("://") + 3) != std::string_view::npos) {
    found.target += '/';
  }
  if (found.target.empty()) found.target = "/";
  found.target += query;
  return found;
}

std::string shown_url(std::string_view url) {
  const auto parsed = parse_webhook_url(url);
  if (!parsed) return "(not a URL)";
  std::string shown = parsed->endpoint.use_tls ? "https://" : "http://";
  shown += parsed->endpoint.text();
  if (parsed->target != "/") shown += "/…";
  return shown;
}

}  // namespace claviger::deliver

#pragma once

/// Where a webhook goes. A URL with a query is fine, since chat systems put a token there; user
/// info and fragments are not.
///
/// Threads: plain functions.

#include <expected>
#include <string>
#include <string_view>

#include "net/egress.h"

namespace claviger::deliver {

struct WebhookUrl {
  net::Endpoint endpoint;
  std::string target;  ///< Path and query; `/` at least.
};

/// Error: a sentence that does not repeat the URL, which may be a secret in itself.
std::expected<WebhookUrl, std::string> parse_webhook_url(std::string_view url);

/// As a list may show it: scheme, host and port, and `/…` where there is more.
std::string shown_url(std::string_view url);

}  // namespace claviger::deliver

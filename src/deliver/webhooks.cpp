#include "deliver/webhooks.h"

#include <fmt/format.h>

#include <charconv>

#include "deliver/webhook_signature.h"
#include "deliver/webhook_url.h"
#include "net/http/write.h"
#include "net/provider_exchange.h"

namespace claviger::deliver {
namespace {

using alert::DeliveryOutcome;

DeliveryOutcome failed(std::string trouble) {
  return {.result = DeliveryOutcome::Result::failed,
          .trouble = std::move(trouble),
          .retry_after = std::nullopt};
}

/// Empty where it cannot be written.
std::string head_of(const WebhookUrl& url, const alert::Message& message, std::int64_t sent_at,
                    std::string_view signature, std::size_t body_bytes) {
  const bool is_usual_port = url.endpoint.port == (url.endpoint.use_tls ? 443 : 80);
  std::string host = url.endpoint.text();
  if (is_usual_port) host.resize(host.rfind(':'));
  std::string out;
  net::http::HeadWriter head(out);
  head.request("POST", url.target);
  head.header("host", host);
  head.header("user-agent", "claviger");
  head.header("content-type", "application/json");
  head.header("content-length", body_bytes);
  head.header("connection", "close");
  head.header("webhook-id", message.id);
  head.header("webhook-timestamp", static_cast<std::uint64_t>(sent_at));
  head.header("webhook-signature", signature);
  if (!head.finish()) out.clear();
  return out;
}

}  // namespace

DeliveryOutcome outcome_of(int status, std::string_view retry_after) {
  using Result = DeliveryOutcome::Result;
  if (status >= 200 && status < 300) {
    return {.result = Result::delivered, .trouble = {}, .retry_after = std::nullopt};
  }
  if (status == 410) {
    return {.result = Result::refused,
            .trouble = "the receiver answered 410: it is gone for good",
            .retry_after = std::nullopt};
  }
  if (status >= 300 && status < 400) {
    return failed(fmt::format(
        "the receiver answered {}: redirects are not followed; give the final URL", status));
  }
  DeliveryOutcome outcome = failed(fmt::format("the receiver answered {}", status));
  std::int64_t seconds = 0;
  const char* const end = retry_after.data() + retry_after.size();
  const auto [rest, error] = std::from_chars(retry_after.data(), end, seconds);
  if (error == std::errc() && rest == end && seconds > 0 && seconds < 1'000'000) {
    outcome.retry_after = std::chrono::seconds(seconds);
  }
  return outcome;
}

Task<DeliveryOutcome> Webhooks::post(const alert::Channel& channel, const alert::Message& message,
                                     Deadline deadline) {
  const auto url = parse_webhook_url(channel.target);
  if (!url) co_return failed(url.error());
  const auto secret = vault_.named_secret(signing_secret_name(channel.id), kSigningSecretBytes);
  if (!secret) {
    co_return failed(fmt::format("the channel's signing secret cannot be read. {}",
                                 vault::explain(secret.error())));
  }
  const std::string body = alert::to_json(message);
  const std::int64_t sent_at = unix_micros(clock_.wall_now()) / 1'000'000;
  const std::string head =
      head_of(*url, message, sent_at, sign(*secret, message.id, sent_at, body), body.size());
  if (head.empty()) co_return failed("the request cannot be written");

  auto stream = co_await egress_.connect(reactor_, url->endpoint, deadline);
  if (!stream) co_return failed(stream.error().message);
  net::ProviderExchange exchange(std::move(*stream));
  if (const auto sent = co_await exchange.send(head, body, deadline); !sent) {
    co_return failed(fmt::format("{} did not take the message ({})", url->endpoint.text(),
                                 net::to_string(sent.error())));
  }
  if (const auto read = co_await exchange.read_head("POST", deadline); !read) {
    co_return failed(read.error().malformed.empty()
                         ? fmt::format("{} did not answer ({})", url->endpoint.text(),
                                       net::to_string(read.error().io))
                         : fmt::format("{} answered, but not in HTTP/1.1", url->endpoint.text()));
  }
  // The status says it all; what else it has to say is not read.
  co_return outcome_of(exchange.head().status, exchange.head().value_of("retry-after"));
}

}  // namespace claviger::deliver

#include "console/provider_call.h"

#include <fmt/format.h>

#include "base/secret.h"
#include "net/http/write.h"
#include "net/provider_exchange.h"

namespace claviger::console {
namespace {

CallStage stage_of(net::ConnectStage stage) {
  switch (stage) {
    case net::ConnectStage::egress:
      return CallStage::egress;
    case net::ConnectStage::dns:
      return CallStage::dns;
    case net::ConnectStage::tcp:
      return CallStage::tcp;
    case net::ConnectStage::tls:
      return CallStage::tls;
  }
  return CallStage::tcp;
}

std::unexpected<CallFailure> failed(CallStage stage, std::string message) {
  return std::unexpected(CallFailure{.stage = stage, .message = std::move(message)});
}

std::unexpected<CallFailure> broken(const net::AnswerFailure& failure,
                                    const net::Endpoint& endpoint) {
  if (!failure.malformed.empty()) {
    return failed(CallStage::answer, fmt::format("{} answered, but not in HTTP/1.1: {}",
                                                 endpoint.text(), failure.malformed));
  }
  if (failure.io == net::IoError::timed_out) {
    return failed(CallStage::answer, fmt::format("{} took too long to answer", endpoint.text()));
  }
  return failed(CallStage::answer,
                fmt::format("{} broke off ({})", endpoint.text(), net::to_string(failure.io)));
}

/// Empty where a header cannot be written, e.g. a key with a line end.
std::string head_of(const ProviderCall& call) {
  const bool is_usual_port = call.endpoint.port == (call.endpoint.use_tls ? 443 : 80);
  std::string host = call.endpoint.unix_path.empty() ? call.endpoint.text() : "localhost";
  if (is_usual_port)
    host.resize(host.rfind(':') == std::string::npos ? host.size() : host.rfind(':'));
  std::string credentials;
  credentials.reserve(call.auth_prefix.size() + call.key.size());
  credentials.append(call.auth_prefix).append(call.key);

  std::string out;
  out.reserve(1024 + call.target.size() + credentials.size());
  net::http::HeadWriter head(out);
  head.request(call.method, call.target);
  head.header("host", host);
  head.header("user-agent", "claviger");
  head.header("accept", "application/json");
  head.header("connection", "close");
  for (const auto& [name, value] : call.extra_headers) head.outside_header(name, value);
  if (!call.key.empty()) head.outside_header(call.auth_header, credentials);
  if (!call.body.empty()) {
    head.header("content-type", "application/json");
    head.header("content-length", call.body.size());
  }
  const bool is_sound = head.finish();
  wipe(credentials.data(), credentials.size());
  if (!is_sound) {
    wipe(out.data(), out.size());
    out.clear();
  }
  return out;
}

}  // namespace

std::string_view to_string(CallStage stage) {
  switch (stage) {
    case CallStage::egress:
      return "egress";
    case CallStage::dns:
      return "dns";
    case CallStage::tcp:
      return "tcp";
    case CallStage::tls:
      return "tls";
    case CallStage::sending:
      return "sending";
    case CallStage::answer:
      return "answer";
  }
  return "unknown";
}

Task<std::expected<ProviderAnswer, CallFailure>> call_provider(net::Reactor& reactor,
                                                               net::Egress& egress,
                                                               const ProviderCall& call,
                                                               Deadline deadline) {
  auto stream = co_await egress.connect(reactor, call.endpoint, deadline);
  if (!stream) co_return failed(stage_of(stream.error().stage), stream.error().message);

  net::ProviderExchange exchange(std::move(*stream));
  std::string head = head_of(call);
  if (head.empty()) co_return failed(CallStage::sending, "the request cannot be written");
  const auto sent = co_await exchange.send(head, call.body, deadline);
  wipe(head.data(), head.size());
  if (!sent) {
    co_return failed(CallStage::sending,
                     fmt::format("{} did not take the request ({})", call.endpoint.text(),
                                 net::to_string(sent.error())));
  }
  if (const auto read = co_await exchange.read_head(call.method, deadline); !read) {
    co_return broken(read.error(), call.endpoint);
  }
  ProviderAnswer answer{.status = exchange.head().status, .body = {}};
  exchange.release_head();
  net::Buffer body;
  for (;;) {
    const auto count = co_await exchange.read_body(body, deadline);
    if (!count) co_return broken(count.error(), call.endpoint);
    if (*count == 0) break;
    if (body.size() > kProviderAnswerBytesMax) {
      co_return failed(CallStage::answer,
                       fmt::format("{} answered with more than 8 MiB", call.endpoint.text()));
    }
  }
  answer.body = body.bytes();
  co_return answer;
}

}  // namespace claviger::console

#include "cli/control_client.h"

#include <fmt/format.h>

#include <cstdlib>
#include <optional>

#include "base/secret.h"
#include "console/provider_call.h"
#include "console/text_forms.h"
#include "net/http/characters.h"
#include "net/tls.h"

namespace claviger::cli {
namespace {

/// Above the longest that the server itself takes: a model's probe, 180 s.
constexpr Duration kAnswerTimeMax = std::chrono::seconds(200);

Outcome<void> check_home(const ServerPlace& place) {
  std::error_code error;
  if (std::filesystem::exists(place.home / "claviger.toml", error)) return {};
  return refused(
      fmt::format("there is no home at {}; make one with: claviger init --home {}, or "
                  "name another with --home or CLAVIGER_HOME",
                  place.home.string(), place.home.string()));
}

using CallResult = std::optional<std::expected<console::ProviderAnswer, console::CallFailure>>;

Task<void> call_once(Network& network, const console::ProviderCall& request, CallResult& result) {
  net::Reactor& reactor = network.reactor();
  result.emplace(co_await console::call_provider(reactor, network.egress(), request,
                                                 reactor.after(kAnswerTimeMax)));
}

}  // namespace

Outcome<std::unique_ptr<Network>> Network::for_endpoint(const Clock& clock,
                                                        const net::Endpoint& endpoint) {
  std::shared_ptr<const net::TlsContext> tls;
  if (endpoint.use_tls) {
    auto context = net::TlsContext::for_providers();
    if (!context) return refused(context.error());
    tls = std::move(*context);
  }
  std::unique_ptr<Network> network(new Network());
  network->reactor_ = std::make_unique<net::Reactor>(clock);
  network->resolver_ = std::make_unique<net::Resolver>(clock);
  network->egress_ = std::make_unique<net::Egress>(*network->resolver_, std::move(tls));
  auto policy = std::make_shared<net::EgressPolicy>();
  policy->allow.push_back({.host = endpoint.host, .port = endpoint.port});
  network->egress_->set_policy(std::move(policy));
  return network;
}

Network::~Network() = default;

void Network::run(std::function<Task<void>()> work) {
  // Started by the reactor, so that it is the current one from the first step on.
  reactor_->post([this, &work] {
    spawn([](Task<void> task, net::Reactor& reactor) -> Task<void> {
      co_await task;
      reactor.stop();
    }(work(), *reactor_));
  });
  reactor_->run();
}

Outcome<net::BaseUrl> parse_server_url(const std::string& url) {
  auto parsed = net::parse_base_url(url);
  if (!parsed) return wrong_usage(fmt::format("--url: {}", parsed.error()));
  if (!parsed->endpoint.use_tls && !console::is_private_host(parsed->endpoint.host)) {
    return wrong_usage(fmt::format("--url {} would send your key in the clear; use https://", url));
  }
  return *parsed;
}

std::string percent_encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (net::http::is_unreserved_byte(c)) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

Outcome<ServerAnswer> ControlClient::call(std::string_view method, std::string_view target,
                                          std::string body) {
  console::ProviderCall request{.endpoint = {},
                                .method = std::string(method),
                                .target = fmt::format("/api/v1{}", target),
                                .auth_header = "authorization",
                                .auth_prefix = "Bearer ",
                                .key = {},
                                .body = std::move(body)};
  if (place_.url.empty()) {
    if (auto checked = check_home(place_); !checked) return std::unexpected(checked.error());
    request.endpoint.unix_path = place_.socket().string();
  } else {
    auto url = parse_server_url(place_.url);
    if (!url) return std::unexpected(url.error());
    request.endpoint = url->endpoint;
    request.target = url->path + request.target;
    const char* const key = std::getenv("CLAVIGER_ADMIN_KEY");
    if (key == nullptr || *key == '\0') {
      return refused(
          "--url needs an admin key in the environment variable CLAVIGER_ADMIN_KEY; make one on "
          "the server with: claviger admin-key create NAME");
    }
    request.key = key;
  }
  auto network = Network::for_endpoint(clock_, request.endpoint);
  if (!network) return std::unexpected(network.error());
  CallResult result;
  (*network)->run([&] { return call_once(**network, request, result); });
  wipe(request.body.data(), request.body.size());
  if (*result) return ServerAnswer{.status = (*result)->status, .body = std::move((*result)->body)};
  const console::CallFailure& failure = result->error();
  if (place_.url.empty() && failure.stage == console::CallStage::tcp) {
    return refused(
        fmt::format("no server is running on the home {}; start it with: claviger serve "
                    "--home {}",
                    place_.home.string(), place_.home.string()));
  }
  if (place_.url.empty()) {
    return refused("the server on this home did not answer in full; its log says why");
  }
  return refused(failure.message);
}

}  // namespace claviger::cli

#include "relay/address.h"

namespace claviger::relay {

std::unique_ptr<Address> Address::of_base_url(const std::string& base_url) {
  auto parsed = net::parse_base_url(base_url);
  if (!parsed) return nullptr;
  auto address = std::make_unique<Address>();
  address->endpoint = std::move(parsed->endpoint);
  address->base_path = std::move(parsed->path);
  address->pool_key = address->endpoint.key();
  const bool is_usual_port = address->endpoint.port == (address->endpoint.use_tls ? 443 : 80);
  const std::string text = address->endpoint.text();
  address->host = is_usual_port ? text.substr(0, text.rfind(':')) : text;
  return address;
}

Address Address::of_runner(const std::string& socket_path) {
  Address address;
  address.endpoint.unix_path = socket_path;
  address.pool_key = address.endpoint.key();
  address.host = "localhost";
  return address;
}

}  // namespace claviger::relay

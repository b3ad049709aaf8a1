#pragma once

/// Where a provider is, worked out once per base URL and thread.

#include <memory>
#include <optional>
#include <string>

#include "budget/ledger.h"
#include "net/egress.h"
#include "net/socket.h"

namespace claviger::relay {

struct Address {
  net::Endpoint endpoint;
  std::string pool_key;
  std::string base_path;  ///< `/v1`
  std::string host;       ///< For the Host header.

  /// Nothing where the URL is malformed, which is checked when a credential is added.
  static std::unique_ptr<Address> of_base_url(const std::string& base_url);
  static Address of_runner(const std::string& socket_path);
};

/// While it lives, a caller who goes away takes the provider's connection along.
class HangupGuard final : net::HangupListener {
 public:
  HangupGuard(net::Socket& watched, net::Socket& cancelled)
      : watched_(watched), cancelled_(cancelled) {
    watched_.set_hangup_listener(this);
  }
  HangupGuard(const HangupGuard&) = delete;
  HangupGuard& operator=(const HangupGuard&) = delete;
  ~HangupGuard() override { watched_.set_hangup_listener(nullptr); }

 private:
  void on_hangup() override { cancelled_.cancel(); }
  net::Socket& watched_;
  net::Socket& cancelled_;
};

/// While it lives, a caller who goes away does not wait for money any more.
class ImpatienceGuard final : net::HangupListener {
 public:
  ImpatienceGuard(net::Socket& watched, budget::Patience& patience)
      : watched_(watched), patience_(patience) {
    watched_.set_hangup_listener(this);
  }
  ImpatienceGuard(const ImpatienceGuard&) = delete;
  ImpatienceGuard& operator=(const ImpatienceGuard&) = delete;
  ~ImpatienceGuard() override { watched_.set_hangup_listener(nullptr); }

 private:
  void on_hangup() override { patience_.end(); }
  net::Socket& watched_;
  budget::Patience& patience_;
};

}  // namespace claviger::relay

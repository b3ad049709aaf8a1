#pragma once

/// One small request to a provider or runner, outside a caller's request: to try out what an
/// owner brought. Through the one way out, bounded in time and size.

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/egress.h"

namespace claviger::console {

inline constexpr std::size_t kProviderAnswerBytesMax = std::size_t{8} << 20;

struct ProviderCall {
  net::Endpoint endpoint;
  std::string method;
  std::string target;  ///< Path and query.
  std::string auth_header;
  std::vector<std::pair<std::string, std::string>> extra_headers;  ///< Of the profile.
  std::string_view auth_prefix;
  std::string_view key;  ///< Empty: none is sent. The buffer that it is copied to is wiped.
  std::string body;      ///< JSON, or empty.
};

struct ProviderAnswer {
  int status = 0;
  std::string body;
};

/// How far it got.
enum class CallStage : std::uint8_t { egress, dns, tcp, tls, sending, answer };
std::string_view to_string(CallStage stage);

struct CallFailure {
  CallStage stage = CallStage::tcp;
  std::string message;  ///< A sentence; no secrets.
};

/// On `reactor`'s thread. `call` must outlive the task.
Task<std::expected<ProviderAnswer, CallFailure>> call_provider(net::Reactor& reactor,
                                                               net::Egress& egress,
                                                               const ProviderCall& call,
                                                               Deadline deadline);

}  // namespace claviger::console

#pragma once

/// Hosts and ports that the operator opened for one credential (`--allow-private`): exactly
/// these pass the egress check although their address is private. Read by the server, which
/// hands them to net/; kept beside the credential, because they go when it goes.
///
/// Implemented once per database; the control thread is the only caller, so methods block.

#include <cstdint>
#include <expected>
#include <string>
#include <vector>

#include "base/ids.h"

namespace claviger::store {

struct EgressAllowance {
  CredentialId credential;
  std::string host;  ///< As in the credential's base URL: a name or an address.
  std::uint16_t port = 0;
  friend bool operator==(const EgressAllowance&, const EgressAllowance&) = default;
};

enum class EgressAllowanceError : std::uint8_t {
  unavailable,  ///< The database did not take it (locked, full disk, I/O error).
  not_found,    ///< No such credential.
};

template <typename T>
using EgressAllowanceResult = std::expected<T, EgressAllowanceError>;

class EgressAllowanceStore {
 public:
  virtual ~EgressAllowanceStore() = default;
  /// Adding what is there is harmless.
  virtual EgressAllowanceResult<void> add(const EgressAllowance& allowance) = 0;
  /// Of one credential, or of all with `credential` none; by credential, host and port.
  virtual EgressAllowanceResult<std::vector<EgressAllowance>> list(CredentialId credential) = 0;
};

}  // namespace claviger::store

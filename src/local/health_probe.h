#pragma once

/// Asks a runner whether it can answer: `GET /health` over its Unix socket, without blocking.
///
/// llama-server listens before the model is loaded and answers 503 until it is, then 200. The
/// path needs no token (tools/server/server-http.cpp of llama.cpp de3ff81).

#include <cstddef>
#include <string>

#include "local/open_file.h"

namespace claviger::local {

enum class Health : std::uint8_t {
  asking,       ///< No answer yet.
  ready,        ///< 200.
  not_ready,    ///< It answers with something else: it is loading.
  unreachable,  ///< Nobody listens, or the connection broke.
};

class HealthProbe {
 public:
  /// Connects and asks. `socket_path` is at most socket_path_bytes_max long.
  explicit HealthProbe(const std::string& socket_path);

  /// To be polled for reading while is_asking().
  int file() const { return socket_.number(); }
  bool is_asking() const { return health_ == Health::asking; }
  Health health() const { return health_; }
  /// Reads what has come.
  void on_readable();

 private:
  void finish(Health health);

  OpenFile socket_;
  std::string answer_;
  Health health_ = Health::asking;
};

/// The kernel's limit: sun_path holds 108 bytes with the zero at its end.
inline constexpr std::size_t socket_path_bytes_max = 107;

}  // namespace claviger::local

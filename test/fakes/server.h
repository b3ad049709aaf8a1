#pragma once

/// The fake provider's connections: one thread, plain epoll, TLS where asked for.
///
/// It has its own loop instead of Claviger's reactor, so that a fault in that one cannot hide
/// behind its own double; and it is fast enough not to be what a benchmark measures (see
/// README.md).

#include <atomic>
#include <cstdint>
#include <expected>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "responder.h"

using SSL_CTX = struct ssl_ctx_st;

namespace claviger::fakes {

struct ServerOptions {
  std::string listen = "127.0.0.1:0";
  std::string certificate_file;  ///< PEM; empty: plain.
  std::string key_file;
  ResponderOptions responder;
};

class Connection;

class Server {
 public:
  /// Listens. The error is a sentence.
  static std::expected<std::unique_ptr<Server>, std::string> open(ServerOptions options);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// 0 where it listens at a path.
  std::uint16_t port() const { return port_; }
  /// Before run() or after it.
  Bill& bill() { return responder_.bill(); }
  /// Serves on the calling thread until stop().
  void run();
  /// Threads: any; also from a signal handler.
  void stop();

 private:
  friend class Connection;
  using Timers = std::multimap<Instant, Connection*>;

  Server(ServerOptions options, int listener, std::uint16_t port);
  std::expected<void, std::string> prepare_tls();
  void accept_all();
  void wait_for_events();
  void fire_timers();
  /// Destroys it: the last thing that a connection does in its own event.
  void forget(Connection& connection);

  ServerOptions options_;
  Responder responder_;
  SystemClock clock_;
  int listener_;
  int epoll_;
  int wakeup_;
  std::uint16_t port_;
  SSL_CTX* tls_ = nullptr;
  Timers timers_;
  std::map<Connection*, std::unique_ptr<Connection>> connections_;
  std::vector<char> scratch_;
  net::http::RequestHead head_;
  std::atomic<bool> stopping_{false};
};

}  // namespace claviger::fakes

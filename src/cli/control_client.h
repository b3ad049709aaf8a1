#pragma once

/// The way to the running server: over the socket in its home folder, or, with a URL and an
/// admin key, from elsewhere. Blocking; one connection a request.

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/task.h"
#include "base/time.h"
#include "cli/failure.h"
#include "net/egress.h"

namespace claviger::cli {

/// Where a server is.
struct ServerPlace {
  std::filesystem::path home;
  std::string url;  ///< Empty: the socket in `home`.

  std::filesystem::path socket() const { return home / "run" / "control.sock"; }
};

/// A reactor, and the way out from it, for as long as one command needs them.
class Network {
 public:
  /// Opens exactly the host and port of `endpoint`, whatever its address is: a person named it.
  static Outcome<std::unique_ptr<Network>> for_endpoint(const Clock& clock,
                                                        const net::Endpoint& endpoint);
  ~Network();

  net::Reactor& reactor() { return *reactor_; }
  net::Egress& egress() { return *egress_; }
  /// Runs `work` to its end on this thread.
  void run(std::function<Task<void>()> work);

 private:
  Network() = default;
  std::unique_ptr<net::Reactor> reactor_;
  std::unique_ptr<net::Resolver> resolver_;
  std::unique_ptr<net::Egress> egress_;
};

struct ServerAnswer {
  int status = 0;
  std::string body;
};

class ControlClient {
 public:
  ControlClient(const Clock& clock, ServerPlace place) : clock_(clock), place_(std::move(place)) {}

  /// `target` is behind `/api/v1`, percent-encoded. `body` is wiped, since it may hold a key.
  /// Errors: there is no home, no server, no admin key, or the connection broke.
  Outcome<ServerAnswer> call(std::string_view method, std::string_view target, std::string body);

  const ServerPlace& place() const { return place_; }

 private:
  const Clock& clock_;
  ServerPlace place_;
};

/// Where `url` leads. Wrong usage where it is none, or where a key would travel in the clear.
Outcome<net::BaseUrl> parse_server_url(const std::string& url);

/// `text` for a path segment or a query value.
std::string percent_encoded(std::string_view text);

}  // namespace claviger::cli

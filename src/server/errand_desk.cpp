#include "server/errand_desk.h"

#include <sys/socket.h>

#include <array>

#include "net/http/target.h"
#include "net/http/write.h"
#include "net/stream.h"

namespace claviger::server {
namespace {

std::string head_of(const console::ErrandRequest& request) {
  std::string out;
  net::http::HeadWriter head(out);
  head.request("POST", request.query.empty() ? request.path : request.path + "?" + request.query);
  head.header("host", "localhost");
  head.header("content-type", "application/json");
  head.header("content-length", request.body.size());
  head.header("connection", "close");
  if (!request.end_user.empty()) head.outside_header("x-claviger-user", request.end_user);
  if (!head.finish()) out.clear();
  return out;
}

/// The caller's side: says it all, and takes whatever comes. What became of it stands in the
/// record.
Task<void> ask(net::Stream stream, std::string head, std::string body, Deadline deadline) {
  const auto sent = co_await stream.write_all(head, body, deadline);
  if (sent) {
    std::array<char, 16 * 1024> piece;
    while (co_await stream.read_some(piece, deadline)) {
    }
  }
  stream.close();
}

}  // namespace

ErrandDesk::ErrandDesk(const Parts& parts, const net::ServerLimits& caller,
                       const relay::Limits& provider)
    : reactor_(parts.reactor),
      bodies_(parts.bodies),
      pool_(parts.reactor, parts.egress),
      relay_({.reactor = parts.reactor,
              .pool = pool_,
              .ledger = parts.ledger,
              .recorder = parts.recorder,
              .metrics = parts.metrics,
              .runner = parts.runner,
              .history = nullptr,
              .failures = parts.failures,
              .keys = parts.keys,
              .health = parts.health},
             provider_limits_) {
  set_limits(caller, provider);
}

void ErrandDesk::set_limits(const net::ServerLimits& caller, const relay::Limits& provider) {
  caller_limits_ = caller;
  provider_limits_ = provider;
  // One question, one answer; and nobody waits in line for it.
  provider_limits_.attempts_max = 1;
  provider_limits_.budget_wait_max = Duration{};
}

Task<std::expected<void, std::string>> ErrandDesk::run(console::ErrandRequest request,
                                                       Duration time_max) {
  std::array<int, 2> ends{};
  std::string head = head_of(request);
  if (head.empty() ||
      ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    co_return std::unexpected("the request cannot be put together here");
  }
  net::Stream ours(std::make_unique<net::Socket>(reactor_, ends[0]));
  net::Stream theirs(std::make_unique<net::Socket>(reactor_, ends[1]));
  spawn(ask(std::move(theirs), std::move(head), std::move(request.body), reactor_.after(time_max)));
  net::ServerConnection connection(std::move(ours), caller_limits_, date_line_, &bodies_);
  if (const auto read = co_await connection.read_head(); !read) {
    co_return std::unexpected("the request cannot be read: " + read.error().message);
  }
  const auto target = net::http::split_target(connection.head().target);
  if (!target) co_return std::unexpected(std::string(net::http::explain(target.error())));
  co_await relay_.serve_errand(connection, *target, request.errand);
  connection.release_request();
  connection.stream().close();
  co_return std::expected<void, std::string>{};
}

}  // namespace claviger::server

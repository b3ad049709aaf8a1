/// One tiny HTTP server, twice: on net::Reactor and on Boost.Asio's coroutines. The numbers
/// behind docs/decisions/reactor.md; bench/reactor runs it under wrk and divides requests by
/// CPU-seconds.
///
///     reactor-compare own|asio plain|tls PORT [CERT KEY]
///
/// Both do the same work with the same parser: read a request, answer 750 bytes, keep the
/// connection, watch a deadline of 75 s. Asio is used as well as we know how to: concrete
/// executors, the first recv and send tried directly, one coarse sweep for all deadlines
/// instead of a timer per operation.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <unordered_set>

#include "net/listener.h"
#include "net/server_connection.h"

namespace {

using namespace claviger;
namespace asio = boost::asio;
using asio::ip::tcp;
using Executor = asio::io_context::executor_type;
template <typename T>
using Awaitable = asio::awaitable<T, Executor>;
using AsioSocket = asio::basic_stream_socket<tcp, Executor>;
using AsioTls = asio::ssl::stream<AsioSocket>;

const std::string kBody(750, 'x');
const std::string kAnswer =
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 750\r\n\r\n" + kBody;

// ---- net::Reactor

Task<void> serve_own(net::Stream stream, net::TlsContext* tls, const net::ServerLimits& limits) {
  if (tls != nullptr) {
    const int fd = stream.socket().fd();
    const auto secured = co_await stream.start_tls(tls->accept_from(fd),
                                                   stream.reactor().after(limits.head_time_max));
    if (!secured) co_return;
  }
  net::Buffer buffer;
  net::http::RequestHead head;
  std::size_t searched = 0;
  for (;;) {
    const auto count =
        co_await stream.read_some(buffer.room(1), stream.reactor().after(limits.keep_alive_max));
    if (!count) co_return;
    buffer.add(*count);
    while (!buffer.empty()) {
      const auto parsed = net::http::parse_request_head(buffer.bytes(), head, searched);
      if (!parsed) {
        if (parsed.error() == net::http::HeadError::incomplete) break;
        co_return;
      }
      buffer.consume(*parsed);
      searched = 0;
      if (!co_await stream.write_all(kAnswer, stream.reactor().after(limits.write_idle_max))) {
        co_return;
      }
    }
    if (buffer.empty()) buffer.release();
  }
}

int run_own(std::uint16_t port, net::TlsContext* tls) {
  const SystemClock clock;
  net::Reactor reactor(clock);
  const net::ServerLimits limits;
  auto listener = net::Listener::open(reactor, {.host = "127.0.0.1", .port = port});
  if (!listener) {
    std::fprintf(stderr, "%s\n", listener.error().c_str());
    return 1;
  }
  spawn((*listener)->run(
      [&](net::Stream stream) { spawn(serve_own(std::move(stream), tls, limits)); }));
  reactor.run();
  return 0;
}

// ---- Asio

/// Deadlines of all connections, looked at twenty times a second.
struct Watched {
  std::chrono::steady_clock::time_point until;
  AsioSocket* socket;
};
std::unordered_set<Watched*> watched;

Awaitable<void> sweep(asio::io_context& context) {
  asio::basic_waitable_timer<std::chrono::steady_clock,
                             asio::wait_traits<std::chrono::steady_clock>, Executor>
      timer(context.get_executor());
  for (;;) {
    timer.expires_after(std::chrono::milliseconds(50));
    co_await timer.async_wait(asio::use_awaitable_t<Executor>());
    const auto now = std::chrono::steady_clock::now();
    for (Watched* const one : watched) {
      if (now >= one->until) one->socket->cancel();
    }
  }
}

Awaitable<std::size_t> read_some(AsioSocket& socket, asio::mutable_buffer into,
                                 boost::system::error_code& error) {
  for (;;) {
    const std::size_t count = socket.read_some(into, error);
    if (error != asio::error::would_block) co_return count;
    co_await socket.async_wait(AsioSocket::wait_read,
                               asio::redirect_error(asio::use_awaitable_t<Executor>(), error));
    if (error) co_return 0;
  }
}
Awaitable<std::size_t> read_some(AsioTls& stream, asio::mutable_buffer into,
                                 boost::system::error_code& error) {
  co_return co_await stream.async_read_some(
      into, asio::redirect_error(asio::use_awaitable_t<Executor>(), error));
}
Awaitable<void> write_all(AsioSocket& socket, boost::system::error_code& error) {
  const std::size_t count = socket.write_some(asio::buffer(kAnswer), error);
  if (!error && count == kAnswer.size()) co_return;
  if (error && error != asio::error::would_block) co_return;
  co_await asio::async_write(socket, asio::buffer(kAnswer) + (error ? 0 : count),
                             asio::redirect_error(asio::use_awaitable_t<Executor>(), error));
}
Awaitable<void> write_all(AsioTls& stream, boost::system::error_code& error) {
  co_await asio::async_write(stream, asio::buffer(kAnswer),
                             asio::redirect_error(asio::use_awaitable_t<Executor>(), error));
}

template <typename Stream>
Awaitable<void> serve_asio(Stream& stream, Watched& watch) {
  net::Buffer buffer;
  net::http::RequestHead head;
  std::size_t searched = 0;
  boost::system::error_code error;
  for (;;) {
    const std::span<char> room = buffer.room(1);
    watch.until = std::chrono::steady_clock::now() + std::chrono::seconds(75);
    const std::size_t count =
        co_await read_some(stream, asio::buffer(room.data(), room.size()), error);
    if (error) co_return;
    buffer.add(count);
    while (!buffer.empty()) {
      const auto parsed = net::http::parse_request_head(buffer.bytes(), head, searched);
      if (!parsed) {
        if (parsed.error() == net::http::HeadError::incomplete) break;
        co_return;
      }
      buffer.consume(*parsed);
      searched = 0;
      co_await write_all(stream, error);
      if (error) co_return;
    }
    if (buffer.empty()) buffer.release();
  }
}

Awaitable<void> serve_plain(AsioSocket socket) {
  socket.non_blocking(true);
  socket.set_option(tcp::no_delay(true));
  Watched watch{.until = {}, .socket = &socket};
  watched.insert(&watch);
  co_await serve_asio(socket, watch);
  watched.erase(&watch);
}

Awaitable<void> serve_tls(AsioSocket socket, asio::ssl::context& tls) {
  socket.set_option(tcp::no_delay(true));
  AsioTls stream(std::move(socket), tls);
  Watched watch{.until = std::chrono::steady_clock::now() + std::chrono::seconds(10),
                .socket = &stream.next_layer()};
  watched.insert(&watch);
  boost::system::error_code error;
  co_await stream.async_handshake(AsioTls::server,
                                  asio::redirect_error(asio::use_awaitable_t<Executor>(), error));
  if (!error) co_await serve_asio(stream, watch);
  watched.erase(&watch);
}

Awaitable<void> accept(asio::io_context& context, std::uint16_t port, asio::ssl::context* tls) {
  asio::basic_socket_acceptor<tcp, Executor> acceptor(context.get_executor(),
                                                      {asio::ip::make_address("127.0.0.1"), port});
  for (;;) {
    AsioSocket socket = co_await acceptor.async_accept(asio::use_awaitable_t<Executor>());
    if (tls != nullptr) {
      asio::co_spawn(context, serve_tls(std::move(socket), *tls), asio::detached);
    } else {
      asio::co_spawn(context, serve_plain(std::move(socket)), asio::detached);
    }
  }
}

int run_asio(std::uint16_t port, const char* certificate, const char* key) {
  asio::io_context context(1);
  asio::ssl::context tls(asio::ssl::context::tls_server);
  if (certificate != nullptr) {
    tls.use_certificate_chain_file(certificate);
    tls.use_private_key_file(key, asio::ssl::context::pem);
  }
  asio::co_spawn(context, accept(context, port, certificate != nullptr ? &tls : nullptr),
                 asio::detached);
  asio::co_spawn(context, sweep(context), asio::detached);
  context.run();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4 && argc != 6) {
    std::fprintf(stderr, "usage: reactor-compare own|asio plain|tls PORT [CERT KEY]\n");
    return 2;
  }
  const bool is_own = std::string_view(argv[1]) == "own";
  const auto port = static_cast<std::uint16_t>(std::atoi(argv[3]));
  const char* const certificate = argc == 6 ? argv[4] : nullptr;
  if (!is_own) return run_asio(port, certificate, argc == 6 ? argv[5] : nullptr);
  std::shared_ptr<net::TlsContext> tls;
  if (certificate != nullptr) {
    auto made = net::TlsContext::for_listener(certificate, argv[5]);
    if (!made) {
      std::fprintf(stderr, "%s\n", made.error().c_str());
      return 1;
    }
    tls = std::move(*made);
  }
  return run_own(port, tls.get());
}

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "net/egress.h"
#include "net/listener.h"
#include "net/provider_exchange.h"
#include "net/provider_pool.h"
#include "net/server_connection.h"
#include "net/test_certificate.h"

namespace claviger::net {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

/// A reactor with a listener on a port of the kernel's choice, and everything that it takes to
/// call it. Runs on the test's own thread.
/// The one name that these tests use; not every machine knows it by itself.
std::expected<Addresses, std::string> only_localhost(const std::string& host, std::uint16_t port) {
  if (host != "localhost") return std::unexpected("the name " + host + " cannot be resolved");
  auto addresses = std::make_shared<std::vector<Address>>(1);
  auto& v4 = reinterpret_cast<sockaddr_in&>(addresses->front().storage);
  v4.sin_family = AF_INET;
  v4.sin_port = htons(port);
  v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  addresses->front().length = sizeof v4;
  return addresses;
}

class Loopback : public ::testing::Test {
 protected:
  void SetUp() override {
    auto opened = Listener::open(reactor_, {.host = "127.0.0.1", .port = 0});
    ASSERT_TRUE(opened) << opened.error();
    listener_ = std::move(*opened);
    endpoint_ = {.host = "127.0.0.1", .port = listener_->port()};
    allow({{"127.0.0.1", listener_->port()}});
  }

  void allow(std::vector<EgressAllowance> allowances, std::vector<std::uint16_t> own = {}) {
    egress_.set_policy(std::make_shared<EgressPolicy>(
        EgressPolicy{.allow = std::move(allowances), .own_ports = std::move(own)}));
  }

  /// Answers every request with `ok:` and its body, until the connection ends.
  Task<void> echo(Stream stream) {
    ServerConnection connection(std::move(stream), limits_, date_line_, &bodies_);
    for (;;) {
      auto read = co_await connection.read_head();
      if (read) read = co_await connection.read_body();
      if (!read) {
        failures_.push_back(read.error().code);
        if (read.error().status != 0) {
          auto head = connection.answer(read.error().status);
          (void)co_await connection.send(head, "text/plain", read.error().message);
          co_await connection.linger();
        }
        break;
      }
      ++requests_;
      const std::string body = "ok:" + std::string(connection.body());
      connection.release_request();
      auto head = connection.answer(200);
      if (!co_await connection.send(head, "text/plain", body)) break;
      if (!connection.keeps_open()) break;
    }
    ++ended_;
  }

  /// Serves while `work` runs.
  void serve_and(Task<void> work) {
    spawn(listener_->run([this](Stream stream) { spawn(echo(std::move(stream))); }));
    spawn([](Task<void> owned, Loopback& self) -> Task<void> {
      co_await resume_on{self.reactor_};
      co_await owned;
      self.listener_->stop();
      // Let the server's side see the end of its connections.
      for (int i = 0; i < 3; ++i) {
        co_await self.reactor_.sleep_until(self.reactor_.after(60ms));
      }
      self.reactor_.stop();
    }(std::move(work), *this));
    reactor_.run();
  }

  Task<std::string> call(Stream& stream, std::string_view bytes) {
    (void)co_await stream.write_all(bytes, reactor_.after(5s));
    co_return co_await read_until_quiet(stream);
  }

  /// Everything up to the end of the connection or 200 ms of silence.
  Task<std::string> read_until_quiet(Stream& stream) {
    std::string text;
    char piece[4096];
    for (;;) {
      const auto count = co_await stream.read_some(piece, reactor_.after(200ms));
      if (!count) co_return text;
      text.append(piece, *count);
    }
  }

  SystemClock clock_;
  Reactor reactor_{clock_};
  Resolver resolver_{clock_, {.look_up = only_localhost}};
  std::shared_ptr<TlsContext> tls_ = TlsContext::for_providers().value_or(nullptr);
  Egress egress_{resolver_, tls_};
  ServerLimits limits_;
  http::DateLine date_line_;
  BodyMemory bodies_;
  std::unique_ptr<Listener> listener_;
  Endpoint endpoint_;
  std::vector<std::string> failures_;
  int requests_ = 0;
  int ended_ = 0;
};

TEST_F(Loopback, AnswersRequestAfterRequestOnOneConnection) {
  serve_and([](Loopback_AnswersRequestAfterRequestOnOneConnection_Test& t) -> Task<void> {
    auto stream = co_await t.egress_.connect(t.reactor_, t.endpoint_, t.reactor_.after(5s));
    EXPECT_TRUE(stream) << stream.error().message;
    for (int i = 0; i < 3; ++i) {
      EXPECT_THAT(
          co_await t.call(*stream, "POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nhi"),
          HasSubstr("ok:hi"));
    }
  }(*this));
  EXPECT_EQ(requests_, 3);
}

TEST_F(Loopback, AnswersPipelinedRequestsInOrder) {
  serve_and([](Loopback_AnswersPipelinedRequestsInOrder_Test& t) -> Task<void> {
    auto stream = co_await t.egress_.connect(t.reactor_, t.endpoint_, t.reactor_.after(5s));
    const std::string answers = co_await t.call(
        *stream,
        "POST /a HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n0\r\n\r\n"
        "POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\ntwo"
        "POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nthree");
    const auto one = answers.find("ok:one");
    const auto two = answers.find("ok:two");
    const auto three = answers.find("ok:three");
    EXPECT_NE(three, std::string::npos);
    EXPECT_LT(one, two);
    EXPECT_LT(two, three);
  }(*this));
}

TEST_F(Loopback, TakesABodyThatIsLargerThanABlockInSmallPieces) {
  const std::string large(300'000, 'x');
  serve_and([](Loopback_TakesABodyThatIsLargerThanABlockInSmallPieces_Test& t,
               const std::string& body) -> Task<void> {
    auto stream = co_await t.egress_.connect(t.reactor_, t.endpoint_, t.reactor_.after(5s));
    std::string bytes =
        "POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: " + std::to_string(body.size()) +
        "\r\n\r\n" + body;
    std::string_view rest = bytes;
    while (rest.size() > 7000) {
      (void)co_await stream->write_all(rest.substr(0, 7000), t.reactor_.after(5s));
      rest.remove_prefix(7000);
    }
    const std::string answer = co_await t.call(*stream, rest);
    EXPECT_THAT(answer, HasSubstr("content-length: 300003"));
    EXPECT_EQ(answer.size() - answer.find("ok:"), 300'003u);
  }(*this, large));
}

TEST_F(Loopback, RefusesABodyThatIsTooLargeBeforeReadingIt) {
  limits_.body_bytes_max = 1000;
  serve_and([](Loopback_RefusesABodyThatIsTooLargeBeforeReadingIt_Test& t) -> Task<void> {
    auto stream = co_await t.egress_.connect(t.reactor_, t.endpoint_, t.reactor_.after(5s));
    EXPECT_THAT(
        co_await t.call(*stream, "POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 1001\r\n\r\n"),
        HasSubstr("HTTP/1.1 413"));
    auto other = co_await t.egress_.connect(t.reactor_, t.endpoint_, t.reactor_.after(5s));
    EXPECT_THAT(co_await t.call(*other,
                                "POST /a HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
                                "3e9\r\n" +
                                    std::string(1001, 'x') + "\r\n0\r\n\r\n"),
                HasSubstr("HTTP/1.1 413"));
  }(*this));
  EXPECT_EQ(requests_, 0);
}

TEST_F(Loopback, BodiesTogetherAreBounded) {
  limits_.all_bodies_bytes_max = 600'000;  // Memory grows by doubling: one of 512 KiB.

  serve_and([](Loopback_BodiesTogetherAreBounded_Test& t) -> Task<void> {
    const auto head = [](std::size_t bytes) {
      return "POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: " + std::to_string(bytes) + "\r\n\r\n";
    };
    // The first stays half-way, and holds what it has sent.
    auto first = co_await t.egress_.connect(t.reactor_, t.endpoint_, t.reactor_.after(5s));
    (void)co_await first->write_all(head(300'000) + std::string(200'000, 'x'),
                                    t.reactor_.after(5s));
    while (t.bodies_.held() < 200'000) co_await t.reactor_.sleep_until(t.reactor_.after(1ms));

    auto second = co_await t.egress_.connect(t.reactor_, t.endpoint_, t.reactor_.after(5s));
    const std::string refused = co_await t.call(*second, head(300'000) + std::string(300'000, 'y'));
    EXPECT_THAT(refused, HasSubstr("HTTP/1.1 503"));
    EXPECT_THAT(refused, HasSubstr("all_bodies_bytes_max"));
    auto small = co_await t.egress_.connect(t.reactor_, t.endpoint_, t.reactor_.after(5s));
    EXPECT_THAT(co_await t.call(*small, head(2) + "hi"), HasSubstr("ok:hi"));

    EXPECT_THAT(co_await t.call(*first, std::string(100'000, 'x')), HasSubstr("ok:xxx"));
    auto third = co_await t.egress_.connect(t.reactor_, t.endpoint_, t.reactor_.after(5s));
    EXPECT_THAT(co_await t.call(*third, head(300'000) + std::string(300'000, 'z')),
                HasSubstr("ok:zzz"));
  }(*this));
  EXPECT_EQ(bodies_.held(), 0u);
}

TEST_F(Loopback, TellsACallerWhoWaitsForItToGoOn) {
  serve_and([](Loopback_TellsACallerWhoWaitsForItToGoOn_Test& t) -> Task<void> {
    auto stream = co_await t.egress_.connect(t.reactor_, t.endpoint_, t.reactor_.after(5s));
    EXPECT_THAT(co_await t.call(*stream,
                                "POST /a HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\n"
                                "content-length: 2\r\n\r\n"),
                HasSubstr("100 Continue"));
    EXPECT_THAT(co_await t.call(*stream, "hi"), HasSubstr("ok:hi"));
  }(*this));
}

TEST_F(Loopback, ASlowHeadIsAnsweredAndClosed) {
  limits_.head_time_max = 100ms;
  serve_and([](Loopback_ASlowHeadIsAnsweredAndClosed_Test& t) -> Task<void> {
    auto stream = co_await t.egress_.connect(t.reactor_, t.endpoint_, t.reactor_.after(5s));
    EXPECT_THAT(co_await t.call(*stream, "POST /a HTT"), HasSubstr("HTTP/1.1 408"));
  }(*this));
}

TEST_F(Loopback, SmuggledRequestsAreRefusedAndTheConnectionCloses) {
  serve_and([](Loopback_SmuggledRequestsAreRefusedAndTheConnectionCloses_Test& t) -> Task<void> {
    auto stream = co_await t.egress_.connect(t.reactor_, t.endpoint_, t.reactor_.after(5s));
    const std::string answer = co_await t.call(
        *stream,
        "POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n"
        "0\r\n\r\nGET /secret HTTP/1.1\r\nhost: x\r\n\r\n");
    EXPECT_THAT(answer, HasSubstr("HTTP/1.1 400"));
    EXPECT_THAT(answer, HasSubstr("connection: close"));
    EXPECT_THAT(answer, ::testing::Not(HasSubstr("ok:")));
  }(*this));
  EXPECT_EQ(requests_, 0);
}

TEST_F(Loopback, AProviderConnectionIsUsedAgain) {
  serve_and([](Loopback_AProviderConnectionIsUsedAgain_Test& t) -> Task<void> {
    ProviderPool pool(t.reactor_, t.egress_);
    const std::string key = t.endpoint_.key();
    for (int i = 0; i < 4; ++i) {
      auto connection = co_await pool.acquire(t.endpoint_, key, t.reactor_.after(5s));
      EXPECT_TRUE(connection);
      EXPECT_EQ(connection->reused, i > 0);
      ProviderExchange exchange(std::move(connection->stream));
      (void)co_await exchange.send("POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n", "hi",
                                   t.reactor_.after(5s));
      EXPECT_TRUE(co_await exchange.read_head("POST", t.reactor_.after(5s)));
      EXPECT_EQ(exchange.head().status, 200);
      Buffer body;
      while ((co_await exchange.read_body(body, t.reactor_.after(5s))).value_or(0) > 0) {
      }
      EXPECT_EQ(body.bytes(), "ok:hi");
      EXPECT_TRUE(exchange.is_reusable());
      pool.release(key, exchange.take_stream());
    }
    EXPECT_EQ(pool.idle(), 1u);
  }(*this));
}

TEST_F(Loopback, AnIdleProviderConnectionThatEndsIsForgotten) {
  limits_.keep_alive_max = 100ms;
  serve_and([](Loopback_AnIdleProviderConnectionThatEndsIsForgotten_Test& t) -> Task<void> {
    ProviderPool pool(t.reactor_, t.egress_);
    const std::string key = t.endpoint_.key();
    auto connection = co_await pool.acquire(t.endpoint_, key, t.reactor_.after(5s));
    pool.release(key, std::move(connection->stream));
    EXPECT_EQ(pool.idle(), 1u);
    co_await t.reactor_.sleep_until(t.reactor_.after(300ms));
    EXPECT_EQ(pool.idle(), 0u);
  }(*this));
}

TEST_F(Loopback, WhoeverHangsUpWakesTheOtherSide) {
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
  struct Cancel final : HangupListener {
    explicit Cancel(Socket& other) : socket(other) {}
    void on_hangup() override { socket.cancel(); }
    Socket& socket;
  };
  serve_and([](Loopback_WhoeverHangsUpWakesTheOtherSide_Test& t, int* fds) -> Task<void> {
    Stream caller(std::make_unique<Socket>(t.reactor_, fds[0]));
    auto provider = co_await t.egress_.connect(t.reactor_, t.endpoint_, t.reactor_.after(5s));
    Cancel cancel(provider->socket());
    caller.socket().set_hangup_listener(&cancel);
    close(fds[1]);
    char piece[16];
    const auto count = co_await provider->read_some(piece, t.reactor_.after(5s));
    EXPECT_EQ(count, std::unexpected(IoError::cancelled));
  }(*this, pair));
}

TEST_F(Loopback, PrivateAddressesAreRefusedUnlessAllowed) {
  allow({});
  serve_and([](Loopback_PrivateAddressesAreRefusedUnlessAllowed_Test& t) -> Task<void> {
    for (const std::string host : {"127.0.0.1", "localhost", "::ffff:127.0.0.1", "0.0.0.0"}) {
      const auto stream = co_await t.egress_.connect(
          t.reactor_, {.host = host, .port = t.listener_->port()}, t.reactor_.after(5s));
      EXPECT_FALSE(stream) << host;
      if (!stream) EXPECT_EQ(stream.error().stage, ConnectStage::egress) << stream.error().message;
    }
  }(*this));
  EXPECT_EQ(requests_, 0);
}

TEST_F(Loopback, OurOwnListenersAreRefusedEvenWhereAllowed) {
  allow({{"127.0.0.1", listener_->port()}}, {listener_->port()});
  serve_and([](Loopback_OurOwnListenersAreRefusedEvenWhereAllowed_Test& t) -> Task<void> {
    const auto stream = co_await t.egress_.connect(t.reactor_, t.endpoint_, t.reactor_.after(5s));
    EXPECT_FALSE(stream);
  }(*this));
}

TEST_F(Loopback, AClosedPortIsATcpFailureWithTheAddressInIt) {
  allow({{"127.0.0.1", 1}});
  serve_and([](Loopback_AClosedPortIsATcpFailureWithTheAddressInIt_Test& t) -> Task<void> {
    const auto stream = co_await t.egress_.connect(t.reactor_, {.host = "127.0.0.1", .port = 1},
                                                   t.reactor_.after(5s));
    EXPECT_FALSE(stream);
    EXPECT_EQ(stream.error().stage, ConnectStage::tcp);
    EXPECT_THAT(stream.error().message, HasSubstr("127.0.0.1:1"));
  }(*this));
}

/// The same listener behind TLS, with a certificate for 127.0.0.1 from an authority of the
/// test's own.
class SecureLoopback : public Loopback {
 protected:
  void SetUp() override {
    Loopback::SetUp();
    folder_ =
        std::filesystem::temp_directory_path() / ("claviger-net-test-" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_);
    write_test_certificate(folder_, "127.0.0.1");
    server_tls_ = TlsContext::for_listener(folder_ / "cert.pem", folder_ / "key.pem").value();
    endpoint_.use_tls = true;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void serve_securely_and(Task<void> work) {
    spawn(listener_->run([this](Stream stream) { spawn(secure(std::move(stream))); }));
    spawn([](Task<void> owned, SecureLoopback& self) -> Task<void> {
      co_await resume_on{self.reactor_};
      co_await owned;
      self.listener_->stop();
      co_await self.reactor_.sleep_until(self.reactor_.after(100ms));
      self.reactor_.stop();
    }(std::move(work), *this));
    reactor_.run();
  }
  Task<void> secure(Stream stream) {
    const int fd = stream.socket().fd();
    if (co_await stream.start_tls(server_tls_->accept_from(fd), reactor_.after(5s))) {
      co_await echo(std::move(stream));
    }
  }

  std::filesystem::path folder_;
  std::shared_ptr<TlsContext> server_tls_;
};

TEST_F(SecureLoopback, CarriesRequestsAndLargeBodies) {
  serve_securely_and([](SecureLoopback_CarriesRequestsAndLargeBodies_Test& t) -> Task<void> {
    Egress trusting(t.resolver_, TlsContext::for_providers(t.folder_ / "cert.pem").value());
    trusting.set_policy(
        std::make_shared<EgressPolicy>(EgressPolicy{.allow = {{"127.0.0.1", t.endpoint_.port}}}));
    auto stream = co_await trusting.connect(t.reactor_, t.endpoint_, t.reactor_.after(5s));
    EXPECT_TRUE(stream) << stream.error().message;
    if (!stream) co_return;
    const std::string body(200'000, 'y');
    const std::string answer = co_await t.call(
        *stream, "POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 200000\r\n\r\n" + body);
    EXPECT_EQ(answer.size() - answer.find("ok:"), 200'003u);
    EXPECT_THAT(
        co_await t.call(*stream, "POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nhi"),
        HasSubstr("ok:hi"));
  }(*this));
}

TEST_F(SecureLoopback, ARefusalReachesACallerWhoIsStillSending) {
  limits_.body_bytes_max = 1000;
  serve_securely_and(
      [](SecureLoopback_ARefusalReachesACallerWhoIsStillSending_Test& t) -> Task<void> {
        Egress trusting(t.resolver_, TlsContext::for_providers(t.folder_ / "cert.pem").value());
        trusting.set_policy(std::make_shared<EgressPolicy>(
            EgressPolicy{.allow = {{"127.0.0.1", t.endpoint_.port}}}));
        auto stream = co_await trusting.connect(t.reactor_, t.endpoint_, t.reactor_.after(5s));
        EXPECT_TRUE(stream);
        if (!stream) co_return;
        (void)co_await stream->write_all(
            "POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 3000000\r\n\r\n", t.reactor_.after(5s));
        // Nobody resets the connection under it: what it goes on to send is taken and thrown away.
        for (int i = 0; i < 5; ++i) {
          co_await t.reactor_.sleep_until(t.reactor_.after(1ms));
          EXPECT_TRUE(co_await stream->write_all(std::string(100'000, 'y'), t.reactor_.after(5s)));
        }
        EXPECT_THAT(co_await t.read_until_quiet(*stream), HasSubstr("HTTP/1.1 413"));
      }(*this));
}

TEST_F(SecureLoopback, ACertificateThatNobodyVouchesForIsRefused) {
  serve_securely_and(
      [](SecureLoopback_ACertificateThatNobodyVouchesForIsRefused_Test& t) -> Task<void> {
        const auto stream =
            co_await t.egress_.connect(t.reactor_, t.endpoint_, t.reactor_.after(5s));
        EXPECT_FALSE(stream);
        if (!stream) {
          EXPECT_EQ(stream.error().stage, ConnectStage::tls);
          EXPECT_THAT(stream.error().message, HasSubstr("certificate verify failed"));
        }
      }(*this));
}

TEST_F(SecureLoopback, ACertificateForAnotherHostIsRefused) {
  allow({{"localhost", endpoint_.port}});
  serve_securely_and([](SecureLoopback_ACertificateForAnotherHostIsRefused_Test& t) -> Task<void> {
    Egress trusting(t.resolver_, TlsContext::for_providers(t.folder_ / "cert.pem").value());
    trusting.set_policy(
        std::make_shared<EgressPolicy>(EgressPolicy{.allow = {{"localhost", t.endpoint_.port}}}));
    Endpoint other = t.endpoint_;
    other.host = "localhost";
    const auto stream = co_await trusting.connect(t.reactor_, other, t.reactor_.after(5s));
    EXPECT_FALSE(stream);
    if (!stream) EXPECT_EQ(stream.error().stage, ConnectStage::tls);
  }(*this));
}

bool is_public(const char* text) {
  sockaddr_storage storage{};
  auto& v4 = reinterpret_cast<sockaddr_in&>(storage);
  auto& v6 = reinterpret_cast<sockaddr_in6&>(storage);
  if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
    storage.ss_family = AF_INET;
  } else {
    EXPECT_EQ(inet_pton(AF_INET6, text, &v6.sin6_addr), 1) << text;
    storage.ss_family = AF_INET6;
  }
  return is_public_address(reinterpret_cast<const sockaddr&>(storage));
}

TEST(PublicAddresses, AreToldFromAllOthers) {
  for (const char* text :
       {"1.1.1.1", "8.8.8.8", "104.18.6.192", "172.15.255.255", "172.32.0.0", "192.167.1.1",
        "100.63.0.1", "100.128.0.1", "198.17.0.1", "223.255.255.255", "2606:4700::6810:1",
        "2a00:1450:4001::1", "2001:4860:4860::8888"}) {
    EXPECT_TRUE(is_public(text)) << text;
  }
  for (const char* text : {"0.0.0.0",
                           "0.1.2.3",
                           "10.0.0.1",
                           "10.255.255.255",
                           "100.64.0.1",
                           "100.127.255.255",
                           "127.0.0.1",
                           "127.255.255.254",
                           "169.254.169.254",
                           "172.16.0.1",
                           "172.31.255.255",
                           "192.0.0.8",
                           "192.0.2.1",
                           "192.88.99.1",
                           "192.168.1.1",
                           "198.18.0.1",
                           "198.19.255.255",
                           "198.51.100.7",
                           "203.0.113.9",
                           "224.0.0.1",
                           "239.1.1.1",
                           "240.0.0.1",
                           "255.255.255.255",
                           "::",
                           "::1",
                           "::ffff:8.8.8.8",
                           "::ffff:127.0.0.1",
                           "::127.0.0.1",
                           "64:ff9b::808:808",
                           "64:ff9b:1::1",
                           "100::1",
                           "2001::1",
                           "2001:db8::1",
                           "2002:7f00:1::",
                           "3fff::1",
                           "fc00::1",
                           "fd12:3456::1",
                           "fe80::1",
                           "fec0::1",
                           "ff02::1"}) {
    EXPECT_FALSE(is_public(text)) << text;
  }
}

TEST(BaseUrls, AreReadOrRefusedWithAReason) {
  const auto plain = parse_base_url("https://API.example.com/v1/");
  ASSERT_TRUE(plain) << plain.error();
  EXPECT_EQ(plain->endpoint.host, "api.example.com");
  EXPECT_EQ(plain->endpoint.port, 443);
  EXPECT_TRUE(plain->endpoint.use_tls);
  EXPECT_EQ(plain->path, "/v1");
  EXPECT_EQ(parse_base_url("http://[::1]:8080")->endpoint.text(), "[::1]:8080");
  EXPECT_EQ(parse_base_url("http://127.0.0.1:11434/v1")->endpoint.port, 11434);
  for (const char* bad :
       {"", "api.example.com", "ftp://x", "https://", "https://user@host/", "https://h:0/",
        "https://h:65536", "https://h:x", "https://h/a?b", "https://h/#a", "https://h h",
        "https://[::1", "https://h\\x", "https://h\r\n"}) {
    EXPECT_FALSE(parse_base_url(bad)) << bad;
  }
}

TEST(Listening, APortInUseIsSaidWithWhatToDo) {
  const SystemClock clock;
  Reactor reactor(clock);
  const auto first = Listener::open(reactor, {.host = "127.0.0.1", .port = 0});
  ASSERT_TRUE(first);
  const auto second = Listener::check_free({.host = "127.0.0.1", .port = (*first)->port()});
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error(), HasSubstr("is in use"));
  EXPECT_THAT(second.error(), HasSubstr("--listen"));
}

TEST(Listening, AddressesAreReadOrRefused) {
  EXPECT_EQ(parse_listen_address(":8484")->host, "127.0.0.1");
  EXPECT_EQ(parse_listen_address("[::1]:80")->host, "::1");
  EXPECT_TRUE(is_loopback(*parse_listen_address("localhost:1")));
  EXPECT_FALSE(is_loopback(*parse_listen_address("0.0.0.0:1")));
  for (const char* bad :
       {"", "8484", "127.0.0.1:", "127.0.0.1:99999", "example.com:80", "1.2.3:4"}) {
    EXPECT_FALSE(parse_listen_address(bad)) << bad;
  }
}

TEST(Deadlines, FireInOrderAndNeverEarly) {
  const SystemClock clock;
  Reactor reactor(clock);
  std::vector<int> order;
  int left = 3;
  for (const int ms : {180, 60, 120}) {
    spawn([](Reactor& r, std::vector<int>& out, int& pending, int wait_ms) -> Task<void> {
      const Instant begun = r.clock().now();
      co_await r.sleep_until(Deadline(begun + std::chrono::milliseconds(wait_ms)));
      EXPECT_GE(r.clock().now() - begun, std::chrono::milliseconds(wait_ms));
      out.push_back(wait_ms);
      if (--pending == 0) r.stop();
    }(reactor, order, left, ms));
  }
  reactor.run();
  EXPECT_THAT(order, ::testing::ElementsAre(60, 120, 180));
}

TEST(Messages, FromManyThreadsAllArrive) {
  const SystemClock clock;
  Reactor reactor(clock);
  int received = 0;
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 1000; ++j) {
        reactor.post([&] {
          if (++received == 4000) reactor.stop();
        });
      }
    });
  }
  reactor.run();
  EXPECT_EQ(received, 4000);
}

TEST(Buffers, KeepWhatTheyHoldWhileTheyGrow) {
  Buffer buffer;
  std::string expected;
  for (int i = 0; i < 5000; ++i) {
    const std::string piece = std::to_string(i) + ",";
    buffer.append(piece);
    expected += piece;
    if (i % 3 == 0) {
      buffer.consume(2);
      expected.erase(0, 2);
    }
  }
  EXPECT_EQ(buffer.bytes(), expected);
  buffer.release();
  EXPECT_FALSE(buffer.holds_memory());
}

TEST(Buffers, WipeWhatTheyHeld) {
  const char* where = nullptr;
  {
    Buffer buffer;
    buffer.append("0123456789 Bearer sk-planted-secret");
    where = buffer.bytes().data();
  }
  Buffer again;  // Takes the same block.
  EXPECT_EQ(again.room(1).data(), where);
  EXPECT_EQ(std::string_view(where + 8, 27), std::string_view(std::string(27, '\0')));
}

}  // namespace
}  // namespace claviger::net

/// The client against a server on a local socket and on loopback.

#include "cli/control_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <thread>

#include "cli/session.h"
#include "net/listener.h"
#include "net/server_connection.h"

namespace claviger::cli {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

class Client : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/claviger_client_XXXXXX";
    home_ = ::mkdtemp(name);
  }
  void TearDown() override {
    ::unsetenv("CLAVIGER_ADMIN_KEY");
    std::filesystem::remove_all(home_);
  }
  void make_home() {
    std::filesystem::create_directory(home_ / "run");
    std::ofstream(home_ / "claviger.toml") << "# settings\n";
  }

  Task<void> serve(net::Stream stream) {
    net::ServerConnection connection(std::move(stream), limits_, date_line_);
    if (!co_await connection.read_head() || !co_await connection.read_body()) co_return;
    seen_ = std::string(connection.head().method) + " " + std::string(connection.head().target) +
            " " + std::string(connection.head().value_of("authorization")) + " " +
            std::string(connection.body());
    connection.release_request();
    auto head = connection.answer(status_);
    (void)co_await connection.send(head, "application/json", body_);
  }

  /// Calls while a server listens at `address` on a thread of its own; the port it was given.
  void serve_at(const net::ListenAddress& address, const std::function<void(std::uint16_t)>& work) {
    auto listener = net::Listener::open(reactor_, address);
    ASSERT_TRUE(listener) << listener.error();
    std::jthread thread([&] {
      spawn((*listener)->run([this](net::Stream stream) { spawn(serve(std::move(stream))); }));
      reactor_.run();
    });
    work((*listener)->port());
    reactor_.post([&] {
      (*listener)->stop();
      spawn([](net::Reactor& reactor) -> Task<void> {
        co_await reactor.sleep_until(reactor.after(60ms));
        reactor.stop();
      }(reactor_));
    });
    thread.join();
  }

  SystemClock clock_;
  net::Reactor reactor_{clock_};
  net::ServerLimits limits_;
  net::http::DateLine date_line_;
  std::filesystem::path home_;
  int status_ = 200;
  std::string body_ = R"({"data":[]})";
  std::string seen_;
};

TEST_F(Client, SaysThatThereIsNoHome) {
  const auto answer =
      ControlClient(clock_, {.home = home_ / "none", .url = {}}).call("GET", "/owners", {});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().status, kRefused);
  EXPECT_THAT(answer.error().message, HasSubstr("claviger init"));
}

TEST_F(Client, SaysThatNoServerRuns) {
  make_home();
  const auto answer = ControlClient(clock_, {.home = home_, .url = {}}).call("GET", "/owners", {});
  ASSERT_FALSE(answer);
  EXPECT_THAT(answer.error().message, HasSubstr("claviger serve"));
}

TEST_F(Client, ReachesTheServerOverItsSocketWithoutAKey) {
  make_home();
  serve_at({.unix_path = (home_ / "run" / "control.sock").string()}, [&](std::uint16_t) {
    const auto answer = ControlClient(clock_, {.home = home_, .url = {}})
                            .call("POST", "/owners", R"({"name":"x"})");
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->status, 200);
    EXPECT_EQ(answer->body, body_);
  });
  EXPECT_EQ(seen_, R"(POST /api/v1/owners  {"name":"x"})");
}

TEST_F(Client, ReachesAServerElsewhereWithItsAdminKey) {
  serve_at({.host = "127.0.0.1", .port = 0}, [&](std::uint16_t port) {
    const std::string url = "http://127.0.0.1:" + std::to_string(port);
    ControlClient client(clock_, {.home = home_, .url = url});
    EXPECT_THAT(client.call("GET", "/owners", {}).error().message, HasSubstr("CLAVIGER_ADMIN_KEY"));
    ::setenv("CLAVIGER_ADMIN_KEY", "clva_x", 1);
    ASSERT_TRUE(client.call("GET", "/owners", {}));
  });
  EXPECT_EQ(seen_, "GET /api/v1/owners Bearer clva_x ");
}

TEST_F(Client, ARefusalIsSaidWithItsRemedy) {
  make_home();
  status_ = 404;
  body_ = R"({"error":{"code":"unknown_owner","message":"there is no owner \"x\"",)"
          R"("remedy":"list them"}})";
  serve_at({.unix_path = (home_ / "run" / "control.sock").string()}, [&](std::uint16_t) {
    const Hooks hooks;
    Session session(clock_, {.home = home_, .url = {}}, false, hooks);
    const auto said = session.ask("DELETE", "/owners/x");
    ASSERT_FALSE(said);
    EXPECT_EQ(said.error().status, kRefused);
    EXPECT_EQ(said.error().message, "there is no owner \"x\". To do: list them");
  });
}

}  // namespace
}  // namespace claviger::cli

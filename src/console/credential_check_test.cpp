/// Trying a credential out, against a provider on loopback.

#include <gmock/gmock.h>

#include "console/control_bed.h"
#include "net/listener.h"
#include "net/server_connection.h"

namespace claviger::console {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

class CredentialCheck : public ControlBed {
 protected:
  void SetUp() override {
    ControlBed::SetUp();
    auto opened = net::Listener::open(reactor_, {.host = "127.0.0.1", .port = 0});
    ASSERT_TRUE(opened) << opened.error();
    listener_ = std::move(*opened);
    must("POST", "/owners", R"({"name":"alice"})");
  }

  Task<void> serve(net::Stream stream) {
    net::ServerConnection connection(std::move(stream), limits_, date_line_);
    if (!co_await connection.read_head()) co_return;
    target_ = connection.head().target;
    authorization_ = connection.head().value_of("authorization");
    connection.release_request();
    auto head = connection.answer(status_);
    (void)co_await connection.send(head, "application/json", body_);
  }

  /// Adds a credential for the provider on loopback, and tests it.
  Said check(std::uint16_t port) {
    const Said added = must("POST", "/credentials",
                            R"({"owner":"alice","provider":"openai-compatible","key":"sk-planted",)"
                            R"("allow_private":true,"base_url":"http://127.0.0.1:)" +
                                std::to_string(port) + R"(/v1"})");
    egress_.set_policy(std::make_shared<net::EgressPolicy>(net::EgressPolicy{.allow = opened_}));
    ControlAnswer answer;
    reactor_.post([&] {
      spawn(listener_->run([this](net::Stream stream) { spawn(serve(std::move(stream))); }));
      spawn([](CredentialCheck& self, std::string path, ControlAnswer& out) -> Task<void> {
        out = co_await self.control_->handle({.method = "POST", .path = std::move(path)});
        self.listener_->stop();
        co_await self.reactor_.sleep_until(self.reactor_.after(60ms));
        self.reactor_.stop();
      }(*this, "/credentials/" + added.member("id") + "/test", answer));
    });
    reactor_.run();
    return said_by(std::move(answer));
  }

  SystemClock real_clock_;
  net::Reactor reactor_{real_clock_};
  std::unique_ptr<net::Listener> listener_;
  net::ServerLimits limits_;
  net::http::DateLine date_line_;
  int status_ = 200;
  std::string body_ = R"({"object":"list","data":[{"id":"a"},{"id":"b"}]})";
  std::string target_;
  std::string authorization_;
};

TEST_F(CredentialCheck, ListsTheModelsWithTheKeyAndSaysHowMany) {
  const Said said = check(listener_->port());
  EXPECT_EQ(target_, "/v1/models");
  EXPECT_EQ(authorization_, "Bearer sk-planted");
  EXPECT_EQ(said.member("works"), "true");
  EXPECT_EQ(said.member("models"), "2");
  EXPECT_EQ(said.member("status"), "200");
}

TEST_F(CredentialCheck, SaysWhatTheProviderSaidWithoutTheKey) {
  status_ = 401;
  body_ = R"({"error":{"message":"Incorrect API key provided: sk-planted\u0007."}})";
  const Said said = check(listener_->port());
  EXPECT_EQ(said.status, 200);
  EXPECT_EQ(said.member("works"), "false");
  EXPECT_EQ(said.member("reached"), "true");
  EXPECT_THAT(said.member("message"), HasSubstr("Incorrect API key provided"));
  EXPECT_THAT(said.text, Not(HasSubstr("planted")));
  EXPECT_THAT(said.member("remedy"), HasSubstr("rotate"));
}

TEST_F(CredentialCheck, APageThatIsNoListOfModelsIsNoSuccess) {
  body_ = "<html>Welcome</html>";
  EXPECT_EQ(check(listener_->port()).member("works"), "false");
}

TEST_F(CredentialCheck, SaysAtWhichStepItFailed) {
  const Said said = check(1);
  EXPECT_EQ(said.member("works"), "false");
  EXPECT_EQ(said.member("reached"), "false");
  EXPECT_EQ(said.member("failed_at"), "tcp");
  EXPECT_THAT(said.member("message"), HasSubstr("127.0.0.1:1"));
}

}  // namespace
}  // namespace claviger::console

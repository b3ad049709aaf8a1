#include "deliver/webhooks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sodium.h>

#include "deliver/webhook_signature.h"
#include "deliver/webhook_url.h"
#include "net/listener.h"
#include "net/server_connection.h"
#include "vault/memory_vault_store.h"
#include "vault/root_key.h"

namespace claviger::deliver {
namespace {

using namespace std::chrono_literals;
using alert::DeliveryOutcome;
using ::testing::HasSubstr;
using Result = DeliveryOutcome::Result;

/// The example of the Standard Webhooks specification (2023-12).
TEST(WebhookSignature, IsThatOfTheSpecificationsExample) {
  constexpr std::string_view kSecret = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
  Secret secret = Secret::of_size(24);
  std::size_t length = 0;
  ASSERT_EQ(sodium_base642bin(secret.writable().data(), 24, kSecret.data(), kSecret.size(), nullptr,
                              &length, nullptr, sodium_base64_VARIANT_ORIGINAL),
            0);
  EXPECT_EQ(sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, R"({"test": 2432232314})"),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

TEST(WebhookSignature, TheSecretIsWrittenAsTheStandardSays) {
  const Secret text = signing_secret_text(Secret::copy_of(std::string(32, '\0')));
  EXPECT_EQ(text.reveal(), "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
}

TEST(WebhookUrl, KeepsPathAndQuery) {
  const auto url = parse_webhook_url("https://Hooks.Example.com/services/T0/B1/?token=a%2Fb");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->endpoint.host, "hooks.example.com");
  EXPECT_EQ(url->endpoint.port, 443);
  EXPECT_TRUE(url->endpoint.use_tls);
  EXPECT_EQ(url->target, "/services/T0/B1/?token=a%2Fb");
  EXPECT_EQ(parse_webhook_url("http://127.0.0.1:99")->target, "/");
  EXPECT_EQ(parse_webhook_url("http://127.0.0.1:99?a")->target, "/?a");
  EXPECT_EQ(parse_webhook_url("http://127.0.0.1:99/x")->target, "/x");
}

TEST(WebhookUrl, WhatIsNoneIsRefusedWithoutRepeatingIt) {
  for (const std::string_view url :
       {"", "ftp://a.example", "https://user:pass@a.example/", "https://a.example/#x",
        "https://a.example/?a b", "https://a.example/?\r\nx: y", "https://"}) {
    const auto parsed = parse_webhook_url(url);
    ASSERT_FALSE(parsed) << url;
    EXPECT_EQ(parsed.error().find("pass"), std::string::npos);
  }
  EXPECT_FALSE(parse_webhook_url("https://a.example/" + std::string(2000, 'x')));
}

TEST(WebhookUrl, ALookAtItDoesNotShowItsToken) {
  EXPECT_EQ(shown_url("https://a.example/services/secret?token=secret"), "https://a.example:443/…");
}

TEST(WebhookOutcome, StatusesMeanWhatTheyShould) {
  EXPECT_EQ(outcome_of(200, "").result, Result::delivered);
  EXPECT_EQ(outcome_of(204, "").result, Result::delivered);
  EXPECT_EQ(outcome_of(301, "").result, Result::failed);
  EXPECT_THAT(outcome_of(302, "").trouble, HasSubstr("redirects are not followed"));
  EXPECT_EQ(outcome_of(410, "").result, Result::refused);
  EXPECT_EQ(outcome_of(500, "").result, Result::failed);
  EXPECT_EQ(outcome_of(429, "120").retry_after, 120s);
  for (const std::string_view odd : {"", "soon", "-1", "99999999999999999999", "12x"}) {
    EXPECT_EQ(outcome_of(503, odd).retry_after, std::nullopt) << odd;
  }
}

/// A receiver on this thread's reactor.
class WebhooksTest : public testing::Test {
 protected:
  void SetUp() override {
    auto opened = net::Listener::open(reactor_, {.host = "127.0.0.1", .port = 0});
    ASSERT_TRUE(opened) << opened.error();
    listener_ = std::move(*opened);
    channel_.id = alert::ChannelId{7};
    channel_.target = "http://127.0.0.1:" + std::to_string(listener_->port()) + "/hook?a=b";
  }
  void allow() {
    egress_.set_policy(std::make_shared<net::EgressPolicy>(
        net::EgressPolicy{.allow = {{"127.0.0.1", listener_->port()}}, .own_ports = {}}));
  }

  Task<void> answer(net::Stream stream) {
    net::ServerConnection connection(std::move(stream), limits_, date_line_);
    if (!co_await connection.read_head() || !co_await connection.read_body()) co_return;
    ++requests_;
    if (silent_) co_return co_await wait(400ms);
    for (const auto& header : connection.head().headers()) {
      headers_[std::string(header.name)] = header.value;
    }
    target_ = connection.head().target;
    body_ = connection.body();
    connection.release_request();
    auto head = connection.answer(status_);
    if (status_ / 100 == 3) head.header("location", "/elsewhere");
    (void)co_await connection.send(head, "text/plain", "thanks");
  }
  Task<void> wait(Duration duration) { co_await reactor_.sleep_until(reactor_.after(duration)); }

  DeliveryOutcome post(Duration within = 5s) {
    std::optional<DeliveryOutcome> outcome;
    spawn(listener_->run([this](net::Stream stream) { spawn(answer(std::move(stream))); }));
    spawn(
        [](WebhooksTest& self, Duration within, std::optional<DeliveryOutcome>& out) -> Task<void> {
          co_await resume_on{self.reactor_};
          out = co_await self.webhooks_.post(self.channel_, self.message_,
                                             Deadline(self.clock_.now() + within));
          self.listener_->stop();
          co_await self.wait(100ms);
          self.reactor_.stop();
        }(*this, within, outcome));
    reactor_.run();
    return std::move(*outcome);
  }

  SystemClock clock_;
  net::Reactor reactor_{clock_};
  net::Resolver resolver_{clock_};
  net::Egress egress_{resolver_, nullptr};
  vault::MemoryVaultStore vault_store_;
  vault::Vault vault_{vault_store_, vault::RootKey::generate()};
  Webhooks webhooks_{clock_, reactor_, egress_, vault_};
  net::ServerLimits limits_;
  net::http::DateLine date_line_;
  std::unique_ptr<net::Listener> listener_;
  alert::Channel channel_;
  alert::Message message_ = alert::test_message(WallTime{std::chrono::days{20000}});
  int status_ = 200;
  bool silent_ = false;
  int requests_ = 0;
  std::map<std::string, std::string> headers_;
  std::string target_;
  std::string body_;
};

TEST_F(WebhooksTest, AReceiverCanTellThatItIsOursAndWhole) {
  allow();
  EXPECT_EQ(post().result, Result::delivered);
  EXPECT_EQ(target_, "/hook?a=b");
  EXPECT_EQ(body_, alert::to_json(message_));
  EXPECT_EQ(headers_["webhook-id"], message_.id);
  EXPECT_EQ(headers_["content-type"], "application/json");
  const Secret secret = *vault_.named_secret("alert-channel-7", kSigningSecretBytes);
  EXPECT_EQ(headers_["webhook-signature"],
            sign(secret, message_.id, std::stoll(headers_["webhook-timestamp"]), body_));
  const std::int64_t now = unix_micros(clock_.wall_now()) / 1'000'000;
  EXPECT_LE(std::abs(now - std::stoll(headers_["webhook-timestamp"])), 5);
}

TEST_F(WebhooksTest, ARedirectIsNotFollowed) {
  allow();
  status_ = 307;
  const DeliveryOutcome outcome = post();
  EXPECT_EQ(outcome.result, Result::failed);
  EXPECT_EQ(requests_, 1);
}

TEST_F(WebhooksTest, LoopbackIsReachedOnlyWhereTheOperatorAllowsIt) {
  const DeliveryOutcome outcome = post();
  EXPECT_EQ(outcome.result, Result::failed);
  EXPECT_THAT(outcome.trouble, HasSubstr("[egress] allow"));
  EXPECT_EQ(requests_, 0);
}

TEST_F(WebhooksTest, AReceiverThatSaysNothingIsGivenUpInTime) {
  allow();
  silent_ = true;
  const DeliveryOutcome outcome = post(150ms);
  EXPECT_EQ(outcome.result, Result::failed);
  EXPECT_THAT(outcome.trouble, HasSubstr("did not answer"));
}

TEST_F(WebhooksTest, WithoutItsSecretNothingIsSent) {
  allow();
  vault_store_.unavailable = true;
  EXPECT_EQ(post().result, Result::failed);
  EXPECT_EQ(requests_, 0);
}

}  // namespace
}  // namespace claviger::deliver

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sodium.h>

#include <regex>

#include "deliver/mail_message.h"
#include "deliver/mailer.h"
#include "net/reactor.h"
#include "net/resolver.h"

namespace claviger::deliver {
namespace {

using namespace std::chrono_literals;
using alert::DeliveryOutcome;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

const WallTime kNow = from_unix_micros(1'795'615'200'000'000);

alert::Message message(std::string summary) {
  return {.id = "alr_01HF7YAT00N3RGKDFSV4ZX8QWE",
          .type = "budget.threshold",
          .at = kNow,
          .summary = std::move(summary),
          .details = "{}"};
}

std::string decoded(std::string_view base64) {
  std::string out(base64.size(), '\0');
  std::size_t length = 0;
  EXPECT_EQ(
      sodium_base642bin(reinterpret_cast<unsigned char*>(out.data()), out.size(), base64.data(),
                        base64.size(), "\r\n", &length, nullptr, sodium_base64_VARIANT_ORIGINAL),
      0);
  out.resize(length);
  return out;
}

TEST(Mail, SaysWhatItIsAboutAndHasAStableId) {
  const std::string mail =
      write_mail("claviger@example.com", "ops@example.com", message("It is 80 % used."), kNow);
  EXPECT_THAT(mail, AllOf(HasSubstr("From: Claviger <claviger@example.com>\r\n"),
                          HasSubstr("To: <ops@example.com>\r\n"),
                          HasSubstr("Subject: [Claviger] It is 80 % used.\r\n"),
                          HasSubstr("Date: Wed, 25 Nov 2026 14:00:00 +0000\r\n"),
                          HasSubstr("Message-ID: <alr_01HF7YAT00N3RGKDFSV4ZX8QWE@example.com>")));
  const std::string body = decoded(std::string_view(mail).substr(mail.find("\r\n\r\n") + 4));
  EXPECT_THAT(body, AllOf(HasSubstr("It is 80 % used."),
                          HasSubstr("claviger alert ack alr_01HF7YAT00N3RGKDFSV4ZX8QWE")));
}

/// The name of an owner or a model stands in it, and comes from elsewhere.
TEST(Mail, NothingInASummaryBeginsAHeader) {
  const std::string mail = write_mail("a@example.com", "b@example.com",
                                      message("x\r\nBcc: evil@example.com\r\n\r\nhello"), kNow);
  const std::string head = mail.substr(0, mail.find("\r\n\r\n"));
  EXPECT_THAT(head, Not(HasSubstr("\nBcc:")));
  for (const char c : mail) EXPECT_LT(static_cast<unsigned char>(c), 0x7F);
}

TEST(Mail, WordsInAnyLanguageArriveWhole) {
  std::string summary;
  for (int i = 0; i < 40; ++i) summary += "Käse 預算 ";
  const std::string mail = write_mail("a@example.com", "b@example.com", message(summary), kNow);
  std::string subject;
  const std::regex word(R"(=\?UTF-8\?B\?([^?]*)\?=)");
  for (std::sregex_iterator i(mail.begin(), mail.end(), word), end; i != end; ++i) {
    EXPECT_LE(i->str().size(), 75u);
    subject += decoded((*i)[1].str());
  }
  EXPECT_TRUE(subject.starts_with("[Claviger] Käse 預算 Käse")) << subject;
  EXPECT_TRUE(subject.ends_with("…"));
  std::size_t begin = 0;
  while (begin < mail.size()) {
    const std::size_t end = mail.find("\r\n", begin);
    EXPECT_LE(end - begin, 998u);
    begin = end + 2;
  }
}

TEST(Mail, AddressesAreToldFromWhatIsNone) {
  for (const std::string_view good : {"ops@example.com", "a.b+c@x-y.example", "root@localhost"}) {
    EXPECT_TRUE(is_mail_address(good)) << good;
  }
  for (const std::string_view bad :
       {"", "ops", "@example.com", "ops@", "a b@example.com", "a@b@c", "<a@b>", "a@b\r\nX: y",
        "ä@example.com", "a@.example", "a@example.", "\"a\"@example.com", "a@b,c@d"}) {
    EXPECT_FALSE(is_mail_address(bad)) << bad;
  }
  EXPECT_FALSE(is_mail_address(std::string(65, 'a') + "@example.com"));
}

class MailerTest : public testing::Test {
 protected:
  DeliveryOutcome send(Duration within = 5s) {
    std::optional<DeliveryOutcome> outcome;
    spawn([](MailerTest& self, Duration within, std::optional<DeliveryOutcome>& out) -> Task<void> {
      co_await resume_on{self.reactor_};
      out = co_await self.mailer_.send("ops@example.com", message("x"),
                                       Deadline(self.clock_.now() + within));
      self.reactor_.stop();
    }(*this, within, outcome));
    reactor_.run();
    return std::move(*outcome);
  }
  void set_up(std::string host, std::uint16_t port) {
    MailSettings settings;
    settings.host = std::move(host);
    settings.port = port;
    settings.from = "claviger@example.com";
    mailer_.set_settings(std::make_shared<const MailSettings>(std::move(settings)));
  }

  SystemClock clock_;
  net::Reactor reactor_{clock_};
  net::Resolver resolver_{clock_};
  net::Egress egress_{resolver_, nullptr};
  Mailer mailer_{clock_, egress_};
};

TEST_F(MailerTest, WithoutAServerItSaysWhoHasToDoWhat) {
  const DeliveryOutcome outcome = send();
  EXPECT_EQ(outcome.result, DeliveryOutcome::Result::failed);
  EXPECT_THAT(outcome.trouble, HasSubstr("[mail]"));
}

/// Not the name is looked at but the address: both lead to this machine.
TEST_F(MailerTest, ALocalServerIsReachedOnlyWhereTheOperatorAllowsIt) {
  for (const char* const host : {"127.0.0.1", "localhost", "169.254.169.254", "10.0.0.1"}) {
    set_up(host, 25);
    const DeliveryOutcome outcome = send();
    EXPECT_EQ(outcome.result, DeliveryOutcome::Result::failed);
    EXPECT_THAT(outcome.trouble, HasSubstr("[egress] allow")) << host;
  }
}

TEST_F(MailerTest, ADeadlineThatHasPassedIsKept) {
  set_up("127.0.0.1", 25);
  EXPECT_THAT(send(-1s).trouble, HasSubstr("no time"));
}

}  // namespace
}  // namespace claviger::deliver

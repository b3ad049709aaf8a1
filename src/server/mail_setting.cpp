#include "server/mail_setting.h"

#include <fmt/format.h>

#include <cstdlib>

#include "deliver/mail_message.h"
#include "vault/private_file.h"

namespace claviger::server {
namespace {

std::unexpected<std::string> wrong(std::string sentence) {
  return std::unexpected(std::move(sentence));
}

bool is_this_machine(const std::string& host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

std::expected<Secret, std::string> read_password(const MailConfig& config) {
  if (!config.password_env.empty()) {
    const char* const value = std::getenv(config.password_env.c_str());
    if (value == nullptr || *value == '\0') {
      return wrong(fmt::format("mail.password_env names {}, which is not set in the environment",
                               config.password_env));
    }
    return Secret::copy_of(value);
  }
  if (config.password_file.empty()) return Secret();
  auto read = vault::read_private_file(config.password_file, vault::FileRule::owner_only);
  if (!read) return wrong("mail.password_file: " + read.error().message);
  std::string_view text = read->reveal();
  while (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);
  if (text.empty()) return wrong("mail.password_file: " + config.password_file + " is empty");
  return Secret::copy_of(text);
}

}  // namespace

std::expected<void, std::string> check_mail(const MailConfig& config) {
  if (config.host.empty()) return {};
  if (!deliver::is_mail_address(config.from)) {
    return wrong("mail.from must be a plain mail address, like claviger@example.com");
  }
  if (!config.password_env.empty() && !config.password_file.empty()) {
    return wrong("mail.password_env and mail.password_file exclude each other");
  }
  const bool has_password = !config.password_env.empty() || !config.password_file.empty();
  if (config.user.empty() == has_password) {
    return wrong("mail.user and its password (password_env or password_file) belong together");
  }
  if (config.tls == "none" && !is_this_machine(config.host)) {
    return wrong(fmt::format(
        "mail to {} would cross the network in clear; set mail.tls to \"starttls\" or \"tls\"",
        config.host));
  }
  return {};
}

std::expected<std::shared_ptr<const deliver::MailSettings>, std::string> read_mail_settings(
    const MailConfig& config) {
  if (config.host.empty()) return nullptr;
  auto password = read_password(config);
  if (!password) return wrong(password.error());
  auto settings = std::make_shared<deliver::MailSettings>();
  settings->host = config.host;
  settings->port = config.port;
  settings->tls = config.tls == "tls"    ? deliver::MailTls::tls
                  : config.tls == "none" ? deliver::MailTls::none
                                         : deliver::MailTls::starttls;
  settings->user = config.user;
  settings->password = std::move(*password);
  settings->from = config.from;
  settings->ca_file = config.ca_file;
  return settings;
}

}  // namespace claviger::server

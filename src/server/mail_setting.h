#pragma once

/// What `[mail]` says, as the mailer needs it: with its password read from where it is kept.

#include <expected>
#include <memory>
#include <string>

#include "deliver/mailer.h"
#include "server/config.h"

namespace claviger::server {

/// Null where no host is named: mail is not set up. Error: a sentence that says what to do.
std::expected<std::shared_ptr<const deliver::MailSettings>, std::string> read_mail_settings(
    const MailConfig& config);

/// What no single setting of `[mail]` can say. Error: a sentence.
std::expected<void, std::string> check_mail(const MailConfig& config);

}  // namespace claviger::server

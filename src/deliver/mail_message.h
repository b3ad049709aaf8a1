#pragma once

/// A message as mail (RFC 5322, October 2008; RFC 2047, November 1996): text in UTF-8, encoded
/// so that every server takes it. Whatever is put into a header is either plain ASCII without
/// controls or encoded, so that no name can begin a header of its own.
///
/// Threads: plain functions.

#include <string>
#include <string_view>

#include "alert/payload.h"

namespace claviger::deliver {

/// Nothing where `address` is no plain ASCII mail address, such as `ops@example.com`.
bool is_mail_address(std::string_view address);

/// The whole message with CR LF line ends. Its Message-ID is made of the alert's id, so that a
/// second copy is seen to be one.
std::string write_mail(std::string_view from, std::string_view to, const alert::Message& message,
                       WallTime now);

}  // namespace claviger::deliver

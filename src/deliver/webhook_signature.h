#pragma once

/// Signing webhooks, so that whoever receives one can tell that it is ours, whole, and fresh.
/// The scheme is that of Standard Webhooks 1.0.0 (standard-webhooks/standard-webhooks on GitHub,
/// spec/standard-webhooks.md, 2023-12): HMAC-SHA256 over `ID.TIMESTAMP.BODY`, base64, behind
/// `v1,`; the secret is written `whsec_` and base64. Its libraries for many languages verify it.
///
/// Threads: plain functions.

#include <cstdint>
#include <string>
#include <string_view>

#include "alert/alert.h"
#include "base/secret.h"

namespace claviger::deliver {

/// The standard asks for 24 to 64.
inline constexpr std::size_t kSigningSecretBytes = 32;

/// Under which name the vault keeps a channel's secret. Ids are never given out twice.
std::string signing_secret_name(alert::ChannelId channel);

/// As people copy it: `whsec_…`.
Secret signing_secret_text(const Secret& secret);

/// `v1,…`, for the header webhook-signature. `sent_at` is in seconds since 1970.
std::string sign(const Secret& secret, std::string_view id, std::int64_t sent_at,
                 std::string_view body);

}  // namespace claviger::deliver

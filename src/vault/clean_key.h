#pragma once

/// What may pass as a provider's key. It goes into a header of every request to the provider,
/// so a newline in it would be a header of its own, chosen by whoever typed the key.

#include <expected>
#include <string>
#include <string_view>

#include "vault/vault.h"

namespace claviger::vault {

/// Without one "\n" or "\r\n" at its end, which terminals, `echo` and editors add.
std::string_view without_newline(std::string_view text);

/// The key without a newline at its end, if it is one: printable ASCII, no blank at either end,
/// at most kKeyBytesMax. An empty one passes; add() knows whether it may be. The view is into
/// `typed`. Errors: malformed, too_long.
Result<std::string_view> clean_key(std::string_view typed);

/// The last four characters, where kHintedKeyBytesMin or more are there; else nothing.
std::string hint_of(std::string_view key);

}  // namespace claviger::vault

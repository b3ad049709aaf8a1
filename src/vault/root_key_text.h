#pragma once

/// The one-line form of a root key; root_key.h describes it. Within the vault only: whoever
/// holds a RootKey can write it to a file, but not look at it.

#include "base/secret.h"

namespace claviger::vault {

/// The line with its newline, in the arena. `bytes` is RootKey::kBytes long.
Secret root_key_text(const Secret& bytes);

}  // namespace claviger::vault

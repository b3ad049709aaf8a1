#pragma once

/// Which models a virtual key may use: patterns such as `openai/*` or `*/gpt-4o-mini`.

#include <string_view>

#include "access/directory.h"

namespace claviger::access {

/// Whether `pattern` covers the whole of `model`. `*` stands for any run of characters, also
/// none and also across '/'; everything else stands for itself, case included (providers' ids
/// differ by case). Time is at most pattern length times model length; no allocation.
bool matches_pattern(std::string_view pattern, std::string_view model);

/// Whether the key's patterns allow `model`; a key without patterns may use every model. Ask
/// with the resolved `provider/model`, never with an alias: otherwise an alias would be a way
/// around the patterns.
bool may_use(const VirtualKey& key, std::string_view model);

}  // namespace claviger::access

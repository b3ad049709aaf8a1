#pragma once

/// A name of one's own for a model, or for a list of models in the order of preference: the
/// application asks for `fast`, and its owner decides what that is and what stands in for it
/// when it fails. Putting a model on the list is the owner's consent to pay for it there.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"

namespace claviger::route {

inline constexpr std::size_t kAliasNameBytesMax = 128;
inline constexpr std::size_t kAliasModelsMax = 8;

struct Alias {
  OwnerId owner;  ///< None: the workspace's, for every owner who has none of that name.
  std::string name;
  std::vector<std::string> models;  ///< `provider/model`, the preferred one first.
  friend bool operator==(const Alias&, const Alias&) = default;
};

/// Letters, digits, `.`, `_`, `-` and `:`, at most kAliasNameBytesMax. No `/`: what has one is
/// a model's full name, which nobody may take.
bool is_alias_name(std::string_view name);

}  // namespace claviger::route

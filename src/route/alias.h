#pragma once

/// A name of one's own for a model, or for a list of models in the order of preference: the
/// application asks for `fast`, and its owner decides what that is and what stands in for it
/// when it fails. Putting a model on the list is the owner's consent to pay for it there.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"

namespace claviger::route {

inline constexpr std::size_t kAliasNameBytesMax = 128;
inline constexpr std::size_t kAliasModelsMax = 8;

/// Which of several places at the head of a list is asked first, where they have the same model of
/// the same provider under different credentials. The others follow in their turn, and what stands
/// behind them (another model) still stands in for all of them.
enum class Rotation : std::uint8_t {
  in_order,     ///< The first of the list, as long as it works.
  round_robin,  ///< Each in its turn.
  least_used,   ///< With the fewest requests under way; of these, the fewest tokens lately.
};
std::string_view to_string(Rotation rotation);  ///< As people write it.
std::optional<Rotation> rotation_of(std::string_view text);

struct Alias {
  OwnerId owner;  ///< None: the workspace's, for every owner who has none of that name.
  std::string name;
  std::vector<std::string> models;  ///< `provider/model`, the preferred one first.
  Rotation rotation = Rotation::in_order;
  friend bool operator==(const Alias&, const Alias&) = default;
};

/// Letters, digits, `.`, `_`, `-` and `:`, at most kAliasNameBytesMax. No `/`: what has one is
/// a model's full name, which nobody may take.
bool is_alias_name(std::string_view name);

}  // namespace claviger::route

#include "route/alias.h"

#include <algorithm>

namespace claviger::route {

std::string_view to_string(Rotation rotation) {
  switch (rotation) {
    case Rotation::in_order:
      return "order";
    case Rotation::round_robin:
      return "round-robin";
    case Rotation::least_used:
      return "least-used";
  }
  return "order";
}

std::optional<Rotation> rotation_of(std::string_view text) {
  for (const Rotation one : {Rotation::in_order, Rotation::round_robin, Rotation::least_used}) {
    if (text == to_string(one)) return one;
  }
  return std::nullopt;
}

bool is_alias_name(std::string_view name) {
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-' || c == ':';
  };
  return !name.empty() && name.size() <= kAliasNameBytesMax && std::ranges::all_of(name, is_plain);
}

}  // namespace claviger::route

#include "route/alias.h"

#include <algorithm>

namespace claviger::route {

bool is_alias_name(std::string_view name) {
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-' || c == ':';
  };
  return !name.empty() && name.size() <= kAliasNameBytesMax && std::ranges::all_of(name, is_plain);
}

}  // namespace claviger::route

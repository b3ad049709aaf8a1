#pragma once

/// Changing one thing in somebody else's JSON and leaving every other byte as it was: number
/// formats, order, whitespace and fields that we have never heard of survive.

#include <string>
#include <string_view>

#include "exchange/request.h"

namespace claviger::exchange {

/// Where the value of `key` (compared unescaped) stands in the object `json`; empty where
/// `json` is no object, cannot be read to its end, or lacks the key. Where a key stands twice,
/// the last one, as most readers have it. Only the top level is looked at: text that happens
/// to look like the key is never taken for it.
Span find_value(std::string_view json, std::string_view key);

/// `json` with `key` in its top-level object set to `value` (JSON itself): replaced where
/// it is there, else added as its last field. `json` must be an object.
std::string with_field(std::string_view json, std::string_view key, std::string_view value);

/// `whole` with `key` set in the object that stands at `object` in it; see with_field().
std::string with_field_at(std::string_view whole, Span object, std::string_view key,
                          std::string_view value);

/// `whole` with what stands at `place` replaced.
std::string spliced(std::string_view whole, Span place, std::string_view replacement);

inline std::string_view at(std::string_view text, Span place) {
  return text.substr(place.begin, place.end - place.begin);
}

}  // namespace claviger::exchange

#pragma once

/// Writing JSON by hand, for the few small objects that Claviger itself says (errors, model
/// lists, edits). Appending to a string instead of building a tree, because these are written
/// on a request's way.

#include <cstddef>
#include <string>
#include <string_view>

namespace claviger::exchange {

/// Appends `text` as a JSON string with its quotes. Control characters are escaped; bytes
/// that are not UTF-8 become U+FFFD each, so that the result is always valid JSON whatever a
/// provider or a caller sent. `/` and characters beyond ASCII are left as they are.
void append_json_string(std::string& out, std::string_view text);

/// `text` as a JSON string, with its quotes.
std::string json_string(std::string_view text);

/// The longest start of `text` of at most `bytes_max` bytes that does not end inside a UTF-8
/// character.
std::string_view clipped(std::string_view text, std::size_t bytes_max);

}  // namespace claviger::exchange

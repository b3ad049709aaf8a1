#pragma once

/// The same request with its texts cut to half: the probe that tells a request that is too long
/// from one that is wrong. Everything else stays as it was, byte for byte: roles, tools and their
/// results in their order, images, schemas. Half of those would be another request, and fail for
/// reasons of its own.

#include <expected>
#include <string>
#include <string_view>

namespace claviger::console {

/// Shorter texts stay whole: an empty one is refused by some providers.
inline constexpr std::size_t halved_text_bytes_min = 64;

/// Of a body in any of the callers' dialects. Signed thoughts stay whole, since half of one does
/// not match its signature. Error: why it cannot be cut, as a sentence for people: it is no JSON
/// object, or so little of it is text that what is left would hardly be shorter.
std::expected<std::string, std::string> with_texts_halved(std::string_view body);

/// `body` with its output bounded to `tokens`, in the field of the dialect that is spoken at
/// `path`; unchanged where it asks for thoughts, whose budget has to lie below the bound, and
/// where there is no output that a bound could be set for.
std::string with_output_bound(std::string_view path, std::string_view body, int tokens);

}  // namespace claviger::console

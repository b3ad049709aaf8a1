#pragma once

/// Where text is cut into pieces before byte pairs are merged: merging never crosses a cut.
///
/// The references are regular expressions (PyPI tiktoken 0.14.0, tiktoken_ext/openai_public.py,
/// 2026-08); they stand beside the code that does the same by hand. By hand, because a
/// backtracking engine on a stranger's text would need a bound of its own, and because this
/// looks at each character a constant number of times: a text takes linear time whatever is in
/// it.

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace claviger::tokenize {

enum class SplitRule : std::uint8_t { o200k, cl100k };

/// Where the piece that begins at `begin` ends; `begin` must be inside `text`.
std::size_t piece_end(SplitRule rule, std::string_view text, std::size_t begin);

}  // namespace claviger::tokenize

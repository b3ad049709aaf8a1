#pragma once

/// The surfaces on which money can be spent, in one table. Relay::serve() knows no other way to
/// a provider, and a test walks the same table to prove for each of them that no byte leaves
/// before a hold is granted and that every way out settles once. Whoever adds a row adds a
/// request for it there, or the test fails.

#include <optional>
#include <string_view>

#include "exchange/request.h"

namespace claviger::relay {

struct Surface {
  std::string_view path;  ///< Exactly, behind normalisation. The method is POST.
  exchange::DialectId dialect;
  exchange::Operation operation;
};

inline constexpr Surface kSurfaces[] = {
    {"/v1/chat/completions", exchange::DialectId::openai, exchange::Operation::chat},
    {"/v1/embeddings", exchange::DialectId::openai, exchange::Operation::embeddings},
    {"/v1/messages", exchange::DialectId::anthropic, exchange::Operation::chat},
    {"/v1/messages/count_tokens", exchange::DialectId::anthropic,
     exchange::Operation::count_tokens},
};

/// Nothing where no money can be spent at `path`.
constexpr std::optional<Surface> surface_at(std::string_view path) {
  for (const Surface& surface : kSurfaces) {
    if (surface.path == path) return surface;
  }
  return std::nullopt;
}

}  // namespace claviger::relay

#pragma once

/// One JSON parser per thread, so that reading a body allocates nothing after warm-up. For
/// .cpp files only: simdjson's header is large.
///
/// Threads: each has its own. Not re-entrant: `use` must not read another document, or the
/// first one's strings are overwritten.

#include <simdjson.h>

#include <cstring>
#include <memory>
#include <string_view>

namespace claviger::exchange {

/// What a thread keeps between documents. A larger document gets a parser of its own, which
/// is freed with it: otherwise a single huge body would be remembered by every thread.
inline constexpr std::size_t json_bytes_kept_max = 1 << 20;
/// simdjson counts in 32 bits; nothing this large gets here, since bodies are bounded before.
inline constexpr std::size_t json_bytes_max = 0xFFFF'0000;

/// Whether there are 64 readable bytes behind the document. Without them it is copied.
enum class JsonPadding { present, absent };

namespace json_scratch_detail {

struct Scratch {
  simdjson::ondemand::parser parser{json_bytes_kept_max};
  std::unique_ptr<char[]> copy;
  std::size_t copy_bytes = 0;

  const char* padded_copy(std::string_view json) {
    const std::size_t needed = json.size() + simdjson::SIMDJSON_PADDING;
    if (copy_bytes < needed) {
      copy_bytes = needed * 2;
      copy = std::make_unique_for_overwrite<char[]>(copy_bytes);
    }
    if (!json.empty()) std::memcpy(copy.get(), json.data(), json.size());
    std::memset(copy.get() + json.size(), 0, simdjson::SIMDJSON_PADDING);
    return copy.get();
  }
};

inline Scratch& of_this_thread() {
  thread_local Scratch scratch;
  return scratch;
}

}  // namespace json_scratch_detail

/// Calls `use(document, json)`, where `json` is the document's text as it was parsed: offsets
/// into it are offsets into what was passed in. Returns what simdjson's first stage says
/// (not UTF-8, an unclosed string, empty); `use` is called only on SUCCESS.
template <typename Use>
simdjson::error_code with_json(std::string_view json, JsonPadding padding, Use&& use) {
  if (json.size() > json_bytes_max) return simdjson::CAPACITY;
  const auto read = [&](json_scratch_detail::Scratch& scratch) {
    const char* const text =
        padding == JsonPadding::present ? json.data() : scratch.padded_copy(json);
    simdjson::ondemand::document document;
    const auto error = scratch.parser
                           .iterate(simdjson::padded_string_view(
                               text, json.size(), json.size() + simdjson::SIMDJSON_PADDING))
                           .get(document);
    if (error == simdjson::SUCCESS) use(document, std::string_view(text, json.size()));
    return error;
  };
  if (json.size() <= json_bytes_kept_max) return read(json_scratch_detail::of_this_thread());
  json_scratch_detail::Scratch own;
  own.parser = simdjson::ondemand::parser(json.size());
  return read(own);
}

/// Whether the document ends where reading stands. simdjson itself does not mind a second
/// value behind the first.
inline bool nothing_follows(simdjson::ondemand::document& document) {
  const char* ignored = nullptr;
  return document.current_location().get(ignored) == simdjson::OUT_OF_BOUNDS;
}

}  // namespace claviger::exchange

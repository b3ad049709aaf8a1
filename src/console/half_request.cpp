#include "console/half_request.h"

#include <algorithm>
#include <array>
#include <vector>

#include "exchange/json_edit.h"
#include "exchange/json_tree.h"
#include "relay/surfaces.h"

namespace claviger::console {
namespace {

using exchange::JsonNode;
using exchange::Span;

/// Where a request keeps what it says, by dialect: OpenAI's chat and Responses, embeddings,
/// Anthropic, Gemini.
constexpr auto kSpeaking = std::to_array<std::string_view>(
    {"messages", "input", "instructions", "prompt", "system", "contents", "content",
     "systemInstruction", "system_instruction"});
/// And inside that. Not `arguments`, `args` or an `input` of a tool, which are JSON.
constexpr auto kTexts =
    std::to_array<std::string_view>({"content", "text", "parts", "output", "functionResponse"});
/// A part with one of these is signed, or only its provider can read it.
constexpr auto kSigned = std::to_array<std::string_view>(
    {"signature", "thoughtSignature", "thought_signature", "encrypted_content"});

template <std::size_t kCount>
bool is_among(const std::array<std::string_view, kCount>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

/// Bytes of the character that begins at `at` in a JSON string: an escape, both halves of a
/// surrogate pair, or a character in UTF-8.
std::size_t character_bytes(std::string_view text, std::size_t at) {
  const auto is_pair = [&] {
    return text.size() >= at + 12 && (text[at + 2] == 'd' || text[at + 2] == 'D') &&
           std::string_view("89abAB").contains(text[at + 3]) && text[at + 6] == '\\';
  };
  const auto first = static_cast<unsigned char>(text[at]);
  if (first == '\\') {
    const bool is_unicode = at + 1 < text.size() && text[at + 1] == 'u';
    if (!is_unicode) return 2;
    return is_pair() ? 12 : 6;
  }
  if (first < 0x80) return 1;
  if (first >= 0xF0) return 4;
  return first >= 0xE0 ? 3 : 2;
}

struct Cutter {
  std::string_view body;
  std::vector<Span> dropped;  ///< In order.

  void cut(std::string_view raw) {
    const std::string_view text = raw.substr(1, raw.size() - 2);
    if (text.size() < halved_text_bytes_min) return;
    std::size_t end = 0;
    for (std::size_t step = 0; end + step <= text.size() / 2; step = character_bytes(text, end)) {
      end += step;
    }
    const auto begin = static_cast<std::size_t>(text.data() - body.data());
    dropped.push_back({.begin = begin + end, .end = begin + text.size()});
  }

  void visit(JsonNode node) {
    if (node.is_string()) return cut(node.raw());
    if (node.is_array()) {
      for (const JsonNode item : node) visit(item);
      return;
    }
    if (!node.is_object()) return;
    const bool is_signed = std::ranges::any_of(
        kSigned, [&](std::string_view name) { return node[name].says_something(); });
    if (is_signed) return;
    for (const JsonNode member : node) {
      if (is_among(kTexts, member.key())) visit(member);
    }
  }
};

}  // namespace

std::expected<std::string, std::string> with_texts_halved(std::string_view body) {
  exchange::JsonTree tree;
  if (!tree.read(body) || !tree.root().is_object()) {
    return std::unexpected("what it asked cannot be read as JSON");
  }
  Cutter cutter{.body = body, .dropped = {}};
  for (const JsonNode member : tree.root()) {
    if (is_among(kSpeaking, member.key())) cutter.visit(member);
  }
  std::string half;
  half.reserve(body.size());
  std::size_t at = 0;
  for (const Span& span : cutter.dropped) {
    half += body.substr(at, span.begin - at);
    at = span.end;
  }
  half += body.substr(at);
  // Half of the texts, and what is no text as it was.
  if (half.size() > body.size() / 4 * 3) {
    return std::unexpected("little of what it asked is text, and the rest cannot be cut");
  }
  return half;
}

std::string with_output_bound(std::string_view path, std::string_view body, int tokens) {
  const auto surface = relay::surface_at(path);
  exchange::JsonTree tree;
  if (!surface || surface->operation != exchange::Operation::chat || !tree.read(body)) {
    return std::string(body);
  }
  const JsonNode root = tree.root();
  const JsonNode config = root["generationConfig"];
  const bool thinks = root["thinking"].says_something() || root["reasoning"].says_something() ||
                      config["thinkingConfig"].says_something() ||
                      root["generation_config"].says_something();
  if (thinks) return std::string(body);
  const std::string bound = std::to_string(tokens);
  switch (surface->dialect) {
    case exchange::DialectId::openai_responses:
      return exchange::with_field(body, "max_output_tokens", bound);
    case exchange::DialectId::gemini: {
      if (!config.is_object()) {
        return exchange::with_field(body, "generationConfig",
                                    R"({"maxOutputTokens":)" + bound + "}");
      }
      const auto begin = static_cast<std::size_t>(config.raw().data() - body.data());
      return exchange::with_field_at(body, {.begin = begin, .end = begin + config.raw().size()},
                                     "maxOutputTokens", bound);
    }
    case exchange::DialectId::openai:
      if (root["max_completion_tokens"].exists()) {
        return exchange::with_field(body, "max_completion_tokens", bound);
      }
      return exchange::with_field(body, "max_tokens", bound);
    default:
      return exchange::with_field(body, "max_tokens", bound);
  }
}

}  // namespace claviger::console

#include "api/openai/input_texts.h"

#include "exchange/json_tree.h"

namespace claviger::api::openai {
namespace {

using exchange::JsonNode;

void add(std::vector<InputText>& texts, JsonNode node, InputText::Place place) {
  if (!node.is_string()) return;
  texts.push_back({.text = std::string(node.text()),
                   .json_bytes = static_cast<std::int64_t>(node.raw().size()) - 2,
                   .place = place});
}

/// The content of these stands between two marks of its own in the prompt
/// (https://github.com/openai/openai-cookbook, How_to_count_tokens_with_tiktoken, 2026-11: its
/// tokens are counted by themselves). What a tool returned may be put into something else.
bool stands_alone(std::string_view role) {
  return role == "system" || role == "developer" || role == "user" || role == "assistant";
}

void add_message(std::vector<InputText>& texts, JsonNode message) {
  const JsonNode content = message["content"];
  if (content.is_string()) {
    add(texts, content,
        stands_alone(message["role"].text()) ? InputText::Place::alone : InputText::Place::among);
    return;
  }
  for (const JsonNode part : content) {
    if (part["type"].text() == "text") add(texts, part["text"], InputText::Place::among);
  }
}

}  // namespace

std::vector<InputText> input_texts(const exchange::Request& request) {
  std::vector<InputText> texts;
  exchange::JsonTree tree;
  if (!tree.read(request.body)) return texts;  // Too many values: bytes must do.
  if (request.operation == exchange::Operation::embeddings) {
    const JsonNode input = tree.root()["input"];
    add(texts, input, InputText::Place::alone);
    for (const JsonNode one : input) add(texts, one, InputText::Place::alone);
    return texts;
  }
  for (const JsonNode message : tree.root()["messages"]) add_message(texts, message);
  return texts;
}

}  // namespace claviger::api::openai

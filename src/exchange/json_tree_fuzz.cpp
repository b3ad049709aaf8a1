/// Whatever the bytes are, a tree is either refused or says what they say: every value's raw
/// text is within the document and is itself a value.

#include <cstdint>
#include <cstdlib>
#include <string>

#include "exchange/json_tree.h"

namespace {

using claviger::exchange::JsonNode;

void check(JsonNode node, std::string_view whole) {
  const std::string_view raw = node.raw();
  if (raw.empty() || raw.data() < whole.data() || raw.end() > whole.end()) std::abort();
  const char last = raw.back();
  if (node.is_object() && (raw.front() != '{' || last != '}')) std::abort();
  if (node.is_array() && (raw.front() != '[' || last != ']')) std::abort();
  if (node.is_string() && (raw.front() != '"' || last != '"')) std::abort();
  std::size_t count = 0;
  for (const JsonNode child : node) {
    check(child, raw);
    ++count;
  }
  if (count != node.size()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string json(reinterpret_cast<const char*>(data), size);
  claviger::exchange::JsonTree tree;
  if (tree.read(json)) check(tree.root(), json);
  return 0;
}

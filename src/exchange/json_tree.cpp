#include "exchange/json_tree.h"

#include <charconv>
#include <utility>

#include "exchange/json_scratch.h"

namespace claviger::exchange {

using simdjson::SUCCESS;
using simdjson::ondemand::json_type;
using simdjson::ondemand::value;

namespace {

std::string_view trimmed(std::string_view token) {
  const std::size_t last = token.find_last_not_of(" \n\r\t");
  return token.substr(0, last + 1);
}

}  // namespace

/// Fills a tree from one document. `parsed_` is the parser's copy of `text_`: offsets agree.
class JsonTreeReader {
 public:
  JsonTreeReader(JsonTree& tree, simdjson::ondemand::document& document, std::string_view parsed,
                 std::string_view text)
      : tree_(tree), document_(document), parsed_(parsed), text_(text) {}

  bool read() {
    json_type type{};
    if (document_.type().get(type) != SUCCESS) return false;
    // simdjson reads a scalar at the top otherwise than one inside; no dialect has those.
    if (type != json_type::object && type != json_type::array) return false;
    value root;
    return document_.get_value().get(root) == SUCCESS && add(root, {}) != JsonTree::no_node &&
           nothing_follows(document_);
  }

 private:
  std::uint32_t add(value& from, std::string_view key);
  bool children(value& from, std::uint32_t parent);
  bool array(value& from, std::uint32_t parent);
  std::string_view here(std::string_view parsed) const {
    return text_.substr(static_cast<std::size_t>(parsed.data() - parsed_.data()), parsed.size());
  }
  std::string_view unescaped(std::string_view raw, std::string_view text);
  std::string_view kept_key(const char* written, std::string_view name);

  JsonTree& tree_;
  simdjson::ondemand::document& document_;
  std::string_view parsed_;
  std::string_view text_;
  int depth_ = 0;
};

/// A view into our own text where it was written plainly, else a copy of what it means.
std::string_view JsonTreeReader::unescaped(std::string_view raw, std::string_view text) {
  if (text.size() == raw.size()) return here(raw);
  return tree_.unescaped_.emplace_back(text);
}

std::string_view JsonTreeReader::kept_key(const char* written, std::string_view name) {
  const std::string_view rest(written, static_cast<std::size_t>(parsed_.end() - written));
  const bool is_plain = rest.starts_with(name) && rest.substr(name.size()).starts_with('"');
  return is_plain ? here(rest.substr(0, name.size()))
                  : std::string_view(tree_.unescaped_.emplace_back(name));
}

std::uint32_t JsonTreeReader::add(value& from, std::string_view key) {
  if (tree_.nodes_.size() >= json_nodes_max) return JsonTree::no_node;
  json_type type{};
  if (from.type().get(type) != SUCCESS) return JsonTree::no_node;
  const auto index = static_cast<std::uint32_t>(tree_.nodes_.size());
  tree_.nodes_.push_back({.raw = {}, .key = key, .text = {}});
  const std::string_view token = trimmed(from.raw_json_token());
  const char* const begin = token.data();
  std::string_view raw = token;
  std::string_view text;
  JsonNode::Kind kind = JsonNode::Kind::null;
  switch (type) {
    case json_type::object:
    case json_type::array: {
      kind = type == json_type::object ? JsonNode::Kind::object : JsonNode::Kind::array;
      if (++depth_ > json_tree_depth_max) return JsonTree::no_node;
      const bool whole =
          kind == JsonNode::Kind::object ? children(from, index) : array(from, index);
      if (!whole) return JsonTree::no_node;
      --depth_;
      // What comes next stands behind the bracket that closes this.
      const char* next = nullptr;
      if (document_.current_location().get(next) != SUCCESS) next = parsed_.end();
      const std::string_view until(begin, static_cast<std::size_t>(next - begin));
      const std::size_t close = until.rfind(kind == JsonNode::Kind::object ? '}' : ']');
      raw = until.substr(0, close + 1);
      break;
    }
    case json_type::string: {
      kind = JsonNode::Kind::string;
      if (token.size() < 2 || from.get_string().get(text) != SUCCESS) return JsonTree::no_node;
      text = unescaped(token.substr(1, token.size() - 2), text);
      break;
    }
    case json_type::number: {
      kind = JsonNode::Kind::number;
      double ignored = 0;
      if (from.get_double().get(ignored) != SUCCESS) return JsonTree::no_node;
      break;
    }
    case json_type::boolean: {
      kind = JsonNode::Kind::boolean;
      bool ignored = false;
      if (from.get_bool().get(ignored) != SUCCESS) return JsonTree::no_node;
      break;
    }
    case json_type::null: {
      bool is_null = false;
      if (simdjson::simdjson_result<bool>(from.is_null()).get(is_null) != SUCCESS || !is_null) {
        return JsonTree::no_node;
      }
      break;
    }
  }
  JsonTree::Node& node = tree_.nodes_[index];
  node.kind = kind;
  node.raw = here(raw);
  node.text = text;
  return index;
}

bool JsonTreeReader::children(value& from, std::uint32_t parent) {
  simdjson::ondemand::object object;
  if (from.get_object().get(object) != SUCCESS) return false;
  std::uint32_t last = JsonTree::no_node;
  for (auto item : object) {
    simdjson::ondemand::field field;
    std::string_view name;
    if (std::move(item).get(field) != SUCCESS) return false;
    const char* const written = field.key().raw();
    if (field.unescaped_key().get(name) != SUCCESS) return false;
    value inner = field.value();
    const std::uint32_t child = add(inner, kept_key(written, name));
    if (child == JsonTree::no_node) return false;
    (last == JsonTree::no_node ? tree_.nodes_[parent].first : tree_.nodes_[last].next) = child;
    last = child;
    ++tree_.nodes_[parent].children;
  }
  return true;
}

bool JsonTreeReader::array(value& from, std::uint32_t parent) {
  simdjson::ondemand::array array;
  if (from.get_array().get(array) != SUCCESS) return false;
  std::uint32_t last = JsonTree::no_node;
  for (auto item : array) {
    value element;
    if (std::move(item).get(element) != SUCCESS) return false;
    const std::uint32_t child = add(element, {});
    if (child == JsonTree::no_node) return false;
    (last == JsonTree::no_node ? tree_.nodes_[parent].first : tree_.nodes_[last].next) = child;
    last = child;
    ++tree_.nodes_[parent].children;
  }
  return true;
}

bool JsonTree::read(std::string_view json) {
  nodes_.clear();
  unescaped_.clear();
  bool whole = false;
  with_json(json, JsonPadding::absent,
            [&](simdjson::ondemand::document& document, std::string_view parsed) {
              whole = JsonTreeReader(*this, document, parsed, json).read();
            });
  if (!whole) nodes_.clear();
  return whole;
}

JsonNode JsonTree::root() const {
  return nodes_.empty() ? JsonNode() : JsonNode(this, 0);
}

JsonNode::Kind JsonNode::kind() const {
  return tree_ == nullptr ? Kind::none : tree_->nodes_[index_].kind;
}

std::string_view JsonNode::raw() const {
  return tree_ == nullptr ? std::string_view() : tree_->nodes_[index_].raw;
}

std::string_view JsonNode::text() const {
  return tree_ == nullptr ? std::string_view() : tree_->nodes_[index_].text;
}

std::string_view JsonNode::key() const {
  return tree_ == nullptr ? std::string_view() : tree_->nodes_[index_].key;
}

std::size_t JsonNode::size() const {
  return tree_ == nullptr ? 0 : tree_->nodes_[index_].children;
}

std::optional<std::int64_t> JsonNode::integer() const {
  if (kind() != Kind::number) return std::nullopt;
  const std::string_view digits = raw();
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return number;
}

JsonNode JsonNode::operator[](std::string_view key) const {
  JsonNode found;
  if (kind() != Kind::object) return found;
  for (const JsonNode child : *this) {
    if (child.key() == key) found = child;
  }
  return found;
}

JsonNode::Iterator& JsonNode::Iterator::operator++() {
  index_ = tree_->nodes_[index_].next;
  return *this;
}

JsonNode::Iterator JsonNode::begin() const {
  return {tree_, tree_ == nullptr ? JsonTree::no_node : tree_->nodes_[index_].first};
}

JsonNode::Iterator JsonNode::end() const {
  return {tree_, JsonTree::no_node};
}

}  // namespace claviger::exchange

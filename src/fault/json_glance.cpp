#include "fault/json_glance.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

namespace claviger::fault {
namespace {

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

bool same_key(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

void append_utf8(std::string& out, std::uint32_t point) {
  if (point < 0x80) {
    out += static_cast<char>(point);
  } else if (point < 0x800) {
    out += static_cast<char>(0xC0 | point >> 6);
    out += static_cast<char>(0x80 | (point & 0x3F));
  } else {
    out += static_cast<char>(0xE0 | point >> 12);
    out += static_cast<char>(0x80 | (point >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (point & 0x3F));
  }
}

}  // namespace

std::string unescaped(std::string_view raw, std::size_t bytes_max) {
  std::string out;
  out.reserve(std::min(raw.size(), bytes_max));
  for (std::size_t i = 0; i < raw.size() && out.size() < bytes_max; ++i) {
    const std::size_t plain = std::min(raw.find('\\', i), raw.size()) - i;
    if (plain > 0) {
      out += raw.substr(i, std::min(plain, bytes_max - out.size()));
      i += plain - 1;
      continue;
    }
    if (i + 1 == raw.size()) {
      out += raw[i];
      continue;
    }
    switch (const char c = raw[++i]) {
      case 'n':
      case 'r':
        out += '\n';
        break;
      case 't':
        out += '\t';
        break;
      case 'b':
      case 'f':
        out += ' ';
        break;
      case 'u': {
        std::uint32_t point = 0;
        const std::string_view digits = raw.substr(i + 1, 4);
        const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), point, 16);
        // Halves of a pair are of no use as words.
        if (digits.size() == 4 && read.ptr == digits.data() + 4) {
          if (point < 0xD800 || point > 0xDFFF) append_utf8(out, point);
          i += 4;
        }
        break;
      }
      default:
        out += c;
    }
  }
  return out;
}

/// Recursive descent with a bounded depth; below it brackets are only counted.
class JsonGlance::Reader {
 public:
  Reader(std::string_view text, std::vector<Node>& nodes) : text_(text), nodes_(nodes) {}

  bool read_document() {
    skip_blanks();
    if (at_ >= text_.size() || (text_[at_] != '{' && text_[at_] != '[')) return false;
    read_value({}, 0);
    skip_blanks();
    return !broken_ && at_ == text_.size();
  }

 private:
  void skip_blanks() {
    while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
  }

  /// The inside of the string at `at_`, which stands on its opening quote.
  std::string_view read_string() {
    const std::size_t begin = ++at_;
    while (at_ < text_.size() && text_[at_] != '"') at_ += text_[at_] == '\\' ? 2 : 1;
    if (at_ >= text_.size()) {
      broken_ = true;
      at_ = text_.size();
      return text_.substr(std::min(begin, text_.size()));
    }
    return text_.substr(begin, at_++ - begin);
  }

  std::int32_t add(Kind kind, std::string_view key, std::string_view raw) {
    if (nodes_.size() >= nodes_max) return -1;
    nodes_.push_back({.kind = kind, .key = key, .raw = raw});
    return static_cast<std::int32_t>(nodes_.size() - 1);
  }

  std::int32_t read_value(std::string_view key, std::size_t depth) {
    const char c = text_[at_];
    if (c == '"') return add(Kind::string, key, read_string());
    if (c == '{' || c == '[') {
      if (depth >= depth_max) {
        skip_nested();
        return -1;
      }
      return read_nested(key, depth);
    }
    const std::size_t begin = at_;
    while (at_ < text_.size() && !is_blank(text_[at_]) &&
           std::string_view(",]}\"{[:").find(text_[at_]) == std::string_view::npos) {
      ++at_;
    }
    if (at_ == begin) {
      broken_ = true;
      ++at_;
      return -1;
    }
    const std::string_view raw = text_.substr(begin, at_ - begin);
    const Kind kind = raw == "null"                     ? Kind::null
                      : raw == "true" || raw == "false" ? Kind::truth
                                                        : Kind::number;
    return add(kind, key, raw);
  }

  std::int32_t read_nested(std::string_view key, std::size_t depth) {
    const bool is_object = text_[at_] == '{';
    const std::size_t begin = at_++;
    const std::int32_t self = add(is_object ? Kind::object : Kind::array, key, {});
    std::int32_t last = -1;
    for (std::size_t count = 0; !broken_; ++count) {
      skip_separators();
      if (at_ >= text_.size()) {
        broken_ = true;
        break;
      }
      if (text_[at_] == '}' || text_[at_] == ']') {
        ++at_;
        break;
      }
      std::string_view name;
      if (is_object) {
        if (text_[at_] != '"') {
          broken_ = true;
          break;
        }
        name = read_string();
        skip_blanks();
        if (at_ >= text_.size() || text_[at_] != ':') {
          broken_ = true;
          break;
        }
        ++at_;
        skip_blanks();
        if (at_ >= text_.size()) {
          broken_ = true;
          break;
        }
      }
      const bool keep = self >= 0 && (is_object || count < elements_max);
      const std::size_t nodes_before = nodes_.size();
      const std::int32_t child = read_value(name, depth + 1);
      if (!keep) {
        nodes_.resize(std::max(nodes_before, std::size_t{1}));
        continue;
      }
      if (child < 0) continue;
      (last < 0 ? nodes_[self].first_child : nodes_[last].next) = child;
      last = child;
    }
    if (self >= 0) nodes_[self].raw = text_.substr(begin, at_ - begin);
    return self;
  }

  void skip_separators() {
    while (at_ < text_.size() && (is_blank(text_[at_]) || text_[at_] == ',')) ++at_;
  }

  void skip_nested() {
    std::size_t open = 0;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '"') {
        read_string();
        continue;
      }
      ++at_;
      if (c == '{' || c == '[') ++open;
      if ((c == '}' || c == ']') && --open == 0) return;
    }
    broken_ = true;
  }

  std::string_view text_;
  std::vector<Node>& nodes_;
  std::size_t at_ = 0;
  bool broken_ = false;
};

JsonGlance::JsonGlance(std::string_view text) {
  nodes_.reserve(64);
  whole_ = Reader(text, nodes_).read_document();
}

JsonGlance::Kind JsonGlance::Value::kind() const {
  return node_ < 0 ? Kind::absent : glance_->nodes_[node_].kind;
}

JsonGlance::Value JsonGlance::Value::operator[](std::string_view key) const {
  if (!is(Kind::object)) return {glance_, -1};
  for (Value child = first_child(); child.node_ >= 0; child = child.next()) {
    if (same_key(child.key(), key)) return child;
  }
  return {glance_, -1};
}

JsonGlance::Value JsonGlance::Value::at(std::size_t index) const {
  if (!is(Kind::array)) return {glance_, -1};
  Value child = first_child();
  while (index-- > 0 && child.node_ >= 0) child = child.next();
  return child;
}

JsonGlance::Value JsonGlance::Value::first_child() const {
  return {glance_, node_ < 0 ? -1 : glance_->nodes_[node_].first_child};
}

JsonGlance::Value JsonGlance::Value::next() const {
  return {glance_, node_ < 0 ? -1 : glance_->nodes_[node_].next};
}

std::string_view JsonGlance::Value::key() const {
  return node_ < 0 ? std::string_view() : glance_->nodes_[node_].key;
}

std::string_view JsonGlance::Value::raw() const {
  return node_ < 0 ? std::string_view() : glance_->nodes_[node_].raw;
}

std::string JsonGlance::Value::text(std::size_t bytes_max) const {
  switch (kind()) {
    case Kind::string:
      return unescaped(raw(), bytes_max);
    case Kind::number:
    case Kind::truth:
      return std::string(raw().substr(0, bytes_max));
    case Kind::absent:
    case Kind::object:
    case Kind::array:
    case Kind::null:
      break;
  }
  return {};
}

std::int64_t JsonGlance::Value::integer(std::int64_t otherwise) const {
  if (!is(Kind::number) && !is(Kind::string)) return otherwise;
  std::int64_t value = 0;
  const std::string_view digits = raw();
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return read.ec == std::errc() ? value : otherwise;
}

double JsonGlance::Value::number(double otherwise) const {
  if (!is(Kind::number) && !is(Kind::string)) return otherwise;
  double value = 0;
  const std::string_view digits = raw();
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return read.ec == std::errc() && std::isfinite(value) ? value : otherwise;
}

std::size_t JsonGlance::Value::size() const {
  std::size_t count = 0;
  for (Value child = first_child(); child.node_ >= 0; child = child.next()) ++count;
  return count;
}

}  // namespace claviger::fault

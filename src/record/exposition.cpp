#include "record/exposition.h"

#include <algorithm>

namespace claviger::record {
namespace {

/// The length of the UTF-8 sequence at the front of `text` (not empty), or 0 where there is
/// none (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF).
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  if ((lead == 0xE0 && byte(1) < 0xA0) || (lead == 0xED && byte(1) > 0x9F) ||
      (lead == 0xF0 && byte(1) < 0x90) || (lead == 0xF4 && byte(1) > 0x8F)) {
    return 0;
  }
  return length;
}

}  // namespace

std::string escape_label(std::string_view value) {
  std::string escaped;
  escaped.reserve(value.size());
  while (!value.empty()) {
    const std::size_t length = utf8_length(value);
    if (length == 0) {
      escaped += '?';
    } else if (value.front() == '\n') {
      escaped += "\\n";
    } else {
      if (value.front() == '\\' || value.front() == '"') escaped += '\\';
      escaped += value.substr(0, length);
    }
    value.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return escaped;
}

std::string exact_decimal(unsigned __int128 units, int digits) {
  std::string text;
  for (int i = 0; units != 0 || i <= digits; ++i) {
    if (i == digits && i > 0) text += '.';
    text += static_cast<char>('0' + static_cast<int>(units % 10));
    units /= 10;
  }
  std::reverse(text.begin(), text.end());
  if (digits > 0) {
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.pop_back();
  }
  return text;
}

void Exposition::family(std::string_view name, std::string_view type, std::string_view help) {
  name_ = name;
  text_.append("# HELP ").append(name).append(" ").append(help).append("\n");
  text_.append("# TYPE ").append(name).append(" ").append(type).append("\n");
}

void Exposition::sample(std::string_view suffix, std::initializer_list<Label> labels,
                        std::string_view value) {
  text_.append(name_).append(suffix);
  char before = '{';
  for (const auto& [label, of] : labels) {
    text_ += before;
    text_.append(label).append("=\"").append(escape_label(of)).append("\"");
    before = ',';
  }
  if (before == ',') text_ += '}';
  text_.append(" ").append(value).append("\n");
}

void Exposition::sample(std::string_view suffix, std::initializer_list<Label> labels,
                        std::int64_t value) {
  sample(suffix, labels, std::to_string(value));
}

}  // namespace claviger::record

#include "net/http/target.h"

#include <algorithm>
#include <array>

#include "net/http/characters.h"

namespace claviger::net::http {
namespace {

constexpr std::string_view kHiddenValue = "***";

/// A parameter name as it is compared: decoded, in lower case, cut at this many bytes (no name
/// that we look for is longer).
constexpr std::size_t kParameterNameBytesMax = 48;

/// The byte that `%XY` at the start of `text` stands for, or -1.
int percent_value(std::string_view text) {
  if (text.size() < 3 || text[0] != '%') return -1;
  const int high = hex_digit_value(text[1]);
  const int low = hex_digit_value(text[2]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

bool is_control(int byte) {
  return byte < 0x20 || byte == 0x7f;
}

/// Bytes by which a careless UTF-8 decoder could be given an ASCII character in disguise
/// (`%c0%ae` for a dot): those that no UTF-8 contains, and overlong forms. RFC 3629 section 3.
bool is_disguise(int value, unsigned char previous) {
  return value == 0xc0 || value == 0xc1 || value > 0xf4 ||
         (previous == 0xe0 && value >= 0x80 && value < 0xa0) ||
         (previous == 0xf0 && value >= 0x80 && value < 0x90);
}

/// Reads the path byte by byte as a server behind us might decode it, and refuses everything
/// on which two servers could disagree.
std::expected<void, TargetError> check_path(std::string_view path) {
  char previous = '\0';
  std::size_t segment_bytes = 0;
  bool segment_is_dot = false;
  const auto end_segment = [&] { return !(segment_bytes == 1 && segment_is_dot); };
  for (std::size_t at = 0; at < path.size(); ++at) {
    char byte = path[at];
    if (byte == '%') {
      const int value = percent_value(path.substr(at));
      if (value < 0) return std::unexpected(TargetError::bad_percent);
      if (is_control(value) || value == '\\' ||
          is_disguise(value, static_cast<unsigned char>(previous))) {
        return std::unexpected(TargetError::forbidden_byte);
      }
      byte = static_cast<char>(value);
      if (byte == '.') return std::unexpected(TargetError::dot_segment);
      if (is_unreserved_byte(byte) || byte == '%') {
        return std::unexpected(TargetError::needless_percent);
      }
      at += 2;
    } else if (byte == '\\' || !is_target_text(path.substr(at, 1))) {
      return std::unexpected(TargetError::forbidden_byte);
    }
    if (byte == '/') {
      if (previous == '/') return std::unexpected(TargetError::empty_segment);
      if (!end_segment()) return std::unexpected(TargetError::dot_segment);
      segment_bytes = 0;
    } else {
      if (byte == '.' && previous == '.') return std::unexpected(TargetError::dot_segment);
      ++segment_bytes;
      segment_is_dot = byte == '.';
    }
    previous = byte;
  }
  if (!end_segment()) return std::unexpected(TargetError::dot_segment);
  return {};
}

std::expected<void, TargetError> check_query(std::string_view query) {
  if (!is_target_text(query)) return std::unexpected(TargetError::forbidden_byte);
  for (std::size_t at = query.find('%'); at != std::string_view::npos;
       at = query.find('%', at + 1)) {
    const int value = percent_value(query.substr(at));
    if (value < 0) return std::unexpected(TargetError::bad_percent);
    if (value == 0) return std::unexpected(TargetError::forbidden_byte);
  }
  return {};
}

/// One `name=value` of a query, with the separator in front of it.
struct Parameter {
  std::string_view whole;
  std::string_view name;
  std::string_view value;
  char separator = '&';
};

/// Takes a query apart at both separators that servers know, `&` and the `;` of older
/// libraries, so that a secret is found however the other side would split.
class ParameterReader {
 public:
  explicit ParameterReader(std::string_view query) : rest_(query) {}

  std::optional<Parameter> next() {
    if (rest_.empty()) return std::nullopt;
    const std::size_t end = std::min(rest_.find_first_of("&;"), rest_.size());
    Parameter parameter;
    parameter.whole = rest_.substr(0, end);
    parameter.separator = separator_;
    if (end < rest_.size()) separator_ = rest_[end];
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    const std::size_t equals = std::min(parameter.whole.find('='), parameter.whole.size());
    parameter.name = parameter.whole.substr(0, equals);
    parameter.value = parameter.whole.substr(std::min(equals + 1, parameter.whole.size()));
    return parameter;
  }

 private:
  std::string_view rest_;
  char separator_ = '&';
};

/// A parameter's name, decoded and in lower case.
class ParameterName {
 public:
  explicit ParameterName(std::string_view encoded) {
    while (!encoded.empty() && size_ < bytes_.size()) {
      const int value = percent_value(encoded);
      bytes_[size_++] = to_lower(value < 0 ? encoded[0] : static_cast<char>(value));
      encoded.remove_prefix(value < 0 ? 1 : 3);
    }
    is_cut_ = !encoded.empty();
  }
  std::string_view text() const { return {bytes_.data(), size_}; }
  bool is_cut() const { return is_cut_; }

 private:
  std::array<char, kParameterNameBytesMax> bytes_;
  std::size_t size_ = 0;
  bool is_cut_ = false;
};

bool names_key(std::string_view encoded_name) {
  return ParameterName(encoded_name).text() == "key";
}

/// What a log hides. A name too long to be looked at whole is hidden too.
bool names_secret(std::string_view encoded_name) {
  constexpr std::array<std::string_view, 9> kSecretWords = {
      "key", "token", "secret", "passw", "signature", "credential", "auth", "code", "session"};
  const ParameterName name(encoded_name);
  if (name.is_cut() || name.text() == "sig") return true;
  return std::ranges::any_of(kSecretWords, [&](std::string_view word) {
    return name.text().find(word) != std::string_view::npos;
  });
}

void append_visible(std::string_view text, std::string& out) {
  for (const char byte : text) out.push_back(byte > ' ' && byte < 0x7f ? byte : '?');
}

/// A virtual key that somebody put where no key belongs is hidden by its looks.
void append_without_virtual_keys(std::string_view text, std::string& out) {
  constexpr std::string_view kVirtualKeyPrefix = "clv_";
  for (;;) {
    const std::size_t at = text.find(kVirtualKeyPrefix);
    append_visible(text.substr(0, at), out);
    if (at == std::string_view::npos) return;
    out.append(kVirtualKeyPrefix).append(kHiddenValue);
    text.remove_prefix(at + kVirtualKeyPrefix.size());
    while (!text.empty() && is_unreserved_byte(text[0])) text.remove_prefix(1);
  }
}

}  // namespace

std::string_view explain(TargetError error) {
  switch (error) {
    case TargetError::not_a_path:
      return "The request target is no path; start it with a slash.";
    case TargetError::forbidden_byte:
      return "The URL contains a control character, blank, backslash or non-ASCII byte; "
             "percent-encode what is text and leave out the rest.";
    case TargetError::bad_percent:
      return "The URL contains a % without two hexadecimal digits behind it; write %25 for a "
             "percent sign in the query.";
    case TargetError::needless_percent:
      return "The URL's path percent-encodes a character that needs no encoding; write it as it "
             "is.";
    case TargetError::dot_segment:
      return "The URL's path contains \"..\", \".\" or an encoded dot; write the path itself.";
    case TargetError::empty_segment:
      return "The URL's path contains \"//\"; check the base URL for a slash at its end.";
    case TargetError::repeated_key:
      return "The URL contains \"key\" more than once; send it once.";
  }
  return "The URL is malformed.";
}

std::expected<Target, TargetError> split_target(std::string_view target) {
  if (!target.starts_with('/')) {
    const std::size_t scheme = target.find("://");
    if (scheme == std::string_view::npos) return std::unexpected(TargetError::not_a_path);
    const std::string_view name = target.substr(0, scheme);
    if (!equals_lower(name, "http") && !equals_lower(name, "https")) {
      return std::unexpected(TargetError::not_a_path);
    }
    target.remove_prefix(scheme + 3);
    target.remove_prefix(std::min(target.find_first_of("/?"), target.size()));
  }
  const std::size_t question = std::min(target.find('?'), target.size());
  Target split{target.substr(0, question), target.substr(std::min(question + 1, target.size()))};
  if (split.path.empty()) split.path = "/";
  if (const auto checked = check_path(split.path); !checked) {
    return std::unexpected(checked.error());
  }
  if (const auto checked = check_query(split.query); !checked) {
    return std::unexpected(checked.error());
  }
  return split;
}

std::optional<std::string_view> next_segment(std::string_view& rest) {
  if (!rest.starts_with('/')) return std::nullopt;
  const std::size_t end = std::min(rest.find('/', 1), rest.size());
  const std::string_view segment = rest.substr(1, end - 1);
  rest.remove_prefix(end);
  return segment;
}

bool decode_segment(std::string_view encoded, std::string& out) {
  const std::size_t before = out.size();
  while (!encoded.empty()) {
    const std::size_t plain = std::min(encoded.find('%'), encoded.size());
    out.append(encoded.substr(0, plain));
    encoded.remove_prefix(plain);
    if (encoded.empty()) break;
    const int value = percent_value(encoded);
    if (value <= 0) {
      out.resize(before);
      return false;
    }
    out.push_back(static_cast<char>(value));
    encoded.remove_prefix(3);
  }
  return true;
}

std::expected<std::optional<std::string_view>, TargetError> query_key(std::string_view query) {
  std::optional<std::string_view> key;
  ParameterReader parameters(query);
  while (const auto parameter = parameters.next()) {
    if (!names_key(parameter->name)) continue;
    if (key) return std::unexpected(TargetError::repeated_key);
    key = parameter->value;
  }
  return key;
}

void append_query_without_key(std::string_view query, std::string& out) {
  const std::size_t before = out.size();
  ParameterReader parameters(query);
  while (const auto parameter = parameters.next()) {
    if (names_key(parameter->name)) continue;
    if (out.size() != before) out.push_back(parameter->separator);
    out.append(parameter->whole);
  }
}

void append_loggable_target(std::string_view target, std::string& out) {
  const bool is_cut = target.size() > kLoggedTargetBytesMax;
  target = target.substr(0, kLoggedTargetBytesMax);
  const std::size_t question = std::min(target.find('?'), target.size());
  append_without_virtual_keys(target.substr(0, question), out);
  bool is_first = true;
  ParameterReader parameters(target.substr(std::min(question + 1, target.size())));
  while (const auto parameter = parameters.next()) {
    out.push_back(is_first ? '?' : parameter->separator);
    is_first = false;
    append_without_virtual_keys(parameter->name, out);
    if (parameter->name.size() == parameter->whole.size()) continue;
    out.push_back('=');
    if (names_secret(parameter->name)) {
      out.append(kHiddenValue);
    } else {
      append_without_virtual_keys(parameter->value, out);
    }
  }
  if (is_cut) out.append("...");
}

}  // namespace claviger::net::http

#pragma once

/// Writing strings into JSON.

#include <string>
#include <string_view>

namespace claviger::fakes {

/// Appends `text` in quotes. Bytes >= 0x80 are passed on as they are.
inline void append_json_string(std::string_view text, std::string& out) {
  constexpr std::string_view kHexDigits = "0123456789abcdef";
  out.push_back('"');
  for (const char byte : text) {
    if (byte == '"' || byte == '\\') {
      out.push_back('\\');
      out.push_back(byte);
    } else if (static_cast<unsigned char>(byte) < 0x20) {
      out.append("\\u00");
      out.push_back(kHexDigits[static_cast<unsigned char>(byte) / 16]);
      out.push_back(kHexDigits[static_cast<unsigned char>(byte) % 16]);
    } else {
      out.push_back(byte);
    }
  }
  out.push_back('"');
}

}  // namespace claviger::fakes

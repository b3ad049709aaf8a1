/// Splits any bytes as a request target and holds what passes against what was promised: no
/// path that a second decoding, or another server's idea of dots and slashes, could turn into
/// another path; and no `key` left in what is logged or passed on.

#include <cstdint>
#include <cstdlib>
#include <string>

#include "net/http/target.h"

namespace {

using namespace claviger::net::http;

void require(bool promise) {
  if (!promise) std::abort();
}

void check_path(std::string_view path) {
  require(path.starts_with('/'));
  std::string decoded;
  require(decode_segment(path, decoded));
  require(decoded.find("..") == std::string::npos);
  require(decoded.find("//") == std::string::npos);
  require(decoded.find("/./") == std::string::npos && !decoded.ends_with("/."));
  require(decoded.find('\\') == std::string::npos && decoded.find('%') == std::string::npos);
  for (const char byte : decoded) {
    require(static_cast<unsigned char>(byte) >= 0x20 && byte != 0x7f);
  }
  std::string_view rest = path;
  std::string joined;
  while (const auto segment = next_segment(rest)) joined.append("/").append(*segment);
  require(rest.empty() && joined == path);
}

void check_key(std::string_view query) {
  std::string passed_on;
  append_query_without_key(query, passed_on);
  require(passed_on.size() <= query.size());
  const auto key = query_key(passed_on);
  require(key.has_value() && !key->has_value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string target(reinterpret_cast<const char*>(data), size);
  std::string logged;
  append_loggable_target(target, logged);
  for (const char byte : logged) require(byte > ' ' && byte < 0x7f);
  if (const std::size_t at = logged.find("clv_"); at != std::string::npos) {
    require(logged.compare(at, 7, "clv_***") == 0);
  }

  const auto split = split_target(target);
  if (!split) return 0;
  check_path(split->path);
  check_key(split->query);
  return 0;
}

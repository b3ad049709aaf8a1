#include "net/http/head.h"

#include <algorithm>
#include <cstring>

#include "net/http/characters.h"

namespace claviger::net::http {
namespace {

/// Content-Length has at most as many digits as 2^63 - 1.
constexpr std::size_t kLengthDigitsMax = 19;
constexpr char kTlsHandshake = 0x16;

enum class Times : std::uint8_t { never, once, more_often };

constexpr Times one_more(Times times) {
  return times == Times::never ? Times::once : Times::more_often;
}

/// What the header lines say about the message itself, gathered while they are read.
struct Facts {
  Times host = Times::never;
  Times content_length = Times::never;
  Times transfer_encoding = Times::never;
  std::string_view host_value;
  std::string_view transfer_encoding_value;
  std::uint64_t length = 0;
  bool says_close = false;
  bool says_keep_alive = false;
  bool expects_continue = false;
  bool expects_else = false;
};

using Result = std::expected<std::size_t, HeadError>;

/// The length of the head, once its blank line has come. `searched` is left at the start of
/// the first line that is not whole.
Result find_end(std::string_view bytes, std::size_t& searched) {
  const std::string_view window = bytes.substr(0, kHeadBytesMax);
  std::size_t line = searched;
  while (line < window.size()) {
    const void* found = std::memchr(window.data() + line, '\n', window.size() - line);
    if (found == nullptr) break;
    const auto feed = static_cast<std::size_t>(static_cast<const char*>(found) - window.data());
    if (feed == line || window[feed - 1] != '\r') return std::unexpected(HeadError::bad_line_end);
    if (feed - line == 1) {
      if (line == 0) return std::unexpected(HeadError::bad_line_end);
      return feed + 1;
    }
    line = feed + 1;
    searched = line;
  }
  if (bytes.size() >= kHeadBytesMax) return std::unexpected(HeadError::head_too_large);
  return std::unexpected(HeadError::incomplete);
}

bool read_length(std::string_view value, std::uint64_t& length) {
  if (value.empty() || value.size() > kLengthDigitsMax) return false;
  if (value[0] == '0' && value.size() > 1) return false;
  std::uint64_t sum = 0;
  for (const char digit : value) {
    if (!is_digit(digit)) return false;
    sum = sum * 10 + static_cast<std::uint64_t>(digit - '0');
  }
  // 19 digits stay below 2^64, so `sum` did not wrap.
  if (sum > static_cast<std::uint64_t>(INT64_MAX)) return false;
  length = sum;
  return true;
}

/// Connection: a list of tokens, of which two concern us.
bool read_connection(std::string_view list, Facts& facts) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    std::string_view option = list.substr(0, comma);
    list.remove_prefix(std::min(comma + 1, list.size()));
    while (!option.empty() && is_blank(option.front())) option.remove_prefix(1);
    while (!option.empty() && is_blank(option.back())) option.remove_suffix(1);
    if (option.empty()) continue;
    if (!is_token(option)) return false;
    facts.says_close |= equals_lower(option, "close");
    facts.says_keep_alive |= equals_lower(option, "keep-alive");
  }
  return true;
}

/// Notes what concerns the message itself. The length of the name rules out nearly all others
/// before a byte is compared.
std::expected<void, HeadError> note(const Header& header, Facts& facts) {
  switch (header.name.size()) {
    case 4:
      if (!equals_lower(header.name, "host")) break;
      facts.host = one_more(facts.host);
      facts.host_value = header.value;
      break;
    case 6:
      if (!equals_lower(header.name, "expect")) break;
      (equals_lower(header.value, "100-continue") ? facts.expects_continue : facts.expects_else) =
          true;
      break;
    case 10:
      if (!equals_lower(header.name, "connection")) break;
      if (!read_connection(header.value, facts)) {
        return std::unexpected(HeadError::bad_connection_header);
      }
      break;
    case 14:
      if (!equals_lower(header.name, "content-length")) break;
      facts.content_length = one_more(facts.content_length);
      if (!read_length(header.value, facts.length)) {
        return std::unexpected(HeadError::bad_content_length);
      }
      break;
    case 17:
      if (!equals_lower(header.name, "transfer-encoding")) break;
      facts.transfer_encoding = one_more(facts.transfer_encoding);
      facts.transfer_encoding_value = header.value;
      break;
    default:
      break;
  }
  return {};
}

/// Reads header lines from `at` up to the blank line that ends at `end`.
std::expected<void, HeadError> read_headers(const char* at, const char* end, HeaderLines& out,
                                            Facts& facts) {
  const char* const blank_line = end - 2;
  while (at != blank_line) {
    const char* const name = at;
    while (is_token_byte(*at)) ++at;  // Ends at the line's CR at the latest.
    if (at == name || *at != ':') return std::unexpected(HeadError::malformed_header);
    const std::string_view name_text(name, static_cast<std::size_t>(at - name));
    ++at;
    while (is_blank(*at)) ++at;
    const char* const value = at;
    at = skip_field_value(at, blank_line);
    // The search has seen to it that every LF has its CR, so this is the line's end or a
    // control byte.
    if (at[0] != '\r' || at[1] != '\n') return std::unexpected(HeadError::malformed_header);
    const char* value_end = at;
    while (value_end != value && is_blank(value_end[-1])) --value_end;
    at += 2;

    const Header header{name_text, {value, static_cast<std::size_t>(value_end - value)}};
    if (!out.append(header)) return std::unexpected(HeadError::too_many_headers);
    if (const auto noted = note(header, facts); !noted) return noted;
  }
  return {};
}

/// `HTTP/1.0` or `HTTP/1.1`.
std::expected<int, HeadError> read_version(std::string_view text) {
  const bool is_http = text.size() == 8 && text.starts_with("HTTP/") && is_digit(text[5]) &&
                       text[6] == '.' && is_digit(text[7]);
  if (!is_http) return std::unexpected(HeadError::malformed_start_line);
  if (text[5] != '1' || text[7] > '1') return std::unexpected(HeadError::unsupported_version);
  return text[7] - '0';
}

/// `name`, `name:port`, `[v6]` or `[v6]:port`.
bool is_host(std::string_view text) {
  std::string_view port;
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos || close < 3) return false;
    for (const char byte : text.substr(1, close - 1)) {
      if (hex_digit_value(byte) < 0 && byte != ':' && byte != '.') return false;
    }
    port = text.substr(close + 1);
  } else {
    const std::size_t colon = std::min(text.find(':'), text.size());
    if (!is_host_name(text.substr(0, colon))) return false;
    port = text.substr(colon);
  }
  if (port.empty()) return true;
  return port.size() >= 2 && port.size() <= 6 && port[0] == ':' &&
         std::all_of(port.begin() + 1, port.end(), is_digit);
}

/// The authority of `http://authority/path`; empty for the other forms.
std::expected<std::string_view, HeadError> check_target(std::string_view method,
                                                        std::string_view target) {
  if (target.empty() || !is_target_text(target)) {
    return std::unexpected(HeadError::malformed_target);
  }
  if (target[0] == '/') return std::string_view();
  if (target == "*" && method == "OPTIONS") return std::string_view();
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!equals_lower(target.substr(0, scheme.size()), scheme)) continue;
    const std::string_view rest = target.substr(scheme.size());
    const std::string_view authority = rest.substr(0, rest.find_first_of("/?"));
    if (is_host(authority)) return authority;
  }
  return std::unexpected(HeadError::malformed_target);
}

bool is_method(std::string_view text) {
  if (text.empty() || text.size() > kMethodBytesMax) return false;
  return std::all_of(text.begin(), text.end(),
                     [](char byte) { return (byte >= 'A' && byte <= 'Z') || byte == '-'; });
}

/// Fills in method, target and version from the start line; the target's authority is returned.
std::expected<std::string_view, HeadError> read_request_line(std::string_view line,
                                                             RequestHead& out) {
  const std::size_t method_end = line.find(' ');
  const std::size_t target_end = line.rfind(' ');
  if (method_end == std::string_view::npos || method_end == target_end) {
    return std::unexpected(HeadError::malformed_start_line);
  }
  out.method = line.substr(0, method_end);
  if (!is_method(out.method)) return std::unexpected(HeadError::malformed_method);
  const auto version = read_version(line.substr(target_end + 1));
  if (!version) return std::unexpected(version.error());
  out.minor_version = *version;
  out.target = line.substr(method_end + 1, target_end - method_end - 1);
  if (out.target.size() > kTargetBytesMax) return std::unexpected(HeadError::uri_too_long);
  return check_target(out.method, out.target);
}

std::expected<void, HeadError> check_host(const Facts& facts, std::string_view authority,
                                          int minor_version) {
  if (facts.host == Times::more_often) return std::unexpected(HeadError::repeated_host);
  if (facts.host == Times::never) {
    if (minor_version == 1) return std::unexpected(HeadError::missing_host);
    return {};
  }
  if (!is_host(facts.host_value)) return std::unexpected(HeadError::bad_host);
  if (!authority.empty() && !equals_ignoring_case(authority, facts.host_value)) {
    return std::unexpected(HeadError::bad_host);
  }
  return {};
}

enum class ChunkedSpelling : std::uint8_t { lower_case, any_case };

/// What the headers announce: chunked, length or none; never until_close.
std::expected<Body, HeadError> announced_body(const Facts& facts, int minor_version,
                                              ChunkedSpelling spelling) {
  if (facts.content_length == Times::more_often ||
      (facts.content_length != Times::never && facts.transfer_encoding != Times::never)) {
    return std::unexpected(HeadError::conflicting_length);
  }
  if (facts.transfer_encoding != Times::never) {
    const bool is_chunked = spelling == ChunkedSpelling::any_case
                                ? equals_lower(facts.transfer_encoding_value, "chunked")
                                : facts.transfer_encoding_value == "chunked";
    if (!is_chunked || facts.transfer_encoding == Times::more_often || minor_version == 0) {
      return std::unexpected(HeadError::bad_transfer_encoding);
    }
    return Body::chunked;
  }
  return facts.length > 0 ? Body::length : Body::none;
}

bool wants_keep_alive(const Facts& facts, int minor_version) {
  return !facts.says_close && (minor_version == 1 || facts.says_keep_alive);
}

/// `HTTP/1.1 200 OK`; the phrase, and the blank before it, may be missing.
std::expected<void, HeadError> read_status_line(std::string_view line, ResponseHead& out) {
  constexpr std::size_t kStatusAt = 9;
  constexpr std::size_t kStatusEnd = kStatusAt + 3;
  if (line.size() < kStatusEnd || line[kStatusAt - 1] != ' ') {
    return std::unexpected(HeadError::malformed_start_line);
  }
  const auto version = read_version(line.substr(0, kStatusAt - 1));
  if (!version) return std::unexpected(version.error());
  out.minor_version = *version;
  out.status = 0;
  for (const char digit : line.substr(kStatusAt, 3)) {
    if (!is_digit(digit)) return std::unexpected(HeadError::malformed_start_line);
    out.status = out.status * 10 + (digit - '0');
  }
  if (out.status < 100) return std::unexpected(HeadError::malformed_start_line);
  out.reason = line.substr(kStatusEnd);
  if (!out.reason.empty()) {
    if (out.reason[0] != ' ') return std::unexpected(HeadError::malformed_start_line);
    out.reason.remove_prefix(1);
  }
  const char* const reason_end = out.reason.data() + out.reason.size();
  if (skip_field_value(out.reason.data(), reason_end) != reason_end) {
    return std::unexpected(HeadError::malformed_start_line);
  }
  return {};
}

void decide_response_body(std::string_view request_method, Body announced, const Facts& facts,
                          ResponseHead& out) {
  out.keep_alive = wants_keep_alive(facts, out.minor_version);
  out.body = Body::none;
  out.content_length = 0;
  const bool is_tunnel =
      out.status == 101 || (request_method == "CONNECT" && out.status / 100 == 2);
  if (is_tunnel || out.is_interim() || out.status == 204) {
    if (is_tunnel || announced != Body::none) out.keep_alive = false;
    return;
  }
  // HEAD and 304 state the length that a body would have had.
  if (request_method == "HEAD" || out.status == 304) return;
  if (announced == Body::none && facts.content_length == Times::never) {
    out.body = Body::until_close;
    out.keep_alive = false;
    return;
  }
  out.body = announced;
  if (announced == Body::length) out.content_length = facts.length;
}

}  // namespace

std::string_view explain(HeadError error) {
  switch (error) {
    case HeadError::incomplete:
      return "The message head is not complete; send the rest of it.";
    case HeadError::looks_like_tls:
      return "This port speaks plain HTTP, but a TLS handshake came; use http:// or configure TLS.";
    case HeadError::head_too_large:
      return "The message head is larger than 32 KiB; send fewer or shorter headers.";
    case HeadError::malformed_start_line:
      return "The first line is no HTTP/1.1 start line; separate its three parts by one blank "
             "each.";
    case HeadError::malformed_method:
      return "The method is not made of upper-case letters; write for example GET or POST.";
    case HeadError::malformed_target:
      return "The request target is no path; percent-encode what is not allowed in a URL.";
    case HeadError::uri_too_long:
      return "The request target is longer than 8 KiB; move data into the body.";
    case HeadError::unsupported_version:
      return "This HTTP version is not spoken here; use HTTP/1.1.";
    case HeadError::bad_line_end:
      return "A line does not end with CR LF, or the message starts with a blank line.";
    case HeadError::malformed_header:
      return "A header line is malformed: no blank before the colon, no folded lines, no control "
             "characters.";
    case HeadError::too_many_headers:
      return "There are more than 64 header lines; send fewer.";
    case HeadError::bad_content_length:
      return "Content-Length is not a plain decimal number.";
    case HeadError::conflicting_length:
      return "The length of the body is stated twice; send one Content-Length, or "
             "Transfer-Encoding: chunked, not both.";
    case HeadError::bad_transfer_encoding:
      return "Transfer-Encoding must be exactly \"chunked\", once, with HTTP/1.1.";
    case HeadError::missing_host:
      return "The Host header is missing; HTTP/1.1 requires it.";
    case HeadError::repeated_host:
      return "There is more than one Host header; send exactly one.";
    case HeadError::bad_host:
      return "The Host header is no host name with an optional port, or contradicts the target.";
    case HeadError::bad_connection_header:
      return "The Connection header is no list of tokens; send for example \"keep-alive\".";
    case HeadError::unsupported_expectation:
      return "Only Expect: 100-continue is understood here; leave the Expect header out.";
  }
  return "The message head is malformed.";
}

int status_for(HeadError error) {
  switch (error) {
    case HeadError::uri_too_long:
      return 414;
    case HeadError::unsupported_expectation:
      return 417;
    case HeadError::head_too_large:
    case HeadError::too_many_headers:
      return 431;
    case HeadError::unsupported_version:
      return 505;
    default:
      return 400;
  }
}

std::optional<Header> HeaderLines::find(std::string_view lower_name) const {
  for (const Header header : *this) {
    if (equals_lower(header.name, lower_name)) return header;
  }
  return std::nullopt;
}

std::string_view HeaderLines::value_of(std::string_view lower_name) const {
  const std::optional<Header> header = find(lower_name);
  return header ? header->value : std::string_view();
}

Result parse_request_head(std::string_view bytes, RequestHead& out, std::size_t& searched) {
  if (!bytes.empty() && bytes[0] == kTlsHandshake) {
    return std::unexpected(HeadError::looks_like_tls);
  }
  const Result end = find_end(bytes, searched);
  if (!end) return end;

  const std::size_t line_end = bytes.find('\r');
  const auto authority = read_request_line(bytes.substr(0, line_end), out);
  if (!authority) return std::unexpected(authority.error());
  if (bytes[line_end + 1] != '\n') return std::unexpected(HeadError::malformed_start_line);

  Facts facts;
  out.begin_at(bytes.data());
  const auto headers = read_headers(bytes.data() + line_end + 2, bytes.data() + *end, out, facts);
  if (!headers) return std::unexpected(headers.error());
  if (const auto host = check_host(facts, *authority, out.minor_version); !host) {
    return std::unexpected(host.error());
  }
  const auto body = announced_body(facts, out.minor_version, ChunkedSpelling::lower_case);
  if (!body) return std::unexpected(body.error());

  out.body = *body;
  out.content_length = facts.length;
  out.keep_alive = wants_keep_alive(facts, out.minor_version);
  out.expects_continue = false;
  // HTTP/1.0 knows no interim answers, so its Expect is ignored (RFC 9110 section 10.1.1).
  if (out.minor_version == 1) {
    if (facts.expects_else) return std::unexpected(HeadError::unsupported_expectation);
    out.expects_continue = facts.expects_continue && out.body != Body::none;
  }
  out.bytes = *end;
  return *end;
}

Result parse_response_head(std::string_view bytes, std::string_view request_method,
                           ResponseHead& out, std::size_t& searched) {
  if (!bytes.empty() && bytes[0] == kTlsHandshake) {
    return std::unexpected(HeadError::looks_like_tls);
  }
  const Result end = find_end(bytes, searched);
  if (!end) return end;

  const std::size_t line_end = bytes.find('\r');
  if (bytes[line_end + 1] != '\n') return std::unexpected(HeadError::malformed_start_line);
  if (const auto line = read_status_line(bytes.substr(0, line_end), out); !line) {
    return std::unexpected(line.error());
  }
  Facts facts;
  out.begin_at(bytes.data());
  const auto headers = read_headers(bytes.data() + line_end + 2, bytes.data() + *end, out, facts);
  if (!headers) return std::unexpected(headers.error());
  const auto announced = announced_body(facts, out.minor_version, ChunkedSpelling::any_case);
  if (!announced) return std::unexpected(announced.error());

  decide_response_body(request_method, *announced, facts, out);
  out.bytes = *end;
  return *end;
}

}  // namespace claviger::net::http

/// Our heads and chunked bodies against Boost.Beast 1.81's: whatever ours accepts, Beast must
/// accept too, with the same method, target, status, headers and body framing. Ours may be
/// stricter, never laxer: a message that we let pass must not mean something else to a server
/// behind us.
///
/// Deliberate differences, by class.
///
/// Ours refuses, Beast accepts (not checked here; head_test.cpp and chunked_test.cpp do):
///  - folded header lines; methods that are not upper case; targets with `"`, `#`, `<`, `>` or
///    bytes >= 0x80, in authority form, or of a scheme other than http(s);
///  - a missing, repeated or implausible Host; an Expect other than 100-continue;
///  - Content-Length repeated with equal values, as a list of equal values, with leading zeros,
///    or of 2^63 and above;
///  - Transfer-Encoding other than exactly `chunked` (Beast finds `chunked` at the end of a
///    list, and ignores codings that it does not know), or with HTTP/1.0;
///  - in chunked bodies: blanks around extensions, sizes of more than 16 digits or of 2^63 and
///    above, control bytes in quoted strings, folded trailers, and our bounds;
///  - more than 64 headers, heads of more than 32 KiB, targets of more than 8 KiB;
///  - status codes below 100;
///  - in HTTP/1.0, `close` beside `keep-alive` ends the connection (RFC 9112 section 9.3); Beast
///    keeps it. So only "ours keeps it, Beast too" is checked.
///
/// Ours accepts, Beast does not, or reads it differently:
///  - a status line that ends right behind the code, without the blank before the phrase that
///    is missing (here the blank is put in before Beast sees it);
///  - Proxy-Connection means nothing to us (RFC 9110 does not know it), while Beast reads it
///    like Connection (here it is renamed before Beast sees it);
///  - we give up the connection after an answer whose status forbids the body that its head
///    announces, and after 101 and a successful CONNECT; Beast would keep it (so `keep_alive`
///    of such answers is not compared);
///  - Beast reads a body behind a successful answer to CONNECT (not compared).

#include <boost/beast/http/basic_parser.hpp>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "net/http/characters.h"
#include "net/http/chunked.h"
#include "net/http/head.h"

namespace {

using namespace claviger::net::http;
namespace beast = boost::beast;

void require(bool promise) {
  if (!promise) std::abort();
}

/// Beast's parser with its findings written down.
template <bool is_request>
class BeastParser : public beast::http::basic_parser<is_request> {
 public:
  BeastParser() {
    this->eager(true);
    this->header_limit(1 << 20);
    this->body_limit(boost::none);
  }

  std::string method, target, reason, payload;
  int version = 0;
  int status = 0;
  bool message_is_whole = false;
  std::vector<std::pair<std::string, std::string>> headers;

 private:
  using View = beast::string_view;
  using Error = beast::error_code;

  void on_request_impl(beast::http::verb, View method_text, View target_text, int version_number,
                       Error& error) override {
    method = std::string(method_text);
    target = std::string(target_text);
    version = version_number;
    error = {};
  }
  void on_response_impl(int status_code, View reason_text, int version_number,
                        Error& error) override {
    status = status_code;
    reason = std::string(reason_text);
    version = version_number;
    error = {};
  }
  void on_field_impl(beast::http::field, View name, View value, Error& error) override {
    // Trailers come here as well; we drop them.
    if (!head_is_whole_) headers.emplace_back(name, value);
    error = {};
  }
  void on_header_impl(Error& error) override {
    head_is_whole_ = true;
    error = {};
  }
  void on_body_init_impl(boost::optional<std::uint64_t> const&, Error& error) override {
    error = {};
  }
  std::size_t on_body_impl(View body, Error& error) override {
    payload += std::string(body);
    error = {};
    return body.size();
  }
  void on_chunk_header_impl(std::uint64_t, View, Error& error) override { error = {}; }
  std::size_t on_chunk_body_impl(std::uint64_t, View body, Error& error) override {
    payload += std::string(body);
    error = {};
    return body.size();
  }
  void on_finish_impl(Error& error) override {
    message_is_whole = true;
    error = {};
  }

  bool head_is_whole_ = false;
};

/// What our side makes of head and body together.
struct Message {
  std::size_t consumed = 0;
  std::string payload;
  bool whole = false;
  bool refused = false;
};

Message read_body(std::string_view bytes, std::size_t head_bytes, Body body, std::uint64_t length) {
  Message message;
  message.consumed = head_bytes;
  std::string_view rest = bytes.substr(head_bytes);
  switch (body) {
    case Body::none:
      message.whole = true;
      break;
    case Body::length:
      message.payload = std::string(rest.substr(0, length));
      message.consumed += message.payload.size();
      message.whole = message.payload.size() == length;
      break;
    case Body::until_close:
      message.payload = std::string(rest);
      message.consumed += rest.size();
      break;
    case Body::chunked: {
      ChunkedDecoder decoder;
      while (!rest.empty() && !decoder.is_done()) {
        const auto step = decoder.next(rest);
        if (!step) {
          message.refused = true;
          return message;
        }
        message.payload += step->payload;
        message.consumed += step->consumed;
        rest.remove_prefix(step->consumed);
      }
      message.whole = decoder.is_done();
      break;
    }
  }
  return message;
}

std::string beast_name(std::string_view name) {
  return equals_lower(name, "proxy-connection") ? "x" + std::string(name.substr(1))
                                                : std::string(name);
}

/// The bytes with the two rewritings that the opening comment lists.
std::string for_beast(std::string_view bytes, std::size_t head_bytes, const HeaderLines& lines,
                      std::size_t& added) {
  std::string copy(bytes);
  for (const Header header : lines.headers()) {
    if (equals_lower(header.name, "proxy-connection")) {
      copy[static_cast<std::size_t>(header.name.data() - bytes.data())] = 'x';
    }
  }
  added = 0;
  constexpr std::size_t kStatusEnd = 12;
  if (copy.starts_with("HTTP/1.") && head_bytes > kStatusEnd && copy[kStatusEnd] == '\r') {
    copy.insert(kStatusEnd, " ");
    added = 1;
  }
  return copy;
}

/// Feeds Beast everything; false where it refuses.
template <typename Parser>
bool feed(Parser& parser, std::string_view bytes, std::size_t& consumed) {
  consumed = 0;
  while (!parser.is_done() && consumed < bytes.size()) {
    beast::error_code error;
    const std::size_t taken = parser.put(
        boost::asio::const_buffer(bytes.data() + consumed, bytes.size() - consumed), error);
    consumed += taken;
    if (error == beast::http::error::need_more) return true;
    if (error) return false;
    if (taken == 0) return true;
  }
  return true;
}

template <typename Parser>
void compare_headers(const HeaderLines& ours, const Parser& theirs) {
  const auto lines = ours.headers();
  require(lines.size() == theirs.headers.size());
  for (std::size_t i = 0; i < lines.size(); ++i) {
    require(beast_name(lines[i].name) == theirs.headers[i].first);
    require(lines[i].value == theirs.headers[i].second);
  }
}

void compare_bodies(const Message& ours, bool theirs_whole, const std::string& their_payload,
                    std::size_t their_consumed) {
  require(ours.whole == theirs_whole);
  if (!ours.whole) return;  // Beast waits for whole lines where we go byte by byte.
  require(ours.payload == their_payload);
  require(ours.consumed == their_consumed);
}

void compare_request(std::string_view bytes) {
  RequestHead head;
  std::size_t searched = 0;
  if (!parse_request_head(bytes, head, searched)) return;
  const Message ours = read_body(bytes, head.bytes, head.body, head.content_length);

  std::size_t added = 0;
  const std::string copy = for_beast(bytes, head.bytes, head, added);
  BeastParser<true> theirs;
  std::size_t consumed = 0;
  // Where our decoder refuses the body, only the head is compared.
  const std::size_t compared = ours.refused ? head.bytes : copy.size();
  require(feed(theirs, std::string_view(copy).substr(0, compared), consumed));
  require(theirs.is_header_done());
  require(head.method == theirs.method && head.target == theirs.target);
  require(theirs.version == 10 + head.minor_version);
  compare_headers(head, theirs);
  require(theirs.chunked() == (head.body == Body::chunked));
  require(theirs.content_length().value_or(0) == head.content_length);
  // Giving up a connection that Beast would keep is safe; the other way round is not.
  if (head.keep_alive) require(theirs.keep_alive());
  if (!ours.refused) compare_bodies(ours, theirs.message_is_whole, theirs.payload, consumed);
}

void compare_response(std::string_view bytes, std::string_view method) {
  ResponseHead head;
  std::size_t searched = 0;
  if (!parse_response_head(bytes, method, head, searched)) return;
  const Message ours = read_body(bytes, head.bytes, head.body, head.content_length);

  std::size_t added = 0;
  const std::string copy = for_beast(bytes, head.bytes, head, added);
  BeastParser<false> theirs;
  theirs.skip(method == "HEAD");
  std::size_t consumed = 0;
  const std::size_t compared = ours.refused ? head.bytes + added : copy.size();
  require(feed(theirs, std::string_view(copy).substr(0, compared), consumed));
  require(theirs.is_header_done());
  require(theirs.status == head.status && theirs.reason == head.reason);
  require(theirs.version == 10 + head.minor_version);
  compare_headers(head, theirs);
  if (head.body == Body::chunked) require(theirs.chunked());
  if (head.body == Body::length) require(theirs.content_length() == head.content_length);
  if (head.body == Body::until_close) require(theirs.need_eof());
  if (head.keep_alive) require(theirs.keep_alive());
  if (ours.refused) return;
  if (head.body == Body::until_close) {
    require(!theirs.message_is_whole);
    return;
  }
  compare_bodies(ours, theirs.message_is_whole, theirs.payload, consumed - added);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  compare_request(bytes);
  compare_response(bytes, "POST");
  compare_response(bytes, "HEAD");
  return 0;
}

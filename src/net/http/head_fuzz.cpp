/// Reads any bytes as a request head and as a response head, whole and cut in two, and holds
/// the results against one another and against what they promise.

#include <cstdint>
#include <cstdlib>
#include <string>

#include "net/http/characters.h"
#include "net/http/head.h"
#include "net/http/target.h"
#include "net/http/write.h"

namespace {

using namespace claviger::net::http;
using Result = std::expected<std::size_t, HeadError>;

void require(bool promise) {
  if (!promise) std::abort();
}

void check_views(std::string_view bytes, const HeaderLines& lines, std::size_t head_bytes) {
  const auto inside = [&](std::string_view view) {
    require(view.data() >= bytes.data() && view.data() + view.size() <= bytes.data() + head_bytes);
  };
  require(head_bytes <= kHeadBytesMax);
  require(bytes.substr(0, head_bytes).find("\r\n\r\n") == head_bytes - 4);
  for (const Header header : lines.headers()) {
    inside(header.name);
    inside(header.value);
    require(is_token(header.name));
    for (const char byte : header.value) require(is_field_value_byte(byte));
    if (!header.value.empty()) {
      require(!is_blank(header.value.front()) && !is_blank(header.value.back()));
    }
  }
}

/// What was read can be written again, and reads the same.
void check_rewritten(const RequestHead& head) {
  std::string written;
  HeadWriter writer(written);
  writer.request(head.method, head.target);
  for (const Header header : head.headers()) writer.outside_header(header.name, header.value);
  require(writer.finish());
  if (head.minor_version == 0 || written.size() > kHeadBytesMax) return;
  RequestHead again;
  std::size_t searched = 0;
  require(parse_request_head(written, again, searched) == written.size());
  require(again.body == head.body && again.content_length == head.content_length);
}

template <typename Read>
Result cut_in_two(std::string_view bytes, std::size_t cut, Read read) {
  std::size_t searched = 0;
  {
    // Buffers of exactly the size, so that reading beyond them is noticed.
    const std::string first(bytes.substr(0, cut));
    const Result result = read(first, searched);
    if (result || result.error() != HeadError::incomplete) return result;
  }
  const std::string both(bytes);
  return read(both, searched);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  // Behind the message, so that this and head_differential_fuzz share a corpus.
  const std::size_t cut_choice = data[size - 1] | data[size - 2] << 8;
  const std::string whole(reinterpret_cast<const char*>(data), size - 2);
  const std::size_t cut = cut_choice % (whole.size() + 1);

  RequestHead request;
  const auto read_request = [&](std::string_view bytes, std::size_t& searched) {
    return parse_request_head(bytes, request, searched);
  };
  std::size_t searched = 0;
  const Result requested = read_request(whole, searched);
  if (requested) {
    require(*requested == request.bytes);
    check_views(whole, request, request.bytes);
    require((request.body == Body::length) == (request.content_length > 0));
    require(request.body != Body::until_close);
    check_rewritten(request);
    (void)split_target(request.target);
  }
  require(cut_in_two(whole, cut, read_request) == requested);

  for (const std::string_view method : {"POST", "HEAD", "CONNECT"}) {
    ResponseHead response;
    const auto read_response = [&](std::string_view bytes, std::size_t& so_far) {
      return parse_response_head(bytes, method, response, so_far);
    };
    searched = 0;
    const Result answered = read_response(whole, searched);
    if (answered) {
      check_views(whole, response, response.bytes);
      require(response.status >= 100 && response.status <= 999);
      require((response.body == Body::length) == (response.content_length > 0));
      require(response.body != Body::until_close || !response.keep_alive);
    }
    require(cut_in_two(whole, cut, read_response) == answered);
  }
  return 0;
}

#include "exchange/sse.h"

#include <cstring>
#include <utility>

namespace claviger::exchange {
namespace {

constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

/// The first LF or CR at or behind `from`; npos where there is none. Two memchr instead of
/// one loop, the second bounded by the first's find: both run at the speed of memory.
std::size_t find_line_end(std::string_view bytes, std::size_t from) {
  const std::size_t left = bytes.size() - from;
  const char* const start = bytes.data() + from;
  const auto* const line_feed = static_cast<const char*>(std::memchr(start, '\n', left));
  const std::size_t reach =
      line_feed == nullptr ? left : static_cast<std::size_t>(line_feed - start);
  const auto* const carriage_return = static_cast<const char*>(std::memchr(start, '\r', reach));
  if (carriage_return != nullptr) return static_cast<std::size_t>(carriage_return - bytes.data());
  if (line_feed != nullptr) return static_cast<std::size_t>(line_feed - bytes.data());
  return std::string_view::npos;
}

bool is_line_end(char c) {
  return c == '\n' || c == '\r';
}

/// Takes the first line off `rest`, without its end.
std::string_view take_line(std::string_view& rest) {
  const std::size_t end = rest.empty() ? std::string_view::npos : find_line_end(rest, 0);
  if (end == std::string_view::npos) return std::exchange(rest, {});
  const std::string_view line = rest.substr(0, end);
  const bool two_bytes = rest[end] == '\r' && end + 1 < rest.size() && rest[end + 1] == '\n';
  rest.remove_prefix(end + (two_bytes ? 2 : 1));
  return line;
}

/// Whether `line` is the field `name`; its value then goes to `value`, one leading space off.
bool is_field(std::string_view line, std::string_view name, std::string_view& value) {
  if (!line.starts_with(name)) return false;
  line.remove_prefix(name.size());
  if (line.empty()) {
    value = line;
    return true;
  }
  if (line.front() != ':') return false;
  line.remove_prefix(1);
  if (line.starts_with(' ')) line.remove_prefix(1);
  value = line;
  return true;
}

std::string_view without_mark(std::string_view event) {
  if (event.starts_with(byte_order_mark)) event.remove_prefix(byte_order_mark.size());
  return event;
}

}  // namespace

std::size_t event_length(std::string_view bytes, std::size_t& searched) {
  while (searched < bytes.size()) {
    const std::size_t end = find_line_end(bytes, searched);
    if (end == std::string_view::npos) {
      searched = bytes.size();
      return 0;
    }
    std::size_t next = end + 1;
    if (bytes[end] == '\r') {
      if (next == bytes.size()) {  // An LF may follow: look at this CR again.
        searched = end;
        return 0;
      }
      if (bytes[next] == '\n') ++next;
    }
    searched = next;
    if (end == 0 || is_line_end(bytes[end - 1])) return next;
  }
  return 0;
}

std::string_view event_data(std::string_view event, std::string& joined) {
  std::string_view rest = without_mark(event);
  std::string_view data;
  std::string_view value;
  std::size_t lines = 0;
  while (!rest.empty()) {
    if (!is_field(take_line(rest), "data", value)) continue;
    ++lines;
    if (lines == 1) {
      data = value;
      continue;
    }
    if (lines == 2) joined.assign(data);
    joined += '\n';
    joined += value;
  }
  return lines > 1 ? std::string_view(joined) : data;
}

std::string_view event_type(std::string_view event) {
  std::string_view rest = without_mark(event);
  std::string_view type;
  std::string_view value;
  while (!rest.empty()) {
    if (is_field(take_line(rest), "event", value)) type = value;
  }
  return type;
}

}  // namespace claviger::exchange

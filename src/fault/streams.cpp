/// Streams, from what was received of them: did they report a failure, and did they end?

#include <array>
#include <optional>

#include "fault/reading_collector.h"

namespace claviger::fault {
namespace {

using Value = JsonGlance::Value;
using Kind = JsonGlance::Kind;

constexpr int kEventsMax = 4000;

/// What a stream showed so far.
struct StreamFacts {
  bool has_data = false;
  bool has_end = false;
};

bool is_delta_with_text(Value root) {
  const std::string_view type = root["type"].raw();
  if (type == "content_block_delta") return true;
  if (type.ends_with(".delta")) return true;
  if (const Value content = root["contentBlockDelta"]; content) return true;
  return !root["response"].is(Kind::object) && !root["response"].raw().empty();
}

/// One event's JSON. `name` is the event's, where it has one.
void read_event(std::string_view name, std::string_view data, StreamFacts& facts,
                Reading& reading) {
  Collector collector(reading);
  facts.has_data = true;
  if (data == "[DONE]") {
    facts.has_end = true;
    return;
  }
  const JsonGlance glance(data);
  Value root = glance.root();
  if (root.is(Kind::array)) root = root.at(0);
  if (!root.is(Kind::object)) {
    if (name == "error") {
      reading.has_error = true;
      collector.add_message(data);
    }
    return;
  }
  const std::string_view type = root["type"].raw();
  if (name == "error" || type == "response.failed" || Collector::reports_error(root)) {
    reading.has_error = true;
    collector.collect(root["response"].is(Kind::object) ? root["response"]["error"]
                      : root["error"]                   ? root["error"]
                                                        : root);
    return;
  }
  if (type == "message_stop" || type == "response.completed" || type == "response.incomplete" ||
      root["done"].raw() == "true" || type == "message-end" || root["messageStop"]) {
    facts.has_end = true;
  }
  const std::size_t labels_before = reading.labels.size();
  if (type != "response.created" && type != "response.in_progress") {
    collector.read_signals(root["delta"].is(Kind::object) ? root["delta"] : root);
  }
  if (is_delta_with_text(root)) reading.has_content = true;
  if (reading.labels.size() > labels_before) facts.has_end = true;
}

void close(const StreamFacts& facts, Reading& reading) {
  if (reading.has_error || facts.has_end) return;
  reading.truncated_stream = true;
  Collector(reading).add_signal(facts.has_data ? "stream_truncated" : "stream_silent");
}

std::string_view without_return(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

std::uint32_t big_endian(std::string_view bytes) {
  std::uint32_t value = 0;
  for (const unsigned char c : bytes.substr(0, 4)) value = value << 8 | c;
  return value;
}

}  // namespace

void read_event_stream(std::string_view body, Reading& reading) {
  StreamFacts facts;
  std::string name;
  std::string data;
  int events = 0;
  const auto finish_event = [&] {
    if (!data.empty() && ++events <= kEventsMax) read_event(name, data, facts, reading);
    name.clear();
    data.clear();
  };
  while (!body.empty()) {
    const std::size_t end = body.find('\n');
    const std::string_view line = without_return(body.substr(0, end));
    body.remove_prefix(end == std::string_view::npos ? body.size() : end + 1);
    if (line.empty()) {
      finish_event();
    } else if (line.starts_with("event:")) {
      name = line.substr(line.find_first_not_of(' ', 6) == std::string_view::npos
                             ? line.size()
                             : line.find_first_not_of(' ', 6));
    } else if (line.starts_with("data:")) {
      std::string_view part = line.substr(5);
      if (part.starts_with(' ')) part.remove_prefix(1);
      if (!data.empty()) data += '\n';
      data += part;
    } else if (line.starts_with("error:")) {
      // llama.cpp (tools/server, 2026-11-25).
      name = "error";
      data = line.substr(6);
    } else if (line.starts_with("{") && data.empty()) {
      // An error that was written into the stream without its framing.
      data = line;
    }
  }
  finish_event();
  close(facts, reading);
}

void read_json_lines(std::string_view body, Reading& reading) {
  StreamFacts facts;
  for (int lines = 0; !body.empty() && lines < kEventsMax; ++lines) {
    const std::size_t end = body.find('\n');
    const std::string_view line = without_return(body.substr(0, end));
    body.remove_prefix(end == std::string_view::npos ? body.size() : end + 1);
    if (!line.empty()) read_event({}, line, facts, reading);
  }
  close(facts, reading);
}

void read_frames(std::string_view body, Reading& reading) {
  constexpr std::size_t kPreludeBytes = 12;
  constexpr std::size_t kChecksumBytes = 4;
  Collector collector(reading);
  StreamFacts facts;
  for (int frames = 0; body.size() >= kPreludeBytes + kChecksumBytes && frames < kEventsMax;
       ++frames) {
    const std::size_t total = big_endian(body);
    const std::size_t header_bytes = big_endian(body.substr(4));
    if (total < kPreludeBytes + kChecksumBytes || total > body.size() ||
        header_bytes > total - kPreludeBytes - kChecksumBytes) {
      break;
    }
    std::string_view headers = body.substr(kPreludeBytes, header_bytes);
    const std::string_view payload = body.substr(
        kPreludeBytes + header_bytes, total - kPreludeBytes - header_bytes - kChecksumBytes);
    std::string_view event_type;
    bool is_exception = false;
    while (headers.size() > 2) {
      const std::size_t name_bytes = static_cast<unsigned char>(headers[0]);
      if (headers.size() < name_bytes + 4 || headers[1 + name_bytes] != 7) break;  // 7: a string
      const std::string_view name = headers.substr(1, name_bytes);
      const std::size_t value_bytes =
          big_endian(std::string("\0\0", 2) + std::string(headers.substr(2 + name_bytes, 2)));
      const std::string_view value = headers.substr(4 + name_bytes, value_bytes);
      if (name == ":exception-type" || name == ":error-code") {
        is_exception = true;
        collector.add_label(value);
      }
      if (name == ":error-message") collector.add_message(value);
      if (name == ":event-type") event_type = value;
      headers.remove_prefix(std::min(headers.size(), 4 + name_bytes + value_bytes));
    }
    facts.has_data = true;
    const JsonGlance glance(payload);
    if (is_exception) {
      reading.has_error = true;
      collector.collect(glance.root());
    } else if (event_type == "messageStop") {
      facts.has_end = true;
      collector.read_signals(glance.root());
    } else if (event_type == "contentBlockDelta" || event_type == "chunk") {
      reading.has_content = true;
    }
    body.remove_prefix(total);
  }
  close(facts, reading);
}

}  // namespace claviger::fault

#include "fault/reading.h"

#include <algorithm>

#include "fault/reading_collector.h"

namespace claviger::fault {
namespace {

using Kind = JsonGlance::Kind;

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

bool contains_without_case(std::string_view text, std::string_view part) {
  return !std::ranges::search(text, part, [](char a, char b) {
            return lower(a) == lower(b);
          }).empty();
}

Form form_of(std::string_view body, std::string_view content_type) {
  const std::size_t begin = body.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return Form::empty;
  if (content_type.starts_with("application/vnd.amazon.eventstream")) return Form::frames;
  const std::string_view rest = body.substr(begin);
  if (looks_like_html(rest)) return Form::html;
  for (const std::string_view start : {"data:", "event:", ": ", ":\n", "id:", "retry:"}) {
    if (rest.starts_with(start)) return Form::event_stream;
  }
  if (content_type.starts_with("text/event-stream") && rest[0] != '{' && rest[0] != '<') {
    return Form::event_stream;
  }
  if (rest[0] == '{' || rest[0] == '[') return Form::json;
  const auto unprintable = std::ranges::count_if(rest.substr(0, 512), [](unsigned char c) {
    return c < 0x20 && c != '\n' && c != '\r' && c != '\t';
  });
  return unprintable > 4 ? Form::binary : Form::text;
}

/// Headers in which a provider or an edge names its error.
void read_headers(const Observation& seen, Collector& collector) {
  constexpr std::string_view kNamed[] = {
      "x-amzn-errortype", "x-error-code", "x-error-type", "x-ms-error-code", "x-squid-error",
      "x-error-message",  "grpc-message", "cf-mitigated", "x-deny-reason",   "x-openai-error-code"};
  for (const std::string_view name : kNamed) {
    std::string_view value = header_value(seen.headers, name);
    if (value.empty()) continue;
    value = value.substr(0, 160);
    if (name == "x-error-message") {
      collector.add_message(value);
    } else if (name == "x-squid-error") {
      collector.add_label("squid: " + std::string(value));
    } else {
      // ValidationException:http://internal.amazon.com/…
      collector.add_label(value.substr(0, value.find(':')));
    }
  }
  const std::string_view challenge = header_value(seen.headers, "www-authenticate");
  if (const std::size_t at = challenge.find("error=\""); at != std::string_view::npos) {
    const std::string_view value = challenge.substr(at + 7);
    collector.add_label(value.substr(0, std::min<std::size_t>(value.find('"'), 80)));
  }
  if (const std::string_view code = header_value(seen.headers, "grpc-status"); !code.empty()) {
    collector.add_label("grpc: " + std::string(code.substr(0, 4)));
  }
}

void read_stages(const Observation& seen, Collector& collector) {
  if (seen.transport) {
    const std::string peer = seen.transport.peer == "proxy" ? " proxy" : "";
    collector.add_label("transport: " + std::string(seen.transport.stage.substr(0, 20)) + " " +
                        std::string(seen.transport.error.substr(0, 60)) + peer);
    collector.add_message(seen.transport.detail.substr(0, 400), unwrapping_depth_max);
  }
  if (seen.local) {
    collector.add_label("local: " + std::string(seen.local.stage.substr(0, 30)) + " " +
                        std::string(seen.local.error.substr(0, 60)));
  }
}

/// Own servers drop what does not fit and say nothing: the prompt that they counted is far
/// smaller than the one that was sent, or fills their context to the last token.
void note_cut_context(JsonGlance::Value root, const Observation& seen, Collector& collector) {
  if (!seen.request.own_endpoint || seen.request.input_tokens <= 0) return;
  const std::int64_t counted =
      std::max(root["prompt_eval_count"].integer(), root["usage"]["prompt_tokens"].integer());
  constexpr double kSurelyLess = 0.6;  // Estimates of tokens are off by a third at most.
  if (counted > 0 &&
      static_cast<double>(counted) < kSurelyLess * static_cast<double>(seen.request.input_tokens)) {
    collector.add_signal("context_cut_silently");
  }
}

void read_json(std::string_view body, const Observation& seen, Reading& reading) {
  Collector collector(reading);
  const JsonGlance glance(body);
  const auto root = glance.root();
  if (seen.status >= 400 || seen.status == 0) {
    reading.has_error = true;
    collector.collect(root);
    return;
  }
  const std::size_t first_line = body.find('\n');
  const bool many_documents = !glance.is_whole() && first_line != std::string_view::npos &&
                              root.is(Kind::object) &&
                              JsonGlance(body.substr(0, first_line)).is_whole();
  if (many_documents) return read_json_lines(body, reading);
  if (Collector::reports_error(root)) {
    reading.has_error = true;
    collector.collect(root.is(Kind::object) && root["error"] && !root["error"].raw().empty()
                          ? root["error"]
                          : root);
  }
  collector.read_signals(root);
  note_cut_context(root, seen, collector);
  const bool is_answer = root["choices"] || root["candidates"] || root["content"] ||
                         root["output"] || root["message"] || root["promptFeedback"];
  if (!glance.is_whole() && !reading.has_error) {
    reading.truncated_stream = true;
    collector.add_signal("answer_cut_off");
  } else if (is_answer && !reading.has_content && !reading.has_error) {
    collector.add_signal("empty_output");
  }
}

}  // namespace

std::string_view header_value(std::span<const HeaderField> headers, std::string_view name) {
  for (const HeaderField& field : headers) {
    if (std::ranges::equal(field.name, name, [](char a, char b) { return lower(a) == b; })) {
      return field.value;
    }
  }
  return {};
}

std::string_view to_string(Form form) {
  switch (form) {
    case Form::empty:
      return "empty";
    case Form::json:
      return "json";
    case Form::event_stream:
      return "event stream";
    case Form::frames:
      return "frames";
    case Form::html:
      return "html";
    case Form::text:
      return "text";
    case Form::binary:
      return "binary";
  }
  return "empty";
}

Reading read_answer(const Observation& seen) {
  Reading reading;
  Collector collector(reading);
  read_stages(seen, collector);
  read_headers(seen, collector);
  const std::string_view content_type = header_value(seen.headers, "content-type");
  std::string joined;
  std::string_view body = seen.body;
  const bool is_long = body.size() > body_bytes_max;
  reading.form = form_of(body.substr(0, body_bytes_max), content_type);
  if (is_long && reading.form == Form::event_stream) {
    // A stream fails at its end.
    joined = std::string(body.substr(0, body_bytes_max - stream_tail_bytes_max));
    joined += "\n\n";
    joined += body.substr(body.size() - stream_tail_bytes_max);
    body = joined;
  }
  body = body.substr(0, body_bytes_max);
  switch (reading.form) {
    case Form::empty:
      break;
    case Form::json:
      read_json(body, seen, reading);
      break;
    case Form::event_stream:
      read_event_stream(body, reading);
      break;
    case Form::frames:
      read_frames(body, reading);
      break;
    case Form::html:
      collector.add_message(text_of_html(body, 1500), unwrapping_depth_max);
      if (contains_without_case(body.substr(0, 16384), "cloudflare")) {
        collector.add_label("page: cloudflare");
      }
      break;
    case Form::text:
      collector.add_message(body.substr(0, 2048));
      break;
    case Form::binary:
      break;
  }
  return reading;
}

}  // namespace claviger::fault

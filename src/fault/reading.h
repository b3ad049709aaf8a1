#pragma once

/// What an answer says about its failure, whatever its shape: JSON of any provider, JSON inside
/// strings inside JSON (aggregators), event streams, AWS's frames, HTML, plain text, nothing.
///
/// Only fields that a provider writes are read (codes, types, reasons, messages), never those
/// that hand the caller's own words back (`input`, `failed_generation`, content of an answer).

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fault/observation.h"

namespace claviger::fault {

enum class Form : std::uint8_t { empty, json, event_stream, frames, html, text, binary };
std::string_view to_string(Form form);

struct Reading {
  Form form = Form::empty;
  /// Codes, types, reasons, header values and signals, in the order found: "insufficient_quota",
  /// "finish: SAFETY", "signal: stream_truncated". At most labels_max.
  std::vector<std::string> labels;
  std::string message;     ///< All messages, outermost first; at most message_bytes_max.
  bool has_error = false;  ///< An error object was found, whatever the status.
  int inner_status = 0;    ///< 400 to 599, as stated inside the body; the innermost.
  std::optional<double> retry_after_s;  ///< As stated inside the body.
  bool truncated_stream = false;        ///< A stream that stopped without its end.
  bool has_content = false;             ///< Some output reached us.
};
inline constexpr std::size_t labels_max = 32;
inline constexpr std::size_t message_bytes_max = 4096;
/// Of JSON inside strings inside JSON.
inline constexpr int unwrapping_depth_max = 6;

Reading read_answer(const Observation& seen);

}  // namespace claviger::fault

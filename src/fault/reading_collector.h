#pragma once

/// Gathers what an error says, from JSON of any shape. Used by reading.cpp and streams.cpp.

#include "fault/json_glance.h"
#include "fault/reading.h"

namespace claviger::fault {

class Collector {
 public:
  explicit Collector(Reading& reading) : reading_(reading) {}

  /// The members of an error that a provider writes; `depth` counts JSON inside strings.
  void collect(JsonGlance::Value value, int depth = 0);
  /// An error's words: kept as they are, or taken apart where JSON or HTML stands in them.
  void add_message(std::string_view text, int depth = 0);
  void add_label(std::string_view label);
  void add_signal(std::string_view name);

  /// Whether `root`, of an answer with a good status, reports a failure after all.
  static bool reports_error(JsonGlance::Value root);
  /// Terminal signals of a whole answer: finish and stop reasons, blocks, refusals, emptiness.
  void read_signals(JsonGlance::Value root);

 private:
  void collect_object(JsonGlance::Value object, int depth);
  void take_status(JsonGlance::Value value);
  void take_pause(std::string_view key, JsonGlance::Value value);
  void read_choice(JsonGlance::Value choice);
  void read_candidate(JsonGlance::Value candidate);
  void read_output_items(JsonGlance::Value output);

  Reading& reading_;
  int nodes_visited_ = 0;
};

/// Titles and text of a page, without scripts and tags.
std::string text_of_html(std::string_view html, std::size_t bytes_max);
bool looks_like_html(std::string_view text);

/// Reads a stream's events into `reading`; see reading.h.
void read_event_stream(std::string_view body, Reading& reading);
/// Newline-delimited JSON, as Ollama streams.
void read_json_lines(std::string_view body, Reading& reading);
/// application/vnd.amazon.eventstream
/// (https://docs.aws.amazon.com/transcribe/latest/dg/event-stream.html, 2026-11-25).
void read_frames(std::string_view body, Reading& reading);

}  // namespace claviger::fault

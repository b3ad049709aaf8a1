#pragma once

/// A failure written down as JSON, and a verdict as JSON: what `claviger fault classify --batch`
/// reads and writes, and what the corpus and the benchmark consist of.
///
///   {"id": "…", "provider": "openai", "status": 429, "headers": {"retry-after": "20"},
///    "body": "…" | "body_base64": "…", "where": "body|stream|transport",
///    "transport": {"stage": "connect", "error": "ECONNREFUSED", "detail": "…", "peer": "…"},
///    "local": {"stage": "vault", "error": "locked"},
///    "request": {"model": "…", "stream": true, "endpoint": "own", "max_tokens": 100, …}}

#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fault/observation.h"
#include "fault/verdict.h"

namespace claviger::fault {

/// Owns what the observation views.
class Case {
 public:
  /// Errors: what is wrong with the line, for its author.
  static std::expected<Case, std::string> read(std::string_view json_line);

  /// The id, as JSON, of a line that may be wrong otherwise, so that its error can be told apart;
  /// or empty.
  static std::string id_of(std::string_view json_line);

  std::string id;
  std::string id_json;  ///< As it stood in the line; empty where it had none.
  std::string provider;
  int status = 0;
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  RequestFacts request;  ///< Its `model` is empty; see observation().
  std::string model;
  struct Stage {
    std::string stage, error, detail, peer;
    std::int64_t bytes_in = 0;
  };
  Stage transport;
  Stage local;
  // What the corpus expects; empty where nothing is.
  std::string expected_party;
  std::string expected_cause;
  std::string expected_retry;

  /// Valid as long as this and `fields`, which is filled.
  Observation observation(std::vector<HeaderField>& fields) const;
};

/// One line. `id_json` is left out where it is empty.
std::string to_json(const Verdict& verdict, std::string_view id_json);

/// The longest line that is read.
inline constexpr std::size_t case_line_bytes_max = std::size_t{32} << 20;

}  // namespace claviger::fault

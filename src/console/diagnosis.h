#pragma once

/// The story of one request, as far as it is known: when it reached which stage, what each attempt
/// cost, what speaks for whom, and whose fault it is likely to be. Without anything that it said:
/// what is here can be read aloud in a meeting.

#include <optional>
#include <string>
#include <vector>

#include "budget/ledger.h"
#include "console/json_out.h"
#include "console/registry.h"
#include "fault/probes.h"
#include "record/feedback.h"

namespace claviger::console {

/// How other requests fared with the same credential, lately.
struct CredentialLuck {
  static constexpr int requests_looked_at_max = 200;
  int answered = 0;
  int failed = 0;
  std::optional<WallTime> last_good_at;
};

/// One question and what it brought.
struct ProbeReport {
  fault::ProbeResult result;
  int status = 0;  ///< 0 where no answer came.
  std::int64_t took_ms = 0;
  NanoUsd cost;
  std::string model;     ///< Of the question; empty for lists.
  std::string request;   ///< Id of its own record; empty for lists.
  std::string not_made;  ///< Why it was not asked; then the rest says nothing.
};

struct Diagnosis {
  record::Record record;
  std::optional<record::Feedback> feedback;
  std::vector<budget::AttemptMoney> attempts;
  std::optional<CredentialLuck> luck;  ///< None where no credential was involved.
  std::string sky;                     ///< Of model or provider now: up, degraded, down; or empty.
  bool has_failed = false;
  bool can_be_replayed = false;  ///< Its content is kept.
  std::vector<std::string> evidence;
  std::vector<ProbeReport> probes;
  fault::Narrowed verdict;  ///< After the probes; without any, as recorded.
};

/// A stage that a request reached, for the timeline.
struct Stage {
  std::string_view name;
  std::int64_t at_us = 0;
};
std::vector<Stage> stages_of(const record::Record& record);

/// What is known without asking anybody. Errors: 404, 503.
Task<Outcome<Diagnosis>> diagnosis_of(Registry& registry, RequestId request);

/// Asks the free questions and, as far as kProbesCostMax goes, the cheap ones; appends what they
/// brought to `diagnosis`.
Task<void> probe(Registry& registry, Diagnosis& diagnosis);
/// Of all paid probes of one diagnosis together; each is held for before it is made.
inline constexpr NanoUsd kProbesCostMax{10'000'000};

/// Sends the request's kept content to `model`, with its key's rights and budgets. Errors: 409
/// where nothing is kept, and how to change that; 422 where it cannot be sent elsewhere.
Task<Outcome<void>> replay(Registry& registry, Diagnosis& diagnosis, std::string model);

/// Draws the conclusion from all probes.
void conclude(Diagnosis& diagnosis);
std::string to_json(const Diagnosis& diagnosis);

/// Runs a request in the caller's place and reads how it ended.
Task<ProbeReport> run_errand(Registry& registry, const record::Record& of, ErrandRequest errand,
                             fault::Probe probe, std::string model);

Outcome<RequestId> read_request_id(std::string_view text);
/// A hold and its settlement, as `holds` of a request show it.
std::string to_json(const budget::AttemptMoney& money);

}  // namespace claviger::console

#pragma once

/// Failures of providers, judged (fault/engine.h). Only a request that has failed comes here.

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.h"
#include "fault/neighbours.h"
#include "fault/observation.h"
#include "fault/verdict.h"
#include "net/http/head.h"
#include "record/key_histories.h"
#include "relay/failure.h"
#include "relay/job.h"

namespace claviger::relay {

/// Status and headers of an answer, kept while its body is read: by then the head's own memory
/// is gone. Bounded in number and bytes; what is beyond says nothing more.
class AnswerHead {
 public:
  explicit AnswerHead(const net::http::ResponseHead& head);
  int status() const { return status_; }
  /// Valid as long as this.
  std::vector<fault::HeaderField> fields() const;

 private:
  int status_;
  std::vector<std::pair<std::string, std::string>> fields_;
};

/// Whether the attempt goes to a server of the owner's own: what fails there is his to mend. An
/// address that a credential brings is one, unless its provider always needs a key: then the
/// address is a resource of the owner's at that provider.
bool is_own_endpoint(const Attempt& attempt);

/// What is known of the attempt beside the answer. Views into `job`.
fault::Observation observation_of(const Job& job);

/// What is known beside an answer, of all threads: it tells a broken provider from a broken key.
/// Each may be null.
struct Surroundings {
  fault::FailureWindow* failures = nullptr;
  const record::KeyHistories* keys = nullptr;
  Instant now{};
  WallTime wall_now{};
};

/// The provider's answer `head` and `body` (its key masked) as a failure, with the provider's
/// status where that is one, else 502.
Failure judged_answer(const Job& job, const AnswerHead& head, std::string_view body,
                      const Surroundings& around);

/// The same for an error that came where an event or a whole answer was due.
Failure judged_error_inside(const Job& job, std::string_view json, const Surroundings& around);

/// How an answer broke once a connection stood.
struct Break {
  std::string_view stage;    ///< write, read (nothing came yet), body or stream.
  std::string_view error;    ///< "reset", "closed", "timed out", "malformed event", …
  std::string_view detail;   ///< What is wrong with it, in words.
  std::string_view arrived;  ///< What could not be read; may be empty.
};
/// Judged like any other failure, with the stage as evidence. 504 where time ran out, else 502.
/// What arrived is looked at with the credential's key masked, and up to a bound.
Failure judged_break(const Job& job, const Break& seen_break);

/// Overwrites the credential's key by asterisks wherever it stands in `bytes`: some providers
/// repeat the key that they refuse.
void mask_key(const Job& job, std::span<char> bytes);

/// No connection: whether that is the network's, the owner's or the gateway's to mend.
Failure judged_connection(const Job& job, const net::ConnectFailure& failure);

}  // namespace claviger::relay

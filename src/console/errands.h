#pragma once

/// Requests that are made in a caller's place, on the way of every request: held, settled,
/// recorded. Implemented by server/, which has a relay for them on the control thread.

#include <expected>
#include <string>

#include "base/task.h"
#include "base/time.h"
#include "relay/errand.h"

namespace claviger::console {

struct ErrandRequest {
  relay::Errand errand;
  std::string path;      ///< Of a caller's surface.
  std::string query;     ///< Without '?'; may be empty.
  std::string end_user;  ///< Whom the caller named; may be empty.
  std::string body;
};

class Errands {
 public:
  virtual ~Errands() = default;
  /// Returns once the request is over, however it ended: its record says how, under
  /// `request.errand.request`. Error: a sentence, where it could not even be asked.
  virtual Task<std::expected<void, std::string>> run(ErrandRequest request, Duration time_max) = 0;
};

}  // namespace claviger::console

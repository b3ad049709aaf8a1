#pragma once

/// The query of a request to the control API.

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "cli/control_client.h"

namespace claviger::cli {

/// Collects `?a=b&c=d`.
class Query {
 public:
  /// Leaves out what is empty.
  void add(std::string_view name, std::string_view value) {
    if (value.empty()) return;
    out_ += fmt::format("{}{}={}", out_.empty() ? '?' : '&', name, percent_encoded(value));
  }
  const std::string& text() const { return out_; }

 private:
  std::string out_;
};

}  // namespace claviger::cli

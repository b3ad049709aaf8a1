#pragma once

/// How a command fails: an exit status and a sentence for standard error.

#include <expected>
#include <string>
#include <utility>

namespace claviger::cli {

inline constexpr int kRefused = 1;
inline constexpr int kWrongUsage = 2;

struct Failure {
  int status = kRefused;
  std::string message;  ///< What happened, to what, and what to do. No secrets.
};

template <typename T = void>
using Outcome = std::expected<T, Failure>;

inline std::unexpected<Failure> refused(std::string message) {
  return std::unexpected(Failure{.status = kRefused, .message = std::move(message)});
}
inline std::unexpected<Failure> wrong_usage(std::string message) {
  return std::unexpected(Failure{.status = kWrongUsage, .message = std::move(message)});
}

}  // namespace claviger::cli

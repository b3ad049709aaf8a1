#pragma once

/// What the relay needs from whatever runs own model files: an address that answers, and a
/// word when it is no longer used. Implemented by local/.

#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "base/ids.h"
#include "base/secret.h"
#include "base/task.h"
#include "base/time.h"

namespace claviger::route {

enum class RunnerError : std::uint8_t {
  no_runner,      ///< No llama-server on this machine.
  no_sandbox,     ///< A sandbox that was asked for cannot be had; see `doctor`.
  model_missing,  ///< The file is gone or unreadable.
  not_enough_memory,
  start_failed,  ///< It ended or did not get ready; the message has its last words.
  too_slow,      ///< Not ready within the deadline; it goes on loading.
  backing_off,   ///< It crashed repeatedly; tried again after a pause.
  stopping,
};

struct RunnerFailure {
  RunnerError error = RunnerError::start_failed;
  std::string message;  ///< What happened and what to do.
};

/// A runner that is up, counted as in use until this is destroyed.
class RunnerLease {
 public:
  RunnerLease(std::string socket_path, std::shared_ptr<const Secret> token,
              std::function<void()> release)
      : socket_path_(std::move(socket_path)),
        token_(std::move(token)),
        release_(std::move(release)) {}
  RunnerLease(RunnerLease&& other) noexcept
      : socket_path_(std::move(other.socket_path_)),
        token_(std::move(other.token_)),
        release_(std::exchange(other.release_, nullptr)) {}
  RunnerLease& operator=(RunnerLease&&) = delete;
  ~RunnerLease() {
    if (release_) release_();
  }
  const std::string& socket_path() const { return socket_path_; }
  const Secret& token() const { return *token_; }

 private:
  std::string socket_path_;
  std::shared_ptr<const Secret> token_;
  std::function<void()> release_;
};

/// Threads: any method, from any thread, concurrently. acquire() resumes on the executor on
/// which it was awaited.
class Runner {
 public:
  virtual ~Runner() = default;
  /// Starts the runner of `model`'s owner on demand and waits until it is healthy.
  virtual Task<std::expected<RunnerLease, RunnerFailure>> acquire(LocalModelId model,
                                                                  Deadline deadline) = 0;
};

}  // namespace claviger::route

#pragma once

/// One running model: its folder, its token, its files, its process.
///
/// The folder is private (0700) and belongs to the user that the runner runs as; it is the
/// runner's working folder and holds the socket, the token, and a link to each file of the
/// model. The links lead to descriptors that the server opened, /proc/self/fd/N: a model may
/// lie where the runner's user cannot walk, such as root's home, and still be read, and no
/// other file of that place can.

#include <sys/types.h>

#include <cstdint>
#include <expected>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "base/secret.h"
#include "local/local_model.h"
#include "local/model_inspection.h"
#include "local/open_file.h"
#include "local/runner_program.h"
#include "local/sandbox.h"
#include "route/runner.h"

namespace claviger::local {

struct RunnerStart {
  const LocalModel& model;
  const MemoryNeed& need;
  const RunnerTuning& tuning;
  const SandboxReport& sandbox;  ///< Sufficient.
  RunnerUsers users;
  std::filesystem::path program;
  std::filesystem::path folder;  ///< Made anew; what was there is removed.
};

class RunnerProcess {
 public:
  /// Blocks for milliseconds, on the thread with which the runner is to live.
  static std::expected<RunnerProcess, route::RunnerFailure> start(const RunnerStart& start);

  RunnerProcess(RunnerProcess&& other) noexcept
      : folder_(std::move(other.folder_)),
        socket_path_(std::move(other.socket_path_)),
        token_(std::move(other.token_)),
        output_(std::move(other.output_)),
        end_(std::move(other.end_)),
        process_(std::exchange(other.process_, -1)) {}
  RunnerProcess& operator=(RunnerProcess&&) = delete;
  /// Kills and reaps what still runs, and removes the folder.
  ~RunnerProcess();

  pid_t process() const { return process_; }
  /// Readable when the process has ended; closed where the kernel has none (before 5.3).
  const OpenFile& end() const { return end_; }
  /// What it prints, without blocking. The caller closes it at its end.
  OpenFile& output() { return output_; }
  const std::string& socket_path() const { return socket_path_; }
  const std::shared_ptr<const Secret>& token() const { return token_; }

  /// To the process and whatever it may have started.
  void send_signal(int signal) const;
  /// "status 1", "signal 11 (Segmentation fault)" once it has ended; empty as long as it runs.
  std::string take_end();

 private:
  RunnerProcess() = default;

  struct Folder {
    std::filesystem::path path;
    Folder() = default;
    Folder(Folder&& other) noexcept : path(std::exchange(other.path, {})) {}
    Folder& operator=(Folder&& other) noexcept {
      std::swap(path, other.path);
      return *this;
    }
    ~Folder();
  };

  Folder folder_;
  std::string socket_path_;
  std::shared_ptr<const Secret> token_;
  OpenFile output_;
  OpenFile end_;
  pid_t process_ = -1;
};

}  // namespace claviger::local

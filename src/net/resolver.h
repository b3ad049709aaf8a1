#pragma once

/// Names to addresses. The C library's resolver does the work (it knows the machine's own
/// rules) on two threads of its own, because it blocks; answers are kept for a while, and whoever
/// asks for a name that is being looked up waits for the same answer.

#include <sys/socket.h>

#include <condition_variable>
#include <deque>
#include <expected>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/task.h"
#include "base/time.h"
#include "net/reactor.h"

namespace claviger::net {

struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;
  const sockaddr& get() const { return reinterpret_cast<const sockaddr&>(storage); }
};

using Addresses = std::shared_ptr<const std::vector<Address>>;

/// Threads: resolve() from any reactor's thread.
class Resolver {
 public:
  using LookUp = std::expected<Addresses, std::string> (*)(const std::string& host,
                                                           std::uint16_t port);
  struct Options {
    Duration keep_for = std::chrono::seconds(30);
    Duration keep_failure_for = std::chrono::seconds(2);
    std::size_t names_max = 4096;
    std::size_t queue_max = 1024;  ///< Names that are being looked up.
    /// Blocks. Null: the C library's.
    LookUp look_up = nullptr;
  };
  explicit Resolver(const Clock& clock);
  Resolver(const Clock& clock, Options options);
  ~Resolver();

  /// The error is a sentence. Literal addresses are answered at once. The C library bounds
  /// its own time (resolv.conf); `deadline` bounds ours.
  Task<std::expected<Addresses, std::string>> resolve(std::string host, std::uint16_t port,
                                                      Deadline deadline);

 private:
  struct Answer {
    std::expected<Addresses, std::string> addresses;
    Instant until;
  };
  /// Shared by whoever waits and whoever works, since either may be gone first.
  struct Asker {
    Reactor* reactor = nullptr;
    Wait* waiting = nullptr;  ///< Touched on the reactor's thread only.
    std::expected<Addresses, std::string> answer = std::unexpected("");
  };
  struct Question {
    std::string host;
    std::uint16_t port = 0;
    std::vector<std::shared_ptr<Asker>> askers;
  };

  void work();

  const Clock& clock_;
  const Options options_;
  const LookUp look_up_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::unordered_map<std::string, Question> questions_;  ///< By host and port, as answers_ are.
  std::deque<std::string> queue_;                        ///< Of those that nobody works on yet.
  std::unordered_map<std::string, Answer> answers_;
  bool stopping_ = false;
  std::vector<std::jthread> workers_;
};

}  // namespace claviger::net

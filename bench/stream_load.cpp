/// Load for streams: asks for server-sent events over many connections at once and counts what
/// comes back. wrk cannot: it knows whole answers only, and neither counts events nor holds
/// streams open.
///
///     stream-load --port N --connections N --request FILE (--seconds S | --hold)
///
/// FILE is a whole HTTP/1.1 request, head and body, sent as it is. With --seconds every
/// connection asks again as soon as its stream ends. With --hold every connection asks once;
/// `held N` is printed when all streams have begun, and they are read until standard input
/// ends. The last line is a JSON object of what was counted.
///
/// One thread on purpose: the load must not take the cores from what is measured.

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace claviger::bench {
namespace {

constexpr std::size_t kReadBytes = 65'536;
constexpr std::size_t kHeadBytesMax = 16'384;
constexpr std::string_view kLastChunk = "\r\n0\r\n\r\n";
constexpr int kHoldSecondsMax = 120;  ///< Streams that have not all begun by then never will.

using Clock = std::chrono::steady_clock;

struct Options {
  std::uint16_t port = 0;
  int connections = 1;
  std::string request;
  int seconds = 0;
  bool hold = false;
};

struct Counts {
  std::int64_t streams = 0;  ///< That ended as they should.
  std::int64_t events = 0;   ///< Blank lines: every event ends with one.
  std::int64_t bytes = 0;
  std::int64_t failed = 0;  ///< Not 200, broken off, or refused.
};

/// One connection, and how far it is in its answer.
class Connection {
 public:
  enum class Progress { goes_on, ended, broken };

  bool begun() const { return begun_; }
  int descriptor() const { return descriptor_; }

  /// False where the connection cannot be made.
  bool connect(std::uint16_t port) {
    descriptor_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor_ < 0) return false;
    const int on = 1;
    ::setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      return false;
    }
    return ::fcntl(descriptor_, F_SETFL, O_NONBLOCK) == 0;
  }

  void close() {
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = -1;
  }

  /// A request is small and the connection is idle, so it fits the socket's buffer at once.
  bool ask(std::string_view request) {
    head_.clear();
    tail_.clear();
    in_body_ = false;
    previous_ = 0;
    return ::send(descriptor_, request.data(), request.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(request.size());
  }

  /// Takes what has come.
  Progress take(std::string_view bytes, Counts& counts) {
    counts.bytes += static_cast<std::int64_t>(bytes.size());
    if (!in_body_) {
      head_.append(bytes);
      const std::size_t end = head_.find("\r\n\r\n");
      if (end == std::string::npos) {
        return head_.size() > kHeadBytesMax ? Progress::broken : Progress::goes_on;
      }
      if (!head_.starts_with("HTTP/1.1 200")) {
        std::fwrite(head_.data(), 1, std::min<std::size_t>(head_.size(), 400), stderr);
        return Progress::broken;
      }
      in_body_ = begun_ = true;
      const std::string rest = head_.substr(end + 2);  // With a line end before the first chunk.
      return take_body(rest, counts);
    }
    return take_body(bytes, counts);
  }

 private:
  Progress take_body(std::string_view bytes, Counts& counts) {
    for (std::size_t at = bytes.find('\n'); at != std::string_view::npos;
         at = bytes.find('\n', at + 1)) {
      counts.events += (at == 0 ? previous_ : bytes[at - 1]) == '\n';
    }
    previous_ = bytes.empty() ? previous_ : bytes.back();
    tail_.append(bytes.substr(bytes.size() - std::min(bytes.size(), kLastChunk.size())));
    if (tail_.size() > kLastChunk.size()) tail_.erase(0, tail_.size() - kLastChunk.size());
    if (tail_ != kLastChunk) return Progress::goes_on;
    counts.streams += 1;
    return Progress::ended;
  }

  int descriptor_ = -1;
  bool in_body_ = false;
  bool begun_ = false;
  char previous_ = 0;
  std::string head_;
  std::string tail_;  ///< The last bytes of the body: a chunked answer ends with kLastChunk.
};

class Load {
 public:
  explicit Load(const Options& options) : options_(options), connections_(options.connections) {}

  int run() {
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    for (std::size_t i = 0; i < connections_.size(); ++i) {
      if (!start(i)) {
        fmt::print(stderr, "connection {}: {}\n", i + 1, std::strerror(errno));
        return 1;
      }
    }
    const auto began = Clock::now();
    options_.hold ? hold(began) : repeat(began);
    const std::chrono::duration<double> took = Clock::now() - began;
    for (Connection& connection : connections_) connection.close();
    ::close(epoll_);
    fmt::print(
        "{{\"streams\": {}, \"events\": {}, \"bytes\": {}, \"failed\": {}, \"seconds\": {:.6f}}}\n",
        counts_.streams, counts_.events, counts_.bytes, counts_.failed, took.count());
    return counts_.failed == 0 ? 0 : 1;
  }

 private:
  bool start(std::size_t index) {
    Connection& connection = connections_[index];
    if (!connection.connect(options_.port)) return false;
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = index;
    return ::epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.descriptor(), &event) == 0 &&
           connection.ask(options_.request);
  }

  void repeat(Clock::time_point began) {
    const auto until = began + std::chrono::seconds(options_.seconds);
    while (Clock::now() < until && counts_.failed == 0) turn(100);
  }

  void hold(Clock::time_point began) {
    const auto until = began + std::chrono::seconds(kHoldSecondsMax);
    const auto has_begun = [](const Connection& connection) { return connection.begun(); };
    while (counts_.failed == 0 && Clock::now() < until &&
           !std::ranges::all_of(connections_, has_begun)) {
      turn(100);
    }
    if (!std::ranges::all_of(connections_, has_begun)) counts_.failed += 1;
    fmt::print("held {}\n", std::ranges::count_if(connections_, has_begun));
    std::fflush(stdout);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = connections_.size();
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, STDIN_FILENO, &event);
    while (!input_ended_ && counts_.failed == 0) turn(1000);
  }

  /// One round of what has come on any connection.
  void turn(int wait_ms_max) {
    std::array<epoll_event, 512> events;
    const int count =
        ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), wait_ms_max);
    for (int i = 0; i < count; ++i) {
      const std::size_t index = events[static_cast<std::size_t>(i)].data.u64;
      if (index == connections_.size()) {
        input_ended_ = true;
        continue;
      }
      read(connections_[index]);
    }
  }

  void read(Connection& connection) {
    const ssize_t got = ::recv(connection.descriptor(), buffer_.data(), buffer_.size(), 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    auto progress = Connection::Progress::broken;
    if (got > 0)
      progress = connection.take({buffer_.data(), static_cast<std::size_t>(got)}, counts_);
    if (progress == Connection::Progress::goes_on) return;
    const bool asks_again = progress == Connection::Progress::ended && !options_.hold;
    if (!asks_again || !connection.ask(options_.request)) {
      counts_.failed += 1;
      ::epoll_ctl(epoll_, EPOLL_CTL_DEL, connection.descriptor(), nullptr);
    }
  }

  const Options& options_;
  std::vector<Connection> connections_;
  std::array<char, kReadBytes> buffer_;
  Counts counts_;
  int epoll_ = -1;
  bool input_ended_ = false;
};

std::optional<int> positive_number(std::string_view text, int most) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 1 || value > most) {
    return std::nullopt;
  }
  return value;
}

std::optional<Options> options_of(int count, char** arguments) {
  Options options;
  for (int i = 1; i < count; ++i) {
    const std::string_view name = arguments[i];
    if (name == "--hold") {
      options.hold = true;
      continue;
    }
    if (i + 1 == count) return std::nullopt;
    const std::string_view value = arguments[++i];
    if (name == "--request") {
      std::ifstream file{std::string(value), std::ios::binary};
      options.request.assign(std::istreambuf_iterator<char>(file), {});
      if (options.request.empty()) return std::nullopt;
      continue;
    }
    const auto number = positive_number(value, 65'535);
    if (!number) return std::nullopt;
    if (name == "--port")
      options.port = static_cast<std::uint16_t>(*number);
    else if (name == "--connections")
      options.connections = *number;
    else if (name == "--seconds")
      options.seconds = *number;
    else
      return std::nullopt;
  }
  const bool complete =
      options.port != 0 && !options.request.empty() && options.hold == (options.seconds == 0);
  return complete ? std::optional(std::move(options)) : std::nullopt;
}

}  // namespace
}  // namespace claviger::bench

int main(int count, char** arguments) {
  const auto options = claviger::bench::options_of(count, arguments);
  if (!options) {
    fmt::print(
        stderr,
        "usage: stream-load --port N --connections N --request FILE (--seconds S | --hold)\n");
    return 2;
  }
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  return claviger::bench::Load(*options).run();
}

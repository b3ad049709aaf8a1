#pragma once

/// One connection to the fake provider: reads a request, gives its answer, and so on.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "net/http/chunked.h"
#include "server.h"

using SSL = struct ssl_st;

namespace claviger::fakes {

class Connection {
 public:
  Connection(Server& server, int fd, SSL* tls);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  int fd() const { return fd_; }
  /// Something may be read or written. Both may end the connection (Server::forget).
  void on_ready();
  void on_timer();

 private:
  /// What a system call said.
  enum class Io : std::uint8_t { some, nothing_yet, gone };
  /// Requests and unread bytes beyond this are too much even for a fake.
  static constexpr std::size_t kReceivedBytesMax = 64 * 1024 * 1024;
  /// How far a stream is rendered ahead of what the caller has read.
  static constexpr std::size_t kAheadBytesMax = 64 * 1024;
  /// How much one connection sends before the others have their turn.
  static constexpr std::size_t kTurnBytesMax = 512 * 1024;

  Io receive(std::size_t& bytes);
  Io send_bytes(std::string_view bytes, std::size_t& sent);
  bool read_all();
  /// Answers as many whole requests as have come. False where the connection is over.
  bool serve();
  enum class Found : std::uint8_t { whole, incomplete, body_incomplete, bad };
  Found find_request(std::string_view& body, std::size_t& request_bytes);
  void begin_answer(std::string_view body);
  /// Goes on with the answer until it is given, or something has to be waited for.
  bool pump();
  bool pump_planned();
  bool pump_ready();
  bool flush();
  bool end_connection(After after);
  void wait(Duration pause);
  void finish_answer(Outcome outcome);
  bool busy() const { return planned_.answer != nullptr || ready_ != nullptr; }

  Server& server_;
  int fd_;
  SSL* tls_;

  std::string in_;
  std::size_t searched_ = 0;
  net::http::ChunkedDecoder decoder_;
  std::size_t decoded_bytes_ = 0;  ///< Of the chunked body, framing included.
  std::string chunked_body_;
  bool said_continue_ = false;
  bool keep_alive_ = true;

  std::string out_;
  std::size_t out_sent_ = 0;
  Planned planned_;
  const ReadyAnswer* ready_ = nullptr;
  std::size_t ready_piece_ = 0;
  bool stalled_ = false;
  bool paused_ = false;
  bool closing_ = false;  ///< As soon as everything is sent.
  Server::Timers::iterator timer_;
};

}  // namespace claviger::fakes

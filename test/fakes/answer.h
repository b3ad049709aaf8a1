#pragma once

/// One answer being given, step by step and without a socket: what to send next, or how long
/// to wait before that. The bill grows as it goes.

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "behaviour.h"
#include "bill.h"
#include "chat_request.h"

namespace claviger::fakes {

/// What happens to the connection after an answer.
enum class After : std::uint8_t { keep_alive, close, reset };

class Answer {
 public:
  enum class Step : std::uint8_t {
    send,   ///< Bytes were appended: send them, then ask again.
    wait,   ///< Ask again after `pause()`.
    stall,  ///< Silence until the caller gives up.
    done,   ///< Nothing more; see after().
  };

  /// An answer in one piece. `head` and `body` are what an honest provider would send.
  Answer(const Behaviour& behaviour, std::string head, std::string body);
  /// A stream. `tokens` is what the whole of it will be billed for; `bill` outlives this.
  Answer(const Behaviour& behaviour, std::string head, const ChatRequest& request,
         RequestNumber number, const Tokens& tokens, Bill& bill);

  /// A stream of events that are ready, whatever their dialect.
  Answer(const Behaviour& behaviour, std::string head, std::vector<std::string> events,
         std::string error_event, RequestNumber number, const Tokens& tokens, Bill& bill);

  Step next(std::string& out);
  Duration pause() const { return pause_; }
  After after() const { return after_; }
  /// Whether all was sent as an honest provider would have.
  bool is_whole() const { return is_whole_; }
  /// The caller has left before the end: what goes on unseen is billed, too.
  void caller_left();

 private:
  enum class Stage : std::uint8_t { delay, head, body, pause, event, tail, done };

  /// Appends what comes behind the head, as far as truncation allows.
  void send_body(std::string_view bytes, std::string& out);
  void send_chunk(std::string_view event, std::string& out);
  Step next_event(std::string& out);
  Step next_ready_event(std::string& out);
  Step tail(std::string& out);
  Step end(bool whole, After after);
  Duration pause_between_events() const;
  std::int64_t tokens_until(std::int64_t event) const;

  Behaviour behaviour_;
  std::string head_;
  std::string body_;
  ChatRequest request_;
  std::vector<std::string> ready_events_;
  std::string error_event_;  ///< With ready_events_.
  RequestNumber number_ = 0;
  Tokens tokens_;
  Bill* bill_ = nullptr;  ///< Null where the answer comes in one piece.
  std::int64_t events_ = 0;
  std::int64_t event_ = 0;
  std::int64_t body_bytes_left_;
  Duration pause_{};
  Stage stage_ = Stage::delay;
  After after_ = After::keep_alive;
  bool is_whole_ = false;
};

/// The heads and bodies of honest answers.
std::string answer_head(const Behaviour& behaviour, RequestNumber number,
                        std::string_view content_type, std::string_view framing);
std::string chat_body(const Behaviour& behaviour, const ChatRequest& request, RequestNumber number,
                      const Tokens& tokens);
std::string embedding_body(const Behaviour& behaviour, const EmbeddingRequest& request,
                           const Tokens& tokens);
std::string error_body(std::int64_t status, std::string_view code, std::string_view message);

/// Text as long as told, always the same for the same `place`.
std::string filler(std::uint64_t place, std::int64_t bytes);

}  // namespace claviger::fakes

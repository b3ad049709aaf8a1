#pragma once

/// What the fake provider says to each request: routing, planning, billing. No sockets.
///
/// Two ways of answering: planned (the body is read, every directive obeyed, every request
/// remembered), and fast, for benchmarks (`--fast`): answers rendered once at start, the body
/// merely searched for `"stream":true`, only totals kept. The fast way is taken as long as no
/// behaviour is set.

#include <cstdint>
#include <deque>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <variant>

#include "answer.h"
#include "behaviour.h"
#include "bill.h"
#include "net/http/head.h"

namespace claviger::fakes {

struct ResponderOptions {
  Prices prices{.input = {150'000}, .cached_input = {75'000}, .output = {600'000}};
  std::int64_t completion_tokens = 32;  ///< Where neither directive nor bound says less.
  std::uint64_t seed = 1;
  std::string required_key;  ///< Where set, any other bearer token is answered with 401.
  bool fast = false;
  std::int64_t fast_events = 32;      ///< Events with text in a fast stream.
  std::int64_t fast_interval_us = 0;  ///< Between them; 0: all at once.
};

/// An answer that was rendered at start: one piece, or pieces with pauses in between. Owned by
/// the responder, never changed.
struct ReadyAnswer {
  std::string bytes;
  std::vector<std::size_t> piece_ends;  ///< Empty: one piece.
  Duration pause{};
};

/// How one request is answered.
struct Planned {
  std::unique_ptr<Answer> answer;
  RequestNumber number = 0;  ///< 0: not on the bill (control endpoints).
};

class Responder {
 public:
  explicit Responder(ResponderOptions options);

  /// `head` and `body` are read during the call only.
  std::variant<const ReadyAnswer*, Planned> respond(const net::http::RequestHead& head,
                                                    std::string_view body);
  /// The answer was sent, or its connection is gone.
  void finished(RequestNumber number, Outcome outcome) { bill_.close(number, outcome); }

  Bill& bill() { return bill_; }

 private:
  struct ControlAnswer {
    std::int64_t status = 200;
    std::string body;
  };
  ControlAnswer control_answer(const net::http::RequestHead& head, std::string_view path,
                               std::string_view body);
  Planned control(const net::http::RequestHead& head, std::string_view path, std::string_view body);
  Planned plan(const net::http::RequestHead& head, std::string_view path, std::string_view body);
  Planned plan_chat(Behaviour behaviour, std::string_view body);
  Planned plan_messages(Behaviour behaviour, const net::http::RequestHead& head,
                        std::string_view body);
  Planned plan_response(Behaviour behaviour, std::string_view body);
  Planned plan_token_count(Behaviour behaviour, const net::http::RequestHead& head,
                           std::string_view body);
  Planned plan_embedding(Behaviour behaviour, std::string_view body);
  Planned plain(const Behaviour& behaviour, RequestNumber number, std::string body);
  Planned refuse(std::int64_t status, std::string_view code, std::string_view message,
                 std::string_view model = {});
  /// Where the behaviour asks for a failure instead of an answer.
  bool fails(const Behaviour& behaviour) const;
  Planned fail(const Behaviour& behaviour, std::string_view model);
  Behaviour take_behaviour();
  void remember(const net::http::RequestHead& head, std::string_view body);
  void render_fast_answers();

  ResponderOptions options_;
  Bill bill_;
  std::mt19937_64 random_;
  std::deque<Behaviour> behaviours_;
  std::set<std::string, std::less<>> kept_responses_;  ///< By their ids.
  std::string client_id_;                              ///< Of the request that is being planned.
  std::string last_request_json_ = "{}";

  ReadyAnswer fast_chat_;
  ReadyAnswer fast_stream_;
  ReadyAnswer fast_stream_with_usage_;
  NanoUsd fast_cost_;
};

/// How long the body of a fast answer is: what was measured at several providers for a short
/// question.
inline constexpr std::size_t kFastBodyBytes = 750;

}  // namespace claviger::fakes

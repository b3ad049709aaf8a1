/// The double is held to its word too: a fake that misbehaves other than it was told, or that
/// bills something else than it says, would prove nothing.

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <string>
#include <system_error>
#include <thread>

#include "net/http/chunked.h"
#include "net/http/head.h"
#include "server.h"

namespace claviger::fakes {
namespace {

/// What came back on a connection of its own.
struct Answered {
  int status = 0;
  std::string request_id;
  std::string content_type;
  std::string body;
  bool whole = false;  ///< The body ended as its framing said.
  bool was_reset = false;
};

class FakeProvider : public testing::Test {
 protected:
  void SetUp() override { start({}); }
  void TearDown() override { stop(); }

  void start(ResponderOptions options) {
    stop();
    ServerOptions server_options;
    server_options.responder = std::move(options);
    auto opened = Server::open(server_options);
    ASSERT_TRUE(opened) << opened.error();
    server_ = std::move(*opened);
    thread_ = std::thread([this] { server_->run(); });
  }
  void stop() {
    if (server_ == nullptr) return;
    server_->stop();
    thread_.join();
    server_.reset();
  }

  int connect_to_it() const {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) throw std::system_error(errno, std::generic_category(), "socket");
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(server_->port());
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    // So that a fake that hangs fails the test instead of stopping it.
    const timeval patience{.tv_sec = 10, .tv_usec = 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    EXPECT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    return fd;
  }

  static std::string request(std::string_view method, std::string_view path, std::string_view body,
                             std::string_view headers = "connection: close\r\n") {
    return fmt::format("{} {} HTTP/1.1\r\nhost: fake\r\n{}content-length: {}\r\n\r\n{}", method,
                       path, headers, body.size(), body);
  }

  Answered ask(std::string_view method, std::string_view path, std::string_view body,
               std::string_view headers = "connection: close\r\n") const {
    const int fd = connect_to_it();
    const std::string bytes = request(method, path, body, headers);
    EXPECT_EQ(send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
    std::string received;
    char piece[4096];
    ssize_t got = 0;
    while ((got = recv(fd, piece, sizeof piece, 0)) > 0) {
      received.append(piece, static_cast<std::size_t>(got));
    }
    Answered answered = take_apart(received);
    answered.was_reset = got < 0 && errno == ECONNRESET;
    close(fd);
    return answered;
  }

  static Answered take_apart(std::string_view received) {
    Answered answered;
    net::http::ResponseHead head;
    std::size_t searched = 0;
    const auto read = net::http::parse_response_head(received, "POST", head, searched);
    if (!read) return answered;
    answered.status = head.status;
    answered.request_id = head.value_of("x-request-id");
    answered.content_type = head.value_of("content-type");
    std::string_view rest = received.substr(*read);
    if (head.body != net::http::Body::chunked) {
      answered.body = rest;
      answered.whole = rest.size() == head.content_length;
      return answered;
    }
    net::http::ChunkedDecoder decoder;
    while (!rest.empty() && !decoder.is_done()) {
      const auto step = decoder.next(rest);
      if (!step) return answered;
      answered.body += step->payload;
      rest.remove_prefix(step->consumed);
    }
    answered.whole = decoder.is_done();
    return answered;
  }

  Answered chat(std::string_view more = "", std::string_view model = "gpt-4o-mini") const {
    return ask(
        "POST", "/v1/chat/completions",
        fmt::format(R"({{"model":"{}","messages":[{{"role":"user","content":"hello!!!"}}]{}}})",
                    model, more));
  }
  void behave(std::string_view directives) const {
    EXPECT_EQ(ask("POST", "/_fake/behave", directives).status, 200) << directives;
  }
  std::string bill() const { return ask("GET", "/_fake/bill", "").body; }
  std::string bill_of(const Answered& answered) const {
    return ask("GET", "/_fake/bill/" + answered.request_id, "").body;
  }

  std::unique_ptr<Server> server_;
  std::thread thread_;
};

std::size_t count(std::string_view text, std::string_view what) {
  std::size_t times = 0;
  for (std::size_t at = text.find(what); at != std::string_view::npos;
       at = text.find(what, at + what.size())) {
    ++times;
  }
  return times;
}

bool has(std::string_view text, std::string_view what) {
  return text.find(what) != std::string_view::npos;
}

// "hello!!!" is 8 bytes: 2 tokens, and 3 for the message.
constexpr std::string_view kUsage = R"("prompt_tokens":5,"completion_tokens":32,"total_tokens":37)";

TEST(Bill, RoundsEachRequestUpOnce) {
  const Prices prices{.input = {150'000}, .cached_input = {75'000}, .output = {600'000}};
  EXPECT_EQ(cost_of({.prompt_tokens = 5, .cached_tokens = 0, .completion_tokens = 32}, prices),
            NanoUsd(5 * 150 + 32 * 600));
  EXPECT_EQ(cost_of({.prompt_tokens = 5, .cached_tokens = 2, .completion_tokens = 0}, prices),
            NanoUsd(3 * 150 + 2 * 75));
  EXPECT_EQ(cost_of({.prompt_tokens = 1, .cached_tokens = 0, .completion_tokens = 1},
                    {.input = {1}, .cached_input = {0}, .output = {1}}),
            NanoUsd(1));
}

TEST(Bill, ModelsMayHavePricesOfTheirOwn) {
  Bill bill({.input = {0}, .cached_input = {0}, .output = {1'000}});
  bill.set_prices("dear", {.input = {0}, .cached_input = {0}, .output = {1'000'000}});
  bill.charge(bill.open("dear"), {.completion_tokens = 3});
  EXPECT_EQ(bill.cost(), NanoUsd(3'000));
  bill.charge(bill.open("other"), {.completion_tokens = 3});
  EXPECT_EQ(bill.cost(), NanoUsd(3'003));
}

TEST(Bill, ChargingAgainReplaces) {
  Bill bill({.input = {1'000'000}, .cached_input = {0}, .output = {1'000'000}});
  const RequestNumber number = bill.open("m");
  bill.charge(number, {.prompt_tokens = 10, .cached_tokens = 0, .completion_tokens = 0});
  bill.charge(number, {.prompt_tokens = 10, .cached_tokens = 0, .completion_tokens = 7});
  EXPECT_EQ(bill.cost(), NanoUsd(17'000));
  EXPECT_EQ(bill.total().completion_tokens, 7);
  bill.reset();
  bill.charge(number, {.prompt_tokens = 99, .cached_tokens = 0, .completion_tokens = 0});
  EXPECT_EQ(bill.cost(), NanoUsd(0));
}

TEST(Behaviour, TypingErrorsAreNotOverlooked) {
  for (const std::string_view bad :
       {R"({"statsu":500})", R"({"status":"500"})", R"({"status":true})", R"({"reset":1})",
        R"({"status":99})", R"({"chunks":-1})", R"({"usage":"odd"})", R"({"body":null})", "[1]",
        "{", "5"}) {
    EXPECT_FALSE(read_behaviours(bad)) << bad;
  }
  Behaviour behaviour;
  for (std::string_view bad : {"m~status", "m~status=x", "m~stat=5", "m~reset=5", "m~"}) {
    EXPECT_FALSE(apply_model_directives(bad, behaviour)) << bad;
  }
  std::string_view model = "gpt~status=429~reset=true~usage=twice~chunks=3";
  EXPECT_TRUE(apply_model_directives(model, behaviour));
  EXPECT_EQ(model, "gpt");
  EXPECT_EQ(behaviour.status, 429);
  EXPECT_TRUE(behaviour.reset);
  EXPECT_EQ(behaviour.usage, "twice");
  EXPECT_EQ(behaviour.chunks, 3);
}

TEST(Answer, PausesBeforeItsHeadAndBetweenEvents) {
  Bill bill({.input = {1'000}, .cached_input = {0}, .output = {1'000}});
  Behaviour behaviour;
  behaviour.delay_ms_before_head = 30;
  behaviour.delay_ms_between_events = 2;
  behaviour.delay_us_between_events = 5;
  Answer answer(behaviour, "head", ChatRequest{}, bill.open("m"), {.completion_tokens = 2}, bill);
  std::string out;
  EXPECT_EQ(answer.next(out), Answer::Step::wait);
  EXPECT_EQ(answer.pause(), std::chrono::milliseconds(30));
  EXPECT_EQ(out, "");
  EXPECT_EQ(answer.next(out), Answer::Step::send);
  EXPECT_EQ(out, "head");
  EXPECT_EQ(answer.next(out), Answer::Step::send);
  EXPECT_EQ(bill.total().completion_tokens, 1);
  EXPECT_EQ(answer.next(out), Answer::Step::wait);
  EXPECT_EQ(answer.pause(), std::chrono::microseconds(2'005));
  EXPECT_EQ(answer.next(out), Answer::Step::send);
  EXPECT_EQ(bill.total().completion_tokens, 2);
}

TEST(Answer, ThatNeverEndsIsBilledBeyondEveryBound) {
  Bill bill({.input = {1'000}, .cached_input = {0}, .output = {1'000'000}});
  Behaviour behaviour;
  behaviour.never_ends = true;
  ChatRequest request;
  request.completion_tokens_max = 5;
  Answer answer(behaviour, "head", request, bill.open("m"), {.completion_tokens = 5}, bill);
  std::string out;
  for (int step = 0; step < 1'001; ++step) ASSERT_EQ(answer.next(out), Answer::Step::send);
  EXPECT_EQ(bill.cost(), NanoUsd(1'000 * 1'000));
}

TEST_F(FakeProvider, AnswersPlainlyAndBillsWhatItSays) {
  const Answered answered = chat();
  EXPECT_EQ(answered.status, 200);
  EXPECT_TRUE(answered.whole);
  EXPECT_TRUE(has(answered.body, kUsage)) << answered.body;
  EXPECT_TRUE(has(bill_of(answered), R"("cost_nanos":19950,"outcome":"whole")"))
      << bill_of(answered);
  EXPECT_EQ(bill(), R"({"requests":1,"running":0,"prompt_tokens":5,"cached_tokens":0,)"
                    R"("completion_tokens":32,"cost_nanos":19950})");
}

TEST_F(FakeProvider, ObeysBoundsAndCountsChoices) {
  EXPECT_TRUE(has(chat(R"(,"max_tokens":7)").body, R"("completion_tokens":7,)"));
  EXPECT_TRUE(has(chat(R"(,"max_tokens":7)").body, R"("finish_reason":"length")"));
  EXPECT_TRUE(
      has(chat(R"(,"max_completion_tokens":9,"max_tokens":7)").body, R"("completion_tokens":9,)"));
  const Answered three = chat(R"(,"max_tokens":7,"n":3)");
  EXPECT_TRUE(has(three.body, R"("completion_tokens":21,)"));
  EXPECT_EQ(count(three.body, R"("role":"assistant")"), 3u);
}

TEST_F(FakeProvider, StreamsWithUsageWhereAsked) {
  const Answered plain = chat(R"(,"stream":true)");
  EXPECT_EQ(plain.content_type, "text/event-stream");
  EXPECT_TRUE(plain.whole);
  EXPECT_TRUE(plain.body.ends_with("data: [DONE]\n\n"));
  EXPECT_EQ(count(plain.body, "\"content\":"), 32u);
  EXPECT_FALSE(has(plain.body, "usage"));

  const Answered with = chat(R"(,"stream":true,"stream_options":{"include_usage":true})");
  EXPECT_TRUE(has(with.body, kUsage));
  EXPECT_EQ(count(with.body, R"("usage":null)"), 33u);
  EXPECT_TRUE(has(with.body, R"("choices":[],"usage":{)"));
  EXPECT_TRUE(has(bill(), R"("cost_nanos":39900)")) << bill();
}

TEST_F(FakeProvider, TokensAreSpreadOverAsManyEventsAsAskedFor) {
  behave(R"({"chunks":100,"completion_tokens":10})");
  const Answered many = chat(R"(,"stream":true,"stream_options":{"include_usage":true})");
  EXPECT_EQ(count(many.body, "\"content\":"), 100u);
  EXPECT_TRUE(has(many.body, R"("completion_tokens":10,)"));
  behave(R"({"chunks":3,"bytes_per_chunk":1000,"huge_event_bytes":200000})");
  EXPECT_GT(chat(R"(,"stream":true)").body.size(), 202'000u);
}

TEST_F(FakeProvider, FailsAsTold) {
  behave(R"({"status":429,"error_code":"insufficient_quota","headers":{"retry-after":"7"}})");
  const Answered limited = chat();
  EXPECT_EQ(limited.status, 429);
  EXPECT_TRUE(has(limited.body, R"("code":"insufficient_quota")"));
  behave(R"({"status":500,"body":"<html>","content_type":"text/html"})");
  const Answered page = chat(R"(,"stream":true)");
  EXPECT_EQ(page.status, 500);
  EXPECT_EQ(page.body, "<html>");
  EXPECT_EQ(page.content_type, "text/html");
  EXPECT_TRUE(has(bill(), R"("requests":2,)"));
  EXPECT_TRUE(has(bill(), R"("cost_nanos":0)")) << "failures are free";
}

TEST_F(FakeProvider, BreaksOffAsTold) {
  behave(R"({"truncate_bytes":20})");
  const Answered cut = chat();
  EXPECT_EQ(cut.status, 200);
  EXPECT_EQ(cut.body.size(), 20u);
  EXPECT_FALSE(cut.whole);
  EXPECT_TRUE(has(bill_of(cut), R"("cost_nanos":19950,"outcome":"broken_off")"));
  EXPECT_FALSE(chat(R"(,"stream":true)").whole);

  behave(R"({"reset":true})");
  const Answered reset = chat();
  EXPECT_EQ(reset.status, 0);
  EXPECT_TRUE(reset.was_reset);

  behave(R"({"error_after_events":2})");
  const Answered error = chat(R"(,"stream":true)");
  EXPECT_TRUE(error.whole);
  EXPECT_EQ(count(error.body, "\"content\":"), 2u);
  EXPECT_TRUE(has(error.body, R"(data: {"error":)"));
  EXPECT_FALSE(has(error.body, "[DONE]"));
}

TEST_F(FakeProvider, ACancelledStreamIsBilledForWhatWasGenerated) {
  const int fd = connect_to_it();
  const std::string bytes = request(
      "POST", "/v1/chat/completions",
      R"({"model":"m~stall_after_events=3","stream":true,"messages":[{"role":"user","content":"hello!!!"}]})");
  ASSERT_EQ(send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  std::string received;
  char piece[4096];
  while (count(received, "\"content\":") < 3) {
    const ssize_t got = recv(fd, piece, sizeof piece, 0);
    ASSERT_GT(got, 0);
    received.append(piece, static_cast<std::size_t>(got));
  }
  EXPECT_TRUE(
      has(bill(), R"("running":1,"prompt_tokens":5,"cached_tokens":0,"completion_tokens":3,)"));
  close(fd);
  // The fake hears of it in its own time; bounded by the test's patience.
  std::string after = bill();
  for (int i = 0; i < 10'000 && !has(after, R"("running":0)"); ++i) after = bill();
  EXPECT_TRUE(has(
      after,
      R"("running":0,"prompt_tokens":5,"cached_tokens":0,"completion_tokens":3,"cost_nanos":2550})"))
      << after;
}

TEST_F(FakeProvider, WhatIsGeneratedUnseenIsBilledWithinTheBound) {
  for (const auto& [unseen, bound, billed_least, billed_most] :
       {std::tuple{50, 1000, 51, 90}, std::tuple{5000, 100, 100, 100}}) {
    const int fd = connect_to_it();
    const std::string bytes =
        request("POST", "/v1/chat/completions",
                fmt::format(R"({{"model":"gpt-4o-mini","stream":true,"max_tokens":{},"messages":)"
                            R"([{{"role":"user","content":"x"}}],"fake":{{"unseen_tokens":{},)"
                            R"("completion_tokens":1000,"delay_ms_between_events":5}}}})",
                            bound, unseen),
                "x-client-request-id: ours-1\r\n");
    ASSERT_EQ(send(fd, bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
    char piece[512];
    ASSERT_GT(recv(fd, piece, sizeof piece, 0), 0);
    close(fd);
    std::string bill;
    for (int i = 0; i < 500 && bill.find(R"("running":0)") == std::string::npos; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      bill = ask("GET", "/_fake/bill", "").body;
    }
    const std::string key = R"("completion_tokens":)";
    const int billed = std::stoi(bill.substr(bill.find(key) + key.size()));
    EXPECT_GE(billed, billed_least);
    EXPECT_LE(billed, billed_most);
    EXPECT_NE(ask("GET", "/_fake/bill/after/0", "").body.find(R"("client_id":"ours-1")"),
              std::string::npos);
    EXPECT_EQ(ask("GET", "/_fake/bill/after/99", "").body, R"({"each":[]})");
    ask("POST", "/_fake/reset", "");
  }
}

TEST_F(FakeProvider, UsageIsAsOddAsToldAndTheBillIsNot) {
  const std::string_view stream = R"(,"stream":true,"stream_options":{"include_usage":true})";
  const auto with = [&](std::string_view usage) {
    behave(fmt::format(R"({{"usage":"{}"}})", usage));
    return chat(stream).body;
  };
  EXPECT_FALSE(has(with("absent"), "usage"));
  EXPECT_TRUE(has(with("negative"), R"("prompt_tokens":-5,"completion_tokens":-7)"));
  EXPECT_EQ(count(with("every_chunk"), R"("usage":{)"), 33u);
  EXPECT_EQ(count(with("twice"), R"("usage":{)"), 2u);
  EXPECT_TRUE(has(with("absurd"), "9007199254740993"));
  EXPECT_TRUE(has(with("malformed"), R"("prompt_tokens":"many")"));
  EXPECT_TRUE(has(
      bill(),
      fmt::format(
          R"("requests":6,"running":0,"prompt_tokens":30,"cached_tokens":0,"completion_tokens":192,"cost_nanos":{}}})",
          6 * 19950)))
      << bill();
}

TEST_F(FakeProvider, CachedTokensArePricedApartAndFreeOnesNotAtAll) {
  const Answered cached = chat(
      R"(,"fake":{"prompt_tokens":100,"cached_tokens":40,"completion_tokens":0,"reasoning_tokens":9})");
  EXPECT_TRUE(has(cached.body, R"("cached_tokens":40)"));
  EXPECT_TRUE(has(cached.body, R"("reasoning_tokens":9)"));
  EXPECT_TRUE(has(bill_of(cached), fmt::format(R"("cost_nanos":{},)", 60 * 150 + 40 * 75)));
  EXPECT_TRUE(has(bill_of(chat(R"(,"fake":{"free":true})")), R"("cost_nanos":0,)"));
  EXPECT_TRUE(has(bill_of(chat(R"(,"stream":true,"fake":{"free":true})")), R"("cost_nanos":0,)"));
}

TEST_F(FakeProvider, DirectivesReachItThroughTheBodyTheModelAndAHeader) {
  EXPECT_EQ(chat(R"(,"fake":{"status":418})").status, 418);
  EXPECT_EQ(chat("", "gpt-4o-mini~status=419").status, 419);
  EXPECT_EQ(
      ask("GET", "/v1/models", "", "connection: close\r\nx-fake: {\"status\":420}\r\n").status,
      420);
  EXPECT_EQ(chat(R"(,"fake":{"statsu":418})").status, 400);
  EXPECT_EQ(chat().status, 200);
}

TEST_F(FakeProvider, BehavioursCanBeCountedAndLinedUp) {
  behave(R"([{"status":500,"times":2},{"status":503}])");
  EXPECT_EQ(chat().status, 500);
  EXPECT_EQ(chat().status, 500);
  EXPECT_EQ(chat().status, 503);
  EXPECT_EQ(chat().status, 200);
  behave(R"({"status":500})");
  EXPECT_EQ(chat().status, 500);
  behave("{}");
  EXPECT_EQ(chat().status, 200);
  EXPECT_EQ(ask("POST", "/_fake/behave", R"({"statsu":500})").status, 400);
}

TEST_F(FakeProvider, TheSameSeedGivesTheSameAnswers) {
  const auto three = [this] {
    start({});
    behave(R"({"completion_tokens_spread":100})");
    return chat().body + chat().body + chat().body;
  };
  const std::string first = three();
  EXPECT_EQ(three(), first);
}

TEST_F(FakeProvider, AsksForItsKey) {
  ResponderOptions options;
  options.required_key = "sk-right";
  start(options);
  EXPECT_EQ(chat().status, 401);
  EXPECT_EQ(ask("GET", "/v1/models", "", "connection: close\r\nauthorization: Bearer sk-right\r\n")
                .status,
            200);
}

TEST_F(FakeProvider, EmbedsAndListsModels) {
  const Answered floats =
      ask("POST", "/v1/embeddings",
          R"({"model":"text-embedding-3-small","input":["abcd","efgh"],"dimensions":3})");
  EXPECT_EQ(count(floats.body, R"("object":"embedding")"), 2u);
  EXPECT_TRUE(has(floats.body, R"("usage":{"prompt_tokens":4,"total_tokens":4})")) << floats.body;
  const Answered coded =
      ask("POST", "/v1/embeddings",
          R"({"model":"m","input":"abcd","dimensions":2,"encoding_format":"base64"})");
  // Eight bytes are twelve letters of base 64.
  const std::size_t at = coded.body.find(R"("embedding":")");
  ASSERT_NE(at, std::string::npos);
  EXPECT_EQ(coded.body.find('"', at + 13) - (at + 13), 12u);

  EXPECT_TRUE(has(ask("GET", "/v1/models", "").body, R"("id":"gpt-4o-mini")"));
  EXPECT_EQ(ask("GET", "/v1/models/gpt-4o", "").status, 200);
  EXPECT_EQ(ask("GET", "/v1/models/none", "").status, 404);
  EXPECT_EQ(ask("GET", "/v1/nothing", "").status, 404);
}

TEST_F(FakeProvider, RemembersWhatItWasAsked) {
  ask("GET", "/v1/models?x=1", "", "connection: close\r\nAuthorization: Bearer \"k\\\r\n");
  const std::string last = ask("GET", "/_fake/last", "").body;
  EXPECT_TRUE(has(last, R"("target":"/v1/models?x=1")")) << last;
  EXPECT_TRUE(has(last, R"("authorization":"Bearer \"k\\")")) << last;
}

TEST_F(FakeProvider, RefusesWhatIsNoRequest) {
  EXPECT_EQ(ask("POST", "/v1/chat/completions", "{").status, 400);
  EXPECT_EQ(ask("POST", "/v1/chat/completions", R"({"model":"m"})").status, 400);
  EXPECT_EQ(chat(R"(,"max_tokens":0)").status, 400);
  EXPECT_EQ(ask("POST", "/v1/embeddings", R"({"model":"m","input":[]})").status, 400);
  EXPECT_EQ(ask("GET /x", "/", "").status, 400);
}

TEST_F(FakeProvider, SpeaksTheResponsesApi) {
  const auto respond = [this](std::string_view more) {
    return ask("POST", "/v1/responses",
               fmt::format(R"({{"model":"gpt-4o-mini","input":"hello!!!"{}}})", more));
  };
  const Answered plain = respond("");
  EXPECT_EQ(plain.status, 200) << plain.body;
  EXPECT_TRUE(has(plain.body, R"("status":"completed")")) << plain.body;
  EXPECT_TRUE(has(plain.body, R"("input_tokens":5,"input_tokens_details":)")) << plain.body;
  EXPECT_TRUE(has(respond(R"(,"previous_response_id":"resp_fake1")").body, "resp_fake1"));
  EXPECT_EQ(respond(R"(,"previous_response_id":"resp_other")").status, 400);
  EXPECT_EQ(respond(R"(,"max_output_tokens":15)").status, 400);
  EXPECT_EQ(respond(R"(,"messages":[])").status, 400);
  EXPECT_TRUE(has(respond(R"(,"max_output_tokens":16)").body, R"("reason":"max_output_tokens")"));
  EXPECT_TRUE(has(respond(R"(,"background":true)").body, R"("status":"queued")"));

  const Answered stream = respond(R"(,"stream":true,"reasoning":{"effort":"low"})");
  EXPECT_TRUE(stream.whole);
  EXPECT_EQ(stream.content_type, "text/event-stream");
  EXPECT_TRUE(has(stream.body, R"("type":"response.created","sequence_number":0,)"));
  EXPECT_TRUE(has(stream.body, "event: response.reasoning_summary_text.delta"));
  EXPECT_EQ(count(stream.body, "event: response.completed"), 1u);
  behave(R"({"error_after_events":3,"error_code":"server_error"})");
  const Answered failed = respond(R"(,"stream":true)");
  EXPECT_TRUE(has(failed.body, "event: response.failed")) << failed.body;
  EXPECT_FALSE(has(failed.body, "event: response.completed"));
}

TEST_F(FakeProvider, OneConnectionServesManyAndChunkedBodies) {
  const int fd = connect_to_it();
  const std::string body = R"({"model":"m","messages":[{"role":"user","content":"hello"}]})";
  std::string chunked =
      "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
  for (std::size_t at = 0; at < body.size(); at += 25) {
    const std::string data = body.substr(at, 25);
    chunked.append(net::http::ChunkHead(data.size()).text()).append(data).append("\r\n");
  }
  chunked.append(net::http::kLastChunk);
  const std::string bytes = chunked + request("GET", "/v1/models", "", "") +
                            request("GET", "/v1/models", "", "connection: close\r\n");
  // Byte by byte up to the last, so that every state is met.
  for (const char byte : bytes) ASSERT_EQ(send(fd, &byte, 1, MSG_NOSIGNAL), 1);
  std::string received;
  char piece[4096];
  ssize_t got = 0;
  while ((got = recv(fd, piece, sizeof piece, 0)) > 0) {
    received.append(piece, static_cast<std::size_t>(got));
  }
  close(fd);
  EXPECT_EQ(count(received, "HTTP/1.1 200 OK"), 3u) << received;
  EXPECT_EQ(count(received, R"("object":"chat.completion")"), 1u) << received;
}

TEST_F(FakeProvider, FastAnswersAreBilledAlike) {
  ResponderOptions options;
  options.fast = true;
  options.fast_events = 5;
  start(options);
  const Answered plain = chat();
  EXPECT_EQ(plain.body.size(), kFastBodyBytes);
  EXPECT_TRUE(plain.whole);
  const Answered stream = chat(R"(,"stream": true,"stream_options":{"include_usage":true})");
  EXPECT_TRUE(stream.whole);
  EXPECT_EQ(count(stream.body, "\"content\":"), 5u);
  EXPECT_TRUE(has(stream.body, R"("prompt_tokens":20,"completion_tokens":32)"));
  EXPECT_FALSE(has(chat(R"(,"stream":true)").body, "usage"));
  EXPECT_TRUE(has(
      bill(),
      fmt::format(
          R"("requests":3,"running":0,"prompt_tokens":60,"cached_tokens":0,"completion_tokens":96,"cost_nanos":{}}})",
          3 * (20 * 150 + 32 * 600))))
      << bill();
  behave(R"({"status":500})");
  EXPECT_EQ(chat().status, 500) << "a behaviour closes the fast way";
}

TEST_F(FakeProvider, FastStreamsMayBePaced) {
  ResponderOptions options;
  options.fast = true;
  options.fast_events = 4;
  options.fast_interval_us = 200;
  start(options);
  const Answered stream = chat(R"(,"stream":true)");
  EXPECT_TRUE(stream.whole);
  EXPECT_EQ(count(stream.body, "\"content\":"), 4u);
}

TEST(ListenAddress, IsLoopbackOnly) {
  ServerOptions options;
  for (const std::string_view bad : {"0.0.0.0:0", "10.0.0.1:80", "localhost:1", "127.0.0.1", "",
                                     "127.0.0.1:x", "127.0.0.1:70000", "unix:"}) {
    options.listen = bad;
    EXPECT_FALSE(Server::open(options)) << bad;
  }
}

}  // namespace
}  // namespace claviger::fakes

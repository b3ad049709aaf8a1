/// fake-provider: a provider that speaks OpenAI's dialect, misbehaves on demand, and keeps an
/// exact bill. For tests and benchmarks. See README.md.

#include <fmt/format.h>
#include <signal.h>

#include <charconv>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>

#include "server.h"

namespace {

using namespace claviger;
using namespace claviger::fakes;

constexpr std::string_view kUsage =
    R"(fake-provider --listen 127.0.0.1:PORT|unix:PATH [options]

  --port-file FILE          write the port there, once it is listening
  --tls CERT KEY            PEM files
  --key KEY                 answer 401 to any other bearer token
  --input-price USD         per million tokens (0.15)
  --cached-input-price USD  per million tokens (0.075)
  --output-price USD        per million tokens (0.60)
  --price MODEL IN OUT      for one model, per million tokens; may be repeated
  --completion-tokens N     of an answer, where nothing says otherwise (32)
  --seed N                  for the directive completion_tokens_spread (1)
  --fast                    answers rendered once, totals only: for benchmarks
  --fast-events N           events with text in a fast stream (32)
  --fast-interval-us N      between them (0: the whole stream at once)
)";

struct Arguments {
  ServerOptions server;
  std::string port_file;
  std::vector<std::pair<std::string, Prices>> prices;
  std::string problem;  ///< A sentence, where they cannot be understood.
};

/// Takes the arguments one by one, and remembers what was wrong first.
class Reader {
 public:
  Reader(std::span<char*> arguments, std::string& problem) : rest_(arguments), problem_(problem) {}

  bool at_end() const { return rest_.empty() || !problem_.empty(); }
  std::string_view text(std::string_view of) {
    if (rest_.empty()) {
      fail(fmt::format("{} needs a value", of));
      return {};
    }
    const std::string_view taken = rest_.front();
    rest_ = rest_.subspan(1);
    return taken;
  }
  std::int64_t number(std::string_view of) {
    const std::string_view written = text(of);
    std::int64_t value = 0;
    const auto read = std::from_chars(written.data(), written.data() + written.size(), value);
    if (read.ec != std::errc() || read.ptr != written.data() + written.size() || value < 0) {
      fail(fmt::format("{} needs a number, not \"{}\"", of, written));
    }
    return value;
  }
  PicoUsdPerUnit price(std::string_view of) {
    const std::string_view written = text(of);
    const auto read = parse_usd_per_million(written);
    if (!read) fail(fmt::format("{} {}: {}", of, written, explain(read.error())));
    return read.value_or(PicoUsdPerUnit{});
  }
  void fail(std::string what) {
    if (problem_.empty()) problem_ = std::move(what);
  }

 private:
  std::span<char*> rest_;
  std::string& problem_;
};

Arguments read_arguments(std::span<char*> given) {
  Arguments arguments;
  ResponderOptions& responder = arguments.server.responder;
  Reader reader(given, arguments.problem);
  while (!reader.at_end()) {
    const std::string_view name = reader.text("");
    if (name == "--listen") {
      arguments.server.listen = reader.text(name);
    } else if (name == "--port-file") {
      arguments.port_file = reader.text(name);
    } else if (name == "--tls") {
      arguments.server.certificate_file = reader.text(name);
      arguments.server.key_file = reader.text(name);
    } else if (name == "--key") {
      responder.required_key = reader.text(name);
    } else if (name == "--input-price") {
      responder.prices.input = reader.price(name);
    } else if (name == "--cached-input-price") {
      responder.prices.cached_input = reader.price(name);
    } else if (name == "--output-price") {
      responder.prices.output = reader.price(name);
    } else if (name == "--price") {
      const std::string model(reader.text(name));
      const PicoUsdPerUnit input = reader.price(name);
      arguments.prices.emplace_back(model, Prices{input, input, reader.price(name)});
    } else if (name == "--completion-tokens") {
      responder.completion_tokens = reader.number(name);
    } else if (name == "--seed") {
      responder.seed = static_cast<std::uint64_t>(reader.number(name));
    } else if (name == "--fast") {
      responder.fast = true;
    } else if (name == "--fast-events") {
      responder.fast_events = reader.number(name);
    } else if (name == "--fast-interval-us") {
      responder.fast_interval_us = reader.number(name);
    } else {
      reader.fail(fmt::format("there is no option {}", name));
    }
  }
  return arguments;
}

/// Whole or not at all, so that nobody reads half a number.
bool write_port(const std::string& file, std::uint16_t port) {
  const std::string unfinished = file + ".new";
  {
    std::ofstream out(unfinished);
    out << port << '\n';
    if (!out.flush()) return false;
  }
  std::error_code error;
  std::filesystem::rename(unfinished, file, error);
  return !error;
}

Server* running = nullptr;
void stop_running(int) {
  running->stop();
}

}  // namespace

int main(int count, char** values) {
  const Arguments arguments =
      read_arguments(std::span(values, static_cast<std::size_t>(count)).subspan(1));
  if (!arguments.problem.empty()) {
    fmt::print(stderr, "fake-provider: {}\n\n{}", arguments.problem, kUsage);
    return 2;
  }
  auto server = Server::open(arguments.server);
  if (!server) {
    fmt::print(stderr, "fake-provider: {}\n", server.error());
    return 1;
  }
  for (const auto& [model, prices] : arguments.prices) {
    (*server)->bill().set_prices(model, prices);
  }
  running = server->get();
  struct sigaction stop{};
  stop.sa_handler = stop_running;
  sigaction(SIGTERM, &stop, nullptr);
  sigaction(SIGINT, &stop, nullptr);
  signal(SIGPIPE, SIG_IGN);  // TLS writes without MSG_NOSIGNAL.

  if (!arguments.port_file.empty() && !write_port(arguments.port_file, (*server)->port())) {
    fmt::print(stderr, "fake-provider: cannot write {}\n", arguments.port_file);
    return 1;
  }
  (*server)->run();
  return 0;
}

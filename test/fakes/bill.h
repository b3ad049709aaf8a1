#pragma once

/// What the fake provider really charged, kept exactly and by itself: what Claviger says was
/// spent is held against it, to the nano-dollar.
///
/// A request costs `prompt × input price + completion × output price`, summed in 128 bits and
/// rounded up once. While a stream runs, its line grows with every token that is generated, so
/// that a stream which is cancelled or broken off is charged for what was generated until then.

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/money.h"

namespace claviger::fakes {

/// Prices per token.
struct Prices {
  PicoUsdPerUnit input;
  PicoUsdPerUnit cached_input;  ///< For the cached part of the prompt.
  PicoUsdPerUnit output;
};

/// What one request consumed. `cached_tokens` is part of `prompt_tokens`, as in OpenAI's usage.
struct Tokens {
  std::int64_t prompt_tokens = 0;
  std::int64_t cached_tokens = 0;
  std::int64_t completion_tokens = 0;
  friend bool operator==(const Tokens&, const Tokens&) = default;
};

NanoUsd cost_of(const Tokens& tokens, const Prices& prices);

/// Number of a request, counted from 1. Its name in `x-request-id` is `fake-NUMBER`.
using RequestNumber = std::uint64_t;
std::string request_name(RequestNumber number);

/// How far the answer got.
enum class Outcome : std::uint8_t { running, whole, broken_off };

/// Threads: one.
class Bill {
 public:
  /// How many requests are remembered one by one; totals never forget.
  static constexpr std::size_t kRequestsRemembered = 100'000;

  /// `default_prices` for models without prices of their own.
  explicit Bill(Prices default_prices) : default_prices_(default_prices) {}
  void set_prices(std::string model, Prices prices) { prices_[std::move(model)] = prices; }

  /// Counts a request; nothing is charged for it yet.
  /// `client_id` is what the caller calls it (`x-client-request-id`); may be empty.
  RequestNumber open(std::string_view model, std::string_view client_id = {});
  void set_status(RequestNumber number, int status);
  /// What the request has consumed so far; replaces what was said before.
  void charge(RequestNumber number, const Tokens& tokens);
  void close(RequestNumber number, Outcome outcome);

  /// Counts a request that costs the same as all of its kind, without remembering it.
  void add_fixed(const Tokens& tokens, NanoUsd cost);

  /// Forgets everything but the prices, and goes on counting where it was.
  void reset();

  const Tokens& total() const { return total_; }
  NanoUsd cost() const { return cost_; }
  std::uint64_t requests() const { return requests_; }
  const Prices& prices_of(std::string_view model) const;

  /// {"requests":…,"running":…,"prompt_tokens":…,"cached_tokens":…,"completion_tokens":…,
  /// "cost_nanos":…}
  std::string totals_json() const;
  /// The same for each request that is remembered: {"each":[…]}.
  std::string each_json() const { return after_json(0); }
  /// Those whose number is above `number`.
  std::string after_json(RequestNumber number) const;
  /// One request by its name; nothing where it is unknown or forgotten.
  std::optional<std::string> request_json(std::string_view name) const;

 private:
  struct Line {
    RequestNumber number = 0;
    std::string model;
    std::string client_id;
    int status = 0;
    Tokens tokens;
    NanoUsd cost;
    Outcome outcome = Outcome::running;
  };
  Line* find(RequestNumber number);
  static void append_json(const Line& line, std::string& out);

  Prices default_prices_;
  std::map<std::string, Prices, std::less<>> prices_;
  std::deque<Line> lines_;
  RequestNumber last_number_ = 0;
  std::uint64_t requests_ = 0;
  std::uint64_t running_ = 0;
  Tokens total_;
  NanoUsd cost_;
};

}  // namespace claviger::fakes

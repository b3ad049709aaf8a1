#pragma once

/// Which places have just failed again and again, so that a list with several of them begins
/// with one that works. A place is never refused: where it is the only one, it is asked.
///
/// Why two keys: a fault of the provider is the host's and the model's, whoever asks; a bad key
/// or an empty account is one credential's, and must not turn others away from a good host.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/time.h"
#include "route/table.h"

namespace claviger::relay {

/// How an attempt went, as far as its place is concerned.
enum class Fared : std::uint8_t {
  well,            ///< It answered; also where what it said was the request's own fault.
  badly_itself,    ///< The provider, or the way to it, failed.
  badly_with_key,  ///< It turned this credential away: key or account.
  not_its_doing,   ///< Says nothing about the place (our own budget, the caller left).
};

/// `at_fault` of a verdict; empty where the attempt succeeded.
Fared fared(std::string_view at_fault);

/// One per reactor, and used on its thread only.
class PlaceHealth {
 public:
  static constexpr int kFailuresMin = 3;  ///< In a row, before a place is asked last.
  static constexpr Duration kPauseMin = std::chrono::seconds(10);
  static constexpr Duration kPauseMax = std::chrono::minutes(5);
  static constexpr std::size_t kPlacesMax = 4096;

  /// Whether it has failed so often and so lately that others are asked first. Once its pause is
  /// over, it is asked in its turn again; one more failure doubles the pause.
  bool is_ailing(const route::Target& target, Instant now) const;
  void note(const route::Target& target, Fared fared, Instant now);

 private:
  struct State {
    int failures_in_a_row = 0;
    Instant ailing_until{};
  };
  bool is_ailing(const std::string& key, Instant now) const;
  void note(const std::string& key, bool did_well, Instant now);

  std::unordered_map<std::string, State> states_;
};

}  // namespace claviger::relay

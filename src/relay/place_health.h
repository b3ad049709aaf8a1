#pragma once

/// Which places have just failed again and again, so that a list with several of them begins
/// with one that works. A place is never refused: where it is the only one, it is asked.
///
/// Why two keys: a fault of the provider is the host's and the model's, whoever asks; a bad key
/// or an empty account is one credential's, and must not turn others away from a good host.
///
/// Why one for all threads: else each would have to find out for itself that a place is down, and
/// a request of every thread would pay for it.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

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

/// A fixed table of atomics. Threads: any method, from any thread, without locks; two that note
/// the same place at once may count one failure for two, or a success between them for none.
/// What does not fit, or shares the hash of another place, is forgotten: that is harmless, since a
/// place that still fails is back after a few requests.
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
  struct Slot {
    std::atomic<std::uint64_t> key = 0;  ///< 0: never used.
    std::atomic<int> failures_in_a_row = 0;
    std::atomic<Instant::rep> ailing_until = 0;
  };
  static constexpr std::size_t kProbes = 8;

  const Slot* find(std::uint64_t key) const;
  Slot& find_or_take(std::uint64_t key);
  bool is_ailing(std::uint64_t key, Instant now) const;
  void note_failure(std::uint64_t key, Instant now);
  void note_success(std::uint64_t key);

  /// Slots with failures, roughly; 0, as it mostly is: nothing ails, and nothing is looked up.
  std::atomic<int> failing_ = 0;
  std::array<Slot, kPlacesMax> slots_;
};

}  // namespace claviger::relay

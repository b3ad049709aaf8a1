#pragma once

/// Which of several credentials' turn it is, where an owner's list has the same model under more
/// than one: so that the pace of each account is used, and not only what the first one has left.
///
/// One per reactor, on its thread only: callers' connections are spread over the threads, and with
/// them what each credential gets. Nothing is shared, so a turn costs no lock and no cache line.

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "route/table.h"

namespace claviger::relay {

class CredentialTurns {
 public:
  static constexpr std::size_t kListsMax = 4096;  ///< Beyond it, turns of all begin anew.
  static constexpr std::size_t kCredentialsMax = 4096;
  /// What a credential was used for counts half after so long.
  static constexpr Duration kHalfLife = std::chrono::seconds(30);

  /// The order in which `alike` places are asked: numbers from 0, the one whose turn it is first.
  /// `places` are those at the head of the list numbered `list`.
  std::vector<std::size_t> order(route::Rotation rotation, std::size_t list,
                                 const std::vector<CredentialId>& places, Instant now);

  /// A request that is under way with a credential; ends with its scope.
  class Use {
   public:
    Use() = default;
    Use(CredentialTurns& turns, CredentialId credential);
    ~Use();
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;
    /// What it was used for, once that is known.
    void used(std::int64_t tokens, Instant now);

   private:
    CredentialTurns* turns_ = nullptr;
    CredentialId credential_;
  };

 private:
  struct Load {
    std::int64_t under_way = 0;
    double tokens = 0;  ///< As of `at`.
    Instant at{};
  };
  static double lately(const Load& load, Instant now);
  Load& load_of(CredentialId credential);

  std::unordered_map<std::size_t, std::uint32_t> turns_;  ///< By list.
  std::unordered_map<std::int64_t, Load> loads_;          ///< By credential.
};

}  // namespace claviger::relay

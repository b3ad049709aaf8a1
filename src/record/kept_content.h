#pragma once

/// What requests asked, where their owner has it kept: so that a failed one can be sent again
/// elsewhere (`claviger diagnose --replay`). Off unless an owner says otherwise.
///
///   failed  failed requests only, for kept_in_memory_max, in memory, sealed with a key of this
///           process: a restart forgets them, and a dump of the memory shows none
///   stored  all of them, in the database, sealed with a data key that the root key wraps, for
///           as many days as the owner says
///
/// Kept are the path and the body, never a header: no key ever comes here. What is kept of an
/// owner who turns it off is forgotten at once.

#include <chrono>
#include <cstdint>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "record/record.h"
#include "vault/content_box.h"

namespace claviger::record {

enum class Keeping : std::uint8_t { off, failed, stored };
std::string_view to_string(Keeping keeping);
std::optional<Keeping> keeping_named(std::string_view name);

/// What one owner has kept.
struct KeepingTerms {
  Keeping keeping = Keeping::off;
  int days = 0;  ///< Of `stored`: 1 to kept_days_max.
  friend bool operator==(const KeepingTerms&, const KeepingTerms&) = default;
};
inline constexpr int kept_days_max = 365;
inline constexpr int kept_days_usual = 7;

inline constexpr auto kept_in_memory_max = std::chrono::minutes(15);
/// A larger request is not kept.
inline constexpr std::size_t kept_request_bytes_max = std::size_t{1} << 20;
/// Of all failed requests in memory together; beyond it the oldest go.
inline constexpr std::size_t kept_memory_bytes_max = std::size_t{64} << 20;
/// Sealed and waiting for the store; beyond it new ones are not kept, and counted.
inline constexpr std::size_t kept_waiting_bytes_max = std::size_t{32} << 20;

struct Content {
  RequestId request;
  OwnerId owner;
  std::string path;  ///< Of the caller's surface, without its query: that may hold a key.
  std::string body;
};

/// The same, as it is kept: nothing is copied of what is not.
struct ContentView {
  RequestId request;
  OwnerId owner;
  std::string_view path;
  std::string_view body;
};

struct SealedContent {
  RequestId request;
  OwnerId owner;
  WallTime kept_at;
  WallTime expires_at;
  std::string sealed;
};

/// Where `stored` contents are. Threads: the control thread only.
class ContentStore {
 public:
  virtual ~ContentStore() = default;
  /// All or none; what is there already is replaced. Errors: unavailable.
  virtual Result<void> append(const std::vector<SealedContent>& contents) = 0;
  /// Nothing where it was not kept. Errors: unavailable.
  virtual Result<std::optional<SealedContent>> find(RequestId request) = 0;
  /// Deletes what has expired at `now`. Errors: unavailable.
  virtual Result<void> remove_expired(WallTime now) = 0;
  /// Nothing of this owner is kept for longer than `days` from when it was kept on; 0 deletes
  /// all of it. Errors: unavailable.
  virtual Result<void> shorten(OwnerId owner, int days) = 0;
};

/// Whether a request failed.
enum class Ending : std::uint8_t { good, failed };

/// Threads: keep() and contents_lost() from any thread; the others on the control thread.
class ContentKeeper {
 public:
  /// `store` outlives this. `box` holds the data key of what is stored.
  ContentKeeper(const Clock& clock, ContentStore& store, vault::ContentBox box);

  /// Keeps what its owner's terms say and forgets the rest. Seals on the caller's thread; locks
  /// for as long as a pointer takes to be put in place.
  void keep(const ContentView& content, Ending ending);

  /// Of all owners; those that are not named keep nothing. What is kept of an owner whose terms
  /// became narrower goes at once. Errors: unavailable, where the store did not delete; then the
  /// terms are in force all the same, and the next call tries again.
  Result<void> set_terms(std::unordered_map<OwnerId, KeepingTerms> terms);
  /// Nothing where it was not kept, or not any more. Errors: unavailable.
  Result<std::optional<Content>> find(RequestId request);
  /// Writes what waits and deletes what has expired. About once a second. Errors: unavailable,
  /// and then it stays.
  Result<void> tick();
  /// Too large, or more at once than the bounds take.
  std::int64_t contents_lost() const;

 private:
  struct InMemory {
    RequestId request;
    OwnerId owner;
    Instant expires_at;
    std::string sealed;
  };
  void keep_in_memory(const ContentView& content);
  void keep_stored(const ContentView& content, int days);
  // Under the lock:
  bool is_kept(OwnerId owner, Keeping keeping) const;
  void forget_in_memory(OwnerId owner);

  const Clock& clock_;
  ContentStore& store_;
  const vault::ContentBox stored_box_;
  const vault::ContentBox memory_box_ = vault::ContentBox::of_this_process();
  mutable std::mutex mutex_;
  std::unordered_map<OwnerId, KeepingTerms> terms_;
  std::list<InMemory> in_memory_;  ///< The oldest first.
  std::size_t memory_bytes_ = 0;
  std::vector<SealedContent> waiting_;
  std::size_t waiting_bytes_ = 0;
  std::int64_t lost_ = 0;
  /// The control thread's: terms that the store has been told.
  std::unordered_map<OwnerId, int> days_in_store_;
};

}  // namespace claviger::record

#pragma once

/// One immutable record per request: who asked what, what it cost, how long each stage took,
/// and how it ended. Written off the request's way.

#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/money.h"
#include "base/time.h"
#include "exchange/usage.h"
#include "record/judgement.h"

namespace claviger::record {

/// Durations in microseconds since the request's first byte; -1 where a stage was not reached.
struct Times {
  std::int64_t admitted_us = -1;    ///< Authenticated, parsed, routed and held.
  std::int64_t connected_us = -1;   ///< A provider connection was there.
  std::int64_t sent_us = -1;        ///< The request was handed to it.
  std::int64_t first_byte_us = -1;  ///< The provider's answer began.
  std::int64_t total_us = -1;       ///< The last byte was handed to the caller.
  std::int64_t overhead_us = -1;    ///< What Claviger itself took of the time before sending.
};

/// The error code of a request for which the provider billed more than the bound that it was
/// given. Everything is recorded, and the budgets are the poorer for it.
inline constexpr std::string_view kProviderOverran = "provider_overran";

/// How the money side stands.
enum class CostState : std::uint8_t { none, billed, estimated, quarantined };

struct Record {
  RequestId id;
  WallTime started_at;
  OwnerId owner;
  AppId app;
  VirtualKeyId key;
  CredentialId credential;
  std::string end_user;
  std::string operation;    ///< "chat", "embeddings", …
  std::string model_asked;  ///< As the caller wrote it; cut at 256 bytes.
  std::string model;        ///< `provider/model` as routed; empty where it never was.
  std::string provider_request_id;
  bool streamed = false;
  bool clamped = false;  ///< A budget lowered the bound on its output.
  /// Nothing bounded what it may cost, and the credential's owner lets such requests through.
  bool unbounded = false;
  bool caller_left = false;  ///< Before the answer was whole.
  std::uint32_t attempts = 0;
  int status = 0;             ///< What the caller was answered.
  int provider_status = 0;    ///< What the provider answered; 0 where it did not.
  std::string error_code;     ///< Ours, or the verdict's cause; empty where nothing failed.
  std::string at_fault;       ///< The verdict's party; empty where nothing failed.
  Judgement judgement;        ///< What that rests on.
  std::string finish_reason;  ///< The provider's.
  /// What was wrong with an answer that was none the less given: names with commas between, as
  /// fault/soft_failures.h has them; empty for nothing.
  std::string soft_failures;
  exchange::Usage usage;
  NanoUsd held;
  NanoUsd cost;
  CostState cost_state = CostState::none;
  Times times;
  std::int64_t request_bytes = 0;
  std::int64_t answer_bytes = 0;
};

enum class Grouping : std::uint8_t { model, app, owner, credential, user, day };

struct UsageRow {
  std::string group;
  std::int64_t requests = 0;
  std::int64_t failed = 0;
  std::int64_t input_tokens = 0;
  std::int64_t output_tokens = 0;
  NanoUsd cost;
  std::int64_t cached_input_tokens = 0;  ///< Of input_tokens.
  std::int64_t cache_write_tokens = 0;   ///< Of input_tokens, for any time.
  std::int64_t reasoning_tokens = 0;     ///< Of output_tokens.
  std::int64_t audio_tokens = 0;         ///< Of both.
  std::int64_t image_tokens = 0;         ///< Of both.
  std::int64_t searches = 0;             ///< Of the web, of files and in maps.
  std::int64_t unbounded_requests = 0;   ///< Of requests.
  NanoUsd unbounded_cost;                ///< Of cost.
};

/// Status 400 or above, or an error code or party at fault where the status had already been
/// sent (a stream that broke).
bool has_failed(const Record& record);

struct Query {
  bool failed_only = false;
  std::optional<WallTime> since;
  std::optional<OwnerId> owner;
  std::optional<VirtualKeyId> key;
  int limit = 50;  ///< Of list(); 1 to `records_listed_max`.
};
/// Whether `record` is among what `query` asks for, its limit aside.
bool matches(const Query& query, const Record& record);
inline constexpr int records_listed_max = 1000;
/// Of usage(): the groups that cost most, or the latest days.
inline constexpr int usage_groups_max = 1000;

enum class RecordError : std::uint8_t { unavailable, not_found };
template <typename T>
using Result = std::expected<T, RecordError>;

/// Where records are kept. Threads: one object is used by one thread at a time; the writer
/// and the control thread each have their own.
class RecordStore {
 public:
  virtual ~RecordStore() = default;
  /// All or none. Errors: unavailable, and then they may have been taken all the same: the
  /// next call, like the first call of an object, leaves those that are there already as they
  /// are, so that repeating a call whose outcome is unknown is harmless.
  virtual Result<void> append(const std::vector<Record>& records) = 0;
  /// Errors: not_found, unavailable.
  virtual Result<Record> find(RequestId id) = 0;
  /// The latest first. Errors: unavailable.
  virtual Result<std::vector<Record>> list(const Query& query) = 0;
  /// Sums per group over all records that match (`limit` does not apply): dearest first, days
  /// latest first. Owners, apps and credentials by their name, also when they are removed
  /// since; "" where a request never got that far; days are UTC, `2026-01-31`.
  /// `input_tokens` includes cached ones and cache writes. Errors: unavailable.
  virtual Result<std::vector<UsageRow>> usage(Grouping by, const Query& query) = 0;
};

/// A record with its place in a queue: what Recorder gives out blank and takes back filled in.
struct Sheet {
  Record record;
  Sheet* below = nullptr;  ///< The queue's.
};

/// Takes records from connection threads and writes them in batches on a thread of its own.
///
/// Bounded: where the store cannot keep up or fails (a full disk), records wait in memory up
/// to `queue_records_max` and are tried again with growing pauses; beyond the bound, new ones
/// are counted as lost and requests go on: money is safe in the ledger's journal either way.
///
/// Threads: blank() and submit() from any thread, without blocking, locks or system calls; the
/// others from any thread. The store is used by the recorder's own thread alone.
class Recorder {
 public:
  struct Options {
    /// Records waiting, those that are being written included. About 1 KB each.
    std::size_t queue_records_max = 65'536;
    /// Records in one transaction, so that no other writer waits long.
    std::size_t batch_records_max = 1'000;
    std::chrono::milliseconds flush_every{100};
    /// The pause after a failure; it doubles with each further one, up to the maximum.
    std::chrono::milliseconds retry_after{200};
    std::chrono::milliseconds retry_after_max{10'000};
  };
  /// `store` outlives this.
  Recorder(RecordStore& store, Options options);
  /// Writes what is queued, then stops. Where the store fails, it is tried once and what is
  /// left is counted as lost: shutting down must not hang on a full disk.
  ~Recorder();
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  /// To be filled in and submitted, or dropped. Texts keep the memory of an earlier use.
  std::unique_ptr<Sheet> blank();
  void submit(std::unique_ptr<Sheet> sheet);
  /// For what is rare: a record that was put together elsewhere.
  void submit(Record record);
  /// Returns once everything submitted before the call is in the store or counted as lost, or
  /// once the store has failed to take it: then `unavailable`, and it stays queued.
  /// Does not wait for a pause after a failure, but tries at once.
  Result<void> flush();
  std::int64_t records_lost() const;
  std::int64_t records_written() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace claviger::record

#pragma once

/// What the relay needs from a provider dialect: to write a request for the provider, and to
/// read usage and endings from its answer. Pure: bytes in, bytes out, no sockets.

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/money.h"
#include "exchange/answer.h"
#include "exchange/conversation.h"
#include "exchange/request.h"
#include "exchange/usage.h"

namespace claviger::provider {

/// How a provider takes a ceiling on the rates of whoever serves a request.
enum class PriceCapForm : std::uint8_t {
  none,
  openrouter,  ///< `provider.max_price`, dollars per million tokens.
};

/// A provider as data: data/providers.toml has one table each, with its source.
struct Profile {
  std::string id;     ///< `openai`, `openai-compatible`, `local`, …
  std::string title;  ///< For people.
  exchange::DialectId dialect = exchange::DialectId::openai;
  std::string base_url;         ///< Empty: the credential must bring one.
  std::string auth_header;      ///< `authorization`, `x-api-key`, `api-key`
  std::string auth_prefix;      ///< `Bearer `
  std::string chat_path;        ///< Appended to the base URL: `/chat/completions`.
  std::string embeddings_path;  ///< Empty: it has none.
  /// Where it speaks OpenAI's Responses API beside its own dialect; empty: it does not.
  std::string responses_path;
  std::string models_path;  ///< Empty: it lists none, and a key cannot be tested for free.
  /// Which name bounds the output there: `max_completion_tokens` or `max_tokens`.
  std::string output_max_field;
  /// The other of the two names binds there as well. Where it does not, a caller who wrote
  /// only that one has not bounded anything, and output_max_field is added beside it.
  bool both_output_max_fields_bind = false;
  bool takes_stream_usage = true;       ///< `stream_options.include_usage` is understood.
  bool unknown_fields_may_cost = true;  ///< A hosted provider may charge for what we do not know.
  bool key_required = true;
  /// Usage::stated_cost is what this provider charges. Elsewhere it is hearsay, and the catalog
  /// decides: a compatible endpoint can write anything there.
  bool states_cost = false;
  /// A stream that is cancelled is billed for no more than was streamed until then, and nothing
  /// is generated unseen. Empty: nobody says so. Else where it is said.
  std::string cancel_stops_billing_source;
  bool cancel_stops_billing = false;
  PriceCapForm price_cap = PriceCapForm::none;
  std::string request_id_header;  ///< `x-request-id`
  /// The header in which it takes an id of ours and keeps it with its own; empty: none is sent.
  std::string client_request_id_header;
  std::string count_tokens_path;  ///< Empty: it does not count for others.
  /// Sent with every request: `anthropic-version` and the like.
  std::vector<std::pair<std::string, std::string>> extra_headers;
  /// Headers that callers of the same dialect may set, in place of extra_headers. Each value (of
  /// a list parted by commas) must be allowed; `*` allows all. Such a header may change what a
  /// request costs, so that what is not allowed counts as unbounded.
  std::vector<std::pair<std::string, std::vector<std::string>>> forwarded_headers;
  /// What this server has words for beyond its dialect (exchange::features_named).
  exchange::FeatureSet also_takes;
  std::string source;  ///< URL of the documentation, with its date.
};

/// All profiles of this build; immutable.
class Profiles {
 public:
  static std::shared_ptr<const Profiles> embedded();
  /// From the text of data/providers.toml; throws std::runtime_error naming what is wrong.
  static std::shared_ptr<const Profiles> parse(std::string_view toml);
  const Profile* find(std::string_view id) const;
  const std::vector<Profile>& all() const { return profiles_; }

 private:
  std::vector<Profile> profiles_;
};

/// The dearest rates at which a request may be served, where an aggregator chooses by whom.
struct PriceCap {
  PicoUsdPerUnit input;
  PicoUsdPerUnit output;
};

/// What we change in a request on its way out.
struct Edits {
  std::string_view model;                         ///< As the provider calls it.
  std::optional<std::int64_t> output_tokens_max;  ///< The bound, written in so that it is true.
  /// Written in where the profile has a form for it; else without effect.
  std::optional<PriceCap> price_cap;
};

/// The outcome of reading usage: absent, sound, or impossible (negative, more than 2^53).
enum class UsageState : std::uint8_t { absent, sound, impossible };

/// Whether a body that could not be read as JSON does not even end like an object. A tree's bounds
/// are narrower than what providers may send, so that failing to read one proves nothing.
inline bool is_cut_off(std::string_view body) {
  const std::size_t last = body.find_last_not_of(" \n\r\t");
  return last == std::string_view::npos || body[last] != '}';
}

struct AnswerReading {
  exchange::AnswerFacts facts;
  UsageState usage_state = UsageState::absent;
  exchange::Usage usage;
};

/// The provider's half of a translation: from nobody's dialect into its requests, and from its
/// answers back. Stateless. Threads: any method, from any thread, concurrently.
class ProviderTranslation {
 public:
  virtual ~ProviderTranslation() = default;

  /// What this dialect, as this provider speaks it, has words for. exchange::fit() is asked
  /// before money is held, so that a request that cannot be said costs nothing.
  virtual exchange::FeatureSet expresses(const Profile& profile) const = 0;
  /// Appends the body for the provider to `out`. Writes nothing for a feature that it does not
  /// express: that was refused before, or dropped as the caller allowed. Errors: what only its
  /// value forbids, by field.
  virtual std::expected<void, exchange::Untranslatable> write_conversation(
      const Profile& profile, const exchange::Conversation& conversation,
      exchange::Delivery delivery, const Edits& edits, std::string& out) const = 0;
  /// Reads a whole answer. Nothing where it is no answer of this dialect. Its views point into
  /// `body`.
  virtual std::optional<exchange::Answer> read_whole(std::string_view body) const = 0;
  virtual std::unique_ptr<exchange::EventReader> event_reader() const = 0;
};

class Adapter {
 public:
  virtual ~Adapter() = default;
  virtual exchange::DialectId dialect() const = 0;
  /// Null: this provider only takes requests that its callers wrote in its own dialect.
  virtual const ProviderTranslation* translation() const { return nullptr; }

  /// The path and query behind the base URL, e.g. `/chat/completions`, for the model as the
  /// provider calls it. Empty where the provider does not offer the operation.
  virtual std::string path(const Profile& profile, const exchange::Request& request,
                           std::string_view model) const = 0;

  /// Appends the body for the provider to `out`: the caller's bytes with the model's name, the
  /// output bound (every present spelling gets it; where none is present that binds at this
  /// provider, the profile's is added), and for streams the wish for usage. Same dialect only;
  /// translation() writes the others. `request` must come from a Dialect's read(): its places
  /// are trusted.
  virtual void write_body(const Profile& profile, const exchange::Request& request,
                          const Edits& edits, std::string& out) const = 0;

  /// Reads a whole answer body. Never fails: what cannot be read is absent.
  virtual AnswerReading read_answer(exchange::Operation operation, std::string_view body) const = 0;
  /// Reads the data of one SSE event. Cheap where the event carries only content: it is
  /// searched, not parsed, unless it mentions usage, an error or an ending.
  /// `before` is what earlier events said was used: a dialect that tells it in pieces lays the
  /// event's counts over it.
  virtual AnswerReading read_event(std::string_view data, const exchange::Usage& before) const = 0;
  /// Whether the data of an event only announces an answer: ids, a role, an empty block. What
  /// fails behind it has said nothing yet. False where that cannot be told.
  virtual bool is_beginning(std::string_view data) const = 0;
};

/// The adapter of a dialect; stateless, lives for ever. Null where this build has none.
const Adapter* adapter_for(exchange::DialectId dialect);

/// The adapter by which a provider is asked: of the caller's dialect where the provider speaks that
/// beside its own, else of its own.
const Adapter* adapter_for(const Profile& profile, exchange::DialectId caller);

}  // namespace claviger::provider

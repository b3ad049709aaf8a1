#pragma once

/// What the relay needs from a caller dialect: to read a request, and to write what only
/// Claviger says (errors, model lists, cost). Pure: bytes in, bytes out, no sockets.

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/money.h"
#include "exchange/answer.h"
#include "exchange/conversation.h"
#include "exchange/request.h"
#include "exchange/usage.h"

namespace claviger::api {

/// Whether trying again can help. SDKs are told by `x-should-retry`.
enum class Retry : std::uint8_t { no, yes, after };

/// An error that Claviger gives of itself, or adds to a provider's. See contract.md, "Errors".
struct ErrorAnswer {
  int status = 500;
  std::string code;      ///< Stable snake_case: `budget_exhausted`, `unknown_model`, …
  std::string type;      ///< The dialect's own class; empty lets the dialect choose by status.
  std::string message;   ///< Says what happened, to what, and what to do.
  std::string param;     ///< The field at fault; empty where none.
  std::string at_fault;  ///< app, key, account, model, provider, network, policy, budget, gateway.
  double confidence = 1.0;
  std::string say;  ///< One sentence for the person in front of the application.
  std::string remedy;
  Retry retry = Retry::no;
  int retry_after_s = 0;  ///< For Retry::after.
  std::vector<std::string> evidence;
  /// Who may be at fault, most likely first; empty where there is no doubt. For the record: a
  /// body names the first, and where the evidence does not decide, its evidence names the others.
  struct Suspect {
    std::string at_fault;
    std::string cause;
    double confidence = 0;
  };
  std::vector<Suspect> suspects;
  RequestId request;
};

struct ListedModel {
  std::string id;        ///< `provider/model`
  std::string owned_by;  ///< The provider.
  std::int64_t created_s = 0;
};

/// The caller's half of a translation: from its request into nobody's dialect, and from there
/// into its answers. Stateless. Threads: any method, from any thread, concurrently.
class CallerTranslation {
 public:
  virtual ~CallerTranslation() = default;

  /// Reads the bytes of a request again, into messages. `request` comes from the dialect's own
  /// read(); the result's views point into its body. Errors: what is well-formed and still says
  /// nothing (a part of unknown shape, tool arguments that are no JSON), by field.
  virtual std::expected<exchange::Conversation, exchange::BadRequest> read_conversation(
      const exchange::Request& request) const = 0;
  /// A whole answer, with `usage.cost` where the bill has one.
  virtual std::string answer_body(const exchange::Answer& answer,
                                  const exchange::Bill& bill) const = 0;
  /// The writer of one stream. `request` says what it shall hold (usage or not); it is not kept.
  virtual std::unique_ptr<exchange::EventWriter> event_writer(
      const exchange::Request& request) const = 0;
};

/// A text of a request's input, as a tokenizer gets it.
struct InputText {
  enum class Place : std::uint8_t {
    alone,  ///< Between marks of its own: its tokens are those of the text by itself.
    among,  ///< Perhaps put together with other text.
  };
  std::string text;
  std::int64_t json_bytes = 0;  ///< What stands for it in the body, without its quotes.
  Place place = Place::among;
};

class Dialect {
 public:
  virtual ~Dialect() = default;
  virtual exchange::DialectId id() const = 0;
  /// Null: requests of this dialect only go to providers that speak it.
  virtual const CallerTranslation* translation() const { return nullptr; }

  /// Reads a body of `operation`. Reads at most what it must; strict about what it reads.
  /// `body` must have 64 readable bytes behind its end (simdjson's padding).
  virtual std::expected<exchange::Request, exchange::BadRequest> read(
      exchange::Operation operation, std::string_view body) const = 0;
  /// The texts of what read() read, for counting them exactly; those that it leaves out are
  /// bounded by their bytes. Called only where that bound does not fit, for it reads all again.
  virtual std::vector<InputText> input_texts(const exchange::Request&) const { return {}; }

  virtual std::string error_body(const ErrorAnswer& error) const = 0;
  /// The provider's own error body as it was, with the verdict added beside it as
  /// `error.claviger`; where the body is not JSON of the dialect, as error_body() with the
  /// provider's words (bounded to 2 KiB) as message.
  virtual std::string annotated_error_body(std::string_view provider_body,
                                           const ErrorAnswer& error) const = 0;
  /// A whole SSE event (with its blank line) that ends a stream honestly.
  virtual std::string error_event(const ErrorAnswer& error) const = 0;

  virtual std::string models_body(const std::vector<ListedModel>& models) const = 0;
  virtual std::string model_body(const ListedModel& model) const = 0;

  /// A whole answer, with `usage.cost` in US dollars added to the usage object that stands at
  /// `usage` (exchange::AnswerFacts), and nothing else touched. Returns `body` unchanged where
  /// there is none.
  virtual std::string with_cost(std::string_view body, exchange::Span usage,
                                NanoUsd cost) const = 0;
  /// The same for the event of a stream that carries usage: the whole SSE event.
  virtual std::string event_with_cost(std::string_view event, NanoUsd cost) const = 0;
};

/// The dialect of that name; stateless, lives for ever. Null where this build has none.
const Dialect* dialect_for(exchange::DialectId id);

}  // namespace claviger::api

#pragma once

/// Reading the body of a control request: one flat JSON object of texts, whole numbers, truth
/// values and lists of these. Strict, because a misspelt limit is no limit: an unknown field,
/// a field twice, a wrong type or a missing one is a 400 that names it.
///
/// A body may hold a provider's key, so everything that was copied out of it is wiped.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/money.h"
#include "base/secret.h"
#include "console/problem.h"

namespace claviger::console {

inline constexpr std::size_t kBodyBytesMax = std::size_t{1} << 20;
/// More fields than any request has, and few enough to compare each with each.
inline constexpr std::size_t kFieldsMax = 64;
inline constexpr std::size_t kListItemsMax = 1024;

/// Every reader notes the first problem and then returns something harmless; finish() says
/// what it was. So a handler reads all its fields first and asks once.
class Fields {
 public:
  /// An empty body counts as `{}`.
  explicit Fields(std::string_view body);
  ~Fields();
  Fields(const Fields&) = delete;
  Fields& operator=(const Fields&) = delete;

  std::string text(std::string_view name);
  /// Empty where it is absent or null.
  std::string text_if_any(std::string_view name);
  Secret secret(std::string_view name);
  /// Empty where it is absent or null.
  Secret secret_if_any(std::string_view name);
  std::optional<std::int64_t> number_if_any(std::string_view name, std::int64_t least,
                                            std::int64_t most);
  bool truth_if_any(std::string_view name);
  std::vector<std::string> texts_if_any(std::string_view name);
  std::optional<std::vector<std::int64_t>> numbers_if_any(std::string_view name);
  /// Dollars as text, e.g. "5.00".
  NanoUsd usd(std::string_view name);
  PicoUsdPerUnit rate(std::string_view name);
  std::optional<PicoUsdPerUnit> rate_if_any(std::string_view name);
  /// Whether the field is there at all, null included.
  bool has(std::string_view name) const { return find(name) != nullptr; }

  /// The first problem: of the body, of a field, or a field that nobody asked for.
  Outcome<void> finish();

 private:
  enum class Kind : std::uint8_t { null, truth, number, fraction, text, list, nested };
  struct Value {
    Kind kind = Kind::null;
    std::string text;  ///< Of texts.
    std::int64_t number = 0;
    bool truth = false;
    std::vector<Value> items;
  };
  struct Field {
    std::string name;
    Value value;
    bool was_read = false;
  };
  friend class FieldsParser;

  const Field* find(std::string_view name) const;
  /// Null where it is absent or null; notes a problem where it is neither of `kind`.
  const Value* read(std::string_view name, Kind kind, std::string_view expected);
  void missing(std::string_view name);
  void note(Problem problem);
  static void wipe_text(std::string& text);

  std::vector<Field> fields_;
  std::optional<Problem> problem_;
};

}  // namespace claviger::console

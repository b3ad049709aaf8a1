#include "console/fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>

#include "exchange/json_writer.h"

namespace claviger::console {

namespace json = boost::json;

/// Boost.JSON's parser without its tree: the tree keeps the last of two equal keys silently.
class FieldsParser {
 public:
  explicit FieldsParser(Fields& fields) : parser_(options(), fields) {}

  void read(std::string_view body) {
    json::error_code error;
    const std::size_t used = parser_.write_some(false, body.data(), body.size(), error);
    if (!error && used < body.size()) error = json::error::extra_data;
    Fields& fields = parser_.handler().fields;
    if (fields.problem_) return;
    if (error) {
      fields.note({.status = 400,
                   .code = "malformed_json",
                   .message = fmt::format("the body is no JSON: {}", error.message()),
                   .remedy = "send one JSON object"});
    } else if (!parser_.handler().is_object) {
      fields.note({.status = 400,
                   .code = "malformed_json",
                   .message = "the body is JSON, but no object",
                   .remedy = "send one JSON object, like {\"name\": \"alice\"}"});
    }
  }

 private:
  static json::parse_options options() {
    json::parse_options options;
    options.max_depth = 8;
    return options;
  }

  struct Handler {
    // Boost.JSON asks for these; the body is bounded before it comes here.
    static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);

    explicit Handler(Fields& target) : fields(target) {}
    Handler(const Handler&) = delete;
    Handler& operator=(const Handler&) = delete;
    ~Handler() { Fields::wipe_text(part); }

    bool on_document_begin(json::error_code&) { return true; }
    bool on_document_end(json::error_code&) { return true; }

    bool on_object_begin(json::error_code&) {
      if (depth == 0) {
        is_object = true;
      } else if (depth == 1 && is_object) {
        fields.fields_.back().value.kind = Fields::Kind::nested;
      } else if (in_list()) {
        add({.kind = Fields::Kind::nested});
      }
      ++depth;
      return true;
    }
    bool on_object_end(std::size_t, json::error_code&) {
      --depth;
      return true;
    }
    bool on_array_begin(json::error_code&) {
      if (depth == 1 && is_object) {
        fields.fields_.back().value.kind = Fields::Kind::list;
      } else if (in_list()) {
        add({.kind = Fields::Kind::nested});
      }
      ++depth;
      return true;
    }
    bool on_array_end(std::size_t, json::error_code&) {
      --depth;
      return true;
    }
    bool on_key_part(json::string_view text, std::size_t, json::error_code&) {
      part.append(text.data(), text.size());
      return true;
    }
    bool on_key(json::string_view text, std::size_t, json::error_code& error) {
      part.append(text.data(), text.size());
      std::string key = std::exchange(part, {});
      if (depth != 1) return true;  // A nested object is refused as a whole.
      if (fields.find(key) != nullptr) {
        return stop(error, "repeated_key",
                    fmt::format("the field \"{}\" is there twice", shown(key)), "send it once");
      }
      if (fields.fields_.size() == kFieldsMax) {
        return stop(error, "too_many_fields", "the body has too many fields",
                    "send only those that docs/reference/openapi.yaml names");
      }
      fields.fields_.push_back({.name = std::move(key), .value = {}});
      return true;
    }
    bool on_string_part(json::string_view text, std::size_t, json::error_code&) {
      // Grown at once to the most that can come, so that no copy of a key is left behind.
      part.reserve(kBodyBytesMax);
      part.append(text.data(), text.size());
      return true;
    }
    bool on_string(json::string_view text, std::size_t, json::error_code& error) {
      Fields::Value value{.kind = Fields::Kind::text};
      value.text.reserve(part.size() + text.size());
      value.text.append(part).append(text.data(), text.size());
      Fields::wipe_text(part);
      return take(std::move(value), error);
    }
    bool on_number_part(json::string_view, json::error_code&) { return true; }
    bool on_int64(std::int64_t number, json::string_view, json::error_code& error) {
      return take({.kind = Fields::Kind::number, .number = number}, error);
    }
    bool on_uint64(std::uint64_t, json::string_view, json::error_code& error) {
      return take({.kind = Fields::Kind::fraction}, error);  // Beyond 63 bits: no number of ours.
    }
    bool on_double(double, json::string_view, json::error_code& error) {
      return take({.kind = Fields::Kind::fraction}, error);
    }
    bool on_bool(bool truth, json::error_code& error) {
      return take({.kind = Fields::Kind::truth, .truth = truth}, error);
    }
    bool on_null(json::error_code& error) { return take({.kind = Fields::Kind::null}, error); }
    bool on_comment_part(json::string_view, json::error_code&) { return true; }
    bool on_comment(json::string_view, json::error_code&) { return true; }

    bool in_list() const {
      return depth == 2 && is_object && fields.fields_.back().value.kind == Fields::Kind::list;
    }
    void add(Fields::Value value) { fields.fields_.back().value.items.push_back(std::move(value)); }
    bool take(Fields::Value value, json::error_code& error) {
      if (depth == 1 && is_object) {
        fields.fields_.back().value = std::move(value);
      } else if (in_list()) {
        if (fields.fields_.back().value.items.size() == kListItemsMax) {
          return stop(error, "too_many_items",
                      fmt::format("the list \"{}\" is too long", shown(fields.fields_.back().name)),
                      fmt::format("send at most {} items", kListItemsMax));
        }
        add(std::move(value));
      }
      return true;
    }
    bool stop(json::error_code& error, std::string code, std::string message, std::string remedy) {
      fields.note({.status = 400,
                   .code = std::move(code),
                   .message = std::move(message),
                   .remedy = std::move(remedy)});
      error = json::error::extra_data;  // Any will do: the note is what is said.
      return false;
    }
    static std::string_view shown(std::string_view key) { return exchange::clipped(key, 64); }

    Fields& fields;
    std::string part;
    int depth = 0;
    bool is_object = false;
  };

  json::basic_parser<Handler> parser_;
};

Fields::Fields(std::string_view body) {
  const bool is_blank = body.find_first_not_of(" \t\r\n") == std::string_view::npos;
  if (!is_blank) FieldsParser(*this).read(body);
}

Fields::~Fields() {
  for (Field& field : fields_) {
    wipe_text(field.value.text);
    for (Value& item : field.value.items) wipe_text(item.text);
  }
}

void Fields::wipe_text(std::string& text) {
  wipe(text.data(), text.size());
  text.clear();
}

void Fields::note(Problem problem) {
  if (!problem_) problem_ = std::move(problem);
}

const Fields::Field* Fields::find(std::string_view name) const {
  const auto found = std::ranges::find(fields_, name, &Field::name);
  return found == fields_.end() ? nullptr : &*found;
}

const Fields::Value* Fields::read(std::string_view name, Kind kind, std::string_view expected) {
  const auto found = std::ranges::find(fields_, name, &Field::name);
  if (found == fields_.end()) return nullptr;
  found->was_read = true;
  if (found->value.kind == Kind::null) return nullptr;
  if (found->value.kind == kind) return &found->value;
  note({.status = 400,
        .code = "wrong_type",
        .message = fmt::format("the field \"{}\" is not {}", name, expected),
        .remedy = fmt::format("send {}", expected)});
  return nullptr;
}

void Fields::missing(std::string_view name) {
  note({.status = 400,
        .code = "missing_field",
        .message = fmt::format("the field \"{}\" is missing", name),
        .remedy = "send it; docs/reference/openapi.yaml says what it takes"});
}

std::string Fields::text_if_any(std::string_view name) {
  const Value* const value = read(name, Kind::text, "a text");
  return value == nullptr ? std::string() : value->text;
}

std::string Fields::text(std::string_view name) {
  std::string value = text_if_any(name);
  if (value.empty()) missing(name);
  return value;
}

Secret Fields::secret_if_any(std::string_view name) {
  const Value* const value = read(name, Kind::text, "a text");
  return value == nullptr ? Secret() : Secret::copy_of(value->text);
}

Secret Fields::secret(std::string_view name) {
  Secret value = secret_if_any(name);
  if (value.empty()) missing(name);
  return value;
}

std::optional<std::int64_t> Fields::number_if_any(std::string_view name, std::int64_t least,
                                                  std::int64_t most) {
  const Value* const value = read(name, Kind::number, "a whole number");
  if (value == nullptr) return std::nullopt;
  if (value->number < least || value->number > most) {
    note(bad_value(name, fmt::format("{} is out of range", value->number),
                   fmt::format("send a number from {} to {}", least, most))
             .error());
    return std::nullopt;
  }
  return value->number;
}

bool Fields::truth_if_any(std::string_view name) {
  const Value* const value = read(name, Kind::truth, "true or false");
  return value != nullptr && value->truth;
}

std::vector<std::string> Fields::texts_if_any(std::string_view name) {
  std::vector<std::string> texts;
  const Value* const value = read(name, Kind::list, "a list of texts");
  if (value == nullptr) return texts;
  for (const Value& item : value->items) {
    if (item.kind != Kind::text) {
      note(bad_value(name, "an item of the list is no text", "send a list of texts").error());
      return {};
    }
    texts.push_back(item.text);
  }
  return texts;
}

std::optional<std::vector<std::int64_t>> Fields::numbers_if_any(std::string_view name) {
  const Value* const value = read(name, Kind::list, "a list of whole numbers");
  if (value == nullptr) return std::nullopt;
  std::vector<std::int64_t> numbers;
  for (const Value& item : value->items) {
    if (item.kind != Kind::number) {
      note(bad_value(name, "an item of the list is no whole number", "send a list of whole numbers")
               .error());
      return std::nullopt;
    }
    numbers.push_back(item.number);
  }
  return numbers;
}

NanoUsd Fields::usd(std::string_view name) {
  const Value* const value = read(name, Kind::text, "an amount in a text, like \"5.00\"");
  if (value == nullptr) {
    missing(name);
    return {};
  }
  const auto amount = parse_usd(value->text);
  if (amount) return *amount;
  note(bad_value(name, fmt::format("\"{}\" is no amount", exchange::clipped(value->text, 64)),
                 std::string(explain(amount.error())))
           .error());
  return {};
}

std::optional<PicoUsdPerUnit> Fields::rate_if_any(std::string_view name) {
  const Value* const value = read(name, Kind::text, "a price in a text, like \"0.15\"");
  if (value == nullptr) return std::nullopt;
  const auto rate = parse_usd_per_million(value->text);
  if (rate) return *rate;
  note(bad_value(name, fmt::format("\"{}\" is no price", exchange::clipped(value->text, 64)),
                 std::string(explain(rate.error())))
           .error());
  return std::nullopt;
}

PicoUsdPerUnit Fields::rate(std::string_view name) {
  const auto value = rate_if_any(name);
  if (!value) missing(name);
  return value.value_or(PicoUsdPerUnit{});
}

Outcome<void> Fields::finish() {
  if (!problem_) {
    const auto unread = std::ranges::find(fields_, false, &Field::was_read);
    if (unread != fields_.end()) {
      const std::string_view name = exchange::clipped(unread->name, 64);
      note({.status = 400,
            .code = "unknown_field",
            .message = fmt::format("the field \"{}\" is not known here", name),
            .remedy = "check its spelling; docs/reference/openapi.yaml names those that are"});
    }
  }
  if (problem_) return std::unexpected(*problem_);
  return {};
}

}  // namespace claviger::console

#include "behaviour.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace claviger::fakes {
namespace {

using simdjson::dom::element;
using Done = std::expected<void, std::string>;

template <typename T>
struct Directive {
  std::string_view name;
  T Behaviour::* member;
};

constexpr std::array<Directive<std::int64_t>, 18> kNumbers = {{
    {"status", &Behaviour::status},
    {"prompt_tokens", &Behaviour::prompt_tokens},
    {"cached_tokens", &Behaviour::cached_tokens},
    {"completion_tokens", &Behaviour::completion_tokens},
    {"completion_tokens_spread", &Behaviour::completion_tokens_spread},
    {"unseen_tokens", &Behaviour::unseen_tokens},
    {"reasoning_tokens", &Behaviour::reasoning_tokens},
    {"answer_bytes", &Behaviour::answer_bytes},
    {"chunks", &Behaviour::chunks},
    {"bytes_per_chunk", &Behaviour::bytes_per_chunk},
    {"huge_event_bytes", &Behaviour::huge_event_bytes},
    {"error_after_events", &Behaviour::error_after_events},
    {"delay_ms_before_head", &Behaviour::delay_ms_before_head},
    {"delay_ms_between_events", &Behaviour::delay_ms_between_events},
    {"delay_us_between_events", &Behaviour::delay_us_between_events},
    {"stall_after_events", &Behaviour::stall_after_events},
    {"truncate_bytes", &Behaviour::truncate_bytes},
    {"times", &Behaviour::times},
}};
constexpr std::array<Directive<bool>, 3> kFlags = {{
    {"never_ends", &Behaviour::never_ends},
    {"reset", &Behaviour::reset},
    {"free", &Behaviour::free},
}};
constexpr std::array<Directive<std::string>, 6> kTexts = {{
    {"body", &Behaviour::body},
    {"content_type", &Behaviour::content_type},
    {"error_code", &Behaviour::error_code},
    {"error_message", &Behaviour::error_message},
    {"finish_reason", &Behaviour::finish_reason},
    {"usage", &Behaviour::usage},
}};
constexpr std::array<std::string_view, 7> kUsages = {"honest", "absent", "negative", "every_chunk",
                                                     "twice",  "absurd", "malformed"};
/// Sizes and delays beyond this are typing errors.
constexpr std::int64_t kNumberMax = 1'000'000'000;

template <typename Table>
auto find(const Table& table, std::string_view name) {
  const auto found = std::ranges::find(table, name, [](const auto& entry) { return entry.name; });
  return found == table.end() ? nullptr : &*found;
}

Done set_number(std::string_view name, std::int64_t value, Behaviour& behaviour) {
  const auto* directive = find(kNumbers, name);
  if (directive == nullptr) {
    return std::unexpected(fmt::format("there is no number directive \"{}\"", name));
  }
  if (value < 0 || value > kNumberMax || (name == "status" && (value < 200 || value > 999))) {
    return std::unexpected(fmt::format("directive \"{}\" cannot be {}", name, value));
  }
  behaviour.*(directive->member) = value;
  return {};
}

Done set_flag(std::string_view name, bool value, Behaviour& behaviour) {
  const auto* directive = find(kFlags, name);
  if (directive == nullptr) {
    return std::unexpected(fmt::format("there is no true-or-false directive \"{}\"", name));
  }
  behaviour.*(directive->member) = value;
  return {};
}

Done set_text(std::string_view name, std::string_view value, Behaviour& behaviour) {
  const auto* directive = find(kTexts, name);
  if (directive == nullptr) {
    return std::unexpected(fmt::format("there is no text directive \"{}\"", name));
  }
  if (name == "usage" && std::ranges::find(kUsages, value) == kUsages.end()) {
    return std::unexpected(fmt::format("directive \"usage\" cannot be \"{}\"", value));
  }
  behaviour.*(directive->member) = std::string(value);
  return {};
}

Done set_headers(const element& value, Behaviour& behaviour) {
  if (!value.is_object()) return std::unexpected("directive \"headers\" must be an object");
  for (const auto field : value.get_object().value_unsafe()) {
    std::string_view text;
    if (field.value.get_string().get(text) != simdjson::SUCCESS) {
      return std::unexpected(fmt::format("header \"{}\" must be a text", field.key));
    }
    behaviour.headers.emplace_back(field.key, text);
  }
  return {};
}

Done apply(const element& object, Behaviour& behaviour) {
  if (!object.is_object()) return std::unexpected("directives must be a JSON object");
  for (const auto field : object.get_object().value_unsafe()) {
    Done done;
    if (field.key == "headers") {
      done = set_headers(field.value, behaviour);
    } else if (field.value.is_int64()) {
      done = set_number(field.key, field.value.get_int64().value_unsafe(), behaviour);
    } else if (field.value.is_bool()) {
      done = set_flag(field.key, field.value.get_bool().value_unsafe(), behaviour);
    } else if (field.value.is_string()) {
      done = set_text(field.key, field.value.get_string().value_unsafe(), behaviour);
    } else {
      done = std::unexpected(fmt::format("directive \"{}\" has a value of no use", field.key));
    }
    if (!done) return done;
  }
  return {};
}

}  // namespace

std::expected<void, std::string> apply_json(std::string_view object_json, Behaviour& behaviour) {
  simdjson::dom::parser parser;
  element root;
  if (parser.parse(object_json.data(), object_json.size()).get(root) != simdjson::SUCCESS) {
    return std::unexpected("directives are no JSON");
  }
  return apply(root, behaviour);
}

std::expected<std::vector<Behaviour>, std::string> read_behaviours(std::string_view json) {
  simdjson::dom::parser parser;
  element root;
  if (parser.parse(json.data(), json.size()).get(root) != simdjson::SUCCESS) {
    return std::unexpected("directives are no JSON");
  }
  std::vector<Behaviour> behaviours;
  if (!root.is_array()) {
    Behaviour behaviour;
    if (const Done done = apply(root, behaviour); !done) return std::unexpected(done.error());
    behaviours.push_back(std::move(behaviour));
    return behaviours;
  }
  for (const element one : root.get_array().value_unsafe()) {
    Behaviour behaviour;
    behaviour.times = 1;
    if (const Done done = apply(one, behaviour); !done) return std::unexpected(done.error());
    behaviours.push_back(std::move(behaviour));
  }
  return behaviours;
}

std::expected<void, std::string> apply_model_directives(std::string_view& model,
                                                        Behaviour& behaviour) {
  const std::size_t first = std::min(model.find('~'), model.size());
  std::string_view rest = model.substr(first);
  model = model.substr(0, first);
  while (!rest.empty()) {
    rest.remove_prefix(1);
    const std::string_view one = rest.substr(0, rest.find('~'));
    rest.remove_prefix(one.size());
    const std::size_t equals = one.find('=');
    if (equals == std::string_view::npos) {
      return std::unexpected(fmt::format("\"~{}\" is not ~name=value", one));
    }
    const std::string_view name = one.substr(0, equals);
    const std::string_view value = one.substr(equals + 1);
    std::int64_t number = 0;
    const auto read = std::from_chars(value.data(), value.data() + value.size(), number);
    Done done;
    if (find(kTexts, name) != nullptr) {
      done = set_text(name, value, behaviour);
    } else if (value == "true" || value == "false") {
      done = set_flag(name, value == "true", behaviour);
    } else if (read.ec == std::errc() && read.ptr == value.data() + value.size()) {
      done = set_number(name, number, behaviour);
    } else {
      done = std::unexpected(fmt::format("directive \"{}\" cannot be \"{}\"", name, value));
    }
    if (!done) return done;
  }
  return {};
}

}  // namespace claviger::fakes

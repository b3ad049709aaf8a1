/// Reads data/providers.toml. toml++ takes seconds to
/// compile; its exceptions are off, so that errors are ours to word.

#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "data/providers_toml.h"
#include "provider/adapter.h"

namespace claviger::provider {
namespace {

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error("providers.toml: " + what);
}

/// One `[[provider]]` table. Takes its keys one by one; what is left over is unknown.
class ProfileReader {
 public:
  ProfileReader(const toml::table& table, std::string id) : table_(table), id_(std::move(id)) {}

  std::string text(std::string_view key) {
    const auto value = node(key).value_exact<std::string>();
    if (!value) fail(fmt::format("provider \"{}\": `{}` must be a string", id_, key));
    return *value;
  }
  std::string text_not_empty(std::string_view key) {
    std::string value = text(key);
    if (value.empty()) fail(fmt::format("provider \"{}\": `{}` is empty", id_, key));
    return value;
  }
  bool truth(std::string_view key) {
    const auto value = node(key).value_exact<bool>();
    if (!value) fail(fmt::format("provider \"{}\": `{}` must be true or false", id_, key));
    return *value;
  }
  std::string text_or(std::string_view key, std::string_view otherwise) {
    return table_.contains(key) ? text(key) : std::string(otherwise);
  }
  /// A table of strings: headers.
  std::vector<std::pair<std::string, std::string>> texts(std::string_view key) {
    std::vector<std::pair<std::string, std::string>> all;
    if (!table_.contains(key)) return all;
    const toml::table* const inner = node(key).as_table();
    if (inner == nullptr) fail(fmt::format("provider \"{}\": `{}` must be a table", id_, key));
    for (const auto& [name, value] : *inner) {
      const auto text = value.value_exact<std::string>();
      if (!text) fail(fmt::format("provider \"{}\": `{}` must hold strings", id_, key));
      all.emplace_back(name.str(), *text);
    }
    return all;
  }
  /// A list of strings; empty where it is absent.
  std::vector<std::string> words(std::string_view key) {
    return table_.contains(key) ? words_of(node(key), key) : std::vector<std::string>();
  }
  /// A table of lists of strings.
  std::vector<std::pair<std::string, std::vector<std::string>>> word_lists(std::string_view key) {
    std::vector<std::pair<std::string, std::vector<std::string>>> all;
    if (!table_.contains(key)) return all;
    const toml::table* const inner = node(key).as_table();
    if (inner == nullptr) fail(fmt::format("provider \"{}\": `{}` must be a table", id_, key));
    for (const auto& [name, value] : *inner) {
      all.emplace_back(name.str(), words_of(toml::node_view<const toml::node>(value), key));
    }
    return all;
  }
  /// One of `words`, by its position.
  std::size_t one_of(std::string_view key, std::string value,
                     std::initializer_list<std::string_view> words) {
    std::size_t position = 0;
    for (const std::string_view word : words) {
      if (word == value) return position;
      ++position;
    }
    fail(fmt::format("provider \"{}\": `{}` cannot be \"{}\"; write one of: {}", id_, key, value,
                     fmt::join(words, ", ")));
  }
  void refuse_other_keys() const {
    for (const auto& [key, value] : table_) {
      const std::string_view name = key.str();
      bool known = false;
      for (const std::string& taken : taken_) known = known || taken == name;
      if (!known) {
        fail(fmt::format("provider \"{}\", line {}: unknown key `{}`", id_,
                         value.source().begin.line, name));
      }
    }
  }

 private:
  std::vector<std::string> words_of(toml::node_view<const toml::node> list, std::string_view key) {
    const toml::array* const array = list.as_array();
    if (array == nullptr) fail(fmt::format("provider \"{}\": `{}` must be a list", id_, key));
    std::vector<std::string> all;
    for (const toml::node& one : *array) {
      const auto text = one.value_exact<std::string>();
      if (!text) fail(fmt::format("provider \"{}\": `{}` must hold strings", id_, key));
      all.push_back(*text);
    }
    return all;
  }
  toml::node_view<const toml::node> node(std::string_view key) {
    taken_.emplace_back(key);
    if (!table_.contains(key)) fail(fmt::format("provider \"{}\": `{}` is missing", id_, key));
    return table_[key];
  }

  const toml::table& table_;
  std::string id_;
  std::vector<std::string> taken_;
};

void check(const Profile& profile) {
  const auto complain = [&](std::string_view key, std::string_view what) {
    fail(fmt::format("provider \"{}\": `{}` {}", profile.id, key, what));
  };
  const std::string& url = profile.base_url;
  if (!url.empty() && !url.starts_with("https://") && !url.starts_with("http://127.0.0.1:")) {
    complain("base_url", "must start with https://, or be an address of this machine");
  }
  if (url.ends_with('/')) complain("base_url", "must not end with a slash");
  const auto is_path = [](const std::string& path) { return path.starts_with('/'); };
  if (!is_path(profile.chat_path)) complain("chat_path", "must start with a slash");
  if (!profile.models_path.empty() && !is_path(profile.models_path)) {
    complain("models_path", "must start with a slash, or be empty where there is none");
  }
  if (!profile.embeddings_path.empty() && !is_path(profile.embeddings_path)) {
    complain("embeddings_path", "must start with a slash, or be empty");
  }
  if (!profile.responses_path.empty() && !is_path(profile.responses_path)) {
    complain("responses_path", "must start with a slash, or be absent where there is none");
  }
  if (profile.output_max_field != "max_tokens" &&
      profile.output_max_field != "max_completion_tokens") {
    complain("output_max_field", "must be \"max_tokens\" or \"max_completion_tokens\"");
  }
}

Profile read_profile(const toml::table& table) {
  const auto id = table["id"].value_exact<std::string>();
  if (!id || id->empty())
    fail(fmt::format("line {}: a provider has no `id`", table.source().begin.line));
  ProfileReader reader(table, *id);
  Profile profile;
  profile.id = reader.text("id");
  profile.title = reader.text_not_empty("title");
  profile.dialect = static_cast<exchange::DialectId>(
      reader.one_of("dialect", reader.text("dialect"), {"openai", "anthropic", "gemini"}));
  profile.base_url = reader.text("base_url");
  profile.auth_header = reader.text_not_empty("auth_header");
  profile.auth_prefix = reader.text("auth_prefix");
  profile.chat_path = reader.text("chat_path");
  profile.embeddings_path = reader.text("embeddings_path");
  profile.responses_path = reader.text_or("responses_path", "");
  profile.models_path = reader.text("models_path");
  profile.output_max_field = reader.text("output_max_field");
  profile.both_output_max_fields_bind = reader.truth("both_output_max_fields_bind");
  profile.takes_stream_usage = reader.truth("takes_stream_usage");
  profile.unknown_fields_may_cost = reader.truth("unknown_fields_may_cost");
  profile.key_required = reader.truth("key_required");
  profile.states_cost = reader.truth("states_cost");
  profile.price_cap = static_cast<PriceCapForm>(
      reader.one_of("price_cap", reader.text_or("price_cap", "none"), {"none", "openrouter"}));
  profile.cancel_stops_billing_source = reader.text_or("cancel_stops_billing_source", "");
  profile.cancel_stops_billing = !profile.cancel_stops_billing_source.empty();
  profile.request_id_header = reader.text("request_id_header");
  profile.client_request_id_header = reader.text_or("client_request_id_header", "");
  profile.count_tokens_path = reader.text_or("count_tokens_path", "");
  profile.extra_headers = reader.texts("extra_headers");
  profile.forwarded_headers = reader.word_lists("forwarded_headers");
  for (const std::string& name : reader.words("also_takes")) {
    const auto features = exchange::features_named(name);
    if (!features) {
      fail(fmt::format("provider \"{}\": `also_takes` does not know \"{}\"", *id, name));
    }
    profile.also_takes |= *features;
  }
  profile.source = reader.text_not_empty("source");
  reader.refuse_other_keys();
  check(profile);
  return profile;
}

}  // namespace

std::shared_ptr<const Profiles> Profiles::embedded() {
  static const std::shared_ptr<const Profiles> profiles = parse(data::providers_toml);
  return profiles;
}

std::shared_ptr<const Profiles> Profiles::parse(std::string_view toml) {
  const toml::parse_result parsed = toml::parse(toml);
  if (!parsed) {
    fail(fmt::format("line {}: {}", parsed.error().source().begin.line,
                     parsed.error().description()));
  }
  const toml::table& root = parsed.table();
  auto profiles = std::make_shared<Profiles>();
  for (const auto& [key, value] : root) {
    if (key.str() != "provider" || !value.is_array_of_tables()) {
      fail(fmt::format("line {}: unknown key `{}`; write [[provider]] tables",
                       value.source().begin.line, key.str()));
    }
  }
  if (const toml::array* const tables = root["provider"].as_array()) {
    for (const toml::node& node : *tables) {
      Profile profile = read_profile(*node.as_table());
      if (profiles->find(profile.id) != nullptr) {
        fail(fmt::format("provider \"{}\" stands there twice", profile.id));
      }
      profiles->profiles_.push_back(std::move(profile));
    }
  }
  return profiles;
}

const Profile* Profiles::find(std::string_view id) const {
  for (const Profile& profile : profiles_) {
    if (profile.id == id) return &profile;
  }
  return nullptr;
}

}  // namespace claviger::provider

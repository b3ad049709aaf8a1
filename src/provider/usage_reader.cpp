#include "provider/usage_reader.h"

#include <algorithm>
#include <iterator>

#include "base/name_index.h"
#include "exchange/json_tree.h"
#include "exchange/sse.h"
#include "provider/openai_answer.h"

namespace claviger::provider {
namespace {

using exchange::count_max;
using exchange::Geography;
using exchange::JsonNode;
using exchange::JsonTree;
using exchange::ServiceTier;
using exchange::Unit;
using exchange::Usage;
using Kind = JsonNode::Kind;

/// Usage objects are three levels deep; what lies deeper counts nothing.
constexpr int usage_depth_max = 4;
constexpr std::size_t model_bytes_max = 256;
constexpr std::size_t path_bytes_max = 160;
/// Batches of one provider wrap answers twice.
constexpr int wrappers_max = 3;

constexpr auto index = index_by<&CountName::path>(count_names);

std::optional<Count> count_named(std::string_view path) {
  const std::size_t row = index.find(path);
  return row == index.none ? std::nullopt : std::optional(count_names[row].count);
}

/// Numbers and objects of a usage object that say something beside a count of their name.
bool means_more(std::string_view key) {
  return key == "seconds" || key == "prompt_audio_seconds" || key == "tokens" ||
         key.starts_with("cost");
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// Where usage stands in an answer or in an event, by dialect.
constexpr std::string_view usage_keys[] = {
    "usage",           // OpenAI, Anthropic, Bedrock Converse, Cohere chat
    "usageMetadata",   // Gemini
    "usage_metadata",  // Gemini, as its SDKs write it
    "usage_info",      // Mistral OCR
    "meta",            // Cohere embed and rerank
    "amazon-bedrock-invocationMetrics",
};
/// What wraps an answer: `message` in Anthropic's message_start and batches, `response` in
/// OpenAI's response events and in Gemini's batches, `body` in OpenAI's batches, `x_groq`,
/// `metadata` in Bedrock's streams, `delta` in Cohere's.
constexpr std::string_view wrappers[] = {"message",  "response", "body",  "x_groq",
                                         "metadata", "delta",    "result"};

bool is_usage_object(const JsonNode& root) {
  return std::ranges::any_of(count_names, [&](const CountName& name) {
    return name.path.find('.') == std::string_view::npos && root[name.path].exists();
  });
}

}  // namespace

/// The names of the objects around a number, by dots.
struct UsageReader::Path {
  std::array<char, path_bytes_max> text;
  std::size_t size = 0;

  std::string_view view() const { return {text.data(), size}; }
  /// False where it has no room.
  bool add(std::string_view name) {
    if (size + name.size() + 1 > text.size()) return false;
    if (size != 0) text[size++] = '.';
    size += name.copy(text.data() + size, name.size());
    return true;
  }
};

void UsageReader::read(std::string_view json) {
  JsonTree tree;
  if (tree.read(json)) read(tree.root());
}

void UsageReader::read(const Node& value) {
  if (value.is_object()) return answer(value);
  if (!value.is_array()) return;
  for (const Node& one : value) {
    if (one.is_object()) answer(one);
  }
}

void UsageReader::read_recorded(std::string_view text) {
  JsonTree tree;
  if (tree.read(text)) return read(tree.root());
  const bool is_event_stream = text.starts_with("data:") || text.starts_with("event:") ||
                               text.find("\ndata:") != std::string_view::npos;
  if (is_event_stream) {
    // A recording may lack the blank line that ends its last event.
    std::string whole(text);
    whole += "\n\n";
    std::string_view rest = whole;
    std::string joined;
    std::size_t searched = 0;
    while (const std::size_t length = exchange::event_length(rest, searched)) {
      read(exchange::event_data(rest.substr(0, length), joined));
      rest.remove_prefix(length);
      searched = 0;
    }
    return;
  }
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    read(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

void UsageReader::answer(const Node& root) {
  // A batch's line says so by its id; the answer in it does not.
  if (root["custom_id"].exists()) tier_ = ServiceTier::batch;
  Node current = root;
  for (int depth = 0; depth <= wrappers_max && current.is_object(); ++depth) {
    bool has_usage = false;
    for (const std::string_view key : usage_keys) {
      const Node usage = current[key];
      if (!usage.is_object()) continue;
      usage_object(usage);
      has_usage = true;
    }
    tools(current);
    if (!has_usage && is_usage_object(current)) usage_object(current);
    Node inner;
    for (const std::string_view key : wrappers) {
      if (!inner.is_object()) inner = current[key];
    }
    current = inner;
  }
}

/// What stands beside the usage: the model, the tier, what the provider's tools did.
void UsageReader::tools(const Node& answer) {
  for (const std::string_view key : {"model", "modelVersion", "model_version"}) {
    const std::string_view name = answer[key].text();
    if (answer_model_.empty() && name.size() <= model_bytes_max) answer_model_ = name;
  }
  tier(answer["service_tier"]);
  tier(answer["serviceTier"]);
  std::int64_t searches = 0;
  std::int64_t file_searches = 0;
  std::vector<std::string_view> containers;
  for (const Node& item : answer["output"]) {
    const std::string_view type = item["type"].text();
    const std::string_view action = item["action"]["type"].text();
    // Opening a page, or finding something in it, is not a search
    // (https://platform.openai.com/docs/guides/tools-web-search, 2026-11).
    if (type == "web_search_call" && (action.empty() || action == "search")) ++searches;
    if (type == "file_search_call") ++file_searches;
    const std::string_view container = item["container_id"].text();
    if (type == "code_interpreter_call" &&
        std::ranges::find(containers, container) == containers.end()) {
      containers.push_back(container);
    }
  }
  if (searches > 0 && !has(Count::web_searches)) at_least(Count::web_searches, searches);
  if (file_searches > 0) at_least(Count::file_searches, file_searches);
  if (!containers.empty()) {
    at_least(Count::code_sessions, static_cast<std::int64_t>(containers.size()));
  }
  for (const Node& candidate : answer["candidates"]) {
    Node grounding = candidate["groundingMetadata"];
    if (!grounding.exists()) grounding = candidate["grounding_metadata"];
    Node queries = grounding["webSearchQueries"];
    if (!queries.exists()) queries = grounding["web_search_queries"];
    if (queries.is_array() && queries.size() > 0) {
      at_least(Count::web_searches, static_cast<std::int64_t>(queries.size()));
    }
  }
  for (const Node& choice : answer["choices"]) {
    if (choice["usage"].is_object()) usage_object(choice["usage"]);  // Moonshot's streams.
  }
  std::int64_t pictures = 0;
  for (const Node& picture : answer["data"]) {
    if (picture["b64_json"].exists() || picture["url"].exists()) ++pictures;
  }
  if (pictures > 0) at_least(Count::images, pictures);
}

void UsageReader::usage_object(const Node& usage) {
  Path path;
  counts(usage, path, 0);
  bool states_cost = false;
  for (const Node& field : usage) {
    more(field);
    states_cost = states_cost || field.key().starts_with("cost");
  }
  if (states_cost) cost(usage);
  // Cohere without a bill: what was counted.
  if (const Node tokens = usage["tokens"]; tokens.is_object() && !usage["billed_units"].exists()) {
    count(Count::input, tokens["input_tokens"]);
    count(Count::completion, tokens["output_tokens"]);
  }
}

/// What a usage object says beside plain counts.
void UsageReader::more(const Node& field) {
  const std::string_view key = field.key();
  if (key == "service_tier" || key == "serviceTier" || key == "trafficType" ||
      key == "traffic_type") {
    tier(field);
  } else if (key == "speed") {
    if (field.text() == "fast") tier_ = ServiceTier::fast;
  } else if (key == "inference_geo") {
    // Anthropic: "us" costs more; "global" and "not_available" do not
    // (https://platform.claude.com/docs/en/build-with-claude/data-residency, 2026-11).
    if (field.text() == "us") geography_ = Geography::regional;
  } else if (key == "search_context_size") {
    const std::string_view size = field.text();
    if (size == "low") search_context_ = Unit::search_context_low;
    if (size == "medium") search_context_ = Unit::search_context_medium;
    if (size == "high") search_context_ = Unit::search_context_high;
  } else if (key == "seconds" || key == "prompt_audio_seconds") {
    milliseconds(field);
  } else if (key == "promptTokensDetails" || key == "prompt_tokens_details") {
    modalities(field, Count::audio_in, Count::image_in);
  } else if (key == "cacheTokensDetails" || key == "cache_tokens_details") {
    modalities(field, Count::cached_audio, Count::cached_image);
  } else if (key == "candidatesTokensDetails" || key == "candidates_tokens_details" ||
             key == "responseTokensDetails") {
    modalities(field, Count::audio_out, Count::image_out);
  } else if (key == "cacheDetails") {
    cache_details(field);
  } else if (key == "iterations") {
    iterations(field);
  }
}

namespace {

/// Reads what read_plain_usage() takes. Whatever it is not sure of, it does not take.
template <typename Path>
class PlainUsage {
 public:
  explicit PlainUsage(std::string_view json) : at_(json.data()), end_(at_ + json.size()) {}

  bool read() {
    blanks();
    if (!object(0)) return false;
    blanks();
    return at_ == end_;
  }
  template <typename Take>
  void each(Take take) const {
    for (std::size_t i = 0; i < found_count_; ++i) take(found_[i].first, found_[i].second);
  }

 private:
  static constexpr std::size_t found_max = 32;

  bool take(char wanted) {
    if (at_ == end_ || *at_ != wanted) return false;
    ++at_;
    return true;
  }
  void blanks() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
  }
  bool object(int depth) {
    if (depth > usage_depth_max || !take('{')) return false;
    blanks();
    if (take('}')) return true;
    do {
      blanks();
      if (!field(depth)) return false;
      blanks();
    } while (take(','));
    return take('}');
  }
  bool field(int depth) {
    const std::size_t size = path_.size;
    std::string_view key;
    if (!name(key) || (depth == 0 && means_more(key)) || !path_.add(key)) return false;
    blanks();
    if (!take(':')) return false;
    blanks();
    const bool is_object = at_ != end_ && *at_ == '{';
    bool is_taken = false;
    if (is_object) {
      is_taken = is_plain(key) && object(depth + 1);
    } else {
      // Names that are known are plain.
      const auto which = count_named(path_.view());
      is_taken = (which || is_plain(key)) && (null() || number(which));
    }
    path_.size = size;
    return is_taken;
  }
  /// Up to the next quote; whether the text is what it means, is_plain() tells.
  bool name(std::string_view& key) {
    if (!take('"')) return false;
    const std::string_view rest(at_, end_);
    const std::size_t size = rest.find('"');
    if (size == std::string_view::npos) return false;
    key = rest.substr(0, size);
    at_ += size + 1;
    return true;
  }
  static bool is_plain(std::string_view key) {
    return std::ranges::all_of(key, [](char c) { return c >= ' ' && c <= '~' && c != '\\'; });
  }
  bool null() {
    if (!std::string_view(at_, end_).starts_with("null")) return false;
    at_ += 4;
    return true;
  }
  bool number(std::optional<Count> which) {
    constexpr std::ptrdiff_t digits_max = 15;
    const char* const begin = at_;
    std::int64_t value = 0;
    while (at_ != end_ && is_digit(*at_) && at_ - begin < digits_max) {
      value = value * 10 + (*at_++ - '0');
    }
    // What goes on behind the digits is a fraction, an exponent, or no JSON.
    if (at_ == begin || (*begin == '0' && at_ - begin > 1) || at_ == end_) return false;
    if (std::string_view(",} \n\r\t").find(*at_) == std::string_view::npos) return false;
    if (!which) return true;
    if (found_count_ == found_max) return false;
    found_[found_count_++] = {*which, value};
    return true;
  }

  const char* at_;
  const char* end_;
  Path path_;
  std::array<std::pair<Count, std::int64_t>, found_max> found_;
  std::size_t found_count_ = 0;
};

}  // namespace

bool UsageReader::read_plain_usage(std::string_view json) {
  PlainUsage<Path> usage(json);
  if (!usage.read()) return false;
  usage.each([this](Count which, std::int64_t value) { at_least(which, value); });
  return true;
}

/// Every number whose name, with those of the objects around it, is known.
void UsageReader::counts(const Node& object, Path& path, int depth) {
  for (const Node& field : object) {
    const std::size_t size = path.size;
    if (!path.add(field.key())) continue;
    if (field.is_object()) {
      if (depth < usage_depth_max) counts(field, path, depth + 1);
    } else if (const auto which = count_named(path.view())) {
      count(*which, field);
    }
    path.size = size;
  }
}

/// "17", "17.0" (Cohere's are doubles); anything else is impossible, apart from null.
std::optional<std::int64_t> UsageReader::whole(const Node& value) {
  if (!value.says_something()) return std::nullopt;
  if (const auto plain = value.integer(); plain && *plain >= 0 && *plain <= count_max) return plain;
  std::string_view digits = value.raw();
  while (!digits.empty() &&
         std::string_view(" \n\r\t").find(digits.back()) != std::string_view::npos) {
    digits.remove_suffix(1);
  }
  const std::size_t point = digits.find('.');
  if (point != std::string_view::npos &&
      digits.find_first_not_of('0', point + 1) == std::string_view::npos) {
    digits = digits.substr(0, point);
  }
  // Sixteen digits hold count_max.
  constexpr std::size_t digits_max = 16;
  if (value.kind() != Kind::number || digits.empty() || digits.size() > digits_max ||
      !std::ranges::all_of(digits, is_digit)) {
    impossible_ = true;
    return std::nullopt;
  }
  std::int64_t number = 0;
  for (const char digit : digits) number = number * 10 + (digit - '0');
  if (number > count_max) {
    impossible_ = true;
    return std::nullopt;
  }
  return number;
}

void UsageReader::count(Count which, const Node& value) {
  if (const auto number = whole(value)) at_least(which, *number);
}

void UsageReader::at_least(Count which, std::int64_t value) {
  auto& kept = counts_[static_cast<std::size_t>(which)];
  kept = std::max(kept.value_or(0), value);
}

/// Gemini's [{"modality": "AUDIO", "tokenCount": 5}].
void UsageReader::modalities(const Node& list, Count audio, Count image) {
  if (!list.is_array()) return;
  std::int64_t sound = 0;
  std::int64_t pictures = 0;
  for (const Node& one : list) {
    Node tokens = one["tokenCount"];
    if (!tokens.exists()) tokens = one["token_count"];
    const auto number = whole(tokens).value_or(0);
    const std::string_view modality = one["modality"].text();
    if (modality == "AUDIO") sound = std::min(count_max, sound + number);
    if (modality == "IMAGE") pictures = std::min(count_max, pictures + number);
  }
  if (sound > 0) at_least(audio, sound);
  if (pictures > 0) at_least(image, pictures);
}

/// Bedrock Converse: [{"ttl": "1h", "inputTokens": 5}], what was written, by how long it is kept
/// (https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_CacheDetail.html, 2026-11).
void UsageReader::cache_details(const Node& list) {
  if (!list.is_array()) return;
  std::int64_t hour = 0;
  std::int64_t minutes = 0;
  for (const Node& one : list) {
    const auto number = whole(one["inputTokens"]).value_or(0);
    std::int64_t& sum = one["ttl"].text() == "1h" ? hour : minutes;
    sum = std::min(count_max, sum + number);
  }
  at_least(Count::written_1h, hour);
  at_least(Count::written_5m, minutes);
}

/// Anthropic leaves out of its totals what compaction cost and states it here: "sum across all
/// entries" (https://platform.claude.com/docs/en/build-with-claude/compaction, 2026-11). Advice of
/// another model has that model's price and is not ours to add.
void UsageReader::iterations(const Node& list) {
  if (!list.is_array()) return;
  constexpr std::string_view names[] = {"input_tokens", "output_tokens", "cache_read_input_tokens",
                                        "cache_creation_input_tokens"};
  std::array<std::int64_t, std::size(names)> sums{};
  bool is_compacted = false;
  for (const Node& one : list) {
    const std::string_view type = one["type"].text();
    if (type == "compaction") is_compacted = true;
    if (type != "compaction" && type != "message") continue;
    for (std::size_t i = 0; i < sums.size(); ++i) {
      sums[i] = std::min(count_max, sums[i] + whole(one[names[i]]).value_or(0));
    }
  }
  if (!is_compacted) return;
  for (std::size_t i = 0; i < sums.size(); ++i) at_least(*count_named(names[i]), sums[i]);
}

/// OpenRouter's `cost` is what it charges itself; with the owner's own key at the provider, that
/// provider bills its part apart, and the owner pays both
/// (https://openrouter.ai/docs/use-cases/usage-accounting). Perplexity's is an object with
/// `total_cost`. xAI states ticks of 1e-10 dollars (https://docs.x.ai/developers/cost-tracking).
void UsageReader::cost(const Node& usage) {
  const auto dollars = [&](const Node& value, std::optional<NanoUsd>& target) {
    if (value.kind() != Kind::number) return;
    const auto cost = openai::parse_stated_cost(value.raw());
    if (cost) {
      target = std::max(*cost, target.value_or(NanoUsd(0)));
    } else {
      impossible_ = true;
    }
  };
  const Node stated = usage["cost"];
  dollars(stated.is_object() ? stated["total_cost"] : stated, stated_cost_);
  is_own_key_ = is_own_key_ || usage["is_byok"].is_true();
  dollars(usage["cost_details"]["upstream_inference_cost"], own_key_cost_);
  const Node ticks = usage["cost_in_usd_ticks"];
  if (ticks.kind() == Kind::number && !stated_cost_) {
    constexpr std::int64_t ticks_per_nano = 10;
    const auto number = ticks.integer();
    if (!number || *number < 0) {
      impossible_ = true;
    } else if (*number > 0) {
      // Grok served by others states 0 ticks for requests that they bill: that says nothing.
      stated_cost_ = NanoUsd(*number / ticks_per_nano + (*number % ticks_per_nano != 0 ? 1 : 0));
    }
  }
}

/// Seconds of sound with up to three places behind the point, more rounded up.
void UsageReader::milliseconds(const Node& seconds) {
  if (!seconds.says_something()) return;
  if (seconds.kind() != Kind::number) return;
  constexpr std::int64_t nanos_per_milli = 1'000'000;
  // As money, a second is a dollar: the same exact decimals.
  const auto exact = openai::parse_stated_cost(seconds.raw());
  if (!exact || exact->nanos() / nanos_per_milli > count_max) {
    impossible_ = true;
    return;
  }
  const std::int64_t whole_ms = exact->nanos() / nanos_per_milli;
  const bool has_rest = exact->nanos() % nanos_per_milli != 0;
  audio_input_ms_ = std::max(audio_input_ms_, whole_ms + (has_rest ? 1 : 0));
  has_audio_ms_ = true;
}

void UsageReader::tier(const Node& said) {
  say_tier(said.is_object() ? said["type"].text() : said.text());
}

void UsageReader::say_tier(std::string_view word) {
  const auto is = [&](std::string_view name) {
    return std::ranges::equal(word, name, [](char a, char b) {
      return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + ('a' - 'A')) : a) == b;
    });
  };
  if (is("batch")) tier_ = ServiceTier::batch;
  if (is("fast")) tier_ = ServiceTier::fast;
  // Groq's flex costs what its standard does (https://console.groq.com/docs/flex-processing).
  if ((is("flex") || is("on_demand_flex")) && provider_ != "groq") tier_ = ServiceTier::flex;
  // Anthropic's Priority Tier is paid for ahead; its list price is the standard one
  // (https://platform.claude.com/docs/en/api/service-tiers).
  if ((is("priority") || is("on_demand_priority")) && provider_ != "anthropic") {
    tier_ = ServiceTier::priority;
  }
}

bool UsageReader::has_any() const {
  return has_audio_ms_ || stated_cost_.has_value() ||
         std::ranges::any_of(counts_, [](const auto& count) { return count.has_value(); });
}

UsageState UsageReader::state() const {
  if (impossible_) return UsageState::impossible;
  if (!has_any()) return UsageState::absent;
  Usage usage;
  return fill(usage) ? UsageState::sound : UsageState::impossible;
}

Usage UsageReader::usage() const {
  Usage usage;
  return !impossible_ && has_any() && fill(usage) ? usage : Usage{};
}

/// Most providers count reasoning inside the completion; xAI's chat completions and some
/// compatible endpoints count it beside, and only the total shows it. What is in the total and
/// not in the prompt was generated, and is billed as output
/// (docs.cloud.google.com/vertex-ai, "Grok reasoning"; docs.x.ai/developers/rate-limits; 2026-11).
std::int64_t UsageReader::output_tokens(std::int64_t prompt) const {
  const std::int64_t completion = get(Count::completion);
  const std::int64_t reasoning = get(Count::reasoning);
  if (has(Count::thoughts)) return completion + get(Count::thoughts);
  // Perplexity's deep research: neither the completion nor the total holds it
  // (https://docs.perplexity.ai/getting-started/models/models/sonar-deep-research, 2026-11).
  const bool is_beside_all = provider_ == "perplexity" || has(Count::citations);
  if (is_beside_all || reasoning > completion) return completion + reasoning;
  if (has(Count::total) && has(Count::completion) && !is_input_apart()) {
    return std::max(completion, get(Count::total) - prompt);
  }
  return provider_ == "xai" && has(Count::prompt) ? completion + reasoning : completion;
}

/// `input_tokens` beside counts of caches that are named as apart from it.
bool UsageReader::is_input_apart() const {
  return !has(Count::prompt) && !has(Count::cached) &&
         (has(Count::cached_apart) || has(Count::written));
}

bool UsageReader::fill_input(Usage& usage) const {
  const std::int64_t beside = get(Count::tool_prompt) + get(Count::citations);
  const std::int64_t written_split = get(Count::written_5m) + get(Count::written_1h);
  const std::int64_t written =
      std::max({get(Count::written), get(Count::written_inside), written_split});
  usage.cached_input_tokens = std::max(get(Count::cached), get(Count::cached_apart));
  usage.cache_write_1h_tokens = get(Count::written_1h);
  usage.cache_write_tokens = written - usage.cache_write_1h_tokens;

  if (is_input_apart()) {
    usage.input_tokens = get(Count::input) + beside;
  } else {
    // Some embedding endpoints state the total alone.
    const std::int64_t derived =
        std::max<std::int64_t>(0, get(Count::total) - get(Count::completion));
    const bool is_stated = has(Count::prompt) || has(Count::input);
    const std::int64_t prompt =
        is_stated ? std::max(get(Count::prompt), get(Count::input)) : derived;
    if (usage.cached_input_tokens > prompt) return false;
    // OpenAI calls its count of written tokens "unadjusted": it may overlap the cached ones.
    const std::int64_t uncached = prompt - usage.cached_input_tokens;
    usage.cache_write_1h_tokens = std::min(usage.cache_write_1h_tokens, uncached);
    usage.cache_write_tokens =
        std::min(usage.cache_write_tokens, uncached - usage.cache_write_1h_tokens);
    usage.input_tokens = uncached - usage.cache_write_tokens - usage.cache_write_1h_tokens + beside;
  }
  usage.cached_audio_tokens = std::min(get(Count::cached_audio), usage.cached_input_tokens);
  usage.cached_image_tokens =
      std::min(get(Count::cached_image), usage.cached_input_tokens - usage.cached_audio_tokens);
  const auto fresh = [](std::int64_t all, std::int64_t cached) {
    return std::max<std::int64_t>(0, all - cached);
  };
  usage.audio_input_tokens =
      std::min(fresh(get(Count::audio_in), usage.cached_audio_tokens), usage.input_tokens);
  usage.image_input_tokens = std::min(fresh(get(Count::image_in), usage.cached_image_tokens),
                                      usage.input_tokens - usage.audio_input_tokens);
  return true;
}

bool UsageReader::fill(Usage& usage) const {
  if (!fill_input(usage)) return false;
  const std::int64_t prompt =
      std::max(get(Count::prompt), get(Count::input)) + get(Count::tool_prompt);
  usage.output_tokens = output_tokens(prompt);
  usage.reasoning_tokens =
      std::min(std::max(get(Count::reasoning), get(Count::thoughts)), usage.output_tokens);
  usage.audio_output_tokens =
      std::min(get(Count::audio_out), usage.output_tokens - usage.reasoning_tokens);
  // An answer of pictures that does not say what its tokens are means pictures.
  const bool is_all_pictures = has(Count::images) && !has(Count::image_out);
  usage.image_output_tokens =
      std::min(is_all_pictures ? usage.output_tokens : get(Count::image_out),
               usage.output_tokens - usage.reasoning_tokens - usage.audio_output_tokens);
  usage.service_tier = tier_;
  usage.geography = geography_;
  if (stated_cost_) {
    usage.stated_cost =
        is_own_key_ ? *stated_cost_ + own_key_cost_.value_or(NanoUsd(0)) : *stated_cost_;
  }
  fill_units(usage);
  return usage.input_tokens <= count_max && usage.output_tokens <= count_max &&
         usage.cache_write_tokens >= 0;
}

void UsageReader::fill_units(Usage& usage) const {
  const auto put = [&](Unit unit, Count count) { usage.units[unit] = get(count); };
  put(Unit::web_search, Count::web_searches);
  usage.units[Unit::web_search] += get(Count::more_web_searches);
  put(Unit::file_search, Count::file_searches);
  put(Unit::code_session, Count::code_sessions);
  put(Unit::rerank_search, Count::rerank_searches);
  put(Unit::page, Count::pages);
  put(Unit::character, Count::characters);
  // Pictures that are billed by their tokens are not billed by the piece.
  if (usage.output_tokens == 0) put(Unit::image, Count::images);
  if (usage.total_tokens() == 0 || provider_ == "mistral") {
    usage.units[Unit::audio_input_ms] = audio_input_ms_;
  }
  const std::string_view model = model_.empty() ? std::string_view(answer_model_) : model_;
  // Up to Gemini 2.5 a grounded prompt costs the same however often it searched; from 3 on each
  // query is billed (https://ai.google.dev/gemini-api/docs/pricing, 2026-11).
  const bool by_prompt = model.find("gemini-1") != std::string_view::npos ||
                         model.find("gemini-2") != std::string_view::npos;
  if (by_prompt) {
    usage.units[Unit::web_search] = std::min<std::int64_t>(1, usage.units[Unit::web_search]);
  }
  // A request to Sonar costs by the size of its search; deep research by its queries. What is not
  // said is low (https://docs.perplexity.ai/getting-started/pricing, 2026-11).
  const bool is_sonar = provider_ == "perplexity" && model.starts_with("sonar") &&
                        model.find("deep-research") == std::string_view::npos;
  if (is_sonar) {
    usage.units[search_context_.value_or(Unit::search_context_low)] = 1;
    usage.units[Unit::web_search] = 0;
  }
}

Usage laid_over(const Usage& before, Usage now) {
  // A total of writes without its parts is not for five minutes what was for an hour before.
  const std::int64_t written = std::max(before.cache_write_tokens + before.cache_write_1h_tokens,
                                        now.cache_write_tokens + now.cache_write_1h_tokens);
  constexpr std::int64_t Usage::* counts[] = {
      &Usage::input_tokens,        &Usage::cached_input_tokens, &Usage::cache_write_1h_tokens,
      &Usage::output_tokens,       &Usage::reasoning_tokens,    &Usage::audio_input_tokens,
      &Usage::cached_audio_tokens, &Usage::audio_output_tokens, &Usage::image_input_tokens,
      &Usage::cached_image_tokens, &Usage::image_output_tokens};
  for (const auto count : counts) now.*count = std::max(before.*count, now.*count);
  now.cache_write_tokens = written - std::min(written, now.cache_write_1h_tokens);
  for (std::size_t i = 0; i < exchange::units_count; ++i) {
    const auto unit = static_cast<Unit>(i);
    now.units[unit] = std::max(before.units[unit], now.units[unit]);
  }
  if (now.service_tier == ServiceTier::standard) now.service_tier = before.service_tier;
  if (now.geography == Geography::anywhere) now.geography = before.geography;
  if (!now.stated_cost) now.stated_cost = before.stated_cost;
  return now;
}

}  // namespace claviger::provider

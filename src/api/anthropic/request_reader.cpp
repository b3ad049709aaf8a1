#include "api/anthropic/request_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/body_reader.h"
#include "exchange/json_writer.h"

namespace claviger::api::anthropic {
namespace {

using exchange::BadRequest;
using exchange::Operation;
using exchange::Request;
using simdjson::ondemand::value;
using Kind = StrictJson::Kind;

/// What a field can do to the cost of a request.
enum class FieldClass : std::uint8_t {
  free,           ///< Nothing: sampling, or bounded by the output bound.
  content,        ///< It is part of the input, and bounded by its bytes.
  unbounded,      ///< It adds to the bill by what it sets going, not by what it says.
  standard_only,  ///< Priced as usual with the usual word, unbounded with any other.
  model,
  system,
  messages,
  output_max,
  stream,
  metadata,
  thinking,
  tools,
  inference_geo,
  speed,
};

struct Row {
  std::string_view name;
  FieldClass field_class;
};

/// Source: npm @anthropic-ai/sdk 1.14.0, MessageCreateParamsBase in
/// resources/messages/messages.d.ts and resources/beta/messages/messages.d.ts; `temperature`,
/// `top_p` and `top_k` are the API version 2023-06-01's (2026-11). Sorted by name.
constexpr Row fields[] = {
    {"cache_control", FieldClass::free},  // Writes are held at the dearest input rate.
    {"container", FieldClass::unbounded},
    // Compaction samples once more, and that is billed beside the answer.
    {"context_management", FieldClass::unbounded},
    {"inference_geo", FieldClass::inference_geo},
    {"max_tokens", FieldClass::output_max},
    {"mcp_servers", FieldClass::unbounded},
    {"messages", FieldClass::messages},
    {"metadata", FieldClass::metadata},
    {"model", FieldClass::model},
    {"output_config", FieldClass::content},  // The schema; effort counts as output.
    {"output_format", FieldClass::content},
    {"service_tier", FieldClass::standard_only},
    {"speed", FieldClass::speed},
    {"stop_sequences", FieldClass::content},
    {"stream", FieldClass::stream},
    {"system", FieldClass::system},
    {"temperature", FieldClass::free},
    {"thinking", FieldClass::thinking},
    {"tool_choice", FieldClass::free},
    {"tools", FieldClass::tools},
    {"top_k", FieldClass::free},
    {"top_p", FieldClass::free},
};
static_assert(std::is_sorted(std::begin(fields), std::end(fields),
                             [](const Row& a, const Row& b) { return a.name < b.name; }));

const FieldClass* field_class(std::string_view name) {
  for (const Row& row : fields) {
    if (row.name == name) return &row.field_class;
  }
  return nullptr;
}

/// Blocks whose tokens are bounded by their bytes.
bool is_text_block(std::string_view type) {
  constexpr std::string_view types[] = {"text",     "thinking",    "redacted_thinking",
                                        "tool_use", "tool_result", "search_result"};
  return std::find(std::begin(types), std::end(types), type) != std::end(types);
}

/// Tools that the caller runs and Anthropic describes: their descriptions are tokens that stand
/// nowhere in the body.
bool is_described_elsewhere(std::string_view type) {
  constexpr std::string_view prefixes[] = {"bash_", "text_editor_", "memory_", "computer_",
                                           "browser_toolset_"};
  return std::any_of(std::begin(prefixes), std::end(prefixes),
                     [&](std::string_view prefix) { return type.starts_with(prefix); });
}

class RequestReader : private BodyReader {
 public:
  RequestReader(StrictJson& json, Request& request) : BodyReader(json, request) {}

  bool read(simdjson::ondemand::document& document);

 private:
  bool field(std::string_view key, value value);
  bool standard_only(value& value, std::string_view key);
  bool messages(value& value);
  bool message(value& value);
  bool content(value& value, std::string_view name);
  bool block(value& value, std::string_view name);
  struct Block;
  bool source(value& value, Block& block);
  void add_block(const Block& block);
  bool output_max(value& value);
  bool metadata(value& value);
  bool thinking(value& value);
  bool tools(value& value);
  bool tool(value& value);
  struct Tool;
  void add_tool(const Tool& tool);
  bool inference_geo(value& value);
  bool speed(value& value);

  bool has_messages_ = false;
};

bool RequestReader::read(simdjson::ondemand::document& document) {
  const auto each = [this](std::string_view key, value value) { return field(key, value); };
  if (!whole_object(document, "{\"model\": …}", each)) return false;

  const auto missing = [this](std::string_view name, std::string_view what) {
    return json_.fail(BadRequest::Code::missing_field, name,
                      fmt::format("`{}` is missing; {}", name, what));
  };
  if (request_.model.empty()) {
    return missing("model", "name one as `provider/model`, or an alias");
  }
  if (!has_messages_) return missing("messages", "send an array with at least one message");
  if (request_.operation == Operation::chat && !request_.output_tokens_max) {
    return missing("max_tokens", "say how many tokens the answer may have at most");
  }
  return true;
}

bool RequestReader::field(std::string_view key, value value) {
  const FieldClass* const known = field_class(key);
  if (known == nullptr) {
    name_unknown(key);
    return json_.skip(value, key);
  }
  switch (*known) {
    case FieldClass::free:
    case FieldClass::content:
      return json_.skip(value, key);
    case FieldClass::unbounded:
      return unbounded(value, key);
    case FieldClass::standard_only:
      return standard_only(value, key);
    case FieldClass::model:
      return model(value, model_name_bytes_max);
    case FieldClass::system:
      return content(value, "system");
    case FieldClass::messages:
      return messages(value);
    case FieldClass::output_max:
      return output_max(value);
    case FieldClass::stream:
      return stream(value);
    case FieldClass::metadata:
      return metadata(value);
    case FieldClass::thinking:
      return thinking(value);
    case FieldClass::tools:
      return tools(value);
    case FieldClass::inference_geo:
      return inference_geo(value);
    case FieldClass::speed:
      return speed(value);
  }
  return json_.malformed(key);
}

bool RequestReader::standard_only(value& value, std::string_view key) {
  bool ok = true;
  if (is_null(value, key, ok) || !ok) return ok;
  std::string_view word;
  if (!json_.string(value, key, word)) return false;
  constexpr std::string_view usual[] = {"auto", "standard_only", "standard", "default", "global"};
  if (std::find(std::begin(usual), std::end(usual), word) == std::end(usual)) name_unbounded(key);
  return true;
}

bool RequestReader::messages(value& value) {
  has_messages_ = true;
  if (!expect(value, "messages", Kind::array, "an array of messages")) return false;
  return json_.each_element(value, "messages", [this](auto& element) { return message(element); });
}

bool RequestReader::message(value& value) {
  if (!expect(value, "messages", Kind::object, "an array of objects with `role` and `content`")) {
    return false;
  }
  ++request_.parts.messages;
  return json_.each_field(value, "messages", [this](std::string_view key, auto inner) {
    if (key == "content") return content(inner, "messages.content");
    if (key != "role") add_unseen();
    return json_.skip(inner, "messages");
  });
}

bool RequestReader::content(value& value, std::string_view name) {
  Kind kind{};
  if (!json_.kind_of(value, kind, name)) return false;
  if (kind == Kind::string || kind == Kind::null) return json_.skip(value, name);
  if (kind != Kind::array) return json_.wrong_type(name, "a string or an array of blocks");
  return json_.each_element(value, name, [&](auto& element) { return block(element, name); });
}

/// What a block says of itself. Views live as long as the document.
struct RequestReader::Block {
  std::string_view type;
  std::string_view source;  ///< `base64`, `url`, `text`, `file`, …
  std::string_view media_type;
  std::string_view data;
};

bool RequestReader::block(value& value, std::string_view name) {
  if (!expect(value, name, Kind::object, "an array of objects with a `type`")) return false;
  Block block;
  const bool read = json_.each_field(value, name, [&](std::string_view key, auto inner) {
    Kind kind{};
    if (!json_.kind_of(inner, kind, name)) return false;
    if (key == "type") return json_.string(inner, "messages.content.type", block.type);
    // What a tool found may hold pictures.
    if (key == "content" && kind == Kind::array) return content(inner, name);
    if (key == "source" && kind == Kind::object) return source(inner, block);
    return json_.skip(inner, name);
  });
  if (read) add_block(block);
  return read;
}

bool RequestReader::source(value& value, Block& block) {
  return json_.each_field(value, "source", [&](std::string_view key, auto inner) {
    Kind kind{};
    if (!json_.kind_of(inner, kind, "source")) return false;
    if (kind != Kind::string) return json_.skip(inner, "source");
    std::string_view text;
    if (!json_.string(inner, "source", text)) return false;
    if (key == "type") block.source = text;
    if (key == "media_type") block.media_type = text;
    if (key == "data") block.data = text;
    return true;
  });
}

void RequestReader::add_block(const Block& block) {
  if (is_text_block(block.type)) return;
  if (block.type == "container_upload") name_unbounded("container_upload");
  if (block.type == "document" && block.source == "text") return;
  if (block.type == "image" && block.source == "base64") return add_image_in_base64(block.data);
  if (block.type == "image" && block.source == "url") return add_image_at({}, "auto");
  const bool is_pdf =
      block.type == "document" && block.source == "base64" && block.media_type == "application/pdf";
  is_pdf ? add_document(block.data.size()) : add_unseen();
}

bool RequestReader::output_max(value& value) {
  request_.places.output_max_legacy_value = json_.span_of_scalar(value);
  std::int64_t tokens = 0;
  if (!json_.integer(value, "max_tokens", tokens)) return false;
  // 0 fills the provider's cache and generates nothing.
  if (tokens < 0 || tokens > output_tokens_limit) {
    return json_.fail(BadRequest::Code::out_of_range, "max_tokens",
                      fmt::format("`max_tokens` must be between 0 and {}", output_tokens_limit));
  }
  request_.output_tokens_max = tokens;
  return true;
}

bool RequestReader::metadata(value& value) {
  bool ok = true;
  if (is_null(value, "metadata", ok) || !ok) return ok;
  if (!expect(value, "metadata", Kind::object, "an object")) return false;
  return json_.each_field(value, "metadata", [this](std::string_view key, auto inner) {
    if (key != "user_id") return json_.skip(inner, "metadata");
    return end_user(inner, "metadata.user_id", end_user_bytes_max, request_.end_user);
  });
}

bool RequestReader::thinking(value& value) {
  bool ok = true;
  if (is_null(value, "thinking", ok) || !ok) return ok;
  if (!expect(value, "thinking", Kind::object, "an object")) return false;
  return json_.each_field(value, "thinking", [this](std::string_view key, auto inner) {
    if (key != "budget_tokens") return json_.skip(inner, "thinking");
    request_.places.thinking_budget_value = json_.span_of_scalar(inner);
    return json_.integer(inner, "thinking.budget_tokens", request_.thinking_tokens_max);
  });
}

bool RequestReader::tools(value& value) {
  bool ok = true;
  if (is_null(value, "tools", ok) || !ok) return ok;
  if (!expect(value, "tools", Kind::array, "an array of tools")) return false;
  return json_.each_element(value, "tools", [this](auto& element) { return tool(element); });
}

/// What a tool says of itself. Views live as long as the document.
struct RequestReader::Tool {
  std::string_view type;
  std::optional<std::int64_t> uses_max;
};

/// So often the server asks the model at most before it pauses a turn
/// (https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons, "pause_turn",
/// 2026-11), and the answer once more.
constexpr std::int64_t server_rounds_max = 10 + 1;
/// More searches than any request makes; keeps sums from overflowing.
constexpr std::int64_t tool_uses_limit = 1'000'000;

/// A tool that the caller runs costs its description. One that the provider runs (web search,
/// code execution) costs per use, as often as the model likes, unless `max_uses` bounds that.
bool RequestReader::tool(value& value) {
  if (!expect(value, "tools", Kind::object, "an array of objects with a `name`")) return false;
  Tool tool;
  const bool read = json_.each_field(value, "tools", [&](std::string_view key, auto inner) {
    const bool is_type = key == "type";
    bool good = true;
    if (!is_type && key != "max_uses") return json_.skip(inner, "tools");
    if (is_null(inner, key, good) || !good) return good;
    if (is_type) return json_.string(inner, "tools.type", tool.type);
    std::int64_t uses = 0;
    if (!json_.integer(inner, "tools.max_uses", uses)) return false;
    if (uses < 0 || uses > tool_uses_limit) {
      return json_.fail(BadRequest::Code::out_of_range, "tools.max_uses",
                        fmt::format("`max_uses` must be between 0 and {}", tool_uses_limit));
    }
    tool.uses_max = uses;
    return true;
  });
  if (read) add_tool(tool);
  return read;
}

/// Searches cost each, and what they find is read as input in every further round; pages that are
/// fetched cost no more than that (https://platform.claude.com/docs/en/agents-and-tools/tool-use/
/// web-search-tool and …/web-fetch-tool, 2026-11). Later versions run code of the model's own in
/// between, and nothing says how often.
void RequestReader::add_tool(const Tool& tool) {
  constexpr std::string_view searches = "web_search_20250305";
  constexpr std::string_view fetches = "web_fetch_20250910";
  exchange::Extras& extras = request_.extras;
  if (is_described_elsewhere(tool.type)) {
    add_unseen();
  } else if (tool.type.empty() || tool.type == "custom") {
    ++request_.parts.tools;
  } else if (tool.uses_max && (tool.type == searches || tool.type == fetches)) {
    ++request_.parts.tools;
    extras.rounds_max = server_rounds_max;
    if (tool.type == fetches) return;
    extras.units_max[exchange::Unit::web_search] += *tool.uses_max;
    extras.priced_fields.push_back(
        {.field = fmt::format("tools.{}", searches), .needs = exchange::Unit::web_search});
  } else {
    const bool lacks_bound = tool.type == searches || tool.type == fetches;
    name_unbounded(fmt::format("tools.{}{}", exchange::clipped(tool.type, named_field_bytes_max),
                               lacks_bound ? " without max_uses" : ""));
  }
}

/// Data residency is charged at 1.1 times the price; who does not say where gets what the
/// workspace is set to (https://platform.claude.com/docs/en/build-with-claude/data-residency,
/// 2026-11).
bool RequestReader::inference_geo(value& value) {
  bool ok = true;
  if (is_null(value, "inference_geo", ok) || !ok) return ok;
  std::string_view word;
  if (!json_.string(value, "inference_geo", word)) return false;
  if (word == "global") request_.extras.geography = exchange::Geography::anywhere;
  if (word != "global" && word != "us") name_unbounded("inference_geo");
  return true;
}

bool RequestReader::speed(value& value) {
  bool ok = true;
  if (is_null(value, "speed", ok) || !ok) return ok;
  std::string_view word;
  if (!json_.string(value, "speed", word)) return false;
  if (word == "standard") return true;
  if (word != "fast") {
    name_unbounded("speed");
    return true;
  }
  request_.extras.service_tier = exchange::ServiceTier::fast;
  request_.extras.priced_fields.push_back({.field = "speed", .needs = exchange::ServiceTier::fast});
  return true;
}

}  // namespace

std::expected<Request, BadRequest> read_request(Operation operation, std::string_view body) {
  Request request;
  request.operation = operation;
  request.dialect = exchange::DialectId::anthropic;
  request.wants_usage_event = true;  // This dialect's streams always say what they used.
  request.extras.geography = exchange::Geography::regional;  // Until it says otherwise.
  return read_body<RequestReader>(std::move(request), body);
}

}  // namespace claviger::api::anthropic

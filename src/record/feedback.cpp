#include "record/feedback.h"

#include <fmt/format.h>

#include "exchange/json_tree.h"
#include "exchange/json_writer.h"
#include "record/record_json.h"

namespace claviger::record {
namespace {

using exchange::JsonNode;

std::unexpected<std::string> wrong(std::string message) {
  return std::unexpected(std::move(message));
}

std::optional<Opinion> read_opinion(JsonNode value) {
  if (value.is_string() && value.text() == "good") return Opinion::good;
  if (value.is_string() && value.text() == "bad") return Opinion::bad;
  return std::nullopt;
}

}  // namespace

std::string_view to_string(Opinion opinion) {
  return opinion == Opinion::good ? "good" : "bad";
}

std::expected<Feedback, std::string> read_feedback(std::string_view json) {
  if (json.size() > feedback_body_bytes_max) {
    return wrong(fmt::format("feedback has at most {} bytes", feedback_body_bytes_max));
  }
  exchange::JsonTree tree;
  if (!tree.read(json) || !tree.root().is_object()) {
    return wrong(R"(feedback is one JSON object: {"verdict": "good" or "bad", "why": "…"})");
  }
  Feedback feedback;
  std::optional<Opinion> opinion;
  bool has_opinion = false;
  bool has_why = false;
  for (const JsonNode member : tree.root()) {
    if (member.key() == "verdict" && !has_opinion) {
      opinion = read_opinion(member);
      has_opinion = true;
    } else if (member.key() == "why" && !has_why) {
      has_why = true;
      if (!member.says_something()) continue;
      if (!member.is_string() || member.text().size() > feedback_why_bytes_max) {
        return wrong(
            fmt::format(R"("why" must be a text of at most {} bytes)", feedback_why_bytes_max));
      }
      feedback.why = member.text();
    } else {
      return wrong(R"(feedback has the fields "verdict" and "why", once each)");
    }
  }
  if (!opinion) return wrong(R"("verdict" must be "good" or "bad")");
  feedback.opinion = *opinion;
  return feedback;
}

std::string to_json(const std::optional<Feedback>& feedback) {
  if (!feedback) return "null";
  std::string out = fmt::format(R"({{"verdict":"{}","why":)", to_string(feedback->opinion));
  if (feedback->why.empty()) {
    out += "null";
  } else {
    exchange::append_json_string(out, feedback->why);
  }
  return out + fmt::format(R"(,"given_at":"{}"}})", to_rfc3339(feedback->given_at));
}

}  // namespace claviger::record

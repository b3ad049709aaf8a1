#include <algorithm>
#include <array>

#include "fault/reading_collector.h"

namespace claviger::fault {
namespace {

using Value = JsonGlance::Value;
using Kind = JsonGlance::Kind;

constexpr std::size_t kLabelBytesMax = 160;
/// A hostile body must not make us walk for long.
constexpr int kNodesVisitedMax = 600;

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

/// error_message, errorMessage and ErrorMessage are one name.
std::string plain_name(std::string_view key) {
  std::string name;
  for (const char c : key.substr(0, 40)) {
    if (c != '_' && c != '-') name += lower(c);
  }
  return name;
}

template <std::size_t N>
bool is_one_of(std::string_view name, const std::array<std::string_view, N>& names) {
  return std::ranges::find(names, name) != names.end();
}

constexpr std::array<std::string_view, 17> kMessageNames = {
    "message",  "msg",     "errormessage", "errormsg",       "errordescription", "detail",
    "title",    "desc",    "description",  "statusmsg",      "errmsg",           "statusmessage",
    "userinfo", "summary", "explanation",  "displaymessage", "originalmessage"};
constexpr std::array<std::string_view, 19> kLabelNames = {
    "code",    "type",       "status",        "reason",      "errorcode",    "errortype", "name",
    "quotaid", "statuscode", "errcode",       "limitsource", "providercode", "errorname", "kind",
    "subcode", "category",   "errortypename", "errorreason", "bizcode"};
constexpr std::array<std::string_view, 27> kContainerNames = {
    "error",         "errors",    "details", "innererror",       "metadata",      "availability",
    "fault",         "baseresp",  "cause",   "violations",       "raw",           "originalerror",
    "upstreamerror", "response",  "body",    "validationerrors", "header",        "errordata",
    "exception",     "errorinfo", "inner",   "problem",          "providererror", "data",
    "output",        "result",    "issues"};
constexpr std::array<std::string_view, 9> kPauseNames = {
    "retrydelay",        "estimatedtime", "retryafter",
    "retryafterseconds", "retryafterms",  "retryaftersec",
    "cooldown",          "waitseconds",   "retryin"};

/// One word, as codes are: "unauthorized", "rate_limit_exceeded".
bool is_slug(std::string_view text) {
  return !text.empty() && text.size() <= 64 && text.find(' ') == std::string_view::npos;
}

bool is_number(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

/// What stands in front of every error of an aggregator and says nothing.
bool is_wrapper_text(std::string_view text) {
  constexpr std::array<std::string_view, 6> kWrappers = {
      "Provider returned error", "Upstream error",          "provider error",
      "Error from provider",     "Upstream provider error", "Error"};
  return is_one_of(text, kWrappers);
}

}  // namespace

void Collector::add_label(std::string_view label) {
  if (label.empty() || reading_.labels.size() >= labels_max) return;
  std::string kept(label.substr(0, kLabelBytesMax));
  if (std::ranges::find(reading_.labels, kept) == reading_.labels.end()) {
    reading_.labels.push_back(std::move(kept));
  }
}

void Collector::add_signal(std::string_view name) {
  add_label("signal: " + std::string(name));
}

void Collector::add_message(std::string_view text, int depth) {
  if (text.empty()) return;
  if (looks_like_html(text)) {
    const std::string plain = text_of_html(text, 600);
    add_label("form: html inside");
    return plain.empty() ? void() : add_message(plain, unwrapping_depth_max);
  }
  std::string_view words = text;
  if (depth < unwrapping_depth_max) {
    const std::size_t brace = text.find_first_of("{[");
    if (brace != std::string_view::npos &&
        text.substr(brace).find("\":") != std::string_view::npos) {
      const JsonGlance inner(text.substr(brace));
      if (inner.root().is(Kind::object) || inner.root().at(0).is(Kind::object)) {
        const std::size_t messages_before = reading_.message.size();
        const std::size_t labels_before = reading_.labels.size();
        collect(inner.root(), depth + 1);
        const bool found =
            reading_.message.size() != messages_before || reading_.labels.size() != labels_before;
        if (found) words = text.substr(0, brace);
      }
    }
  }
  while (words.ends_with(' ')) words.remove_suffix(1);
  if (words.empty() || is_wrapper_text(words)) return;
  if (reading_.message.size() >= message_bytes_max) return;
  if (!reading_.message.empty()) reading_.message += " | ";
  reading_.message += words.substr(0, message_bytes_max - reading_.message.size());
}

void Collector::take_status(Value value) {
  const std::int64_t number = value.integer();
  if (number >= 400 && number <= 599) reading_.inner_status = static_cast<int>(number);
}

void Collector::take_pause(std::string_view key, Value value) {
  double seconds = value.number(-1);
  if (seconds < 0 && value.is(Kind::string)) {
    const std::string_view raw = value.raw();
    if (raw.ends_with("s") && raw.size() <= 20) {
      const std::string digits = "[" + std::string(raw.substr(0, raw.size() - 1)) + "]";
      seconds = JsonGlance(digits).root().at(0).number(-1);
    }
  }
  if (key == "retryafterms") seconds /= 1000;
  if (seconds > 0 && seconds < 1e9) reading_.retry_after_s = seconds;
}

void Collector::collect(Value value, int depth) {
  if (++nodes_visited_ > kNodesVisitedMax) return;
  switch (value.kind()) {
    case Kind::object:
      collect_object(value, depth);
      break;
    case Kind::array: {
      constexpr std::size_t kElementsMax = 8;
      for (std::size_t i = 0; i < kElementsMax && value.at(i).kind() != Kind::absent; ++i) {
        collect(value.at(i), depth);
      }
      break;
    }
    case Kind::string: {
      const std::string text = value.text();
      if (is_slug(text) && !is_number(text)) add_label(text);
      add_message(text, depth);
      break;
    }
    case Kind::absent:
    case Kind::number:
    case Kind::truth:
    case Kind::null:
      break;
  }
}

void Collector::collect_object(Value object, int depth) {
  for (Value child = object.first_child(); child.kind() != Kind::absent; child = child.next()) {
    if (++nodes_visited_ > kNodesVisitedMax) return;
    if (!child) continue;
    const std::string name = plain_name(child.key());
    const bool is_scalar = child.is(Kind::string) || child.is(Kind::number);
    if (is_one_of(name, kPauseNames)) {
      take_pause(name, child);
    } else if (is_one_of(name, kMessageNames)) {
      if (child.is(Kind::string)) {
        add_message(child.text(), depth);
      } else {
        collect(child, depth);
      }
    } else if (is_one_of(name, kLabelNames) && is_scalar) {
      take_status(child);
      const std::string text = child.text(kLabelBytesMax);
      // `error`, `object` and the like name the envelope, not the failure.
      // A number that is an HTTP status says no more than the status does.
      const bool is_status = is_number(text) && text.size() == 3;
      if (text != "error" && text != "Error" && !is_status) add_label(text);
    } else if (name == "httpstatus" || name == "httpcode" || name == "rawstatuscode") {
      take_status(child);
    } else if (is_one_of(name, kContainerNames) || is_one_of(name, kLabelNames)) {
      if (child.is(Kind::object) || child.is(Kind::array) || child.is(Kind::string)) {
        collect(child, depth);
      }
    } else if (name == "signinurl") {
      add_signal("sign_in_needed");
    }
  }
}

bool Collector::reports_error(Value root) {
  if (root.is(Kind::array)) root = root.at(0);
  const Value error = root["error"];
  if (error && !(error.is(Kind::string) && error.raw().empty()) &&
      !(error.is(Kind::truth) && error.raw() == "false")) {
    return true;
  }
  if (root["errors"].size() > 0 || root["type"].raw() == "error" ||
      root["object"].raw() == "error") {
    return true;
  }
  if (const auto base = root["base_resp"]; base && base["status_code"].integer() != 0) return true;
  if (root["success"].raw() == "false") return true;
  if (root["status"].raw() == "failed") return true;
  if (root["error_code"] && root["error_msg"]) return true;
  const bool has_output = root["choices"] || root["candidates"] || root["content"] ||
                          root["output"] || root["data"] || root["message"].is(Kind::object);
  return !has_output && root["code"] && root["message"].is(Kind::string);
}

void Collector::read_choice(Value choice) {
  if (choice["error"]) {
    reading_.has_error = true;
    collect(choice["error"]);
  }
  for (const std::string_view name : {"finish_reason", "native_finish_reason", "stop_reason"}) {
    if (choice[name].is(Kind::string)) add_label("finish: " + choice[name].text(80));
  }
  const Value message = choice["message"] ? choice["message"] : choice["delta"];
  if (message["refusal"].is(Kind::string) && !message["refusal"].raw().empty()) {
    add_signal("refusal");
  }
  const Value content = message["content"];
  const bool has_text = content.is(Kind::string) ? !content.raw().empty() : content.size() > 0;
  if (has_text || message["tool_calls"].size() > 0 || !choice["text"].raw().empty() ||
      message["audio"] || message["function_call"]) {
    reading_.has_content = true;
  }
  for (std::size_t i = 0; i < 8; ++i) {
    const Value arguments = message["tool_calls"].at(i)["function"]["arguments"];
    if (!choice["message"] || !arguments.is(Kind::string) || arguments.raw().empty()) continue;
    const std::string text = arguments.text(64 << 10);
    if (!JsonGlance(text).is_whole()) add_signal("broken_tool_arguments");
  }
}

void Collector::read_candidate(Value candidate) {
  if (candidate["finishReason"].is(Kind::string)) {
    add_label("finish: " + candidate["finishReason"].text(80));
  }
  if (candidate["content"]["parts"].size() > 0) reading_.has_content = true;
}

void Collector::read_output_items(Value output) {
  for (std::size_t i = 0; i < JsonGlance::elements_max; ++i) {
    const Value item = output.at(i);
    if (item.kind() == Kind::absent) return;
    if (item["type"].raw() == "function_call") reading_.has_content = true;
    for (std::size_t j = 0; j < 8; ++j) {
      const Value part = item["content"].at(j);
      if (part["type"].raw() == "refusal") add_signal("refusal");
      if (!part["text"].raw().empty()) reading_.has_content = true;
    }
  }
}

void Collector::read_signals(Value root) {
  if (root.is(Kind::array)) root = root.at(0);
  // Responses API: an answer inside an event.
  if (root["response"].is(Kind::object)) root = root["response"];
  read_choice(root["choices"].at(0));
  read_candidate(root["candidates"].at(0));
  if (const auto block = root["promptFeedback"]["blockReason"]; block) {
    add_label("block: " + block.text(80));
  }
  for (const std::string_view name :
       {"stop_reason", "stopReason", "done_reason", "finish_reason"}) {
    if (root[name].is(Kind::string)) add_label("finish: " + root[name].text(80));
  }
  if (root["incomplete_details"]["reason"]) {
    add_label("finish: " + root["incomplete_details"]["reason"].text(80));
  }
  // Anthropic's details of a refusal (https://docs.claude.com/en/api/errors, 2026-11-25).
  const Value content = root["content"];
  if (content.is(Kind::array) ? content.size() > 0 : !content.raw().empty()) {
    reading_.has_content = true;
  }
  const Value message = root["message"];
  if (message["content"].is(Kind::array) ? message["content"].size() > 0
                                         : !message["content"].raw().empty()) {
    reading_.has_content = true;
  }
  if (root["output"]["message"]["content"].size() > 0 || !root["output"]["text"].raw().empty() ||
      root["data"].size() > 0 || !root["output_text"].raw().empty() ||
      message["tool_calls"].size() > 0) {
    reading_.has_content = true;
  }
  read_output_items(root["output"]);
}

bool looks_like_html(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos || text[begin] != '<') return false;
  std::string head;
  for (const char c : text.substr(begin, 400)) head += lower(c);
  return head.starts_with("<!doctype html") || head.starts_with("<html") ||
         head.find("<head") != std::string::npos || head.find("<title") != std::string::npos ||
         head.find("<body") != std::string::npos || head.find("<html") != std::string::npos ||
         head.starts_with("<h1") || head.starts_with("<center");
}

std::string text_of_html(std::string_view html, std::size_t bytes_max) {
  std::string out;
  bool inside_tag = false;
  for (std::size_t i = 0; i < html.size() && out.size() < bytes_max; ++i) {
    const char c = html[i];
    if (c == '<') {
      for (const std::string_view hidden : {"script", "style"}) {
        if (html.substr(i + 1, hidden.size()) != hidden) continue;
        const std::size_t end = html.find("</" + std::string(hidden), i);
        if (end == std::string_view::npos) return out;
        i = end;
      }
      inside_tag = true;
    } else if (c == '>') {
      inside_tag = false;
      if (!out.empty() && out.back() != ' ') out += ' ';
    } else if (!inside_tag) {
      const bool blank = c == '\n' || c == '\r' || c == '\t' || c == ' ';
      if (!blank) {
        out += c;
      } else if (!out.empty() && out.back() != ' ') {
        out += ' ';
      }
    }
  }
  return out;
}

}  // namespace claviger::fault

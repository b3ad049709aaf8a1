#include "bill.h"

#include <fmt/format.h>

#include "json_text.h"

namespace claviger::fakes {
namespace {

constexpr std::string_view kNamePrefix = "fake-";

std::string_view to_string(Outcome outcome) {
  switch (outcome) {
    case Outcome::running:
      return "running";
    case Outcome::whole:
      return "whole";
    case Outcome::broken_off:
      return "broken_off";
  }
  return "unknown";
}

}  // namespace

NanoUsd cost_of(const Tokens& tokens, const Prices& prices) {
  CostSum sum;
  sum.add(tokens.prompt_tokens - tokens.cached_tokens, prices.input);
  sum.add(tokens.cached_tokens, prices.cached_input);
  sum.add(tokens.completion_tokens, prices.output);
  return sum.rounded_up();
}

std::string request_name(RequestNumber number) {
  return fmt::format("{}{}", kNamePrefix, number);
}

const Prices& Bill::prices_of(std::string_view model) const {
  const auto found = prices_.find(model);
  return found == prices_.end() ? default_prices_ : found->second;
}

RequestNumber Bill::open(std::string_view model, std::string_view client_id) {
  if (lines_.size() == kRequestsRemembered) lines_.pop_front();
  lines_.push_back(Line{.number = ++last_number_,
                        .model = std::string(model),
                        .client_id = std::string(client_id),
                        .status = 0,
                        .tokens = {},
                        .cost = {},
                        .outcome = Outcome::running});
  ++requests_;
  ++running_;
  return last_number_;
}

Bill::Line* Bill::find(RequestNumber number) {
  if (lines_.empty() || number < lines_.front().number || number > lines_.back().number) {
    return nullptr;
  }
  return &lines_[number - lines_.front().number];
}

void Bill::set_status(RequestNumber number, int status) {
  if (Line* line = find(number)) line->status = status;
}

void Bill::charge(RequestNumber number, const Tokens& tokens) {
  Line* line = find(number);
  if (line == nullptr) return;
  total_.prompt_tokens += tokens.prompt_tokens - line->tokens.prompt_tokens;
  total_.cached_tokens += tokens.cached_tokens - line->tokens.cached_tokens;
  total_.completion_tokens += tokens.completion_tokens - line->tokens.completion_tokens;
  const NanoUsd cost = cost_of(tokens, prices_of(line->model));
  cost_ += cost - line->cost;
  line->tokens = tokens;
  line->cost = cost;
}

void Bill::close(RequestNumber number, Outcome outcome) {
  Line* line = find(number);
  if (line == nullptr || line->outcome != Outcome::running) return;
  line->outcome = outcome;
  --running_;
}

void Bill::add_fixed(const Tokens& tokens, NanoUsd cost) {
  ++requests_;
  total_.prompt_tokens += tokens.prompt_tokens;
  total_.cached_tokens += tokens.cached_tokens;
  total_.completion_tokens += tokens.completion_tokens;
  cost_ += cost;
}

void Bill::reset() {
  lines_.clear();
  requests_ = 0;
  running_ = 0;
  total_ = {};
  cost_ = {};
}

std::string Bill::totals_json() const {
  return fmt::format(
      R"({{"requests":{},"running":{},"prompt_tokens":{},"cached_tokens":{},"completion_tokens":{},"cost_nanos":{}}})",
      requests_, running_, total_.prompt_tokens, total_.cached_tokens, total_.completion_tokens,
      cost_.nanos());
}

void Bill::append_json(const Line& line, std::string& out) {
  fmt::format_to(std::back_inserter(out), R"({{"id":"{}","model":)", request_name(line.number));
  append_json_string(line.model, out);
  out.append(R"(,"client_id":)");
  append_json_string(line.client_id, out);
  fmt::format_to(
      std::back_inserter(out),
      R"(,"status":{},"prompt_tokens":{},"cached_tokens":{},"completion_tokens":{},"cost_nanos":{},"outcome":"{}"}})",
      line.status, line.tokens.prompt_tokens, line.tokens.cached_tokens,
      line.tokens.completion_tokens, line.cost.nanos(), to_string(line.outcome));
}

std::string Bill::after_json(RequestNumber number) const {
  std::string out = R"({"each":[)";
  for (const Line& line : lines_) {
    if (line.number <= number) continue;
    if (out.back() != '[') out.push_back(',');
    append_json(line, out);
  }
  return out += "]}";
}

std::optional<std::string> Bill::request_json(std::string_view name) const {
  for (auto line = lines_.rbegin(); line != lines_.rend(); ++line) {
    if (request_name(line->number) != name) continue;
    std::string out;
    append_json(*line, out);
    return out;
  }
  return std::nullopt;
}

}  // namespace claviger::fakes

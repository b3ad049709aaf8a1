#include "record/record_json.h"

#include <fmt/format.h>

#include <ctime>

#include "exchange/json_writer.h"

namespace claviger::record {
namespace {

std::string_view to_text(CostState state) {
  switch (state) {
    case CostState::none:
      return "none";
    case CostState::billed:
      return "billed";
    case CostState::estimated:
      return "estimated";
    case CostState::quarantined:
      return "quarantined";
  }
  return "none";
}

/// Writes members in order; a value that is not there becomes null.
class ObjectWriter {
 public:
  void text(std::string_view name, std::string_view value) {
    key(name);
    exchange::append_json_string(out_, value);
  }
  void text_or_null(std::string_view name, std::string_view value) {
    if (value.empty()) return raw(name, "null");
    text(name, value);
  }
  void raw(std::string_view name, std::string_view json) {
    key(name);
    out_ += json;
  }
  void number(std::string_view name, std::int64_t value) { raw(name, std::to_string(value)); }
  void duration(std::string_view name, std::int64_t value) {
    raw(name, value < 0 ? "null" : std::to_string(value));
  }
  void boolean(std::string_view name, bool value) { raw(name, value ? "true" : "false"); }
  template <typename Id>
  void id(std::string_view name, Id value) {
    if (value.is_none()) return raw(name, "null");
    text(name, value.text());
  }
  std::string finish() && { return out_.empty() ? "{}" : std::move(out_) + "}"; }

 private:
  void key(std::string_view name) {
    out_ += out_.empty() ? "{\"" : ",\"";
    out_.append(name).append("\":");
  }
  std::string out_;
};

/// `a,b` as `["a","b"]`.
std::string list_of_names(std::string_view names) {
  std::string out = "[";
  while (!names.empty()) {
    const std::size_t comma = names.find(',');
    if (out.size() > 1) out += ',';
    exchange::append_json_string(out, names.substr(0, comma));
    names.remove_prefix(comma == std::string_view::npos ? names.size() : comma + 1);
  }
  return out + "]";
}

std::string texts_json(const std::vector<std::string>& texts) {
  std::string out = "[";
  for (const std::string& text : texts) {
    if (out.size() > 1) out += ',';
    exchange::append_json_string(out, text);
  }
  return out + "]";
}

/// 930 as 0.93.
std::string share_json(int permille) {
  return fmt::format("{:.3g}", permille / static_cast<double>(permille_max));
}

std::string suspects_json(const std::vector<JudgedSuspect>& suspects) {
  std::string out = "[";
  for (const JudgedSuspect& suspect : suspects) {
    ObjectWriter one;
    one.text("at_fault", suspect.at_fault);
    one.text("cause", suspect.cause);
    one.raw("confidence", share_json(suspect.confidence_permille));
    if (out.size() > 1) out += ',';
    out += std::move(one).finish();
  }
  return out + "]";
}

void write_judgement(ObjectWriter& object, const Judgement& judgement) {
  object.text_or_null("retry", judgement.retry);
  object.raw("retry_after_s",
             judgement.retry_after_s > 0 ? std::to_string(judgement.retry_after_s) : "null");
  object.raw("suspects", suspects_json(judgement.suspects));
  object.raw("evidence", texts_json(judgement.evidence));
}

/// Kinds that nothing was used of are left out. Those of input do not overlap; sound and pictures
/// are parts of the kind that they stand beside, and reasoning of the output.
std::string tokens_by_kind(const exchange::Usage& usage) {
  ObjectWriter object;
  const auto add = [&](std::string_view kind, std::int64_t tokens) {
    if (tokens != 0) object.number(kind, tokens);
  };
  add("input", usage.input_tokens);
  add("cached_input", usage.cached_input_tokens);
  add("cache_write", usage.cache_write_tokens);
  add("cache_write_1h", usage.cache_write_1h_tokens);
  add("output", usage.output_tokens);
  add("reasoning", usage.reasoning_tokens);
  add("audio_input", usage.audio_input_tokens);
  add("cached_audio", usage.cached_audio_tokens);
  add("audio_output", usage.audio_output_tokens);
  add("image_input", usage.image_input_tokens);
  add("cached_image", usage.cached_image_tokens);
  add("image_output", usage.image_output_tokens);
  return std::move(object).finish();
}

std::string pieces_by_unit(const exchange::Usage& usage) {
  ObjectWriter object;
  for (std::size_t i = 0; i < exchange::units_count; ++i) {
    const auto unit = static_cast<exchange::Unit>(i);
    if (usage.units[unit] != 0) object.number(to_string(unit), usage.units[unit]);
  }
  return std::move(object).finish();
}

}  // namespace

std::string to_rfc3339(WallTime time) {
  const std::int64_t micros = unix_micros(time);
  const std::time_t seconds = micros / 1'000'000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  return fmt::format("{}.{:03}Z", text, micros / 1000 % 1000);
}

std::string confidence_json(const Record& record) {
  return record.judgement.is_empty() ? "null" : share_json(record.judgement.confidence_permille);
}

std::string to_json(const Record& record) {
  ObjectWriter object;
  object.text("id", record.id.text());
  object.text("started_at", to_rfc3339(record.started_at));
  object.id("owner", record.owner);
  object.id("app", record.app);
  object.id("key", record.key);
  object.id("credential", record.credential);
  object.text_or_null("end_user", record.end_user);
  object.text("operation", record.operation);
  object.text("model_asked", record.model_asked);
  object.text_or_null("model", record.model);
  object.text_or_null("provider_request_id", record.provider_request_id);
  object.boolean("streamed", record.streamed);
  object.boolean("unbounded", record.unbounded);
  object.boolean("caller_left", record.caller_left);
  object.number("attempts", record.attempts);
  object.number("status", record.status);
  object.number("provider_status", record.provider_status);
  object.text_or_null("error_code", record.error_code);
  object.text_or_null("at_fault", record.at_fault);
  object.raw("confidence", confidence_json(record));
  write_judgement(object, record.judgement);
  object.text_or_null("finish_reason", record.finish_reason);
  object.raw("soft_failures", list_of_names(record.soft_failures));
  object.number("input_tokens", record.usage.total_input_tokens());
  object.number("cached_input_tokens", record.usage.cached_input_tokens);
  object.number("output_tokens", record.usage.output_tokens);
  object.number("reasoning_tokens", record.usage.reasoning_tokens);
  object.raw("tokens", tokens_by_kind(record.usage));
  object.raw("pieces", pieces_by_unit(record.usage));
  object.text("service_tier", to_string(record.usage.service_tier));
  object.text("held_usd", to_decimal(record.held));
  object.text("cost_usd", to_decimal(record.cost));
  object.text("cost_state", to_text(record.cost_state));
  object.duration("admitted_us", record.times.admitted_us);
  object.duration("connected_us", record.times.connected_us);
  object.duration("sent_us", record.times.sent_us);
  object.duration("first_byte_us", record.times.first_byte_us);
  object.duration("total_us", record.times.total_us);
  object.duration("overhead_us", record.times.overhead_us);
  object.number("request_bytes", record.request_bytes);
  object.number("answer_bytes", record.answer_bytes);
  return std::move(object).finish();
}

}  // namespace claviger::record

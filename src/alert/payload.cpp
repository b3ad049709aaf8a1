#include "alert/payload.h"

#include <fmt/format.h>

#include "exchange/json_writer.h"
#include "record/record_json.h"

namespace claviger::alert {

Message message_of(const Alert& alert) {
  return {.id = alert.id,
          .type = std::string(to_text(alert.finding.condition)),
          .at = alert.detected_at,
          .summary = alert.finding.summary,
          .details = alert.finding.details};
}

Message test_message(WallTime now) {
  return {.id = new_alert_id(now),
          .type = std::string(kTestType),
          .at = now,
          .summary = "This is a test of an alert channel of Claviger; there is nothing to do.",
          .details = "{}"};
}

std::string to_json(const Message& message) {
  return Details()
      .number("version", kPayloadVersion)
      .text("type", message.type)
      .text("id", message.id)
      .time("timestamp", message.at)
      .text("text", message.summary)
      .raw("data", message.details)
      .finish();
}

std::string to_words(WallTime time) {
  constexpr std::array kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(std::chrono::floor<std::chrono::minutes>(time - day));
  return fmt::format("{} {:04}-{:02}-{:02} {:02}:{:02} UTC",
                     kDays[std::chrono::weekday(day).c_encoding()], static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count());
}

Details& Details::text(std::string_view name, std::string_view value) {
  return raw(name, exchange::json_string(value));
}
Details& Details::usd(std::string_view name, NanoUsd value) {
  return text(name, to_decimal(value));
}
Details& Details::time(std::string_view name, std::optional<WallTime> value) {
  return value ? text(name, record::to_rfc3339(*value)) : raw(name, "null");
}
Details& Details::number(std::string_view name, std::int64_t value) {
  return raw(name, std::to_string(value));
}
Details& Details::raw(std::string_view name, std::string_view json) {
  out_ += out_.empty() ? '{' : ',';
  exchange::append_json_string(out_, name);
  out_ += ':';
  out_ += json;
  return *this;
}

}  // namespace claviger::alert

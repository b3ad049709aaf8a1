#include "store/record_block.h"

#include <concepts>
#include <optional>
#include <type_traits>
#include <utility>

namespace claviger::store {
namespace {

using record::Record;

/// Says how the rest is to be read. A block of another format begins with another number.
constexpr std::uint64_t kFormat = 1;

/// The one list of fields: calls `visit(number, field…)` with that field of each record given.
/// A field's number never changes and is never used again; new ones get the next number and
/// stand at the end, and in blocks from before them they have their defaults.
template <typename Visitor, typename... Some>
void each_field(Visitor&& visit, Some&... record) {
  visit(1, record.started_at...);
  visit(2, record.owner...);
  visit(3, record.app...);
  visit(4, record.key...);
  visit(5, record.credential...);
  visit(6, record.end_user...);
  visit(7, record.operation...);
  visit(8, record.model_asked...);
  visit(9, record.model...);
  visit(10, record.provider_request_id...);
  visit(11, record.streamed...);
  visit(12, record.clamped...);
  visit(13, record.caller_left...);
  visit(14, record.attempts...);
  visit(15, record.status...);
  visit(16, record.provider_status...);
  visit(17, record.error_code...);
  visit(18, record.at_fault...);
  visit(19, record.finish_reason...);
  visit(20, record.usage.input_tokens...);
  visit(21, record.usage.cached_input_tokens...);
  visit(22, record.usage.cache_write_tokens...);
  visit(23, record.usage.cache_write_1h_tokens...);
  visit(24, record.usage.output_tokens...);
  visit(25, record.usage.reasoning_tokens...);
  visit(26, record.usage.stated_cost...);
  visit(27, record.held...);
  visit(28, record.cost...);
  visit(29, record.cost_state...);
  visit(30, record.times.admitted_us...);
  visit(31, record.times.connected_us...);
  visit(32, record.times.sent_us...);
  visit(33, record.times.first_byte_us...);
  visit(34, record.times.total_us...);
  visit(35, record.times.overhead_us...);
  visit(36, record.request_bytes...);
  visit(37, record.answer_bytes...);
  visit(38, record.usage.audio_input_tokens...);
  visit(39, record.soft_failures...);
  visit(40, record.judgement...);
  visit(41, record.usage.cached_audio_tokens...);
  visit(42, record.usage.audio_output_tokens...);
  visit(43, record.usage.image_input_tokens...);
  visit(44, record.usage.cached_image_tokens...);
  visit(45, record.usage.image_output_tokens...);
  visit(46, record.usage.units...);
  visit(47, record.usage.service_tier...);
  visit(48, record.usage.geography...);
  visit(49, record.unbounded...);
}
/// Behind the last field of a record.
constexpr std::uint64_t kEnd = 0;

// How each type of field is written, and read back.

void pack(Packer& out, std::integral auto value) {
  out.integer(static_cast<std::int64_t>(value));
}
void pack(Packer& out, const std::string& value) {
  out.text(value);
}
void pack(Packer& out, WallTime value) {
  out.integer(unix_micros(value));
}
void pack(Packer& out, NanoUsd value) {
  out.integer(value.nanos());
}
template <typename Kind>
void pack(Packer& out, RowId<Kind> value) {
  out.integer(value.value);
}
template <typename Value>
void pack(Packer& out, const std::optional<Value>& value) {
  out.natural(value ? 1 : 0);
  if (value) pack(out, *value);
}
/// One field, since its parts mean nothing without each other.
void pack(Packer& out, const record::Judgement& judgement) {
  out.text(judgement.retry);
  out.integer(judgement.retry_after_s);
  out.integer(judgement.confidence_permille);
  out.natural(judgement.suspects.size());
  for (const record::JudgedSuspect& suspect : judgement.suspects) {
    out.text(suspect.at_fault);
    out.text(suspect.cause);
    out.integer(suspect.confidence_permille);
  }
  out.natural(judgement.evidence.size());
  for (const std::string& line : judgement.evidence) out.text(line);
}
/// By their stable names, so that new ones may stand anywhere.
void pack(Packer& out, const exchange::UnitCounts& value) {
  for (std::size_t i = 0; i < exchange::units_count; ++i) {
    const auto unit = static_cast<exchange::Unit>(i);
    if (value[unit] == 0) continue;
    out.text(to_string(unit));
    out.integer(value[unit]);
  }
  out.text({});
}
void pack(Packer& out, exchange::ServiceTier value) {
  out.text(to_string(value));
}
void pack(Packer& out, exchange::Geography value) {
  out.natural(value == exchange::Geography::regional ? 1 : 0);
}
/// What a number means here is written down once and for all; the order in record.h may change.
void pack(Packer& out, record::CostState value) {
  switch (value) {
    case record::CostState::none:
      return out.natural(0);
    case record::CostState::billed:
      return out.natural(1);
    case record::CostState::estimated:
      return out.natural(2);
    case record::CostState::quarantined:
      return out.natural(3);
  }
}

void unpack(Unpacker& in, std::integral auto& value) {
  const std::int64_t number = in.integer();
  if (!std::in_range<std::remove_reference_t<decltype(value)>>(number)) {
    in.broken();
    return;
  }
  value = static_cast<std::remove_reference_t<decltype(value)>>(number);
}
void unpack(Unpacker& in, bool& value) {
  const std::int64_t number = in.integer();
  if (number != 0 && number != 1) in.broken();
  value = number == 1;
}
void unpack(Unpacker& in, std::string& value) {
  value = in.text();
}
void unpack(Unpacker& in, WallTime& value) {
  value = from_unix_micros(in.integer());
}
void unpack(Unpacker& in, NanoUsd& value) {
  value = NanoUsd(in.integer());
}
template <typename Kind>
void unpack(Unpacker& in, RowId<Kind>& value) {
  value.value = in.integer();
}
template <typename Value>
void unpack(Unpacker& in, std::optional<Value>& value) {
  value.reset();
  if (in.natural() != 0) unpack(in, value.emplace());
}
/// A count of what follows. More than any build wrote is no count.
std::size_t unpack_count(Unpacker& in, std::size_t most) {
  const std::uint64_t count = in.natural();
  return count <= most ? static_cast<std::size_t>(count) : static_cast<std::size_t>(in.broken());
}
void unpack(Unpacker& in, record::Judgement& value) {
  unpack(in, value.retry);
  unpack(in, value.retry_after_s);
  unpack(in, value.confidence_permille);
  value.suspects.resize(unpack_count(in, record::judged_suspects_max));
  for (record::JudgedSuspect& suspect : value.suspects) {
    unpack(in, suspect.at_fault);
    unpack(in, suspect.cause);
    unpack(in, suspect.confidence_permille);
  }
  value.evidence.resize(unpack_count(in, record::judged_evidence_max));
  for (std::string& line : value.evidence) unpack(in, line);
}
void unpack(Unpacker& in, exchange::UnitCounts& value) {
  value = {};
  for (std::size_t read = 0; read <= exchange::units_count; ++read) {
    const auto name = in.text();
    if (name.empty()) return;
    const auto unit = exchange::unit_of(name);
    if (!unit) break;
    value[*unit] = in.integer();
  }
  in.broken();
}
void unpack(Unpacker& in, exchange::ServiceTier& value) {
  const auto tier = exchange::service_tier_of(in.text());
  if (tier) {
    value = *tier;
  } else {
    in.broken();
  }
}
void unpack(Unpacker& in, exchange::Geography& value) {
  const std::uint64_t number = in.natural();
  if (number > 1) in.broken();
  value = number == 1 ? exchange::Geography::regional : exchange::Geography::anywhere;
}
void unpack(Unpacker& in, record::CostState& value) {
  using record::CostState;
  constexpr CostState kStates[] = {CostState::none, CostState::billed, CostState::estimated,
                                   CostState::quarantined};
  const std::uint64_t number = in.natural();
  if (number >= std::size(kStates)) {
    in.broken();
    return;
  }
  value = kStates[number];
}

void pack_record(Packer& out, const Record& record, const Record& previous) {
  out.id(record.id, previous.id);
  each_field(
      [&out](std::uint64_t number, const auto& field, const auto& before) {
        if (field == before) return;
        out.natural(number);
        pack(out, field);
      },
      record, previous);
  out.natural(kEnd);
}

}  // namespace

std::string pack_records(std::span<const Record* const> records) {
  static const Record kNothing;
  Packer out;
  out.natural(kFormat);
  out.natural(records.size());
  const Record* previous = &kNothing;
  for (const Record* const record : records) {
    pack_record(out, *record, *previous);
    previous = record;
  }
  return out.take();
}

RecordBlockReader::RecordBlockReader(std::string_view bytes) : in_(bytes) {
  if (in_.natural() != kFormat) in_.broken();
  left_ = in_.natural();
  if (left_ > block_items_max) in_.broken();
}

bool RecordBlockReader::next() {
  if (left_ == 0 && !in_.is_at_end()) in_.broken();
  if (left_ == 0 || in_.is_broken()) return false;
  --left_;
  record_.id = in_.id(record_.id);
  std::uint64_t number = in_.natural();
  each_field(
      [&](std::uint64_t of_field, auto& field) {
        if (number != of_field) return;
        unpack(in_, field);
        number = in_.natural();
      },
      record_);
  // A field that no build ever wrote, or fields out of order.
  if (number != kEnd) in_.broken();
  return !in_.is_broken();
}

}  // namespace claviger::store

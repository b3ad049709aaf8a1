#include "exchange/conversation.h"

#include "exchange/json_writer.h"

namespace claviger::exchange {
namespace {

std::size_t position(Feature feature) {
  return static_cast<std::size_t>(feature);
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view spaces = " \t";
  const std::size_t first = text.find_first_not_of(spaces);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(spaces) - first + 1);
}

bool names(std::string_view list, std::string_view field) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    const std::string_view one = trimmed(list.substr(0, comma));
    if (one == "*" || one == field) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

}  // namespace

FeatureSet features(std::initializer_list<Feature> list) {
  FeatureSet set;
  for (const Feature feature : list) set.set(position(feature));
  return set;
}

std::optional<FeatureSet> features_named(std::string_view name) {
  if (name == "top_k") return features({Feature::top_k});
  if (name == "cache_marks") return features({Feature::cache_marks});
  if (name == "prefill") return features({Feature::prefill});
  if (name == "reasoning_off") return features({Feature::reasoning_off});
  if (name == "reasoning_content") return features({Feature::unsigned_thinking_back});
  if (name == "reasoning_details") {
    return features({Feature::thinking_back, Feature::unsigned_thinking_back});
  }
  return std::nullopt;
}

FeatureClass class_of(Feature feature) {
  if (feature < Feature::later_system) return FeatureClass::content;
  return feature < Feature::cache_marks ? FeatureClass::parameter : FeatureClass::hint;
}

void Conversation::use(Feature feature, std::string_view field, std::string_view why) {
  // Fields that we have no word for are told apart by their names; of the others one is enough.
  const bool is_named = feature == Feature::other_parameter || feature == Feature::other_content;
  if (used_.test(position(feature)) && !is_named) return;
  used_.set(position(feature));
  if (uses_.size() == feature_uses_max) return;
  uses_.push_back(
      {.feature = feature, .field = std::string(clipped(field, field_name_bytes_max)), .why = why});
}

const JsonTree* Conversation::keep_tree(std::string_view json) {
  auto tree = std::make_unique<JsonTree>();
  if (!tree->read(json)) return nullptr;
  return trees_.emplace_back(std::move(tree)).get();
}

std::expected<std::vector<FeatureUse>, FeatureUse> fit(const Conversation& conversation,
                                                       const FeatureSet& expressible,
                                                       std::string_view allowed_drops) {
  std::vector<FeatureUse> dropped;
  for (const FeatureUse& use : conversation.uses()) {
    if (expressible.test(position(use.feature))) continue;
    switch (class_of(use.feature)) {
      case FeatureClass::content:
        return std::unexpected(use);
      case FeatureClass::parameter:
        if (!names(allowed_drops, use.field)) return std::unexpected(use);
        break;
      case FeatureClass::hint:
        break;
    }
    dropped.push_back(use);
  }
  return dropped;
}

}  // namespace claviger::exchange

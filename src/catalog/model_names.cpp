/// Which row of the book a model's name means. Providers and people write more into a name than
/// changes the price: the date of a snapshot, `models/`, a region, an inference profile.

#include <algorithm>
#include <string>
#include <vector>

#include "catalog/price_book.h"

namespace claviger::catalog {
namespace {

constexpr std::size_t tries_max = 32;

bool is_digits(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  }
  return lower;
}

/// Without "-2024-07-18", "-20241022", "@20241022", "-0709", "-latest", "-001" at its end; the
/// same where it has none of these.
std::string_view without_date(std::string_view name) {
  for (const std::string_view word : {"-latest", "@latest", "@default", "-preview"}) {
    if (name.ends_with(word)) return name.substr(0, name.size() - word.size());
  }
  constexpr std::size_t dashed = 11;  // "-2024-07-18"
  if (name.size() > dashed) {
    const std::string_view end = name.substr(name.size() - dashed);
    if (end[0] == '-' && end[5] == '-' && end[8] == '-' && is_digits(end.substr(1, 4)) &&
        is_digits(end.substr(6, 2)) && is_digits(end.substr(9))) {
      return name.substr(0, name.size() - dashed);
    }
  }
  for (const std::size_t digits : {8U, 4U, 3U}) {
    if (name.size() <= digits + 1) continue;
    const char before = name[name.size() - digits - 1];
    const bool is_date =
        (before == '-' || before == '@') && is_digits(name.substr(name.size() - digits));
    if (is_date) return name.substr(0, name.size() - digits - 1);
  }
  // "-preview-05-20", "-05-2025"
  const std::size_t preview = name.rfind("-preview-");
  if (preview != std::string_view::npos) return name.substr(0, preview + 8);
  return name;
}

/// What stands before a name at some providers and says where, not what.
std::string_view without_path(std::string_view name, std::string_view provider) {
  for (const std::string_view prefix :
       {"models/", "publishers/google/models/", "publishers/anthropic/models/", "tunedModels/"}) {
    if (name.starts_with(prefix)) return name.substr(prefix.size());
  }
  if (provider == "amazon-bedrock" && name.starts_with("arn:")) {
    const std::size_t slash = name.rfind('/');
    if (slash != std::string_view::npos) return name.substr(slash + 1);
  }
  const std::size_t slash = name.find('/');
  if (slash != std::string_view::npos && canonical_provider(name.substr(0, slash)) == provider) {
    return name.substr(slash + 1);
  }
  return name;
}

/// Bedrock: "us.anthropic…", "eu.", "global." are inference profiles; some have rows of their own,
/// which come first.
std::string_view without_region(std::string_view name) {
  constexpr std::string_view regions[] = {"us.", "eu.", "apac.",   "global.",  "jp.",
                                          "au.", "ca.", "us-gov.", "regional."};
  for (const std::string_view region : regions) {
    if (name.starts_with(region)) return name.substr(region.size());
  }
  return name;
}

/// OpenRouter: what comes behind a colon and is billed as the model itself is. `:free` and
/// `:online` are not: the one costs nothing, the other a search.
std::string_view without_variant(std::string_view name) {
  for (const std::string_view variant :
       {":thinking", ":nitro", ":floor", ":extended", ":beta", ":exacto"}) {
    if (name.ends_with(variant)) return name.substr(0, name.size() - variant.size());
  }
  return name;
}

/// OpenAI's fine-tuned models are named "ft:BASE:organisation:name:id" and cost by their base.
std::string_view without_owner(std::string_view name) {
  constexpr std::string_view fine_tuned = "ft:";
  if (!name.starts_with(fine_tuned)) return name;
  return name.substr(0, name.find(':', fine_tuned.size()));
}

/// Without Bedrock's "-v1:0" or ":0".
std::string_view without_version(std::string_view name) {
  const std::size_t colon = name.rfind(':');
  if (colon != std::string_view::npos && is_digits(name.substr(colon + 1))) {
    name = name.substr(0, colon);
  }
  const std::size_t version = name.rfind("-v");
  if (version != std::string_view::npos && is_digits(name.substr(version + 2)) &&
      name.size() - version <= 4) {
    name = name.substr(0, version);
  }
  return name;
}

/// The last of the provider's rows that is `name` with a date behind it.
const Model* dated_row(const PriceBook& book, std::string_view provider, std::string_view name) {
  const Model* newest = nullptr;
  for (const Model& model : book.models()) {
    if (model.provider != provider || !model.name.starts_with(name) || model.name == name) continue;
    std::string_view bare = model.name;
    if (provider == "amazon-bedrock") bare = without_version(bare);
    if (bare == name || without_date(bare) == name) newest = &model;
  }
  return newest;
}

}  // namespace

FoundModel resolve_model(const PriceBook& book, std::string_view provider, std::string_view name) {
  const std::string_view canonical = canonical_provider(provider);
  if (const Model* const model = book.find(canonical, name)) {
    return {.model = model, .is_exact_name = true};
  }
  struct Try {
    std::string name;
    bool was_dated = false;
  };
  std::vector<Try> tries = {{std::string(name)}};
  const auto consider = [&](std::string_view next, bool was_dated) {
    if (!next.empty() && std::ranges::find(tries, next, &Try::name) == tries.end()) {
      tries.push_back({std::string(next), was_dated});
    }
  };
  // Each step adds to what there is to try; earlier ones carry more of the name.
  for (std::size_t i = 0; i < tries.size() && tries.size() < tries_max; ++i) {
    // NOLINTNEXTLINE(performance-unnecessary-copy-initialization): `tries` grows meanwhile.
    const Try current = tries[i];
    if (const Model* const model = book.find(canonical, current.name)) return {.model = model};
    consider(without_path(current.name, canonical), current.was_dated);
    consider(without_variant(current.name), current.was_dated);
    consider(without_owner(current.name), current.was_dated);
    if (canonical == "amazon-bedrock") {
      const std::string_view anywhere = without_region(current.name);
      consider(anywhere, current.was_dated);
      // A row for all regions that are not "global".
      if (!anywhere.empty()) consider("regional." + std::string(anywhere), current.was_dated);
    }
    consider(without_date(current.name), true);
    if (canonical == "amazon-bedrock") consider(without_version(current.name), current.was_dated);
    consider(lower_case(current.name), current.was_dated);
  }
  // A name without a date means the newest; one with another date is another model.
  for (const Try& current : tries) {
    if (current.was_dated) continue;
    if (const Model* const model = dated_row(book, canonical, current.name)) {
      return {.model = model};
    }
  }
  return {};
}

}  // namespace claviger::catalog

#pragma once

/// A page about one request that can be shown to anybody: to support, to a provider, in a forum.
///
/// Redacted by construction: what it is made of has no field for a prompt, a key, a name, an
/// address or anybody's words. Every text in it is one of Claviger's own (a stage, a cause of the
/// rule book, a provider's public title, a model of the public price list) or has a shape in which
/// nothing can hide (an id, a number, a time).

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "console/diagnosis.h"
#include "record/feedback.h"

namespace claviger::console {

/// A provider's own id of a request: what its support asks for first.
class ProviderRequestId {
 public:
  static constexpr std::size_t kBytesMin = 6;
  static constexpr std::size_t kBytesMax = 80;
  /// Nothing where `text` is not of letters, digits, '-' and '_' alone, or looks like a key.
  static std::optional<ProviderRequestId> of(std::string_view text);
  const std::string& text() const { return text_; }

 private:
  explicit ProviderRequestId(std::string_view text) : text_(text) {}
  std::string text_;
};

/// All views are of static data: the rule book, the embedded profiles and the embedded prices.
struct SupportPage {
  RequestId request;
  WallTime began_at;
  WallTime made_at;
  WallTime expires_at;
  bool has_failed = false;
  bool is_streamed = false;
  bool caller_left = false;
  std::string_view provider_title;  ///< Empty: a place of the owner's own.
  std::string_view model;           ///< Empty: not on the public price list.
  std::string_view operation;       ///< chat, embeddings, …; empty for others.
  int status = 0;
  int provider_status = 0;
  std::uint32_t attempts = 0;
  std::optional<ProviderRequestId> provider_request;
  std::vector<Stage> stages;
  std::vector<fault::Suspect> suspects;
  bool is_inconclusive = false;
  std::vector<std::string_view> soft_failures;
  std::optional<record::Opinion> opinion;  ///< The caller's, without its words.
  struct Probe {
    fault::Probe probe;
    bool worked = false;
    fault::Party blamed = fault::Party::provider;
    std::string_view cause;
  };
  std::vector<Probe> probes;
};

/// Takes of a diagnosis what may be shown.
SupportPage support_page_of(const Registry& registry, const Diagnosis& diagnosis, WallTime now,
                            WallTime expires_at);

/// HTML without scripts, for a window of any width; its style is at kSupportStylePath.
std::string html_of(const SupportPage& page);
inline constexpr std::string_view kSharePath = "/share/";
inline constexpr std::string_view kSupportStylePath = "/share/style.css";
std::string_view support_style();
/// What is shown where there is no such page, or not any more: which of both is not said.
std::string_view no_such_page();

}  // namespace claviger::console

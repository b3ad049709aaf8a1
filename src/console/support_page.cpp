#include "console/support_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "fault/soft_failures.h"
#include "record/record_json.h"

namespace claviger::console {
namespace {

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string row(std::string_view name, std::string_view value) {
  return fmt::format("<tr><th>{}</th><td>{}</td></tr>\n", escaped(name), escaped(value));
}

std::string yes_no(bool holds) {
  return holds ? "yes" : "no";
}

std::string status_text(int status) {
  return status == 0 ? std::string("none") : std::to_string(status);
}

const fault::Cause* cause_named(std::string_view name) {
  const fault::RuleBook& book = fault::RuleBook::embedded();
  const auto index = book.find_cause(name);
  return index ? &book.causes[*index] : nullptr;
}

std::string percent(double confidence) {
  return confidence < 0.005 ? std::string("under 1 %") : fmt::format("{:.0f} %", confidence * 100);
}

/// A cause, which a narrow screen may break where its words meet.
std::string breakable(std::string_view cause) {
  std::string out;
  for (const char c : cause) {
    out += escaped({&c, 1});
    if (c == '_') out += "<wbr>";
  }
  return out;
}

std::string verdict_html(const SupportPage& page) {
  if (page.suspects.empty()) {
    return page.has_failed ? "<p>It failed before it reached a provider.</p>\n"
                           : "<p>Nothing failed: the request was answered.</p>\n";
  }
  const fault::Suspect& first = page.suspects.front();
  const fault::Cause* const cause = cause_named(first.cause);
  std::string out;
  if (page.is_inconclusive) out += "<p>The evidence does not decide. Most likely:</p>\n";
  out += fmt::format("<p class=\"say\">{}</p>\n",
                     escaped(cause == nullptr ? first.cause : std::string_view(cause->say)));
  if (cause != nullptr) {
    out += fmt::format("<p><strong>To do:</strong> {}</p>\n", escaped(cause->remedy));
  }
  out += "<table><tr><th>at fault</th><th>cause</th><th>confidence</th></tr>\n";
  for (const fault::Suspect& suspect : page.suspects) {
    out += fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td></tr>\n",
                       escaped(to_string(suspect.party)), breakable(suspect.cause),
                       percent(suspect.confidence));
  }
  return out + "</table>\n";
}

std::string facts_html(const SupportPage& page) {
  std::string out = "<h2>The request</h2>\n<table>\n";
  out += row("id", page.request.text());
  out += row("began", record::to_rfc3339(page.began_at));
  out += row("provider",
             page.provider_title.empty() ? "a place of the owner's own" : page.provider_title);
  out += row("model", page.model.empty() ? "not on the public list" : page.model);
  if (!page.operation.empty()) out += row("operation", page.operation);
  out += row("streamed", yes_no(page.is_streamed));
  out += row("status for the caller", status_text(page.status));
  out += row("status of the provider", status_text(page.provider_status));
  if (page.provider_request) out += row("the provider's id", page.provider_request->text());
  out += row("attempts", std::to_string(page.attempts));
  if (page.caller_left) out += row("the caller left", "yes");
  for (const std::string_view failure : page.soft_failures) out += row("the answer was", failure);
  if (page.opinion) out += row("its caller says", to_string(*page.opinion));
  return out + "</table>\n";
}

std::string stages_html(const SupportPage& page) {
  std::string out =
      "<h2>When</h2>\n<table>\n<tr><th>stage</th><th>milliseconds after the first byte</th></tr>\n";
  for (const Stage& stage : page.stages) {
    out += fmt::format("<tr><td>{}</td><td>{}.{:03}</td></tr>\n", escaped(stage.name),
                       stage.at_us / 1000, stage.at_us % 1000);
  }
  return out + "</table>\n";
}

std::string probes_html(const SupportPage& page) {
  if (page.probes.empty()) return {};
  std::string out = "<h2>What was asked afterwards</h2>\n<table>\n";
  for (const SupportPage::Probe& probe : page.probes) {
    out += row(in_words(probe.probe),
               probe.worked ? std::string("worked")
                            : fmt::format("failed: {} ({})", probe.cause, to_string(probe.blamed)));
  }
  return out + "</table>\n";
}

/// The same words, out of a list of our own.
std::string_view known_operation(std::string_view name) {
  constexpr std::array<std::string_view, 3> kKnown = {"chat", "embeddings", "count_tokens"};
  const auto* const found = std::ranges::find(kKnown, name);
  return found == kKnown.end() ? std::string_view() : *found;
}

std::vector<std::string_view> known_soft_failures(std::string_view names) {
  std::vector<std::string_view> known;
  for (std::size_t i = 0; i < fault::soft_failures; ++i) {
    const std::string_view name = to_string(static_cast<fault::SoftFailure>(i));
    const std::string listed = fmt::format(",{},", names);
    if (listed.find(fmt::format(",{},", name)) != std::string::npos) known.push_back(name);
  }
  return known;
}

}  // namespace

std::optional<ProviderRequestId> ProviderRequestId::of(std::string_view text) {
  if (text.size() < kBytesMin || text.size() > kBytesMax) return std::nullopt;
  const bool is_plain = std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
  });
  constexpr std::array<std::string_view, 8> kKeys = {"sk-",  "sk_",  "clv", "xai-",
                                                     "gsk_", "AIza", "key", "pplx-"};
  const bool looks_like_key =
      std::ranges::any_of(kKeys, [&](std::string_view key) { return text.starts_with(key); });
  if (!is_plain || looks_like_key) return std::nullopt;
  return ProviderRequestId(text);
}

SupportPage support_page_of(const Registry& registry, const Diagnosis& diagnosis, WallTime now,
                            WallTime expires_at) {
  const record::Record& record = diagnosis.record;
  SupportPage page;
  page.request = record.id;
  page.began_at = record.started_at;
  page.made_at = now;
  page.expires_at = expires_at;
  page.has_failed = diagnosis.has_failed;
  page.is_streamed = record.streamed;
  page.caller_left = record.caller_left;
  page.operation = known_operation(record.operation);
  page.status = record.status;
  page.provider_status = record.provider_status;
  page.attempts = record.attempts;
  page.stages = stages_of(record);
  page.suspects = diagnosis.verdict.suspects;
  page.is_inconclusive = diagnosis.verdict.inconclusive;
  page.soft_failures = known_soft_failures(record.soft_failures);
  if (diagnosis.feedback) page.opinion = diagnosis.feedback->opinion;
  for (const ProbeReport& probe : diagnosis.probes) {
    if (!probe.not_made.empty()) continue;
    page.probes.push_back({.probe = probe.result.probe,
                           .worked = probe.result.worked,
                           .blamed = probe.result.blamed,
                           .cause = probe.result.cause});
  }
  // Public only where the provider was asked at its own address, and the model is on the list.
  const auto* const credential = registry.world().credentials->find(record.credential);
  if (credential == nullptr || !credential->about.base_url.empty()) return page;
  const provider::Profile* const profile =
      registry.parts.profiles->find(credential->about.provider);
  if (profile == nullptr || profile->base_url.empty()) return page;
  page.provider_title = profile->title;
  page.provider_request = ProviderRequestId::of(record.provider_request_id);
  const std::size_t slash = record.model.find('/');
  if (slash == std::string::npos) return page;
  const auto* const model =
      registry.parts.book->find(credential->about.provider, record.model.substr(slash + 1));
  if (model != nullptr) page.model = model->name;
  return page;
}

std::string html_of(const SupportPage& page) {
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"robots\" content=\"noindex\">\n<title>A request to a model</title>\n"
      "<link rel=\"stylesheet\" href=\"{}\">\n</head>\n<body>\n<main>\n"
      "<h1>{}</h1>\n{}{}{}{}"
      "<footer><p>Made {} by Claviger; to be seen until {}. It holds no prompt, no key and no "
      "name.</p></footer>\n</main>\n</body>\n</html>\n",
      kSupportStylePath, page.has_failed ? "A request that failed" : "A request that was answered",
      verdict_html(page), probes_html(page), facts_html(page), stages_html(page),
      record::to_rfc3339(page.made_at), record::to_rfc3339(page.expires_at));
}

std::string_view support_style() {
  return R"css(:root { color-scheme: light dark; }
* { box-sizing: border-box; }
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; background: #fbfaf7; color: #1d1d1b; }
main { max-width: 44rem; margin: 0 auto; padding: 1.25rem 1rem 2rem; }
h1 { font-size: 1.4rem; line-height: 1.25; margin: 0 0 1rem; }
h2 { font-size: 1.05rem; margin: 1.75rem 0 .5rem; }
.say { font-size: 1.1rem; border-left: .25rem solid #b4552d; padding-left: .75rem; }
table { width: 100%; border-collapse: collapse; }
th, td { text-align: left; vertical-align: top; padding: .35rem .5rem .35rem 0;
  border-bottom: 1px solid #dcd8ce; overflow-wrap: anywhere; }
th { font-weight: 600; min-width: 5.5rem; overflow-wrap: break-word; }
footer { margin-top: 2rem; font-size: .85rem; color: #6b675e; }
@media (prefers-color-scheme: dark) {
  body { background: #191817; color: #eceae4; }
  th, td { border-color: #3a3733; }
  footer { color: #a29d92; }
}
)css";
}

std::string_view no_such_page() {
  return "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
         "<title>No such page</title>\n<link rel=\"stylesheet\" href=\"/share/style.css\">\n"
         "</head>\n<body>\n<main>\n<h1>There is no such page</h1>\n"
         "<p>It has expired, was taken back, or never was. Ask whoever sent you the address for "
         "a new one.</p>\n</main>\n</body>\n</html>\n";
}

}  // namespace claviger::console

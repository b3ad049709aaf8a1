/// Names of one's own for models.

#include <fmt/format.h>

#include "cli/commands.h"
#include "console/json_out.h"

namespace claviger::cli {
namespace {

using console::JsonObject;

const std::vector<Column> kAliasColumns = {
    {"NAME", "name"}, {"OWNER", "owner"}, {"MODELS, IN ORDER", "models"}, {"ROTATION", "rotation"}};

std::vector<std::string> separated(const std::string& text) {
  std::vector<std::string> items;
  std::size_t begin = 0;
  for (;;) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    std::string item = text.substr(begin, end - begin);
    while (item.starts_with(' ')) item.erase(0, 1);
    while (item.ends_with(' ')) item.pop_back();
    items.push_back(std::move(item));
    if (end == text.size()) return items;
    begin = end + 1;
  }
}

}  // namespace

Outcome<void> alias_set(Session& session, const Arguments& arguments) {
  JsonObject body;
  body.text("name", arguments.subject);
  if (!arguments.owner.empty()) body.text("owner", arguments.owner);
  body.texts("models", separated(arguments.object));
  if (!arguments.rotation.empty()) body.text("rotation", arguments.rotation);
  const auto said = session.ask("PUT", "/aliases", body.finish());
  if (!said) return std::unexpected(said.error());
  return session.show(*said, fmt::format("\"{}\" now stands for {}", arguments.subject,
                                         cell_of(said->value, {"", "models"})));
}

Outcome<void> alias_list(Session& session, const Arguments&) {
  const auto said = session.ask("GET", "/aliases");
  if (!said) return std::unexpected(said.error());
  return session.show_list(
      *said, kAliasColumns,
      "No alias is set; make one with: claviger alias set NAME provider/model[,provider/model]");
}

Outcome<void> alias_remove(Session& session, const Arguments& arguments) {
  std::string path = fmt::format("/aliases/{}", percent_encoded(arguments.subject));
  if (!arguments.owner.empty()) path += fmt::format("?owner={}", percent_encoded(arguments.owner));
  const auto said = session.ask("DELETE", path);
  if (!said) return std::unexpected(said.error());
  return session.show(*said, fmt::format("\"{}\" is forgotten", arguments.subject));
}

}  // namespace claviger::cli

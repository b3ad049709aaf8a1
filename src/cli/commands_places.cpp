/// Where models are: credentials for providers and endpoints, and model files.

#include <fmt/format.h>

#include <fstream>

#include <filesystem>

#include "catalog/price_book.h"
#include "cli/commands.h"
#include "cli/secret_input.h"
#include "console/json_out.h"
#include "provider/adapter.h"

namespace claviger::cli {
namespace {

using console::JsonObject;
using Form = Column::Form;

const std::vector<Column> kCredentialColumns = {{"ID", "id"},
                                                {"OWNER", "owner"},
                                                {"PROVIDER", "provider"},
                                                {"NAME", "name"},
                                                {"ADDRESS", "base_url"},
                                                {"KEY ENDS IN", "hint"},
                                                {"WORKED", "worked_at", Form::moment},
                                                {"REFUSED FOR", "refused_for"},
                                                {"DISABLED", "disabled", Form::yes},
                                                {"UNBOUNDED", "allows_unbounded", Form::yes},
                                                {"TAMPERED", "tampered", Form::yes}};
const std::vector<Column> kModelColumns = {{"ID", "id"},
                                           {"MODEL", "model"},
                                           {"OWNER", "owner"},
                                           {"PURPOSE", "purpose"},
                                           {"CONTEXT", "context_tokens"},
                                           {"FILE", "file"}};
const std::vector<Column> kModelDetails = {{"id", "id"},
                                           {"model", "model"},
                                           {"owner", "owner"},
                                           {"file", "file"},
                                           {"architecture", "architecture"},
                                           {"purpose", "purpose"},
                                           {"parameters", "parameters"},
                                           {"context", "context_tokens"},
                                           {"options", "options"},
                                           {"memory", "summary"},
                                           {"added", "created_at", Form::moment}};
const std::vector<Column> kProbeDetails = {{"model", "model"},
                                           {"started in ms", "start_ms"},
                                           {"answered in ms", "answer_ms"},
                                           {"tokens in", "input_tokens"},
                                           {"tokens out", "output_tokens"},
                                           {"tokens/s", "tokens_per_second"},
                                           {"memory", "memory"},
                                           {"answer", "answer"}};
const std::vector<Column> kPriceColumns = {{"OWNER", "owner"},
                                           {"MODEL", "model"},
                                           {"INPUT/M", "input_usd_per_million"},
                                           {"CACHED/M", "cached_input_usd_per_million"},
                                           {"OUTPUT/M", "output_usd_per_million"},
                                           {"STATED", "stated_at", Form::moment}};

std::string credential_path(const Arguments& arguments, std::string_view action = {}) {
  return fmt::format("/credentials/{}{}", percent_encoded(arguments.subject), action);
}

Outcome<std::string> text_of_file(const std::string& path) {
  constexpr std::size_t kFileBytesMax = 16384;
  std::ifstream file(path, std::ios::binary);
  std::string text(kFileBytesMax + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad() || (!file.is_open())) {
    return refused(fmt::format("the file {} cannot be read", printable(path)));
  }
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > kFileBytesMax) {
    return refused(fmt::format("the file {} is longer than 16384 bytes", printable(path)));
  }
  return text;
}

std::string model_path(const Arguments& arguments, std::string_view action = {}) {
  return fmt::format("/models/{}{}", percent_encoded(arguments.subject), action);
}

/// Empty where none was named.
Outcome<Secret> key_from(const Arguments& arguments) {
  if (arguments.key_from_stdin) return secret_from_stdin("The provider's key (not shown)");
  if (!arguments.key_env.empty()) return secret_from_environment(arguments.key_env);
  return Secret();
}

/// Whether the provider is known to work without one. The server decides about unknown ones.
bool may_lack_key(const std::string& provider) {
  const auto profiles = provider::Profiles::embedded();
  const auto* const profile = profiles->find(catalog::canonical_provider(provider));
  return profile == nullptr || !profile->key_required;
}

std::string absolute(const std::string& file) {
  return file.empty() ? file : std::filesystem::absolute(file).lexically_normal().string();
}

}  // namespace

Outcome<void> credential_add(Session& session, const Arguments& arguments) {
  if (arguments.owner.empty() && !arguments.is_workspace) {
    return wrong_usage("say whose it is: --owner NAME, or --workspace for everybody's");
  }
  const bool names_key = arguments.key_from_stdin || !arguments.key_env.empty();
  if (!names_key && !may_lack_key(arguments.provider)) {
    return wrong_usage(fmt::format("{} needs a key: give it with --key-stdin or --key-env VARIABLE",
                                   arguments.provider));
  }
  const auto key = key_from(arguments);
  if (!key) return std::unexpected(key.error());
  JsonObject body;
  body.text("provider", arguments.provider);
  if (!arguments.owner.empty()) body.text("owner", arguments.owner);
  if (!arguments.name.empty()) body.text("name", arguments.name);
  if (!arguments.base_url.empty()) body.text("base_url", arguments.base_url);
  if (arguments.allow_private) body.truth("allow_private", true);
  if (names_key) body.secret("key", key->reveal());
  const auto said = session.ask("POST", "/credentials", body.finish());
  if (!said) return std::unexpected(said.error());
  const std::string opened = text_of(said->value, "opened_for_egress");
  const std::string id = text_of(said->value, "id");
  return session.show(
      *said,
      fmt::format("Added the credential {} ({}) for {}.{}\nTry it: claviger credential "
                  "test {}",
                  text_of(said->value, "name"), id, text_of(said->value, "provider"),
                  opened.empty() ? std::string()
                                 : fmt::format(" Requests may now reach {}, and no other private "
                                               "address.",
                                               opened),
                  id));
}

Outcome<void> credential_list(Session& session, const Arguments&) {
  const auto said = session.ask("GET", "/credentials");
  if (!said) return std::unexpected(said.error());
  return session.show_list(*said, kCredentialColumns,
                           "There are no credentials yet. Add one: claviger credential add --owner "
                           "NAME --provider openai --key-stdin");
}

Outcome<void> credential_test(Session& session, const Arguments& arguments) {
  const auto said = session.ask("POST", credential_path(arguments, "/test"));
  if (!said) return std::unexpected(said.error());
  const bool works = text_of(said->value, "works") == "yes";
  if (works) {
    return session.show(*said,
                        fmt::format("ok: {} ({} ms)", printable(text_of(said->value, "message")),
                                    text_of(said->value, "took_ms")));
  }
  if (session.as_json) say(said->text);
  return refused(fmt::format("{}. To do: {}", printable(text_of(said->value, "message")),
                             text_of(said->value, "remedy")));
}

Outcome<void> credential_rotate(Session& session, const Arguments& arguments) {
  if (!arguments.key_from_stdin && arguments.key_env.empty()) {
    return wrong_usage("give the new key with --key-stdin or --key-env VARIABLE");
  }
  const auto key = key_from(arguments);
  if (!key) return std::unexpected(key.error());
  const auto said = session.ask("POST", credential_path(arguments, "/rotate"),
                                JsonObject().secret("key", key->reveal()).finish());
  if (!said) return std::unexpected(said.error());
  return session.show(*said, fmt::format("{} uses the new key from now on", arguments.subject));
}

Outcome<void> credential_disable(Session& session, const Arguments& arguments) {
  const auto said = session.ask("POST", credential_path(arguments, "/disable"));
  if (!said) return std::unexpected(said.error());
  return session.show(*said, fmt::format("{} is used no more; \"claviger credential enable {}\" "
                                         "brings it back",
                                         arguments.subject, arguments.subject));
}

Outcome<void> credential_enable(Session& session, const Arguments& arguments) {
  const auto said = session.ask("POST", credential_path(arguments, "/enable"));
  if (!said) return std::unexpected(said.error());
  return session.show(*said, fmt::format("{} is used again", arguments.subject));
}

Outcome<void> credential_set(Session& session, const Arguments& arguments) {
  if (arguments.allow_unbounded == arguments.refuse_unbounded) {
    return wrong_usage("say what to set: --allow-unbounded or --refuse-unbounded");
  }
  const auto said =
      session.ask("POST", credential_path(arguments, "/set"),
                  JsonObject().truth("allow_unbounded", arguments.allow_unbounded).finish());
  if (!said) return std::unexpected(said.error());
  return session.show(
      *said, arguments.allow_unbounded
                 ? fmt::format("{} lets requests through whose cost nothing bounds. What they cost "
                               "counts once they are settled, and can pass a limit",
                               arguments.subject)
                 : fmt::format("{} refuses requests whose cost nothing bounds", arguments.subject));
}

Outcome<void> credential_remove(Session& session, const Arguments& arguments) {
  const auto said = session.ask("DELETE", credential_path(arguments));
  if (!said) return std::unexpected(said.error());
  return session.show(*said,
                      fmt::format("Removed {}; its key is gone for good", arguments.subject));
}

Outcome<void> model_add(Session& session, const Arguments& arguments) {
  JsonObject body;
  body.text("owner", arguments.owner).text("file", absolute(arguments.file));
  if (!arguments.name.empty()) body.text("name", arguments.name);
  if (arguments.context_tokens) body.number("context_tokens", *arguments.context_tokens);
  if (arguments.threads) body.number("threads", *arguments.threads);
  if (!arguments.chat_template.empty()) {
    // A file where there is one of that name; else a template that the runner knows.
    std::error_code error;
    const bool is_file = std::filesystem::exists(arguments.chat_template, error);
    body.text("chat_template",
              is_file ? absolute(arguments.chat_template) : arguments.chat_template);
  }
  std::vector<std::string> loras;
  loras.reserve(arguments.loras.size());
  for (const std::string& lora : arguments.loras) loras.push_back(absolute(lora));
  if (!loras.empty()) body.texts("lora", loras);
  if (!arguments.projector.empty()) body.text("projector", absolute(arguments.projector));
  const auto said = session.ask("POST", "/models", body.finish());
  if (!said) return std::unexpected(said.error());
  const std::string model = text_of(said->value, "model");
  return session.show(
      *said, fmt::format("Added {} ({}): {}.\nSay what it costs, e.g. nothing: claviger model "
                         "price {} --owner {} --input 0 --output 0",
                         model, text_of(said->value, "id"), text_of(said->value, "summary"), model,
                         arguments.owner));
}

Outcome<void> model_list(Session& session, const Arguments&) {
  const auto said = session.ask("GET", "/models");
  if (!said) return std::unexpected(said.error());
  return session.show_list(*said, kModelColumns,
                           "There are no model files yet. Add one: claviger model add --owner NAME "
                           "--file model.gguf");
}

Outcome<void> model_show(Session& session, const Arguments& arguments) {
  const auto said = session.ask("GET", model_path(arguments));
  if (!said) return std::unexpected(said.error());
  return session.show_object(*said, kModelDetails);
}

Outcome<void> model_probe(Session& session, const Arguments& arguments) {
  const auto said = session.ask("POST", model_path(arguments, "/probe"));
  if (!said) return std::unexpected(said.error());
  return session.show_object(*said, kProbeDetails);
}

Outcome<void> model_remove(Session& session, const Arguments& arguments) {
  const auto said = session.ask("DELETE", model_path(arguments));
  if (!said) return std::unexpected(said.error());
  return session.show(*said,
                      fmt::format("Forgot {}; the file stays where it is", arguments.subject));
}

Outcome<void> remove_model_price(Session& session, const Arguments& arguments) {
  std::string query = fmt::format("?model={}", percent_encoded(arguments.subject));
  if (!arguments.owner.empty()) query += fmt::format("&owner={}", percent_encoded(arguments.owner));
  if (arguments.is_workspace) query += "&workspace=true";
  const auto said = session.ask("DELETE", "/prices" + query);
  if (!said) return std::unexpected(said.error());
  return session.show(
      *said, fmt::format("{} has the catalog's price again, if it has one", arguments.subject));
}

Outcome<void> model_price(Session& session, const Arguments& arguments) {
  if (arguments.is_removal) return remove_model_price(session, arguments);
  const bool has_rates = !arguments.input_usd.empty() && !arguments.output_usd.empty();
  if (!has_rates && arguments.file.empty()) {
    return wrong_usage(
        "say what a million tokens cost, in dollars: --input USD --output USD; or all rates with "
        "--card FILE (or --remove)");
  }
  JsonObject body;
  body.text("model", arguments.subject);
  if (!arguments.owner.empty()) body.text("owner", arguments.owner);
  if (arguments.is_workspace) body.truth("workspace", true);
  if (arguments.is_ceiling) body.truth("ceiling", true);
  if (!arguments.file.empty()) {
    const auto card = text_of_file(arguments.file);
    if (!card) return std::unexpected(card.error());
    body.text("card", *card);
  }
  const auto add = [&](std::string_view name, const std::string& usd) {
    if (!usd.empty()) body.text(name, usd);
  };
  add("input_usd_per_million", arguments.input_usd);
  add("output_usd_per_million", arguments.output_usd);
  add("cached_input_usd_per_million", arguments.cached_input_usd);
  add("cache_write_usd_per_million", arguments.cache_write_usd);
  add("cache_write_1h_usd_per_million", arguments.cache_write_1h_usd);
  const auto said = session.ask("PUT", "/prices", body.finish());
  if (!said) return std::unexpected(said.error());
  return session.show(*said,
                      fmt::format("{} costs {} {}${} per million tokens in and ${} out",
                                  text_of(said->value, "model"), text_of(said->value, "owner"),
                                  arguments.is_ceiling ? "at most " : "",
                                  text_of(said->value, "input_usd_per_million"),
                                  text_of(said->value, "output_usd_per_million")));
}

Outcome<void> model_prices(Session& session, const Arguments&) {
  const auto said = session.ask("GET", "/prices");
  if (!said) return std::unexpected(said.error());
  return session.show_list(*said, kPriceColumns,
                           "No owner has stated a price; the catalog's are in force (claviger "
                           "catalog show)");
}

}  // namespace claviger::cli

/// Owners: whose keys, models and money it is. Apps: what calls.

#include <fmt/format.h>

#include "console/fields.h"
#include "console/json_out.h"
#include "console/routes.h"
#include "console/text_forms.h"

namespace claviger::console {
namespace {

std::string to_json(const access::Owner& owner) {
  return JsonObject()
      .id("id", owner.id)
      .text("name", owner.name)
      .text("type", owner.type == access::OwnerType::team ? "team" : "person")
      .text("time_zone", owner.time_zone)
      .text("keeps_content", owner.keeps_content)
      .number("kept_days", owner.kept_days)
      .time("created_at", owner.created_at)
      .finish();
}

std::string to_json(const access::App& app) {
  return JsonObject()
      .id("id", app.id)
      .text("name", app.name)
      .time("created_at", app.created_at)
      .finish();
}

Outcome<void> check_name(std::string_view name) {
  if (const auto fault = fault_of_name(name)) {
    return bad_value("name", fmt::format("this is no name: {}", *fault),
                     "choose one of 1 to 128 printable characters");
  }
  return {};
}

Outcome<access::OwnerType> read_type(std::string_view text) {
  if (text.empty() || text == "person") return access::OwnerType::person;
  if (text == "team") return access::OwnerType::team;
  return bad_value("type", fmt::format("\"{}\" is no type of owner", text), "send person or team");
}

}  // namespace

Task<Outcome<Reply>> list_owners(Registry& registry, Call& call) {
  if (auto checked = call.check_query({}); !checked) co_return std::unexpected(checked.error());
  co_return Reply{.body = list_of(registry.directory().owners(),
                                  [](const access::Owner& owner) { return to_json(owner); })};
}

Task<Outcome<Reply>> add_owner(Registry& registry, Call& call) {
  Fields fields(call.request.body);
  std::string name = fields.text("name");
  const std::string type_text = fields.text_if_any("type");
  if (auto read = fields.finish(); !read) co_return std::unexpected(read.error());
  if (auto checked = check_name(name); !checked) co_return std::unexpected(checked.error());
  const auto type = read_type(type_text);
  if (!type) co_return std::unexpected(type.error());

  const auto added = registry.parts.access.add_owner(name, *type, registry.parts.clock.wall_now());
  if (!added) co_return of_store(added.error(), "owner", name, "");
  // A rule has given the owner budgets, which the ledger must know before any request does.
  if (auto done = co_await registry.put_in_force(Touched::anything_else); !done) {
    co_return std::unexpected(done.error());
  }
  co_return Reply{.status = 201, .body = to_json(*added)};
}

Task<Outcome<Reply>> set_time_zone(Registry& registry, Call& call) {
  Fields fields(call.request.body);
  const std::string time_zone = fields.text("time_zone");
  if (auto read = fields.finish(); !read) co_return std::unexpected(read.error());
  if (auto checked = check_time_zone(time_zone); !checked) {
    co_return std::unexpected(checked.error());
  }
  const auto owner = registry.owner(call.parts[0]);
  if (!owner) co_return std::unexpected(owner.error());
  access::Owner changed = **owner;
  changed.time_zone = time_zone;
  if (auto done = registry.parts.access.set_time_zone(changed.id, time_zone); !done) {
    co_return of_store(done.error(), "owner", changed.name, "");
  }
  if (auto put = co_await registry.put_in_force(Touched::anything_else); !put) {
    co_return std::unexpected(put.error());
  }
  co_return Reply{.body = to_json(changed)};
}

Task<Outcome<Reply>> set_keeping(Registry& registry, Call& call) {
  Fields fields(call.request.body);
  const std::string keep = fields.text("keep");
  const auto days = fields.number_if_any("days", 1, record::kept_days_max);
  if (auto read = fields.finish(); !read) co_return std::unexpected(read.error());
  const auto keeping = record::keeping_named(keep);
  if (!keeping) {
    co_return bad_value("keep", fmt::format("\"{}\" cannot be kept", keep),
                        "send off, failed or stored");
  }
  const bool is_stored = *keeping == record::Keeping::stored;
  if (days && !is_stored) {
    co_return bad_value("days", fmt::format("nothing is kept for days with \"{}\"", keep),
                        "leave days out, or send stored");
  }
  const auto owner = registry.owner(call.parts[0]);
  if (!owner) co_return std::unexpected(owner.error());
  access::Owner changed = **owner;
  changed.keeps_content = keep;
  changed.kept_days = is_stored ? static_cast<int>(days.value_or(record::kept_days_usual)) : 0;
  if (auto done =
          registry.parts.access.set_keeping(changed.id, changed.keeps_content, changed.kept_days);
      !done) {
    co_return of_store(done.error(), "owner", changed.name, "");
  }
  if (auto put = co_await registry.put_in_force(Touched::anything_else); !put) {
    co_return std::unexpected(put.error());
  }
  co_return Reply{.body = to_json(changed)};
}

Task<Outcome<Reply>> remove_owner(Registry& registry, Call& call) {
  const auto owner = registry.owner(call.parts[0]);
  if (!owner) co_return std::unexpected(owner.error());
  const access::Owner removed = **owner;
  const auto done = registry.parts.access.remove_owner(removed.id, registry.parts.clock.wall_now());
  if (!done) {
    co_return of_store(done.error(), "owner", removed.name,
                       "the virtual keys, credentials and model files of this owner");
  }
  if (auto put = co_await registry.put_in_force(Touched::anything_else); !put) {
    co_return std::unexpected(put.error());
  }
  co_return Reply{.body = to_json(removed)};
}

Task<Outcome<Reply>> list_apps(Registry& registry, Call& call) {
  if (auto checked = call.check_query({}); !checked) co_return std::unexpected(checked.error());
  co_return Reply{.body = list_of(registry.directory().apps(),
                                  [](const access::App& app) { return to_json(app); })};
}

Task<Outcome<Reply>> add_app(Registry& registry, Call& call) {
  Fields fields(call.request.body);
  std::string name = fields.text("name");
  if (auto read = fields.finish(); !read) co_return std::unexpected(read.error());
  if (auto checked = check_name(name); !checked) co_return std::unexpected(checked.error());

  const auto added = registry.parts.access.add_app(name, registry.parts.clock.wall_now());
  if (!added) co_return of_store(added.error(), "app", name, "");
  if (auto done = co_await registry.put_in_force(Touched::anything_else); !done) {
    co_return std::unexpected(done.error());
  }
  co_return Reply{.status = 201, .body = to_json(*added)};
}

Task<Outcome<Reply>> remove_app(Registry& registry, Call& call) {
  const auto app = registry.app(call.parts[0]);
  if (!app) co_return std::unexpected(app.error());
  const access::App removed = **app;
  const auto done = registry.parts.access.remove_app(removed.id, registry.parts.clock.wall_now());
  if (!done) {
    co_return of_store(done.error(), "app", removed.name, "the virtual keys of this app");
  }
  if (auto put = co_await registry.put_in_force(Touched::anything_else); !put) {
    co_return std::unexpected(put.error());
  }
  co_return Reply{.body = to_json(removed)};
}

}  // namespace claviger::console

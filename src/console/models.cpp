/// Model files that owners brought. Trying one out is in model_probe.cpp.

#include <fmt/format.h>

#include <filesystem>

#include "console/fields.h"
#include "console/json_out.h"
#include "console/routes.h"
#include "local/available_memory.h"
#include "local/model_inspection.h"

namespace claviger::console {
namespace {

JsonObject about(const Registry& registry, const local::LocalModel& model) {
  JsonObject json;
  json.id("id", model.id)
      .text("owner", registry.name_of(model.owner))
      .id("owner_id", model.owner)
      .text("name", model.name)
      .text("model", "local/" + model.name)
      .text("file", model.path.string())
      .number("bytes", model.bytes)
      .text("architecture", model.architecture)
      .text("purpose", model.options.purpose == local::ModelPurpose::embed ? "embeddings" : "chat")
      .number("context_tokens", model.context_tokens_in_use())
      .raw("options", local::to_json(model.options))
      .time("created_at", model.created_at);
  return json;
}

std::string_view to_text(local::MemoryFit fit) {
  switch (fit) {
    case local::MemoryFit::fits:
      return "fits";
    case local::MemoryFit::tight:
      return "tight";
    case local::MemoryFit::does_not_fit:
      return "does_not_fit";
    case local::MemoryFit::unknown:
      return "unknown";
  }
  return "unknown";
}

/// What the file's header says of memory, beside what is kept of it.
std::string with_inspection(JsonObject json, const local::ModelInspection& inspection) {
  return json.number("parameters", inspection.parameters)
      .number("memory_bytes", inspection.need.total_bytes())
      .text("memory_fit", to_text(inspection.fit))
      .text("summary", inspection.summary)
      .finish();
}

std::unexpected<Problem> of_inspection(const local::InspectionFailure& failure) {
  return problem(
      422,
      failure.error == local::InspectionError::unreadable ? "unreadable_file" : "bad_model_file",
      failure.message, "bring a GGUF file that the server's user may read");
}

std::unexpected<Problem> of_model_store(local::LocalModelStoreError error, std::string_view named) {
  switch (error) {
    case local::LocalModelStoreError::exists:
      return taken("model", named);
    case local::LocalModelStoreError::not_found:
      return unknown("model", named);
    case local::LocalModelStoreError::unavailable:
      break;
  }
  return store_unavailable();
}

struct Wanted {
  std::string owner;
  std::filesystem::path file;
  std::string name;
  local::LocalModelOptions options;
};

Outcome<Wanted> read_wanted(std::string_view body) {
  Fields fields(body);
  Wanted wanted;
  wanted.owner = fields.text("owner");
  wanted.file = fields.text("file");
  wanted.name = fields.text_if_any("name");
  wanted.options.context_tokens =
      fields.number_if_any("context_tokens", local::context_tokens_min, local::context_tokens_max)
          .value_or(0);
  wanted.options.threads =
      static_cast<std::int32_t>(fields.number_if_any("threads", 1, local::threads_max).value_or(0));
  const std::string chat_template = fields.text_if_any("chat_template");
  for (std::string& file : fields.texts_if_any("lora")) {
    wanted.options.lora_files.emplace_back(std::move(file));
  }
  wanted.options.projector_file = fields.text_if_any("projector");
  if (auto read = fields.finish(); !read) return std::unexpected(read.error());

  // A file's path begins with '/', the name of a template that the runner knows does not.
  if (chat_template.starts_with('/')) {
    wanted.options.chat_template_file = chat_template;
  } else {
    wanted.options.chat_template = chat_template;
  }
  for (const auto* const file : {&wanted.file, &wanted.options.projector_file}) {
    if (!file->empty() && !file->is_absolute()) {
      return bad_value("file", fmt::format("\"{}\" is no absolute path", file->string()),
                       "send one that begins with /: the server's own folder is not yours");
    }
  }
  return wanted;
}

}  // namespace

Task<Outcome<Reply>> list_models(Registry& registry, Call& call) {
  if (auto checked = call.check_query({}); !checked) co_return std::unexpected(checked.error());
  co_return Reply{.body = list_of(registry.local_models(), [&](const local::LocalModel& model) {
                    return about(registry, model).finish();
                  })};
}

Task<Outcome<Reply>> add_model(Registry& registry, Call& call) {
  auto wanted = read_wanted(call.request.body);
  if (!wanted) co_return std::unexpected(wanted.error());
  const auto owner = registry.owner(wanted->owner);
  if (!owner) co_return std::unexpected(owner.error());
  if (wanted->name.empty()) wanted->name = local::model_name_from(wanted->file);
  if (!local::is_model_name(wanted->name)) {
    co_return bad_value("name", fmt::format("\"{}\" is no name of a model", wanted->name),
                        "use a-z, 0-9, '.', '_' and '-', at most 96 of them");
  }
  if (auto checked = local::check_options(wanted->options); !checked) {
    co_return problem(400, "bad_options", checked.error(), "correct it and send it again");
  }
  const auto inspected = local::inspect_model_file(
      wanted->file, wanted->options, local::RunnerShape{}, local::available_memory_bytes());
  if (!inspected) co_return of_inspection(inspected.error());

  local::LocalModel model{.owner = (*owner)->id,
                          .name = wanted->name,
                          .path = wanted->file,
                          .bytes = inspected->bytes,
                          .architecture = inspected->header.architecture,
                          .context_tokens = inspected->context_tokens,
                          .options = std::move(wanted->options),
                          .created_at = registry.parts.clock.wall_now()};
  model.options.split_files = inspected->split_files;
  model.options.purpose = inspected->purpose;
  const auto added = registry.parts.local_models.add(std::move(model));
  if (!added) co_return of_model_store(added.error(), wanted->name);
  if (auto put = co_await registry.put_in_force(Touched::anything_else); !put) {
    co_return std::unexpected(put.error());
  }
  co_return Reply{.status = 201, .body = with_inspection(about(registry, *added), *inspected)};
}

Task<Outcome<Reply>> show_model(Registry& registry, Call& call) {
  if (auto checked = call.check_query({}); !checked) co_return std::unexpected(checked.error());
  const auto model = registry.local_model(call.parts[0]);
  if (!model) co_return std::unexpected(model.error());
  const auto inspected =
      local::inspect(**model, local::RunnerShape{}, local::available_memory_bytes());
  // The file may be gone; what is kept of it is still worth showing.
  if (!inspected) {
    co_return Reply{.body = about(registry, **model)
                                .null("parameters")
                                .null("memory_bytes")
                                .text("memory_fit", "unknown")
                                .text("summary", inspected.error().message)
                                .finish()};
  }
  co_return Reply{.body = with_inspection(about(registry, **model), *inspected)};
}

Task<Outcome<Reply>> remove_model(Registry& registry, Call& call) {
  const auto model = registry.local_model(call.parts[0]);
  if (!model) co_return std::unexpected(model.error());
  const std::string removed = about(registry, **model).finish();
  if (auto done = registry.parts.local_models.remove((*model)->id); !done) {
    co_return of_model_store(done.error(), call.parts[0]);
  }
  if (auto put = co_await registry.put_in_force(Touched::anything_else); !put) {
    co_return std::unexpected(put.error());
  }
  co_return Reply{.body = removed};
}

}  // namespace claviger::console

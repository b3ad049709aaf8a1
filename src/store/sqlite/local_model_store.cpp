#include "store/sqlite/local_model_store.h"

#include "store/sqlite/sql.h"

namespace claviger::store {
namespace {

using local::LocalModel;
using local::LocalModelStoreError;
using local::LocalModelStoreResult;

std::unexpected<LocalModelStoreError> failed(const DatabaseError& error) {
  return std::unexpected(error.is_unique() ? LocalModelStoreError::exists
                                           : LocalModelStoreError::unavailable);
}

std::optional<LocalModel> read_model(const Query& row) {
  auto options = local::options_from_json(row.text(7));
  if (!options) return std::nullopt;
  return LocalModel{.id = LocalModelId{row.integer(0)},
                    .owner = OwnerId{row.integer(1)},
                    .name = row.text(2),
                    .path = row.text(3),
                    .bytes = row.integer(4),
                    .architecture = row.text(5),
                    .context_tokens = row.integer(6),
                    .options = std::move(*options),
                    .created_at = from_unix_micros(row.integer(8))};
}

}  // namespace

LocalModelStoreResult<LocalModel> SqliteLocalModelStore::add(LocalModel model) {
  const auto inserted =
      change(database_,
             "INSERT INTO local_models (owner_id, name, path, bytes, architecture, context_tokens,"
             " options, created_at)"
             " SELECT id, ?, ?, ?, ?, ?, ?, ? FROM owners WHERE id = ? AND removed_at IS NULL",
             model.name, model.path.native(), model.bytes, model.architecture, model.context_tokens,
             local::to_json(model.options), model.created_at, model.owner);
  if (!inserted) return failed(inserted.error());
  if (*inserted == 0) return std::unexpected(LocalModelStoreError::not_found);
  model.id = LocalModelId{database_.last_insert_id()};
  return model;
}

LocalModelStoreResult<std::vector<LocalModel>> SqliteLocalModelStore::list() {
  auto models = select<LocalModel>(
      database_,
      "SELECT id, owner_id, name, path, bytes, architecture, context_tokens, options, created_at"
      " FROM local_models ORDER BY id",
      read_model);
  if (!models) return failed(models.error());
  return std::move(*models);
}

LocalModelStoreResult<std::optional<LocalModel>> SqliteLocalModelStore::find(
    OwnerId owner, std::string_view name) {
  auto model = select_one<LocalModel>(
      database_,
      "SELECT id, owner_id, name, path, bytes, architecture, context_tokens, options, created_at"
      " FROM local_models WHERE owner_id = ? AND name = ?",
      read_model, owner, name);
  if (!model) return failed(model.error());
  return std::move(*model);
}

LocalModelStoreResult<void> SqliteLocalModelStore::remove(LocalModelId id) {
  const auto removed = change(database_, "DELETE FROM local_models WHERE id = ?", id);
  if (!removed) return failed(removed.error());
  if (*removed == 0) return std::unexpected(LocalModelStoreError::not_found);
  return {};
}

}  // namespace claviger::store

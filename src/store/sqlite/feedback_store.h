#pragma once

/// Feedback in SQLite; see record/feedback.h for the promises.

#include "record/feedback.h"
#include "store/sqlite/database.h"

namespace claviger::store {

class SqliteFeedbackStore final : public record::FeedbackStore {
 public:
  /// `database` outlives this and is migrated.
  explicit SqliteFeedbackStore(Database& database) : database_(database) {}

  record::Result<void> put(const record::Feedback& feedback) override;
  record::Result<std::optional<record::Feedback>> find(RequestId request) override;
  record::Result<std::vector<record::Feedback>> between(RequestId first, RequestId last) override;

 private:
  Database& database_;
};

}  // namespace claviger::store

#include "store/sqlite/feedback_store.h"

#include "store/sqlite/sql.h"

namespace claviger::store {
namespace {

using record::Feedback;
using record::Opinion;
using record::RecordError;
using record::Result;

constexpr EnumWords<Opinion, 2> kOpinions{{{{Opinion::good, "good"}, {Opinion::bad, "bad"}}}};

std::optional<Feedback> read_feedback(const Query& row) {
  const auto id = request_id_of(row.blob(0));
  const auto opinion = kOpinions.parse(row.text(1));
  if (!id || !opinion) return std::nullopt;
  return Feedback{.request = *id,
                  .opinion = *opinion,
                  .why = row.text(2),
                  .given_at = from_unix_micros(row.integer(3))};
}

}  // namespace

Result<void> SqliteFeedbackStore::put(const Feedback& feedback) {
  const auto put =
      change(database_,
             "INSERT INTO feedback (request_id, opinion, why, given_at) VALUES (?, ?, ?, ?)"
             " ON CONFLICT (request_id) DO UPDATE SET opinion = excluded.opinion,"
             " why = excluded.why, given_at = excluded.given_at",
             Blob{to_blob(feedback.request)}, kOpinions.of(feedback.opinion), feedback.why,
             feedback.given_at);
  if (!put) return std::unexpected(RecordError::unavailable);
  return {};
}

Result<std::optional<Feedback>> SqliteFeedbackStore::find(RequestId request) {
  auto found = select_one<Feedback>(
      database_, "SELECT request_id, opinion, why, given_at FROM feedback WHERE request_id = ?",
      read_feedback, Blob{to_blob(request)});
  if (!found) return std::unexpected(RecordError::unavailable);
  return std::move(*found);
}

Result<std::vector<Feedback>> SqliteFeedbackStore::between(RequestId first, RequestId last) {
  auto found = select<Feedback>(database_,
                                "SELECT request_id, opinion, why, given_at FROM feedback"
                                " WHERE request_id >= ? AND request_id <= ? ORDER BY request_id",
                                read_feedback, Blob{to_blob(first)}, Blob{to_blob(last)});
  if (!found) return std::unexpected(RecordError::unavailable);
  return std::move(*found);
}

}  // namespace claviger::store

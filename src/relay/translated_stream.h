#pragma once

/// A stream whose provider and caller speak different dialects: every event is read into
/// nobody's dialect and written in the caller's.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "exchange/answer.h"

namespace claviger::relay {

class TranslatedStream final : public exchange::EventSink {
 public:
  /// `now_s` is when the answer began, in Unix seconds, for dialects that say so.
  TranslatedStream(std::unique_ptr<exchange::EventReader> reader,
                   std::unique_ptr<exchange::EventWriter> writer, std::int64_t now_s)
      : reader_(std::move(reader)), writer_(std::move(writer)), now_s_(now_s) {}

  void read(std::string_view type, std::string_view data) { reader_->read(type, data, *this); }

  void on(const exchange::Event& event) override {
    // The end is written with the bill, which the provider may tell last of all.
    if (std::holds_alternative<exchange::event::End>(event)) return;
    const auto* const start = std::get_if<exchange::event::Start>(&event);
    if (start == nullptr || start->created_s != 0) return writer_->on(event);
    exchange::event::Start dated = *start;
    dated.created_s = now_s_;
    writer_->on(dated);
  }
  void finish(const exchange::Bill& bill) {
    if (!std::exchange(is_finished_, true)) writer_->finish(bill);
  }
  /// See exchange::EventWriter::problem.
  std::string_view problem() const { return writer_->problem(); }
  /// What has been written since it was last taken.
  std::string& out() { return writer_->out(); }

 private:
  std::unique_ptr<exchange::EventReader> reader_;
  std::unique_ptr<exchange::EventWriter> writer_;
  std::int64_t now_s_;
  bool is_finished_ = false;
};

}  // namespace claviger::relay

#pragma once

/// Answers that are no failure to HTTP and still of no use: empty, cut off, refused, filtered,
/// tools called wrongly, JSON that breaks its form, the same words again and again. They are
/// marked on the record and counted, and never stop an answer.
///
/// Incremental and bounded: a stream's text passes once, and what is kept of it is the state
/// below and a few kilobytes of tool arguments and JSON's nesting. Nothing is sampled or stored.

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fault/loop_watch.h"

namespace claviger::fault {

enum class SoftFailure : std::uint8_t {
  empty_output,           ///< No text and no tool call.
  cut_by_length,          ///< The bound on its output was reached.
  refusal,                ///< The provider says so, or the whole answer is a stock refusal.
  content_filter,         ///< The provider's filter stopped it.
  broken_tool_arguments,  ///< A tool call whose arguments are no JSON object.
  unknown_tool,           ///< A tool that was not offered.
  broken_json,            ///< JSON was asked for, and this is none.
  missing_fields,         ///< JSON without the fields that the schema requires at its top.
  wrong_language,         ///< Another script than the request's.
  loop,                   ///< The same words again and again.
  context_cut,            ///< An own server took in far less than was sent.
};
inline constexpr std::size_t soft_failures = 11;
std::string_view to_string(SoftFailure failure);

/// A set of them.
class SoftFailures {
 public:
  void add(SoftFailure failure) { bits_ |= bit(failure); }
  bool has(SoftFailure failure) const { return (bits_ & bit(failure)) != 0; }
  bool is_empty() const { return bits_ == 0; }
  /// "empty_output,refusal"; empty for none.
  std::string text() const;

 private:
  static constexpr std::uint16_t bit(SoftFailure failure) {
    return static_cast<std::uint16_t>(1U << static_cast<unsigned>(failure));
  }
  std::uint16_t bits_ = 0;
};

/// What was asked for, as far as it bears on the answer.
struct Expectation {
  bool wants_json = false;                   ///< A JSON object, by mode or by schema.
  std::vector<std::string> required_fields;  ///< Of the schema's top, at most fields_max.
  std::vector<std::string> tools;            ///< Names on offer, at most tools_max.
  bool all_tools_known = true;               ///< `tools` is all of them.
  /// Letters of each script in the last message of the user; see script_of().
  bool is_latin = false;  ///< The user wrote in Latin script, and nothing else.
  bool is_own_endpoint = false;
  std::int64_t input_tokens = 0;  ///< Estimated from below; 0 where unknown.

  static constexpr std::size_t fields_max = 32;
  static constexpr std::size_t tools_max = 128;
};

/// Watches one answer. Threads: one at a time.
class AnswerWatch {
 public:
  /// Beyond this, a tool's arguments are no longer checked.
  static constexpr std::size_t argument_bytes_max = 16 << 10;
  static constexpr std::size_t calls_max = 32;

  explicit AnswerWatch(Expectation expectation);

  void text(std::string_view piece);
  /// One text of an answer that is all there, and whose other texts come by the same way: what
  /// repeats itself does so within one of them.
  void whole_text(std::string_view text);
  /// Of the call with that number in the answer; name and arguments may come in pieces.
  void tool_call(std::size_t number, std::string_view name_piece, std::string_view arguments_piece);
  void refusal() { said_refusal_ = true; }
  /// Something that is neither text nor a tool call: a picture, sound.
  void other_output() { has_other_output_ = true; }
  void finish_reason(std::string_view reason);
  void input_tokens_counted(std::int64_t tokens) { tokens_counted_ = tokens; }

  /// At the answer's end.
  SoftFailures result() const;

 private:
  struct Call {
    std::string name;
    std::string arguments;
    bool is_cut = false;
  };
  /// Follows JSON's nesting and its top-level keys without keeping the text.
  class JsonFollower {
   public:
    explicit JsonFollower(std::vector<std::string> required) : missing_(std::move(required)) {}
    void take(char c);
    bool is_one_object() const { return state_ == State::after && !is_broken_; }
    bool misses_fields() const { return !missing_.empty(); }

   private:
    enum class State : std::uint8_t { before, inside, in_string, escaped, after };
    static constexpr std::size_t kKeyBytesMax = 128;
    static constexpr std::size_t kDepthMax = 64;
    void end_string();
    State state_ = State::before;
    std::array<char, kDepthMax> open_{};
    std::size_t depth_ = 0;
    bool is_key_ = false;
    bool expects_key_ = false;
    bool is_broken_ = false;
    std::string key_;
    std::vector<std::string> missing_;
  };
  void note(std::string_view piece);
  void note_script(std::string_view piece);

  Expectation expected_;
  std::unique_ptr<JsonFollower> json_;  ///< Null where JSON is not asked for.
  std::vector<Call> calls_;
  // Of the text, as much as stock refusals begin with.
  static constexpr std::size_t begin_bytes_max = 48;
  std::array<char, begin_bytes_max> begin_{};
  std::size_t begin_bytes_ = 0;
  std::uint64_t text_bytes_ = 0;
  bool has_words_ = false;
  bool has_other_output_ = false;
  bool said_refusal_ = false;
  bool called_unknown_tool_ = false;
  bool called_wrongly_ = false;
  bool was_cut_ = false;
  bool was_filtered_ = false;
  std::int64_t tokens_counted_ = 0;
  LoopWatch loop_;
  std::uint64_t latin_letters_ = 0;
  std::uint64_t other_letters_ = 0;
};

}  // namespace claviger::fault

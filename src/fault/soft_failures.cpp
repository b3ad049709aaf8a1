#include "fault/soft_failures.h"

#include <algorithm>

#include "base/ascii.h"
#include "fault/json_glance.h"

namespace claviger::fault {
namespace {

constexpr std::array<std::string_view, soft_failures> kNames = {
    "empty_output",          "cut_by_length", "refusal",     "content_filter",
    "broken_tool_arguments", "unknown_tool",  "broken_json", "missing_fields",
    "wrong_language",        "loop",          "context_cut"};

bool is_blank(char c) {
  return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

/// What models begin with when they will not, and little else does.
bool begins_like_refusal(std::string_view begin) {
  constexpr std::array<std::string_view, 12> kBegins = {
      "i'm sorry, but i can't",     "i’m sorry, but i can’t",  "i'm sorry, but i cannot",
      "i'm sorry, i can't",         "i cannot assist with",    "i can't assist with",
      "i can't help with that",     "i cannot help with that", "i'm unable to assist",
      "i am unable to assist with", "i cannot fulfill this",   "i can't comply with"};
  begin.remove_prefix(std::min(begin.find_first_not_of(" \n\t"), begin.size()));
  if (begin.empty() || lower(begin.front()) != 'i') return false;  // All of them do.
  std::string text;
  for (const char c : begin) text += lower(c);
  return std::ranges::any_of(kBegins,
                             [&](std::string_view words) { return text.starts_with(words); });
}

/// Of plain text without a byte above ASCII.
std::uint64_t ascii_letters(std::string_view text) {
  std::uint64_t letters = 0;
  while (!text.empty()) {
    constexpr std::size_t kBlock = 240;
    const std::string_view block = text.substr(0, kBlock);
    std::uint8_t inside = 0;
    for (const char c : block) {
      const auto letter = static_cast<std::uint8_t>((static_cast<std::uint8_t>(c) | 0x20U) - 'a');
      inside = static_cast<std::uint8_t>(inside + (letter < 26U ? 1 : 0));
    }
    letters += inside;
    text.remove_prefix(block.size());
  }
  return letters;
}

template <std::size_t N>
bool is_one_of(std::string_view reason, const std::array<std::string_view, N>& reasons) {
  return std::ranges::any_of(reasons, [&](std::string_view known) {
    return std::ranges::equal(reason, known, [](char a, char b) { return lower(a) == lower(b); });
  });
}

}  // namespace

std::string_view to_string(SoftFailure failure) {
  return kNames[static_cast<std::size_t>(failure)];
}

std::string SoftFailures::text() const {
  std::string out;
  for (std::size_t i = 0; i < soft_failures; ++i) {
    if (!has(static_cast<SoftFailure>(i))) continue;
    if (!out.empty()) out += ',';
    out += kNames[i];
  }
  return out;
}

AnswerWatch::AnswerWatch(Expectation expectation) : expected_(std::move(expectation)) {
  if (expected_.wants_json) json_ = std::make_unique<JsonFollower>(expected_.required_fields);
}

void AnswerWatch::JsonFollower::end_string() {
  state_ = State::inside;
  if (!is_key_ || depth_ != 1) return;
  std::erase(missing_, key_);
}

void AnswerWatch::JsonFollower::take(char c) {
  switch (state_) {
    case State::before:
      if (is_blank(c)) return;
      if (c != '{') {
        is_broken_ = true;
        state_ = State::after;
        return;
      }
      open_[depth_++] = '{';
      expects_key_ = true;
      state_ = State::inside;
      return;
    case State::in_string:
      if (c == '\\')
        state_ = State::escaped;
      else if (c == '"')
        end_string();
      else if (is_key_ && key_.size() < kKeyBytesMax)
        key_ += c;
      return;
    case State::escaped:
      state_ = State::in_string;
      return;
    case State::after:
      is_broken_ = is_broken_ || !is_blank(c);
      return;
    case State::inside:
      break;
  }
  if (c == '"') {
    is_key_ = expects_key_ && open_[std::min(depth_, kDepthMax) - 1] == '{';
    expects_key_ = false;
    key_.clear();
    state_ = State::in_string;
  } else if (c == '{' || c == '[') {
    if (depth_ < kDepthMax) open_[depth_] = c;
    ++depth_;
    expects_key_ = c == '{';
  } else if (c == '}' || c == ']') {
    const char open = depth_ <= kDepthMax ? open_[depth_ - 1] : '\0';
    if (open != '\0' && open != (c == '}' ? '{' : '[')) is_broken_ = true;
    if (--depth_ == 0) state_ = State::after;
    expects_key_ = false;
  } else if (c == ',') {
    expects_key_ = depth_ <= kDepthMax && open_[depth_ - 1] == '{';
  }
}

void AnswerWatch::text(std::string_view piece) {
  note(piece);
  loop_.take(piece);
}

void AnswerWatch::whole_text(std::string_view text) {
  note(text);
  if (LoopWatch::may_loop(text)) loop_.take(text);
}

void AnswerWatch::note(std::string_view piece) {
  text_bytes_ += piece.size();
  if (begin_bytes_ < begin_bytes_max) {
    begin_bytes_ += piece.copy(begin_.data() + begin_bytes_, begin_bytes_max - begin_bytes_);
  }
  has_words_ = has_words_ || !std::ranges::all_of(piece, is_blank);
  if (json_) {
    for (const char c : piece) json_->take(c);
  }
  if (expected_.is_latin) note_script(piece);
}

/// Letters of Latin script, and of those whose characters begin with a byte that no Latin letter
/// has in UTF-8 (Greek and beyond: 0xCE and above, but for punctuation and signs, 0xE2). In blocks
/// whose counts fit into a byte, so that many bytes are counted at once.
void AnswerWatch::note_script(std::string_view piece) {
  if (base::is_ascii(piece)) {
    latin_letters_ += ascii_letters(piece);
    return;
  }
  constexpr std::size_t kBlock = 240;
  while (!piece.empty()) {
    const std::string_view block = piece.substr(0, kBlock);
    std::uint8_t latin = 0;
    std::uint8_t other = 0;
    for (const char c : block) {
      const auto byte = static_cast<std::uint8_t>(c);
      const auto letter = static_cast<std::uint8_t>((byte | 0x20U) - 'a');
      const bool is_latin = letter < 26U || (byte >= 0xC3 && byte <= 0xCA);
      const bool is_other = byte >= 0xCE && byte < 0xF0 && byte != 0xE2;
      latin = static_cast<std::uint8_t>(latin + (is_latin ? 1 : 0));
      other = static_cast<std::uint8_t>(other + (is_other ? 1 : 0));
    }
    latin_letters_ += latin;
    other_letters_ += other;
    piece.remove_prefix(block.size());
  }
}

void AnswerWatch::tool_call(std::size_t number, std::string_view name_piece,
                            std::string_view arguments_piece) {
  if (number >= calls_max) return;
  if (calls_.size() <= number) calls_.resize(number + 1);
  Call& call = calls_[number];
  if (call.name.size() < 256) call.name += name_piece.substr(0, 256);
  const std::size_t room = argument_bytes_max - std::min(call.arguments.size(), argument_bytes_max);
  call.arguments += arguments_piece.substr(0, room);
  call.is_cut = call.is_cut || arguments_piece.size() > room;
}

void AnswerWatch::finish_reason(std::string_view reason) {
  // Words of OpenAI, Anthropic (https://docs.claude.com/en/api/handling-stop-reasons), Google
  // (https://ai.google.dev/api/generate-content#FinishReason and #BlockReason), Mistral, Bedrock;
  // all 2026-11.
  constexpr std::array<std::string_view, 5> kCut = {
      "length", "max_tokens", "max_output_tokens", "model_length", "model_context_window_exceeded"};
  constexpr std::array<std::string_view, 15> kFiltered = {"content_filter",
                                                          "SAFETY",
                                                          "PROHIBITED_CONTENT",
                                                          "BLOCKLIST",
                                                          "SPII",
                                                          "RECITATION",
                                                          "guardrail_intervened",
                                                          "content_filtered",
                                                          "IMAGE_SAFETY",
                                                          "IMAGE_RECITATION",
                                                          "IMAGE_PROHIBITED_CONTENT",
                                                          "LANGUAGE",
                                                          "JAILBREAK",
                                                          "MODEL_ARMOR",
                                                          "sensitive"};
  was_cut_ = was_cut_ || is_one_of(reason, kCut);
  was_filtered_ = was_filtered_ || is_one_of(reason, kFiltered);
  if (reason == "refusal") said_refusal_ = true;
  // The provider could not make a call of what the model wrote, and keeps it to itself.
  if (reason == "MALFORMED_FUNCTION_CALL") called_wrongly_ = true;
  if (reason == "UNEXPECTED_TOOL_CALL") called_unknown_tool_ = true;
  // A turn that the provider wants to go on with has said enough.
  if (reason == "pause_turn") has_other_output_ = true;
}

SoftFailures AnswerWatch::result() const {
  SoftFailures found;
  if (was_cut_) found.add(SoftFailure::cut_by_length);
  if (was_filtered_) found.add(SoftFailure::content_filter);
  const bool is_short = text_bytes_ < 600;
  if (said_refusal_ ||
      (is_short && calls_.empty() && begins_like_refusal({begin_.data(), begin_bytes_}))) {
    found.add(SoftFailure::refusal);
  }
  if (called_wrongly_) found.add(SoftFailure::broken_tool_arguments);
  if (called_unknown_tool_) found.add(SoftFailure::unknown_tool);
  if (!has_words_ && !has_other_output_ && calls_.empty() && !said_refusal_)
    found.add(SoftFailure::empty_output);
  for (const Call& call : calls_) {
    if (expected_.all_tools_known && !expected_.tools.empty() && !call.name.empty() &&
        std::ranges::find(expected_.tools, call.name) == expected_.tools.end()) {
      found.add(SoftFailure::unknown_tool);
    }
    // No arguments at all are how some providers write none.
    if (call.is_cut || call.arguments.empty()) continue;
    const JsonGlance arguments(call.arguments);
    if (!arguments.is_whole() || !arguments.root().is(JsonGlance::Kind::object)) {
      found.add(SoftFailure::broken_tool_arguments);
    }
  }
  // What was cut off or never came is told above; its form is no news.
  if (json_ && has_words_ && !was_cut_ && !found.has(SoftFailure::refusal)) {
    if (!json_->is_one_object()) {
      found.add(SoftFailure::broken_json);
    } else if (json_->misses_fields()) {
      found.add(SoftFailure::missing_fields);
    }
  }
  constexpr std::uint64_t kLettersThatTell = 80;
  if (expected_.is_latin && other_letters_ > kLettersThatTell &&
      other_letters_ > 4 * latin_letters_) {
    found.add(SoftFailure::wrong_language);
  }
  if (loop_.loops()) found.add(SoftFailure::loop);
  constexpr std::int64_t kTokensThatTell = 512;
  if (expected_.is_own_endpoint && tokens_counted_ > 0 &&
      expected_.input_tokens > kTokensThatTell &&
      tokens_counted_ * 10 < expected_.input_tokens * 6) {
    found.add(SoftFailure::context_cut);
  }
  return found;
}

}  // namespace claviger::fault

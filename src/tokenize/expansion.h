#pragma once

/// What no tokenizer can exceed, without one: a tokenizer that falls back to bytes makes at most
/// one token of a byte, and one that does not makes at most one of a character. But some put
/// their text into a normal form first, and that can make it longer: U+FDFA, three bytes, is
/// thirty-three in NFKC. So bytes bound tokens only after the worst that a normal form does.
///
/// The forms' worst factors in UTF-8 are 3 for NFC and 11 for NFKC
/// (https://unicode.org/faq/normalization.html, "maximum expansion factor", 2026-11). ASCII and
/// the characters of the scripts that most people write in never become longer: they are in a
/// table, which test/tokenizers holds against every character there is. All others count with
/// the worst factor, those not yet assigned too.

#include <cstdint>
#include <string_view>

namespace claviger::tokenize {

enum class NormalForm : std::uint8_t {
  none,  ///< Known to take text as it is.
  nfc,
  any,  ///< NFKC, or not known: the worst of all.
};

/// An upper bound of the bytes that the texts in `json` have once their escapes are resolved and
/// they are brought into `form`, counting everything else in it as it stands. `json` is any
/// stretch of valid JSON in UTF-8; reading it never fails.
std::int64_t normalised_bytes_max(std::string_view json, NormalForm form);

}  // namespace claviger::tokenize

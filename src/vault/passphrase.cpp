#include "vault/passphrase.h"

#include <fmt/format.h>
#include <sodium.h>

#include <charconv>
#include <cstdlib>
#include <vector>

#include "vault/clean_key.h"
#include "vault/line_checksum.h"
#include "vault/private_file.h"

namespace claviger::vault {
namespace {

constexpr std::string_view kWord = "claviger-passphrase-1";
constexpr std::string_view kAlgorithm = "argon2id13";
constexpr std::size_t kSaltChars = 22;
constexpr std::size_t kKeyIdChars = 2 * RootKey::kIdBytes;
constexpr std::size_t kWords = 7;

static_assert(kSaltBytes == crypto_pwhash_argon2id_SALTBYTES);
static_assert(kPassphraseCost.memory_kib * 1024 == crypto_pwhash_argon2id_MEMLIMIT_MODERATE);
static_assert(kPassphraseCost.passes == crypto_pwhash_argon2id_OPSLIMIT_MODERATE);

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  while (words.size() <= kWords) {
    const std::size_t blank = line.find(' ');
    words.push_back(line.substr(0, blank));
    if (blank == std::string_view::npos) break;
    line.remove_prefix(blank + 1);
  }
  return words;
}

/// 1 to `most`, in plain decimal.
std::optional<std::uint64_t> parse_count(std::string_view text, std::uint64_t most) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (value == 0 || value > most || text[0] == '0') return std::nullopt;
  return value;
}

bool is_lower_hex(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

RootKeyResult stretch(const PassphraseFile& file, std::string_view passphrase) {
  if (sodium_init() < 0) std::abort();
  Secret bytes = Secret::of_size(RootKey::kBytes);
  if (crypto_pwhash(bytes.writable().data(), bytes.size(), passphrase.data(), passphrase.size(),
                    file.salt.data(), file.cost.passes,
                    static_cast<std::size_t>(file.cost.memory_kib) * 1024,
                    crypto_pwhash_ALG_ARGON2ID13) != 0) {
    return std::unexpected(RootKeyError{
        RootKeyErrorCode::out_of_memory,
        fmt::format("Deriving the root key from the passphrase takes {} MiB of memory for a "
                    "moment, and there is not so much. Free some memory and start again.",
                    file.cost.memory_kib / 1024)});
  }
  return std::make_unique<RootKey>(std::move(bytes));
}

}  // namespace

std::expected<PassphraseFile, RootKeyError> parse_passphrase_file(std::string_view text,
                                                                  std::string_view where) {
  const auto malformed = [where](std::string_view what) {
    return std::unexpected(RootKeyError{
        RootKeyErrorCode::malformed,
        fmt::format("{} {}. Restore it from its backup: without it the passphrase opens nothing.",
                    where, what)});
  };
  if (text.ends_with('\n')) text.remove_suffix(1);
  const std::vector<std::string_view> words = words_of(text);
  if (words[0] != kWord) return malformed("does not hold the parameters of a passphrase");
  if (words.size() != kWords || !has_line_checksum(text)) {
    return malformed("is damaged: cut short or altered");
  }
  const auto passes = parse_count(words[2], kPassphraseCostMax.passes);
  const auto memory_kib = parse_count(words[3], kPassphraseCostMax.memory_kib);
  if (words[1] != kAlgorithm || !passes || !memory_kib) {
    return malformed("asks for a derivation that this version of Claviger does not do");
  }
  PassphraseFile file{.cost = {.passes = *passes, .memory_kib = *memory_kib},
                      .salt = {},
                      .key_id = std::string(words[5])};
  std::size_t decoded = 0;
  if (words[4].size() != kSaltChars ||
      sodium_base642bin(file.salt.data(), file.salt.size(), words[4].data(), words[4].size(),
                        nullptr, &decoded, nullptr,
                        sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
      decoded != kSaltBytes || file.key_id.size() != kKeyIdChars || !is_lower_hex(file.key_id)) {
    return malformed("is damaged: its salt or key id cannot be read");
  }
  return file;
}

std::string to_text(const PassphraseFile& file) {
  char salt[kSaltChars + 1];
  sodium_bin2base64(salt, sizeof salt, file.salt.data(), file.salt.size(),
                    sodium_base64_VARIANT_URLSAFE_NO_PADDING);
  std::string line = fmt::format("{} {} {} {} {} {}", kWord, kAlgorithm, file.cost.passes,
                                 file.cost.memory_kib, salt, file.key_id);
  char checksum[1 + kLineChecksumChars];
  write_line_checksum(line, checksum);
  line.append(checksum, sizeof checksum);
  line.push_back('\n');
  return line;
}

RootKeyResult RootKey::read_passphrase_file(const std::string& path, const Secret& passphrase) {
  auto text = read_private_file(path, FileRule::owner_only);
  if (!text) return std::unexpected(std::move(text.error()));
  auto file = parse_passphrase_file(text->reveal(), path);
  if (!file) return std::unexpected(std::move(file.error()));
  const auto wrong = std::unexpected(RootKeyError{
      RootKeyErrorCode::wrong_passphrase,
      fmt::format("This is not the passphrase that {} was made with. Type it again; mind the "
                  "keyboard layout and blanks.",
                  path)});
  const std::string_view typed = without_newline(passphrase.reveal());
  if (typed.size() < kPassphraseBytesMin) return wrong;  // None so short was ever accepted.
  RootKeyResult key = stretch(*file, typed);
  if (key && (*key)->id_text() != file->key_id) return wrong;
  return key;
}

RootKeyResult RootKey::create_passphrase_file(const std::string& path, const Secret& passphrase,
                                              PassphraseCost cost) {
  const std::string_view typed = without_newline(passphrase.reveal());
  if (typed.size() < kPassphraseBytesMin) {
    return std::unexpected(RootKeyError{
        RootKeyErrorCode::weak_passphrase,
        fmt::format("The passphrase is shorter than {} characters. Take five or six words at "
                    "random.",
                    kPassphraseBytesMin)});
  }
  if (sodium_init() < 0) std::abort();
  PassphraseFile file{.cost = cost, .salt = {}, .key_id = {}};
  randombytes_buf(file.salt.data(), file.salt.size());
  RootKeyResult key = stretch(file, typed);
  if (!key) return key;
  file.key_id = (*key)->id_text();
  if (auto written = write_new_private_file(path, to_text(file)); !written) {
    return std::unexpected(std::move(written.error()));
  }
  return key;
}

}  // namespace claviger::vault

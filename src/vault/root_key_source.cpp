// Where a root key is read from and written to; its form is in root_key.cpp.

#include <fmt/format.h>

#include <cstdlib>

#include "vault/private_file.h"
#include "vault/root_key.h"
#include "vault/root_key_text.h"

namespace claviger::vault {
namespace {

RootKeyResult parse_read(std::expected<Secret, RootKeyError> text, std::string_view where) {
  if (!text) return std::unexpected(std::move(text.error()));
  return RootKey::parse(text->reveal(), where);
}

/// systemd.exec(5): a credential's name is a file name.
bool is_credential_name(std::string_view name) {
  return !name.empty() && name.size() <= 255 && name != "." && name != ".." &&
         name.find('/') == std::string_view::npos && name.find('\0') == std::string_view::npos;
}

}  // namespace

RootKeyResult RootKey::read_file(const std::string& path) {
  return parse_read(read_private_file(path, FileRule::owner_only), path);
}

RootKeyResult RootKey::read_descriptor(int descriptor) {
  const std::string where = fmt::format("file descriptor {}", descriptor);
  return parse_read(read_to_end(descriptor, where), where);
}

RootKeyResult RootKey::read_systemd_credential(const std::string& name) {
  const char* const folder = std::getenv("CREDENTIALS_DIRECTORY");
  if (folder == nullptr || *folder == '\0') {
    return std::unexpected(RootKeyError{
        RootKeyErrorCode::not_found,
        fmt::format("The root key is to come from the systemd credential \"{}\", but systemd gave "
                    "this process none. Add to the unit: LoadCredentialEncrypted={}:PATH",
                    name, name)});
  }
  if (!is_credential_name(name)) {
    return std::unexpected(RootKeyError{
        RootKeyErrorCode::not_found,
        fmt::format("\"{}\" cannot be the name of a systemd credential. Give a file name without "
                    "folders.",
                    name)});
  }
  const std::string path = fmt::format("{}/{}", folder, name);
  return parse_read(read_private_file(path, FileRule::systemd_credential), path);
}

std::expected<void, RootKeyError> RootKey::write_new_file(const std::string& path) const {
  return write_new_private_file(path, root_key_text(bytes_).reveal());
}

}  // namespace claviger::vault

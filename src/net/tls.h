#pragma once

/// TLS contexts: what we trust as a caller of providers, and who we are as a server. OpenSSL
/// does the work, on the socket's own descriptor.

#include <expected>
#include <filesystem>
#include <memory>
#include <string>

struct ssl_ctx_st;
struct ssl_st;

namespace claviger::net {

struct SslContextDeleter {
  void operator()(ssl_ctx_st* context) const;
};
struct SslDeleter {
  void operator()(ssl_st* ssl) const;
};
using SslHandle = std::unique_ptr<ssl_st, SslDeleter>;

/// Immutable once made; shared by threads (OpenSSL counts references atomically).
class TlsContext {
 public:
  /// For connections to providers: TLS 1.2 and up, system CAs (or those in `ca_file`),
  /// verification on; there is no way to turn it off. Error: a sentence.
  static std::expected<std::shared_ptr<TlsContext>, std::string> for_providers(
      const std::filesystem::path& ca_file = {});
  /// For our listener. Error: a sentence that says which file is wrong and how.
  static std::expected<std::shared_ptr<TlsContext>, std::string> for_listener(
      const std::filesystem::path& certificate_chain_file,
      const std::filesystem::path& private_key_file);

  /// A connecting side that demands a certificate for `host` (a name or an IP address).
  SslHandle connect_to(const std::string& host, int fd) const;
  SslHandle accept_from(int fd) const;

 private:
  explicit TlsContext(ssl_ctx_st* context) : context_(context) {}
  std::unique_ptr<ssl_ctx_st, SslContextDeleter> context_;
};

/// The first reason in OpenSSL's error queue of this thread, e.g. "certificate verify failed",
/// and empties the queue.
std::string take_tls_error();

}  // namespace claviger::net

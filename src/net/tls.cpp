#include "net/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

namespace claviger::net {

void SslContextDeleter::operator()(ssl_ctx_st* context) const {
  SSL_CTX_free(context);
}
void SslDeleter::operator()(ssl_st* ssl) const {
  SSL_free(ssl);
}

std::string take_tls_error() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) return "the connection ended unexpectedly";
  const char* const reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : "TLS error " + std::to_string(code);
}

namespace {

void set_common_options(SSL_CTX* context) {
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  // Idle connections give their 2 x 16 KiB back; partial writes are retried from a buffer
  // that may have moved.
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}

int select_http11(SSL*, const unsigned char** out, unsigned char* out_length,
                  const unsigned char* offered, unsigned int offered_length, void*) {
  static constexpr unsigned char kHttp11[] = "\x08http/1.1";
  unsigned char* selected = nullptr;
  if (SSL_select_next_proto(&selected, out_length, kHttp11, sizeof kHttp11 - 1, offered,
                            offered_length) != OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_NOACK;
  }
  *out = selected;
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace

std::expected<std::shared_ptr<TlsContext>, std::string> TlsContext::for_providers(
    const std::filesystem::path& ca_file) {
  std::shared_ptr<TlsContext> tls(new TlsContext(SSL_CTX_new(TLS_client_method())));
  SSL_CTX* const context = tls->context_.get();
  if (context == nullptr) return std::unexpected(take_tls_error());
  set_common_options(context);
  const bool loaded = ca_file.empty()
                          ? SSL_CTX_set_default_verify_paths(context) == 1
                          : SSL_CTX_load_verify_locations(context, ca_file.c_str(), nullptr) == 1;
  if (!loaded) {
    return std::unexpected("cannot read the certificate authorities" +
                           (ca_file.empty()
                                ? std::string(" of this system; install ca-certificates")
                                : " in " + ca_file.string()) +
                           ": " + take_tls_error());
  }
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  static constexpr unsigned char kHttp11[] = "\x08http/1.1";
  SSL_CTX_set_alpn_protos(context, kHttp11, sizeof kHttp11 - 1);
  return tls;
}

std::expected<std::shared_ptr<TlsContext>, std::string> TlsContext::for_listener(
    const std::filesystem::path& certificate_chain_file,
    const std::filesystem::path& private_key_file) {
  std::shared_ptr<TlsContext> tls(new TlsContext(SSL_CTX_new(TLS_server_method())));
  SSL_CTX* const context = tls->context_.get();
  if (context == nullptr) return std::unexpected(take_tls_error());
  set_common_options(context);
  if (SSL_CTX_use_certificate_chain_file(context, certificate_chain_file.c_str()) != 1) {
    return std::unexpected("cannot read the certificate chain " + certificate_chain_file.string() +
                           " (PEM, own certificate first): " + take_tls_error());
  }
  if (SSL_CTX_use_PrivateKey_file(context, private_key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    return std::unexpected("cannot read the private key " + private_key_file.string() +
                           " (PEM, not encrypted): " + take_tls_error());
  }
  if (SSL_CTX_check_private_key(context) != 1) {
    return std::unexpected("the private key " + private_key_file.string() +
                           " does not belong to the certificate " +
                           certificate_chain_file.string());
  }
  SSL_CTX_set_alpn_select_cb(context, select_http11, nullptr);
  return tls;
}

SslHandle TlsContext::connect_to(const std::string& host, int fd) const {
  SslHandle ssl(SSL_new(context_.get()));
  if (!ssl || SSL_set_fd(ssl.get(), fd) != 1) return nullptr;
  unsigned char address[16];
  const bool is_address = inet_pton(AF_INET, host.c_str(), address) == 1 ||
                          inet_pton(AF_INET6, host.c_str(), address) == 1;
  X509_VERIFY_PARAM* const verify = SSL_get0_param(ssl.get());
  if (is_address) {
    if (X509_VERIFY_PARAM_set1_ip_asc(verify, host.c_str()) != 1) return nullptr;
  } else {
    X509_VERIFY_PARAM_set_hostflags(verify, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (SSL_set1_host(ssl.get(), host.c_str()) != 1) return nullptr;
    if (SSL_set_tlsext_host_name(ssl.get(), host.c_str()) != 1) return nullptr;
  }
  SSL_set_connect_state(ssl.get());
  return ssl;
}

SslHandle TlsContext::accept_from(int fd) const {
  SslHandle ssl(SSL_new(context_.get()));
  if (!ssl || SSL_set_fd(ssl.get(), fd) != 1) return nullptr;
  SSL_set_accept_state(ssl.get());
  return ssl;
}

}  // namespace claviger::net
